// Package crl checks a list of revoked certificates (证书吊销列表) before it is
// signed, and any list afterwards: one check a file, each with its clause, in
// the manner of its parent ca/lint.
//
// zlint reads every list a second time (ca/lint/rfc), of either track.
// It judges form only, never a signature. A check that needs the issuer's
// certificate answers "na" without it; whoever signs gives it. Clauses:
// RFC 5280 5 and 6.3, GM/T 0015 for the algorithm of the SM2 track.
package crl

import (
	"time"

	"github.com/emmansun/gmsm/smx509"

	"github.com/yinxin-gov/yinxin/ca/lint"
	"github.com/yinxin-gov/yinxin/ca/lint/rfc"
)

// Input is a list with what is known around it.
type Input struct {
	View   *View
	Issuer *smx509.Certificate // nil: unknown
}

// Lint is one rule.
type Lint struct {
	ID        string
	Clause    string
	Effective time.Time // lists of an earlier thisUpdate are not judged by it
	Check     func(Input) lint.Finding
}

// All is the register of checks, in the order of a list.
func All() []Lint {
	return []Lint{
		parses(), version(), algorithm(), issuerName(), issuerMaySign(), updates(),
		entriesListed(), entrySerials(), entryTimes(), entryReasons(), entryInvalidity(),
		extensions(), authorityKeyID(), number(), deltaIndicator(), distributionPoint(), freshest(),
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
func (l *Linter) Run(in Input) []lint.Result {
	return append(l.own(in), lint.Second(l.rfc.List(in.View.DER))...)
}

func (l *Linter) own(in Input) []lint.Result {
	out := make([]lint.Result, 0, len(l.lints))
	for _, rule := range l.lints {
		r := lint.Result{ID: rule.ID, Clause: rule.Clause, Applies: rule.Effective.Format(time.DateOnly), Result: lint.NA}
		if !in.View.ThisUpdate.Before(rule.Effective) {
			f := rule.Check(in)
			r.Result, r.Detail = f.Outcome, f.Detail
		}
		out = append(out, r)
	}
	return out
}

// Check is Run as a yes or no: nil, or a *lint.Refusal with all that failed.
func (l *Linter) Check(in Input) error {
	findings, err := l.rfc.List(in.View.DER)
	return lint.Refuse(l.own(in), findings, err)
}

func pass() lint.Finding              { return lint.Finding{Outcome: lint.Pass} }
func fail(detail string) lint.Finding { return lint.Finding{Outcome: lint.Fail, Detail: detail} }
func na(detail string) lint.Finding   { return lint.Finding{Outcome: lint.NA, Detail: detail} }

// issued guards a check that needs the issuer's certificate.
func issued(check func(*View, *smx509.Certificate) lint.Finding) func(Input) lint.Finding {
	return func(in Input) lint.Finding {
		if in.Issuer == nil {
			return na("issuer not given")
		}
		return check(in.View, in.Issuer)
	}
}

// rfc5280 is the day of the rules that all profiles of today rest on.
func rfc5280() time.Time { return time.Date(2008, 5, 1, 0, 0, 0, 0, time.UTC) }
