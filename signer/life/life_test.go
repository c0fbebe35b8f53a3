package life_test

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

var ctx = context.Background()

const id = signertest.SealID

// done is an act as a test calls it.
type done func(h *signertest.House) error

func third[A, B any](_ A, _ B, err error) error { return err }

// acts are all acts of the room, each done right: by a person who may, with all
// that it needs.
func acts(t *testing.T) map[life.Act]done {
	return map[life.Act]done{
		life.ActApply: func(h *signertest.House) error {
			a := signertest.Application(t)
			a.ValidUntil = h.Now().AddDate(1, 0, 0)
			return third(h.Life.Apply(ctx, signertest.Applicant, a))
		},
		life.ActApprove: func(h *signertest.House) error {
			answer(t, h, true)
			return third(h.Life.Settle(ctx, signertest.Applicant, id))
		},
		life.ActMake: func(h *signertest.House) error {
			return third(h.Life.Make(ctx, signertest.Admin, h.Spec(t), h.Maker()))
		},
		life.ActFile:     func(h *signertest.House) error { return third(h.Life.File(ctx, signertest.Admin, id, life.Filing{})) },
		life.ActActivate: func(h *signertest.House) error { return third(h.Life.Activate(ctx, signertest.Keeper, id)) },
		life.ActSuspend:  func(h *signertest.House) error { return third(h.Life.Suspend(ctx, signertest.Leader, id, "遗失")) },
		life.ActResume: func(h *signertest.House) error {
			if err := third(h.Life.AskResume(ctx, signertest.Keeper, id, "找回")); err != nil {
				return err
			}
			answer(t, h, true)
			return third(h.Life.Settle(ctx, signertest.Keeper, id))
		},
		life.ActCancel: func(h *signertest.House) error {
			return third(h.Life.Cancel(ctx, signertest.Keeper, id, "机构撤并"))
		},
		life.ActAuthorise: func(h *signertest.House) error {
			if err := third(h.Life.AskAuthorise(ctx, signertest.Keeper, id, signer.Authorisation{Total: 3}, "限量")); err != nil {
				return err
			}
			answer(t, h, true)
			return third(h.Life.Settle(ctx, signertest.Keeper, id))
		},
		life.ActExpire: func(h *signertest.House) error {
			h.Set(signertest.Start().AddDate(2, 0, 0))
			e, err := h.Life.Seal(ctx, id)
			if err == nil && e.State != signer.SealExpired {
				err = &signer.StateError{Seal: id, From: e.State, To: signer.SealExpired}
			}
			return err
		},
	}
}

// answer signs as the leader, if anything is asked.
func answer(t *testing.T, h *signertest.House, yes bool) {
	if e, err := h.Register.Seal(ctx, id); err == nil && e.Ask != nil {
		h.Answer(t, id, yes)
	}
}

// reach brings a new house with one seal to each state.
func reach(t *testing.T, state signer.SealState) *signertest.House {
	h := signertest.NewHouse(t)
	switch state {
	case "":
	case signer.SealRefused:
		h.To(t, signer.SealApplied)
		h.Answer(t, id, false)
		if err := third(h.Life.Settle(ctx, signertest.Applicant, id)); err != nil {
			t.Fatal(err)
		}
	case signer.SealCancelled, signer.SealExpired:
		h.To(t, signer.SealActive)
		act := map[signer.SealState]life.Act{signer.SealCancelled: life.ActCancel, signer.SealExpired: life.ActExpire}[state]
		if err := acts(t)[act](h); err != nil {
			t.Fatal(err)
		}
	default:
		h.To(t, state)
	}
	return h
}

var states = []signer.SealState{
	"", signer.SealApplied, signer.SealApproved, signer.SealRefused, signer.SealMade, signer.SealFiled, signer.SealActive, signer.SealSuspended,
	signer.SealCancelled, signer.SealExpired,
}

