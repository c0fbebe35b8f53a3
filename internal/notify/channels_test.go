package notify_test

import (
	"context"
	"encoding/base64"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/yinxin-gov/yinxin/authz/ledger"
	"github.com/yinxin-gov/yinxin/internal/notify"
)

func TestRegisterRefuses(t *testing.T) {
	h, in := newHouse(t), newHook(t)
	good := in.channel()
	good.Name, good.Severity = "样例", notify.Info
	for what, change := range map[string]func(*notify.Channel){
		"no name": func(c *notify.Channel) { c.Name = " " }, "a name that turns": func(c *notify.Channel) { c.Name = "a\u202eb" }, "a long name": func(c *notify.Channel) { c.Name = strings.Repeat("样", 61) },
		"no severity": func(c *notify.Channel) { c.Severity = 0 }, "an unknown kind of notice": func(c *notify.Channel) { c.Kinds = []notify.Kind{"x"} },
		"a kind twice":     func(c *notify.Channel) { c.Kinds = []notify.Kind{notify.SystemUnused, notify.SystemUnused} },
		"an unknown kind":  func(c *notify.Channel) { c.Kind = "mail" },
		"plain http":       func(c *notify.Channel) { c.Address = "http://hook.example/" },
		"roots of nothing": func(c *notify.Channel) { c.Roots = []byte("x") }, "a root and more": func(c *notify.Channel) { c.Roots = append(slices.Clone(c.Roots), 'x') },
		"roots without TLS": func(c *notify.Channel) { c.Kind, c.Address = notify.Syslog, "udp://log.example" },
	} {
		c := good
		change(&c)
		if _, secret, err := h.Register(bg, admin, c); !errors.Is(err, notify.ErrInvalid) || secret != "" {
			t.Errorf("%s: %v", what, err)
		}
	}
	if _, _, err := h.Register(bg, ledger.Actor{}, good); !errors.Is(err, notify.ErrInvalid) {
		t.Errorf("nobody: %v", err)
	}
	if all, err := h.Board(bg); err != nil || len(all) != 0 {
		t.Errorf("%+v, %v", all, err)
	}
}

func TestSecretsDifferAndAreNotKeptOpen(t *testing.T) {
	h, in := newHouse(t, loopback), newHook(t)
	a, one := h.register(in.channel())
	_, two := h.register(in.channel())
	if one == two || !strings.HasPrefix(one, "whsec_") {
		t.Fatalf("%s %s", one, two)
	}
	if _, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(one, "whsec_")); err != nil {
		t.Error(err)
	}
	syslog, secret := h.register(notify.Channel{Kind: notify.Syslog, Address: "udp://127.0.0.1:1"})
	if secret != "" || syslog.Secret != nil {
		t.Errorf("%q", secret)
	}
	// The secret is bound to the address: a row that was changed signs nothing.
	moved := h.again(func(c *notify.Config) { c.Store = elsewhere{&rows{h.rows}, newHook(t).URL} })
	h.tell(notify.CertificateHeld, "u-1", "n1")
	h.clock.add(time.Second)
	ok(t, moved.Round(bg))
	if s := h.standing(a.ID); !strings.Contains(s.LastError, "secret") {
		t.Errorf("%+v", s)
	}
}

// elsewhere changes where channels lead, as who writes to the database can.
type elsewhere struct {
	*rows
	address string
}

func (e elsewhere) Waiting(ctx context.Context, now time.Time) ([]notify.Channel, error) {
	all, err := e.rows.Waiting(ctx, now)
	for i := range all {
		all[i].Address = e.address
	}
	return all, err
}

