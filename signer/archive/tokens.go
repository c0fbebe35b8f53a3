package archive

import (
	"crypto/ecdsa"
	"crypto/rsa"
	"encoding/asn1"
	"errors"
	"time"

	"github.com/emmansun/gmsm/sm2"
	"github.com/emmansun/gmsm/smx509"

	"github.com/yinxin-gov/yinxin/internal/text"
	"github.com/yinxin-gov/yinxin/signer/cms/tsp"
)

// Retired says when an algorithm stops protecting, by name: sm3, sha256, sha384,
// sha512, sm2, ecdsa, rsa. An archive declares it when it becomes known; until then
// the certificates alone decide.
type Retired map[string]time.Time

// Algorithms are the names that Retired takes.
func Algorithms() []string {
	return []string{"sm3", "sha256", "sha384", "sha512", "sm2", "ecdsa", "rsa"}
}

// link is one token of the chain that protects a package.
type link struct {
	name  string
	at    time.Time
	until time.Time
	cert  []byte
	path  []*smx509.Certificate
}

// readLink judges a token by itself: over these bytes, by a service that an anchor
// vouches for at the token's own time.
func (o *Options) readLink(name string, der, over []byte, carried [][]byte) (link, finding) {
	t, err := tsp.ParseToken(der)
	switch {
	case errors.Is(err, tsp.ErrUnsupported):
		return link{}, cannot(ReasonStampUnknown, name)
	case err != nil:
		return link{}, fail(ReasonStampBad, name)
	case t.CertDER == nil:
		return link{}, cannot(ReasonStampUnknown, name)
	}
	switch err := t.Verify(over); {
	case errors.Is(err, tsp.ErrUnsupported):
		return link{}, cannot(ReasonStampUnknown, name)
	case errors.Is(err, tsp.ErrImprint):
		return link{}, fail(ReasonStampImprint, name)
	case errors.Is(err, tsp.ErrUsage):
		return link{}, fail(ReasonUsage, name)
	case err != nil:
		return link{}, fail(ReasonStampValue, name)
	}
	l := link{name: name, at: t.Time, cert: t.CertDER}
	if t.Time.After(o.Now().Add(skew)) {
		return l, fail(ReasonFuture, name+" "+stamp(t.Time))
	}
	if o.Trust == nil {
		return l, cannot(ReasonNoAnchor, name)
	}
	if l.path = o.Trust.Path(t.CertDER, t.Time, append(carried, t.Certs...)...); l.path == nil {
		return l, cannot(ReasonUntrusted, name+" "+l.subject())
	}
	l.until = goodUntil(t, l.path, o.Retired)
	return l, pass(stamp(t.Time) + " " + l.subject())
}

func (l *link) subject() string {
	if c, err := smx509.ParseCertificate(l.cert); err == nil {
		return text.Name(c.Subject)
	}
	return ""
}

// goodUntil is how long a token protects: until its path or an algorithm in it
// ends, or what the archive declares ended. This is the one place that decides it.
func goodUntil(t *tsp.Token, path []*smx509.Certificate, retired Retired) time.Time {
	end := tsp.LifeOf(path).Until
	for _, name := range append(keyNames(path), digestName(t.Imprint.Digest.OID)) {
		if at, ok := retired[name]; ok && at.Before(end) {
			end = at
		}
	}
	return end
}

func digestName(oid asn1.ObjectIdentifier) string {
	return map[string]string{
		"1.2.156.10197.1.401": "sm3", "2.16.840.1.101.3.4.2.1": "sha256", "2.16.840.1.101.3.4.2.2": "sha384", "2.16.840.1.101.3.4.2.3": "sha512",
	}[oid.String()]
}

// keyNames are the algorithms of the keys on a path. An SM2 key signs with SM3.
func keyNames(path []*smx509.Certificate) (out []string) {
	for _, c := range path {
		switch k := c.PublicKey.(type) {
		case *ecdsa.PublicKey:
			if k.Curve == sm2.P256() {
				out = append(out, "sm2", "sm3")
			} else {
				out = append(out, "ecdsa")
			}
		case *rsa.PublicKey:
			out = append(out, "rsa")
		}
	}
	return out
}

// skew is how far a clock may run ahead of ours.
const skew = 10 * time.Minute

// dueBefore is how long before its end the renewal of a package is due: a service
// must be found, and a year has one budget.
const dueBefore = 180 * 24 * time.Hour
