package store_test

import (
	"bytes"
	"errors"
	"testing"

	"github.com/yinxin-gov/yinxin/authz/ledger"
	"github.com/yinxin-gov/yinxin/ca"
	"github.com/yinxin-gov/yinxin/internal/exchange"
	"github.com/yinxin-gov/yinxin/internal/signin"
	"github.com/yinxin-gov/yinxin/internal/store"
)

// Every move that a state machine does not allow is refused and leaves no event.

func TestCertificateStates(t *testing.T) {
	onEngines(t, func(t *testing.T, s *store.Store) {
		r := house(t, s)
		set := func(to ca.State, reason int) error {
			_, err := r.CA.SetState(bg, "aa", "c1", to, reason, day(4), event("certificate", "c1"))
			return err
		}
		wantErr(t, set(ca.StateRevoked, 1), ca.ErrNotFound)
		key := &ca.EscrowedKey{Pair: "pair-1", Wrapped: []byte{1}, KEK: "kek", PublicSM3: "aa", CreatedAt: day(1)}
		sign, enc := certificate("c1"), certificate("c2")
		sign.Pair, enc.Pair = key.Pair, key.Pair
		enc.Kind, enc.State, enc.DER = ca.KindSM2Enc, ca.StateGood, []byte{9} // a caller who claims too much
		_, err := r.CA.Reserve(bg, []ca.Certificate{sign, enc}, key, event("pair", "pair-1"))
		ok(t, err)
		for _, to := range []ca.State{ca.StateRevoked, ca.StateHold, ca.StateGood, ca.StatePending, "gone"} {
			wantErr(t, set(to, 1), ca.ErrState)
		}

		// All or nothing: a collision of one takes back the pair and its key.
		before := snapshot(t, s)
		_, err = r.CA.Reserve(bg, []ca.Certificate{certificate("c3"), certificate("c1")}, nil, event("pair", "x"))
		wantErr(t, err, ca.ErrExists)
		_, err = r.CA.Reserve(bg, []ca.Certificate{certificate("c3")}, key, event("pair", "x"))
		wantErr(t, err, ca.ErrExists)
		signed, missing := certificate("c1"), certificate("ghost")
		signed.DER, missing.DER = []byte{1}, []byte{1}
		_, err = r.CA.Activate(bg, []ca.Certificate{signed, missing}, event("pair", "x"))
		wantErr(t, err, ca.ErrNotFound)
		_, err = r.CA.Activate(bg, []ca.Certificate{signed, certificate("c2")}, event("pair", "x")) // c2 is unsigned
		wantErr(t, err, ca.ErrState)
		same(t, s, before)
		for _, serial := range []string{"c1", "c2"} {
			if c, err := r.CA.Certificate(bg, "aa", serial); err != nil || c.State != ca.StatePending || c.DER != nil {
				t.Fatalf("%s: %+v, %v", serial, c, err)
			}
		}

		ok(t, activate(r, "c1"))
		wantErr(t, set(ca.StateHold, 6), ca.ErrState) // the other half is not signed yet
		ok(t, activate(r, "c2"))
		ok(t, set(ca.StateHold, 6))
		wantErr(t, set(ca.StateHold, 6), ca.ErrState)
		ok(t, set(ca.StateGood, 6))
		c, err := r.CA.Certificate(bg, "aa", "c1")
		if err != nil || c.State != ca.StateGood || c.Reason != 0 || !c.RevokedAt.IsZero() || !bytes.Equal(c.DER, []byte{0x30, 3}) {
			t.Fatalf("after a hold: %+v, %v", c, err)
		}
		ok(t, set(ca.StateHold, 6))
		ok(t, set(ca.StateRevoked, 1))
		wantErr(t, set(ca.StateRevoked, 4), ca.ErrRevoked)
		wantErr(t, set(ca.StateGood, 0), ca.ErrRevoked)
		wantErr(t, activate(r, "c1"), ca.ErrState)
		all, err := r.CA.CertificatesOf(bg, "civil-a")
		ok(t, err)
		if len(all) != 2 || all[0].State != ca.StateRevoked || all[0].Reason != 1 || all[0].RevokedAt != kept(4) {
			t.Fatalf("%+v", all)
		}
	})
}

