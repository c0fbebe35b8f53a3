// Package revocation answers from captured status data, with no network: lists of
// revoked certificates (CRL, RFC 5280 5) and OCSP responses (RFC 6960), in DER or
// PEM, of both algorithm tracks. It is how a document is judged on a machine that
// reaches no authority, and how an archive package is judged in twenty years.
//
// What an item says counts when it is signed by the issuer of the certificate in
// question (found by name, key identifier and the certificate's own signature) or,
// for OCSP, by a responder that this issuer certified for it. A statement "revoked"
// counts whatever its age: nothing undoes a revocation but the end of a hold. It
// counts from the invalidity date, where a list states an earlier one (RFC 5280
// 5.3.2): from then on somebody else may have signed, and dated back at will. "Not
// revoked" counts only from an item that was still current at the time asked for
// (nextUpdate), covers the certificate, and was made before the certificate ended,
// because lists may drop what has expired. Of statements about a hold the newest
// wins. Everything else is "not known", which is never "good".
//
// It refuses what it does not understand as a whole: unknown critical extensions
// (RFC 5280 5.2, RFC 6960 4.1.2), indirect lists, algorithms with SHA-1, a
// signature with a key of another algorithm, and data over its limits.
package revocation

import (
	"bytes"
	"context"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/emmansun/gmsm/smx509"
)

// Outcomes that callers branch on.
var (
	// ErrFormat: the bytes are no list, response or certificate.
	ErrFormat = errors.New("revocation: malformed data")
	// ErrUnsupported: well formed, but with something that must be understood and
	// is not.
	ErrUnsupported = errors.New("revocation: unsupported data")
	// ErrLimit: larger than a limit.
	ErrLimit = errors.New("revocation: data exceeds a limit")
	// ErrEmpty: a folder without a list or response.
	ErrEmpty = errors.New("revocation: no list or response in the folder")
)

// Limits. A list of 200,000 entries has about 8 MB.
const (
	MaxItem  = 64 << 20
	maxItems = 2000
	maxTotal = 128 << 20
	skew     = 10 * time.Minute // how far an authority's clock may run ahead of ours
)

// Kind of an item.
type Kind string

// Kinds.
const (
	CRL  Kind = "crl"
	OCSP Kind = "ocsp"
)

// Item is one list or response as captured.
type Item struct {
	Kind       Kind
	Raw        []byte // DER
	ThisUpdate time.Time
	NextUpdate time.Time // zero: not stated
}

// Set is captured data. It is safe for concurrent use once it is filled.
type Set struct {
	now     func() time.Time
	lists   []*list
	answers []*response
	issuers []*smx509.Certificate
	size    int64
}

// New is an empty set. A nil clock is that of the machine.
func New(now func() time.Time) *Set {
	if now == nil {
		now = time.Now
	}
	return &Set{now: now}
}

// AddIssuers takes certificates of authorities in DER. One that does not parse
// vouches for nothing and is left out.
func (s *Set) AddIssuers(ders ...[]byte) {
	for _, der := range ders {
		if c, err := smx509.ParseCertificate(der); err == nil && c.IsCA {
			s.issuers = append(s.issuers, c)
		}
	}
}

// Add takes one file: a list, a response or certificates of authorities, in DER
// or in PEM blocks.
func (s *Set) Add(data []byte) error {
	if len(data) == 0 || data[0] == 0x30 {
		return s.addDER(data)
	}
	n := 0
	for {
		var block *pem.Block
		if block, data = pem.Decode(data); block == nil {
			break
		}
		n++
		if err := s.addDER(block.Bytes); err != nil {
			return fmt.Errorf("PEM block %q: %w", block.Type, err)
		}
	}
	if n == 0 {
		return ErrFormat
	}
	return nil
}

func (s *Set) addDER(der []byte) error {
	s.size += int64(len(der))
	if len(der) > MaxItem || s.size > maxTotal || len(s.lists)+len(s.answers) >= maxItems {
		return ErrLimit
	}
	switch kindOf(der) {
	case OCSP:
		r, err := parseResponse(der)
		if err != nil {
			return err
		}
		s.answers = append(s.answers, r)
	case CRL:
		l, err := parseList(der)
		if err != nil {
			return err
		}
		s.lists = append(s.lists, l)
	default:
		c, err := smx509.ParseCertificate(der)
		if err != nil {
			return ErrFormat
		}
		if c.IsCA { // those of holders are no fault: a folder may have whole chains
			s.issuers = append(s.issuers, c)
		}
	}
	return nil
}

