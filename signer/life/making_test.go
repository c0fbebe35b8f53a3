package life_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/yinxin-gov/yinxin/signer"
	"github.com/yinxin-gov/yinxin/signer/life"
	"github.com/yinxin-gov/yinxin/signer/seal"
	"github.com/yinxin-gov/yinxin/signer/signertest"
)

func TestMakeRefuses(t *testing.T) {
	for name, c := range map[string]struct {
		edit func(h *signertest.House, s *life.MakeSpec, m *life.Maker)
		want error
	}{
		"another picture": {func(_ *signertest.House, s *life.MakeSpec, _ *life.Maker) {
			s.Picture.Data = append(slices.Clone(s.Picture.Data), 0)
		}, life.ErrPicture},
		"a longer period": {func(_ *signertest.House, s *life.MakeSpec, _ *life.Maker) {
			s.ValidUntil = s.ValidUntil.AddDate(0, 1, 0)
		}, life.ErrPeriod},
		"an earlier period": {func(_ *signertest.House, s *life.MakeSpec, _ *life.Maker) {
			s.ValidFrom = s.ValidFrom.AddDate(0, -1, 0)
		}, life.ErrPeriod},
		"no key":                              {func(_ *signertest.House, s *life.MakeSpec, _ *life.Maker) { s.KeyID = "" }, signer.ErrInvalid},
		"maker certificate of another":        {func(h *signertest.House, _ *life.MakeSpec, m *life.Maker) { m.CertDER = h.UnitCert }, seal.ErrLint},
		"an approval that no longer verifies": {func(h *signertest.House, _ *life.MakeSpec, _ *life.Maker) { clear(h.Approvals.Asks) }, signer.ErrNotApproved},
	} {
		t.Run(name, func(t *testing.T) {
			h := reach(t, signer.SealApproved)
			n, spec, maker := len(h.Register.Events(0)), h.Spec(t), h.Maker()
			c.edit(h, &spec, &maker)
			if err := third(h.Life.Make(ctx, signertest.Admin, spec, maker)); !errors.Is(err, c.want) {
				t.Errorf("%v", err)
			}
			if len(h.Register.Events(0)) != n {
				t.Errorf("recorded %v", h.Register.Events(n))
			}
		})
	}
}

// Design law 4: the maker's key is not asked before its use is recorded, and a
// restart between the two records leaves an approved application behind.
func TestSealIsRecordedBeforeItIsSigned(t *testing.T) {
	h := reach(t, signer.SealApproved)
	boom := errors.New("ledger is down")
	for _, kind := range []string{"signer.seal.making", "signer.seal.made"} {
		h.Register.Fail(kind, boom)
		if err := third(h.Life.Make(ctx, signertest.Admin, h.Spec(t), h.Maker())); !errors.Is(err, boom) {
			t.Fatal(err)
		}
		h.Register.Fail(kind, nil)
		h.Restart(t)
		if e, err := h.Life.Seal(ctx, id); err != nil || e.State != signer.SealApproved || e.DER != nil {
			t.Fatalf("after a restart: %s, %v", e.State, err)
		}
	}
	if err := third(h.Life.Make(ctx, signertest.Admin, h.Spec(t), h.Maker())); err != nil {
		t.Fatal(err)
	}
	if got := h.Register.Events(2); !slices.Equal(got, []string{"signer.seal.making", "signer.seal.making", "signer.seal.made"}) {
		t.Errorf("%v", got)
	}
}

func TestApplyRefuses(t *testing.T) {
	for name, c := range map[string]struct {
		edit func(*life.Application)
		want error
	}{
		"number":              {func(a *life.Application) { a.ID = "1" }, signer.ErrInvalid},
		"no owner":            {func(a *life.Application) { a.Unit = "" }, signer.ErrInvalid},
		"another unit":        {func(a *life.Application) { a.Unit = signertest.MakerUnit }, life.ErrRole},
		"no name":             {func(a *life.Application) { a.Name = " " }, signer.ErrInvalid},
		"name of two lines":   {func(a *life.Application) { a.Name = "甲\n乙" }, signer.ErrInvalid},
		"no purpose":          {func(a *life.Application) { a.Purpose = "" }, signer.ErrInvalid},
		"kind":                {func(a *life.Application) { a.Kind = "round" }, signer.ErrInvalid},
		"picture":             {func(a *life.Application) { a.Picture = strings.ToUpper(a.Picture) }, signer.ErrInvalid},
		"uploaded, no filing": {func(a *life.Application) { a.Drawn = false }, life.ErrFiling},
		"filed as sample":     {func(a *life.Application) { a.Drawn, a.PictureFiling = false, signer.FilingSample }, life.ErrFiling},
		"period over": {func(a *life.Application) {
			a.ValidFrom, a.ValidUntil = signertest.Start().AddDate(-2, 0, 0), signertest.Start().AddDate(-1, 0, 0)
		}, signer.ErrInvalid},
		"eleven years":  {func(a *life.Application) { a.ValidUntil = a.ValidFrom.AddDate(11, 0, 0) }, signer.ErrInvalid},
		"authorisation": {func(a *life.Application) { a.Authorisation.Quota = 1 }, signer.ErrInvalid},
	} {
		t.Run(name, func(t *testing.T) {
			h, a := signertest.NewHouse(t), signertest.Application(t)
			c.edit(&a)
			if err := third(h.Life.Apply(ctx, signertest.Applicant, a)); !errors.Is(err, c.want) || len(h.Register.Events(0)) != 0 {
				t.Errorf("%v, events %v", err, h.Register.Events(0))
			}
		})
	}
}

func TestFileAndStopNeedTheirPapers(t *testing.T) {
	h := signertest.NewHouse(t)
	a := signertest.Application(t)
	a.Drawn, a.PictureFiling = false, "豫公备-1"
	h.Walk(t, a, h.Spec(t), signer.SealMade)
	for name, f := range map[string]life.Filing{
		"none": {}, "no date": {Number: "1"}, "no number": {On: signertest.Start()}, "tomorrow": {Number: "1", On: signertest.Start().AddDate(0, 0, 1)},
		"a sample": {Number: signer.FilingSample, On: signertest.Start()},
	} {
		if err := third(h.Life.File(ctx, signertest.Admin, id, f)); !errors.Is(err, life.ErrFiling) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if e, _, err := h.Life.File(ctx, signertest.Admin, id, life.Filing{Number: "豫章备〔2026〕1号", On: signertest.Start().Add(-time.Hour)}); err != nil || e.Filing != "豫章备〔2026〕1号" {
		t.Fatalf("%+v, %v", e, err)
	}
	if err := third(h.Life.Cancel(ctx, signertest.Keeper, id, "")); !errors.Is(err, life.ErrReason) {
		t.Errorf("no reason: %v", err)
	}
	drawn := reach(t, signer.SealMade)
	if err := third(drawn.Life.File(ctx, signertest.Admin, id, life.Filing{Number: "1", On: signertest.Start()})); !errors.Is(err, signer.ErrInvalid) {
		t.Errorf("a drawn seal was filed as a real one: %v", err)
	}
}
