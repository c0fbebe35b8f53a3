package exchange_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/yinxin-gov/yinxin/authz"
	"github.com/yinxin-gov/yinxin/authz/level"
	"github.com/yinxin-gov/yinxin/authz/sharing"
	"github.com/yinxin-gov/yinxin/internal/exchange"
)

// X11-30, X11-31: what is made of copies is decided, registered with its sources, and
// neither lower nor kept longer than they are.
func TestKeep(t *testing.T) {
	w := newWorld(t)
	a, b := w.deliver(1, 2, "population").Holding, w.deliver(1, 2, "population").Holding
	payload := strings.Repeat("ab", 32)
	keep := func(n int, k exchange.KeepRequest) (sharing.Holding, error) {
		h, _, err := w.svc.Keep(t.Context(), actor(n), k)
		return h, err
	}
	got, err := keep(2, exchange.KeepRequest{Sources: []string{b, a, b}, Purpose: "relief", Payload: payload})
	must(t, err)
	last := w.asked[len(w.asked)-1]
	if last.Action != authz.ActionMerge || last.Target != sys(2) || len(last.Sources) != 1 {
		t.Errorf("asked %+v", last)
	}
	stored, err := w.cat.Holding(t.Context(), got.ID)
	must(t, err)
	if len(stored.Sources) != 2 || !slices.IsSorted(stored.Sources) || !stored.Until.Equal(start.AddDate(0, 6, 0)) || stored.Agreement != "agreement-1" || stored.System != sys(2) {
		t.Errorf("kept %+v", stored)
	}
	high := label(4, level.TagPersonal)
	if got, err = keep(2, exchange.KeepRequest{Sources: []string{a}, Purpose: "relief", Payload: payload, Label: &high, Until: start.AddDate(0, 1, 0)}); err != nil || got.Label.Level != 4 || !got.Until.Equal(start.AddDate(0, 1, 0)) {
		t.Errorf("raised %+v, %v", got, err)
	}
	if w.asked[len(w.asked)-1].Action != authz.ActionDerive {
		t.Error("made of one copy is derived")
	}
	low, before := label(1), len(w.asked)
	for name, c := range map[string]struct {
		n    int
		k    exchange.KeepRequest
		want error
	}{
		"of another's copy": {3, exchange.KeepRequest{Sources: []string{a}, Purpose: "relief", Payload: payload}, sharing.ErrNotFound},
		"of nothing":        {2, exchange.KeepRequest{Purpose: "relief", Payload: payload}, exchange.ErrKeep},
		"without content":   {2, exchange.KeepRequest{Sources: []string{a}, Purpose: "relief"}, exchange.ErrKeep},
		"of what is not":    {2, exchange.KeepRequest{Sources: []string{"ghost"}, Purpose: "relief", Payload: payload}, sharing.ErrNotFound},
	} {
		if _, err := keep(c.n, c.k); !errors.Is(err, c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if len(w.asked) != before {
		t.Error("an incomplete request reached the decision point")
	}
	if _, err := keep(2, exchange.KeepRequest{Sources: []string{a}, Purpose: "relief", Payload: payload, Label: &low}); !errors.Is(err, exchange.ErrDenied) {
		t.Errorf("lowered: %v", err)
	}
	if _, err := keep(2, exchange.KeepRequest{Sources: []string{a}, Purpose: "relief", Payload: payload, Until: start.AddDate(-1, 0, 0)}); !errors.Is(err, exchange.ErrKeep) {
		t.Errorf("ended before it begins: %v", err)
	}
}
