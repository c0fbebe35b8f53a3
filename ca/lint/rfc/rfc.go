// Package rfc is the second reader of what the house signs by ECDSA: the checks
// of zlint, written by others for the public CAs, from RFC 3279, 5280, 5480,
// 5891 and 8813. The sources of the CA/Browser Forum and of browsers are left
// out: their rules are for names of the public internet.
//
// It reads what zlint can read. A certificate with an SM2 key or an SM2
// signature is not for it (Reads); a revocation list of either track is, since
// its form knows nothing of the algorithm. A check that panics fails.
package rfc

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/zmap/zcrypto/x509"
	zlint "github.com/zmap/zlint/v3/lint"
	_ "github.com/zmap/zlint/v3/lints/rfc" // its checks enter zlint's own register
)

// ErrRead: the library of zlint cannot read it, so nothing was checked. Whoever
// signs takes it for a refusal.
var ErrRead = errors.New("rfc: zlint cannot read it")

// Outcome of one check.
type Outcome int

// Outcomes. A warning is a SHOULD of the text and refuses nothing.
const (
	NA Outcome = iota
	Pass
	Warning
	Failure
)

// Finding is the answer of one check.
type Finding struct {
	ID      string // zlint's name of it
	Clause  string
	Rule    string    // what it asks for, in zlint's English
	Since   time.Time // zero: always
	Outcome Outcome
	Detail  string
}

// Linter holds the checks ready for use. It is immutable and safe for
// concurrent use.
type Linter struct {
	certificates []*zlint.CertificateLint
	lists        []*zlint.RevocationListLint
	config       zlint.Configuration // empty: no check of these sources is tuned
}

// New takes the checks of the five RFCs, in the order of their names.
func New() *Linter {
	l := &Linter{config: zlint.NewEmptyConfig()}
	all := zlint.GlobalRegistry()
	for _, source := range []zlint.LintSource{zlint.RFC3279, zlint.RFC5280, zlint.RFC5480, zlint.RFC5891, zlint.RFC8813} {
		l.certificates = append(l.certificates, all.CertificateLints().BySource(source)...)
		l.lists = append(l.lists, all.RevocationListLints().BySource(source)...)
	}
	slices.SortFunc(l.certificates, func(a, b *zlint.CertificateLint) int { return strings.Compare(a.Name, b.Name) })
	slices.SortFunc(l.lists, func(a, b *zlint.RevocationListLint) int { return strings.Compare(a.Name, b.Name) })
	return l
}

// Certificate applies every check to a certificate. selfSigned says so of one
// that has no signature yet; of a signed one it is found out.
func (l *Linter) Certificate(der []byte, selfSigned bool) (_ []Finding, err error) {
	defer broken(&err)
	c, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrRead, err)
	}
	c.SelfSigned = c.SelfSigned || selfSigned && bytes.Equal(c.RawIssuer, c.RawSubject)
	out := make([]Finding, len(l.certificates))
	for i, check := range l.certificates {
		out[i] = finding(check.LintMetadata, check.Execute(c, l.config))
	}
	return out, nil
}

// List applies every check to a list of revoked certificates.
func (l *Linter) List(der []byte) (_ []Finding, err error) {
	defer broken(&err)
	list, err := x509.ParseRevocationList(der)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrRead, err)
	}
	out := make([]Finding, len(l.lists))
	for i, check := range l.lists {
		out[i] = finding(check.LintMetadata, check.Execute(list, l.config))
	}
	return out, nil
}

// broken turns a panic into ErrRead: zlint catches those of its certificate
// checks, not of its parser nor of its list checks, and what they read may come
// from anybody.
func broken(err *error) {
	if r := recover(); r != nil {
		*err = fmt.Errorf("%w: %v", ErrRead, r)
	}
}

func finding(m zlint.LintMetadata, r *zlint.LintResult) Finding {
	f := Finding{ID: m.Name, Clause: m.Citation, Rule: m.Description, Since: m.EffectiveDate, Detail: r.Details}
	switch r.Status {
	case zlint.NA, zlint.NE:
		f.Outcome, f.Detail = NA, ""
	case zlint.Pass:
		f.Outcome = Pass
	case zlint.Notice, zlint.Warn:
		f.Outcome = Warning
	default: // an error, a fatal one, or an answer that we do not know
		f.Outcome = Failure
	}
	if f.Outcome == Failure && f.Detail == "" {
		f.Detail = m.Description
	}
	return f
}
