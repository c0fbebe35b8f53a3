package store_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/yinxin-gov/yinxin/ca"
	"github.com/yinxin-gov/yinxin/ca/catest"
	"github.com/yinxin-gov/yinxin/ca/history"
	"github.com/yinxin-gov/yinxin/internal/store"
)

func TestLineageConforms(t *testing.T) {
	onEngines(t, func(t *testing.T, s *store.Store) {
		reg := s.Rooms(nil).CA
		catest.RunLineage(t, reg, func(c ca.Certificate) ca.Origin {
			all, err := reg.Trail(bg, history.Query{System: c.System, Limit: 100})
			ok(t, err)
			i := slices.IndexFunc(all, func(r history.Record) bool { return r.Serial == c.Serial })
			if i < 0 {
				t.Fatalf("%s is not listed", c.Serial)
			}
			return all[i].Origin
		})
	})
}

// chronicle drives a registry at random and keeps beside it, in the plainest way,
// what a history has to say.
type chronicle struct {
	t       *testing.T
	rooms   *store.Rooms
	svc     *history.Service
	rng     *rand.Rand
	at      time.Time
	units   []string
	certs   []*ca.Certificate
	serials int
}

func newChronicle(t *testing.T, s *store.Store, seed uint64) *chronicle {
	rooms := s.Rooms(nil)
	c := &chronicle{t: t, rooms: rooms, rng: rand.New(rand.NewPCG(seed, 1)), units: []string{"unit-a", "unit-b", "unit-c"},
		at: time.Date(2026, 1, 20, 3, 0, 0, 0, time.UTC)}
	var err error
	c.svc, err = history.New(history.Config{
		Trails: rooms.CA, Rooms: rooms.CA, Recoveries: rooms.KMC, Ledger: s.Ledger(), Ends: rooms.CA, Counts: rooms.CA, Now: func() time.Time { return c.at },
	})
	ok(t, err)
	return c
}

func (c *chronicle) add(edit func(*ca.Certificate)) *ca.Certificate {
	c.serials++
	unit := c.rng.IntN(len(c.units))
	k := &ca.Certificate{
		Issuer: "i-1", Serial: fmt.Sprintf("%06x", c.rng.IntN(1<<16)<<8|c.serials), Kind: ca.KindECDSA, Agency: c.units[unit], System: fmt.Sprintf("sys-%d-%d", unit, c.rng.IntN(3)),
		Subject: "CN=x", TBSSM3: "00", TBS: []byte{1}, DER: []byte{1}, State: ca.StatePending, NotBefore: c.at, CreatedAt: c.at,
		NotAfter: c.at.Add(time.Duration(1+c.rng.IntN(60)) * 24 * time.Hour), Origin: ca.Origin{Way: ca.WayToken, Names: []string{"x"}},
	}
	if edit != nil {
		edit(k)
	}
	_, err := c.rooms.CA.Reserve(bg, []ca.Certificate{*k}, nil, event("certificate", k.Serial))
	ok(c.t, err)
	if k.State = ca.StateGood; c.rng.IntN(12) == 0 { // a process died
		k.State, k.DER = ca.StatePending, nil
	} else {
		_, err = c.rooms.CA.Activate(bg, []ca.Certificate{*k}, event("certificate", k.Serial))
		ok(c.t, err)
	}
	c.certs = append(c.certs, k)
	return k
}

func (c *chronicle) some(states ...ca.State) *ca.Certificate {
	fit := slices.DeleteFunc(slices.Clone(c.certs), func(k *ca.Certificate) bool { return !slices.Contains(states, k.State) })
	if len(fit) == 0 {
		return nil
	}
	return fit[c.rng.IntN(len(fit))]
}

func (c *chronicle) move(k *ca.Certificate, to ca.State, reason int) {
	if k == nil {
		return
	}
	_, err := c.rooms.CA.SetState(bg, k.Issuer, k.Serial, to, reason, c.at, event("certificate", k.Serial))
	ok(c.t, err)
	if k.State, k.Reason, k.RevokedAt = to, reason, c.at; to == ca.StateGood {
		k.Reason, k.RevokedAt = 0, time.Time{}
	}
}

