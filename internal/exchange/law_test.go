package exchange_test

import (
	"errors"
	mrand "math/rand/v2"
	"testing"
	"time"

	"github.com/yinxin-gov/yinxin/authz"
	"github.com/yinxin-gov/yinxin/authz/level"
	"github.com/yinxin-gov/yinxin/authz/sharing"
)

// A copy handed on by the id of the holding: origin, source, agreement and end
// of the copy of the copy (design law 1; X14 art. 23).
func TestX14_23b_CopyOfACopy(t *testing.T) {
	w := newWorld(t)
	first := w.deliver(1, 2, "population")
	w.now = w.now.Add(time.Hour)
	second := w.deliver(2, 3, first.Holding)
	h, err := w.cat.Holding(t.Context(), second.Holding)
	must(t, err)
	src, err := w.cat.Holding(t.Context(), first.Holding)
	must(t, err)
	if h.Resource != "population" || len(h.Sources) != 1 || h.Sources[0] != src.ID || h.Agreement != "agreement-1" || h.Until.After(src.Until) || h.Until.IsZero() {
		t.Errorf("copy of a copy %+v", h)
	}
}

// Of several agreements the record names one in force for the purpose.
func TestSend_NamesTheAgreementInForce(t *testing.T) {
	w := newWorld(t)
	w.agree("agreement-0", 2, start.AddDate(0, 1, 0))
	if tr := w.send(1, 2, "population"); tr.Agreement != "agreement-0" {
		t.Errorf("got %s", tr.Agreement)
	}
	w.now = start.AddDate(0, 2, 0)
	if tr := w.send(1, 2, "population"); tr.Agreement != "agreement-1" {
		t.Errorf("after its end: %s", tr.Agreement)
	}
}

// Law: whatever is raised between sending, fetching and confirming, the label
// of a registered copy dominates resource, source and transfer.
func TestX11_30_CopyIsNeverLower(t *testing.T) {
	for seed := range uint64(24) {
		rnd := mrand.New(mrand.NewPCG(seed, 7))
		w := newWorld(t)
		w.decide = func(*world, authz.Request) []string { return nil } // also when decisions are stale
		current := label(3, level.TagPersonal)
		rise := func() {
			if rnd.IntN(2) == 0 {
				return
			}
			current = level.Join(current, label(level.Level(1+rnd.IntN(4)), []level.Tag{level.TagSensitive, level.TagWorkSecret, level.TagLegalPerson}[rnd.IntN(3)]))
			up := current
			w.cat.raised = &up
		}
		resource := "population"
		for _, hop := range [][2]int{{1, 2}, {2, 3}} {
			rise()
			tr := w.send(hop[0], hop[1], resource)
			rise()
			w.fetch(hop[1], tr.ID)
			rise()
			got, _, err := w.svc.Receive(t.Context(), actor(hop[1]), tr.ID, w.signed(hop[1], tr))
			must(t, err)
			resource = got.Holding
			h, err := w.cat.Holding(t.Context(), resource)
			must(t, err)
			if !h.Label.Dominates(current) || !h.Label.Dominates(tr.Label) {
				t.Fatalf("seed %d: holding %s, resource %s, transfer %s", seed, h.Label, current, tr.Label)
			}
		}
		if _, err := w.cat.Holding(t.Context(), resource); errors.Is(err, sharing.ErrNotFound) {
			t.Fatal("no holding")
		}
	}
}
