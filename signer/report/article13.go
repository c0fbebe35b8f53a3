package report

import (
	"slices"
	"strconv"

	"github.com/yinxin-gov/yinxin/signer/verify"
)

// Condition is one line of the table of 电子签名法 art. 13.
type Condition struct {
	ID       string        `json:"id"`
	Clause   string        `json:"clause"`
	Result   verify.Result `json:"result"` // pass, fail or indeterminate
	Evidence []Fact        `json:"evidence"`
	Missing  []string      `json:"missing"` // codes of what is not there, or is wrong
}

// Fact is one piece of evidence.
type Fact struct {
	Kind  string `json:"kind"`
	Ref   string `json:"ref"`
	Value string `json:"value"`
}

// Ids of the lines.
const (
	ConditionExclusive     = "exclusive"        // art. 13 (1) 专有
	ConditionControl       = "control"          // art. 13 (2) 仅由电子签名人控制
	ConditionSignature     = "signature_change" // art. 13 (3)
	ConditionContent       = "content_change"   // art. 13 (4)
	ConditionAgreed        = "agreed"           // art. 13 para. 2
	ConditionAccreditation = "accreditation"    // art. 16; 商用密码管理条例 art. 30
	ConditionValidity      = "validity"         // of certificate and seal at signing time
)

// Conditions lists every line in order.
func Conditions() []string {
	return []string{
		ConditionExclusive, ConditionControl, ConditionSignature, ConditionContent, ConditionAgreed, ConditionAccreditation, ConditionValidity,
	}
}

// Kinds of facts.
const (
	FactCheck       = "check" // ref: its id
	FactCertificate = "certificate"
	FactCustody     = "custody"
	FactKey         = "key"
	FactOperator    = "operator"
	FactUse         = "use"
	FactApproval    = "approval"
	FactApproved    = "approved_document"
	FactLedger      = "ledger"
	FactSealState   = "seal_state"
	FactToken       = "timestamp"
	FactClaim       = "claimed_time"
	FactAnchor      = "anchor"
	FactLicence     = "licence"
	FactAgreement   = "agreement"
)

// Facts lists every kind.
func Facts() []string {
	return []string{
		FactCheck, FactCertificate, FactCustody, FactKey, FactOperator, FactUse, FactApproval, FactApproved, FactLedger, FactSealState,
		FactToken, FactClaim, FactAnchor, FactLicence, FactAgreement,
	}
}

// Codes of what a condition lacks.
const (
	MissingCheckFailed   = "check.failed"
	MissingCheckOpen     = "check.open"    // a check that cannot tell
	MissingCheck         = "check.missing" // one that did not run
	MissingEvidence      = "evidence.none"
	MissingCustody       = "custody.unknown"
	MissingHardware      = "custody.software"
	MissingKey           = "key.unknown"
	MissingKeyShared     = "key.shared"
	MissingOperator      = "operator"
	MissingApproval      = "approval"
	MissingActivation    = "activation"
	MissingIntegrity     = "integrity"
	MissingAgreement     = "agreement"
	MissingAnchor        = "anchor"
	MissingAccreditation = "accreditation.unknown"
	MissingInternal      = "accreditation.internal"
	MissingLicence       = "accreditation.period"
	MissingTrustedTime   = "time.trusted"
	MissingRevocation    = "revocation"
	MissingSealState     = "seal.state"
	MissingSealActive    = "seal.not_active"
)

// MissingCodes lists every code.
func MissingCodes() []string {
	return []string{
		MissingCheckFailed, MissingCheckOpen, MissingCheck, MissingEvidence, MissingCustody, MissingHardware, MissingKey, MissingKeyShared,
		MissingOperator, MissingApproval, MissingActivation, MissingIntegrity, MissingAgreement, MissingAnchor, MissingAccreditation,
		MissingInternal, MissingLicence, MissingTrustedTime, MissingRevocation, MissingSealState, MissingSealActive,
	}
}

// line builds one condition: it passes until something is missing or wrong.
type line struct {
	Condition
	s *verify.Signature
}

func (l *line) fact(kind, ref, value string) { l.Evidence = append(l.Evidence, Fact{kind, ref, value}) }

// lack: the condition is not shown.
func (l *line) lack(code string) {
	l.Missing = include(l.Missing, code)
	if l.Result == verify.Pass {
		l.Result = verify.CannotTell
	}
}

