package catest

import (
	"context"
	"errors"
	"reflect"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/yinxin-gov/yinxin/ca/anchor"
)

// RunAnchors is the conformance suite of anchor.Register.
func RunAnchors(t *testing.T, open func(*testing.T) anchor.Register) {
	t.Helper()
	for name, test := range map[string]func(*testing.T, anchor.Register){
		"an anchor keeps what was proposed":                 anchorKept,
		"one certificate is proposed by one of eight":       anchorProposedOnce,
		"an anchor is settled or withdrawn by one of eight": anchorMovedOnce,
	} {
		t.Run(name, func(t *testing.T) { test(t, open(t)) })
	}
}

func proposal(der string) anchor.Anchor {
	now := time.Now().UTC().Truncate(time.Millisecond)
	return anchor.Anchor{
		ID: uuid.Must(uuid.NewV7()).String(), DER: []byte(der), Service: "样例电子认证服务", Licence: "样例〔2026〕1号", URL: "https://ca.example/licence",
		From: now.Add(-time.Hour), Until: now.Add(time.Hour), Reason: "样例", AskedBy: "p-1", AskedAt: now, State: anchor.Proposed,
	}
}

func anchorKept(t *testing.T, r anchor.Register) {
	ctx := context.Background()
	a := proposal("one")
	if _, err := r.AddAnchor(ctx, a, event()); err != nil {
		t.Fatal(err)
	}
	got, err := r.Anchor(ctx, a.ID)
	if err != nil || !reflect.DeepEqual(got, a) || got.Digest() != a.Digest() {
		t.Fatalf("%+v, %v", got, err)
	}
	moved := got
	moved.State, moved.Approval, moved.SettledAt, moved.Reason = anchor.InForce, "a-1", a.AskedAt.Add(time.Minute), "another reason"
	if _, err := r.MoveAnchor(ctx, moved, anchor.Proposed, event()); err != nil {
		t.Fatal(err)
	}
	got, err = r.Anchor(ctx, a.ID)
	if err != nil || got.State != anchor.InForce || got.Approval != "a-1" || !got.SettledAt.Equal(moved.SettledAt) || got.Digest() != a.Digest() {
		t.Errorf("after it was settled: %+v, %v", got, err)
	}
	if list, err := r.Anchors(ctx, anchor.InForce); err != nil || len(list) != 1 {
		t.Errorf("in force: %d, %v", len(list), err)
	}
	if list, err := r.Anchors(ctx, anchor.Proposed); err != nil || len(list) != 0 {
		t.Errorf("proposed: %d, %v", len(list), err)
	}
	if _, err := r.Anchor(ctx, "none"); !errors.Is(err, anchor.ErrNotFound) {
		t.Errorf("no such anchor: %v", err)
	}
	if _, err := r.MoveAnchor(ctx, anchor.Anchor{ID: "none"}, anchor.Proposed, event()); !errors.Is(err, anchor.ErrNotFound) {
		t.Errorf("no such anchor: %v", err)
	}
}

func anchorProposedOnce(t *testing.T, r anchor.Register) {
	ctx := context.Background()
	race(t, anchor.ErrExists, func() error {
		_, err := r.AddAnchor(ctx, proposal("same"), event())
		return err
	})
	list, err := r.Anchors(ctx)
	if err != nil || len(list) != 1 {
		t.Fatalf("%d, %v", len(list), err)
	}
	over := list[0]
	over.State = anchor.Withdrawn
	if _, err := r.MoveAnchor(ctx, over, anchor.Proposed, event()); err != nil {
		t.Fatal(err)
	}
	if _, err := r.AddAnchor(ctx, proposal("same"), event()); err != nil {
		t.Errorf("again, after it was withdrawn: %v", err)
	}
}

func anchorMovedOnce(t *testing.T, r anchor.Register) {
	ctx := context.Background()
	a := proposal("one")
	if _, err := r.AddAnchor(ctx, a, event()); err != nil {
		t.Fatal(err)
	}
	a.State = anchor.InForce
	race(t, anchor.ErrState, func() error {
		_, err := r.MoveAnchor(ctx, a, anchor.Proposed, event())
		return err
	})
	a.State = anchor.Withdrawn
	if _, err := r.MoveAnchor(ctx, a, anchor.Refused, event()); !errors.Is(err, anchor.ErrState) {
		t.Errorf("from a state that it is not in: %v", err)
	}
}
