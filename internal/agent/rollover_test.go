package agent

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/x509/pkix"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/emmansun/gmsm/smx509"

	"github.com/yinxin-gov/yinxin/internal/api/wire"
)

// update is a root by the old name with what the old and the new key sign about
// each other; change bends the certificate that the old key signs.
func (h *house) update(track string, old, fresh issued, change func(*smx509.Certificate)) wire.RootUpdate {
	h.t.Helper()
	cross := func(of, by issued) []byte {
		h.t.Helper()
		subject, err := smx509.ParseCertificate(of.der)
		h.must(err)
		parent, err := smx509.ParseCertificate(by.der)
		h.must(err)
		tmpl := &smx509.Certificate{
			SerialNumber: serial(), Subject: subject.Subject, KeyUsage: smx509.KeyUsageCertSign, BasicConstraintsValid: true, IsCA: true, MaxPathLen: 1,
			NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), AuthorityKeyId: parent.SubjectKeyId, SubjectKeyId: subject.SubjectKeyId,
		}
		if change != nil {
			change(tmpl)
		}
		der, err := smx509.CreateCertificate(rand.Reader, tmpl, parent, subject.PublicKey.(*ecdsa.PublicKey), by.key)
		h.must(err)
		return der
	}
	return wire.RootUpdate{Track: track, NewWithNew: fresh.der, NewWithOld: cross(fresh, old), OldWithNew: cross(old, fresh)}
}

// older is a root with the key of another, from before every pinned one.
func (h *house) older(than issued) issued {
	h.t.Helper()
	c, err := smx509.ParseCertificate(than.der)
	h.must(err)
	tmpl := &smx509.Certificate{
		SerialNumber: serial(), Subject: c.Subject, KeyUsage: smx509.KeyUsageCertSign, BasicConstraintsValid: true, IsCA: true,
		NotBefore: c.NotBefore.Add(-time.Hour), NotAfter: c.NotAfter.Add(-time.Minute),
	}
	der, err := smx509.CreateCertificate(rand.Reader, tmpl, tmpl, c.PublicKey.(*ecdsa.PublicKey), than.key)
	h.must(err)
	return issued{than.key, der}
}