// refuse: the condition is shown not to hold.
func (l *line) refuse(code string) {
	l.lack(code)
	l.Result = verify.Fail
}

// cite takes a check as evidence. One that must hold and did not run is missing.
func (l *line) cite(must bool, ids ...string) {
	for _, id := range ids {
		i := slices.IndexFunc(l.s.Checks, func(c verify.Check) bool { return c.ID == id })
		if i < 0 || l.s.Checks[i].Result == verify.Skipped {
			if must {
				l.fact(FactCheck, id, string(verify.Skipped))
				l.lack(MissingCheck)
			}
			continue
		}
		c := l.s.Checks[i]
		l.fact(FactCheck, id, string(c.Result))
		switch c.Result {
		case verify.Fail:
			l.refuse(MissingCheckFailed)
		case verify.CannotTell:
			l.lack(MissingCheckOpen)
		}
	}
}

// article13 fills the table of one signature.
func article13(rep *verify.Report, s *verify.Signature, d *Detail) []Condition {
	var out []Condition
	for _, c := range []struct {
		id, clause string
		fill       func(*line)
	}{
		{ConditionExclusive, "电子签名法, 13 (1)", func(l *line) { exclusive(l, d) }},
		{ConditionControl, "电子签名法, 13 (2); 34", func(l *line) { control(l, d) }},
		{ConditionSignature, "电子签名法, 13 (3)", signatureChange},
		{ConditionContent, "电子签名法, 13 (4)", func(l *line) { contentChange(l, rep) }},
		{ConditionAgreed, "电子签名法, 13 第2款", func(l *line) { agreed(l, d) }},
		{ConditionAccreditation, "电子签名法, 16; 商用密码管理条例, 30", func(l *line) { accreditation(l, d) }},
		{ConditionValidity, "电子签名法, 13; 电子印章管理办法", func(l *line) { validity(l, rep, d) }},
	} {
		l := line{Condition{c.id, c.clause, verify.Pass, []Fact{}, []string{}}, s}
		c.fill(&l)
		out = append(out, l.Condition)
	}
	return out
}

// held is what (1) and (2) share. Whatever else is known, a key that is not in
// hardware leaves both open: nobody can say who else has a copy.
func held(l *line, d *Detail) (ev *Evidence, proves bool) {
	if d.Evidence == nil {
		l.lack(MissingEvidence)
		return nil, false
	}
	l.fact(FactCustody, d.Evidence.Register, string(d.Custody))
	switch {
	case d.Custody == CustodyUnknown:
		l.lack(MissingCustody)
	case !d.Custody.hardware():
		l.lack(MissingHardware)
	}
	return d.Evidence, d.Custody.hardware()
}

// binding: the value is of the key that the certificate gives to the signer. A
// check that fails shows nothing about who holds the key: the line stays open.
func binding(l *line) {
	l.cite(true, verify.CheckValue, verify.CheckCertForm, verify.CheckChain)
	if l.Result == verify.Fail {
		l.Result = verify.CannotTell
	}
	if m := l.s.Material; m != nil && m.Signer != nil {
		l.fact(FactCertificate, fingerprint(m.Signer), l.s.Signer)
	}
}

func exclusive(l *line, d *Detail) {
	binding(l)
	ev, proves := held(l, d)
	if ev == nil {
		return
	}
	l.fact(FactKey, ev.Register, string(ev.Key))
	switch {
	case ev.Key == KeyExclusive:
	case ev.Key == KeyShared && proves:
		l.refuse(MissingKeyShared)
	case ev.Key == KeyShared:
		l.lack(MissingKeyShared)
	default:
		l.lack(MissingKey)
	}
}

func control(l *line, d *Detail) {
	binding(l)
	ev, _ := held(l, d)
	if ev == nil {
		return
	}
	for _, f := range []struct{ kind, value, missing string }{
		{FactOperator, ev.Operator, MissingOperator}, {FactUse, ev.Use, MissingActivation},
		{FactApproval, ev.Approval, MissingApproval}, {FactApproved, ev.Approved, MissingApproval},
	} {
		if f.value == "" {
			l.lack(f.missing)
			continue
		}
		l.fact(f.kind, ev.Register, f.value)
	}
	if ev.Entry == "" {
		l.lack(MissingActivation)
		return
	}
	l.fact(FactLedger, ev.Entry, strconv.FormatUint(uint64(ev.Shard), 10)+"/"+strconv.FormatUint(ev.Seq, 10))
}