// 电子印章管理办法 art. 17, 18: every act in every state either is in the table, and
// leads where the table says, or is refused, names both states and changes
// nothing.
func TestEveryActInEveryState(t *testing.T) {
	for _, from := range states {
		for act, do := range acts(t) {
			t.Run(fmt.Sprintf("%s/%s", from, act), func(t *testing.T) {
				h := reach(t, from)
				before, _ := h.Register.Seal(ctx, id)
				n := len(h.Register.Events(0))
				rule, ok := life.RuleOf(act)
				if !ok {
					t.Fatal("no rule")
				}
				err := do(h)
				after, _ := h.Register.Seal(ctx, id)
				if slices.Contains(rule.From, from) {
					want := rule.To
					if want == "" {
						want = from
					}
					if err != nil || after.State != want || !slices.Contains(h.Register.Events(n), rule.Event) {
						t.Fatalf("%s, want %s: %v, events %v", after.State, want, err, h.Register.Events(n))
					}
					return
				}
				if act != life.ActExpire || from != signer.SealExpired { // that it is over may be seen again
					refusedState(t, err, from)
				}
				if after.State != before.State || after.Revision != before.Revision || len(h.Register.Events(0)) != n {
					t.Fatalf("a refused act changed the seal: %+v, events %v", after, h.Register.Events(n))
				}
			})
		}
	}
}

// refusedState: a refusal names the state in which the seal stands. Where there
// is no seal, or nothing asked, that is said instead.
func refusedState(t *testing.T, err error, from signer.SealState) {
	t.Helper()
	var state *signer.StateError
	switch {
	case from == "" && errors.Is(err, signer.ErrNotFound), from != "" && errors.Is(err, signer.ErrExists), errors.Is(err, life.ErrNotAsked):
	case errors.As(err, &state) && state.From == from && state.To != "" && errors.Is(err, signer.ErrSealState):
		if s := err.Error(); !strings.Contains(s, string(state.From)) || !strings.Contains(s, string(state.To)) {
			t.Fatalf("the refusal does not name both states: %s", s)
		}
	default:
		t.Fatalf("refused with %v", err)
	}
}

// The history of a seal is listed in order and has every act.
func TestHistory(t *testing.T) {
	h := reach(t, signer.SealSuspended)
	if err := acts(t)[life.ActResume](h); err != nil {
		t.Fatal(err)
	}
	steps, err := h.Life.Steps(ctx, id)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, p := range steps {
		got = append(got, string(p.Act)+">"+string(p.To))
	}
	want := []string{"apply>applied", "approve>approved", "make>made", "file>filed", "activate>active", "suspend>suspended", "ask>suspended", "resume>active"}
	if !slices.Equal(got, want) {
		t.Errorf("%v", got)
	}
	if e, _ := h.Life.Seal(ctx, id); e.Filing != signer.FilingSample || e.CustodyClass != "memory" || e.Maker != signertest.Admin.ID || e.Approver != signertest.Leader.ID || e.Ask != nil {
		t.Errorf("%+v", e.Life)
	}
}

// reference/regulations §12: posts, and the incompatible pairs.
func TestWhoMay(t *testing.T) {
	all := []ledger.Actor{
		signertest.Clerk, signertest.Leader, signertest.Keeper, signertest.Admin, signertest.Stranger, {Kind: "person", ID: "nobody", Unit: signertest.Unit},
		{Kind: "system", ID: "sys", Unit: signertest.Unit}, {Kind: "service", ID: "yinxin"}, {},
	}
	for name, c := range map[string]struct {
		at  signer.SealState
		do  func(h *signertest.House, a ledger.Actor) error
		may string
	}{
		"apply": {"", func(h *signertest.House, a ledger.Actor) error {
			return third(h.Life.Apply(ctx, a, signertest.Application(t)))
		}, "clerk keeper"},
		"make": {signer.SealApproved, func(h *signertest.House, a ledger.Actor) error {
			return third(h.Life.Make(ctx, a, h.Spec(t), h.Maker()))
		}, "seal-admin"},
		"file":     {signer.SealMade, func(h *signertest.House, a ledger.Actor) error { return third(h.Life.File(ctx, a, id, life.Filing{})) }, "seal-admin"},
		"activate": {signer.SealFiled, func(h *signertest.House, a ledger.Actor) error { return third(h.Life.Activate(ctx, a, id)) }, "keeper seal-admin"},
		"suspend":  {signer.SealActive, func(h *signertest.House, a ledger.Actor) error { return third(h.Life.Suspend(ctx, a, id, "x")) }, "leader keeper seal-admin yinxin"},
		"cancel":   {signer.SealActive, func(h *signertest.House, a ledger.Actor) error { return third(h.Life.Cancel(ctx, a, id, "x")) }, "leader keeper seal-admin yinxin"},
		"ask":      {signer.SealSuspended, func(h *signertest.House, a ledger.Actor) error { return third(h.Life.AskResume(ctx, a, id, "x")) }, "keeper seal-admin"},
	} {
		t.Run(name, func(t *testing.T) {
			var may []string
			for _, a := range all {
				h := reach(t, c.at)
				switch err := c.do(h, a); {
				case err == nil:
					may = append(may, a.ID)
				case !errors.Is(err, life.ErrRole):
					t.Errorf("%s: %v", a.ID, err)
				}
			}
			if got := strings.Join(may, " "); got != c.may {
				t.Errorf("%q may, want %q", got, c.may)
			}
		})
	}
}