func TestEnrolment(t *testing.T) {
	onEngines(t, func(t *testing.T, s *store.Store) {
		r := house(t, s)
		early := request("q0")
		early.State = ca.RequestApproved
		_, err := r.CA.AddRequests(bg, []ca.Request{early}, event("request", "q0"))
		wantErr(t, err, ca.ErrNotApproved)
		_, err = r.CA.DecideRequest(bg, approvedRequest("ghost"), event("request", "ghost"))
		wantErr(t, err, ca.ErrNotFound)
		for _, id := range []string{"q1", "q2"} {
			_, err = r.CA.AddRequests(bg, []ca.Request{request(id)}, event("request", id))
			ok(t, err)
			_, err = r.CA.ReviewRequest(bg, reviewedRequest(id), event("request", id))
			ok(t, err)
		}
		_, err = r.CA.DecideRequest(bg, request("q1"), event("request", "q1"))
		wantErr(t, err, ca.ErrState)
		refused := request("q2")
		refused.State, refused.DecidedBy, refused.Reason = ca.RequestRefused, "p-2", "材料不全"
		_, err = r.CA.DecideRequest(bg, refused, event("request", "q2"))
		ok(t, err)
		_, err = r.CA.DecideRequest(bg, approvedRequest("q1"), event("request", "q1"))
		ok(t, err)
		approved := approvedRequest("q1")
		approved.TokenHash = "token q1"
		_, err = r.CA.SetToken(bg, "q1", approved.TokenHash, day(4), event("request", "q1"))
		ok(t, err)

		for _, hash := range []string{"", "unknown"} {
			_, err = r.CA.RequestByToken(bg, hash, day(4))
			wantErr(t, err, ca.ErrToken)
		}
		_, err = r.CA.RequestByToken(bg, approved.TokenHash, day(5)) // the moment it expires
		wantErr(t, err, ca.ErrToken)
		before := snapshot(t, s)
		claim := ca.Claim{Basis: "token:q1", Token: approved.TokenHash, Now: day(6), Until: day(7)}
		_, err = r.CA.Begin(bg, claim, []ca.Certificate{certificate("b1")}, nil, event("request", "q1"))
		wantErr(t, err, ca.ErrToken)
		same(t, s, before)
		_, err = r.CA.RequestByToken(bg, approved.TokenHash, day(4))
		ok(t, err)
		claim.Now, claim.Until = day(4), day(5)
		receipt, err := r.CA.Begin(bg, claim, []ca.Certificate{certificate("b1")}, nil, event("request", "q1"))
		ok(t, err)
		got, err := r.CA.Request(bg, "q1")
		ok(t, err)
		if got.State != ca.RequestIssued || got.TokenUsed != kept(4) || receipt.Promise != ledger.Durable {
			t.Fatalf("claimed %+v, %+v", got, receipt)
		}
		_, err = r.CA.RequestByToken(bg, approved.TokenHash, day(4))
		wantErr(t, err, ca.ErrToken)
	})
}

// An act whose place in the chain is still to come has happened all the same.
func TestClaimsAreAnsweredWhenNotYetIntegrated(t *testing.T) {
	onEngines(t, func(t *testing.T, s *store.Store) {
		r := house(t, s)
		_, err := r.Signin.AddLink(bg, link("l1"), event("link", "l1"))
		ok(t, err)
		late := s.Rooms(integrator{err: ledger.ErrClosed})
		l, receipt, err := late.Signin.UseLink(bg, "l1", day(4), event("link", "l1"))
		wantErr(t, err, store.ErrUnintegrated)
		if l.Person != "p-1" || l.Used != kept(4) || receipt.Promise != ledger.Durable {
			t.Fatalf("%+v, %+v", l, receipt)
		}
	})
}

func TestTransferStates(t *testing.T) {
	onEngines(t, func(t *testing.T, s *store.Store) {
		r := house(t, s)
		x := transfer(t, "t1")
		x.State = exchange.StateReceived
		_, err := r.Transfers.AddTransfer(bg, x, event("transfer", "t1"))
		wantErr(t, err, exchange.ErrState)
		_, err = r.Transfers.AddTransfer(bg, transfer(t, "t1"), event("transfer", "t1"))
		ok(t, err)
		x.Decision, x.Holding, x.ReceiptSig, x.FetchedAt, x.ReceivedAt = "forged", "h-1", []byte{7}, day(4), day(5)
		_, err = r.Transfers.MoveTransfer(bg, x, []exchange.State{exchange.StateFetched}, event("transfer", "t1"))
		wantErr(t, err, exchange.ErrState)
		_, err = r.Transfers.MoveTransfer(bg, x, nil, event("transfer", "t1"))
		wantErr(t, err, exchange.ErrState)
		_, err = r.Transfers.MoveTransfer(bg, x, []exchange.State{exchange.StateSent, exchange.StateFetched}, event("transfer", "t1"))
		ok(t, err)
		inbox, err := r.Transfers.Inbox(bg, "civil-b")
		ok(t, err)
		if len(inbox) != 1 || inbox[0].Decision != "d-1" || inbox[0].Holding != "h-1" || inbox[0].ReceivedAt != kept(5) {
			t.Fatalf("%+v", inbox)
		}
		ghost := transfer(t, "ghost")
		_, err = r.Transfers.MoveTransfer(bg, ghost, []exchange.State{exchange.StateSent}, event("transfer", "ghost"))
		wantErr(t, err, exchange.ErrNotFound)
	})
}

