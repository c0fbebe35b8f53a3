package signer_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/yinxin-gov/yinxin/signer"
	"github.com/yinxin-gov/yinxin/signer/ofd"
	"github.com/yinxin-gov/yinxin/signer/ofd/ofdtest"
	"github.com/yinxin-gov/yinxin/signer/seal"
	"github.com/yinxin-gov/yinxin/signer/signertest"
	"github.com/yinxin-gov/yinxin/signer/verify"
)

// desk is a seal of both layouts with its key.
type desk struct {
	*house
	v4, v1 []byte
}

func newDesk(t testing.TB) *desk {
	t.Helper()
	h := newHouse(t)
	d := &desk{house: h}
	a := signertest.Application(t)
	for _, layout := range []string{"", seal.LayoutV1} {
		der, err := seal.Make(seal.Spec{
			ID: a.ID, Vendor: "yinxin", Type: 1, Name: a.Name, Certs: [][]byte{h.unitCert}, Layout: layout,
			Created: now.AddDate(0, 0, -1), ValidFrom: a.ValidFrom, ValidUntil: a.ValidUntil, Picture: signertest.Picture(t),
		}, h.keys["maker"], h.makerCert)
		if err != nil {
			t.Fatal(err)
		}
		if layout == "" {
			d.v4 = der
		} else {
			d.v1 = der
		}
	}
	return d
}

// job is a use of the seal that fits the standard.
func (d *desk) job(standard signer.Standard) signer.Job {
	j := signer.Job{Standard: standard, SealDER: d.v4, CertDER: d.unitCert, Time: now, Provider: ofd.Provider{Name: "yinxin"}}
	switch standard {
	case signer.StandardV1:
		j.SealDER = d.v1
	case signer.StandardCMS:
		j.SealDER = nil
	}
	return j
}