func TestSeparationOfDuties(t *testing.T) {
	both := func(h *signertest.House, person string, unit, role string) { h.Posts[person+"@"+unit] = []string{role} }
	maker := signertest.MakerUnit
	for name, do := range map[string]func(t *testing.T, h *signertest.House) error{
		"applicant makes": func(t *testing.T, h *signertest.House) error {
			h.To(t, signer.SealApproved)
			both(h, signertest.Applicant.ID, maker, "seal_administrator")
			return third(h.Life.Make(ctx, signertest.Applicant, h.Spec(t), h.Maker()))
		},
		"approver makes": func(t *testing.T, h *signertest.House) error {
			h.To(t, signer.SealApproved)
			both(h, signertest.Leader.ID, maker, "seal_administrator")
			return third(h.Life.Make(ctx, signertest.Leader, h.Spec(t), h.Maker()))
		},
		"applicant approves": func(t *testing.T, h *signertest.House) error {
			e := h.To(t, signer.SealApplied)
			h.Approvals.Asks[e.Ask.ID+" "+e.Ask.Digest] = life.Answer{ID: "x", Approver: signertest.Applicant.ID, Yes: true}
			return third(h.Life.Settle(ctx, signertest.Applicant, id))
		},
		"a user makes": func(t *testing.T, h *signertest.House) error {
			a := signertest.Application(t)
			a.Authorisation.Users = []signer.User{{Person: signertest.Admin.ID}}
			h.Walk(t, a, h.Spec(t), signer.SealApproved)
			return third(h.Life.Make(ctx, signertest.Admin, h.Spec(t), h.Maker()))
		},
		"the maker becomes a user": func(t *testing.T, h *signertest.House) error {
			h.To(t, signer.SealActive)
			return third(h.Life.AskAuthorise(ctx, signertest.Keeper, id, signer.Authorisation{Users: []signer.User{{Person: signertest.Admin.ID}}}, "x"))
		},
		"who asks answers": func(t *testing.T, h *signertest.House) error {
			h.To(t, signer.SealSuspended)
			e, _, err := h.Life.AskResume(ctx, signertest.Keeper, id, "找回")
			if err != nil {
				t.Fatal(err)
			}
			h.Approvals.Asks[e.Ask.ID+" "+e.Ask.Digest] = life.Answer{ID: "x", Approver: signertest.Keeper.ID, Yes: true}
			return third(h.Life.Settle(ctx, signertest.Keeper, id))
		},
		"the maker answers": func(t *testing.T, h *signertest.House) error {
			h.To(t, signer.SealSuspended)
			e, _, err := h.Life.AskResume(ctx, signertest.Keeper, id, "找回")
			if err != nil {
				t.Fatal(err)
			}
			h.Approvals.Asks[e.Ask.ID+" "+e.Ask.Digest] = life.Answer{ID: "x", Approver: signertest.Admin.ID, Yes: true}
			return third(h.Life.Settle(ctx, signertest.Keeper, id))
		},
	} {
		t.Run(name, func(t *testing.T) {
			if err := do(t, signertest.NewHouse(t)); !errors.Is(err, life.ErrSeparation) {
				t.Errorf("%v", err)
			}
		})
	}
	t.Run("the maker's key makes no seal for itself", func(t *testing.T) {
		h := reach(t, signer.SealApproved)
		spec := h.Spec(t)
		spec.KeyID = signertest.MakerKey
		if err := third(h.Life.Make(ctx, signertest.Admin, spec, h.Maker())); !errors.Is(err, signer.ErrInvalid) {
			t.Errorf("%v", err)
		}
	})
}