func TestChannelsArePausedAndRemoved(t *testing.T) {
	h, in := newHouse(t, loopback), newHook(t)
	c, _ := h.register(in.channel())
	ok(t, h.Move(bg, admin, c.ID, notify.Paused))
	h.tell(notify.CertificateHeld, "u-1", "n1")
	h.round()
	if err := h.Test(bg, admin, c.ID); !errors.Is(err, notify.ErrState) {
		t.Errorf("a test of what is paused: %v", err)
	}
	if s := h.standing(c.ID); s.Queued != 1 || len(in.posts()) != 0 {
		t.Errorf("%+v", s)
	}
	ok(t, h.Move(bg, admin, c.ID, notify.Active))
	ok(t, h.Test(bg, admin, c.ID))
	h.round()
	if got := in.names(); len(got) != 2 || got[0] != "n1" || !strings.Contains(string(in.posts()[1].body), `"yinxin.channel.test"`) {
		t.Errorf("%v", got)
	}
	ok(t, h.Move(bg, admin, c.ID, notify.Removed))
	for _, to := range []notify.State{notify.Active, notify.Paused, notify.Removed} {
		if err := h.Move(bg, admin, c.ID, to); !errors.Is(err, notify.ErrState) {
			t.Errorf("removed to %s: %v", to, err)
		}
	}
	if err := h.Move(bg, admin, "none", notify.Paused); !errors.Is(err, notify.ErrNotFound) {
		t.Errorf("no channel: %v", err)
	}
	if err := h.Move(bg, admin, c.ID, "gone"); !errors.Is(err, notify.ErrInvalid) {
		t.Errorf("no state: %v", err)
	}
	if err := h.Test(bg, admin, "none"); !errors.Is(err, notify.ErrNotFound) {
		t.Errorf("no channel: %v", err)
	}
	h.tell(notify.CertificateHeld, "u-1", "n2")
	h.round()
	if len(in.posts()) != 2 {
		t.Errorf("%v", in.names())
	}
}

// Of an event goes out what the table names: no text, no person.
func TestOfAnEvent(t *testing.T) {
	ev := ledger.Event{
		ID: "e-1", Type: "ca.certificate.revoked", Time: time.Unix(1, 0).UTC(), Outcome: ledger.Success, Object: ledger.Object{Kind: "certificate", ID: "01"},
		Actor: ledger.Actor{Kind: "person", ID: "p-1"}, Details: map[string]string{"issuer": "iss", "reason": "4", "why": "张三离职", "pair": ""},
	}
	n, told := notify.Of(ev)
	if !told || n.Object.ID != "iss:01" || n.Severity != notify.Warning || len(n.Details) != 2 || n.Details["reason"] != "4" || n.Details["event"] != ev.Type {
		t.Errorf("%+v", n)
	}
	ev.Object.ID = "other:01"
	if n, _ := notify.Of(ev); n.Object.ID != "other:01" {
		t.Errorf("%+v", n)
	}
	for _, tc := range []struct {
		event, object, id, unit, system string
		details                         map[string]string
	}{
		{"ca.system.stale", "system", "s-1", "u-1", "s-1", map[string]string{"agency": "u-1", "days": "90"}},
		{"kmc.recovery.asked", "key_recovery", "r-1", "u-1", "s-1", map[string]string{"agency": "u-1", "system": "s-1", "kind": "owner"}},
		{"sharing.violation.escalated", "violation", "v-1", "u-1", "", map[string]string{"agency": "u-1", "unit": "u-2", "due": "2026-03-20", "reason": "张三"}},
		{"signer.key.compromised", "seal", "x", "u-1", "", map[string]string{"unit": "u-1", "reason": "张三"}},
	} {
		n, told := notify.Of(ledger.Event{ID: "e", Type: tc.event, Outcome: ledger.Success, Object: ledger.Object{Kind: tc.object, ID: tc.id}, Details: tc.details})
		if !told || n.Unit != tc.unit || n.System != tc.system || strings.Contains(n.Details["reason"], "张") {
			t.Errorf("%s: %+v", tc.event, n)
		}
	}
	court := ledger.Event{ID: "e", Type: "kmc.recovery.asked", Outcome: ledger.Success, Details: map[string]string{"agency": "u-1", "kind": "judicial"}}
	if n, told := notify.Of(court); told {
		t.Errorf("a recovery for a court is told: %+v", n)
	}
	ev.Outcome = ledger.Failure
	if _, told := notify.Of(ev); told {
		t.Error("an act that failed is told")
	}
	ev.Outcome, ev.Type = ledger.Success, "authz.decision.made"
	if _, told := notify.Of(ev); told {
		t.Error("a decision is told")
	}
}

// Every kind has words.
func TestKindsHaveWords(t *testing.T) {
	h := newHouse(t)
	for _, k := range notify.Kinds() {
		for _, key := range []string{"notify.said." + string(k), "notify.kind." + string(k)} {
			if !h.cfg.Words.Has(key) {
				t.Errorf("%s is missing", key)
			}
		}
	}
}
