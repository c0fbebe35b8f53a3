package revocation_test

import (
	"crypto/rand"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"errors"
	"math/big"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/emmansun/gmsm/smx509"

	"github.com/yinxin-gov/yinxin/signer/revocation"
)

var none time.Time

// Lists of both tracks: who stands on them, when they were current, and that what
// happened once is not undone by age (RFC 5280 5.1, 6.3).
func TestListRFC5280(t *testing.T) {
	for name, gm := range map[string]bool{"SM2": true, "ECDSA": false} {
		t.Run(name, func(t *testing.T) {
			a := newAuthority(t, gm, nil)
			bad, fine := a.issue(nil), a.issue(nil)
			when := now.AddDate(0, 0, -9)
			s := a.set(a.list(now.AddDate(0, 0, -8), 1, nil, gone{cert: bad, at: when, reason: 1}))
			expect(t, s, bad, now, when, true)                      // revoked for good, although the list has ended
			expect(t, s, fine, now, none, false)                    // the list ended yesterday
			expect(t, s, fine, now.AddDate(0, 0, -2), none, true)   // it was current then
			expect(t, s, fine, now.AddDate(0, 0, -100), none, true) // what was not revoked later was not before
			if at, known, err := s.RevokedAt(bg, fine.Raw); known || err != nil || !at.IsZero() {
				t.Errorf("now: %v %v %v", at, known, err)
			}
			// A list of after the end of a certificate may have dropped it.
			over := a.issue(func(c *smx509.Certificate) { c.NotAfter = now.AddDate(0, 0, -30) })
			expect(t, s, over, now.AddDate(0, 0, -40), none, false)
			// Nobody has seen a list of tomorrow.
			expect(t, a.set(a.list(now.AddDate(0, 0, 1), 2, nil)), fine, now, none, false)
		})
	}
}

// RFC 5280 5.3.2: a revocation counts from an earlier invalidity date, whichever
// list states it; a later one takes nothing back, and a hold has none.
func TestInvalidityDate(t *testing.T) {
	a := newAuthority(t, false, nil)
	c := a.issue(nil)
	ended, before := now.AddDate(0, 0, -3), now.AddDate(0, 0, -20)
	dated := func(at time.Time) []pkix.Extension {
		return []pkix.Extension{{Id: asn1.ObjectIdentifier{2, 5, 29, 24}, Value: append([]byte{24, 15}, at.Format("20060102150405Z")...)}}
	}
	list := func(number int64, reason int, more []pkix.Extension) []byte {
		return a.list(now.AddDate(0, 0, -1), number, nil, gone{c, ended, reason, more})
	}
	for name, tc := range map[string]struct {
		set                       *revocation.Set
		want, revoked, invalidity time.Time
	}{
		"earlier":          {a.set(list(1, 1, dated(before))), before, ended, before},
		"in a later list":  {a.set(list(1, 1, nil), list(2, 1, dated(before))), before, ended, before},
		"later":            {a.set(list(1, 1, dated(now))), ended, ended, now},
		"not stated":       {a.set(list(1, 1, nil)), ended, ended, none},
		"of a hold: never": {a.set(list(1, 6, dated(before))), ended, none, none},
	} {
		t.Run(name, func(t *testing.T) {
			expect(t, tc.set, c, now, tc.want, true)
			revoked, invalidity, err := tc.set.Dates(bg, c.Raw)
			if err != nil || !revoked.Equal(tc.revoked) || !invalidity.Equal(tc.invalidity) {
				t.Errorf("%v %v %v", revoked, invalidity, err)
			}
		})
	}
	bad := dated(before)
	bad[0].Value[0] = 23
	if err := revocation.New(clock).Add(list(1, 1, bad)); !errors.Is(err, revocation.ErrFormat) {
		t.Errorf("a UTCTime: %v", err)
	}
}