// live does n random things over about half a year.
func (c *chronicle) live(n int) {
	for range n {
		c.at = c.at.Add(time.Duration(c.rng.IntN(48*60)) * time.Minute)
		switch c.rng.IntN(10) {
		case 0, 1, 2, 3:
			c.add(nil)
		case 4, 5:
			if old := c.some(ca.StateGood); old != nil {
				c.add(func(k *ca.Certificate) {
					k.Agency, k.System, k.Origin.Way, k.Origin.Previous = old.Agency, old.System, ca.WayRenewal, old.Name()
				})
			}
		case 6:
			c.add(func(k *ca.Certificate) { k.Origin.Way = ca.WayX5C })
		case 7:
			c.move(c.some(ca.StateGood), ca.StateHold, 6)
		case 8:
			c.move(c.some(ca.StateHold), ca.StateGood, 0)
		case 9:
			c.move(c.some(ca.StateGood, ca.StateHold), ca.StateRevoked, []int{1, 4, 5}[c.rng.IntN(3)])
		}
	}
	c.at = c.at.Add(time.Second) // a month counts up to now, and not what is done this very moment
}

func (c *chronicle) history(q history.Query) (out []history.Entry) {
	for {
		page, err := c.svc.Of(bg, q)
		ok(c.t, err)
		out = append(out, page.Entries...)
		if q.After = page.Next; q.After == (history.Cursor{}) {
			return out
		}
	}
}

// Property: in any life of a registry each certificate is listed exactly once,
// links lead back without a circle, figures of units add up to the total, and
// months join: in force = in force before + issued - revoked - expired.
func TestHistoryOfAnyLife(t *testing.T) {
	onEngines(t, func(t *testing.T, s *store.Store) {
		seed := rand.Uint64()
		t.Logf("seed %d", seed)
		c := newChronicle(t, s, seed)
		began := c.at
		c.live(160)
		c.listed()
		c.expiring(seed)
		c.months(began)
	})
}

func (c *chronicle) listed() {
	c.t.Helper()
	seen := map[string]history.Entry{}
	for _, unit := range c.units {
		all := c.history(history.Query{Agency: unit, Limit: 7})
		if !slices.IsSortedFunc(all, func(a, b history.Entry) int { return b.CreatedAt.Compare(a.CreatedAt) }) {
			c.t.Error("not from the newest on")
		}
		for _, e := range all {
			if _, twice := seen[e.Name()]; twice || e.Agency != unit {
				c.t.Errorf("%s of %s is listed twice, or under %s", e.Serial, e.Agency, unit)
			}
			seen[e.Name()] = e
		}
	}
	bySystem := 0
	for u := range c.units {
		for n := range 3 {
			bySystem += len(c.history(history.Query{System: fmt.Sprintf("sys-%d-%d", u, n), Limit: 3}))
		}
	}
	if len(seen) != len(c.certs) || bySystem != len(c.certs) {
		c.t.Fatalf("listed %d by unit, %d by system, of %d", len(seen), bySystem, len(c.certs))
	}
	for _, k := range c.certs {
		e := seen[k.Name()]
		if e.State != k.State || e.Reason != k.Reason || !e.RevokedAt.Equal(k.RevokedAt) || e.Issued != (k.DER != nil) || e.Origin.Way != k.Origin.Way {
			c.t.Errorf("%+v, want %+v", e.Record, *k)
		}
		if k.Origin.Previous != "" && e.Origin.Previous != k.Origin.Previous {
			c.t.Errorf("%s follows %s, want %s", k.Serial, e.Origin.Previous, k.Origin.Previous)
		}
		for steps, at := 0, e; at.Origin.Previous != ""; steps++ {
			back, known := seen[at.Origin.Previous]
			if !known || !back.Issued || back.System != e.System || !back.CreatedAt.Before(at.CreatedAt) || steps > len(c.certs) {
				c.t.Fatalf("the chain of %s breaks at %s", e.Serial, at.Origin.Previous)
			}
			if at.Issued && !slices.Contains(back.Followed, at.Name()) {
				c.t.Errorf("%s does not know its successor %s", back.Serial, at.Serial)
			}
			at = back
		}
	}
}

// line is found by the links, not by the digest that the store keeps.
func (c *chronicle) line(k *ca.Certificate) string {
	for k.Origin.Way == ca.WayRenewal {
		i := slices.IndexFunc(c.certs, func(o *ca.Certificate) bool { return o.Name() == k.Origin.Previous })
		k = c.certs[i]
	}
	if k.Origin.Way == ca.WayX5C {
		return k.Serial
	}
	return k.System + " " + k.Agency
}

