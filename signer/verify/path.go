package verify

import (
	"time"

	"github.com/emmansun/gmsm/smx509"
)

// Path is the chain of a certificate up to an anchor, both included, as it holds
// at a time: of several the one that lasts longest. It is empty when there is none.
// carried are authorities that came with the certificate; they vouch for nobody by
// themselves. A certificate that is itself an anchor is its own path, in its period
// or not, as everywhere in this room.
func (t *Trust) Path(der []byte, at time.Time, carried ...[]byte) []*smx509.Certificate {
	c, err := smx509.ParseCertificate(der)
	if t == nil || err != nil {
		return nil
	}
	if t.pinned(der) {
		return []*smx509.Certificate{c}
	}
	between := smx509.NewCertPool()
	for _, der := range carried {
		if ca, err := smx509.ParseCertificate(der); err == nil {
			between.AddCert(ca)
		}
	}
	chains, err := c.Verify(smx509.VerifyOptions{
		Roots: t.roots, Intermediates: between, CurrentTime: at, KeyUsages: []smx509.ExtKeyUsage{smx509.ExtKeyUsageAny},
	})
	if err != nil {
		foreign, _ := t.foreign(der, at)
		return foreign
	}
	var best []*smx509.Certificate
	var until time.Time
	for _, chain := range chains {
		if end := Ends(chain); best == nil || end.After(until) {
			best, until = chain, end
		}
	}
	return best
}

// Ends is when the first certificate of a path ends, and the path with it.
func Ends(path []*smx509.Certificate) time.Time {
	var end time.Time
	for _, c := range path {
		if end.IsZero() || c.NotAfter.Before(end) {
			end = c.NotAfter
		}
	}
	return end
}