func TestHoldEndsOnlyByANewerItem(t *testing.T) {
	a := newAuthority(t, true, nil)
	c := a.issue(nil)
	when := now.AddDate(0, 0, -5)
	hold := a.list(now.AddDate(0, 0, -4), 1, nil, gone{cert: c, at: when, reason: 6})
	expect(t, a.set(hold), c, now, when, true)
	expect(t, a.set(hold, a.list(now.AddDate(0, 0, -6), 1, nil)), c, now, when, true)                          // an older list does not end it
	expect(t, a.set(hold, a.list(now.AddDate(0, 0, -1), 2, nil)), c, now, none, true)                          // a newer one does
	expect(t, a.set(hold, a.list(now.AddDate(0, 0, -1), 2, deltaOf(1))), c, now, when, true)                   // a delta that is silent does not
	expect(t, a.set(hold, a.list(now, 2, deltaOf(1), gone{cert: c, at: when, reason: 8})), c, now, none, true) // removeFromCRL does
	expect(t, a.set(hold, a.list(now, 2, deltaOf(1), gone{cert: c, at: now, reason: 1})), c, now, now, true)   // turned into an end
	expect(t, a.set(a.list(now, 2, deltaOf(1))), c, now, none, false)                                          // a delta alone tells nothing
	expect(t, a.set(a.list(now, 2, deltaOf(1), gone{cert: c, at: when, reason: 1})), c, now, when, true)       // but what it tells counts
	lost := a.list(now.AddDate(0, 0, -1), 3, nil)
	expect(t, a.set(a.list(now.AddDate(0, 0, -2), 1, nil, gone{cert: c, at: when, reason: 1}), lost), c, now, when, true) // an end never ends
}

// RFC 5280 5.2.5: a list speaks of its scope only, and what is on it counts.
func TestScopeOfAList(t *testing.T) {
	a := newAuthority(t, true, nil)
	const here, there = "http://ca.example/1.crl", "http://ca.example/2.crl"
	at := func(url string) func(*smx509.Certificate) {
		return func(c *smx509.Certificate) { c.CRLDistributionPoints = []string{url} }
	}
	mine, other := a.issue(at(here)), a.issue(at(there))
	uri := append([]byte{0x86, byte(len(here))}, here...)
	name := append([]byte{0xa0, byte(len(uri))}, uri...)
	point := append([]byte{0xa0, byte(len(name))}, name...)
	for desc, c := range map[string]struct {
		idp   []byte
		mine  bool
		other bool
	}{
		"partition":          {point, true, false},
		"users only":         {[]byte{0x81, 1, 0xff}, true, true},
		"authorities only":   {[]byte{0x82, 1, 0xff}, false, false},
		"some reasons":       {[]byte{0x83, 2, 1, 2}, false, false},
		"attributes":         {[]byte{0x85, 1, 0xff}, false, false},
		"relative name only": {[]byte{0xa0, 2, 0xa1, 0}, false, false},
	} {
		idp := []pkix.Extension{extension(28, append([]byte{0x30, byte(len(c.idp))}, c.idp...)...)}
		s := a.set(a.list(now, 1, idp))
		t.Run(desc, func(t *testing.T) {
			expect(t, s, mine, now, none, c.mine)
			expect(t, s, other, now, none, c.other)
			expect(t, a.set(a.list(now, 1, idp, gone{cert: other, at: now, reason: 1})), other, now, now, true)
		})
	}
}

