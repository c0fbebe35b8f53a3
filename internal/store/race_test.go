package store_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/yinxin-gov/yinxin/authz/approval"
	"github.com/yinxin-gov/yinxin/authz/sharing"
	"github.com/yinxin-gov/yinxin/ca"
	"github.com/yinxin-gov/yinxin/internal/exchange"
	"github.com/yinxin-gov/yinxin/internal/signin"
	"github.com/yinxin-gov/yinxin/internal/store"
	"github.com/yinxin-gov/yinxin/signer"
	"github.com/yinxin-gov/yinxin/signer/life"
	"github.com/yinxin-gov/yinxin/signer/signertest"
)

// Exactly one of 8 concurrent callers wins, and exactly one event is written
// (reference/ca.md §3: the stock store lets all of them win).
func TestOneWinner(t *testing.T) {
	const rounds = 25
	onEngines(t, func(t *testing.T, s *store.Store) {
		r := house(t, s)
		// Each contest is prepared once a round and then run by all callers.
		contests := []struct {
			name  string
			loser error
			setup func(id string) error
			act   func(id string) error
		}{
			{"decide a request", ca.ErrDecided, func(id string) error {
				return ready(r, id)
			}, func(id string) error {
				_, err := r.CA.DecideRequest(bg, approvedRequest(id), event("request", id))
				return err
			}},
			{"claim a token", ca.ErrToken, func(id string) error {
				err := ready(r, id)
				if err == nil {
					_, err = r.CA.DecideRequest(bg, approvedRequest(id), event("request", id))
				}
				if err == nil {
					_, err = r.CA.SetToken(bg, id, "token "+id, day(4), event("request", id))
				}
				return err
			}, func(id string) error {
				ev := event("request", id)
				claim := ca.Claim{Basis: "token:" + ev.ID, Token: "token " + id, Now: day(4), Until: day(5)}
				_, err := r.CA.Begin(bg, claim, []ca.Certificate{certificate(ev.ID)}, nil, ev)
				return err
			}},
			{"reserve a serial", ca.ErrExists, nothing, func(id string) error {
				_, err := r.CA.Reserve(bg, []ca.Certificate{certificate(id)}, nil, event("certificate", id))
				return err
			}},
			{"activate a certificate", ca.ErrState, func(id string) error {
				_, err := r.CA.Reserve(bg, []ca.Certificate{certificate(id)}, nil, event("certificate", id))
				return err
			}, func(id string) error { return activate(r, id) }},
			{"revoke a certificate", ca.ErrRevoked, func(id string) error {
				_, err := r.CA.Reserve(bg, []ca.Certificate{certificate(id)}, nil, event("certificate", id))
				return errors.Join(err, activate(r, id))
			}, func(id string) error {
				_, err := r.CA.SetState(bg, "aa", id, ca.StateRevoked, 1, day(4), event("certificate", id))
				return err
			}},
			{"approve", approval.ErrDecided, nothing, func(id string) error {
				a := answer(event("", "").ID)
				a.Subject.ID = id
				_, err := r.Approvals.AddApproval(bg, a, event("approval", id))
				return err
			}},
			{"move a use of seal", signer.ErrNotApproved, func(id string) error {
				_, err := r.Seals.AddUse(bg, use(id), event("use", id))
				return err
			}, func(id string) error {
				u := use(id)
				u.State, u.Approval = signer.UseApproved, "ap"
				_, err := r.Seals.MoveUse(bg, u, signer.UseRequested, event("use", id))
				return err
			}},
			{"cancel a seal", life.ErrConflict, func(id string) error {
				_, err := signertest.Put(r.Seals, signertest.Full(id), event("seal", id))
				return err
			}, func(id string) error {
				e := signertest.Full(id)
				ev := event("seal", id)
				e.State, e.Revision = signer.SealCancelled, 2
				step := life.Step{Seal: id, Revision: 2, Act: life.ActCancel, From: signer.SealApplied, To: signer.SealCancelled, At: day(4), Event: ev.ID}
				_, err := r.Seals.MoveSeal(bg, e, step, ev)
				return err
			}},
			{"move a transfer", exchange.ErrState, func(id string) error {
				_, err := r.Transfers.AddTransfer(bg, transfer(t, id), event("transfer", id))
				return err
			}, func(id string) error {
				x := transfer(t, id)
				x.State, x.FetchedAt = exchange.StateReceived, day(4)
				_, err := r.Transfers.MoveTransfer(bg, x, []exchange.State{exchange.StateSent, exchange.StateFetched}, event("transfer", id))
				return err
			}},
			{"use a link", signin.ErrLink, func(id string) error {
				_, err := r.Signin.AddLink(bg, link(id), event("link", id))
				return err
			}, func(id string) error {
				_, _, err := r.Signin.UseLink(bg, id, day(4), event("link", id))
				return err
			}},
			{"end a session", signin.ErrSession, func(id string) error {
				_, err := r.Signin.AddSession(bg, session(id), event("session", id))
				return err
			}, func(id string) error {
				_, err := r.Signin.EndSession(bg, id, day(4), event("session", id))
				return err
			}},
			{"terminate an agreement", sharing.ErrInvalid, func(id string) error {
				_, err := r.Sharing.AddAgreement(bg, agreement(id), event("agreement", id))
				return err
			}, func(id string) error {
				_, err := r.Sharing.TerminateAgreement(bg, id, day(4), event("agreement", id))
				return err
			}},
		}
		for _, c := range contests {
			for round := range rounds {
				id := fmt.Sprintf("%s %d", c.name, round)
				ok(t, c.setup(id))
				before := count(t, s, "ledger_outbox")
				if won := race(t, c.loser, func() error { return c.act(id) }); won != 1 {
					t.Fatalf("%s: %d winners", c.name, won)
				}
				if n := count(t, s, "ledger_outbox") - before; n != 1 {
					t.Fatalf("%s: %d events for one winner", c.name, n)
				}
			}
		}
		for round := range rounds {
			token := fmt.Sprint("jti-", round)
			before := count(t, s, "ledger_outbox")
			if won := race(t, ca.ErrToken, using(r, token)); won != 1 {
				t.Fatalf("a one-time token was used %d times", won)
			}
			if n := count(t, s, "ledger_outbox") - before; n != 1 {
				t.Fatalf("%d events for one token", n)
			}
		}
	})
}

func nothing(string) error { return nil }

func approvedRequest(id string) ca.Request {
	q := request(id)
	q.State, q.DecidedBy, q.Approval, q.TokenExpires = ca.RequestApproved, "p-2", "ap", day(5)
	return q
}

func reviewedRequest(id string) ca.Request {
	q := request(id)
	q.State, q.ReviewedBy, q.ReviewedAt = ca.RequestReviewed, "p-3", day(2)
	q.Evidence = []ca.Evidence{{Kind: ca.EvidenceUSCC, Number: q.Agency, Method: ca.MethodOriginal}}
	return q
}

// ready submits a request and checks it.
func ready(r *store.Rooms, id string) error {
	_, err := r.CA.AddRequests(bg, []ca.Request{request(id)}, event("request", id))
	if err == nil {
		_, err = r.CA.ReviewRequest(bg, reviewedRequest(id), event("request", id))
	}
	return err
}

func activate(r *store.Rooms, serial string) error {
	c := certificate(serial)
	c.DER = []byte{0x30, 3}
	_, err := r.CA.Activate(bg, []ca.Certificate{c}, event("certificate", serial))
	return err
}
