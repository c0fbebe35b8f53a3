package main

import (
	"context"
	"errors"
	"io"
	"os"
	"os/signal"
	"syscall"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/yinxin-gov/yinxin/authz/sandbox"
	"github.com/yinxin-gov/yinxin/internal/keys/keystest"
)

// cheap is run, with keys that cost nothing to make and open.
func cheap(ctx context.Context, args []string, in io.Reader, out, errw io.Writer) int {
	return (&ui{in: in, out: out, err: errw, work: keystest.Work()}).run(ctx, args)
}

// TestMain makes the test binary answer to the name yinxin inside scripts, so
// that they run the real command line in a process of its own.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == sandbox.Command {
		os.Exit(sandbox.Child(os.Args[2:], os.Stdin, os.Stdout))
	}
	testscript.Main(m, map[string]func(){
		"yinxin": func() {
			ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
			code := cheap(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr)
			stop()
			os.Exit(code)
		},
	})
}

// TestScripts runs every story of the command line. `exits CODE COMMAND…`
// checks an exit code, which the contract of design §9 fixes.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script",
		// Samples that scripts share. Cheap: some milliseconds a script.
		Setup: func(env *testscript.Env) error { return errors.Join(ledgerSample(env), notices(env)) },
		Cmds:  map[string]func(*testscript.TestScript, bool, []string){"exits": exits, "edit": edit, "taken": taken, "freeport": freeport, "answers": answers, "sigterm": sigterm, "sqlite": sqlite, "papers": papers, "replace": replace, "sm3sum": sm3sum, "rootsum": rootsum, "newroots": newroots},
	})
}
