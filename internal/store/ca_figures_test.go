package store_test

import (
	"slices"
	"testing"
	"time"

	"github.com/yinxin-gov/yinxin/authz/ledger"
	"github.com/yinxin-gov/yinxin/ca"
	"github.com/yinxin-gov/yinxin/ca/history"
	"github.com/yinxin-gov/yinxin/internal/store"
)

// What ends exactly now or exactly at the last moment is in the list, what is held,
// revoked or for tests is not (RFC 5280 4.1.2.5: valid through notAfter).
func TestWhatEndsIsExact(t *testing.T) {
	onEngines(t, func(t *testing.T, s *store.Store) {
		c := newChronicle(t, s, 1)
		now := c.at
		const day = 24 * time.Hour
		add := func(serial string, kind ca.Kind, end time.Duration, to ca.State) {
			t.Helper()
			k := ca.Certificate{Issuer: "i-1", Serial: serial, Kind: kind, Agency: "u", System: "s-" + serial, Subject: "CN=x", TBSSM3: "00", TBS: []byte{1}, DER: []byte{1}, State: ca.StatePending,
				NotBefore: now.Add(-day), NotAfter: now.Add(end), CreatedAt: now.Add(-day)}
			_, err := c.rooms.CA.Reserve(bg, []ca.Certificate{k}, nil, event("certificate", serial))
			ok(t, err)
			if to == ca.StatePending {
				return
			}
			_, err = c.rooms.CA.Activate(bg, []ca.Certificate{k}, event("certificate", serial))
			ok(t, err)
			if to != ca.StateGood {
				_, err = c.rooms.CA.SetState(bg, "i-1", serial, to, 0, now, event("certificate", serial))
				ok(t, err)
			}
		}
		add("01", ca.KindService, -time.Microsecond, ca.StateGood)
		add("02", ca.KindCA, 0, ca.StateGood)
		add("03", ca.KindSeal, 30*day, ca.StateGood)
		add("04", ca.KindPerson, 30*day+time.Microsecond, ca.StateGood)
		add("05", ca.KindECDSA, day, ca.StateHold)
		add("06", ca.KindECDSA, day, ca.StateRevoked)
		add("07", ca.KindECDSA, day, ca.StatePending)
		add("08", ca.KindSM2SignTest, day, ca.StateGood)
		page, err := c.svc.Ending(bg, history.ExpiringQuery{Superseded: true})
		ok(t, err)
		var got []string
		for _, e := range page.Entries {
			got = append(got, e.Serial)
		}
		if !slices.Equal(got, []string{"02", "03"}) {
			t.Errorf("listed %v", got)
		}
	})
}

// Requests count in the month of each step, by China's calendar; a request waits
// from its submission to its first certificate, and only once.
func TestMonthOfRequests(t *testing.T) {
	onEngines(t, func(t *testing.T, s *store.Store) {
		c := newChronicle(t, s, 1)
		edge := time.Date(2026, 1, 31, 16, 0, 0, 0, time.UTC) // the first moment of February in China
		on := func(at time.Time) ledger.Event {
			ev := event("certificate_request", "x")
			ev.Time = at
			return ev
		}
		request := func(id string, at time.Time) ca.Request {
			t.Helper()
			r := ca.Request{ID: id, Agency: "u", System: "s-" + id, CommonName: "x", Organization: "x", Hosts: []string{id}, Purpose: ca.PurposeProduction, SubmittedBy: "p-1", State: ca.RequestSubmitted, CreatedAt: at}
			_, err := c.rooms.CA.AddRequests(bg, []ca.Request{r}, on(at))
			ok(t, err)
			return r
		}
		decide := func(r ca.Request, to ca.RequestState, at time.Time) {
			t.Helper()
			r.State, r.ReviewedBy, r.ReviewedAt, r.Evidence = ca.RequestReviewed, "p-2", at, []ca.Evidence{{Kind: ca.EvidenceOther, Method: ca.MethodCopy}}
			_, err := c.rooms.CA.ReviewRequest(bg, r, on(at))
			ok(t, err)
			if r.State, r.DecidedBy = to, "p-3"; to == ca.RequestApproved {
				r.Approval = "a-" + r.ID
			}
			_, err = c.rooms.CA.DecideRequest(bg, r, on(at))
			ok(t, err)
		}
		early := request("r1", edge.Add(-time.Millisecond))
		late, third, fourth := request("r2", edge), request("r3", edge), request("r4", edge.Add(time.Hour))
		decide(early, ca.RequestApproved, edge.Add(-time.Millisecond))
		decide(late, ca.RequestApproved, edge.Add(time.Hour))
		decide(third, ca.RequestRefused, edge.Add(time.Hour))
		_, err := c.rooms.CA.WithdrawRequest(bg, late, on(edge.Add(30*24*time.Hour)))
		ok(t, err)
		_, err = c.rooms.CA.WithdrawRequest(bg, fourth, on(edge.Add(2*time.Hour)))
		ok(t, err)
		for n, at := range []time.Time{edge.Add(10 * time.Hour), edge.Add(20 * time.Hour), edge.Add(40 * 24 * time.Hour)} {
			c.at = at
			row := ca.Certificate{Issuer: "i-1", Serial: string(rune('a' + n)), Kind: ca.KindECDSA, Agency: "u", System: early.System, Request: early.ID, Subject: "CN=x", TBSSM3: "00", TBS: []byte{1}, DER: []byte{1},
				State: ca.StatePending, NotBefore: at, NotAfter: at.AddDate(1, 0, 0), CreatedAt: at, Origin: ca.Origin{Way: ca.WayACME}}
			_, err := c.rooms.CA.Reserve(bg, []ca.Certificate{row}, nil, event("certificate", row.Serial))
			ok(t, err)
			_, err = c.rooms.CA.Activate(bg, []ca.Certificate{row}, event("certificate", row.Serial))
			ok(t, err)
		}
		c.at = edge.AddDate(0, 3, 0)
		for month, want := range map[string][7]int{ // requests, approved, refused, withdrawn, issued, renewed, first
			"2026-01": {1, 1, 0, 0, 0, 0, 0}, "2026-02": {3, 1, 1, 1, 2, 1, 1}, "2026-03": {0, 0, 0, 1, 1, 1, 0},
		} {
			m, err := history.ParseMonth(month)
			ok(t, err)
			r, err := c.svc.Monthly(bg, m)
			ok(t, err)
			f := r.Total
			if got := [7]int{f.Requests, f.Approved, f.Refused, f.Withdrawn, f.AllIssued(), f.Renewed, f.First}; got != want {
				t.Errorf("%s: %v, want %v", month, got, want)
			}
			if f.First == 1 && f.Waited != 10*time.Hour+time.Millisecond {
				t.Errorf("%s: waited %s", month, f.Waited)
			}
		}
	})
}
