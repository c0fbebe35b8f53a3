package tokentest

import (
	"context"
	"errors"
	"reflect"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/yinxin-gov/yinxin/authz/ledger"
	"github.com/yinxin-gov/yinxin/internal/token"
)

var bg = context.Background()

func ok(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func wantErr(t testing.TB, got, want error) {
	t.Helper()
	if !errors.Is(got, want) {
		t.Fatalf("err = %v, want %v", got, want)
	}
}

func event() ledger.Event {
	return ledger.Event{
		ID: uuid.Must(uuid.NewV7()).String(), Type: "test.token.done", Class: ledger.ClassAccess, Time: time.UnixMilli(1_790_000_000_000),
		Actor: ledger.Actor{Kind: "service", ID: "test"}, Object: ledger.Object{Kind: "token", ID: "t"}, Outcome: ledger.Success,
	}
}

// Run is the contract of token.Store.
func Run(t *testing.T, open func(*testing.T) token.Store) {
	t.Run("keys are listed oldest first, and a number is taken once", func(t *testing.T) { keys(t, open(t)) })
	t.Run("a token is read back, revoked once and forgotten when it has ended", func(t *testing.T) { grants(t, open(t)) })
}

func keys(t *testing.T, s token.Store) {
	day := time.Date(2026, 3, 1, 9, 0, 0, 123456000, time.UTC)
	second := token.Key{KID: "k2", Number: 2, Algorithm: token.ES256, Custody: "c-2", Public: []byte{4, 2}, CreatedAt: day.AddDate(0, 3, 0)}
	first := token.Key{KID: "k1", Number: 1, Algorithm: token.ES256, Custody: "c-1", Public: []byte{4, 1}, CreatedAt: day}
	other := token.Key{KID: "k3", Number: 1, Algorithm: token.SM2, Custody: "c-3", Public: []byte{4, 3}, CreatedAt: day}
	for _, k := range []token.Key{second, first, other} {
		_, err := s.AddKey(bg, k, event())
		ok(t, err)
	}
	again := first
	again.KID = "k4"
	_, err := s.AddKey(bg, again, event())
	wantErr(t, err, token.ErrExists)
	got, err := s.Keys(bg)
	ok(t, err)
	if want := []token.Key{first, other, second}; !reflect.DeepEqual(got, want) {
		t.Errorf("keys\n%+v, want\n%+v", got, want)
	}
}

func grants(t *testing.T, s token.Store) {
	at := time.Date(2026, 3, 1, 9, 0, 0, 0, time.UTC)
	g := token.Grant{
		ID: "t-1", System: "civil-a", Unit: "u", Audience: "https://h", Scope: []string{"decide", "exchange"}, Issuer: "i", Serial: "5a", KID: "k",
		IssuedAt: at, ExpiresAt: at.Add(5 * time.Minute),
	}
	_, err := s.AddGrant(bg, g, event())
	ok(t, err)
	_, err = s.AddGrant(bg, g, event())
	wantErr(t, err, token.ErrExists)
	got, err := s.Grant(bg, g.ID)
	ok(t, err)
	if !reflect.DeepEqual(got, g) {
		t.Errorf("grant %+v, want %+v", got, g)
	}
	_, err = s.Grant(bg, "t-2")
	wantErr(t, err, token.ErrNotFound)
	_, err = s.RevokeGrant(bg, "t-2", at, event())
	wantErr(t, err, token.ErrNotFound)
	_, err = s.RevokeGrant(bg, g.ID, at.Add(time.Minute), event())
	ok(t, err)
	_, err = s.RevokeGrant(bg, g.ID, at.Add(2*time.Minute), event())
	wantErr(t, err, token.ErrRevoked)
	if got, err = s.Grant(bg, g.ID); err != nil || !got.RevokedAt.Equal(at.Add(time.Minute)) {
		t.Errorf("revoked at %s, %v", got.RevokedAt, err)
	}
	for _, more := range []struct{ id, system string }{{"t-3", "civil-a"}, {"t-4", "civil-a"}, {"t-5", "civil-b"}} {
		other := g
		other.ID, other.System = more.id, more.system
		_, err = s.AddGrant(bg, other, event())
		ok(t, err)
	}
	_, err = s.RevokeGrants(bg, "civil-a", at.Add(3*time.Minute), event())
	ok(t, err)
	for id, want := range map[string]time.Duration{g.ID: time.Minute, "t-3": 3 * time.Minute, "t-4": 3 * time.Minute, "t-5": 0} {
		got, err := s.Grant(bg, id)
		if ok(t, err); want == 0 != got.RevokedAt.IsZero() || want > 0 && !got.RevokedAt.Equal(at.Add(want)) {
			t.Errorf("%s revoked at %s", id, got.RevokedAt)
		}
	}
	ok(t, s.ForgetGrants(bg, g.ExpiresAt))
	_, err = s.Grant(bg, g.ID)
	ok(t, err)
	ok(t, s.ForgetGrants(bg, g.ExpiresAt.Add(time.Second)))
	_, err = s.Grant(bg, g.ID)
	wantErr(t, err, token.ErrNotFound)
}

// RunTwo lets one service revoke and another, over a store of its own on the same
// rows, refuse.
func RunTwo(t *testing.T, one, two token.Store) {
	h := NewHouse(t, one)
	raw, _, err := h.Service.Issue(bg, h.Client, token.Order{})
	ok(t, err)
	far := h.Another(t, two)
	if _, err := far.Judge(bg, raw, h.Cert, token.ScopeDecide); err != nil {
		t.Fatalf("before: %v", err)
	}
	ended := func() {
		t.Helper()
		_, err := h.Service.Judge(bg, raw, h.Cert, token.ScopeDecide)
		wantErr(t, err, token.ErrToken)
		h.Pass(time.Second)
		_, err = far.Judge(bg, raw, h.Cert, token.ScopeDecide)
		wantErr(t, err, token.ErrToken)
	}
	ok(t, h.Service.Revoke(bg, h.Client, raw))
	ended()
	raw, _, err = h.Service.Issue(bg, h.Client, token.Order{})
	ok(t, err)
	for _, s := range []*token.Service{h.Service, far} {
		_, err = s.Judge(bg, raw, h.Cert, token.ScopeDecide)
		ok(t, err)
	}
	officer := ledger.Actor{Kind: "person", ID: "p-1"}
	_, err = h.Service.RevokeAll(bg, officer, "civil-x", "样例")
	wantErr(t, err, token.ErrNotFound)
	_, err = h.Service.RevokeAll(bg, officer, "civil-a", "样例")
	ok(t, err)
	ended()
}
