package main

import (
	"github.com/rogpeppe/go-internal/testscript"

	"github.com/yinxin-gov/yinxin/ca/ceremony"
	"github.com/yinxin-gov/yinxin/internal/app"
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
