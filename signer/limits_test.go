package signer_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/yinxin-gov/yinxin/authz/ledger"
	"github.com/yinxin-gov/yinxin/signer"
	"github.com/yinxin-gov/yinxin/signer/life"
	"github.com/yinxin-gov/yinxin/signer/signertest"
)

// limited is a house whose seal has this authorisation.
func limited(t *testing.T, a signer.Authorisation, options ...signertest.Option) *house {
	t.Helper()
	h := newHouse(t, options...)
	app := signertest.Application(t)
	app.Authorisation = a
	h.Walk(t, app, h.Spec(t), signer.SealActive)
	return h
}

func at(day, hour, minute int) time.Time { // in China
	return time.Date(2026, 6, day, hour-8, minute, 0, 0, time.UTC)
}

// 电子印章管理办法 art. 21: who may use a seal, when, and how often.
func TestAdmit(t *testing.T) {
	seal := func(a signer.Authorisation) signer.Seal {
		return signer.Seal{
			ID: sealID, State: signer.SealActive, ValidFrom: at(1, 0, 0), ValidUntil: at(30, 0, 0), Life: signer.Life{Maker: "maker", Authorisation: a},
		}
	}
	free := signer.Authorisation{}
	listed := signer.Authorisation{Users: []signer.User{{Person: "a"}, {Person: "b", From: at(5, 0, 0), Until: at(10, 0, 0)}}}
	hours := signer.Authorisation{Hours: signer.Hours{From: 8*60 + 30, Until: 17*60 + 30}}
	span := signer.Authorisation{From: at(3, 0, 0), Until: at(4, 0, 0)}
	for name, c := range map[string]struct {
		a      signer.Authorisation
		person string
		at     time.Time
		taken  signer.Taken
		want   error
	}{
		"anybody":                   {free, "x", at(2, 12, 0), signer.Taken{All: 99, Window: 99}, nil},
		"the maker":                 {free, "maker", at(2, 12, 0), signer.Taken{}, signer.ErrUser},
		"first moment":              {free, "x", at(1, 0, 0), signer.Taken{}, nil},
		"before the period":         {free, "x", at(1, 0, 0).Add(-1), signer.Taken{}, signer.ErrSealState},
		"last moment":               {free, "x", at(30, 0, 0), signer.Taken{}, nil},
		"after the period":          {free, "x", at(30, 0, 0).Add(1), signer.Taken{}, signer.ErrSealState},
		"on the list":               {listed, "a", at(2, 12, 0), signer.Taken{}, nil},
		"not on the list":           {listed, "x", at(2, 12, 0), signer.Taken{}, signer.ErrUser},
		"on the list, not yet":      {listed, "b", at(4, 23, 59), signer.Taken{}, signer.ErrUser},
		"on the list, now":          {listed, "b", at(5, 0, 0), signer.Taken{}, nil},
		"on the list, no longer":    {listed, "b", at(10, 0, 0), signer.Taken{}, signer.ErrUser},
		"a minute early":            {hours, "x", at(2, 8, 29), signer.Taken{}, signer.ErrHours},
		"on time":                   {hours, "x", at(2, 8, 30), signer.Taken{}, nil},
		"the last minute":           {hours, "x", at(2, 17, 29), signer.Taken{}, nil},
		"after hours":               {hours, "x", at(2, 17, 30), signer.Taken{}, signer.ErrHours},
		"before the authorisation":  {span, "x", at(2, 23, 59), signer.Taken{}, signer.ErrHours},
		"in the authorisation":      {span, "x", at(3, 0, 0), signer.Taken{}, nil},
		"after the authorisation":   {span, "x", at(4, 0, 0), signer.Taken{}, signer.ErrHours},
		"one left in all":           {signer.Authorisation{Total: 3}, "x", at(2, 12, 0), signer.Taken{All: 2}, nil},
		"none left in all":          {signer.Authorisation{Total: 3}, "x", at(2, 12, 0), signer.Taken{All: 3}, signer.ErrQuota},
		"one left this month":       {signer.Authorisation{Quota: 3, Per: signer.PerMonth}, "x", at(2, 12, 0), signer.Taken{All: 9, Window: 2}, nil},
		"none left this month":      {signer.Authorisation{Quota: 3, Per: signer.PerMonth}, "x", at(2, 12, 0), signer.Taken{All: 9, Window: 3}, signer.ErrQuota},
		"over the quota by mistake": {signer.Authorisation{Quota: 3, Per: signer.PerYear}, "x", at(2, 12, 0), signer.Taken{Window: 4}, signer.ErrQuota},
	} {
		t.Run(name, func(t *testing.T) {
			if err := seal(c.a).Admit(c.person, c.at, c.taken); !errors.Is(err, c.want) {
				t.Errorf("%v", err)
			}
		})
	}
	for _, state := range []signer.SealState{"", signer.SealApplied, signer.SealApproved, signer.SealRefused, signer.SealMade, signer.SealFiled, signer.SealSuspended, signer.SealCancelled, signer.SealExpired} {
		e := seal(free)
		e.State = state
		var typed *signer.StateError
		if err := e.Admit("x", at(2, 12, 0), signer.Taken{}); !errors.As(err, &typed) || typed.From != state {
			t.Errorf("%q: %v", state, err)
		}
	}
}

