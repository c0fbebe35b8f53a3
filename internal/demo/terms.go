package demo

import (
	"context"
	"fmt"
	"time"

	"github.com/yinxin-gov/yinxin/authz/identity"
	"github.com/yinxin-gov/yinxin/authz/ledger"
	"github.com/yinxin-gov/yinxin/authz/level"
	"github.com/yinxin-gov/yinxin/authz/sharing"
	"github.com/yinxin-gov/yinxin/internal/app"
	"github.com/yinxin-gov/yinxin/signer/life"
)

// Sample resources and agreements; keys of the manifest.
const (
	resNotice  = "res-assistance-2026" // level 3, personal; what the notice is about
	resStats   = "res-street-stats"    // level 2, merged with the first in a refusal
	resArchive = "res-archive-2025"    // its agreement ends while the demo runs

	agrNotice  = "agr-2026-001"
	agrStats   = "agr-2026-002"
	agrArchive = "agr-2025-009"
	agrB       = "agr-2026-003" // B has an agreement: only its grade is too low
)

const (
	purposeAssist = "social-assistance"
	purposeOther  = "employment-support" // a duty of A, but not in the agreement
)

// shortLife is how long, at least, the agreement that ends during the demo is
// good.
const shortLife = 4 * time.Second

// resources are what the provider and B registered in the catalogue.
func (w *walk) resources() []sharing.Resource {
	return []sharing.Resource{
		{ID: resNotice, Name: "社会救助对象认定信息（样例）", Provider: w.agencies[provider].unit.USCC, Label: label(3, 3, 3, level.TagPersonal),
			ShareType: sharing.ShareOnApplication, Regime: sharing.RegimeXicheng2014, Items: []string{"name", "address", "assistance_level"},
			SecrecyReview: "样例保审〔2026〕1号", Basis: "样例依据：含个人信息，不宜普遍共享", Sample: true},
		{ID: resStats, Name: "街道服务统计（样例）", Provider: w.agencies[unitB].unit.USCC, Label: label(2, 2, 2),
			ShareType: sharing.ShareOnApplication, Regime: sharing.RegimeXicheng2014, Items: []string{"count", "month"},
			SecrecyReview: "样例保审〔2026〕2号", Basis: "样例依据：统计口径待核", Sample: true},
		{ID: resArchive, Name: "2025年度救助档案（样例）", Provider: w.agencies[provider].unit.USCC, Label: label(3, 3, 3, level.TagPersonal),
			ShareType: sharing.ShareOnApplication, Regime: sharing.RegimeXicheng2014, Items: []string{"name", "case_no"},
			SecrecyReview: "样例保审〔2025〕9号", Basis: "样例依据：含个人信息，不宜普遍共享", Sample: true},
	}
}

// label is for constants of this file; an impossible one is a mistake here.
func label(lv level.Level, s, a uint8, tags ...level.Tag) level.Label {
	l, err := level.New(lv, s, a, tags...)
	if err != nil {
		panic(err)
	}
	return l
}

// catalogue registers the resources.
func (w *walk) catalogue(ctx context.Context) error {
	w.tell.head("demo.chapter.catalogue")
	for _, r := range w.resources() {
		owner := w.byUSCC(r.Provider)
		_, rc, err := w.house.Sharing.RegisterResource(ctx, r, w.house.PersonActor(owner.clerk.ID, owner.unit.USCC))
		if err != nil {
			return err
		}
		w.tell.done(rc, "demo.catalogue.resource", "name", r.Name, "id", r.ID, "label", r.Label.String())
	}
	return nil
}

// makeSeals gives every unit a drawn seal (样章) and walks its life: the clerk
// applies, the leader approves by signature, the RA officer approves the
// certificate, the seal administrator makes, files and activates. The first one
// is told step by step.
func (w *walk) makeSeals(ctx context.Context) error {
	w.tell.head("demo.chapter.seals")
	for i, key := range []string{office, provider, unitA, unitB} {
		a := w.agencies[key]
		a.sealID = fmt.Sprintf("%s%08d", division, i+1)
		a.sealOrder = app.SealOrder{ID: a.sealID, Unit: a.unit.USCC, Name: a.unit.Name + "（样章）", Purpose: "样例行文"}
		rc, err := w.makeSeal(ctx, a, i == 0)
		if err != nil {
			return err
		}
		w.tell.done(rc, "demo.seals.active", "name", a.sealOrder.Name, "id", a.sealID)
	}
	return nil
}

