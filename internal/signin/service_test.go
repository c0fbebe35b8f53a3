package signin_test

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/yinxin-gov/yinxin/authz/identity"
	"github.com/yinxin-gov/yinxin/authz/identity/identitytest"
	"github.com/yinxin-gov/yinxin/authz/ledger"
	"github.com/yinxin-gov/yinxin/internal/signin"
	"github.com/yinxin-gov/yinxin/internal/signin/signintest"
)

const goodPIN = "8-digit-pin"

var (
	start = time.Date(2026, 7, 1, 9, 0, 0, 0, time.UTC)
	admin = ledger.Actor{Kind: "person", ID: "admin"}
)

type world struct {
	t     testing.TB
	svc   *signin.Service
	store *signintest.Store
	ring  *signintest.Keyring
	reg   *identitytest.Register
	mu    sync.Mutex
	now   time.Time
	n     int
}

func newWorld(t testing.TB) *world {
	t.Helper()
	w := &world{t: t, store: &signintest.Store{}, ring: &signintest.Keyring{}, reg: identitytest.New(), now: start}
	now := func() time.Time {
		w.mu.Lock()
		defer w.mu.Unlock()
		return w.now
	}
	id := func() string {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.n++
		return fmt.Sprintf("id-%d", w.n)
	}
	people, err := identity.New(identity.Config{Register: w.reg, Now: now, NewID: id})
	w.must(err)
	unit, err := identity.SampleUSCC("110102", 1)
	w.must(err)
	_, _, err = people.RegisterAgency(t.Context(), identity.Agency{USCC: unit, Name: "样例局", Kind: identity.KindOrgan, District: "110102"}, admin)
	w.must(err)
	for _, p := range []string{"zhang", "li"} {
		_, _, err = people.RegisterPerson(t.Context(), identity.Person{ID: p, Name: "员", Agency: unit}, admin)
		w.must(err)
	}
	w.svc, err = signin.New(signin.Config{
		Store: w.store, People: w.reg, Keyring: w.ring, Recorder: signintest.Recorder{Journal: &w.store.Journal}, Now: now, Rand: rand.Reader, NewID: id,
	})
	w.must(err)
	return w
}

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) pass(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.now = w.now.Add(d)
}

func (w *world) link(person, purpose string) string {
	w.t.Helper()
	secret, _, err := w.svc.NewLink(context.Background(), person, purpose, 0, admin)
	w.must(err)
	return secret
}

// activated has a PIN.
func (w *world) activated(person string) {
	w.t.Helper()
	_, err := w.svc.Activate(context.Background(), w.link(person, signin.PurposeActivate), goodPIN)
	w.must(err)
}

func (w *world) leave(person string) {
	w.t.Helper()
	_, err := w.reg.Leave(w.t.Context(), person, w.now, ledger.Event{ID: "left-" + person, Type: "identity.person.left", Class: ledger.ClassAdmin, Time: w.now, Actor: admin, Object: ledger.Object{Kind: "person", ID: person}, Outcome: ledger.Success})
	w.must(err)
}

func TestNewRefusesIncompleteConfig(t *testing.T) {
	if _, err := signin.New(signin.Config{}); err == nil {
		t.Error("no error")
	}
}

