package signer_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/yinxin-gov/yinxin/signer"
	"github.com/yinxin-gov/yinxin/signer/cite"
	"github.com/yinxin-gov/yinxin/signer/ofd"
	"github.com/yinxin-gov/yinxin/signer/pdf/pdftest"
	"github.com/yinxin-gov/yinxin/signer/verify"
)

// consents is a register of consents: each is for one citation, in one document
// when it names one, and may be taken back.
type consents struct {
	given map[cite.Citation]string // → document, "" for any
}

func (c *consents) give(one cite.Citation, document string) {
	if c.given == nil {
		c.given = map[cite.Citation]string{}
	}
	one.Note = ""
	c.given[one] = document
}

func (c *consents) Covered(_ context.Context, one cite.Citation, document string, at time.Time) error {
	if at.IsZero() || len(document) != 64 {
		return errors.New("asked for no document, or no time")
	}
	one.Note = ""
	if want, ok := c.given[one]; !ok || want != "" && want != document {
		return fmt.Errorf("%w: none", signer.ErrCitation)
	}
	return nil
}

func quoted(n int) cite.Citation {
	return cite.Citation{
		Consent: fmt.Sprintf("consent-%d", n), Consumer: unit, Note: "表 1", Provider: "11110102000000001A", ProviderName: "样例区民政局",
		Resource: fmt.Sprintf("res-%d", n), Title: "低保名单",
	}
}

func (h *house) ask(doc []byte, list ...cite.Citation) (signer.Use, error) {
	u, _, err := h.RequestUse(context.Background(), clerk, signer.UseRequest{Seal: sealID, Document: doc, Title: "报告", Citations: list})
	return u, err
}

// say approves a use for what it stands for now.
func (h *house) say(t testing.TB, u signer.Use) signer.Use {
	t.Helper()
	sum, err := u.Approves()
	if err != nil {
		t.Fatal(err)
	}
	h.Approvals.Uses[u.ID+" "+sum] = "approval-" + u.ID
	if u, _, err = h.MarkApproved(context.Background(), clerk, u.ID); err != nil {
		t.Fatal(err)
	}
	return u
}

func (h *house) report(t testing.TB, doc []byte) verify.Report {
	t.Helper()
	rep, err := verify.Document(context.Background(), doc, verify.Options{Trust: verify.NewTrust(h.unitCert, h.makerCert), Now: func() time.Time { return now }})
	if err != nil {
		t.Fatal(err)
	}
	return rep
}

// BJ17-19b: with the provider's consent the citation goes into the document, and
// the approval is over both; a second seal leaves it alone.
func TestBJ17_19b_SealWithConsent(t *testing.T) {
	for name, doc := range map[string][]byte{"ofd": notice(t), "pdf": pdftest.Letter(pdftest.Options{})} {
		t.Run(name, func(t *testing.T) {
			h := newHouse(t)
			h.makeSeal(t)
			list := []cite.Citation{quoted(1), quoted(2)}
			h.consents.give(list[0], "")
			h.consents.give(list[1], signer.Digest(doc))
			u, err := h.ask(doc, list...)
			if err != nil {
				t.Fatal(err)
			}
			if sum, err := u.Approves(); err != nil || sum == u.Document || u.Document != signer.Digest(doc) {
				t.Errorf("approves %s, %v", sum, err)
			}
			h.Approvals.Uses[u.ID+" "+u.Document] = "approval" // over the document alone
			if _, _, err := h.MarkApproved(context.Background(), clerk, u.ID); !errors.Is(err, signer.ErrNotApproved) {
				t.Fatalf("an approval that does not bind the citations: %v", err)
			}
			u = h.say(t, u)
			got, err := h.Seal(context.Background(), clerk, u.ID, doc, signer.Placement{})
			if err != nil {
				t.Fatal(err)
			}
			rep := h.report(t, got.Document)
			if rep.Verdict != verify.Valid || len(rep.Citations) != 2 || rep.Citations[0].Citation != list[0] || rep.Citations[1].Citation != list[1] {
				t.Errorf("%s %+v", rep.Verdict, rep.Citations)
			}
			h.consents.give(list[1], signer.Digest(got.Document))
			// The same document with other citations is another one, also to us.
			if _, err := h.ask(got.Document, list[0]); !errors.Is(err, signer.ErrCitation) {
				t.Errorf("other citations on top: %v", err)
			}
			u, err = h.ask(got.Document)
			if err != nil || !slices.Equal(u.Citations, list) {
				t.Fatalf("carried %+v, %v", u.Citations, err)
			}
			u = h.say(t, u)
			twice, err := h.Seal(context.Background(), clerk, u.ID, got.Document, signer.Placement{})
			if err != nil {
				t.Fatal(err)
			}
			if rep := h.report(t, twice.Document); rep.Verdict != verify.Valid || len(rep.Signatures) != 2 || len(rep.Citations) != 2 {
				t.Errorf("two seals: %s %+v", rep.Verdict, rep.Citations)
			}
		})
	}
}

