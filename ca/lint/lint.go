// Package lint checks a certificate before it is signed, and any certificate
// afterwards, against the rules it has to keep: one check a file, each with its
// clause and the day from which it holds.
//
// It reads SM2 and P-256 certificates through one view; what is not of the SM2
// track is read a second time by zlint (ca/lint/rfc), with checks that others
// wrote. It judges form only: no signature, no revocation, no trust. A check that lacks what it needs (a
// profile, the issuer, the registered hosts) answers "na", never "pass"; whoever
// issues gives all of them, and then nothing that applies is left out. Clauses:
// RFC 5280, RFC 5480, GM/T 0015, 电子签名法 art. 19 to 22, GB 32100.
package lint

import (
	"bytes"
	"slices"
	"strings"
	"time"

	"github.com/emmansun/gmsm/smx509"

	"github.com/yinxin-gov/yinxin/ca/lint/rfc"
	"github.com/yinxin-gov/yinxin/ca/profile"
)

// Outcome of one check.
type Outcome string

// Outcomes. A warning is shown and refuses nothing; only zlint gives it.
const (
	Pass Outcome = "pass"
	Fail Outcome = "fail"
	Warn Outcome = "warn"
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

// Result is a finding with its rule. Rule says what a check of zlint asks for,
// in its own words; of ours the catalogue says it.
type Result struct {
	ID      string  `json:"id"`
	Clause  string  `json:"clause"`
	Result  Outcome `json:"result"`
	Detail  string  `json:"detail,omitempty"`
	Applies string  `json:"effective,omitempty"` // YYYY-MM-DD
	Rule    string  `json:"rule,omitempty"`
}

// All is the register of checks, in the order of a certificate.
func All() []Lint {
	return []Lint{
		parses(), extensionsUnique(), extensionsCritical(), version(), serialSize(), signatureAlgorithm(),
		validityOrder(), validityEncoding(), validityIssuer(), validityProfile(), validityUntil(),
		subjectFields(), subjectUSCC(), subjectNoPersonalNumber(), testMark(), nameEncoding(), nameLength(), uniqueIDs(),
		namedCurve(), keyUsage(), usagePair(), extendedKeyUsage(), authorityBit(),
		subjectKeyID(), authorityKeyID(), revocationPoint(), authorityInfo(),
		policyCPS(), registeredHosts(), ocspNoCheck(),
	}
}

// Linter holds the register ready for use. It is immutable and safe for
// concurrent use.
type Linter struct {
	lints []Lint
	rfc   *rfc.Linter
}

// New prepares every check of All, and zlint.
func New() *Linter { return &Linter{lints: All(), rfc: rfc.New()} }

// Run applies every check, ours first.
func (l *Linter) Run(in Input) []Result {
	return append(l.own(in), Second(l.second(in))...)
}

func (l *Linter) own(in Input) []Result {
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

// second asks zlint, where it can read the certificate.
func (l *Linter) second(in Input) ([]rfc.Finding, error) {
	if in.View.sm2() {
		return nil, nil
	}
	draftOfRoot := in.View.draft && in.View.Cert != nil && in.Issuer != nil &&
		bytes.Equal(in.View.Cert.RawSubjectPublicKeyInfo, in.Issuer.RawSubjectPublicKeyInfo)
	return l.rfc.Certificate(in.View.DER, draftOfRoot)
}

// Second words what zlint found as results, each id behind "rfc.". What it could
// not read has failed.
func Second(findings []rfc.Finding, err error) []Result {
	if err != nil {
		return []Result{{ID: "rfc.read", Clause: "RFC 5280 4.1, 5.1", Result: Fail, Detail: err.Error()}}
	}
	outcomes := map[rfc.Outcome]Outcome{rfc.NA: NA, rfc.Pass: Pass, rfc.Warning: Warn, rfc.Failure: Fail}
	out := make([]Result, len(findings))
	for i, f := range findings {
		out[i] = Result{ID: "rfc." + f.ID, Clause: f.Clause, Result: outcomes[f.Outcome], Detail: f.Detail, Rule: f.Rule}
		if !f.Since.IsZero() {
			out[i].Applies = f.Since.Format(time.DateOnly)
		}
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
	findings, err := l.second(in)
	return Refuse(l.own(in), findings, err)
}

// Refuse makes one answer of our results and what zlint found.
func Refuse(own []Result, findings []rfc.Finding, err error) error {
	failures := slices.DeleteFunc(findings, func(f rfc.Finding) bool { return f.Outcome != rfc.Failure })
	failed := append(own, Second(failures, err)...)
	failed = slices.DeleteFunc(failed, func(r Result) bool { return r.Result != Fail })
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
