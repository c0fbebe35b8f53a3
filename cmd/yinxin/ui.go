package main

// The rules of the command line:
//
//   - Results go to stdout; errors, hints and progress go to stderr.
//   - --json prints one JSON object and nothing else on stdout.
//   - Text is Chinese first with English beside it, from internal/text.
//   - An error is one line and is followed by one hint line (提示: what to do).
//   - Exit codes: 0 ok or valid, 1 invalid or denied, 2 usage or I/O,
//     3 indeterminate, 4 unsigned. Only exitError sets a code other than 2.
//   - No secret is ever printed, in no mode; the one-time links of init and
//     demo are the exception that lets the first persons in.

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/yinxin-gov/yinxin/internal/app"
	"github.com/yinxin-gov/yinxin/internal/keys"
	"github.com/yinxin-gov/yinxin/internal/text"
)

// Exit codes of every command (design §9).
const (
	exitOK            = 0
	exitInvalid       = 1
	exitUsage         = 2
	exitIndeterminate = 3
	exitUnsigned      = 4
)

// ui is what a command needs to speak: streams, words, --json. Work is the zero
// value, production's, but in tests.
type ui struct {
	in       io.Reader
	out, err io.Writer
	words    *text.Catalogue
	json     bool
	work     keys.Work
}

// house is the configuration of a data folder.
func (u *ui) house(s app.Settings, dir string) app.Config {
	return app.Config{Settings: s, Dir: dir, Work: u.work}
}

// exitError ends a command with a code. Hint is a catalogue key ("cli.hint.…")
// or empty; Silent: the result was printed, only the code matters.
type exitError struct {
	code   int
	err    error
	hint   string
	silent bool
}

func (e *exitError) Error() string {
	if e.err == nil {
		return fmt.Sprintf("exit %d", e.code)
	}
	return e.err.Error()
}
func (e *exitError) Unwrap() error { return e.err }

// fail is an error of usage or I/O with a hint.
func fail(err error, hint string) error { return &exitError{code: exitUsage, err: err, hint: hint} }

// result ends a command whose result was printed already.
func result(code int) error {
	if code == exitOK {
		return nil
	}
	return &exitError{code: code, silent: true}
}

// printJSON writes one indented object.
func (u *ui) printJSON(v any) error {
	enc := json.NewEncoder(u.out)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	return enc.Encode(v)
}

// say prints a line from the catalogue to stdout.
func (u *ui) say(key string, pairs ...string) {
	fmt.Fprintln(u.out, u.words.Get(key).Fill(pairs...).Both())
}

// run is main without the process: it returns the exit code.
func run(ctx context.Context, args []string, in io.Reader, out, errw io.Writer) int {
	return (&ui{in: in, out: out, err: errw}).run(ctx, args)
}

func (u *ui) run(ctx context.Context, args []string) int {
	words, err := text.Load()
	if err != nil {
		fmt.Fprintln(u.err, err)
		return exitUsage
	}
	u.words = words
	root := newRoot(u)
	root.SetArgs(args)
	root.SetIn(u.in)
	root.SetOut(u.out)
	root.SetErr(u.err)
	err = root.ExecuteContext(ctx)
	if err == nil {
		return exitOK
	}
	var ee *exitError
	if !errors.As(err, &ee) {
		ee = &exitError{code: exitUsage, err: err, hint: "cli.hint.help"}
	}
	if !ee.silent {
		// A joined error prints one line each; this surface has one for all.
		fmt.Fprintf(u.err, "%s: %s\n", words.Get("cli.error").Both(), strings.ReplaceAll(ee.err.Error(), "\n", "; "))
		if ee.hint != "" {
			fmt.Fprintf(u.err, "%s: %s\n", words.Get("cli.hint").Both(), words.Get(ee.hint).Both())
		}
	}
	return ee.code
}

// newRoot builds the command tree.
func newRoot(u *ui) *cobra.Command {
	root := &cobra.Command{
		Use:           "yinxin",
		Short:         u.words.Get("cli.root").Both(),
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	root.PersistentFlags().BoolVar(&u.json, "json", false, u.words.Get("cli.flag.json").Both())
	root.CompletionOptions.DisableDefaultCmd = true
	root.AddCommand(newDemoCommand(u))
	root.AddCommand(newInitCommand(u))
	root.AddCommand(newServeCommand(u))
	root.AddCommand(newStoreCommand(u))
	root.AddCommand(newKeyCommand(u))
	root.AddCommand(newVersionCommand(u))
	root.AddCommand(newVerifyCommand(u))
	root.AddCommand(newPreviewCommand(u))
	root.AddCommand(newCertCommand(u))
	root.AddCommand(newLedgerCommand(u))
	root.AddCommand(newSignCommand(u))
	root.AddCommand(newSealCommand(u))
	root.AddCommand(newTSCommand(u))
	root.AddCommand(newAgentCommand(u))
	root.AddCommand(newDecideCommand(u))
	root.AddCommand(newArchiveCommand(u))
	root.AddCommand(newCatalogueCommand(u))
	return root
}