// Periods of quotas are calendar periods in China, not in UTC.
func TestQuotaPeriods(t *testing.T) {
	for per, want := range map[signer.Period]time.Time{
		signer.PerDay: at(15, 0, 0), signer.PerMonth: at(1, 0, 0), signer.PerYear: time.Date(2025, 12, 31, 16, 0, 0, 0, time.UTC),
	} {
		e := signer.Seal{Life: signer.Life{Authorisation: signer.Authorisation{Per: per, Since: now}}}
		for _, moment := range []time.Time{at(15, 0, 0), at(15, 12, 0), at(15, 23, 59)} {
			if all, window := e.Counted(moment); !window.Equal(want) || !all.Equal(now) {
				t.Errorf("%s at %v: %v", per, moment, window)
			}
		}
	}
}

func TestAuthorisationValidate(t *testing.T) {
	day := at(2, 0, 0)
	many := make([]signer.User, 501)
	for i := range many {
		many[i].Person = fmt.Sprint(i)
	}
	for name, a := range map[string]signer.Authorisation{
		"ends first": {From: day, Until: day}, "negative": {Total: -1}, "quota without period": {Quota: 1}, "period without quota": {Per: signer.PerDay},
		"no such period": {Quota: 1, Per: "week"}, "hours backwards": {Hours: signer.Hours{From: 600, Until: 500}}, "25 hours": {Hours: signer.Hours{Until: 1500}},
		"a user without a name": {Users: []signer.User{{}}}, "a user twice": {Users: []signer.User{{Person: "a"}, {Person: "a"}}},
		"a user's time ends first": {Users: []signer.User{{Person: "a", From: day, Until: day}}}, "too many": {Users: many},
	} {
		if err := a.Validate(); !errors.Is(err, signer.ErrInvalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := (signer.Authorisation{Users: many[:500], From: day, Total: 1, Quota: 1, Per: signer.PerDay, Hours: signer.Hours{Until: 1440}}).Validate(); err != nil {
		t.Error(err)
	}
}

// The list and the quota bind at the request, and again when the seal is put on.
func TestUseWithinItsLimits(t *testing.T) {
	ctx := context.Background()
	h := limited(t, signer.Authorisation{Users: []signer.User{{Person: clerk.ID}}, Total: 1})
	doc := notice(t)
	other := ledger.Actor{Kind: "person", ID: "other", Unit: unit}
	if _, _, err := h.RequestUse(ctx, other, signer.UseRequest{Seal: sealID, Document: doc}); !errors.Is(err, signer.ErrUser) {
		t.Errorf("not on the list: %v", err)
	}
	first, second := h.approve(t, doc), h.approve(t, doc)
	if _, err := h.Seal(ctx, other, first.ID, doc, signer.Placement{}); !errors.Is(err, signer.ErrUser) {
		t.Errorf("somebody else puts it on: %v", err)
	}
	if _, err := h.Seal(ctx, clerk, first.ID, doc, signer.Placement{}); err != nil {
		t.Fatal(err)
	}
	if _, err := h.Seal(ctx, clerk, second.ID, doc, signer.Placement{}); !errors.Is(err, signer.ErrQuota) {
		t.Errorf("over the quota: %v", err)
	}
	if _, _, err := h.RequestUse(ctx, clerk, signer.UseRequest{Seal: sealID, Document: doc}); !errors.Is(err, signer.ErrQuota) {
		t.Errorf("a leader would be asked in vain: %v", err)
	}
	if u, err := h.Use(ctx, first.ID); err != nil || u.Type != "notice" || u.Purpose != "发文" || u.TakenAt.IsZero() {
		t.Errorf("%+v, %v", u, err)
	}
	if uses, err := h.Uses(ctx, signer.UseQuery{Unit: unit, States: []signer.UseState{signer.UseApproved}}); err != nil || len(uses) != 1 || uses[0].ID != second.ID {
		t.Errorf("%+v, %v", uses, err)
	}
	if _, err := h.Uses(ctx, signer.UseQuery{Limit: signer.MaxUses + 1}); !errors.Is(err, signer.ErrInvalid) {
		t.Errorf("%v", err)
	}
}

// A request whose unit lost the person on the way: the requester is asked about
// again when the use is counted.
func TestRequesterTakenOffTheList(t *testing.T) {
	ctx := context.Background()
	h := limited(t, signer.Authorisation{})
	doc := notice(t)
	u := h.approve(t, doc)
	if _, _, err := h.Life.AskAuthorise(ctx, signertest.Keeper, sealID, signer.Authorisation{Users: []signer.User{{Person: "other"}}}, "调岗"); err != nil {
		t.Fatal(err)
	}
	h.Answer(t, sealID, true)
	if _, _, err := h.Life.Settle(ctx, signertest.Keeper, sealID); err != nil {
		t.Fatal(err)
	}
	other := ledger.Actor{Kind: "person", ID: "other", Unit: unit}
	if _, err := h.Seal(ctx, other, u.ID, doc, signer.Placement{}); !errors.Is(err, signer.ErrUser) {
		t.Errorf("%v", err)
	}
}

// An approval that is not used in time is void, and says so.
func TestApprovalLapses(t *testing.T) {
	ctx := context.Background()
	h := newHouse(t)
	h.makeSeal(t)
	doc := notice(t)
	u := h.approve(t, doc)
	h.Set(now.Add(7*24*time.Hour + time.Second))
	for _, want := range []error{signer.ErrLapsed, signer.ErrNotApproved} {
		if _, err := h.Seal(ctx, clerk, u.ID, doc, signer.Placement{}); !errors.Is(err, want) {
			t.Errorf("%v", err)
		}
	}
	if got, _ := h.Use(ctx, u.ID); got.State != signer.UseLapsed {
		t.Errorf("it is %s", got.State)
	}
	quick := newHouse(t, func(c *signer.Config, _ *life.Config) { c.ApprovalLife = time.Hour })
	quick.makeSeal(t)
	u = quick.approve(t, doc)
	quick.Set(now.Add(time.Hour))
	if _, err := quick.Seal(ctx, clerk, u.ID, doc, signer.Placement{}); err != nil {
		t.Errorf("the last moment: %v", err)
	}
}

// The leader's signed no ends a request.
func TestUseRefused(t *testing.T) {
	ctx := context.Background()
	h := newHouse(t)
	h.makeSeal(t)
	u, _, err := h.RequestUse(ctx, clerk, signer.UseRequest{Seal: sealID, Document: notice(t)})
	if err != nil {
		t.Fatal(err)
	}
	h.Approvals.Say(u, "")
	for _, want := range []error{signer.ErrRefused, signer.ErrNotApproved} {
		if _, _, err := h.MarkApproved(ctx, clerk, u.ID); !errors.Is(err, want) {
			t.Errorf("%v", err)
		}
	}
	if got, _ := h.Use(ctx, u.ID); got.State != signer.UseRefused {
		t.Errorf("it is %s", got.State)
	}
}

// 电子签名法 art. 3 para. 3, text of 2019: what is excluded, by code and by word;
// what the text of 2004 excluded and that of 2019 does not, is not.
func TestExcludedTypes_ESignLaw3(t *testing.T) {
	table := signer.Exclusions(signer.Exclusion{Type: "oath", Words: []string{"宣誓"}, Clause: "某条例 art. 1", Zh: "宣誓书", En: "oaths"})
	for _, kind := range []string{
		"marriage", "MARRIAGE", " 离婚 协议书", "收养登记证", "adoption", "遗嘱", "inheritance", "人身关系", "water_stop", "停止供水通知", "heat_stop", "gas_stop", "停气通知", "utility_stop", "excluded_by_law",
		"oath", "宣誓书",
	} {
		var typed *signer.ExcludedError
		err := signer.CheckType(kind, table)
		if !errors.As(err, &typed) || !errors.Is(err, signer.ErrExcluded) || typed.Exclusion.Clause == "" || !strings.Contains(err.Error(), "art.") {
			t.Errorf("%s: %v", kind, err)
		}
	}
	for _, kind := range []string{"", "notice", "通知", "不动产登记", "real_estate", "power_stop", "停电通知", "请示"} {
		if err := signer.CheckType(kind, table); err != nil {
			t.Errorf("%s: %v", kind, err)
		}
	}
	if err := signer.CheckType(strings.Repeat("长", 30), table); !errors.Is(err, signer.ErrInvalid) {
		t.Errorf("%v", err)
	}
	var codes []string
	for _, x := range table {
		if x.Zh == "" || x.En == "" || x.Clause == "" || slices.Contains(codes, x.Type) {
			t.Errorf("%+v", x)
		}
		codes = append(codes, x.Type)
	}
}

func TestExcludedDocumentIsNotSealed_ESignLaw3(t *testing.T) {
	ctx := context.Background()
	h := newHouse(t)
	h.makeSeal(t)
	doc := notice(t)
	n := len(h.reg.Events(0))
	if _, _, err := h.RequestUse(ctx, clerk, signer.UseRequest{Seal: sealID, Document: doc, Type: "离婚证明"}); !errors.Is(err, signer.ErrExcluded) || len(h.reg.Events(0)) != n {
		t.Errorf("%v, events %v", err, h.reg.Events(n))
	}
	// The table grew between the approval and the seal.
	grown := newHouse(t)
	grown.makeSeal(t)
	u := grown.approve(t, doc)
	strict, err := signer.New(signer.Config{
		Register: grown.reg, Approver: grown.Approvals, Keys: grown.keys, Now: grown.Now, NewID: grown.NewID, Excluded: []signer.Exclusion{{Type: "notice", Clause: "本区规定 art. 1", Zh: "通知", En: "notices"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := strict.Seal(ctx, clerk, u.ID, doc, signer.Placement{}); !errors.Is(err, signer.ErrExcluded) {
		t.Errorf("%v", err)
	}
}
