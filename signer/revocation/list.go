package revocation

import (
	"bytes"
	encasn1 "encoding/asn1"
	"errors"
	"math/big"
	"sync"

	"github.com/emmansun/gmsm/smx509"
	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"
)

// Reasons of RFC 5280 5.3.1 that are no end.
const (
	reasonHold   = 6
	reasonRemove = 8
)

// list is a CertificateList. Its entries are walked once when it is read and
// again for each question; no copy of 200,000 of them is made.
type list struct {
	item      Item
	tbs       []byte
	algorithm smx509.SignatureAlgorithm
	value     []byte
	issuer    []byte // Name
	keyID     []byte
	entries   cryptobyte.String
	delta     bool
	scope     scope

	mu      sync.Mutex
	checked map[string]bool // guarded by mu: by key of an issuer, whether the signature holds
}

func parseList(der []byte) (*list, error) {
	in := cryptobyte.String(der)
	var outer, tbs, element cryptobyte.String
	var oid, inner encasn1.ObjectIdentifier
	l := &list{item: Item{Kind: CRL, Raw: der}, checked: map[string]bool{}}
	if !in.ReadASN1(&outer, asn1.SEQUENCE) || !in.Empty() || !readSigned(&outer, &element, &oid, &l.value) || !outer.Empty() {
		return nil, malformed("list")
	}
	l.tbs = element
	var err error
	if l.algorithm, err = algorithmOf(oid); err != nil {
		return nil, err
	}
	var algorithm, issuer, wrapped cryptobyte.String
	version := 0
	if !element.ReadASN1(&tbs, asn1.SEQUENCE) || tbs.PeekASN1Tag(asn1.INTEGER) && !tbs.ReadASN1Integer(&version) || version > 1 || version < 0 ||
		!tbs.ReadASN1(&algorithm, asn1.SEQUENCE) || !algorithm.ReadASN1ObjectIdentifier(&inner) || !inner.Equal(oid) ||
		!tbs.ReadASN1Element(&issuer, asn1.SEQUENCE) || !readTime(&tbs, &l.item.ThisUpdate) {
		return nil, malformed("head of a list")
	}
	l.issuer = issuer
	if (tbs.PeekASN1Tag(asn1.UTCTime) || tbs.PeekASN1Tag(asn1.GeneralizedTime)) && !readTime(&tbs, &l.item.NextUpdate) {
		return nil, malformed("nextUpdate")
	}
	if tbs.PeekASN1Tag(asn1.SEQUENCE) && !tbs.ReadASN1(&l.entries, asn1.SEQUENCE) {
		return nil, malformed("entries")
	}
	var has bool
	if !tbs.ReadOptionalASN1(&wrapped, &has, tag0.Constructed()) || !tbs.Empty() {
		return nil, malformed("end of a list")
	}
	if has {
		if err := l.readExtensions(wrapped); err != nil {
			return nil, err
		}
	}
	// One entry that must be understood and is not spoils the list (RFC 5280 5.3).
	bad := l.walk(func(e entry) bool {
		_, err = e.read()
		return err == nil
	})
	return l, errors.Join(bad, err)
}

func (l *list) readExtensions(in cryptobyte.String) error {
	all, err := readExtensions(&in)
	if err != nil {
		return err
	}
	if !in.Empty() {
		return malformed("extensions of a list")
	}
	for i := range all {
		e := &all[i]
		switch {
		case e.id.Equal(encasn1.ObjectIdentifier{2, 5, 29, 35}): // authorityKeyIdentifier
			var seq, id cryptobyte.String
			var has bool
			if !e.value.ReadASN1(&seq, asn1.SEQUENCE) || !seq.ReadOptionalASN1(&id, &has, tag0) {
				return malformed("authority key identifier")
			}
			l.keyID = id
		case e.id.Equal(encasn1.ObjectIdentifier{2, 5, 29, 27}): // deltaCRLIndicator
			l.delta, e.critical = true, false
		case e.id.Equal(encasn1.ObjectIdentifier{2, 5, 29, 28}): // issuingDistributionPoint
			if err := l.scope.read(e.value); err != nil {
				return err
			}
			e.critical = false
		}
	}
	return refuseCritical(all)
}

