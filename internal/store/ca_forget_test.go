package store_test

import (
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/yinxin-gov/yinxin/ca"
	"github.com/yinxin-gov/yinxin/ca/profile"
	"github.com/yinxin-gov/yinxin/ca/status"
	"github.com/yinxin-gov/yinxin/ca/status/statustest"
	"github.com/yinxin-gov/yinxin/internal/store"
)

// What was noted more than a day ago and is further back than a node is told of
// at once is forgotten, and nothing else; who was that far behind hears it.
func TestOldChangesAreForgotten(t *testing.T) {
	const most, day = 4096, 24 * time.Hour
	for name, address := range engines {
		t.Run(name, func(t *testing.T) {
			s := open(t, migrated(t, address(t)))
			c, at := s.Rooms(nil).CA, day0
			forget := func(now time.Time, want int64) {
				t.Helper()
				if n, err := c.ForgetChanges(bg, now, day); err != nil || n != want {
					t.Fatalf("%d forgotten, want %d: %v", n, want, err)
				}
			}
			forget(at, 0) // nothing yet
			note(t, s, 5000)
			forget(at.Add(time.Hour), 0)       // all of today
			forget(at.Add(day+time.Minute), 0) // marked at 0 then: what came after it is not old for sure
			note(t, s, 100)
			forget(at.Add(day+time.Hour), 5100-most) // 5000 are old, the last of them would be told of at once
			forget(at.Add(day+time.Hour), 0)         // the same moment, another node
			note(t, s, 5000)
			forget(at.Add(2*day), 5000-(5100-most)) // as of a day before: the mark of 5000
			if n, err := s.CountRows(bg, "ca_status_change"); err != nil || n != 5100 {
				t.Errorf("%d rows, %v", n, err)
			}
			if n, err := s.CountRows(bg, "ca_status_mark"); err != nil || n > 4 {
				t.Errorf("%d marks, %v", n, err)
			}
			for revision, want := range map[int64]error{0: status.ErrBehind, 4999: status.ErrBehind, 5000: status.ErrBehind, 10100 - most - 1: status.ErrBehind, 10100 - most: nil, 10099: nil, 10100: nil, -1: nil} {
				now, keys, err := c.ChangedSince(bg, revision)
				if !errors.Is(err, want) || now != 10100 || want == nil && revision >= 0 && int64(len(keys)) != now-revision {
					t.Errorf("after %d: revision %d, %d keys, %v", revision, now, len(keys), err)
				}
			}
			forget(at.Add(9*day), 10100-most-5000) // those of the last mark
			if _, keys, err := c.ChangedSince(bg, 10100-most); err != nil || len(keys) != most {
				t.Errorf("%d keys are left, %v", len(keys), err)
			}
			// A database that was set back says so too.
			if _, _, err := c.ChangedSince(bg, 20000); !errors.Is(err, status.ErrBehind) {
				t.Errorf("after what never was: %v", err)
			}
		})
	}
}

var day0 = time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)

// note writes so many changes at once, as that many acts would.
func note(t *testing.T, s *store.Store, n int) {
	t.Helper()
	ok(t, s.Exec(bg, fmt.Sprintf(`WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c WHERE i < %d)
		INSERT INTO ca_status_change (revision, issuer, serial) SELECT r.revision + c.i, 'aa', 'bb' FROM c, ca_status_revision AS r`, n)))
	ok(t, s.Exec(bg, fmt.Sprintf("UPDATE ca_status_revision SET revision = revision + %d", n)))
}

// Nodes forget, revoke and follow at once: who follows misses nothing, unless it
// is told that it is behind.
func TestForgettingWhileOthersFollow(t *testing.T) {
	for name, address := range engines {
		t.Run(name, func(t *testing.T) {
			url := migrated(t, address(t))
			s := open(t, url)
			h := statustest.New(t, s.Rooms(nil).CA)
			note(t, s, 6000)
			c, other := s.Rooms(nil).CA, open(t, url).Rooms(nil).CA
			if n, err := c.ForgetChanges(bg, day0.AddDate(0, 0, -2), 24*time.Hour); n != 0 {
				t.Fatalf("%d, %v", n, err)
			}
			from, _, err := c.ChangedSince(bg, -1)
			ok(t, err)
			want := map[status.Key]bool{}
			var writers, cleaners sync.WaitGroup
			for range 20 {
				cert, _ := h.Issue(profile.ECDSALeaf, profile.ECDSAIssuing)
				want[status.Key{Issuer: h.Authorities[profile.ECDSAIssuing].ID, Serial: ca.FormatSerial(cert.SerialNumber)}] = true
				writers.Go(func() { h.Set(profile.ECDSAIssuing, cert.SerialNumber, ca.StateRevoked, 1) })
			}
			done := make(chan struct{})
			for n, node := range []status.Changes{c, other} {
				cleaners.Go(func() {
					for i := 0; ; i++ {
						if _, err := node.ForgetChanges(bg, day0.Add(time.Duration(2*i+n)*time.Microsecond), 24*time.Hour); err != nil {
							t.Error(err)
						}
						select {
						case <-done:
							return
						default:
						}
					}
				})
			}
			go func() { writers.Wait(); close(done) }()
			for over := false; !over; {
				select {
				case <-done:
					over = true
				default:
				}
				now, keys, err := other.ChangedSince(bg, from)
				ok(t, err)
				for _, k := range keys {
					delete(want, k)
				}
				from = now
				if _, _, err := other.ChangedSince(bg, 1000); !errors.Is(err, status.ErrBehind) {
					t.Errorf("5000 behind: %v", err)
				}
			}
			cleaners.Wait()
			if len(want) != 0 {
				t.Errorf("%d changes were missed", len(want))
			}
			if n, err := s.CountRows(bg, "ca_status_change"); err != nil || n > 4096+20 {
				t.Errorf("%d rows are left, %v", n, err)
			}
		})
	}
}