func (d *desk) put(t testing.TB, doc []byte, job signer.Job) []byte {
	t.Helper()
	p, err := signer.Prepare(doc, job, d.keys["unit"].Public())
	if err != nil {
		t.Fatal(err)
	}
	out, err := p.Sign(context.Background(), d.keys["unit"])
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func (d *desk) judge(t testing.TB, doc []byte) verify.Report {
	t.Helper()
	rep, err := verify.Document(context.Background(), doc, verify.Options{
		Trust: verify.NewTrust(d.unitCert, d.makerCert), Now: func() time.Time { return now }})
	if err != nil {
		t.Fatal(err)
	}
	return rep
}

// What is written on request: V1, and GB/T 35275 in both forms, alone and in any
// order on one document, in both modes.
func TestEveryStandardIsWrittenAndVerified(t *testing.T) {
	d := newDesk(t)
	forms := map[string]signer.Job{
		"GB/T 38540-2020": d.job(""), "GM/T 0031-2014": d.job(signer.StandardV1), "GB/T 35275-2017": d.job(signer.StandardCMS),
	}
	a := d.job(signer.StandardCMS)
	a.Content = true
	forms["GB/T 35275-2017 a"] = a
	for first, one := range forms {
		for second, two := range forms {
			for _, whole := range []bool{false, true} {
				two.Whole = whole
				rep := d.judge(t, d.put(t, d.put(t, notice(t), one), two))
				if rep.Verdict != verify.Valid || rep.Integrity != verify.Intact || len(rep.Signatures) != 2 {
					t.Fatalf("%s, %s: %+v", first, second, rep)
				}
				for i, name := range []string{first, second} {
					if s := rep.Signatures[i]; s.Standard != strings.TrimSuffix(name, " a") || s.SignedAt != "2026-06-01T02:00:00Z" {
						t.Errorf("%s at %s, want %s", s.Standard, s.SignedAt, name)
					}
				}
			}
		}
	}
	// A protected list takes no further signature of any kind.
	last := d.job(signer.StandardCMS)
	last.Whole = true
	for name, j := range forms {
		if _, err := signer.Prepare(d.put(t, notice(t), last), j, d.keys["unit"].Public()); !errors.Is(err, ofd.ErrProtected) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// What is not written: a seal in the layout of another standard, a standard that
// does not exist, a certificate that may not sign.
func TestStandardsRefuse(t *testing.T) {
	d := newDesk(t)
	old, mixed, none, foreign, late := d.job(""), d.job(signer.StandardV1), d.job("v9"), d.job(signer.StandardCMS), d.job(signer.StandardCMS)
	old.SealDER, mixed.SealDER, foreign.CertDER, late.Time = d.v1, d.v4, d.makerCert, now.AddDate(9, 0, 0)
	for name, c := range map[string]struct {
		job  signer.Job
		want error
	}{
		"V1 seal unasked": {old, seal.ErrUnsupported}, "V4 seal as V1": {mixed, seal.ErrUnsupported}, "no standard": {none, signer.ErrStandard},
		"certificate of another key": {foreign, seal.ErrLint}, "after the certificate": {late, seal.ErrLint},
	} {
		if _, err := signer.Prepare(notice(t), c.job, d.keys["unit"].Public()); !errors.Is(err, c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// long is a notice of several pages.
func long(t testing.TB) []byte {
	t.Helper()
	doc, err := ofd.NewNotice(ofd.Notice{Title: "通知", Issuer: "样例区大数据管理局", Date: now,
		Body: []string{strings.Repeat("自即日起启用电子印章。", 200), "附件盖章处：", strings.Repeat("各单位遵照执行。", 100)}})
	if err != nil {
		t.Fatal(err)
	}
	return doc
}

// One signature with a stamp, a stamp at a keyword and a ride seal on each edge:
// everything stands on its page, the slices add up, and the seal is valid.
func TestStampsOfOneSignature(t *testing.T) {
	d := newDesk(t)
	doc := long(t)
	j := d.job("")
	j.Also = []signer.Placement{{Keyword: "附件 盖章处"}, {Page: 1, X: 20, Y: 30}, {Ride: signer.EdgeRight}, {Ride: signer.EdgeLeft},
		{Ride: signer.EdgeTop}, {Ride: signer.EdgeBottom}}
	out := d.put(t, doc, j)
	rep := d.judge(t, out)
	if rep.Verdict != verify.Valid || rep.Integrity != verify.Intact {
		t.Fatalf("%+v", rep)
	}
	for _, w := range rep.Warnings {
		if w.Code == verify.WarnSlices {
			t.Error("the slices do not make whole seals")
		}
	}
	p, err := ofd.Open(out)
	if err != nil {
		t.Fatal(err)
	}
	st := p.Signatures()[0].Stamps
	if len(st) != 3+4*len(p.Pages()) {
		t.Fatalf("%d stamps on %d pages", len(st), len(p.Pages()))
	}
	hits, err := p.Find("附件盖章处")
	if err != nil || len(hits) != 1 {
		t.Fatal(hits, err)
	}
	b, page := st[1].Boundary, p.Pages()[hits[0].Page-1]
	if st[1].PageRef != page.ID || !b.Meets(hits[0].Box) || b.X < 0 || b.X+b.W > page.Box.W {
		t.Errorf("keyword at %v of page %s, stamp at %v of %s", hits[0].Box, page.ID, b, st[1].PageRef)
	}
}

// A foreign seal is not broken by ours: every document of the corpus that can
// take a further seal keeps what its first signatures had.
func TestContinueAfterForeignSeals(t *testing.T) {
	d := newDesk(t)
	dir := ofdtest.Corpus(t)
	names, err := filepath.Glob(filepath.Join(dir, "sealed", "*.ofd"))
	more, err2 := filepath.Glob(filepath.Join(dir, "made", "*.ofd"))
	if names = append(names, more...); err != nil || err2 != nil || len(names) == 0 {
		t.Fatalf("no sealed documents in the corpus (%v, %v)", err, err2)
	}
	continued := 0
	for _, name := range names {
		doc, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, standard := range []signer.Standard{signer.StandardV4, signer.StandardCMS} {
			j := d.job(standard)
			j.Time = time.Date(2026, 11, 25, 0, 0, 0, 0, time.UTC)
			err := signer.Sealable(context.Background(), doc, j)
			if errors.Is(err, ofd.ErrProtected) || strings.Contains(name, "edited") || strings.Contains(name, "breaks") {
				continue // protected, or broken already
			}
			if err != nil {
				t.Errorf("%s: %v", filepath.Base(name), err)
				continue
			}
			out := d.put(t, doc, j)
			before, after := d.judge(t, doc), d.judge(t, out)
			if len(after.Signatures) != len(before.Signatures)+1 {
				t.Fatalf("%s: %d signatures", name, len(after.Signatures))
			}
			for i, s := range before.Signatures {
				if got, want := fmt.Sprint(results(after.Signatures[i])), fmt.Sprint(results(s)); got != want {
					t.Errorf("%s %s: %s, was %s", filepath.Base(name), s.ID, got, want)
				}
			}
			continued++
		}
	}
	if continued < 6 {
		t.Errorf("only %d documents were continued", continued)
	}
}

func results(s verify.Signature) []string {
	var out []string
	for _, c := range s.Checks {
		out = append(out, c.ID+"="+string(c.Result))
	}
	return out
}
