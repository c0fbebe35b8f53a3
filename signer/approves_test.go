package signer_test

import (
	"context"
	"errors"
	"math"
	"testing"

	"github.com/yinxin-gov/yinxin/signer"
	"github.com/yinxin-gov/yinxin/signer/cite"
	"github.com/yinxin-gov/yinxin/signer/ofd"
	"github.com/yinxin-gov/yinxin/signer/signertest"
)

// A stamp goes where the leader saw it, or nowhere (GB/T 33481; 用印审批).
func TestApprovedPlaceIsKept(t *testing.T) {
	h := newHouse(t)
	h.makeSeal(t)
	ctx, doc := context.Background(), notice(t)
	want := signer.Placement{Page: 1, X: 30, Y: 40}
	u, _, err := h.RequestUse(ctx, clerk, signer.UseRequest{Seal: sealID, Document: doc, Title: "通知", Place: want})
	if err != nil {
		t.Fatal(err)
	}
	// What the leader signs is neither the document nor another place on it.
	sum, err := u.Approves()
	if err != nil || sum == u.Document {
		t.Fatal(sum, err)
	}
	h.Approvals.Say(u, "approval")
	if u, _, err = h.MarkApproved(ctx, clerk, u.ID); err != nil {
		t.Fatal(err)
	}
	n := len(h.reg.Events(0))
	for _, p := range []signer.Placement{{}, {Page: 1}, {Page: 1, X: 30, Y: 40.5}, {Page: 1, X: 30, Y: 40, Keyword: "通知"}, {Page: 1, X: 30, Y: 40, Ride: signer.EdgeLeft}} {
		if _, err := h.Seal(ctx, clerk, u.ID, doc, p); !errors.Is(err, signer.ErrPlace) {
			t.Errorf("%+v: %v", p, err)
		}
	}
	if len(h.reg.Events(0)) != n {
		t.Error("a refused place left a record")
	}
	// A place that was changed or taken out in the register is not the signed one.
	for _, p := range []*signer.Placement{nil, {Page: 1, X: 31, Y: 40}} {
		h.reg.Tamper(func(uses map[string]signer.Use, _ map[string]int64) {
			row := uses[u.ID]
			row.Place = p
			uses[u.ID] = row
		})
		if p == nil {
			p = &want
		}
		if _, err := h.Seal(ctx, clerk, u.ID, doc, *p); !errors.Is(err, signer.ErrNotApproved) {
			t.Errorf("tampered to %+v: %v", p, err)
		}
	}
	h.reg.Tamper(func(uses map[string]signer.Use, _ map[string]int64) { uses[u.ID] = u })
	if _, err := h.Seal(ctx, clerk, u.ID, doc, want); err != nil {
		t.Fatal(err)
	}
}

// Approvals of before stand: they are over the document, and the place is open.
func TestApprovalsOfBeforeStand(t *testing.T) {
	h := newHouse(t)
	h.makeSeal(t)
	ctx, doc := context.Background(), notice(t)
	u := signer.Use{ID: "of-before", Seal: sealID, Document: signer.Digest(doc), Title: "通知", Requester: clerk.ID, State: signer.UseRequested, CreatedAt: signertest.Start()}
	h.reg.Tamper(func(uses map[string]signer.Use, _ map[string]int64) { uses[u.ID] = u })
	h.Approvals.Uses[u.ID+" "+u.Document] = "approval"
	if _, _, err := h.MarkApproved(ctx, clerk, u.ID); err != nil {
		t.Fatal(err)
	}
	if _, err := h.Seal(ctx, clerk, u.ID, doc, signer.Placement{Page: 1, X: 10, Y: 10}); err != nil {
		t.Fatal(err)
	}
}

// The text that is signed is fixed: the digests of each version, and no two
// different requests with one.
func TestApprovesVersions(t *testing.T) {
	document := signer.Digest(nil)
	quote := []cite.Citation{quoted(1)}
	seen := map[string]int{}
	for i, u := range []signer.Use{
		{Document: document},
		{Document: document, Citations: quote},
		{Document: document, Place: &signer.Placement{}},
		{Document: document, Place: &signer.Placement{}, Citations: quote},
		{Document: document, Place: &signer.Placement{Page: 2}},
		{Document: document, Place: &signer.Placement{X: 2}},
		{Document: document, Place: &signer.Placement{Y: 2}},
		{Document: document, Place: &signer.Placement{Keyword: "x"}},
		{Document: document, Place: &signer.Placement{Keyword: `x" ride "left`}},
		{Document: document, Place: &signer.Placement{Keyword: "x", Ride: "left"}},
		{Document: document, Place: &signer.Placement{Ride: "left"}},
	} {
		sum, err := u.Approves()
		if err != nil || len(sum) != 64 {
			t.Fatal(sum, err)
		}
		if before, ok := seen[sum]; ok {
			t.Errorf("%d and %d are one to the leader", before, i)
		}
		seen[sum] = i
	}
	if sum, _ := (signer.Use{Document: document}).Approves(); sum != document {
		t.Error("the first version changed")
	}
	const text = "yinxin/seal-use/v2\ndocument 1ab21d8355cfa17f8e61194831e81a8f22bec8c728fefb747ed035eb5082aa2b\nplace page 3 x 0.5 y 1e-06 keyword \"\\u5c40\" ride \"\"\n"
	if sum, _ := (signer.Use{Document: document, Place: &signer.Placement{Page: 3, X: 0.5, Y: 1e-6, Keyword: "局"}}).Approves(); sum != signer.Digest([]byte(text)) {
		t.Error("the second version changed")
	}
}

// What the leader is told of the place is where the stamp then stands.
func TestSpotsAreWhereTheStampStands(t *testing.T) {
	h := newHouse(t)
	h.makeSeal(t)
	ctx, doc := context.Background(), notice(t)
	for _, place := range []signer.Placement{{}, {Page: 1, X: 30, Y: 40}, {Keyword: "样例区大数据管理局"}} {
		at, err := h.Spots(ctx, sealID, doc, place)
		if err != nil || len(at) != 1 {
			t.Fatalf("%+v: %+v %v", place, at, err)
		}
		u, _, err := h.RequestUse(ctx, clerk, signer.UseRequest{Seal: sealID, Document: doc, Title: "通知", Place: place})
		if err != nil {
			t.Fatal(err)
		}
		h.Approvals.Say(u, "approval")
		if u, _, err = h.MarkApproved(ctx, clerk, u.ID); err != nil {
			t.Fatal(err)
		}
		got, err := h.Seal(ctx, clerk, u.ID, doc, place)
		if err != nil {
			t.Fatal(err)
		}
		pkg, err := ofd.Open(got.Document)
		if err != nil {
			t.Fatal(err)
		}
		b := pkg.Signatures()[0].Stamps[0].Boundary
		if math.Abs(b.X-at[0].X) > 0.01 || math.Abs(b.Y-at[0].Y) > 0.01 || b.W != at[0].W {
			t.Errorf("%+v: at %+v, told %+v", place, b, at[0])
		}
	}
	if _, err := h.Spots(ctx, sealID, doc, signer.Placement{Page: 9}); !errors.Is(err, signer.ErrDocument) {
		t.Errorf("a page that is not there: %v", err)
	}
	if _, err := h.Spots(ctx, "none", doc, signer.Placement{}); !errors.Is(err, signer.ErrNotFound) {
		t.Errorf("no such seal: %v", err)
	}
}
