package signer_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/yinxin-gov/yinxin/signer"
	"github.com/yinxin-gov/yinxin/signer/ofd"
	"github.com/yinxin-gov/yinxin/signer/verify"
)

// The main job of this room, on every document at hand: the sealed document
// verifies, and the record of the sealing stands before that of the sealed one.
func TestX11_18_SealEveryDocument(t *testing.T) {
	h := newHouse(t)
	h.makeSeal(t)
	for name, doc := range documents(t) {
		t.Run(name, func(t *testing.T) {
			u := h.approve(t, doc)
			n := len(h.reg.Events(0))
			got, err := h.Seal(context.Background(), clerk, u.ID, doc, signer.Placement{})
			if err != nil {
				t.Fatal(err)
			}
			if want := []string{"signer.document.sealing", "signer.document.sealed"}; !slices.Equal(h.reg.Events(n), want) {
				t.Errorf("records %v, want %v", h.reg.Events(n), want)
			}
			if got.Use.State != signer.UseSealed || got.Use.Sealed != signer.Digest(got.Document) || got.Receipt.Seq != got.Sealing.Seq+1 {
				t.Errorf("%+v", got.Use)
			}
			rep, err := verify.Document(context.Background(), got.Document, verify.Options{
				Trust: verify.NewTrust(h.unitCert, h.makerCert), Now: func() time.Time { return now }})
			if err != nil {
				t.Fatal(err)
			}
			if rep.Verdict != verify.Valid || rep.Integrity != verify.Intact || len(rep.Signatures) != 1 {
				t.Errorf("%s %s, %d signatures: %+v", rep.Verdict, rep.Integrity, len(rep.Signatures), rep.Checks)
			}
			// A second use seals the sealed document; the first seal stays whole.
			u = h.approve(t, got.Document)
			twice, err := h.Seal(context.Background(), clerk, u.ID, got.Document, signer.Placement{})
			if err != nil {
				t.Fatal(err)
			}
			rep, err = verify.Document(context.Background(), twice.Document, verify.Options{
				Trust: verify.NewTrust(h.unitCert, h.makerCert), Now: func() time.Time { return now }})
			if err != nil || rep.Verdict != verify.Valid || len(rep.Signatures) != 2 {
				t.Errorf("two seals: %s, %d signatures (%v)", rep.Verdict, len(rep.Signatures), err)
			}
		})
	}
}

func TestDefaultPlaceIsLowerRightOfTheLastPage(t *testing.T) {
	h := newHouse(t)
	h.makeSeal(t)
	doc := notice(t)
	u := h.approve(t, doc)
	got, err := h.Seal(context.Background(), clerk, u.ID, doc, signer.Placement{})
	if err != nil {
		t.Fatal(err)
	}
	p, err := ofd.Open(got.Document)
	if err != nil {
		t.Fatal(err)
	}
	st := p.Signatures()[0].Stamps
	pages := p.Pages()
	if len(st) != 1 || st[0].PageRef != pages[len(pages)-1].ID || st[0].Boundary != (ofd.Box{X: 142, Y: 215, W: 42, H: 42}) {
		t.Errorf("%+v", st)
	}
}
