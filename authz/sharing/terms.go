package sharing

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"time"
	"unicode/utf8"

	"github.com/emmansun/gmsm/sm3"
)

// domain keeps a digest of terms from being one of anything else.
const domain = "yinxin/agreement/v1\n"

// timeForm is how a moment stands in the terms: UTC, milliseconds.
const timeForm = "2006-01-02T15:04:05.000Z"

// Limits of an agreement.
const (
	maxList = 512
	maxText = 800 // bytes
)

// terms declares its fields in the order of their names, as RFC 8785 sorts.
type terms struct {
	Confidentiality string   `json:"confidentiality"`
	Consumer        string   `json:"consumer"`
	DefectAck       string   `json:"defect_ack"`
	Fields          []string `json:"fields"`
	ID              string   `json:"id"`
	NotAfter        string   `json:"not_after"`
	NotBefore       string   `json:"not_before"`
	Office          string   `json:"office"`
	Onward          []string `json:"onward"`
	Provider        string   `json:"provider"`
	Purposes        []string `json:"purposes"`
	Resource        string   `json:"resource"`
	Sample          bool     `json:"sample"`
}

// Terms returns the bytes whose SM3 the parties seal: the line
// "yinxin/agreement/v1", a line feed, and one JSON object without white space,
// names sorted, every field present, lists sorted, times in UTC with
// milliseconds. Seals, digest and termination are no part of it.
func Terms(a Agreement) ([]byte, error) {
	if err := a.validateTerms(); err != nil {
		return nil, err
	}
	onward := make([]string, len(a.Onward))
	for i, c := range a.Onward {
		onward[i] = string(c)
	}
	b := bytes.NewBufferString(domain)
	enc := json.NewEncoder(b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(terms{
		Confidentiality: a.Confidentiality, Consumer: string(a.Consumer), DefectAck: a.DefectAck,
		Fields: sorted(a.Fields), ID: a.ID, NotAfter: a.NotAfter.UTC().Format(timeForm), NotBefore: a.NotBefore.UTC().Format(timeForm),
		Office: string(a.Office), Onward: sorted(onward), Provider: string(a.Provider), Purposes: sorted(a.Purposes),
		Resource: a.Resource, Sample: a.Sample,
	}); err != nil {
		return nil, fmt.Errorf("sharing: encoding terms: %w", err)
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}

// Draft sets the digest of an agreement that is ready to be sealed. It cuts
// the period to milliseconds and takes away seals that stood over other terms.
func Draft(a Agreement) (Agreement, error) {
	a.NotBefore, a.NotAfter = a.NotBefore.UTC().Truncate(time.Millisecond), a.NotAfter.UTC().Truncate(time.Millisecond)
	raw, err := Terms(a)
	if err != nil {
		return Agreement{}, err
	}
	sum := sm3.Sum(raw)
	a.Digest, a.Seals = hex.EncodeToString(sum[:]), nil
	return a, nil
}

// validateTerms checks what can be checked without the register.
func (a Agreement) validateTerms() error {
	if !idForm.MatchString(a.ID) || !idForm.MatchString(a.Resource) || !plain(a.Confidentiality) || !plain(a.DefectAck) {
		return fmt.Errorf("%w: agreement without id or resource, or text that is not plain", ErrInvalid)
	}
	parties := a.parties()
	for i, p := range parties {
		if err := p.Validate(); err != nil {
			return fmt.Errorf("%w: party %d: %w", ErrInvalid, i+1, err)
		}
		if slices.Contains(parties[:i], p) {
			return fmt.Errorf("%w: provider, consumer and office are three parties", ErrInvalid)
		}
	}
	for i, p := range a.Onward {
		if err := p.Validate(); err != nil {
			return fmt.Errorf("%w: third party: %w", ErrInvalid, err)
		}
		if slices.Contains(a.Onward[:i], p) || p == a.Provider || p == a.Consumer {
			return fmt.Errorf("%w: third party %s stands twice", ErrInvalid, p)
		}
	}
	if err := list("purposes", a.Purposes); err != nil {
		return err
	}
	if err := list("fields", a.Fields); err != nil {
		return err
	}
	if a.NotBefore.IsZero() || !a.NotAfter.After(a.NotBefore) {
		return fmt.Errorf("%w: the period ends before it begins", ErrInvalid)
	}
	for _, at := range []time.Time{a.NotBefore, a.NotAfter} {
		if !at.Equal(at.Truncate(time.Millisecond)) {
			return fmt.Errorf("%w: the period is not in whole milliseconds", ErrInvalid)
		}
	}
	return nil
}

// list refuses what is empty, repeated or without text.
func list(name string, l []string) error {
	if len(l) == 0 || len(l) > maxList {
		return fmt.Errorf("%w: %s: %d entries", ErrInvalid, name, len(l))
	}
	seen := make(map[string]bool, len(l))
	for _, s := range l {
		if s == "" || !plain(s) || seen[s] {
			return fmt.Errorf("%w: %s: entry %.40q is empty, repeated or not plain", ErrInvalid, name, s)
		}
		seen[s] = true
	}
	return nil
}

// plain text has one JSON spelling: no control characters, no separators that
// encoders escape in different ways.
func plain(s string) bool {
	if len(s) > maxText || !utf8.ValidString(s) {
		return false
	}
	for _, r := range s {
		if r < 0x20 || r == 0x7f || r == 0x2028 || r == 0x2029 {
			return false
		}
	}
	return true
}

func sorted(l []string) []string {
	out := append(make([]string, 0, len(l)), l...)
	slices.Sort(out)
	return out
}
