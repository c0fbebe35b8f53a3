package ca

import (
	"crypto"
	"slices"

	"github.com/emmansun/gmsm/smx509"
)

// Way is how a certificate was come by. It says what was shown for it, not with
// which program.
type Way string

// Ways.
const (
	WayToken   Way = "token"   // an enrolment token: the SM2 pair, or the one-time token that came with it
	WayACME    Way = "acme"    // an ACME order; Ref is its id
	WayX5C     Way = "x5c"     // a certificate of the same system, for a further machine; Ref names it
	WayRenewal Way = "renewal" // the certificate before it, over the same key
	WayRekey   Way = "rekey"   // the certificate before it, over a new key
	WayOrder   Way = "order"   // an officer's signed order: seals, seal makers, persons; Ref is its id
	WayHouse   Way = "house"   // the house for itself
)

// Origin is where a certificate comes from. It is recorded with the reservation
// and never changes.
type Origin struct {
	Way Way    `json:"way,omitempty"`
	Ref string `json:"ref,omitempty"`
	// Previous names the certificate that this one follows, as Certificate.Name
	// does. Empty: Reserve looks for it, see Certificate.Line.
	Previous string   `json:"previous,omitempty"`
	Names    []string `json:"names,omitempty"` // DNS names in it
}

// Name is how the ledger and Origin name a certificate.
func (c Certificate) Name() string { return c.Issuer + ":" + c.Serial }

// Line names the certificates that stand for the same thing, one after the other:
// of one kind, for the same system and host names, the same person, or the same
// service. A certificate that names no predecessor follows the newest of its line
// that was signed (reissue). One for a further machine (WayX5C) follows nobody and
// begins a line of its own; one that names its predecessor stays in that one's.
func (c Certificate) Line() string {
	l := struct {
		Kind                                 Kind
		Agency, System, Person, Subject, Own string
		Names                                []string
	}{Kind: c.Kind, Agency: c.Agency, System: c.System, Person: c.Person, Names: slices.Sorted(slices.Values(c.Origin.Names))}
	if c.Request == "" && c.Person == "" { // a system's subject may be any of its hosts
		l.Subject = c.Subject
	}
	if c.Origin.Way == WayX5C {
		l.Own = c.Name()
	}
	return digest("yinxin ca line v1", l)
}

// WayOf tells a renewal from a rekey by the key of the certificate before.
func WayOf(old *smx509.Certificate, public crypto.PublicKey) Way {
	if k, ok := old.PublicKey.(interface{ Equal(crypto.PublicKey) bool }); ok && k.Equal(public) {
		return WayRenewal
	}
	return WayRekey
}
