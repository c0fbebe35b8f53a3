package app

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/yinxin-gov/yinxin/authz/identity"
	"github.com/yinxin-gov/yinxin/ca"
)

// mortal lets a founding live for so many looks at the clock, and then ends
// everything that it does. Nothing is cleaned up behind it: what it has written
// is there.
func mortal(cfg Config, looks int64) (context.Context, Config) {
	ctx, end := context.WithCancel(context.Background())
	var n atomic.Int64
	cfg.Now = func() time.Time {
		if n.Add(1) > looks {
			end()
		}
		return time.Now()
	}
	return ctx, cfg
}

// `init --ceremony` dies again and again, each time further on its way, on both
// engines: the next one goes on, and the house that comes out has one of
// everything.
func TestFoundingIsRepeatedAfterACrash(t *testing.T) {
	for name, db := range engines {
		t.Run(name, func(t *testing.T) {
			cfg, s, all, order := begun(t, db(t))
			roots, err := filepath.Glob(filepath.Join(cfg.Dir, dirCeremonies, "*.json"))
			ok(t, err)
			raw, err := os.ReadFile(roots[0])
			ok(t, err)
			again, err := Begin(bg, cfg, raw)
			if ok(t, err); !bytes.Equal(again, order) {
				t.Error("begun again, the house gives another order")
			}
			strangers, theirs := session(t)
			made, err := MakeRoots(bg, strangers, cfg.Organization, cfg.site().CPS, 2, theirs)
			_, err = Begin(bg, cfg, encoded(t, made, err))
			wantErr(t, err, ErrInitialised)

			out, err := SignOrder(bg, s, order, SM3Hex(order), all[:3])
			signed := encoded(t, out, err)
			died := 0
			for looks := int64(4); ; looks += looks / 2 {
				ctx, dying := mortal(cfg, looks)
				made, err := Complete(ctx, dying, signed, three)
				if err == nil {
					if len(made.Links) != 3 || made.Links[0].URL == "" {
						t.Errorf("%d links", len(made.Links))
					}
					break
				}
				if died++; died > 40 {
					t.Fatal(err)
				}
				if _, err := Open(bg, cfg); !errors.Is(err, ErrAwaiting) {
					t.Fatalf("after %d looks at the clock the house opens: %v", looks, err)
				}
			}
			if died < 4 {
				t.Errorf("died %d times only", died)
			}
			h, err := Open(bg, cfg)
			ok(t, err)
			defer func() { ok(t, h.Close()) }()
			people, err := h.rooms.Identity.Persons(bg, identity.USCC(h.cfg.USCC))
			if ok(t, err); len(people) != 3 {
				t.Errorf("%d persons", len(people))
			}
			for _, service := range []string{keyLedger, keyExchange, keyMaker} {
				certs, err := h.rooms.CA.CertificatesOf(bg, service)
				ok(t, err)
				good := 0
				for _, c := range certs {
					if c.State == ca.StateGood {
						good++
					}
				}
				if good != 1 {
					t.Errorf("%s has %d good certificates", service, good)
				}
			}
			entries, err := h.store.Ledger().Entries(bg, 0, 0, h.Ledger.Head().Size)
			ok(t, err)
			ceremonies := 0
			for _, e := range entries {
				if bytes.Contains(e.Body, []byte("ca.ceremony.imported")) {
					ceremonies++
				}
			}
			if ceremonies != 2 {
				t.Errorf("%d ceremonies on the ledger", ceremonies)
			}
		})
	}
}

// `init` that was killed says so, and what to do; so does `serve` on its folder.
func TestAFoundingThatWasKilledSaysSo(t *testing.T) {
	cfg, ln := config(t, "")
	ok(t, ln.Close())
	_, err := claimFolder(cfg.Dir) // the first thing that a founding does
	ok(t, err)
	_, err = Init(bg, cfg, three)
	wantErr(t, err, ErrBrokeOff)
	_, err = Open(bg, cfg)
	wantErr(t, err, ErrBrokeOff)
	_, err = Complete(bg, cfg, nil, three)
	wantErr(t, err, ErrBrokeOff)
	s, all := session(t)
	made, err := MakeRoots(bg, s, cfg.Organization, cfg.site().CPS, 2, all)
	_, err = Begin(bg, cfg, encoded(t, made, err))
	wantErr(t, err, ErrBrokeOff)
	ok(t, os.RemoveAll(cfg.Dir))
	_, err = Init(bg, cfg, three)
	ok(t, err)
	if _, err := os.Stat(filepath.Join(cfg.Dir, fileFounding)); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the mark is left: %v", err)
	}
}
