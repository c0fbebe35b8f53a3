package approval_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/yinxin-gov/yinxin/authz/approval"
	"github.com/yinxin-gov/yinxin/authz/identity"
	"github.com/yinxin-gov/yinxin/authz/ledger"
)

// committee is a world with five key management officers k0 to k4.
func committee(t testing.TB) *world {
	t.Helper()
	w := newWorld(t)
	w.with(func(c *approval.Config) { c.Votes = w.store })
	for i := range 5 {
		w.person(fmt.Sprintf("k%d", i), 1, identity.RoleKMCOfficer)
	}
	return w
}

func (w *world) quorum(id string, need int) approval.Quorum {
	return approval.Quorum{Subject: w.subject(approval.KindRecovery, id), Need: need, From: start, Until: start.AddDate(0, 0, 7)}
}

func TestQuorum_GMT0034_10_3_DifferentPersons(t *testing.T) {
	w := committee(t)
	q := w.quorum("r", 2)
	if got, err := w.svc.Quorum(t.Context(), q); !errors.Is(err, approval.ErrQuorum) || len(got) != 0 {
		t.Fatalf("nobody answered: %v, %v", got, err)
	}
	_, err := w.decide(q.Subject, "k0", true, "")
	w.must(err)
	if _, err := w.decide(q.Subject, "k0", true, ""); !errors.Is(err, approval.ErrDecided) {
		t.Errorf("one person twice: %v", err)
	}
	if got, err := w.svc.Quorum(t.Context(), q); !errors.Is(err, approval.ErrQuorum) || len(got) != 1 {
		t.Fatalf("one of two: %v, %v", got, err)
	}
	_, err = w.decide(q.Subject, "k1", true, "")
	w.must(err)
	if got, err := w.svc.Quorum(t.Context(), q); err != nil || len(got) != 2 {
		t.Fatalf("two of two: %v, %v", got, err)
	}
	if more := w.quorum("r", 3); errors.Is(func() error { _, err := w.svc.Quorum(t.Context(), more); return err }(), nil) {
		t.Error("two count as three")
	}
	ev := w.store.Events()[0]
	if ev.Class != ledger.ClassCertificate || ev.Object.Kind != string(approval.KindRecovery) || ev.Details["answer"] != "approved" {
		t.Errorf("event %+v", ev)
	}
}

