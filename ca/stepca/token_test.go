package stepca_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/google/uuid"

	"github.com/yinxin-gov/yinxin/ca"
	"github.com/yinxin-gov/yinxin/ca/catest"
	"github.com/yinxin-gov/yinxin/ca/stepca"
)

// RFC 7519 and the step-ca API: what stands in a token.
func TestTokenClaims(t *testing.T) {
	h := newHouse(t)
	r := h.request(t, ca.RequestApproved)
	var c jwt.MapClaims
	tok, _, err := jwt.NewParser().ParseUnverified(h.token(t, r), &c)
	if err != nil {
		t.Fatal(err)
	}
	if tok.Method.Alg() != "ES256" || tok.Header["kid"] == "" {
		t.Errorf("header %v", tok.Header)
	}
	aud, _ := c.GetAudience()
	if c["iss"] != "yinxin-ra" || c["sub"] != system || len(aud) != 1 || aud[0] != "https://"+h.cfg.Address+"/1.0/sign" || c["request"] != r.ID {
		t.Errorf("claims %v", c)
	}
	iat, _ := c.GetIssuedAt()
	exp, _ := c.GetExpirationTime()
	if d := exp.Sub(iat.Time); d > 5*time.Minute || d <= 0 {
		t.Errorf("lives %s", d)
	}
}

// A token works once, whoever is first: 50 rounds of 8 concurrent callers.
func TestTokenIsUsedOnce(t *testing.T) {
	h := newHouse(t)
	c := h.client(nil)
	key := newKey(t)
	request := csr(t, key, system, host)
	const rounds, callers = 50, 8
	for round := range rounds {
		tok := h.token(t, h.request(t, ca.RequestApproved))
		var won, lost atomic.Int32
		var wg sync.WaitGroup
		start := make(chan struct{})
		for range callers {
			wg.Go(func() {
				<-start
				a, err := h.tryPost(c, "/1.0/sign", map[string]any{"csr": request, "ott": tok})
				switch {
				case err != nil:
					t.Error(err)
				case a.Status == 201:
					won.Add(1)
				case a.Status == 401 && a.Chain == nil:
					lost.Add(1)
				default:
					t.Errorf("status %d %s", a.Status, a.Message)
				}
			})
		}
		close(start)
		wg.Wait()
		if won.Load() != 1 || lost.Load() != callers-1 {
			t.Fatalf("round %d: %d accepted, %d refused", round, won.Load(), lost.Load())
		}
	}
	if n := len(h.rows()); n != rounds {
		t.Errorf("%d certificates for %d tokens", n, rounds)
	}
	if n := len(h.people.recorded("ca.token.refused")); n != rounds*(callers-1) {
		t.Errorf("%d replays recorded", n)
	}
	if log := h.log.String(); !strings.Contains(log, "token already used") || strings.Contains(log, "eyJ") {
		t.Errorf("log: %.400s", log)
	}
}

func TestTokenNeedsAnApproval(t *testing.T) {
	h := newHouse(t)
	closed := errors.New("suspended")
	for _, c := range []struct {
		name string
		req  func() ca.Request
		set  func(*people)
		want error
	}{
		{"submitted only", func() ca.Request { return h.request(t, ca.RequestSubmitted) }, nil, ca.ErrNotApproved},
		{"refused", func() ca.Request { return h.request(t, ca.RequestRefused) }, nil, ca.ErrNotApproved},
		{"unknown", func() ca.Request { return ca.Request{ID: "none", State: ca.RequestApproved, Approval: "a"} }, nil, ca.ErrNotFound},
		{"submitted, caller claims approved", func() ca.Request {
			r := h.request(t, ca.RequestSubmitted)
			r.State, r.Approval, r.DecidedBy = ca.RequestApproved, "appr-9", "p-ra"
			return r
		}, nil, ca.ErrNotApproved},
		{"host not registered", func() ca.Request {
			return h.request(t, ca.RequestApproved, func(r *ca.Request) { r.Hosts = []string{host, "evil.example"} })
		}, nil, ca.ErrHost},
		{"no host", func() ca.Request {
			return h.request(t, ca.RequestApproved, func(r *ca.Request) { r.Hosts = nil })
		}, nil, ca.ErrHost},
		{"gate closed", func() ca.Request { return h.request(t, ca.RequestApproved) }, func(p *people) { p.stop = closed }, stepca.ErrStopped},
		{"ledger down", func() ca.Request { return h.request(t, ca.RequestApproved) }, func(p *people) { p.fail = closed }, closed},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := c.req()
			if c.set != nil {
				h.people.set(c.set)
				defer h.people.set(func(p *people) { p.stop, p.fail = nil, nil })
			}
			tok, err := h.MintToken(t.Context(), r, uuid.NewString())
			if !errors.Is(err, c.want) || tok != "" {
				t.Errorf("token %q, error %v, want %v", tok, err, c.want)
			}
		})
	}
	if n := len(h.people.recorded("ca.token.minted")); n != 0 {
		t.Errorf("%d tokens recorded", n)
	}
	if _, err := h.MintToken(t.Context(), h.request(t, ca.RequestIssued), uuid.NewString()); err != nil {
		t.Errorf("issued request: %v", err)
	}
}

// altered is a registry whose requests were written past the rules of package
// ca: the track looks for itself.
type altered struct {
	*catest.Registry
	change func(*ca.Request)
}

func (a altered) Request(ctx context.Context, id string) (ca.Request, error) {
	r, err := a.Registry.Request(ctx, id)
	a.change(&r)
	return r, err
}

func TestApprovalIsJudgedHereToo(t *testing.T) {
	h := newHouse(t)
	r := h.request(t, ca.RequestApproved)
	for name, change := range map[string]func(*ca.Request){
		"decided by the submitter":   func(r *ca.Request) { r.DecidedBy = r.SubmittedBy },
		"nobody decided":             func(r *ca.Request) { r.DecidedBy = "" },
		"no approval":                func(r *ca.Request) { r.Approval = "" },
		"refused after the approval": func(r *ca.Request) { r.State = ca.RequestRefused },
	} {
		cfg := h.cfg
		cfg.Registry = altered{h.registry, change}
		if _, err := mustNew(t, cfg).MintToken(t.Context(), r, uuid.NewString()); !errors.Is(err, ca.ErrNotApproved) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
