package ca_test

import (
	"context"
	"crypto/rand"
	"errors"
	"testing"
	"time"

	"github.com/emmansun/gmsm/sm2"

	"github.com/yinxin-gov/yinxin/authz/ledger"
	"github.com/yinxin-gov/yinxin/ca"
	"github.com/yinxin-gov/yinxin/ca/profile"
)

// horizon is the announced end; err: nobody knows.
type horizon struct {
	end time.Time
	err error
}

func (x *horizon) Horizon(context.Context) (time.Time, error) { return x.end, x.err }

// 电子签名法 art. 23: whatever makes certificates, none outlives the announced end,
// and none is made when nobody can say whether there is one.
func TestNothingOutlivesTheAnnouncedEnd(t *testing.T) {
	h, ctx := newHouse(t), context.Background()
	x := &horizon{}
	h.cfg.Horizon = x
	h.svc = must(ca.New(h.cfg))
	key, old := h.enrolled()
	serial := serialOf(t, old.SignCert)
	person := func(kind ca.Kind, name profile.Name) func() (int, error) {
		return func() (int, error) {
			spec := sealSpec(t)
			spec.Kind, spec.Profile = kind, name
			if kind == ca.KindPerson {
				spec.Person = "p-1"
			}
			h.approve(spec)
			_, err := h.svc.IssueSM2(ctx, h.clerk, spec)
			return 1, err
		}
	}
	ways := map[string]struct {
		issue   func() (int, error)
		service bool
	}{
		"enrolment": {func() (int, error) {
			token := h.token()
			_, err := h.svc.EnrolSM2(ctx, token, csr(t, sm2Key(t), host))
			if _, rest := h.svc.Authorize(ctx, token); err != nil && rest != nil {
				t.Errorf("a refusal cost the token: %v", rest)
			}
			h.withdrawn(token)
			return 2, err
		}, false},
		"renewal": {func() (int, error) {
			_, err := h.svc.RenewSM2(ctx, system, renewal(t, key, serial, csr(t, key)))
			return 2, err
		}, false},
		"order": {func() (int, error) {
			_, err := h.svc.IssuePair(ctx, system, ca.PairOrder{Order: newID(), Request: old.Request.ID, Hosts: []string{host}, CSR: csr(t, sm2Key(t), host)})
			return 2, err
		}, false},
		"seal": {person(ca.KindSeal, profile.SM2Seal), false}, "maker": {person(ca.KindMaker, profile.SM2Maker), false}, "person": {person(ca.KindPerson, profile.SM2Person), false},
		"time-stamp service": {person(ca.KindService, profile.SM2TSA), true},
		"server pair": {func() (int, error) {
			a, b := must(sm2.GenerateKey(rand.Reader)), must(sm2.GenerateKey(rand.Reader))
			_, _, err := h.svc.IssueServerPair(ctx, h.office, ca.ServerPair{Service: "tlcp", Agency: agency, Organization: "样例", Hosts: []string{"localhost"}, Sign: &a.PublicKey, Enc: &b.PublicKey})
			return 2, err
		}, true},
		"responder": {func() (int, error) {
			k := must(sm2.GenerateKey(rand.Reader))
			_, err := h.svc.IssueResponder(ctx, h.office, ca.ResponderOrder{Issuer: h.cfg.SM2Issuing, Signer: h.key, Public: &k.PublicKey, Agency: agency, Organization: "样例", Service: "ocsp"})
			return 1, err
		}, true},
	}
	now := h.clock.Now()
	for _, left := range []time.Duration{-time.Hour, 0, time.Second, ca.MinLeft, ca.MinLeft + time.Second, 10 * 24 * time.Hour} {
		x.end = now.Add(left)
		for name, way := range ways {
			if name == "renewal" && left > ca.MinLeft {
				continue // a certificate has one follower: see below
			}
			rows, calls := len(h.reg.Certificates()), h.key.calls
			n, err := way.issue()
			if fits := left > ca.MinLeft || way.service && left > time.Second; !fits {
				var ends *ca.ClosingError
				if !errors.As(err, &ends) || !ends.Until.Equal(x.end) || h.key.calls != calls || len(h.reg.Certificates()) != rows {
					t.Errorf("%s, %s before the end: %v, %d signatures", name, left, err, h.key.calls-calls)
				}
				continue
			}
			all := h.reg.Certificates()
			if err != nil || len(all) != rows+n {
				t.Errorf("%s, %s before the end: %v, %d certificates", name, left, err, len(all)-rows)
				continue
			}
			for _, c := range all[rows:] {
				if !c.NotAfter.Before(x.end) || !parse(t, c.DER).NotAfter.Before(x.end) {
					t.Errorf("%s: until %s, the service ends %s", name, c.NotAfter, x.end)
				}
			}
		}
	}
	x.err = errors.New("disk")
	calls := h.key.calls
	for name, way := range ways {
		if _, err := way.issue(); !errors.Is(err, x.err) || h.key.calls != calls {
			t.Errorf("%s, unknown: %v", name, err)
		}
	}
	x.err = nil
	got, err := h.svc.RenewSM2(ctx, system, renewal(t, key, serial, csr(t, key)))
	if err != nil || !parse(t, got.EncCert).NotAfter.Equal(x.end.Add(-time.Second)) {
		t.Errorf("renewal: %v", err)
	}
	if refusals := h.refusals(); len(refusals) == 0 || refusals[0].Details["cause"] != ca.ErrClosing.Error() {
		t.Errorf("refused renewals on the ledger: %+v", refusals)
	}
}

// refusals are the events of refused renewals.
func (h *house) refusals() (out []ledger.Event) {
	for _, ev := range h.reg.Events() {
		if ev.Type == "ca.renewal.refused" {
			out = append(out, ev)
		}
	}
	return out
}

// withdrawn makes room for the next request of the system.
func (h *house) withdrawn(token string) {
	h.t.Helper()
	r, err := h.svc.Authorize(context.Background(), token)
	if errors.Is(err, ca.ErrToken) {
		return // it made its pair
	}
	if err == nil {
		_, _, err = h.ra.Withdraw(context.Background(), h.clerk, r.ID, "样例")
	}
	if err != nil {
		h.t.Fatal(err)
	}
}
