package sharing_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/yinxin-gov/yinxin/authz/identity"
	"github.com/yinxin-gov/yinxin/authz/ledger"
	"github.com/yinxin-gov/yinxin/authz/sharing"
	"github.com/yinxin-gov/yinxin/authz/sharing/sharingtest"
)

// answers signs by terms: an answer to other terms is none.
type answers map[string]bool

func (a answers) Answer(_ context.Context, c sharing.Consent) (string, bool, error) {
	yes, ok := a[c.ID+c.Digest]
	if !ok {
		return "", false, sharing.ErrNotFound
	}
	return "approval-" + c.ID, yes, nil
}

// desk is a world with the resource "population" of unit 1 and its consents.
type desk struct {
	*world
	consents *sharing.Consents
	store    *sharingtest.Consents
	signed   answers
	clerk    ledger.Actor // of unit 2
}

func newDesk(t *testing.T) *desk {
	t.Helper()
	w := newWorld(t)
	w.registered()
	d := &desk{world: w, store: &sharingtest.Consents{}, signed: answers{}, clerk: ledger.Actor{Kind: "person", ID: "clerk-2", Unit: string(unit(t, 2))}}
	n := 0
	var err error
	d.consents, err = sharing.NewConsents(sharing.ConsentsConfig{
		Store: d.store, Catalogue: w.cat, Directory: w.directory, Answers: d.signed,
		Now: func() time.Time { return w.now }, NewID: func() string { n++; return fmt.Sprintf("c-%d", n) },
	})
	w.must(err)
	return d
}

func (d *desk) wish() sharing.Consent {
	return sharing.Consent{
		Resource: "population", Title: "关于社会救助工作的报告", Purpose: "引用人口基本信息",
		NotBefore: start, NotAfter: start.AddDate(0, 1, 0),
	}
}

func (d *desk) asked(edit func(*sharing.Consent)) sharing.Consent {
	d.t.Helper()
	c := d.wish()
	if edit != nil {
		edit(&c)
	}
	c, _, err := d.consents.Ask(d.t.Context(), c, d.clerk)
	d.must(err)
	return c
}

func (d *desk) given(edit func(*sharing.Consent)) sharing.Consent {
	d.t.Helper()
	c := d.asked(edit)
	d.signed[c.ID+c.Digest] = true
	c, _, err := d.consents.Decide(d.t.Context(), c.ID, d.clerk)
	d.must(err)
	return c
}

func quote(c sharing.Consent, at time.Time) sharing.Quote {
	return sharing.Quote{
		Consent: c.ID, Resource: c.Resource, ResourceName: c.ResourceName, Provider: c.Provider, ProviderName: c.ProviderName,
		Consumer: c.Consumer, Document: digest, At: at,
	}
}

func code(err error) string {
	var e *sharing.ConsentError
	if errors.As(err, &e) && errors.Is(err, sharing.ErrConsent) {
		return e.Code
	}
	return fmt.Sprint(err)
}

// BJ17-19b: a consent covers the citation that it is for, while it stands, and
// no other one.
func TestBJ17_19b_WhatAConsentCovers(t *testing.T) {
	d := newDesk(t)
	later := start.Add(time.Hour)
	good, bound, asked := d.given(nil), d.given(func(c *sharing.Consent) { c.Document = digest }), d.asked(nil)
	refused := d.asked(nil)
	d.signed[refused.ID+refused.Digest] = false
	refused, _, err := d.consents.Decide(t.Context(), refused.ID, d.clerk)
	d.must(err)
	if refused.State != sharing.ConsentRefused {
		t.Errorf("%+v", refused)
	}
	for name, tc := range map[string]struct {
		consent sharing.Consent
		edit    func(*sharing.Quote)
		want    string
	}{
		"as consented":                 {good, func(*sharing.Quote) {}, "<nil>"},
		"any document of the series":   {good, func(q *sharing.Quote) { q.Document = strings.Repeat("cd", 32) }, "<nil>"},
		"the one document":             {bound, func(*sharing.Quote) {}, "<nil>"},
		"another document":             {bound, func(q *sharing.Quote) { q.Document = strings.Repeat("cd", 32) }, sharing.ConsentOfDocument},
		"a document that nobody knows": {bound, func(q *sharing.Quote) { q.Document = "" }, sharing.ConsentOfDocument},
		"another resource":             {good, func(q *sharing.Quote) { q.Resource = "other" }, sharing.ConsentOfResource},
		"another name of it":           {good, func(q *sharing.Quote) { q.ResourceName = "别的" }, sharing.ConsentOfResource},
		"another provider":             {good, func(q *sharing.Quote) { q.Provider = unit(t, 3) }, sharing.ConsentOfProvider},
		"another consumer":             {good, func(q *sharing.Quote) { q.Consumer = unit(t, 3) }, sharing.ConsentOfConsumer},
		"before it was given":          {good, func(q *sharing.Quote) { q.At = start.Add(-time.Second) }, sharing.ConsentPeriod},
		"the moment it ends":           {good, func(q *sharing.Quote) { q.At = good.NotAfter }, sharing.ConsentPeriod},
		"no such consent":              {good, func(q *sharing.Quote) { q.Consent = "c-99" }, sharing.NoConsent},
		"asked, not answered":          {asked, func(*sharing.Quote) {}, sharing.NoConsent},
		"refused":                      {refused, func(*sharing.Quote) {}, sharing.ConsentNo},
	} {
		q := quote(tc.consent, later)
		tc.edit(&q)
		if got := code(d.consents.Check(t.Context(), q)); got != tc.want {
			t.Errorf("%s: %s, want %s", name, got, tc.want)
		}
	}
}