// Join takes what another set has.
func (s *Set) Join(o *Set) {
	s.lists, s.answers, s.issuers = append(s.lists, o.lists...), append(s.answers, o.answers...), append(s.issuers, o.issuers...)
}

// Read takes every .crl, .ocsp, .ors, .pem, .crt, .cer and .der file of a folder.
func Read(dir string, now func() time.Time) (*Set, error) {
	files, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("reading revocation data: %w", err)
	}
	s := New(now)
	for _, f := range files {
		switch strings.ToLower(filepath.Ext(f.Name())) {
		case ".crl", ".ocsp", ".ors", ".pem", ".crt", ".cer", ".der":
		default:
			continue
		}
		if info, err := f.Info(); err != nil || info.Size() > MaxItem {
			return nil, fmt.Errorf("reading revocation data: %s: %w", f.Name(), errors.Join(ErrLimit, err))
		}
		b, err := os.ReadFile(filepath.Join(dir, f.Name()))
		if err != nil {
			return nil, fmt.Errorf("reading revocation data: %w", err)
		}
		if err := s.Add(b); err != nil {
			return nil, fmt.Errorf("reading revocation data: %s: %w", f.Name(), err)
		}
	}
	if len(s.lists)+len(s.answers) == 0 {
		return nil, fmt.Errorf("%w: %s", ErrEmpty, dir)
	}
	return s, nil
}

// RevokedAt implements verify.Revocation for the present time.
func (s *Set) RevokedAt(ctx context.Context, certDER []byte) (time.Time, bool, error) {
	return s.RevokedBy(ctx, certDER, s.now())
}

// RevokedBy implements verify.Dated: whether the certificate is known to be
// revoked, and since when, or known not to have been at a time. A zero time with
// known is "not revoked".
func (s *Set) RevokedBy(ctx context.Context, certDER []byte, by time.Time) (time.Time, bool, error) {
	cert, err := smx509.ParseCertificate(certDER)
	if err != nil {
		return time.Time{}, false, fmt.Errorf("%w: certificate: %v", ErrFormat, err)
	}
	all, err := s.statements(ctx, cert)
	if err != nil {
		return time.Time{}, false, err
	}
	var since time.Time // revoked for good
	var hold *statement
	var free time.Time // of the newest item that shows no hold
	current := false   // one of those was current then
	for i := range all {
		switch st := &all[i]; {
		case st.made.After(s.now().Add(skew)): // of a future that nobody can have seen
		case st.is == revoked:
			if at := st.from(); since.IsZero() || at.Before(since) {
				since = at
			}
		case st.is == held:
			if hold == nil || st.made.After(hold.made) {
				hold = st
			}
		default:
			if st.made.After(free) {
				free = st.made
			}
			current = current || !st.until.Before(by) && !st.made.After(cert.NotAfter)
		}
	}
	switch {
	case !since.IsZero():
		return since, true, nil
	case hold != nil && !free.After(hold.made):
		return hold.since, true, nil
	}
	return time.Time{}, current, nil
}

// Dates implements verify.Dates: the time of revocation and the earliest
// invalidity date that lists state of a certificate, zero where they do not.
func (s *Set) Dates(ctx context.Context, certDER []byte) (revocation, invalidity time.Time, err error) {
	cert, err := smx509.ParseCertificate(certDER)
	if err != nil {
		return revocation, invalidity, fmt.Errorf("%w: certificate: %v", ErrFormat, err)
	}
	all, err := s.statements(ctx, cert)
	if err != nil {
		return revocation, invalidity, err
	}
	for _, st := range all {
		if st.is != revoked || st.made.After(s.now().Add(skew)) {
			continue
		}
		if revocation.IsZero() || st.since.Before(revocation) {
			revocation = st.since
		}
		if !st.invalid.IsZero() && (invalidity.IsZero() || st.invalid.Before(invalidity)) {
			invalidity = st.invalid
		}
	}
	return revocation, invalidity, nil
}

// Items returns what speaks about a certificate: what an archive keeps of it.
func (s *Set) Items(ctx context.Context, certDER []byte) ([]Item, error) {
	cert, err := smx509.ParseCertificate(certDER)
	if err != nil {
		return nil, fmt.Errorf("%w: certificate: %v", ErrFormat, err)
	}
	all, err := s.statements(ctx, cert)
	if err != nil {
		return nil, err
	}
	var out []Item
	for _, st := range all {
		if !slices.ContainsFunc(out, func(i Item) bool { return bytes.Equal(i.Raw, st.item.Raw) }) {
			out = append(out, st.item)
		}
	}
	return out, nil
}
