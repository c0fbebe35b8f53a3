package main

import (
	"context"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/yinxin-gov/yinxin/authz/identity"
	"github.com/yinxin-gov/yinxin/ca/authority"
	"github.com/yinxin-gov/yinxin/ca/ceremony"
	"github.com/yinxin-gov/yinxin/internal/app"
	"github.com/yinxin-gov/yinxin/internal/console"
	"github.com/yinxin-gov/yinxin/internal/keys/keystest"
)

// sm3sum puts the SM3 of a file into a variable, as the people in the room read
// it from a print: `sm3sum VAR FILE`.
func sm3sum(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: sm3sum VAR FILE")
	}
	ts.Setenv(args[0], app.SM3Hex([]byte(ts.ReadFile(args[1]))))
}

// rootsum does so with the SM2 root in an outcome: `rootsum VAR FILE`.
func rootsum(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: rootsum VAR FILE")
	}
	out, err := ceremony.ReadOutcome([]byte(ts.ReadFile(args[1])))
	ts.Check(err)
	ts.Setenv(args[0], app.SM3Hex(out.Roots[0]))
}

// newroots asks for a change to the roots in an outcome, as a system administrator
// does in the console: `newroots DIR FILE`.
func newroots(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: newroots DIR FILE")
	}
	ctx, dir := context.Background(), ts.MkAbs(args[0])
	s, err := app.LoadSettings(dir)
	ts.Check(err)
	h, err := app.Open(ctx, app.Config{Settings: s, Dir: dir, Work: keystest.Work()})
	ts.Check(err)
	defer func() { ts.Check(h.Close()) }()
	made, err := h.Invite(ctx, identity.Person{Name: "样例丁", Agency: identity.USCC(s.USCC)}, identity.Post{Role: identity.RoleSystemAdmin, Title: "样例"}, 0)
	ts.Check(err)
	ts.Check(h.Desk.PrepareSuccession(ctx, console.Person{ID: made.Person, Unit: s.USCC}, authority.Order{Reason: "样例", NewRoots: true}, []byte(ts.ReadFile(args[1]))))
}
