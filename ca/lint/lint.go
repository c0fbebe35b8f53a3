// Package lint checks a certificate before it is signed, and any certificate
// afterwards, against the rules it has to keep: one check a file, each with its
// clause and the day from which it holds.
//
// It reads SM2 and P-256 certificates through one view. It judges form only: no
// signature, no revocation, no trust. A check that lacks what it needs (a
// profile, the issuer, the registered hosts) answers "na", never "pass"; whoever
// issues gives all of them, and then nothing that applies is left out. Clauses:
// RFC 5280, RFC 5480, GM/T 0015, 电子签名法 art. 19 to 22, GB 32100.
package lint

import (
	"strings"
	"time"

	"github.com/emmansun/gmsm/smx509"

	"github.com/yinxin-gov/yinxin/ca/profile"
)

// Outcome of one check.
type Outcome string

// Outcomes.
const (
	Pass Outcome = "pass"
	Fail Outcome = "fail"
	NA   Outcome = "na"
)

// Input is a certificate with what is known around it.
type Input struct {
	View    *View
	Profile *profile.Profile    // nil: unknown
	Issuer  *smx509.Certificate // nil: unknown; not needed for a self-signed one
	Hosts   []string            // registered for the system; nil: unknown
	Until   time.Time           // the latest end that the system may have today; zero: unknown or none
}

// Finding is the answer of one check. Detail names the offender for people who
// repair; it never quotes a personal number.
type Finding struct {
	Outcome Outcome
	Detail  string
}

// Lint is one rule.
type Lint struct {
	ID        string
	Clause    string
	Effective time.Time // certificates that begin earlier are not judged by it
	Check     func(Input) Finding
}

// Result is a finding with its rule.
type Result struct {
	ID      string  `json:"id"`
	Clause  string  `json:"clause"`
	Result  Outcome `json:"result"`
	Detail  string  `json:"detail,omitempty"`
	Applies string  `json:"effective"` // YYYY-MM-DD
}

// All is the register of checks, in the order of a certificate.
func All() []Lint {
	return []Lint{
		parses(), extensionsUnique(), version(), serialSize(), signatureAlgorithm(),
		validityOrder(), validityIssuer(), validityProfile(), validityUntil(),
		subjectFields(), subjectUSCC(), subjectNoPersonalNumber(), testMark(), nameEncoding(),
		namedCurve(), keyUsage(), extendedKeyUsage(), authorityBit(),
		subjectKeyID(), authorityKeyID(), revocationPoint(), authorityInfo(),
		policyCPS(), registeredHosts(), ocspNoCheck(),
	}
}

// Linter holds the register ready for use. It is immutable and safe for
// concurrent use.
type Linter struct{ lints []Lint }

// New prepares every check of All.
func New() *Linter { return &Linter{lints: All()} }

// Run applies every check.
func (l *Linter) Run(in Input) []Result {
	out := make([]Result, 0, len(l.lints))
	for _, rule := range l.lints {
		r := Result{ID: rule.ID, Clause: rule.Clause, Applies: rule.Effective.Format(time.DateOnly), Result: NA}
		if !in.View.NotBefore.Before(rule.Effective) {
			f := rule.Check(in)
			r.Result, r.Detail = f.Outcome, f.Detail
		}
		out = append(out, r)
	}
	return out
}

// Refusal is the error of a certificate that failed; it names the checks.
type Refusal struct{ Failed []Result }

func (r *Refusal) Error() string {
	parts := make([]string, len(r.Failed))
	for i, f := range r.Failed {
		parts[i] = f.ID + ": " + f.Detail
	}
	return "lint: " + strings.Join(parts, "; ")
}

// Check is Run as a yes or no: nil, or a *Refusal with everything that failed.
func (l *Linter) Check(in Input) error {
	var failed []Result
	for _, r := range l.Run(in) {
		if r.Result == Fail {
			failed = append(failed, r)
		}
	}
	if len(failed) > 0 {
		return &Refusal{Failed: failed}
	}
	return nil
}

func pass() Finding              { return Finding{Outcome: Pass} }
func fail(detail string) Finding { return Finding{Outcome: Fail, Detail: detail} }
func na(detail string) Finding   { return Finding{Outcome: NA, Detail: detail} }

// parsed guards a check that reads the library's view: what does not parse is
// refused by "der.parses", the rest has nothing to look at.
func parsed(check func(Input, *smx509.Certificate) Finding) func(Input) Finding {
	return func(in Input) Finding {
		if in.View.Cert == nil {
			return na("certificate does not parse")
		}
		return check(in, in.View.Cert)
	}
}

// profiled guards a check that needs the profile too.
func profiled(check func(Input, *smx509.Certificate, profile.Profile) Finding) func(Input) Finding {
	return parsed(func(in Input, c *smx509.Certificate) Finding {
		if in.Profile == nil {
			return na("no profile given")
		}
		return check(in, c, *in.Profile)
	})
}

func date(y int, m time.Month, d int) time.Time { return time.Date(y, m, d, 0, 0, 0, 0, time.UTC) }