func TestLinksAndSessionsEnd(t *testing.T) {
	onEngines(t, func(t *testing.T, s *store.Store) {
		r := house(t, s)
		_, err := r.Signin.AddLink(bg, link("l1"), event("link", "l1"))
		ok(t, err)
		_, err = r.Signin.AddSession(bg, session("e1"), event("session", "e1"))
		ok(t, err)
		for _, at := range []int{5, 6} { // the moment it expires, and later
			_, err = r.Signin.LinkByHash(bg, "l1", day(at))
			wantErr(t, err, signin.ErrLink)
			_, err = r.Signin.SessionByHash(bg, "e1", day(at))
			wantErr(t, err, signin.ErrSession)
			_, _, err = r.Signin.UseLink(bg, "l1", day(at), event("link", "l1"))
			wantErr(t, err, signin.ErrLink)
		}
		_, _, err = r.Signin.UseLink(bg, "l1", day(4), event("link", "l1"))
		ok(t, err)
		_, err = r.Signin.LinkByHash(bg, "l1", day(4))
		wantErr(t, err, signin.ErrLink)
		_, err = r.Signin.EndSession(bg, "e1", day(4), event("session", "e1"))
		ok(t, err)
		_, err = r.Signin.SessionByHash(bg, "e1", day(2))
		wantErr(t, err, signin.ErrSession)
		// Every session of a person but one.
		other := session("e4")
		other.Person = "li" // else the person of the others
		for _, n := range []signin.Session{session("e2"), session("e3"), other} {
			_, err = r.Signin.AddSession(bg, n, event("session", n.Hash))
			ok(t, err)
		}
		_, err = r.Signin.EndOthers(bg, session("e2").Person, "e2", day(3), event("person", "p"))
		ok(t, err)
		for hash, want := range map[string]error{"e2": nil, "e3": signin.ErrSession, "e4": nil} {
			if _, err = r.Signin.SessionByHash(bg, hash, day(4)); !errors.Is(err, want) {
				t.Errorf("%s: %v", hash, err)
			}
		}
		_, err = r.Signin.AddLink(bg, signin.Link{}, event("link", "x"))
		wantErr(t, err, signin.ErrLink)
		_, err = r.Signin.AddSession(bg, signin.Session{}, event("session", "x"))
		wantErr(t, err, signin.ErrSession)
	})
}

func TestAnObjectIsTracedThroughTheLedger(t *testing.T) {
	onEngines(t, func(t *testing.T, s *store.Store) {
		r, l := house(t, s), s.Ledger()
		tricky := `r "object":{"id":"x","outcome":` // looks like a member of the body
		for _, id := range []string{tricky, "库表"} {
			res := resource(t, id)
			_, err := r.Sharing.AddResource(bg, res, event("resource", id))
			ok(t, err)
			_, err = r.Sharing.AddResource(bg, res, event("resource", id))
			if err == nil {
				t.Fatal("written twice")
			}
		}
		_, err := r.Identity.SetPersonKey(bg, "p-1", "k", nil, event("person", "p-1"))
		ok(t, err)
		integrate(t, l)
		for object, want := range map[ledger.Object]int{
			{Kind: "resource", ID: tricky}: 1, {Kind: "resource", ID: "库表"}: 1,
			{Kind: "person", ID: "p-1"}: 2, {Kind: "system", ID: "p-1"}: 0,
		} {
			got, err := l.EntriesByObject(bg, object, 10)
			ok(t, err)
			if len(got) != want {
				t.Errorf("%v: %d entries, want %d", object, len(got), want)
			}
			for _, e := range got {
				if ev, err := ledger.Decode(e.Body); err != nil || ev.Object != object {
					t.Errorf("%v: %+v, %v", object, ev.Object, err)
				}
			}
		}
		if _, err := l.EntriesByObject(bg, ledger.Object{}, 10); !errors.Is(err, ledger.ErrInvalidEvent) {
			t.Errorf("an empty object: %v", err)
		}
	})
}