// A withdrawal acts from its moment on; what was sealed before keeps its consent.
func TestBJ17_19b_Withdrawal(t *testing.T) {
	d := newDesk(t)
	c := d.given(nil)
	d.now = start.Add(time.Hour)
	provider := ledger.Actor{Kind: "person", ID: "leader-1", Unit: string(unit(t, 1))}
	for name, act := range map[string]func() error{
		"the consumer":   func() error { _, _, err := d.consents.Withdraw(t.Context(), c.ID, "不再同意", d.clerk); return err },
		"no reason":      func() error { _, _, err := d.consents.Withdraw(t.Context(), c.ID, "", provider); return err },
		"a control sign": func() error { _, _, err := d.consents.Withdraw(t.Context(), c.ID, "a\x1b", provider); return err },
	} {
		if err := act(); !errors.Is(err, sharing.ErrInvalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
	c, rc, err := d.consents.Withdraw(t.Context(), c.ID, "数据有误", provider)
	d.must(err)
	if c.State != sharing.ConsentWithdrawn || rc.Promise != ledger.Integrated {
		t.Errorf("%+v %+v", c, rc)
	}
	if got := code(d.consents.Check(t.Context(), quote(c, d.now))); got != sharing.ConsentTaken {
		t.Errorf("after: %s", got)
	}
	if err := d.consents.Check(t.Context(), quote(c, d.now.Add(-time.Second))); err != nil {
		t.Errorf("before: %v", err)
	}
	if _, _, err := d.consents.Withdraw(t.Context(), c.ID, "再次", provider); !errors.Is(err, sharing.ErrConsent) {
		t.Errorf("twice: %v", err)
	}
	if got := strings.Join(d.store.Types(), " "); got != "sharing.citation.asked sharing.citation.consented sharing.citation.withdrawn" {
		t.Error(got)
	}
}

// A row that was changed behind the service's back has no signature any more.
func TestBJ17_19b_ATamperedConsentIsUnsigned(t *testing.T) {
	for name, edit := range map[string]func(*sharing.Consent){
		"period":          func(c *sharing.Consent) { c.NotAfter = c.NotAfter.AddDate(1, 0, 0) },
		"document":        func(c *sharing.Consent) { c.Document = digest },
		"another answer":  func(c *sharing.Consent) { c.Approval = "approval-x" },
		"an empty answer": func(c *sharing.Consent) { c.Approval = "" },
		"terms, digest":   func(c *sharing.Consent) { c.Purpose, c.Digest = "别的", digest },
	} {
		d := newDesk(t)
		c := d.given(nil)
		d.store.Tamper(c.ID, edit)
		if got := code(d.consents.Check(t.Context(), quote(c, start.Add(time.Minute)))); got != sharing.ConsentUnsigned {
			t.Errorf("%s: %s", name, got)
		}
	}
	d := newDesk(t)
	c := d.given(nil)
	d.store.Tamper(c.ID, func(c *sharing.Consent) { c.State = sharing.ConsentWithdrawn })
	if got := code(d.consents.Check(t.Context(), quote(c, start.Add(time.Minute)))); got != sharing.ConsentTaken {
		t.Errorf("withdrawn at no time: %s", got)
	}
	c = d.asked(nil)
	d.store.Tamper(c.ID, func(c *sharing.Consent) {
		c.State, c.DecidedAt, c.Approval = sharing.ConsentGiven, start, "approval-"+c.ID
	})
	if got := code(d.consents.Check(t.Context(), quote(c, start.Add(time.Minute)))); got != sharing.ConsentUnsigned {
		t.Errorf("state without an answer: %s", got)
	}
}

func TestAskingForAConsent(t *testing.T) {
	d := newDesk(t)
	for name, tc := range map[string]struct {
		edit  func(*sharing.Consent)
		actor func(*ledger.Actor)
		want  error
	}{
		"no title":            {func(c *sharing.Consent) { c.Title = " " }, nil, sharing.ErrInvalid},
		"no purpose":          {func(c *sharing.Consent) { c.Purpose = "" }, nil, sharing.ErrInvalid},
		"not a digest":        {func(c *sharing.Consent) { c.Document = "AB" }, nil, sharing.ErrInvalid},
		"no period":           {func(c *sharing.Consent) { c.NotAfter = time.Time{} }, nil, sharing.ErrInvalid},
		"over":                {func(c *sharing.Consent) { c.NotBefore, c.NotAfter = start.AddDate(0, -2, 0), start }, nil, sharing.ErrInvalid},
		"unknown resource":    {func(c *sharing.Consent) { c.Resource = "other" }, nil, sharing.ErrNotFound},
		"unknown unit":        {nil, func(a *ledger.Actor) { a.Unit = string(unit(t, 9)) }, identity.ErrNotFound},
		"a system, no person": {nil, func(a *ledger.Actor) { a.Kind = "system" }, sharing.ErrInvalid},
	} {
		c, a := d.wish(), d.clerk
		if tc.edit != nil {
			tc.edit(&c)
		}
		if tc.actor != nil {
			tc.actor(&a)
		}
		if _, _, err := d.consents.Ask(t.Context(), c, a); !errors.Is(err, tc.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if n := len(d.store.Events()); n != 0 {
		t.Errorf("%d events", n)
	}
	c := d.asked(nil)
	if _, _, err := d.consents.Decide(t.Context(), c.ID, d.clerk); code(err) != sharing.NoConsent {
		t.Errorf("decided without an answer: %v", err)
	}
	given := d.given(nil)
	if _, _, err := d.consents.Decide(t.Context(), given.ID, d.clerk); !errors.Is(err, sharing.ErrConsent) {
		t.Errorf("decided twice: %v", err)
	}
	if given.StateAt(start) != sharing.ConsentGiven || given.StateAt(given.NotAfter) != sharing.ConsentExpired {
		t.Errorf("%s %s", given.StateAt(start), given.StateAt(given.NotAfter))
	}
	for u, want := range map[int]int{1: 2, 2: 2, 3: 0} {
		if all, err := d.consents.Of(t.Context(), unit(t, u)); err != nil || len(all) != want {
			t.Errorf("unit %d: %d consents, %v", u, len(all), err)
		}
	}
	if _, err := sharing.NewConsents(sharing.ConsentsConfig{}); err == nil {
		t.Error("an incomplete config")
	}
}

// BJ17-19b: a decision rests on no consent that was refused, withdrawn, is over, is
// another's or was changed after it was signed.
func TestGivenConsents_BJ17_19b(t *testing.T) {
	d := newDesk(t)
	good := d.given(nil)
	d.asked(nil)
	d.store.Tamper(d.given(nil).ID, func(c *sharing.Consent) { c.NotAfter = c.NotAfter.AddDate(1, 0, 0) })
	gone := d.given(nil)
	_, _, err := d.consents.Withdraw(t.Context(), gone.ID, "数据有误", ledger.Actor{Kind: "person", ID: "leader-1", Unit: string(good.Provider)})
	d.must(err)
	ids := func(resource string, consumer identity.USCC) (out []string) {
		list, err := d.consents.Given(t.Context(), resource, consumer)
		d.must(err)
		for _, c := range list {
			out = append(out, c.ID)
		}
		return out
	}
	if got := ids("population", good.Consumer); len(got) != 1 || got[0] != good.ID {
		t.Errorf("%v, want %s", got, good.ID)
	}
	if got := append(ids("another", good.Consumer), ids("population", good.Provider)...); got != nil {
		t.Errorf("%v", got)
	}
	d.now = good.NotAfter
	if got := ids("population", good.Consumer); got != nil {
		t.Errorf("over, and still %v", got)
	}
}