func (c *chronicle) expiring(seed uint64) {
	c.t.Helper()
	now := c.at
	c.at = now.Add(-time.Duration(seed%40) * 24 * time.Hour)
	defer func() { c.at = now }()
	for _, days := range []int{1, 30, 400} {
		until := c.at.Add(time.Duration(days) * 24 * time.Hour)
		var want, superseded []string
		for _, k := range c.certs {
			if k.State != ca.StateGood || k.NotAfter.Before(c.at) || k.NotAfter.After(until) {
				continue
			}
			later := func(o *ca.Certificate) bool {
				return o.State == ca.StateGood && c.line(o) == c.line(k) && o.CreatedAt.After(k.CreatedAt) && !o.NotBefore.After(c.at) && o.NotAfter.After(k.NotAfter)
			}
			if slices.ContainsFunc(c.certs, later) {
				superseded = append(superseded, k.Serial)
			} else {
				want = append(want, k.Serial)
			}
		}
		for _, all := range []bool{false, true} {
			var got []string
			q := history.ExpiringQuery{Days: days, Limit: 5, Superseded: all}
			for {
				page, err := c.svc.Ending(bg, q)
				ok(c.t, err)
				for _, e := range page.Entries {
					got = append(got, e.Serial)
					if e.Superseded != slices.Contains(superseded, e.Serial) {
						c.t.Errorf("%s: superseded %v", e.Serial, e.Superseded)
					}
				}
				if q.After = page.Next; q.After == (history.Cursor{}) {
					break
				}
			}
			expect := slices.Clone(want)
			if all {
				expect = append(expect, superseded...)
			}
			slices.Sort(got)
			slices.Sort(expect)
			if !slices.Equal(got, expect) {
				c.t.Errorf("within %d days (all %v): %v, want %v", days, all, got, expect)
			}
		}
		notice, err := c.svc.Expiring(bg, time.Duration(days)*24*time.Hour)
		if err != nil || len(notice) != len(want) || !slices.IsSortedFunc(notice, func(a, b history.Ending) int { return a.NotAfter.Compare(b.NotAfter) }) {
			c.t.Errorf("for notices: %d, want %d, %v", len(notice), len(want), err)
		}
	}
}

func (c *chronicle) months(began time.Time) {
	c.t.Helper()
	before := map[string]int{}
	issued, revoked := 0, 0
	for m := history.MonthOf(began); ; {
		r, err := c.svc.Monthly(bg, m)
		ok(c.t, err)
		sums := history.Figures{}
		force := map[string]int{"": r.Total.InForce}
		for _, u := range append(slices.Clone(r.Units), history.Unit{Figures: r.Total}) {
			f := u.Figures
			if f.InForce != before[u.Agency]+f.AllIssued()-f.AllRevoked()-f.Expired {
				c.t.Errorf("%s of %q: %d in force, %d before, %d issued, %d revoked, %d expired", m, u.Agency, f.InForce, before[u.Agency], f.AllIssued(), f.AllRevoked(), f.Expired)
			}
			if u.Agency != "" {
				force[u.Agency] = f.InForce
				sums.InForce, sums.Expired, sums.Late, sums.Renewed = sums.InForce+f.InForce, sums.Expired+f.Expired, sums.Late+f.Late, sums.Renewed+f.Renewed
				issued, revoked = issued+f.AllIssued(), revoked+f.AllRevoked()+f.Late
			}
		}
		if r.Total.InForce != sums.InForce || r.Total.Expired != sums.Expired || r.Total.Late != sums.Late || r.Total.Renewed != sums.Renewed {
			c.t.Errorf("%s: total %+v, sum %+v", m, r.Total, sums)
		}
		before = force
		_, end := m.Bounds()
		if end.After(c.at) {
			break
		}
		m = history.MonthOf(end)
	}
	want, ended, force := 0, 0, 0
	for _, k := range c.certs {
		if k.DER == nil {
			continue
		}
		want++
		if k.State == ca.StateRevoked {
			ended++
		} else if !k.NotAfter.Before(c.at) {
			force++
		}
	}
	if issued != want || before[""] != force || revoked != ended {
		c.t.Errorf("issued %d, want %d; revoked %d of %d; in force %d, want %d", issued, want, revoked, ended, before[""], force)
	}
}
