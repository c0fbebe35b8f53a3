package report

import "github.com/yinxin-gov/yinxin/signer/verify"

// Effect is what may be said about legal effect (电子签名法 art. 14).
type Effect string

// Effects.
const (
	// EffectEqual: every technical condition of art. 13 is shown and the issuer was
	// accredited at signing time.
	EffectEqual Effect = "equal"
	// EffectTechnical: technical verification only; the issuer is not shown to be
	// an accredited service.
	EffectTechnical Effect = "technical_only"
	// EffectOpen: technical verification only; the issuer is accredited, but not
	// every condition is shown.
	EffectOpen Effect = "conditions_open"
)

// Effects lists every one.
func Effects() []Effect { return []Effect{EffectEqual, EffectTechnical, EffectOpen} }

// effectOf is the only way to EffectEqual. An agreement (art. 13 para. 2) is no
// substitute: that it is there does not show what it says.
func effectOf(rep *verify.Report, s *verify.Signature, d *Detail) Effect {
	if d.Accreditation.Status != Accredited {
		return EffectTechnical
	}
	if rep.Verdict != verify.Valid || rep.Integrity != verify.Intact || s.Verdict != verify.Valid || len(d.Article13) != len(Conditions()) {
		return EffectOpen
	}
	for _, c := range d.Article13 {
		if c.Result != verify.Pass && c.ID != ConditionAgreed {
			return EffectOpen
		}
	}
	return EffectEqual
}
