package app

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
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
	subject, err = h.PrepareSeal(bg, order)
	ok(t, err)
	s.sign(t, ra, subject, true)
	_, _, err = h.MakeSeal(bg, s.actors[keeper], order)
	ok(t, err)
	d := h.Desk
	person := func(role identity.Role) console.Person { return console.Person{ID: s.actors[role].ID, Unit: cfg.USCC} }
	ok(t, d.Act(bg, person(keeper), order.ID, "file", console.ActForm{}))
	ok(t, d.Act(bg, person(keeper), order.ID, "activate", console.ActForm{}))
	ask := func(title string) (id string) {
		id, err := d.Submit(bg, person(clerk), console.UseForm{Seal: order.ID, Title: title, Papers: []console.Paper{{Name: title + ".ofd", Bytes: notice(t, title)}}})
		ok(t, err)
		return id
	}
	// The same form twice at once: one request, and nothing is left of the other.
	var twice [2]error
	var once [2]string
	doc := notice(t, "两次")
	var both sync.WaitGroup
	for i := range twice {
		both.Go(func() {
			once[i], twice[i] = d.Submit(bg, person(clerk), console.UseForm{Seal: order.ID, Title: "两次", Papers: []console.Paper{{Name: "两次.ofd", Bytes: doc}}})
		})
	}
	both.Wait()
	if made := once[0] + once[1]; (twice[0] == nil) == (twice[1] == nil) || !errors.Is(errors.Join(twice[:]...), console.ErrRepeated) || len(drafts(t, h, "")) != 1 || len(drafts(t, h, made+".asked")) != 1 {
		t.Errorf("%v, %v, kept %v", once, twice, drafts(t, h, ""))
	}
	v1, err := d.Use(bg, person(leader), once[0]+once[1], 0)
	ok(t, err)
	ok(t, d.Decide(bg, person(leader), v1.ID, console.Answer{Digest: v1.Digest, PIN: s.pins[leader], Reason: "重复"}))
	yes := func(id string) {
		u, err := h.Signer.Use(bg, id)
		ok(t, err)
		sum, err := u.Approves()
		ok(t, err)
		ok(t, d.Decide(bg, person(leader), id, console.Answer{Digest: sum, PIN: s.pins[leader], Yes: true}))
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
	for _, loose := range []string{".tmp-1", "none.asked"} {
		ok(t, os.WriteFile(draftFile(h, loose), []byte("x"), 0o600))
		ok(t, os.Chtimes(draftFile(h, loose), now, now))
	}
	kept := func(after time.Duration, want ...string) {
		t.Helper()
		now = now.Add(after)
		ok(t, d.Sweep(bg))
		got := drafts(t, h, "")
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
	d = h.Desk
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
	const second = "11010000000002"
	ok(t, d.Apply(bg, person(clerk), console.SealForm{ID: second, Name: "样例（样章）", Kind: "special", Purpose: "样例"}))
	before, err := h.openDrafts(bg)
	ok(t, err)
	now = now.AddDate(4, 6, 0)
	d, err = h.openDesk(bg)
	ok(t, err)
	after, err := h.openDrafts(bg)
	ok(t, err)
	v, err := d.Seal(bg, person(clerk), second)
	if len(after) != len(before)+1 || err != nil || len(v.Image) == 0 {
		t.Errorf("%d certificates, a picture of %d bytes, %v", len(after), len(v.Image), err)
	}
}
