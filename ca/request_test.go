package ca_test

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"testing"
	"time"

	"github.com/emmansun/gmsm/sm2"
	"github.com/emmansun/gmsm/sm3"
	"github.com/emmansun/gmsm/smx509"

	"github.com/yinxin-gov/yinxin/ca"
	"github.com/yinxin-gov/yinxin/ca/profile"
)

func TestOnlyTheHashOfATokenIsKept(t *testing.T) {
	h := newHouse(t)
	token := h.token()
	sum := sm3.Sum([]byte(token))
	r, err := h.svc.Authorize(context.Background(), token)
	if err != nil || r.TokenHash != hex.EncodeToString(sum[:]) || len(token) != ca.TokenLength {
		t.Errorf("%+v, %v", r, err)
	}
	// Looking does not use it up.
	if _, err := h.svc.Authorize(context.Background(), token); err != nil {
		t.Error(err)
	}
}

func TestRequestDigestCoversEveryPart(t *testing.T) {
	base := ca.Request{
		ID: "1", Agency: "a", System: "s", CommonName: "c", Organization: "o", Hosts: []string{"x", "y"}, SubmittedBy: "p", Purpose: ca.PurposeProduction,
		ReviewedBy: "q", ReviewedAt: time.Unix(1, 0), Evidence: []ca.Evidence{{Kind: ca.EvidenceUSCC, Number: "n", Digest: "d", Salt: "s", Method: ca.MethodCopy, Note: "m"}},
	}
	evidence := func(f func(*ca.Evidence)) func(*ca.Request) {
		return func(r *ca.Request) { e := r.Evidence[0]; f(&e); r.Evidence = []ca.Evidence{e} }
	}
	digest := ca.RequestDigest(base)
	for name, change := range map[string]func(*ca.Request){
		"id": func(r *ca.Request) { r.ID = "2" }, "agency": func(r *ca.Request) { r.Agency = "b" }, "system": func(r *ca.Request) { r.System = "t" },
		"cn": func(r *ca.Request) { r.CommonName = "d" }, "o": func(r *ca.Request) { r.Organization = "q" },
		"hosts": func(r *ca.Request) { r.Hosts = []string{"x"} }, "joined hosts": func(r *ca.Request) { r.Hosts = []string{"xy"} }, "submitter": func(r *ca.Request) { r.SubmittedBy = "z" },
		"purpose": func(r *ca.Request) { r.Purpose = ca.PurposeTest }, "checker": func(r *ca.Request) { r.ReviewedBy = "z" }, "no checker": func(r *ca.Request) { r.ReviewedBy = "" },
		"time of the check": func(r *ca.Request) { r.ReviewedAt = time.Unix(2, 0) }, "no evidence": func(r *ca.Request) { r.Evidence = nil },
		"kind": evidence(func(e *ca.Evidence) { e.Kind = ca.EvidenceOther }), "number": evidence(func(e *ca.Evidence) { e.Number = "m" }), "scan": evidence(func(e *ca.Evidence) { e.Digest = "e" }),
		"salt": evidence(func(e *ca.Evidence) { e.Salt = "t" }), "method": evidence(func(e *ca.Evidence) { e.Method = ca.MethodOriginal }), "note": evidence(func(e *ca.Evidence) { e.Note = "n" }),
	} {
		r := base
		change(&r)
		if ca.RequestDigest(r) == digest {
			t.Errorf("%s is not signed", name)
		}
	}
	swapped := base
	swapped.Hosts = []string{"y", "x"}
	if ca.RequestDigest(swapped) != digest {
		t.Error("order of hosts changes the digest")
	}
}

// What was signed before evidence was recorded keeps its digest.
func TestRequestDigestOfOldRequestsStays(t *testing.T) {
	old := ca.Request{ID: "1", Agency: "a", System: "s", CommonName: "c", Organization: "o", Hosts: []string{"y", "x"}, SubmittedBy: "p"}
	if got, want := ca.RequestDigest(old), "616c0809bec2c9ff8badbaf0770acb904bcce55d0ebe31bd59cf21dafb0bde86"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

// X11-23: a certificate ends with what lets the system operate.
func TestX11_23_PairEndsWithTheGatesBound(t *testing.T) {
	h := newHouse(t)
	h.until = h.clock.Now().AddDate(0, 0, 20)
	token := h.token()
	key := must(sm2.GenerateKey(rand.Reader))
	got, err := h.svc.EnrolSM2(context.Background(), token, csr(t, key, host))
	if err != nil {
		t.Fatal(err)
	}
	for _, der := range [][]byte{got.SignCert, got.EncCert} {
		if c := must(smx509.ParseCertificate(der)); !c.NotAfter.Equal(h.until) {
			t.Errorf("ends on %s, want %s", c.NotAfter, h.until)
		}
	}
	h.until = h.clock.Now()
	if _, err := h.svc.EnrolSM2(context.Background(), h.token(), csr(t, key, host)); err == nil {
		t.Error("issued for no time at all")
	}
}

// XA18-17: a test certificate says what it is and is of a kind of its own.
func TestXA18_17_TestPairSaysSo(t *testing.T) {
	h := newHouse(t)
	key := must(sm2.GenerateKey(rand.Reader))
	got, err := h.svc.EnrolSM2(context.Background(), h.tokenFor(ca.PurposeTest), csr(t, key, host))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range h.reg.Certificates() {
		if c.System == "civil-a" && c.Kind != ca.KindSM2SignTest && c.Kind != ca.KindSM2EncTest {
			t.Errorf("recorded as %s", c.Kind)
		}
	}
	for _, der := range [][]byte{got.SignCert, got.EncCert} {
		c := must(smx509.ParseCertificate(der))
		if len(c.Subject.OrganizationalUnit) != 1 || c.Subject.OrganizationalUnit[0] != profile.TestUnit || c.NotAfter.After(h.clock.Now().AddDate(0, 0, 30)) {
			t.Errorf("%s until %s", c.Subject, c.NotAfter)
		}
		if len(c.Policies) != 1 || c.Policies[0].String() != profile.DefaultTestOID {
			t.Errorf("policies %v", c.Policies)
		}
	}
}
