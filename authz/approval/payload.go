package approval

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"time"
	"unicode/utf8"
)

// domain keeps a signature over an approval from being one over anything else.
const domain = "yinxin/approval/v1\n"

// timeForm is how the moment stands in what is signed: UTC, milliseconds.
const timeForm = "2006-01-02T15:04:05.000Z"

const (
	maxReason = 2000
	maxID     = 128 // as in the ledger
)

// payload declares its fields in the order of their names: the encoder keeps
// that order, which is what RFC 8785 asks for.
type payload struct {
	Approved  bool   `json:"approved"`
	Approver  string `json:"approver"`
	At        string `json:"at"`
	Digest    string `json:"digest_sm3"`
	ID        string `json:"id"`
	Kind      Kind   `json:"kind"`
	Reason    string `json:"reason"`
	Requester string `json:"requester"`
	Unit      string `json:"unit"`
}

// Payload returns the bytes that an approver signs: the line
// "yinxin/approval/v1", a line feed, and one JSON object without white space,
// names sorted, every field present, no HTML escapes, the time in UTC with
// milliseconds. Text must be valid UTF-8 without control characters but the line feed and
// without U+2028 and U+2029, which JSON encoders write in different ways, so
// that two encoders cannot disagree and two contents cannot share one payload.
func Payload(s Subject, approved bool, reason, approver string, at time.Time) ([]byte, error) {
	if err := s.validate(); err != nil {
		return nil, err
	}
	for _, text := range []string{reason, approver} {
		if !plain(text) {
			return nil, fmt.Errorf("%w: text that is not plain", ErrInvalid)
		}
	}
	if len(reason) > maxReason || approver == "" || len(approver) > maxID {
		return nil, fmt.Errorf("%w: reason or approver", ErrInvalid)
	}
	if at.IsZero() || !at.Equal(at.Truncate(time.Millisecond)) {
		return nil, fmt.Errorf("%w: the time is not in whole milliseconds", ErrInvalid)
	}
	b := bytes.NewBufferString(domain)
	enc := json.NewEncoder(b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(payload{
		Approved: approved, Approver: approver, At: at.UTC().Format(timeForm), Digest: s.Digest, ID: s.ID,
		Kind: s.Kind, Reason: reason, Requester: s.Requester, Unit: string(s.Unit),
	}); err != nil {
		return nil, fmt.Errorf("approval: encoding: %w", err)
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}

func (s Subject) validate() error {
	if approverRole(s.Kind) == "" {
		return fmt.Errorf("%w: kind %q", ErrInvalid, s.Kind)
	}
	if s.ID == "" || len(s.ID) > maxID || !plain(s.ID) || s.Requester == "" || len(s.Requester) > maxID || !plain(s.Requester) {
		return fmt.Errorf("%w: subject without id or requester", ErrInvalid)
	}
	if err := s.Unit.Validate(); err != nil {
		return fmt.Errorf("%w: unit: %w", ErrInvalid, err)
	}
	raw, err := hex.DecodeString(s.Digest)
	if err != nil || len(raw) != 32 || hex.EncodeToString(raw) != s.Digest {
		return fmt.Errorf("%w: digest is not SM3 in lower-case hex", ErrInvalid)
	}
	return nil
}

func plain(s string) bool {
	if !utf8.ValidString(s) {
		return false
	}
	for _, r := range s {
		if r < 0x20 && r != '\n' || r == 0x7f || r == 0x2028 || r == 0x2029 {
			return false
		}
	}
	return true
}
