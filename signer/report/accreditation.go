package report

import (
	"time"

	"github.com/yinxin-gov/yinxin/signer/verify"
)

// Anchor is the certificate that vouched for a signer.
type Anchor struct {
	SM3     string `json:"sm3"`
	Subject string `json:"subject"`
}

// AccreditationStatus of an issuer at the time of signing.
type AccreditationStatus string

// Statuses.
const (
	Accredited           AccreditationStatus = "accredited"
	NotInForce           AccreditationStatus = "not_in_force" // licensed, but not then
	AccreditationSelf    AccreditationStatus = "internal"     // own authority of the owner of the anchors
	AccreditationUnknown AccreditationStatus = "unknown"
)

// AccreditationStatuses lists every status.
func AccreditationStatuses() []AccreditationStatus {
	return []AccreditationStatus{Accredited, NotInForce, AccreditationSelf, AccreditationUnknown}
}

// Accreditation is what the owner of the anchors says of the issuer
// (商用密码管理条例 art. 24, 30), at the trusted time of signing or else at the
// claimed one.
type Accreditation struct {
	Status     AccreditationStatus `json:"status"`
	Service    string              `json:"service"`
	Licence    string              `json:"licence"`
	URL        string              `json:"url"`
	ValidFrom  string              `json:"valid_from"`
	ValidUntil string              `json:"valid_until"` // first moment after the licence
}

func accreditationOf(licences []verify.Accreditation, s *verify.Signature) Accreditation {
	at, known := signingTime(s)
	out := Accreditation{Status: AccreditationUnknown}
	for _, l := range licences {
		if l.Internal {
			return Accreditation{Status: AccreditationSelf}
		}
		in := known && l.At(at)
		if !in && out.Service != "" {
			continue
		}
		out = Accreditation{AccreditationUnknown, l.Service, l.Licence, l.URL, stamp(l.From), stamp(l.Until)}
		switch {
		case in:
			out.Status = Accredited
			return out
		case known:
			out.Status = NotInForce
		}
	}
	return out
}

// signingTime is the trusted time, or else the claim.
func signingTime(s *verify.Signature) (time.Time, bool) {
	for _, text := range []string{s.TrustedTime, s.SignedAt} {
		if t, err := time.Parse(time.RFC3339, text); err == nil {
			return t, true
		}
	}
	return time.Time{}, false
}