// entry is one revoked certificate, as stored.
type entry struct {
	serial []byte // content of the INTEGER
	rest   cryptobyte.String
}

// walk calls each with every entry until it returns false; entries that do not
// read are an error.
func (l *list) walk(each func(entry) bool) error {
	for in := l.entries; !in.Empty(); {
		var one cryptobyte.String
		var serial cryptobyte.String
		if !in.ReadASN1(&one, asn1.SEQUENCE) || !one.ReadASN1(&serial, asn1.INTEGER) || len(serial) == 0 ||
			len(serial) > 1 && (serial[0] == 0 && serial[1] < 0x80 || serial[0] == 0xff && serial[1] >= 0x80) ||
			!one.PeekASN1Tag(asn1.UTCTime) && !one.PeekASN1Tag(asn1.GeneralizedTime) {
			return malformed("entry of a list")
		}
		if !each(entry{serial, one}) {
			return nil
		}
	}
	return nil
}

// about is what the list says of a certificate of issuer; ok is false when it says
// nothing, or is not signed by it.
func (l *list) about(cert, issuer *smx509.Certificate) (st statement, ok bool, err error) {
	if !bytes.Equal(l.issuer, issuer.RawSubject) || !keyFits(l.keyID, issuer) || !l.signedBy(issuer) {
		return st, false, nil
	}
	st = statement{is: good, made: l.item.ThisUpdate, until: l.item.NextUpdate, item: l.item}
	if st.until.IsZero() {
		st.until = st.made
	}
	found, want := false, serialOf(cert.SerialNumber)
	err = l.walk(func(e entry) bool {
		if found = bytes.Equal(e.serial, want); found {
			var read statement
			read, err = e.read()
			st.is, st.since, st.invalid = read.is, read.since, read.invalid
		}
		return !found
	})
	if err != nil {
		return st, false, err
	}
	// A delta is silent about what did not change since its base.
	return st, found || !l.delta && l.scope.covers(cert), nil
}

// read decodes when and why. A reason that is not stated is an end.
func (e entry) read() (st statement, err error) {
	in := e.rest
	st.is = revoked
	if !readTime(&in, &st.since) {
		return st, malformed("time of an entry")
	}
	if in.Empty() {
		return st, nil
	}
	all, err := readExtensions(&in)
	if err != nil || !in.Empty() {
		return st, malformed("extensions of an entry")
	}
	for i := range all {
		switch x := &all[i]; {
		case x.id.Equal(encasn1.ObjectIdentifier{2, 5, 29, 21}): // reasonCode
			var reason int
			if !x.value.ReadASN1Enum(&reason) {
				return st, malformed("reason of an entry")
			}
			x.critical = false
			switch reason {
			case reasonHold:
				st.is = held
			case reasonRemove:
				st.is = released
			}
		case x.id.Equal(encasn1.ObjectIdentifier{2, 5, 29, 24}): // invalidityDate
			if !x.value.ReadASN1GeneralizedTime(&st.invalid) || !x.value.Empty() {
				return st, malformed("invalidity date of an entry")
			}
			x.critical = false
		}
	}
	return st, refuseCritical(all)
}

// signedBy checks the signature once per key.
func (l *list) signedBy(issuer *smx509.Certificate) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	key := string(issuer.RawSubjectPublicKeyInfo)
	ok, have := l.checked[key]
	if !have {
		ok = (issuer.KeyUsage == 0 || issuer.KeyUsage&smx509.KeyUsageCRLSign != 0) && holds(l.algorithm, issuer, l.tbs, l.value)
		l.checked[key] = ok
	}
	return ok
}

// serialOf is the content of the INTEGER of a serial number.
func serialOf(n *big.Int) []byte {
	var b cryptobyte.Builder
	b.AddASN1BigInt(n)
	der, err := b.Bytes()
	if err != nil {
		return nil
	}
	in, out := cryptobyte.String(der), cryptobyte.String(nil)
	if !in.ReadASN1(&out, asn1.INTEGER) {
		return nil
	}
	return out
}
