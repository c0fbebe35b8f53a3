package notify_test

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/yinxin-gov/yinxin/authz/ledger"
	"github.com/yinxin-gov/yinxin/ca/kmc"
	"github.com/yinxin-gov/yinxin/internal/notify"
	"github.com/yinxin-gov/yinxin/internal/store"
	"github.com/yinxin-gov/yinxin/internal/text"
)

var (
	bg    = context.Background()
	admin = ledger.Actor{Kind: "person", ID: "p-1", Unit: "u-0"}
)

// clock stands until it is moved.
type clock struct {
	mu sync.Mutex
	at time.Time
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *clock) add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

// lines is what the log said.
type lines struct {
	mu  sync.Mutex
	all []byte
}

func (l *lines) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.all = append(l.all, b...)
	return len(b), nil
}

func (l *lines) text() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return string(l.all)
}

// house is the room over a real store.
type house struct {
	*notify.Service
	t     *testing.T
	cfg   notify.Config
	clock *clock
	rows  *store.Notify
	log   *lines
}

// empty is a migrated database, made once and copied for each house.
var empty []byte

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "notify")
	if err == nil {
		path := filepath.Join(dir, "empty.db")
		if _, err = store.Migrate(bg, store.Config{URL: "sqlite:" + path}); err == nil {
			empty, err = os.ReadFile(path)
		}
		err = errors.Join(err, os.RemoveAll(dir))
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// newHouse allows these networks.
func newHouse(t *testing.T, networks ...string) *house {
	t.Helper()
	path := filepath.Join(t.TempDir(), "house.db")
	url := "sqlite:" + path
	c := &clock{at: time.Now().Truncate(time.Second)}
	ok(t, os.WriteFile(path, empty, 0o600))
	st, err := store.Open(bg, store.Config{URL: url, Now: c.now})
	ok(t, err)
	t.Cleanup(func() { _ = st.Close() })
	kek, err := kmc.NewLocalKEK(make([]byte, 16), rand.Reader)
	ok(t, err)
	words, err := text.Load()
	ok(t, err)
	h := &house{t: t, clock: c, rows: st.Rooms(nil).Notify, log: &lines{}}
	h.cfg = notify.Config{
		Store: h.rows, Directory: h.rows, Wrapper: kek, Words: words, Source: "https://house.example", Host: "house.example", Networks: networks,
		Log: slog.New(slog.NewTextHandler(h.log, nil)), Now: c.now, Rand: rand.Reader, NewID: func() string { return uuid.Must(uuid.NewV7()).String() },
	}
	h.Service, err = notify.New(h.cfg)
	ok(t, err)
	return h
}

// again is another process over the same store.
func (h *house) again(change func(*notify.Config)) *notify.Service {
	h.t.Helper()
	cfg := h.cfg
	change(&cfg)
	s, err := notify.New(cfg)
	ok(h.t, err)
	return s
}

func (h *house) register(c notify.Channel) (notify.Channel, string) {
	h.t.Helper()
	if c.Name == "" {
		c.Name = "样例"
	}
	if c.Severity == 0 {
		c.Severity = notify.Info
	}
	c, secret, err := h.Register(bg, admin, c)
	ok(h.t, err)
	return c, secret
}

// tell records notices about a system of a unit.
func (h *house) tell(kind notify.Kind, unit string, ids ...string) {
	h.t.Helper()
	for _, id := range ids {
		_, err := h.rows.PutNotices(bg, []notify.Notice{{
			ID: id, Kind: kind, Severity: notify.Warning, Unit: unit, System: "s-1", Object: ledger.Object{Kind: "certificate", ID: "iss:01"}, At: h.clock.now(),
		}})
		ok(h.t, err)
	}
}

func (h *house) round() {
	h.t.Helper()
	h.clock.add(time.Second)
	ok(h.t, h.Round(bg))
}

func (h *house) standing(id string) notify.Standing {
	h.t.Helper()
	all, err := h.Board(bg)
	ok(h.t, err)
	for _, s := range all {
		if s.ID == id {
			return s
		}
	}
	h.t.Fatalf("no channel %s", id)
	return notify.Standing{}
}

func ok(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
