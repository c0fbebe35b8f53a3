package authz

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/yinxin-gov/yinxin/authz/identity"
	"github.com/yinxin-gov/yinxin/authz/sharing"
)

// Quotable is a provider's consent (引用同意) that a unit quotes a resource, as far as
// a decision rests on it (京政发〔2017〕37号 art. 19). Its leader's signature was
// verified when the facts were read.
type Quotable struct {
	ID       string        `json:"id"`
	Resource string        `json:"resource"`
	Provider identity.USCC `json:"provider"`
	Consumer identity.USCC `json:"consumer"`
	Document string        `json:"document,omitempty"` // SM3 of the only document that it is for
	From     time.Time     `json:"from"`
	Until    time.Time     `json:"until"`
}

// QuotableOf is the fact of a consent that was given. It begins when it was given,
// in the whole seconds in which signatures tell their time.
func QuotableOf(c sharing.Consent) Quotable {
	q := Quotable{ID: c.ID, Resource: c.Resource, Provider: c.Provider, Consumer: c.Consumer, Document: c.Document, From: c.NotBefore, Until: c.NotAfter}
	if given := c.DecidedAt.Truncate(time.Second); given.After(q.From) {
		q.From = given
	}
	return q
}

// Quotes answers with the consents to quote a resource that a unit was given and that
// were neither withdrawn nor tampered with; those long over may be left out.
type Quotes interface {
	QuotesOf(ctx context.Context, resource string, consumer identity.USCC) ([]Quotable, error)
}

// consents reads what those who use were consented to quote; only for a use that
// quotes.
func (l *loading) consents(r Request) error {
	if r.CitedIn == "" || l.Quotes == nil {
		return nil
	}
	for _, it := range l.used() {
		for _, agency := range l.users(it) {
			list, err := l.Quotes.QuotesOf(l.ctx, it.Resource.ID, agency)
			if err != nil {
				return fmt.Errorf("reading what %s may quote of %s: %w", agency, it.Resource.ID, err)
			}
			l.snap.Consents = append(l.snap.Consents, list...)
		}
	}
	slices.SortFunc(l.snap.Consents, func(a, b Quotable) int { return cmp.Compare(a.ID, b.ID) })
	l.snap.Consents = slices.CompactFunc(l.snap.Consents, func(a, b Quotable) bool { return a.ID == b.ID })
	return nil
}

func (b inputBuilder) consents(v view) *ast.Term {
	out := make([]*ast.Term, len(v.quotes))
	for i, q := range v.quotes {
		out[i] = ast.ObjectTerm(
			b.str("resource", q.Resource), b.str("provider", string(q.Provider)), b.str("consumer", string(q.Consumer)), b.str("document", q.Document),
			b.bool("begun", v.now.UnixMilli() >= q.From.UnixMilli()), b.bool("expired", v.now.UnixMilli() >= q.Until.UnixMilli()),
		)
	}
	return ast.ArrayTerm(out...)
}

// quoted are the consents that a use rests on, for the record: of each source the one
// that runs longest.
func (v view) quoted() (ids []string) {
	for _, s := range v.sources {
		var best *Quotable
		for i := range v.quotes {
			q := &v.quotes[i]
			if s.item == nil || v.req.CitedIn == "" || q.Resource != s.item.Resource.ID || q.Provider != s.item.Resource.Provider || q.Consumer != v.user(s) ||
				q.Document != "" && q.Document != v.req.CitedIn || v.now.Before(q.From) || !v.now.Before(q.Until) {
				continue
			}
			if best == nil || q.Until.After(best.Until) {
				best = q
			}
		}
		if best != nil {
			ids = append(ids, best.ID)
		}
	}
	slices.Sort(ids)
	return slices.Compact(ids)
}