// One question at a time; a no changes nothing but that it was said; stopping
// makes a question void.
func TestAsks(t *testing.T) {
	h := reach(t, signer.SealSuspended)
	if err := third(h.Life.Settle(ctx, signertest.Keeper, id)); !errors.Is(err, life.ErrNotAsked) {
		t.Errorf("%v", err)
	}
	if err := third(h.Life.AskResume(ctx, signertest.Keeper, id, "")); !errors.Is(err, life.ErrReason) {
		t.Errorf("%v", err)
	}
	first, _, err := h.Life.AskResume(ctx, signertest.Keeper, id, "找回")
	if err != nil {
		t.Fatal(err)
	}
	if err := third(h.Life.AskResume(ctx, signertest.Keeper, id, "再问")); !errors.Is(err, life.ErrAsked) {
		t.Errorf("%v", err)
	}
	if waiting, err := h.Life.Seals(ctx, life.Query{Unit: signertest.Unit, Awaits: true}); err != nil || len(waiting) != 1 {
		t.Errorf("%d wait, %v", len(waiting), err)
	}
	if err := third(h.Life.Settle(ctx, signertest.Keeper, id)); !errors.Is(err, signer.ErrNotApproved) {
		t.Errorf("without an answer: %v", err)
	}
	h.Answer(t, id, false)
	e, _, err := h.Life.Settle(ctx, signertest.Keeper, id)
	if err != nil || e.State != signer.SealSuspended || e.Ask != nil {
		t.Fatalf("a no: %s, %v", e.State, err)
	}
	// The yes of an earlier question is not one to the next.
	h.Approvals.Asks[first.Ask.ID+" "+first.Ask.Digest] = life.Answer{ID: "old", Approver: signertest.Leader.ID, Yes: true}
	if err := third(h.Life.AskResume(ctx, signertest.Keeper, id, "找回")); err != nil {
		t.Fatal(err)
	}
	if err := third(h.Life.Settle(ctx, signertest.Keeper, id)); !errors.Is(err, signer.ErrNotApproved) {
		t.Errorf("an old answer was taken: %v", err)
	}
	if e, _, err = h.Life.Cancel(ctx, signertest.Leader, id, "撤并"); err != nil || e.Ask != nil {
		t.Fatalf("%+v, %v", e.Ask, err)
	}
	if h.Approvals.Asks[first.Ask.ID+" "+first.Ask.Digest].ID == "" || len(first.Ask.Digest) != 64 {
		t.Error("the question has no digest")
	}
}

// The end of a period is written when it is seen, by whoever sees it first, and
// by a sweep.
func TestExpiry(t *testing.T) {
	h := reach(t, signer.SealActive)
	if n, err := h.Life.EndAll(ctx); n != 0 || err != nil {
		t.Fatalf("%d ended, %v", n, err)
	}
	e, _ := h.Life.Seal(ctx, id)
	h.Set(e.ValidUntil.Add(time.Second))
	if _, _, err := h.RequestUse(ctx, signertest.Clerk, signer.UseRequest{Seal: id, Document: signertest.Notice(t)}); !errors.Is(err, signer.ErrSealState) {
		t.Fatalf("%v", err)
	}
	if got, _ := h.Register.Seal(ctx, id); got.State != signer.SealExpired {
		t.Errorf("noticed, but it is %s", got.State)
	}
	other := reach(t, signer.SealSuspended)
	other.Set(e.ValidUntil.Add(time.Second))
	if n, err := other.Life.EndAll(ctx); n != 1 || err != nil {
		t.Errorf("%d ended, %v", n, err)
	}
	if n, err := other.Life.EndAll(ctx); n != 0 || err != nil {
		t.Errorf("%d ended twice, %v", n, err)
	}
}

func TestNewNeedsItsParts(t *testing.T) {
	if _, err := life.New(life.Config{}); err == nil {
		t.Error("an empty configuration was accepted")
	}
}
