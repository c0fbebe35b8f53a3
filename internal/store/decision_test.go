package store_test

import (
	"context"
	"encoding/hex"
	"fmt"
	"sync"
	"testing"

	"github.com/emmansun/gmsm/sm3"

	"github.com/yinxin-gov/yinxin/internal/store"
)

func document(text string) (string, []byte) {
	sum := sm3.Sum([]byte(text))
	return hex.EncodeToString(sum[:]), []byte(text)
}

// A document comes back byte for byte, is kept once whoever keeps it again,
// and the store outlives its memory of it.
func TestDecisionsAreKept(t *testing.T) {
	onEngines(t, func(t *testing.T, s *store.Store) {
		d := s.Decisions()
		docs := map[string][]byte{}
		for i := range 200 {
			sum, body := document(fmt.Sprintf(`{"n":%d,"text":"区'民政局\"; -- \u0000"}`, i))
			docs[sum] = body
		}
		ok(t, d.Keep(bg, docs))
		ok(t, d.Keep(bg, docs))
		ok(t, s.Decisions().Keep(bg, docs)) // another process
		for sum, body := range docs {
			got, err := s.Decisions().Kept(bg, sum)
			ok(t, err)
			if string(got) != string(body) {
				t.Fatalf("%s", got)
			}
		}
		if n := count(t, s, "decision_fact"); n != 200 {
			t.Fatalf("%d rows", n)
		}
		sum, _ := document("other")
		_, err := d.Kept(bg, sum)
		wantErr(t, err, store.ErrNotKept)
		ok(t, d.Keep(bg, nil))
		for _, bad := range []string{"", "zz", sum + "00", sum[:62], "G" + sum[1:]} {
			if err := d.Keep(bg, map[string][]byte{bad: nil}); err == nil {
				t.Errorf("%q was kept", bad)
			}
		}
	})
}

// Many callers, two nodes, the same documents at once: each is told that it is
// kept only when it is.
func TestDecisionsAreKeptByMany(t *testing.T) {
	onEngines(t, func(t *testing.T, s *store.Store) {
		nodes := []*store.Decisions{s.Decisions(), s.Decisions()}
		var wait sync.WaitGroup
		for i := range 64 {
			wait.Go(func() {
				for j := range 10 {
					sum, body := document(fmt.Sprint((i + j) % 20))
					if err := nodes[i%2].Keep(bg, map[string][]byte{sum: body}); err != nil {
						t.Error(err)
					}
					if _, err := nodes[i%2].Kept(bg, sum); err != nil {
						t.Error(err)
					}
				}
			})
		}
		wait.Wait()
		if n := count(t, s, "decision_fact"); n != 20 {
			t.Fatalf("%d rows", n)
		}
	})
}

// What could not be written is not remembered as kept; a caller who leaves
// takes nothing of the others with him.
func TestDecisionsFailClosed(t *testing.T) {
	onEngines(t, func(t *testing.T, s *store.Store) {
		d := s.Decisions()
		sum, body := document("a")
		ok(t, s.Exec(bg, "ALTER TABLE decision_fact RENAME TO decision_fact_gone"))
		if err := d.Keep(bg, map[string][]byte{sum: body}); err == nil {
			t.Fatal("kept nowhere")
		}
		ok(t, s.Exec(bg, "ALTER TABLE decision_fact_gone RENAME TO decision_fact"))
		ctx, cancel := context.WithCancel(bg)
		cancel()
		ok(t, d.Keep(ctx, map[string][]byte{sum: body}))
		_, err := d.Kept(bg, sum)
		ok(t, err)
	})
}