// BJ17-19b: sealed documents with citations lacking consent = 0.
func TestBJ17_19b_NothingIsSealedWithoutConsent(t *testing.T) {
	other := quoted(1)
	other.Consumer = "11110102000000002B"
	bad := quoted(1)
	bad.Title = ""
	for name, tc := range map[string]struct {
		give, list []cite.Citation
		want       error
	}{
		"no consent":                  {nil, []cite.Citation{quoted(1)}, signer.ErrCitation},
		"of another resource":         {[]cite.Citation{quoted(2)}, []cite.Citation{quoted(1)}, signer.ErrCitation},
		"one of two":                  {[]cite.Citation{quoted(1)}, []cite.Citation{quoted(1), quoted(2)}, signer.ErrCitation},
		"another unit's":              {[]cite.Citation{other}, []cite.Citation{other}, signer.ErrCitation},
		"no source":                   {[]cite.Citation{bad}, []cite.Citation{bad}, signer.ErrCitation},
		"twice the same, in one list": {[]cite.Citation{quoted(1)}, []cite.Citation{quoted(1), quoted(1)}, signer.ErrCitation},
	} {
		for kind, doc := range map[string][]byte{"ofd": notice(t), "pdf": pdftest.Letter(pdftest.Options{})} {
			h := newHouse(t)
			h.makeSeal(t)
			for _, c := range tc.give {
				h.consents.give(c, "")
			}
			n := len(h.reg.Events(0))
			if _, err := h.ask(doc, tc.list...); !errors.Is(err, tc.want) || len(h.reg.Events(0)) != n {
				t.Errorf("%s, %s: %v, events %v", name, kind, err, h.reg.Events(n))
			}
		}
	}
	// Withdrawn between the request and the seal; edited in the register.
	h := newHouse(t)
	h.makeSeal(t)
	doc := notice(t)
	h.consents.give(quoted(1), "")
	u, err := h.ask(doc, quoted(1))
	if err != nil {
		t.Fatal(err)
	}
	u = h.say(t, u)
	clear(h.consents.given)
	n := len(h.reg.Events(0))
	if _, err := h.Seal(context.Background(), clerk, u.ID, doc, signer.Placement{}); !errors.Is(err, signer.ErrCitation) || len(h.reg.Events(0)) != n {
		t.Errorf("withdrawn: %v, events %v", err, h.reg.Events(n))
	}
	h.consents.give(quoted(1), "")
	h.edit(u.ID, func(u *signer.Use) { u.Citations = nil })
	if _, err := h.Seal(context.Background(), clerk, u.ID, doc, signer.Placement{}); !errors.Is(err, signer.ErrNotApproved) {
		t.Errorf("citations taken out of the register: %v", err)
	}
	if u, err := h.reg.Use(context.Background(), u.ID); err != nil || u.State != signer.UseApproved {
		t.Errorf("%+v, %v", u, err)
	}
}

// BJ17-19b: a document that comes with citations is no way around the consent,
// and one that an earlier seal closed takes no new ones.
func TestBJ17_19b_CitationsThatCameAlong(t *testing.T) {
	h := newHouse(t)
	h.makeSeal(t)
	doc := notice(t)
	key := h.keys["unit"]
	e, err := h.reg.Seal(context.Background(), sealID)
	if err != nil {
		t.Fatal(err)
	}
	offline := func(doc []byte, list ...cite.Citation) []byte {
		t.Helper()
		p, err := signer.Prepare(doc, signer.Job{SealDER: e.DER, CertDER: e.CertDER, Time: now, Provider: ofd.Provider{Name: "x"}, Citations: list}, key.Public())
		if err != nil {
			t.Fatal(err)
		}
		out, err := p.Sign(context.Background(), key)
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	abroad := quoted(1)
	abroad.Consumer = "11110102000000002B"
	for name, d := range map[string][]byte{"ofd": doc, "pdf": pdftest.Letter(pdftest.Options{})} {
		if _, err := h.ask(offline(d, quoted(1))); !errors.Is(err, signer.ErrCitation) {
			t.Errorf("%s with an unknown consent: %v", name, err)
		}
		if _, err := h.ask(offline(d), quoted(2)); !errors.Is(err, signer.ErrDocument) {
			t.Errorf("%s with an earlier seal: %v", name, err)
		}
		h.consents.give(abroad, "")
		if u, err := h.ask(offline(d, abroad)); err != nil || len(u.Citations) != 1 {
			t.Errorf("%s that another unit sealed with its consent: %v", name, err)
		}
	}
	// A house without a register of consents seals no document that quotes.
	h.consents.give(quoted(1), "")
	s, err := signer.New(signer.Config{Register: h.reg, Approver: h.Approvals, Keys: h.keys, Now: func() time.Time { return now }, NewID: func() string { return "x" }})
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := s.RequestUse(context.Background(), clerk, signer.UseRequest{Seal: sealID, Document: doc, Citations: []cite.Citation{quoted(1)}}); !errors.Is(err, signer.ErrCitation) {
		t.Errorf("no register of consents: %v", err)
	}
	if _, _, err := s.RequestBatch(context.Background(), clerk, signer.BatchRequest{Seal: sealID}); !errors.Is(err, signer.ErrBatch) {
		t.Errorf("no batches: %v", err)
	}
}
