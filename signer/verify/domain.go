package verify

import (
	"slices"
	"time"

	"github.com/emmansun/gmsm/smx509"
)

// Domain is a trust domain of others, for part of the names that there are. Its
// anchors stand apart from those of the set: a path to one goes by its own
// authorities only, never by what came with a document, and counts when the owner of
// the set admits the certificate. It has no licence (see Accredit).
type Domain struct {
	Name    string
	Anchors [][]byte // DER
	Issuing [][]byte // authorities below them
	// Admits is nil when the domain stands behind a certificate that was used at a
	// time: names, use and revocation are for it to judge.
	Admits func(der []byte, at time.Time) error
}

// Join adds a domain to the set.
func (t *Trust) Join(d Domain) { t.domains = append(t.domains, d) }

// path is the way to an anchor of the domain as it holds at a time.
func (d Domain) path(der []byte, at time.Time) []*smx509.Certificate {
	path := NewTrust(d.Anchors...).Path(der, at, d.Issuing...)
	if len(path) < 2 { // an anchor signs for nobody
		return nil
	}
	return path
}

// foreign is the path of a certificate in one of the domains; refused names the
// domain whose anchor it leads to and which does not admit it.
func (t *Trust) foreign(der []byte, at time.Time) (path []*smx509.Certificate, refused string) {
	for _, d := range t.domains {
		way := d.path(der, at)
		switch {
		case way == nil:
		case d.Admits(der, at) == nil:
			return way, ""
		default:
			refused = d.Name
		}
	}
	return nil, refused
}

// domainOf names the domain of an anchor, "" for one of the set itself.
func (t *Trust) domainOf(anchor []byte) string {
	for _, d := range t.domains {
		if slices.ContainsFunc(d.Anchors, func(der []byte) bool { return string(der) == string(anchor) }) && !t.pinned(anchor) {
			return d.Name
		}
	}
	return ""
}