// signatureChange: every signature over it holds, and the same check refuses the
// value with one bit flipped.
func signatureChange(l *line) {
	l.cite(true, verify.CheckValue, verify.CheckSelfTest)
	l.cite(l.s.Kind == "seal", verify.CheckSealSig)
	l.cite(false, verify.CheckToken)
}

// contentChange: what is signed is unchanged and everything that a reader shows,
// the look of the seal too, is signed.
func contentChange(l *line, rep *verify.Report) {
	l.cite(rep.Format == "ofd", verify.CheckReferences)
	l.cite(rep.Format != "ofd", verify.CheckDataHash) // one form of OFD binds by the value alone
	l.cite(rep.Format == "ofd" || rep.Format == "pdf", verify.CheckCoverage)
	l.cite(false, verify.CheckContainer, verify.CheckPDF, verify.CheckRange, verify.CheckSealFile, verify.CheckStamp, verify.CheckBase)
	for _, c := range rep.Checks {
		if c.Result == verify.Fail {
			l.fact(FactCheck, c.ID, string(c.Result))
			l.refuse(MissingCheckFailed)
		}
	}
	switch rep.Integrity {
	case verify.Intact:
	case verify.Altered:
		l.refuse(MissingIntegrity)
	default:
		l.lack(MissingIntegrity)
	}
}

func agreed(l *line, d *Detail) {
	if d.Evidence == nil || d.Evidence.Agreement == "" {
		l.lack(MissingAgreement)
		return
	}
	l.fact(FactAgreement, d.Evidence.Register, d.Evidence.Agreement)
}

func accreditation(l *line, d *Detail) {
	if d.Anchor == nil {
		l.lack(MissingAnchor)
		return
	}
	l.fact(FactAnchor, d.Anchor.SM3, d.Anchor.Subject)
	a := d.Accreditation
	if a.Licence != "" {
		l.fact(FactLicence, a.Licence, a.ValidFrom+"/"+a.ValidUntil)
	}
	switch a.Status {
	case Accredited:
		trustedTime(l)
	case AccreditationSelf:
		l.refuse(MissingInternal)
	case NotInForce:
		l.refuse(MissingLicence)
	default:
		l.lack(MissingAccreditation)
	}
}

// trustedTime: nothing holds "at signing time" when only the signer says when
// that was.
func trustedTime(l *line) {
	if l.s.TrustedTime == "" {
		if l.s.SignedAt != "" {
			l.fact(FactClaim, l.s.ID, l.s.SignedAt)
		}
		l.lack(MissingTrustedTime)
		return
	}
	l.fact(FactToken, l.s.ID, l.s.TrustedTime)
}

func validity(l *line, rep *verify.Report, d *Detail) {
	seal := l.s.Kind == "seal"
	l.cite(true, verify.CheckCertForm, verify.CheckChain, verify.CheckUsage, verify.CheckCertPeriod, verify.CheckTime)
	l.cite(seal, verify.CheckMaker, verify.CheckMakerChain, verify.CheckSealPeriod, verify.CheckCertList)
	l.cite(false, verify.CheckToken)
	trustedTime(l)
	l.cite(true, verify.CheckRevocation)
	unknown := slices.ContainsFunc(rep.Warnings, func(w verify.Warning) bool {
		return w.Code == verify.WarnNoRevocation && w.Signature == l.s.ID
	})
	// The check passes when nothing is known to be revoked; here it must be known.
	if ran := slices.ContainsFunc(l.s.Checks, func(c verify.Check) bool {
		return c.ID == verify.CheckRevocation && c.Result != verify.Skipped
	}); unknown || !ran {
		l.lack(MissingRevocation)
	}
	if !seal {
		return
	}
	switch {
	case d.Evidence == nil || d.Evidence.SealState == "":
		l.lack(MissingSealState)
	case d.Evidence.SealState != SealActive:
		l.fact(FactSealState, d.Evidence.Register, d.Evidence.SealState)
		l.refuse(MissingSealActive)
	default:
		l.fact(FactSealState, d.Evidence.Register, d.Evidence.SealState)
	}
}
