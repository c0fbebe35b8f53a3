package catest

import (
	"context"
	"errors"
	"reflect"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/yinxin-gov/yinxin/ca/acmestore"
)

// RunACME is the conformance suite of acmestore.Store.
func RunACME(t *testing.T, open func(*testing.T) acmestore.Store) {
	t.Helper()
	for name, test := range map[string]func(*testing.T, acmestore.Store){
		"a nonce is used by one of eight":              nonceOnce,
		"an external account key is bound once":        bindOnce,
		"a system has one open key":                    oneOpenKey,
		"a request has one key, ever":                  oneKeyARequest,
		"a key is bound to its own system and in time": bindRefuses,
		"an account key exists once":                   thumbprintOnce,
		"accounts change while they are valid":         accountChanges,
		"an order comes back with its challenges":      orderBack,
		"an order is claimed and finished by one":      finishOnce,
		"a claim ends":                                   claimEnds,
		"orders move along their arrows":                 orderArrows,
		"a challenge is answered by one and decides":     answerOnce,
		"an authorization is decided by the first":       firstAnswerDecides,
		"what is not there is said to be not there":      notThere,
		"an order that is not a new one writes nothing":  badOrder,
		"one certificate stands in one order":            oneCertificate,
		"an order of an unknown account writes nothing":  strayOrder,
		"a refused act leaves the rows as they were":     refusedAct,
		"expired nonces are dropped, others stay usable": dropNonces,
		"a text record comes, is its system's, and ends": textsCome,
		"a name has few text records":                    textsAreFew,
	} {
		t.Run(name, func(t *testing.T) { test(t, open(t)) })
	}
}

func id() string { return uuid.Must(uuid.NewV7()).String() }

func moment() time.Time { return time.Now().UTC().Truncate(time.Microsecond) }

func openKey(t *testing.T, s acmestore.Store, system string) acmestore.Key {
	t.Helper()
	k := acmestore.Key{
		ID: id(), System: system, Agency: "11110102MB1234567M", Request: id(), HMAC: []byte(id()), State: acmestore.KeyOpen,
		CreatedAt: moment(), ExpiresAt: moment().Add(time.Hour),
	}
	if _, err := s.AddKey(context.Background(), k, event()); err != nil {
		t.Fatal(err)
	}
	return k
}

func accountFor(k acmestore.Key) acmestore.Account {
	return acmestore.Account{
		ID: id(), Thumbprint: id(), JWK: []byte(`{"kty":"EC"}`), Contact: []string{"mailto:a@b.cn"}, Status: acmestore.Valid,
		Location: "https://ca/acme/acme/account/", Key: k.ID, System: k.System, Agency: k.Agency, Request: k.Request, CreatedAt: moment(),
	}
}

func bound(t *testing.T, s acmestore.Store) acmestore.Account {
	t.Helper()
	a := accountFor(openKey(t, s, id()))
	if _, err := s.Bind(context.Background(), a, moment(), event()); err != nil {
		t.Fatal(err)
	}
	return a
}

// newOrder makes an order for one host with two challenges.
func newOrder(a acmestore.Account) (acmestore.Order, []acmestore.Authorization) {
	z := acmestore.Authorization{
		ID: id(), Account: a.ID, Host: "a.gov", Token: id(), Status: acmestore.Pending, ExpiresAt: moment().Add(time.Hour),
	}
	for _, kind := range []string{"http-01", "tls-alpn-01"} {
		z.Challenges = append(z.Challenges, acmestore.Challenge{
			ID: id(), Authorization: z.ID, Account: a.ID, Host: z.Host, Type: kind, Token: z.Token, Status: acmestore.Pending,
		})
	}
	return acmestore.Order{
		ID: id(), Account: a.ID, Status: acmestore.Pending, Hosts: []string{"a.gov"}, Authorizations: []string{z.ID},
		NotBefore: moment(), NotAfter: moment().Add(time.Hour), ExpiresAt: moment().Add(time.Hour), CreatedAt: moment(),
	}, []acmestore.Authorization{z}
}