// RFC 4210 4.4: a new root is pinned when the pinned one signed its key, beside
// it and for good; nothing else that a house says changes the pins.
func TestNewRootsAreLearned(t *testing.T) {
	h := newHouse(t)
	_, dir := enrolled(t, h)
	h.must(h.config(dir).remember())
	k, err := Keep(h.config(dir), false)
	h.must(err)
	defer k.Close()
	name := pkix.Name{CommonName: "SM2 root"}
	fresh, other := h.sm2(nil, name, smx509.KeyUsageCertSign, nil, nil), h.sm2(nil, name, smx509.KeyUsageCertSign, nil, nil)
	freshEC := h.ecdsa(nil, "ECDSA root", true, nil)
	good := h.update(wire.TrackSM2, h.sm2Root, fresh, nil)
	// What a later root says about the one before it must not take anybody back.
	older := h.older(fresh)
	pins := func() string {
		t.Helper()
		var out []byte
		for _, f := range []string{fileTLSRoot, fileSM2Root} {
			raw, err := os.ReadFile(filepath.Join(dir, dirHouse, f))
			h.must(err)
			out = append(out, raw...)
		}
		return string(out)
	}
	before := pins()
	bent := func(change func(*wire.RootUpdate)) wire.RootUpdate {
		u := good
		change(&u)
		return u
	}
	for what, u := range map[string]wire.RootUpdate{
		"another root than the old one vouches for": bent(func(u *wire.RootUpdate) { u.NewWithNew = other.der }),
		"vouched for by itself":                     bent(func(u *wire.RootUpdate) { u.NewWithOld = u.NewWithNew }),
		"vouched for by another root":               h.update(wire.TrackSM2, other, fresh, nil),
		"vouched for by an issuing authority":       h.update(wire.TrackSM2, h.sm2Mid, fresh, nil),
		"an older root":                             h.update(wire.TrackSM2, h.sm2Root, older, nil),
		"of another track":                          bent(func(u *wire.RootUpdate) { u.Track = wire.TrackECDSA }),
		"of no track":                               bent(func(u *wire.RootUpdate) { u.Track = "rsa" }),
		"no certificates":                           bent(func(u *wire.RootUpdate) { u.NewWithOld = []byte{0x30, 0} }),
		"over": h.update(wire.TrackSM2, h.sm2Root, fresh, func(c *smx509.Certificate) {
			c.NotBefore, c.NotAfter = c.NotBefore.Add(-time.Hour), c.NotBefore.Add(-time.Minute)
		}),
		"a certificate of an issuing authority": h.update(wire.TrackSM2, h.sm2Root, fresh, func(c *smx509.Certificate) { c.MaxPathLen, c.MaxPathLenZero = 0, true }),
		"no certificate of an authority": h.update(wire.TrackSM2, h.sm2Root, fresh, func(c *smx509.Certificate) {
			c.IsCA, c.MaxPathLen, c.KeyUsage = false, -1, smx509.KeyUsageDigitalSignature
		}),
	} {
		h.rollover = []wire.RootUpdate{u, good} // one bad one spoils the good one too
		if names, err := k.LearnRoots(t.Context()); !errors.Is(err, ErrServer) || len(names) != 0 || pins() != before {
			t.Errorf("%s: %v, %v", what, names, err)
		}
	}
	h.rollover = []wire.RootUpdate{good, h.update(wire.TrackECDSA, h.ecRoot, freshEC, nil)}
	names, err := k.LearnRoots(t.Context())
	if h.must(err); len(names) != 2 {
		t.Fatalf("%v", names)
	}
	if names, err = k.LearnRoots(t.Context()); err != nil || len(names) != 0 {
		t.Errorf("learned twice: %v, %v", names, err)
	}
	c, err := Load(dir)
	h.must(err)
	if !bytes.Equal(c.SM2Root.Raw, h.sm2Root.der) || len(c.SM2Also) != 1 || !bytes.Equal(c.SM2Also[0].Raw, fresh.der) || len(c.TLSAlso) != 1 || !bytes.Equal(c.TLSAlso[0].Raw, freshEC.der) {
		t.Errorf("%d, %d roots are pinned beside the first", len(c.SM2Also), len(c.TLSAlso))
	}
	// From here on the house may show a chain of either root.
	h.later = h.sm2(&fresh, pkix.Name{CommonName: "SM2 issuing G2"}, smx509.KeyUsageCertSign, nil, nil)
	exchange := h.sm2(&h.later, pkix.Name{CommonName: "交换服务签名", Organization: []string{"样例区政务信息办公室"}}, smx509.KeyUsageDigitalSignature, nil, nil)
	for _, signer := range []issued{exchange, h.exchange} {
		h.must(k.now().vouched(t.Context(), signer.der))
	}
}

// The house's services may hang on an authority that came after the one of the
// system's own certificates; on none, nothing is taken.
func TestServicesOfTheNextAuthorityAreVouchedFor(t *testing.T) {
	h := newHouse(t)
	a, _ := enrolled(t, h)
	service := pkix.Name{CommonName: "交换服务签名", Organization: []string{"样例区政务信息办公室"}}
	next := h.sm2(&h.later, service, smx509.KeyUsageDigitalSignature, nil, nil)
	h.must(a.vouched(t.Context(), next.der))
	foreign := h.sm2(nil, pkix.Name{CommonName: "SM2 root"}, smx509.KeyUsageCertSign, nil, nil)
	h.later = h.sm2(&foreign, pkix.Name{CommonName: "SM2 issuing G2"}, smx509.KeyUsageCertSign, nil, nil)
	if forged := h.sm2(&h.later, service, smx509.KeyUsageDigitalSignature, nil, nil); a.vouched(t.Context(), forged.der) == nil {
		t.Error("a service under a foreign root was vouched for")
	}
}
