package signer_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/yinxin-gov/yinxin/signer"
)

// A sweep lets lapse what was not answered in thirty days, and what was approved
// and not used in seven, and nothing else.
func TestLapse(t *testing.T) {
	ctx := context.Background()
	h := newHouse(t)
	h.makeSeal(t)
	doc := notice(t)
	open, _, err := h.RequestUse(ctx, clerk, signer.UseRequest{Seal: sealID, Document: doc, Title: "x"})
	if err != nil {
		t.Fatal(err)
	}
	idle := h.approve(t, doc)
	for _, c := range []struct {
		after      time.Duration
		open, idle bool // lapse at this moment
	}{
		{7 * 24 * time.Hour, false, false},
		{7*24*time.Hour + time.Second, false, true},
		{30 * 24 * time.Hour, false, false},
		{30*24*time.Hour + time.Second, true, false},
		{60 * 24 * time.Hour, false, false},
	} {
		h.Set(now.Add(c.after))
		for id, want := range map[string]bool{open.ID: c.open, idle.ID: c.idle} {
			if got, err := h.Lapse(ctx, clerk, id); got != want || err != nil {
				t.Errorf("after %s: %v %v, want %v", c.after, got, err, want)
			}
		}
	}
	for _, id := range []string{open.ID, idle.ID} {
		if u, _ := h.Use(ctx, id); u.State != signer.UseLapsed {
			t.Errorf("it is %s", u.State)
		}
	}
	if _, err := h.Lapse(ctx, clerk, "none"); !errors.Is(err, signer.ErrNotFound) {
		t.Errorf("%v", err)
	}
}

// A place that the document does not have is refused with the request.
func TestRequestUse_Place(t *testing.T) {
	ctx := context.Background()
	h := newHouse(t)
	h.makeSeal(t)
	for _, p := range []signer.Placement{{Page: 99}, {Keyword: "没有这几个字"}, {Ride: "middle"}, {Ride: signer.EdgeRight}} {
		if _, _, err := h.RequestUse(ctx, clerk, signer.UseRequest{Seal: sealID, Document: notice(t), Title: "x", Place: p}); !errors.Is(err, signer.ErrDocument) {
			t.Errorf("%+v: %v", p, err)
		}
	}
	if _, _, err := h.RequestUse(ctx, clerk, signer.UseRequest{Seal: sealID, Document: notice(t), Title: "x", Place: signer.Placement{Page: 1, X: 10, Y: 10}}); err != nil {
		t.Errorf("%v", err)
	}
}

// A batch lapses with what is not sealed of it, asked about by any of its items.
func TestBatchLapses(t *testing.T) {
	ctx := context.Background()
	h := newHouse(t)
	h.makeSeal(t)
	f, m := papers(t, 3)
	asked, _, err := h.RequestBatch(ctx, clerk, signer.BatchRequest{Seal: sealID, Title: "一批", Manifest: m})
	if err != nil {
		t.Fatal(err)
	}
	approved := h.batch(t, m)
	items, err := h.Items(ctx, approved.ID)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := h.Seal(ctx, clerk, items[1].ID, f.docs[items[1].Title], signer.Placement{}); err != nil {
		t.Fatal(err)
	}
	listed, err := h.Items(ctx, asked.ID)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		after time.Duration
		item  string
		want  bool
	}{
		{7 * 24 * time.Hour, items[0].ID, false},
		{7*24*time.Hour + time.Second, items[0].ID, true},
		{7*24*time.Hour + time.Second, items[2].ID, false}, // with the first
		{7*24*time.Hour + time.Second, listed[0].ID, false},
		{30*24*time.Hour + time.Second, listed[0].ID, true},
	} {
		h.Set(now.Add(c.after))
		if got, err := h.Lapse(ctx, clerk, c.item); got != c.want || err != nil {
			t.Errorf("after %s: %v %v, want %v", c.after, got, err, c.want)
		}
	}
	for id, want := range map[string]signer.UseState{
		asked.ID: signer.UseLapsed, listed[2].ID: signer.UseLapsed, approved.ID: signer.UseLapsed,
		items[0].ID: signer.UseLapsed, items[1].ID: signer.UseSealed, items[2].ID: signer.UseLapsed,
	} {
		if u, err := h.Use(ctx, id); err != nil || u.State != want {
			t.Errorf("%s is %s, want %s (%v)", u.Title, u.State, want, err)
		}
	}
}

// What a leaver asked for ends, a batch with its list; what others asked for, and
// what is sealed, stays.
func TestWithdrawAll(t *testing.T) {
	ctx := context.Background()
	h := newHouse(t)
	h.makeSeal(t)
	open, _, err := h.RequestUse(ctx, clerk, signer.UseRequest{Seal: sealID, Document: notice(t), Title: "x"})
	if err != nil {
		t.Fatal(err)
	}
	_, m := papers(t, 3)
	asked, _, err := h.RequestBatch(ctx, clerk, signer.BatchRequest{Seal: sealID, Title: "一批", Manifest: m})
	if err != nil {
		t.Fatal(err)
	}
	admin := clerk
	admin.ID = "the administrator"
	if n, err := h.WithdrawAll(ctx, admin, "somebody else"); n != 0 || err != nil {
		t.Errorf("%d, %v", n, err)
	}
	if n, err := h.WithdrawAll(ctx, admin, clerk.ID); n != 2 || err != nil {
		t.Errorf("%d, %v", n, err)
	}
	items, err := h.Items(ctx, asked.ID)
	if err != nil {
		t.Fatal(err)
	}
	for _, id := range append([]string{open.ID, asked.ID}, items[0].ID, items[2].ID) {
		if u, err := h.Use(ctx, id); err != nil || u.State != signer.UseLapsed {
			t.Errorf("%s is %s, %v", id, u.State, err)
		}
	}
	if n, err := h.WithdrawAll(ctx, admin, clerk.ID); n != 0 || err != nil {
		t.Errorf("again: %d, %v", n, err)
	}
}
