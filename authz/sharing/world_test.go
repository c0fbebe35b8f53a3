package sharing_test

import (
	"crypto/rand"
	"crypto/x509/pkix"
	"fmt"
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/emmansun/gmsm/sm2"
	"github.com/emmansun/gmsm/smx509"

	"github.com/yinxin-gov/yinxin/authz/identity"
	"github.com/yinxin-gov/yinxin/authz/identity/identitytest"
	"github.com/yinxin-gov/yinxin/authz/ledger"
	"github.com/yinxin-gov/yinxin/authz/level"
	"github.com/yinxin-gov/yinxin/authz/sharing"
	"github.com/yinxin-gov/yinxin/authz/sharing/sharingtest"
)

var (
	start  = time.Date(2026, 7, 1, 9, 0, 0, 0, time.UTC)
	digest = strings.Repeat("ab", 32)
)

// world has a provider (1), two consumers (2, 3) and an information office
// (4), each with a system sys-N and a seal key.
type world struct {
	t     testing.TB
	svc   *sharing.Service
	cat   *sharingtest.Catalogue
	now   time.Time
	trust func(sharing.PartySeal) error
	keys  map[identity.USCC]*sm2.PrivateKey
	certs map[identity.USCC][]byte
	actor ledger.Actor

	directory sharing.Directory
}

func unit(t testing.TB, n int) identity.USCC {
	t.Helper()
	c, err := identity.SampleUSCC("110102", n)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func newWorld(t testing.TB) *world {
	t.Helper()
	w := &world{t: t, cat: sharingtest.New(), now: start, keys: map[identity.USCC]*sm2.PrivateKey{}, certs: map[identity.USCC][]byte{}}
	w.trust = func(s sharing.PartySeal) error {
		if string(s.CertDER) != string(w.certs[s.Party]) {
			return fmt.Errorf("not the certificate of %s", s.Party)
		}
		return nil
	}
	w.actor = ledger.Actor{Kind: "person", ID: "officer", Unit: string(unit(t, 1))}
	n := 0
	id := func() string { n++; return fmt.Sprintf("id-%d", n) }
	reg := identitytest.New()
	people, err := identity.New(identity.Config{Register: reg, Now: func() time.Time { return start }, NewID: id})
	w.must(err)
	for i := 1; i <= 4; i++ {
		u := unit(t, i)
		_, _, err := people.RegisterAgency(t.Context(), identity.Agency{USCC: u, Name: "样例局", Kind: identity.KindOrgan, District: "110102"}, w.actor)
		w.must(err)
		_, _, err = people.RegisterSystem(t.Context(), identity.System{ID: fmt.Sprintf("sys-%d", i), Name: "样例系统", Agency: u}, w.actor)
		w.must(err)
		w.keys[u], w.certs[u] = certificate(t)
	}
	w.directory = reg
	w.svc, err = sharing.New(sharing.Config{
		Catalogue: w.cat, Directory: reg, NewID: id,
		Now:   func() time.Time { return w.now },
		Trust: func(s sharing.PartySeal) error { return w.trust(s) },
	})
	w.must(err)
	return w
}

func certificate(t testing.TB) (*sm2.PrivateKey, []byte) {
	t.Helper()
	key, err := sm2.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	tmpl := &smx509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "样例"}, NotBefore: start, NotAfter: start.AddDate(1, 0, 0)}
	der, err := smx509.CreateCertificate(rand.Reader, tmpl, tmpl, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	return key, der
}

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

func label(lv level.Level, tags ...level.Tag) level.Label {
	return level.Label{Level: lv, RequiredS: uint8(lv), RequiredA: uint8(lv), Tags: tags}
}

func (w *world) resource() sharing.Resource {
	return sharing.Resource{
		ID: "population", Name: "人口基本信息", Provider: unit(w.t, 1), Label: label(3, level.TagPersonal), ShareType: sharing.ShareOnApplication,
		Regime: sharing.RegimeXicheng2014, Items: []string{"name", "address", "birth"}, SecrecyReview: "保审2026-1", Basis: "条例第1条",
	}
}

func (w *world) terms() sharing.Agreement {
	return sharing.Agreement{
		ID: "agreement-1", Resource: "population", Provider: unit(w.t, 1), Consumer: unit(w.t, 2), Office: unit(w.t, 4),
		Purposes: []string{"social-relief"}, Fields: []string{"name", "address"}, Confidentiality: "conf-1",
		NotBefore: start, NotAfter: start.AddDate(1, 0, 0),
	}
}

func (w *world) seal(a sharing.Agreement, party identity.USCC) sharing.PartySeal {
	w.t.Helper()
	s, err := sharing.SealTerms(a, w.keys[party], w.certs[party], party, "seal-"+string(party), start)
	w.must(err)
	return s
}

// sealed is drafted and sealed by all three.
func (w *world) sealed(a sharing.Agreement) sharing.Agreement {
	w.t.Helper()
	a, err := sharing.Draft(a)
	w.must(err)
	for _, p := range []identity.USCC{a.Provider, a.Consumer, a.Office} {
		a, err = sharing.AddSeal(a, w.seal(a, p))
		w.must(err)
	}
	return a
}

// registered has the resource and one agreement on the register.
func (w *world) registered() (sharing.Resource, sharing.Agreement) {
	w.t.Helper()
	r, _, err := w.svc.RegisterResource(w.t.Context(), w.resource(), w.actor)
	w.must(err)
	a, _, err := w.svc.RegisterAgreement(w.t.Context(), w.sealed(w.terms()), w.actor)
	w.must(err)
	return r, a
}