func added(t *testing.T, s acmestore.Store) (acmestore.Order, acmestore.Authorization) {
	t.Helper()
	o, z := newOrder(bound(t, s))
	if _, err := s.AddOrder(context.Background(), o, z, event()); err != nil {
		t.Fatal(err)
	}
	return o, z[0]
}

func ready(t *testing.T, s acmestore.Store) acmestore.Order {
	t.Helper()
	o, _ := added(t, s)
	if err := s.MoveOrder(context.Background(), o.ID, acmestore.Pending, acmestore.Ready, nil); err != nil {
		t.Fatal(err)
	}
	return o
}

func want(t *testing.T, got, want error) {
	t.Helper()
	if !errors.Is(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func nonceOnce(t *testing.T, s acmestore.Store) {
	ctx, errUsed := context.Background(), errors.New("used")
	for range longRounds {
		nonce, now := id(), moment()
		want(t, s.AddNonce(ctx, nonce, now.Add(time.Minute)), nil)
		race(t, errUsed, func() error {
			ok, err := s.UseNonce(ctx, nonce, now)
			if err == nil && !ok {
				err = errUsed
			}
			return err
		})
		if t.Failed() {
			return
		}
	}
	for _, stray := range []string{"", id()} {
		if ok, err := s.UseNonce(ctx, stray, moment()); ok || err != nil {
			t.Errorf("nonce %q: %v, %v", stray, ok, err)
		}
	}
}

func dropNonces(t *testing.T, s acmestore.Store) {
	ctx, now := context.Background(), moment()
	old, kept := id(), id()
	want(t, s.AddNonce(ctx, old, now), nil)
	want(t, s.AddNonce(ctx, kept, now.Add(time.Hour)), nil)
	if ok, err := s.UseNonce(ctx, old, now); ok || err != nil {
		t.Errorf("expired nonce: %v, %v", ok, err)
	}
	want(t, s.DropNonces(ctx, now.Add(time.Minute)), nil)
	if ok, err := s.UseNonce(ctx, old, now.Add(-time.Hour)); ok || err != nil {
		t.Errorf("dropped nonce: %v, %v", ok, err)
	}
	if ok, err := s.UseNonce(ctx, kept, now); !ok || err != nil {
		t.Errorf("kept nonce: %v, %v", ok, err)
	}
}

func bindOnce(t *testing.T, s acmestore.Store) {
	ctx := context.Background()
	for range longRounds {
		k := openKey(t, s, id())
		race(t, acmestore.ErrKey, func() error {
			_, err := s.Bind(ctx, accountFor(k), moment(), event())
			return err
		})
		got, err := s.Key(ctx, k.ID)
		if err != nil || got.State != acmestore.KeyBound || got.HMAC != nil || got.Account == "" || got.BoundAt.IsZero() {
			t.Fatalf("%+v, %v", got, err)
		}
		if a, err := s.Account(ctx, got.Account); err != nil || a.Key != k.ID || a.System != k.System {
			t.Fatalf("%+v, %v", a, err)
		}
		if t.Failed() {
			return
		}
	}
}

func oneOpenKey(t *testing.T, s acmestore.Store) {
	ctx, system := context.Background(), id()
	first, second := openKey(t, s, system), openKey(t, s, system)
	got, err := s.Key(ctx, first.ID)
	if err != nil || got.State != acmestore.KeyReplaced || got.HMAC != nil {
		t.Errorf("replaced key: %+v, %v", got, err)
	}
	_, err = s.Bind(ctx, accountFor(first), moment(), event())
	want(t, err, acmestore.ErrKey)
	_, err = s.Bind(ctx, accountFor(second), moment(), event())
	want(t, err, nil)
	openKey(t, s, system) // a bound key stands in nobody's way
}

func oneKeyARequest(t *testing.T, s acmestore.Store) {
	ctx, k := context.Background(), openKey(t, s, id())
	again := k
	again.ID = id()
	_, err := s.AddKey(ctx, again, event())
	want(t, err, acmestore.ErrExists)
	got, err := s.Key(ctx, k.ID) // the refused one replaced nothing
	if err != nil || !reflect.DeepEqual(got, k) {
		t.Errorf("%+v, %v", got, err)
	}
	fresh := acmestore.Key{ID: id(), System: id(), Request: id(), HMAC: []byte{1}, State: acmestore.KeyOpen, ExpiresAt: moment()}
	race(t, acmestore.ErrExists, func() error {
		k := fresh
		k.ID = id()
		_, err := s.AddKey(ctx, k, event())
		return err
	})
}

func bindRefuses(t *testing.T, s acmestore.Store) {
	ctx, k := context.Background(), openKey(t, s, id())
	for _, late := range []time.Time{k.ExpiresAt, k.ExpiresAt.Add(time.Second)} {
		_, err := s.Bind(ctx, accountFor(k), late, event())
		want(t, err, acmestore.ErrKey)
	}
	for _, change := range []func(*acmestore.Account){
		func(a *acmestore.Account) { a.System = "other" },
		func(a *acmestore.Account) { a.Agency = "other" },
		func(a *acmestore.Account) { a.Request = "other" },
		func(a *acmestore.Account) { a.Key = "unknown" },
	} {
		a := accountFor(k)
		change(&a)
		_, err := s.Bind(ctx, a, moment(), event())
		want(t, err, acmestore.ErrKey)
	}
	_, err := s.Bind(ctx, accountFor(k), moment(), event()) // still open
	want(t, err, nil)
}

func thumbprintOnce(t *testing.T, s acmestore.Store) {
	ctx, a := context.Background(), bound(t, s)
	k := openKey(t, s, id())
	twin := accountFor(k)
	twin.Thumbprint = a.Thumbprint
	_, err := s.Bind(ctx, twin, moment(), event())
	want(t, err, acmestore.ErrExists)
	if got, err := s.Key(ctx, k.ID); err != nil || got.State != acmestore.KeyOpen {
		t.Errorf("a refused binding used the key up: %+v, %v", got, err)
	}
	if got, err := s.AccountByThumbprint(ctx, a.Thumbprint); err != nil || !reflect.DeepEqual(got, a) {
		t.Errorf("%+v, %v\nwant %+v", got, err, a)
	}
	other := bound(t, s)
	_, err = s.RollAccount(ctx, other.ID, other.Thumbprint, a.Thumbprint, []byte("{}"), event())
	want(t, err, acmestore.ErrExists)
	race(t, acmestore.ErrState, func() error {
		_, err := s.RollAccount(ctx, other.ID, other.Thumbprint, id(), []byte(`{"n":1}`), event())
		return err
	})
	if _, err := s.AccountByThumbprint(ctx, other.Thumbprint); !errors.Is(err, acmestore.ErrNotFound) {
		t.Errorf("old key: %v", err)
	}
}

func accountChanges(t *testing.T, s acmestore.Store) {
	ctx, a := context.Background(), bound(t, s)
	a.Contact = []string{"mailto:c@d.cn", "mailto:e@f.cn"}
	_, err := s.UpdateAccount(ctx, a, event())
	want(t, err, nil)
	if got, err := s.Account(ctx, a.ID); err != nil || !reflect.DeepEqual(got, a) {
		t.Errorf("%+v, %v", got, err)
	}
	a.Status = acmestore.Deactivated
	race(t, acmestore.ErrState, func() error {
		_, err := s.UpdateAccount(ctx, a, event())
		return err
	})
	a.Status = acmestore.Valid
	_, err = s.UpdateAccount(ctx, a, event())
	want(t, err, acmestore.ErrState)
	_, err = s.RollAccount(ctx, a.ID, a.Thumbprint, id(), []byte("{}"), event())
	want(t, err, acmestore.ErrState)
}
