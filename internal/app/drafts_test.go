package app

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/yinxin-gov/yinxin/authz/identity"
	"github.com/yinxin-gov/yinxin/internal/console"
	"github.com/yinxin-gov/yinxin/internal/keys"
	"github.com/yinxin-gov/yinxin/signer"
)

// TestKeptDocuments: what is kept comes to its end by the clock, survives a
// restart, and is never opened by another key.
func TestKeptDocuments(t *testing.T) {
	cfg, ln := config(t, "")
	ok(t, ln.Close())
	now := time.Now().UTC().Truncate(time.Second)
	cfg.Now = func() time.Time { return now }
	_, err := Init(bg, cfg, three)
	ok(t, err)
	h, err := Open(bg, cfg)
	ok(t, err)
	defer func() { ok(t, h.Close()) }()
	const leader, clerk, keeper, ra = identity.RoleUnitLeader, identity.RoleClerk, identity.RoleSealAdministrator, identity.RoleRAOfficer
	s := hire(t, h, leader, clerk, keeper)
	order := SealOrder{ID: testSeal, Unit: identity.USCC(cfg.USCC), Name: "样例（样章）"}
	subject, _, err := h.ApplySeal(bg, s.actors[clerk], order)
	ok(t, err)
	s.sign(t, leader, subject, true)
	_, _, err = h.Life.Settle(bg, s.actors[clerk], order.ID)
	ok(t, err)
	subject, err = h.PrepareSeal(bg, order, s.actors[leader].ID)
	ok(t, err)
	s.sign(t, ra, subject, true)
	_, _, err = h.MakeSeal(bg, s.actors[keeper], order)
	ok(t, err)
	d := h.desk()
	person := func(role identity.Role) console.Person { return console.Person{ID: s.actors[role].ID, Unit: cfg.USCC} }
	ok(t, d.Act(bg, person(keeper), order.ID, "file", console.ActForm{}))
	ok(t, d.Act(bg, person(keeper), order.ID, "activate", console.ActForm{}))
	ask := func(title string) (id string) {
		id, err := d.Submit(bg, person(clerk), console.UseForm{Seal: order.ID, Title: title, Paper: console.Paper{Name: title + ".ofd", Bytes: notice(t, title)}})
		ok(t, err)
		return id
	}
	yes := func(id string) {
		u, err := h.Signer.Use(bg, id)
		ok(t, err)
		ok(t, d.Decide(bg, person(leader), id, console.Answer{Digest: u.Document, PIN: s.pins[leader], Yes: true}))
	}
	// One of each: never answered, approved and forgotten, sealed, fetched.
	open, idle, sealed, fetched := ask("一"), ask("二"), ask("三"), ask("四")
	for _, id := range []string{idle, sealed, fetched} {
		yes(id)
	}
	for _, id := range []string{sealed, fetched} {
		ok(t, d.PutSeal(bg, person(clerk), id))
	}
	_, err = d.Fetch(bg, person(clerk), fetched)
	ok(t, err)
	loose := filepath.Join(cfg.Dir, dirBlobs, dirDesk, ".tmp-1")
	ok(t, os.WriteFile(loose, []byte("x"), 0o600))
	ok(t, os.Chtimes(loose, now, now))
	ok(t, h.drafts.put(bg, "none", draftAsked, draft{Bytes: []byte("of no request")}))
	kept := func(after time.Duration, want ...string) {
		t.Helper()
		now = now.Add(after)
		ok(t, h.sweepDesk(bg))
		all, err := h.drafts.list()
		ok(t, err)
		var got []string
		for _, f := range all {
			got = append(got, f.id+"."+f.kind)
		}
		if len(got) != len(want) {
			t.Fatalf("kept %v, want %v", got, want)
		}
		for _, w := range want {
			if !strings.Contains(strings.Join(got, " "), w) {
				t.Errorf("kept %v, want %s", got, w)
			}
		}
	}
	one, two, three, four := open+".asked", idle+".asked", sealed+".sealed", fetched+".fetched"
	kept(time.Minute, one, two, three, four, "none.asked", ".tmp-1")
	kept(time.Hour, one, two, three, four)
	// An older house: no key for drafts and nothing kept with it yet. A key that is
	// lost while its certificate is in force is not replaced.
	ok(t, h.Close())
	key := filepath.Join(cfg.Dir, dirKeys, keyDrafts)
	ok(t, os.Rename(key, key+".away"))
	_, err = Open(bg, cfg)
	wantErr(t, err, keys.ErrNotFound)
	ok(t, os.Rename(key+".away", key))
	h, err = Open(bg, cfg)
	ok(t, err)
	d = h.desk()
	kept(24*time.Hour, one, two, three)
	kept(6*24*time.Hour, one)
	kept(24 * 24 * time.Hour)
	for id, want := range map[string]signer.UseState{open: signer.UseLapsed, idle: signer.UseLapsed, sealed: signer.UseSealed} {
		if u, err := h.Signer.Use(bg, id); err != nil || u.State != want {
			t.Errorf("%s is %s, want %s (%v)", id, u.State, want, err)
		}
	}
	u, err := h.Signer.Use(bg, open)
	ok(t, err)
	err = d.Decide(bg, person(leader), open, console.Answer{Digest: u.Document, PIN: s.pins[leader], Yes: true})
	wantErr(t, err, console.ErrAnswered)
	_, err = d.Fetch(bg, person(clerk), sealed)
	wantErr(t, err, console.ErrNotKept)
	// A certificate near its end is followed by another; what was kept for the old
	// one opens.
	ok(t, h.drafts.put(bg, "old", draftPicture, draft{Width: 42, Bytes: []byte("kept before")}))
	certs := len(h.drafts.certs)
	now = now.AddDate(4, 6, 0)
	again, err := h.openDrafts(bg)
	ok(t, err)
	defer func() { ok(t, again.key.Close()) }()
	got, err := again.get(bg, "old", draftPicture)
	if len(again.certs) != certs+1 || err != nil || string(got.Bytes) != "kept before" || got.Width != 42 {
		t.Errorf("%d certificates, %+v %v", len(again.certs), got, err)
	}
}