func TestFirstVisitToLogout(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	secret := w.link("zhang", signin.PurposeActivate)
	p, err := w.svc.Activate(ctx, secret, goodPIN)
	if err != nil || p.ID != "zhang" {
		t.Fatalf("%v, %v", p.ID, err)
	}
	cookie, session, err := w.svc.Login(ctx, "zhang", goodPIN)
	w.must(err)
	if !session.Expires.Equal(start.Add(8*time.Hour)) || session.Person != "zhang" {
		t.Errorf("session %+v", session)
	}
	if _, p, err := w.svc.Session(ctx, cookie); err != nil || p.ID != "zhang" {
		t.Errorf("%v, %v", p.ID, err)
	}
	key, p, err := w.svc.Unlock(ctx, cookie, goodPIN)
	w.must(err)
	w.must(key.Close())
	if p.ID != "zhang" {
		t.Errorf("unlocked for %q", p.ID)
	}
	if _, _, err := w.svc.Unlock(ctx, cookie, "another-pin"); !errors.Is(err, signin.ErrPIN) {
		t.Errorf("wrong PIN in a session: %v", err)
	}
	_, err = w.svc.Logout(ctx, cookie)
	w.must(err)
	for name, err := range map[string]error{
		"session": func() error { _, _, err := w.svc.Session(ctx, cookie); return err }(),
		"unlock":  func() error { _, _, err := w.svc.Unlock(ctx, cookie, goodPIN); return err }(),
		"logout":  func() error { _, err := w.svc.Logout(ctx, cookie); return err }(),
	} {
		if !errors.Is(err, signin.ErrSession) {
			t.Errorf("%s after logout: %v", name, err)
		}
	}
	if got, want := strings.Join(w.store.Types(), " "), "signin.link.created signin.link.used signin.session.started signin.session.ended"; got != want {
		t.Errorf("events %s", got)
	}
	all := fmt.Sprint(w.store.Events())
	for _, s := range []string{secret, cookie, goodPIN} {
		if strings.Contains(all, s) {
			t.Error("a secret stands on the ledger")
		}
	}
	if ev := w.store.Events()[0]; ev.Actor != admin {
		t.Errorf("the link's actor is %+v", ev.Actor)
	}
}

func TestLinks_Refusals(t *testing.T) {
	ctx := context.Background()
	for name, c := range map[string]struct {
		run  func(*world) error
		want error
	}{
		"used": {func(w *world) error {
			s := w.link("zhang", "console")
			_, _, err := w.svc.LoginLink(ctx, s)
			w.must(err)
			_, _, err = w.svc.LoginLink(ctx, s)
			return err
		}, signin.ErrLink},
		"old": {func(w *world) error {
			s := w.link("zhang", "console")
			w.pass(signin.LinkTime)
			_, _, err := w.svc.LoginLink(ctx, s)
			return err
		}, signin.ErrLink},
		"guess": {func(w *world) error {
			_, _, err := w.svc.LoginLink(ctx, strings.Repeat("A", 43))
			return err
		}, signin.ErrLink},
		"empty": {func(w *world) error {
			_, _, err := w.svc.LoginLink(ctx, "")
			return err
		}, signin.ErrLink},
		"book": {func(w *world) error {
			_, _, err := w.svc.LoginLink(ctx, strings.Repeat("A", 1<<20))
			return err
		}, signin.ErrLink},
		"activation link to sign in": {func(w *world) error {
			_, _, err := w.svc.LoginLink(ctx, w.link("zhang", "activate"))
			return err
		}, signin.ErrLink},
		"console link to set a PIN": {func(w *world) error {
			_, err := w.svc.Activate(ctx, w.link("zhang", "console"), goodPIN)
			return err
		}, signin.ErrLink},
		"person left": {func(w *world) error {
			s := w.link("zhang", "console")
			w.leave("zhang")
			_, _, err := w.svc.LoginLink(ctx, s)
			return err
		}, signin.ErrLink},
		"link for a leaver": {func(w *world) error {
			w.leave("zhang")
			_, _, err := w.svc.NewLink(ctx, "zhang", "console", 0, admin)
			return err
		}, signin.ErrInvalid},
		"link for nobody": {func(w *world) error {
			_, _, err := w.svc.NewLink(ctx, "wang", "console", 0, admin)
			return err
		}, signin.ErrInvalid},
		"link for anything": {func(w *world) error {
			_, _, err := w.svc.NewLink(ctx, "zhang", "root", 0, admin)
			return err
		}, signin.ErrInvalid},
		"link for a year": {func(w *world) error {
			_, _, err := w.svc.NewLink(ctx, "zhang", "console", 365*24*time.Hour, admin)
			return err
		}, signin.ErrInvalid},
		"link into the past": {func(w *world) error {
			_, _, err := w.svc.NewLink(ctx, "zhang", "console", -time.Hour, admin)
			return err
		}, signin.ErrInvalid},
		"link by nobody": {func(w *world) error {
			_, _, err := w.svc.NewLink(ctx, "zhang", "console", 0, ledger.Actor{})
			return err
		}, signin.ErrInvalid},
		"key could not be made": {func(w *world) error {
			w.ring.Fail = errors.New("disk full")
			_, err := w.svc.Activate(ctx, w.link("zhang", "activate"), goodPIN)
			return err
		}, signin.ErrActivation},
		"link replayed a sixth time": {func(w *world) error {
			s := strings.Repeat("A", 43)
			var err error
			for range 6 {
				_, _, err = w.svc.LoginLink(ctx, s)
			}
			return err
		}, signin.ErrLocked},
		"session of a made-up cookie": {func(w *world) error {
			_, _, err := w.svc.Session(ctx, strings.Repeat("A", 43))
			return err
		}, signin.ErrSession},
		"session of something else": {func(w *world) error {
			_, _, err := w.svc.Session(ctx, "'; DROP TABLE")
			return err
		}, signin.ErrSession},
		"login of nobody": {func(w *world) error {
			_, _, err := w.svc.Login(ctx, "wang", goodPIN)
			return err
		}, signin.ErrPIN},
		"login of a leaver": {func(w *world) error {
			w.activated("zhang")
			w.leave("zhang")
			_, _, err := w.svc.Login(ctx, "zhang", goodPIN)
			return err
		}, signin.ErrPIN},
		"login before activation": {func(w *world) error {
			_, _, err := w.svc.Login(ctx, "zhang", goodPIN)
			return err
		}, signin.ErrPIN},
	} {
		w := newWorld(t)
		if err := c.run(w); !errors.Is(err, c.want) {
			t.Errorf("%s: got %v, want %v", name, err, c.want)
		}
	}
}

