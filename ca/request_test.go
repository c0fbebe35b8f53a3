package ca_test

import (
	"context"
	"encoding/hex"
	"errors"
	"strings"
	"testing"

	"github.com/emmansun/gmsm/sm3"

	"github.com/yinxin-gov/yinxin/authz/ledger"
	"github.com/yinxin-gov/yinxin/ca"
)

func TestSubmitRefusesWhatIsNotRegistered(t *testing.T) {
	good := ca.Request{Agency: agency, System: "civil-a", CommonName: host, Organization: "样例区民政局", Hosts: []string{host}}
	for name, c := range map[string]struct {
		change func(*ca.Request)
		want   error
	}{
		"foreign host (电子签名法 art. 20)": {func(r *ca.Request) { r.Hosts = []string{host, "evil.example"} }, ca.ErrHost},
		"host of another system":       {func(r *ca.Request) { r.System = "civil-z" }, ca.ErrHost},
		"wildcard":                     {func(r *ca.Request) { r.Hosts = []string{"*.gov.internal"} }, ca.ErrHost},
		"no host":                      {func(r *ca.Request) { r.Hosts = nil }, ca.ErrInvalid},
		"33 hosts":                     {func(r *ca.Request) { r.Hosts = manyHosts(33) }, ca.ErrInvalid},
		"no agency":                    {func(r *ca.Request) { r.Agency = "" }, ca.ErrInvalid},
		"long CN (X.520)":              {func(r *ca.Request) { r.CommonName = strings.Repeat("名", 65) }, ca.ErrInvalid},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHouse(t)
			before := len(h.reg.Events())
			r := good
			c.change(&r)
			if _, _, err := h.svc.Submit(context.Background(), h.clerk, r); !errors.Is(err, c.want) {
				t.Errorf("err = %v, want %v", err, c.want)
			}
			if len(h.reg.Events()) != before {
				t.Error("a refused request stands on the ledger")
			}
		})
	}
	h := newHouse(t)
	forged := good
	forged.SubmittedBy, forged.State, forged.TokenHash = "somebody", ca.RequestApproved, strings.Repeat("0", 64)
	r, _, err := h.svc.Submit(context.Background(), h.clerk, forged)
	if err != nil || r.SubmittedBy != h.clerk.ID || r.State != ca.RequestSubmitted || r.TokenHash != "" {
		t.Errorf("forged fields were kept: %+v, %v", r, err)
	}
}

func manyHosts(n int) []string {
	out := make([]string, n)
	for i := range out {
		out[i] = "h" + strings.Repeat("x", i) + ".gov.internal"
	}
	return out
}

func TestDecideNeedsASecondPersonsSignature(t *testing.T) {
	other := ledger.Actor{Kind: "person", ID: "p-other"}
	for name, c := range map[string]struct {
		prepare func(*house, ca.Request)
		actor   func(*house) ledger.Actor
		want    error
	}{
		"no signature": {nil, func(h *house) ledger.Actor { return h.office }, ca.ErrNotApproved},
		"signature over something else": {func(h *house, r ca.Request) {
			r.Hosts = []string{"b.gov.internal"}
			h.desk.sign(h.office.ID, r.ID, ca.RequestDigest(r))
		}, func(h *house) ledger.Actor { return h.office }, ca.ErrNotApproved},
		"another person's signature":      {func(h *house, r ca.Request) { h.desk.sign(h.office.ID, r.ID, ca.RequestDigest(r)) }, func(*house) ledger.Actor { return other }, ca.ErrNotApproved},
		"the requester decides":           {func(h *house, r ca.Request) { h.desk.sign(h.clerk.ID, r.ID, ca.RequestDigest(r)) }, func(h *house) ledger.Actor { return h.clerk }, ca.ErrSelf},
		"the requester signed for others": {func(h *house, r ca.Request) { h.desk.sign(h.clerk.ID, r.ID, ca.RequestDigest(r)) }, func(h *house) ledger.Actor { return h.office }, ca.ErrSelf},
		"nobody":                          {nil, func(*house) ledger.Actor { return ledger.Actor{} }, ca.ErrInvalid},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHouse(t)
			r := h.submit()
			if c.prepare != nil {
				c.prepare(h, r)
			}
			d, err := h.svc.Decide(context.Background(), c.actor(h), r.ID, true, "")
			if !errors.Is(err, c.want) || d.Token != "" {
				t.Fatalf("err = %v, want %v", err, c.want)
			}
			if now, err := h.reg.Request(context.Background(), r.ID); err != nil || now.State != ca.RequestSubmitted {
				t.Errorf("request moved to %s", now.State)
			}
		})
	}
}

func TestDecideOnce(t *testing.T) {
	h, ctx := newHouse(t), context.Background()
	r := h.submit()
	if _, err := h.svc.Decide(ctx, h.office, r.ID, false, ""); !errors.Is(err, ca.ErrInvalid) {
		t.Errorf("refusal without reason: %v", err)
	}
	if _, err := h.svc.Decide(ctx, h.clerk, r.ID, false, "改变主意"); !errors.Is(err, ca.ErrSelf) {
		t.Errorf("the requester refused: %v", err)
	}
	d, err := h.svc.Decide(ctx, h.office, r.ID, false, "名称与登记不符")
	if err != nil || d.Token != "" || d.Request.State != ca.RequestRefused {
		t.Fatalf("%+v, %v", d, err)
	}
	h.desk.sign(h.office.ID, r.ID, ca.RequestDigest(r))
	if _, err := h.svc.Decide(ctx, h.office, r.ID, true, ""); !errors.Is(err, ca.ErrDecided) {
		t.Errorf("decided twice: %v", err)
	}
	if _, err := h.svc.Decide(ctx, h.office, "unknown", true, ""); !errors.Is(err, ca.ErrNotFound) {
		t.Errorf("unknown request: %v", err)
	}
}

func TestOnlyTheHashOfATokenIsKept(t *testing.T) {
	h := newHouse(t)
	token := h.token()
	sum := sm3.Sum([]byte(token))
	r, err := h.svc.Authorize(context.Background(), token)
	if err != nil || r.TokenHash != hex.EncodeToString(sum[:]) || len(token) != 43 {
		t.Errorf("%+v, %v", r, err)
	}
	// Looking does not use it up.
	if _, err := h.svc.Authorize(context.Background(), token); err != nil {
		t.Error(err)
	}
}

func TestRequestDigestCoversEveryPart(t *testing.T) {
	base := ca.Request{ID: "1", Agency: "a", System: "s", CommonName: "c", Organization: "o", Hosts: []string{"x", "y"}, SubmittedBy: "p"}
	digest := ca.RequestDigest(base)
	for name, change := range map[string]func(*ca.Request){
		"id": func(r *ca.Request) { r.ID = "2" }, "agency": func(r *ca.Request) { r.Agency = "b" }, "system": func(r *ca.Request) { r.System = "t" },
		"cn": func(r *ca.Request) { r.CommonName = "d" }, "o": func(r *ca.Request) { r.Organization = "q" },
		"hosts": func(r *ca.Request) { r.Hosts = []string{"x"} }, "joined hosts": func(r *ca.Request) { r.Hosts = []string{"xy"} }, "submitter": func(r *ca.Request) { r.SubmittedBy = "z" },
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