// Names of kept documents never leave their folder, and what is not an envelope
// of ours is refused.
func TestDraftsRefuse(t *testing.T) {
	cfg, ln := config(t, "")
	ok(t, ln.Close())
	_, err := Init(bg, cfg, three)
	ok(t, err)
	h, err := Open(bg, cfg)
	ok(t, err)
	defer func() { ok(t, h.Close()) }()
	for _, id := range []string{"../../yinxin", "/etc/passwd", `..\x`, "../x"} {
		if _, err := h.drafts.get(bg, "a/../../"+id, draftAsked); err == nil {
			t.Errorf("%q was opened", id)
		}
	}
	_, err = h.drafts.get(bg, "none", draftAsked)
	wantErr(t, err, fs.ErrNotExist)
	ok(t, h.drafts.put(bg, "one", draftAsked, draft{Name: "a", Bytes: []byte("document")}))
	p, err := h.drafts.blobs.path(draftName("one", draftAsked))
	ok(t, err)
	raw, err := os.ReadFile(p)
	ok(t, err)
	for i := 0; i < len(raw); i += 13 {
		bad := append([]byte(nil), raw...)
		bad[i] ^= 1
		ok(t, os.WriteFile(p, bad, 0o600))
		if v, err := h.drafts.get(bg, "one", draftAsked); err == nil && string(v.Bytes) != "document" {
			t.Fatalf("byte %d changed: %q", i, v.Bytes)
		} else if err != nil && !errors.Is(err, errDraft) {
			t.Fatalf("byte %d changed: %v", i, err)
		}
	}
	wantErr(t, h.drafts.put(bg, "one", draftAsked, draft{Name: strings.Repeat("x", maxDraftHead)}), errDraft)
}
