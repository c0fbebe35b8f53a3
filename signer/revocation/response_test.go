package revocation_test

import (
	"crypto"
	"crypto/rand"
	"crypto/sha256"
	"encoding/asn1"
	"errors"
	"testing"
	"time"

	"github.com/emmansun/gmsm/sm2"
	"github.com/emmansun/gmsm/sm3"
	"github.com/emmansun/gmsm/smx509"

	"github.com/yinxin-gov/yinxin/signer/revocation"
)

// answer is one OCSP answer of a test; RFC 6960 4.2.1 as structures.
type answer struct {
	cert     *smx509.Certificate
	state    asn1.RawValue
	made     time.Time
	until    time.Time // zero: not stated
	critical bool      // an extension that nobody knows
}

var (
	fineState    = asn1.RawValue{Class: 2, Tag: 0}
	unknownState = asn1.RawValue{Class: 2, Tag: 2}
)

func endedState(t *testing.T, at time.Time) asn1.RawValue {
	der, err := asn1.MarshalWithParams(at, "generalized")
	must(t, err)
	return asn1.RawValue{Class: 2, Tag: 1, IsCompound: true, Bytes: der}
}

// respond signs a response with the authority's SM2 key; no tool at hand does.
func (a *authority) respond(an answer) []byte {
	a.t.Helper()
	type algorithm struct{ OID asn1.ObjectIdentifier }
	type id struct {
		Alg       algorithm
		Name, Key []byte
		Serial    asn1.RawValue
	}
	type ext struct {
		ID       asn1.ObjectIdentifier
		Critical bool
		Value    []byte
	}
	type single struct {
		ID    id
		State asn1.RawValue
		Made  time.Time `asn1:"generalized"`
		Until time.Time `asn1:"generalized,explicit,tag:0,optional"`
		Ext   []ext     `asn1:"explicit,tag:1,optional"`
	}
	type data struct {
		Responder asn1.RawValue
		Produced  time.Time `asn1:"generalized"`
		List      []single
	}
	type basic struct {
		Data  asn1.RawValue
		Alg   algorithm
		Value asn1.BitString
	}
	type inner struct {
		Type asn1.ObjectIdentifier
		Body []byte
	}
	type outer struct {
		Status asn1.Enumerated
		Bytes  inner `asn1:"explicit,tag:0"`
	}
	marshal := func(v any) []byte {
		der, err := asn1.Marshal(v)
		must(a.t, err)
		return der
	}
	var spki struct {
		Alg asn1.RawValue
		Key asn1.BitString
	}
	_, err := asn1.Unmarshal(a.cert.RawSubjectPublicKeyInfo, &spki)
	must(a.t, err)
	name, key := sm3.Sum(a.cert.RawSubject), sm3.Sum(spki.Key.Bytes)
	s := single{
		ID:    id{algorithm{asn1.ObjectIdentifier{1, 2, 156, 10197, 1, 401}}, name[:], key[:], asn1.RawValue{FullBytes: marshal(an.cert.SerialNumber)}},
		State: an.state, Made: an.made, Until: an.until,
	}
	if an.critical {
		s.Ext = []ext{{asn1.ObjectIdentifier{1, 2, 3}, true, []byte{5, 0}}}
	}
	tbs := marshal(data{asn1.RawValue{Class: 2, Tag: 1, IsCompound: true, Bytes: a.cert.RawSubject}, an.made, []single{s}})
	oid, opts := asn1.ObjectIdentifier{1, 2, 156, 10197, 1, 501}, crypto.SignerOpts(sm2.DefaultSM2SignerOpts)
	message := tbs
	if !a.gm {
		oid, opts = asn1.ObjectIdentifier{1, 2, 840, 10045, 4, 3, 2}, crypto.SHA256
		sum := sha256.Sum256(tbs)
		message = sum[:]
	}
	value, err := a.key.Sign(rand.Reader, message, opts)
	must(a.t, err)
	return marshal(outer{0, inner{asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 48, 1, 1}, marshal(basic{asn1.RawValue{FullBytes: tbs}, algorithm{oid}, asn1.BitString{Bytes: value, BitLength: 8 * len(value)}})}})
}

// Both tracks, issuers named by SM3 (RFC 6960 4.2.1).
func TestResponseRFC6960(t *testing.T) {
	for name, gm := range map[string]bool{"SM2": true, "ECDSA": false} {
		t.Run(name, func(t *testing.T) {
			a := newAuthority(t, gm, nil)
			c, when := a.issue(nil), now.AddDate(0, 0, -3)
			fine := a.respond(answer{cert: c, state: fineState, made: now, until: now.Add(time.Hour)})
			expect(t, a.set(fine), c, now, none, true)
			expect(t, a.set(fine), c, now.Add(2*time.Hour), none, false)
			expect(t, a.set(fine), a.issue(nil), now, none, false)
			ended := a.respond(answer{cert: c, state: endedState(t, when), made: now, until: now.Add(time.Hour)})
			expect(t, a.set(ended), c, now, when, true)
			expect(t, a.set(fine, ended), c, now, when, true)
			expect(t, a.set(a.respond(answer{cert: c, state: unknownState, made: now, until: now.Add(time.Hour)})), c, now, none, false)
			open := a.set(a.respond(answer{cert: c, state: fineState, made: now}))
			expect(t, open, c, now, none, true) // without nextUpdate: for its own second and before
			expect(t, open, c, now.Add(time.Second), none, false)
			if err := revocation.New(clock).Add(a.respond(answer{cert: c, state: fineState, made: now, critical: true})); !errors.Is(err, revocation.ErrUnsupported) {
				t.Errorf("critical extension: %v", err)
			}
			other := newAuthority(t, gm, nil) // the same name, another key
			expect(t, a.set(other.respond(answer{cert: c, state: fineState, made: now, until: now.Add(time.Hour)})), c, now, none, false)
		})
	}
	for name, der := range map[string][]byte{"try later": {0x30, 3, 0x0a, 1, 3}, "unauthorised": {0x30, 3, 0x0a, 1, 6}} {
		if err := revocation.New(clock).Add(der); !errors.Is(err, revocation.ErrUnsupported) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// FuzzAdd: whatever the bytes, no panic, and nothing unsigned speaks.
func FuzzAdd(f *testing.F) {
	a := newAuthority(f, true, nil)
	c := a.issue(nil)
	f.Add(a.list(now, 1, deltaOf(1), gone{cert: c, at: now, reason: 6}))
	f.Add(a.respond(answer{cert: c, state: fineState, made: now, until: now}))
	f.Add(c.Raw)
	other := newAuthority(f, true, nil).cert.Raw
	f.Fuzz(func(t *testing.T, b []byte) {
		s := revocation.New(clock)
		s.AddIssuers(other)
		if s.Add(b) != nil {
			return
		}
		if at, known, err := s.RevokedBy(bg, c.Raw, now); known {
			t.Fatalf("%v %v", at, err)
		}
	})
}