// A PIN that breaks the rules leaves the link usable.
func TestActivate_WeakPINKeepsTheLink(t *testing.T) {
	w := newWorld(t)
	secret := w.link("zhang", signin.PurposeActivate)
	for range 10 {
		if _, err := w.svc.Activate(t.Context(), secret, "1234567"); !errors.Is(err, signin.ErrWeakPIN) {
			t.Fatalf("got %v", err)
		}
	}
	_, err := w.svc.Activate(t.Context(), secret, goodPIN)
	w.must(err)
}

func TestActivate_OneOfMany(t *testing.T) {
	w := newWorld(t)
	secret := w.link("zhang", signin.PurposeActivate)
	var wg sync.WaitGroup
	var mu sync.Mutex
	won := 0
	for range 4 {
		wg.Go(func() {
			if _, err := w.svc.Activate(context.Background(), secret, goodPIN); err == nil {
				mu.Lock()
				won++
				mu.Unlock()
			} else if !errors.Is(err, signin.ErrLink) {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if won != 1 {
		t.Errorf("%d activations", won)
	}
}

func TestSession_EndsAfterEightHoursAndWithTheJob(t *testing.T) {
	w := newWorld(t)
	cookie, _, err := w.svc.LoginLink(t.Context(), w.link("zhang", signin.PurposeConsole))
	w.must(err)
	other, _, err := w.svc.LoginLink(t.Context(), w.link("li", signin.PurposeConsole))
	w.must(err)
	w.pass(signin.SessionTime - 1)
	if _, _, err := w.svc.Session(t.Context(), cookie); err != nil {
		t.Errorf("last moment: %v", err)
	}
	w.leave("li")
	if _, _, err := w.svc.Session(t.Context(), other); !errors.Is(err, signin.ErrSession) {
		t.Errorf("a leaver's session: %v", err)
	}
	w.pass(1)
	if _, _, err := w.svc.Session(t.Context(), cookie); !errors.Is(err, signin.ErrSession) {
		t.Errorf("after eight hours: %v", err)
	}
}