func TestListsThatAreRefused(t *testing.T) {
	a := newAuthority(t, true, nil)
	c := a.issue(nil)
	unknown := pkix.Extension{Id: []int{1, 2, 3}, Critical: true, Value: []byte{5, 0}}
	for name, der := range map[string][]byte{
		"unknown critical extension": a.list(now, 1, []pkix.Extension{unknown}),
		"indirect":                   a.list(now, 1, []pkix.Extension{extension(28, 0x30, 3, 0x84, 1, 0xff)}),
	} {
		if err := revocation.New(clock).Add(der); !errors.Is(err, revocation.ErrUnsupported) {
			t.Errorf("%s: %v", name, err)
		}
	}
	l := &smx509.RevocationList{Number: big.NewInt(1), ThisUpdate: now, NextUpdate: now.AddDate(0, 0, 1), RevokedCertificateEntries: []smx509.RevocationListEntry{
		{SerialNumber: big.NewInt(5), RevocationTime: now, ExtraExtensions: []pkix.Extension{unknown}},
	}}
	der, err := smx509.CreateRevocationList(rand.Reader, l, a.cert, a.key)
	must(t, err)
	if err := revocation.New(clock).Add(der); !errors.Is(err, revocation.ErrUnsupported) {
		t.Errorf("unknown critical extension of an entry: %v", err)
	}
	good := a.list(now, 1, nil, gone{cert: c, at: now, reason: 1})
	for name, der := range map[string][]byte{
		"empty": nil, "text": []byte("no list"), "truncated": good[:len(good)-1], "trailing": append(append([]byte{}, good...), 0),
		"PEM of nothing": []byte("-----BEGIN X509 CRL-----\n-----END X509 CRL-----\n"),
	} {
		if err := revocation.New(clock).Add(der); !errors.Is(err, revocation.ErrFormat) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// What another authority of the same name signed, or nobody, says nothing.
func TestOnlyTheIssuerIsHeard(t *testing.T) {
	for name, gm := range map[string]bool{"SM2": true, "ECDSA": false} {
		t.Run(name, func(t *testing.T) {
			a, b := newAuthority(t, gm, nil), newAuthority(t, gm, nil)
			c := a.issue(nil)
			expect(t, a.set(b.list(now, 1, nil, gone{cert: c, at: now, reason: 1})), c, now, none, false)
			expect(t, a.set(b.list(now, 1, nil, gone{cert: c, at: now, reason: 1}), b.cert.Raw), c, now, none, false)
			// Any changed bit silences a list.
			der := a.list(now, 1, nil, gone{cert: c, at: now, reason: 1})
			for i := 0; i < len(der); i += 3 {
				bad := append([]byte{}, der...)
				bad[i] ^= 4
				s := revocation.New(clock)
				s.AddIssuers(a.cert.Raw)
				if s.Add(bad) != nil {
					continue
				}
				if at, known, _ := s.RevokedBy(bg, c.Raw, now); known {
					t.Fatalf("byte %d: known, %v", i, at)
				}
			}
			// An authority whose certificate does not let it sign lists.
			noList := newAuthority(t, gm, func(c *smx509.Certificate) { c.KeyUsage = smx509.KeyUsageCertSign })
			d := noList.issue(nil)
			proper := *noList.cert
			noList.cert.KeyUsage |= smx509.KeyUsageCRLSign // or the library signs none
			der = noList.list(now, 1, nil, gone{cert: d, at: now, reason: 1})
			noList.cert = &proper
			expect(t, noList.set(der), d, now, none, false)
		})
	}
}

// A list of 200,000 entries is fine: read once, asked at both ends, no copy kept.
func TestListOf200000Entries(t *testing.T) {
	a := newAuthority(t, true, nil)
	l := &smx509.RevocationList{Number: big.NewInt(1), ThisUpdate: now, NextUpdate: now.AddDate(0, 0, 7)}
	for i := range 200_000 {
		l.RevokedCertificateEntries = append(l.RevokedCertificateEntries, smx509.RevocationListEntry{SerialNumber: big.NewInt(int64(1e9 + i)), RevocationTime: now})
	}
	last, fine := a.issue(func(c *smx509.Certificate) { c.SerialNumber = big.NewInt(1e9 + 199_999) }), a.issue(nil)
	der, err := smx509.CreateRevocationList(rand.Reader, l, a.cert, a.key)
	must(t, err)
	s := a.set(der)
	expect(t, s, last, now, now, true)
	expect(t, s, fine, now, none, true)
}

func TestReadFolder(t *testing.T) {
	a := newAuthority(t, false, nil)
	c := a.issue(nil)
	dir := t.TempDir()
	if _, err := revocation.Read(dir, clock); !errors.Is(err, revocation.ErrEmpty) {
		t.Errorf("empty folder: %v", err)
	}
	write := func(name string, b []byte) { must(t, os.WriteFile(filepath.Join(dir, name), b, 0o600)) }
	both := pem.EncodeToMemory(&pem.Block{Type: "X509 CRL", Bytes: a.list(now, 1, nil, gone{cert: c, at: now, reason: 4})})
	write("a.pem", append(both, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: a.cert.Raw})...))
	write("holder.cer", c.Raw)
	write("notes.txt", []byte("left alone"))
	s, err := revocation.Read(dir, clock)
	must(t, err)
	expect(t, s, c, now, now, true)
	items, err := s.Items(bg, c.Raw)
	if err != nil || len(items) != 1 || items[0].Kind != revocation.CRL || !items[0].ThisUpdate.Equal(now) {
		t.Errorf("%+v %v", items, err)
	}
	write("b.crl", []byte("broken"))
	if _, err := revocation.Read(dir, clock); !errors.Is(err, revocation.ErrFormat) {
		t.Errorf("a broken file: %v", err)
	}
	if _, err := revocation.Read(filepath.Join(dir, "nowhere"), clock); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no folder: %v", err)
	}
}
