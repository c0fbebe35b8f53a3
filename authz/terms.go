package authz

import (
	"cmp"
	"slices"
	"time"

	"github.com/yinxin-gov/yinxin/authz/identity"
	"github.com/yinxin-gov/yinxin/authz/sharing"
)

// PurposePublish is the purpose code by which a provider seals, inside an
// agreement, its consent to publish (2018 Xi'an rule art. 25).
const PurposePublish = "publish"

// usable finds the agreement under which agency uses source s: the one of the
// smallest id, so that the record does not depend on the order of the store.
// The core decides whether one is needed; this side only computes obligations
// and the consent that the sealed guard asks for.
func (v view) usable(s source, agency identity.USCC) *sharing.Agreement {
	if s.item == nil || s.item.Resource.Provider == agency {
		return nil
	}
	var found *sharing.Agreement
	for i := range v.terms {
		a := &v.terms[i]
		if !v.covers(a, s.item, agency) {
			continue
		}
		if found == nil || a.ID < found.ID {
			found = a
		}
	}
	return found
}

func (v view) covers(a *sharing.Agreement, it *Item, agency identity.USCC) bool {
	return v.binds(a, it, agency) && fieldsAgreed(a, it, v.req.Fields)
}

// binds: in force between these for the purpose, whatever the items.
func (v view) binds(a *sharing.Agreement, it *Item, agency identity.USCC) bool {
	return a.Resource == it.Resource.ID && a.Provider == it.Resource.Provider && isParty(a, it, agency) &&
		inForce(a, v.now) && slices.Contains(a.Purposes, v.req.Purpose)
}

// isParty: the consumer of the agreement, or the keeper of a copy that came
// from it with the provider's consent.
func isParty(a *sharing.Agreement, it *Item, agency identity.USCC) bool {
	if a.Consumer == agency {
		return true
	}
	h := it.Holding
	return h != nil && h.Agreement == a.ID && h.Agency == agency &&
		it.Resource.Regime == sharing.RegimeXicheng2014 && slices.Contains(a.Onward, agency)
}

// inForce: period, no termination, and a seal of each of the three parties.
// The mathematics of the seals is checked when the agreement is registered
// (authz/sharing); an empty signature is none.
func inForce(a *sharing.Agreement, now time.Time) bool {
	if now.Before(a.NotBefore) || !now.Before(a.NotAfter) {
		return false
	}
	if !a.Terminated.IsZero() && !now.Before(a.Terminated) {
		return false
	}
	sealed := sealedBy(a)
	return slices.Contains(sealed, a.Provider) && slices.Contains(sealed, a.Consumer) && slices.Contains(sealed, a.Office)
}

func sealedBy(a *sharing.Agreement) []identity.USCC {
	var out []identity.USCC
	for _, s := range a.Seals {
		if s.Party != "" && len(s.Signature) > 0 {
			out = append(out, s.Party)
		}
	}
	return out
}

// fieldsAgreed: of several sources each agreement answers for the items of its
// own resource. An item with a mask may be asked for all the same: it is masked.
func fieldsAgreed(a *sharing.Agreement, it *Item, fields []string) bool {
	for _, f := range fields {
		if slices.Contains(it.Resource.Items, f) && !slices.Contains(a.Fields, f) && !it.Resource.Masks(f) {
			return false
		}
	}
	return true
}

// user is the agency that uses s and is not its provider (使用单位): the
// subject's or, when the provider itself hands over, the receiver's. "" when
// nobody does: a hop and a re-grading use no content, and neither does an act
// that nobody knows.
func (v view) user(s source) identity.USCC {
	if s.item == nil || !v.known || !usesContent(v.req.Action) {
		return ""
	}
	provider, own := s.item.Resource.Provider, v.subject.Agency.USCC
	if own != provider {
		return own
	}
	if to := v.receiver().USCC; to != provider {
		return to
	}
	return ""
}

func usesContent(a Action) bool {
	switch a {
	case ActionRead, ActionCopy, ActionDerive, ActionMerge, ActionRelabel, ActionForward, ActionStore, ActionPublish:
		return true
	}
	return false
}

// agreements are those the act rests on, without duplicates, in order of id.
func (v view) agreements() []*sharing.Agreement {
	var out []*sharing.Agreement
	for _, s := range v.sources {
		if a := v.usable(s, v.user(s)); a != nil && !slices.Contains(out, a) {
			out = append(out, a)
		}
	}
	slices.SortFunc(out, func(a, b *sharing.Agreement) int { return cmp.Compare(a.ID, b.ID) })
	return out
}

// publishConsent: every source has an agreement whose sealed purposes name
// publishing. The provider's own request is no consent: opening information is
// its signed act (the tag public_disclosure).
func (v view) publishConsent() bool {
	if v.req.Action != ActionPublish || !v.known || len(v.sources) == 0 {
		return false
	}
	for _, s := range v.sources {
		if !v.consented(s) {
			return false
		}
	}
	return true
}

func (v view) consented(s source) bool {
	if s.item == nil || s.item.Resource.Provider == v.subject.Agency.USCC {
		return false
	}
	for i := range v.terms {
		if v.covers(&v.terms[i], s.item, v.subject.Agency.USCC) && slices.Contains(v.terms[i].Purposes, PurposePublish) {
			return true
		}
	}
	return false
}