// makeSeal walks one seal from its application to its use.
func (w *walk) makeSeal(ctx context.Context, a *agency, aloud bool) (ledger.Receipt, error) {
	told := func(rc ledger.Receipt, key string, pairs ...string) {
		if aloud {
			w.tell.done(rc, key, pairs...)
		}
	}
	fail := func(err error) (ledger.Receipt, error) { return ledger.Receipt{}, err }
	clerk := w.house.PersonActor(a.clerk.ID, a.unit.USCC)
	subject, rc, err := w.house.ApplySeal(ctx, clerk, a.sealOrder)
	if err != nil {
		return fail(err)
	}
	told(rc, "demo.seals.applied", "name", a.sealOrder.Name, "purpose", a.sealOrder.Purpose)
	if _, _, err = w.house.Approve(ctx, subject, a.leader.ID, a.leader.pin, true, ""); err != nil {
		return fail(err)
	}
	if _, rc, err = w.house.Life.Settle(ctx, clerk, a.sealID); err != nil {
		return fail(err)
	}
	told(rc, "demo.seals.approved", "leader", a.leader.Name)
	certificate, err := w.house.PrepareSeal(ctx, a.sealOrder)
	if err != nil {
		return fail(err)
	}
	if err := w.raApproves(ctx, certificate); err != nil {
		return fail(err)
	}
	maker := w.house.PersonActor(w.sealAdmin.ID, w.agencies[office].unit.USCC)
	s, rc, err := w.house.MakeSeal(ctx, maker, a.sealOrder)
	if err != nil {
		return fail(err)
	}
	told(rc, "demo.seals.made", "id", s.ID)
	if err := w.writeSeal(a.sealID, s); err != nil {
		return fail(err)
	}
	if _, rc, err = w.house.Life.File(ctx, maker, a.sealID, life.Filing{}); err != nil {
		return fail(err)
	}
	told(rc, "demo.seals.filed")
	_, rc, err = w.house.Life.Activate(ctx, maker, a.sealID)
	return rc, err
}

// agreements drafts, has three parties seal, and registers.
func (w *walk) agreements(ctx context.Context) error {
	w.tell.head("demo.chapter.agreements")
	now := w.now().UTC().Truncate(time.Second)
	longest := time.Duration(0)
	for _, t := range []sharing.Agreement{
		{ID: agrNotice, Resource: resNotice, Consumer: w.agencies[unitA].unit.USCC, Purposes: []string{purposeAssist},
			Fields: []string{"name", "address", "assistance_level"}, NotBefore: now.Add(-time.Hour), NotAfter: now.AddDate(1, 0, 0)},
		{ID: agrB, Resource: resNotice, Consumer: w.agencies[unitB].unit.USCC, Purposes: []string{purposeAssist},
			Fields: []string{"name", "assistance_level"}, NotBefore: now.Add(-time.Hour), NotAfter: now.AddDate(1, 0, 0)},
		{ID: agrStats, Resource: resStats, Consumer: w.agencies[unitA].unit.USCC, Purposes: []string{purposeAssist},
			Fields: []string{"count", "month"}, NotBefore: now.Add(-time.Hour), NotAfter: now.AddDate(1, 0, 0)},
		{ID: agrArchive, Resource: resArchive, Consumer: w.agencies[unitA].unit.USCC, Purposes: []string{purposeAssist},
			Fields: []string{"name", "case_no"}, NotBefore: now.AddDate(-1, 0, 0)},
	} {
		began := w.now()
		if t.ID == agrArchive {
			// It must outlive its own sealing, also where that is slow, and end
			// before the walk does.
			t.NotAfter = began.UTC().Add(max(shortLife, 4*longest)).Truncate(time.Second)
			w.shortLivedEnds = t.NotAfter
		}
		rc, err := w.agree(ctx, t)
		if err != nil {
			return fmt.Errorf("agreement %s: %w", t.ID, err)
		}
		longest = max(longest, w.now().Sub(began))
		w.terms[t.ID] = Term{Resource: t.Resource, Consumer: string(t.Consumer), Purposes: t.Purposes, Fields: t.Fields,
			NotBefore: t.NotBefore.Format(time.RFC3339), NotAfter: t.NotAfter.Format(time.RFC3339)}
		w.tell.done(rc, "demo.agreements.sealed", "id", t.ID, "consumer", w.byUSCC(t.Consumer).unit.Name, "until", t.NotAfter.Format(time.DateTime))
	}
	return nil
}

// agree puts the three parties' seals on the terms: applicant, provider,
// information office (西政办发〔2014〕14号 art. 26).
func (w *walk) agree(ctx context.Context, a sharing.Agreement) (ledger.Receipt, error) {
	for _, r := range w.resources() {
		if r.ID == a.Resource {
			a.Provider = r.Provider
		}
	}
	a.Office, a.Sample = w.agencies[office].unit.USCC, true
	a.Confidentiality = "样例保密协议 " + a.ID
	a, err := sharing.Draft(a)
	if err != nil {
		return ledger.Receipt{}, err
	}
	for _, party := range []identity.USCC{a.Provider, a.Consumer, a.Office} {
		unit := w.byUSCC(party)
		subject := app.AgreementSubject(a, party, unit.clerk.ID)
		if _, _, err := w.house.Approve(ctx, subject, unit.leader.ID, unit.leader.pin, true, ""); err != nil {
			return ledger.Receipt{}, err
		}
		s, err := w.house.SealAgreement(ctx, w.house.PersonActor(unit.clerk.ID, party), a, unit.sealID)
		if err != nil {
			return ledger.Receipt{}, err
		}
		if a, err = sharing.AddSeal(a, s); err != nil {
			return ledger.Receipt{}, err
		}
	}
	consumer := w.byUSCC(a.Consumer)
	_, rc, err := w.house.Sharing.RegisterAgreement(ctx, a, w.house.PersonActor(consumer.clerk.ID, consumer.unit.USCC))
	return rc, err
}

func (w *walk) byUSCC(id identity.USCC) *agency {
	for _, a := range w.agencies {
		if a.unit.USCC == id {
			return a
		}
	}
	return nil
}
