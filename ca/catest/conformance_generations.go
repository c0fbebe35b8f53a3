package catest

import (
	"context"
	"errors"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/yinxin-gov/yinxin/ca/authority"
	"github.com/yinxin-gov/yinxin/ca/profile"
)

// RunGenerations is the conformance suite of authority.Register.
func RunGenerations(t *testing.T, open func(*testing.T) authority.Register) {
	t.Helper()
	for name, test := range map[string]func(*testing.T, authority.Register){
		"a generation keeps what was prepared":               generationKept,
		"one change at a time is begun, by one of eight":     generationBegunOnce,
		"the change is one act, and done by one of eight":    generationSwitchedOnce,
		"a change that fails leaves the current one current": generationNotSwitched,
	} {
		t.Run(name, func(t *testing.T) { test(t, open(t)) })
	}
}

func generation(number int, state authority.State) authority.Generation {
	now := time.Now().UTC().Truncate(time.Millisecond)
	return authority.Generation{
		Number: number, SwitchAt: now.Add(time.Hour), Reason: "样例", AskedBy: "p-1", AskedAt: now, State: state,
		Members: []authority.Member{
			{Track: profile.SM2, Kind: authority.Issuing, Key: "k", By: "r", Issuer: "ab", Serial: "1f", TBS: []byte("tbs")},
			{Track: profile.ECDSA, Kind: authority.Issuing, Key: "k2", By: "r2", Issuer: "cd", Serial: "2f", TBS: []byte("tbs2")},
		},
	}
}

func generationKept(t *testing.T, r authority.Register) {
	ctx := context.Background()
	if all, err := r.Generations(ctx); err != nil || len(all) != 0 {
		t.Fatalf("before the first: %v, %v", all, err)
	}
	g := generation(2, authority.Recorded)
	first := generation(1, authority.Current)
	first.CurrentAt, first.Members[0].DER = first.AskedAt, []byte("first")
	if _, err := r.AddGenerations(ctx, []authority.Generation{first, g}, event()); err != nil {
		t.Fatal(err)
	}
	all, err := r.Generations(ctx)
	if err != nil || len(all) != 2 || !reflect.DeepEqual(all[0], first) || !reflect.DeepEqual(all[1], g) || all[1].Digest() != g.Digest() {
		t.Fatalf("%+v, %v", all, err)
	}
	moved := g
	moved.Members = slices.Clone(g.Members)
	moved.State, moved.Reason, moved.Members[0].DER = authority.Prepared, "another reason", []byte("der")
	if _, err := r.MoveGeneration(ctx, moved, authority.Recorded, event()); err != nil {
		t.Fatal(err)
	}
	all, err = r.Generations(ctx)
	if got := all[1]; err != nil || got.State != authority.Prepared || string(got.Members[0].DER) != "der" || got.Digest() != g.Digest() {
		t.Errorf("after it was signed: %+v, %v", got, err)
	}
	short, err := r.Standings(ctx)
	if want := []authority.Standing{{Number: 1, State: authority.Current}, {Number: 2, State: authority.Prepared}}; err != nil || !slices.Equal(short, want) {
		t.Errorf("in short: %v, %v", short, err)
	}
	if _, err := r.MoveGeneration(ctx, generation(9, authority.Prepared), authority.Recorded, event()); !errors.Is(err, authority.ErrNotFound) {
		t.Errorf("no such generation: %v", err)
	}
}

func generationBegunOnce(t *testing.T, r authority.Register) {
	ctx := context.Background()
	race(t, authority.ErrBusy, func() error {
		_, err := r.AddGenerations(ctx, []authority.Generation{generation(1, authority.Current), generation(2, authority.Recorded)}, event())
		return err
	})
	if _, err := r.AddGenerations(ctx, []authority.Generation{generation(3, authority.Recorded)}, event()); !errors.Is(err, authority.ErrBusy) {
		t.Errorf("a second change: %v", err)
	}
	over := generation(2, authority.Withdrawn)
	if _, err := r.MoveGeneration(ctx, over, authority.Recorded, event()); err != nil {
		t.Fatal(err)
	}
	if _, err := r.AddGenerations(ctx, []authority.Generation{generation(3, authority.Recorded)}, event()); err != nil {
		t.Errorf("after the first was given up: %v", err)
	}
}

func generationSwitchedOnce(t *testing.T, r authority.Register) {
	ctx := context.Background()
	if _, err := r.AddGenerations(ctx, []authority.Generation{generation(1, authority.Current), generation(2, authority.Approved)}, event()); err != nil {
		t.Fatal(err)
	}
	next := generation(2, authority.Current)
	next.CurrentAt = next.AskedAt.Add(time.Hour)
	race(t, authority.ErrState, func() error {
		_, err := r.MoveGeneration(ctx, next, authority.Approved, event())
		return err
	})
	all, err := r.Generations(ctx)
	if err != nil || all[0].State != authority.Retired || !all[0].RetiredAt.Equal(next.CurrentAt) || all[1].State != authority.Current || !all[1].CurrentAt.Equal(next.CurrentAt) {
		t.Errorf("%+v, %v", all, err)
	}
}

func generationNotSwitched(t *testing.T, r authority.Register) {
	ctx := context.Background()
	if _, err := r.AddGenerations(ctx, []authority.Generation{generation(1, authority.Current), generation(2, authority.Prepared)}, event()); err != nil {
		t.Fatal(err)
	}
	if _, err := r.MoveGeneration(ctx, generation(2, authority.Current), authority.Approved, event()); !errors.Is(err, authority.ErrState) {
		t.Errorf("not approved: %v", err)
	}
	short, err := r.Standings(ctx)
	if want := []authority.Standing{{Number: 1, State: authority.Current}, {Number: 2, State: authority.Prepared}}; err != nil || !slices.Equal(short, want) {
		t.Errorf("%v, %v", short, err)
	}
}
