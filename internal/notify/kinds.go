package notify

import (
	"strings"

	"github.com/yinxin-gov/yinxin/authz/ledger"
)

// Kind says what a notice is about. Receivers choose by it, so that a name never
// changes its meaning.
type Kind string

// Kinds.
const (
	CertificateExpiring Kind = "certificate.expiring" // 30, 14, 7 and 1 days before, once each
	CertificateExpired  Kind = "certificate.expired"
	CertificateHeld     Kind = "certificate.held"
	CertificateResumed  Kind = "certificate.resumed"
	CertificateRevoked  Kind = "certificate.revoked"
	SystemUnused        Kind = "system.unused"
	KeyRecovery         Kind = "key.recovery"
	SealCompromised     Kind = "seal.compromised"  // the key of a seal
	SealRelied          Kind = "seal.relied"       // to a unit that holds documents of such a seal (电子签名法 art. 15)
	ListEnding          Kind = "list.ending"       // of an offline root
	ServiceClosing      Kind = "service.closing"   // to everybody with a certificate (电子签名法 art. 23)
	ViolationOverdue    Kind = "violation.overdue" // to the office of the leading group (京政发〔2017〕37号 art. 33)
	ChannelTest         Kind = "channel.test"
)

// Kinds that a channel can ask for.
func Kinds() []Kind {
	return []Kind{
		CertificateExpiring, CertificateExpired, CertificateHeld, CertificateResumed, CertificateRevoked, SystemUnused, KeyRecovery,
		SealCompromised, SealRelied, ListEnding, ServiceClosing, ViolationOverdue,
	}
}

// rules say which events are told. Of the details of an event those that are
// named here go on, so that a text that somebody wrote never does.
var rules = map[string]struct {
	kind     Kind
	severity Severity
	details  []string
}{
	"ca.certificate.held":         {CertificateHeld, Warning, []string{"kind", "pair", "sign_serial", "enc_serial"}},
	"ca.certificate.resumed":      {CertificateResumed, Info, []string{"pair"}},
	"ca.certificate.revoked":      {CertificateRevoked, Warning, []string{"kind", "pair", "reason", "sign_serial", "enc_serial"}},
	"ca.system.stale":             {SystemUnused, Warning, []string{"unused_since", "days"}},
	"kmc.recovery.asked":          {KeyRecovery, Warning, []string{"kind", "pair"}},
	"kmc.recovery.approved":       {KeyRecovery, Warning, []string{"kind", "pair"}},
	"kmc.recovery.delivered":      {KeyRecovery, Warning, []string{"kind", "pair"}},
	"kmc.recovery.refused":        {KeyRecovery, Info, []string{"kind", "pair"}},
	"sharing.violation.escalated": {ViolationOverdue, Critical, []string{"ground", "unit", "provider", "resource", "due"}},
	"signer.key.compromised":      {SealCompromised, Critical, []string{"key"}},
}

// Of is the notice of an event, if it is told at all. Whose a certificate is it
// does not say: Directory knows, when the notice is spread. What is recovered for
// a court (GM/T 0034 12.5) is told to nobody: its owner may be who is looked into.
func Of(ev ledger.Event) (Notice, bool) {
	r, told := rules[ev.Type]
	if !told || ev.Outcome != ledger.Success || r.kind == KeyRecovery && ev.Details["kind"] != "owner" {
		return Notice{}, false
	}
	n := Notice{ID: ev.ID, Kind: r.kind, Severity: r.severity, Object: ev.Object, At: ev.Time, Details: map[string]string{"event": ev.Type}}
	for _, k := range r.details {
		if v := ev.Details[k]; v != "" {
			n.Details[k] = v
		}
	}
	n.Unit, n.System = ev.Details["agency"], ev.Details["system"]
	switch ev.Object.Kind {
	case "seal":
		n.Unit = ev.Details["unit"]
	case "system":
		n.System = ev.Object.ID
	case "certificate": // "issuer:serial", or the serial with its issuer beside it
		if issuer := ev.Details["issuer"]; issuer != "" && !strings.Contains(ev.Object.ID, ":") {
			n.Object.ID = issuer + ":" + ev.Object.ID
		}
	}
	return n, true
}