func TestQuorum_WhoDoesNotCount(t *testing.T) {
	w := committee(t)
	q := w.quorum("r", 2)
	q.Subject.Requester = "k0"
	if _, err := w.decide(q.Subject, "k0", true, ""); !errors.Is(err, approval.ErrSelf) {
		t.Errorf("whoever asked: %v", err)
	}
	for _, who := range []string{"leader", "ra", "clerk"} {
		if _, err := w.decide(q.Subject, who, true, ""); !errors.Is(err, approval.ErrNotAllowed) {
			t.Errorf("%s: %v", who, err)
		}
	}
	foreign := q.Subject
	foreign.Unit = unit(t, 2)
	w.person("k9", 2, identity.RoleKMCOfficer)
	if _, err := w.decide(foreign, "k9", true, ""); !errors.Is(err, approval.ErrNotAllowed) {
		t.Errorf("an officer of another unit: %v", err)
	}
	single := approval.Quorum{Subject: w.subject(approval.KindCertificate, "c"), Need: 2, From: start, Until: start.Add(time.Hour)}
	for name, bad := range map[string]approval.Quorum{
		"a kind with one answer": single, "one person": w.quorum("r", 1), "no time": {Subject: q.Subject, Need: 2},
	} {
		if _, err := w.svc.Quorum(t.Context(), bad); !errors.Is(err, approval.ErrInvalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
	w.with(func(c *approval.Config) { c.Votes = nil })
	if _, err := w.decide(q.Subject, "k1", true, ""); !errors.Is(err, approval.ErrInvalid) {
		t.Errorf("without a store of votes: %v", err)
	}
}

// A refusal ends it, in whatever order it comes; an answer that somebody broke
// is an error and never just one answer less.
func TestQuorum_RefusedAndBroken(t *testing.T) {
	w := committee(t)
	q := w.quorum("r", 2)
	for i, yes := range []bool{true, false, true} {
		reason := ""
		if !yes {
			reason = "依据不足"
		}
		_, err := w.decide(q.Subject, fmt.Sprintf("k%d", i), yes, reason)
		w.must(err)
	}
	got, err := w.svc.Quorum(t.Context(), q)
	if !errors.Is(err, approval.ErrRefused) || len(got) != 1 || got[0].Reason != "依据不足" {
		t.Fatalf("%v, %v", got, err)
	}
	votes, err := w.store.VotesOf(t.Context(), approval.KindRecovery, "r")
	w.must(err)
	for name, edit := range map[string]func(*approval.Approval){
		"yes for no":     func(a *approval.Approval) { a.Approved = true },
		"another digest": func(a *approval.Approval) { a.Subject.Digest = strings.Repeat("cd", 32) },
		"another person": func(a *approval.Approval) { a.Approver = "k4" },
		"another time":   func(a *approval.Approval) { a.At = a.At.Add(time.Hour) },
	} {
		broken := votes[1]
		edit(&broken)
		fresh := committee(t)
		fresh.keys, fresh.reg = w.keys, w.reg
		fresh.with(func(c *approval.Config) { c.People = w.reg })
		fresh.store.Smuggle(votes[0], broken, votes[2])
		if _, err := fresh.svc.Quorum(t.Context(), q); err == nil || errors.Is(err, approval.ErrQuorum) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestQuorum_ChangedLateAndLeft(t *testing.T) {
	w := committee(t)
	q := w.quorum("r", 2)
	for _, who := range []string{"k0", "k1"} {
		_, err := w.decide(q.Subject, who, true, "")
		w.must(err)
	}
	changed := q
	changed.Subject.Digest = strings.Repeat("cd", 32)
	if got, err := w.svc.Quorum(t.Context(), changed); !errors.Is(err, approval.ErrQuorum) || len(got) != 0 {
		t.Errorf("the request was changed: %v, %v", got, err)
	}
	if _, err := w.decide(changed.Subject, "k0", true, ""); err != nil {
		t.Errorf("the same person to the changed request: %v", err)
	}
	for name, edit := range map[string]func(*approval.Quorum){
		"before it was asked": func(q *approval.Quorum) { q.From = start.Add(time.Second) },
		"lapsed":              func(q *approval.Quorum) { q.From, q.Until = start.AddDate(0, 0, -7), start },
	} {
		other := q
		edit(&other)
		if got, err := w.svc.Quorum(t.Context(), other); !errors.Is(err, approval.ErrQuorum) || len(got) != 0 {
			t.Errorf("%s: %v, %v", name, got, err)
		}
	}
	// Posts end after a year: who signed before counts, who signs after does not.
	w.now = start.AddDate(1, 0, 1)
	if got, err := w.svc.Quorum(t.Context(), q); err != nil || len(got) != 2 {
		t.Errorf("leavers signed while in office: %v, %v", got, err)
	}
	if _, err := w.decide(q.Subject, "k2", true, ""); !errors.Is(err, approval.ErrNotAllowed) {
		t.Errorf("a leaver: %v", err)
	}
}

// Whatever answers come, in whatever order and number: the quorum stands exactly
// when enough different persons approved and none refused.
func TestQuorum_Property(t *testing.T) {
	w := committee(t)
	src := rand.New(rand.NewPCG(1, 2))
	for round := range 60 {
		q := w.quorum(fmt.Sprintf("r%d", round), 2+src.IntN(3))
		var cast []approval.Approval
		yes, refused := map[string]bool{}, false
		for _, who := range src.Perm(5)[:src.IntN(6)] {
			name, no := fmt.Sprintf("k%d", who), src.IntN(8) == 0
			a, err := w.decide(q.Subject, name, !no, map[bool]string{true: "否"}[no])
			w.must(err)
			cast = append(cast, a)
			yes[name], refused = !no, refused || no
		}
		w.store.Smuggle(cast...) // each one twice: still one person
		got, err := w.svc.Quorum(t.Context(), q)
		switch {
		case refused:
			if !errors.Is(err, approval.ErrRefused) {
				t.Errorf("round %d: refused, but %v", round, err)
			}
		case len(yes) >= q.Need:
			if err != nil || len(got) != len(yes) {
				t.Errorf("round %d: %d of %d, but %d, %v", round, len(yes), q.Need, len(got), err)
			}
		case !errors.Is(err, approval.ErrQuorum):
			t.Errorf("round %d: %d of %d, but %v", round, len(yes), q.Need, err)
		}
	}
}
