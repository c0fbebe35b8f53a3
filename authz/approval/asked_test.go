package approval_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/yinxin-gov/yinxin/authz/approval"
)

// A subject has one answer: what nobody asked in these very words takes none, from
// nobody's key, and the right leader still can answer.
func TestDecide_OnlyWhatWasAsked(t *testing.T) {
	w := newWorld(t)
	want := w.subject(approval.KindSealUse, "s")
	down := error(nil)
	w.with(func(c *approval.Config) {
		c.Asked = func(_ context.Context, s approval.Subject) error {
			if s != want {
				return fmt.Errorf("%w: nobody asked for this", approval.ErrInvalid)
			}
			return down
		}
	})
	for name, edit := range map[string]func(*approval.Subject){
		"another requester": func(s *approval.Subject) { s.Requester = "somebody" },
		"another digest":    func(s *approval.Subject) { s.Digest = strings.Repeat("cd", 32) },
		"another subject":   func(s *approval.Subject) { s.ID = "t" },
	} {
		s := want
		edit(&s)
		if _, err := w.decide(s, "leader", true, ""); !errors.Is(err, approval.ErrInvalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
	down = errors.New("register is down")
	if _, err := w.decide(want, "leader", true, ""); !errors.Is(err, down) {
		t.Errorf("register is down: %v", err)
	}
	if len(w.store.Events()) != 0 {
		t.Errorf("recorded %v", w.store.Types())
	}
	down = nil
	_, err := w.decide(want, "leader", true, "")
	w.must(err)
}
