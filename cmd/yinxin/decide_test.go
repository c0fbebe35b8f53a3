package main

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"

	"github.com/yinxin-gov/yinxin/authz"
	"github.com/yinxin-gov/yinxin/internal/app"
	"github.com/yinxin-gov/yinxin/internal/keys/keystest"
)

// decided makes a house with one decision, which stays open: an auditor does
// not stop the house to replay.
func decided(t *testing.T) (h *app.House, dir, id string) {
	t.Helper()
	dir = filepath.Join(t.TempDir(), "house")
	var out, errw bytes.Buffer
	if code := cheap(t.Context(), []string{"init", "--json", "--dir", dir, "--organization", "样例单位", "--uscc", "11110100999900011P", "--name", "x",
		"--system-admin", "甲", "--security-officer", "乙", "--auditor", "丙"}, nil, &out, &errw); code != exitOK {
		t.Fatalf("%d %s", code, errw.String())
	}
	s, err := app.LoadSettings(dir)
	if err != nil {
		t.Fatal(err)
	}
	h, err = app.Open(context.Background(), app.Config{Settings: s, Dir: dir, Work: keystest.Work()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := h.Close(); err != nil {
			t.Error(err)
		}
	})
	d, err := h.PDP.Decide(t.Context(), authz.Request{
		SubjectType: authz.SubjectAgency, SubjectID: "11110100999900011P", Action: authz.ActionRead, Resource: "low-income",
	})
	if err != nil || d.Allow {
		t.Fatalf("%v %+v", err, d)
	}
	return h, dir, d.ID
}

// Exit codes of design §9: 0 the same, 1 different, 2 nothing to compare.
func TestDecideReplay(t *testing.T) {
	_, dir, id := decided(t)
	replay := func(args ...string) (int, string) {
		var out, errw bytes.Buffer
		code := cheap(t.Context(), append([]string{"decide", "--dir", dir}, args...), nil, &out, &errw)
		return code, out.String() + errw.String()
	}
	if code, text := replay("--replay", id); code != exitOK || !strings.Contains(text, "逐字节相同") || !strings.Contains(text, "E01_unknown_resource (X14-14)") {
		t.Fatalf("%d %s", code, text)
	}
	code, text := replay("--json", "--replay", id)
	var shown replayShown
	if err := json.Unmarshal([]byte(text), &shown); err != nil || code != exitOK || !shown.Same || shown.ID != id || len(shown.Recorded) == 0 {
		t.Fatalf("%d %s", code, text)
	}
	everything := func(want app.ReplaySummary, wantCode int) {
		t.Helper()
		code, text := replay("--json", "--replay-all")
		var got app.ReplaySummary
		if err := json.Unmarshal([]byte(text), &got); err != nil || code != wantCode || got.Decisions != 1 || got.Same != want.Same || got.NotKept != want.NotKept || len(got.Altered) != len(want.Altered) {
			t.Errorf("%d %s", code, text)
		}
		if code, text := replay("--replay-all"); code != wantCode || strings.Contains(text, "decide.") {
			t.Errorf("%d %s", code, text)
		}
	}
	everything(app.ReplaySummary{Same: 1}, exitOK)
	if code, text := replay("--replay-all", "--since", "2999-01-01"); code != exitOK || !strings.Contains(text, " 0 ") {
		t.Errorf("%d %s", code, text)
	}
	for name, tc := range map[string]struct {
		args []string
		want string
	}{
		"two ways":     {[]string{"--replay", id, "--replay-all"}, "--replay needs"},
		"no day":       {[]string{"--replay-all", "--since", "2026"}, "--since is a day"},
		"a day alone":  {[]string{"--replay", id, "--since", "2026-01-01"}, "--replay needs"},
		"no id":        {nil, "--replay needs"},
		"no such id":   {[]string{"--replay", "nothing"}, "not found"},
		"no form":      {[]string{"--replay", "a b"}, "--replay needs"},
		"no folder":    {[]string{"--replay", id, "--dir", dir + "-none"}, "yinxin init"},
		"an argument":  {[]string{"--replay", id, "x"}, "unknown command"},
		"other store":  {[]string{"--replay", id, "--db", "sqlite:" + filepath.Join(dir, "none.db")}, "no file"},
		"bad database": {[]string{"--replay", id, "--db", "mysql://x"}, "提示"},
	} {
		if code, text := replay(tc.args...); code != exitUsage || !strings.Contains(text, tc.want) || !strings.Contains(text, "提示 / hint: ") {
			t.Errorf("%s: %d %s", name, code, text)
		}
	}
	behind := func(query string) {
		t.Helper()
		db, err := sql.Open("sqlite", filepath.Join(dir, "yinxin.db"))
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close()
		if res, err := db.Exec(query, id); err != nil {
			t.Fatal(err)
		} else if n, _ := res.RowsAffected(); n == 0 {
			t.Fatal("nothing was changed")
		}
	}
	// Facts of another decision under the digest of this one, then none at all.
	behind(`UPDATE decision_fact SET body = replace(body, 'low-income', 'streets') WHERE ? <> '' AND instr(body, 'low-income') > 0`)
	if code, text := replay("--replay", id); code != exitUsage || !strings.Contains(text, "altered") {
		t.Errorf("altered facts: %d %s", code, text)
	}
	everything(app.ReplaySummary{Altered: []string{id}}, exitInvalid)
	behind(`DELETE FROM decision_fact WHERE ? <> ''`)
	if code, text := replay("--replay", id); code != exitUsage || !strings.Contains(text, "not kept") {
		t.Errorf("no facts: %d %s", code, text)
	}
	everything(app.ReplaySummary{NotKept: 1}, exitIndeterminate)
	behind(`UPDATE ledger_entry SET body = CAST(replace(CAST(body AS TEXT), '"deny"', '"allow"') AS BLOB) WHERE entry_id = ?`)
	if code, text := replay("--replay", id); code != exitUsage || !strings.Contains(text, "ledger.body.commit") {
		t.Errorf("an edited record: %d %s", code, text)
	}
	everything(app.ReplaySummary{Altered: []string{id}}, exitInvalid)
}

// A record that a second evaluation does not give is exit 1 and says where.
func TestReplayThatDiffers(t *testing.T) {
	u, out := testUI(t, false)
	err := u.printReplay(authz.Replayed{Differs: []string{"decision"}, Decision: authz.Decision{ID: "d-1"}})
	if e, is := err.(*exitError); !is || e.code != exitInvalid || !strings.Contains(out.String(), "decision") {
		t.Fatalf("%v %s", err, out.String())
	}
}
