package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/yinxin-gov/yinxin/authz/domain"
	"github.com/yinxin-gov/yinxin/authz/sandbox"
	"github.com/yinxin-gov/yinxin/internal/text"
)

// newDomainCommand is the side of the people who write the rules of an agency's own
// system. check, test and pack need no house; the others act as the system whose
// folder --dir is. A leader approves at the console, with his own key.
func newDomainCommand(u *ui) *cobra.Command {
	cmd := &cobra.Command{Use: "domain", Short: u.words.Get("domain.cmd").Both(), Args: cobra.NoArgs, RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() }}
	cmd.AddCommand(newDomainTest(u, "check"), newDomainTest(u, "test"), newDomainPack(u))
	var f agentFlags
	for _, call := range []*cobra.Command{newDomainPropose(u, &f), newDomainList(u, &f), newDomainExport(u, &f), newDomainRestore(u, &f), newDomainWithdraw(u, &f)} {
		f.bind(u, call.Flags())
		cmd.AddCommand(call)
	}
	return cmd
}

// tested is what check and test --json print.
type tested struct {
	Domain   string            `json:"domain"`
	Digest   string            `json:"digest_sm3"`
	OK       bool              `json:"ok"`
	Findings []sandbox.Finding `json:"findings"`
	Tests    []sandbox.Tested  `json:"tests"`
}

// newDomainTest is check, which stops behind the gate, or test, which runs the
// domain's own tests and cases as well.
func newDomainTest(u *ui, name string) *cobra.Command {
	return &cobra.Command{
		Use: name + " DIR", Short: u.words.Get("domain.cmd." + name).Both(), Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			b, err := draftIn(args[0])
			if err != nil {
				return err
			}
			out := tested{Domain: b.Domain, Digest: b.Digest(), Findings: []sandbox.Finding{}, Tests: []sandbox.Tested{}}
			if name == "check" {
				err = domain.Gate(cmd.Context(), sandbox.Config{}, b)
			} else {
				out.Tests, err = domain.Check(cmd.Context(), sandbox.Config{}, b, time.Now())
			}
			var gate *sandbox.GateError
			var failed *domain.FailedError
			switch {
			case errors.As(err, &gate):
				out.Findings = gate.Findings
			case err != nil && !errors.As(err, &failed):
				return fail(err, domainHint(err))
			}
			out.OK = err == nil
			return u.printTested(out)
		},
	}
}

func (u *ui) printTested(t tested) error {
	code := exitOK
	if !t.OK {
		code = exitInvalid
	}
	if u.json {
		if err := u.printJSON(t); err != nil {
			return err
		}
		return result(code)
	}
	for _, f := range t.Findings {
		fmt.Fprintf(u.out, "✗ %s:%d %s\n  %s\n", text.Plain(f.File), f.Line, u.words.Get(f.Rule).Both(), text.Plain(f.Detail))
	}
	for _, one := range t.Tests {
		mark := "✓"
		if !one.Pass {
			mark = "✗"
		}
		fmt.Fprintln(u.out, strings.TrimSpace(fmt.Sprintf("%s %s  %s", mark, text.Plain(one.Name), text.Plain(one.Detail))))
	}
	key := "domain.bad"
	if t.OK {
		key = "domain.good"
	}
	u.say(key, "domain", t.Domain, "digest", t.Digest)
	return result(code)
}

func draftIn(dir string) (domain.Bundle, error) {
	info, err := os.Stat(dir)
	if err == nil && !info.IsDir() {
		err = fmt.Errorf("%s: not a folder", dir)
	}
	var b domain.Bundle
	if err == nil {
		b, err = domain.ReadFolder(os.DirFS(dir))
	}
	if err != nil {
		return b, fail(err, domainHint(err))
	}
	return b, nil
}

func newDomainPack(u *ui) *cobra.Command {
	var out string
	var force bool
	cmd := &cobra.Command{
		Use: "pack DIR --out FILE", Short: u.words.Get("domain.cmd.pack").Both(), Args: cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			b, err := draftIn(args[0])
			if err != nil {
				return err
			}
			raw, err := b.Canonical()
			if err != nil {
				return fail(err, domainHint(err))
			}
			if err := free(out, force); err != nil {
				return fail(err, "sign.hint.output")
			}
			if err := writeMode(out, raw, 0o644, force); err != nil {
				return fail(err, "sign.hint.output")
			}
			if u.json {
				return u.printJSON(map[string]string{"out": out, "domain": b.Domain, "digest_sm3": b.Digest()})
			}
			u.say("domain.packed", "out", out, "digest", b.Digest())
			return nil
		},
	}
	cmd.Flags().StringVar(&out, "out", "", u.words.Get("domain.flag.out").Both())
	cmd.Flags().BoolVar(&force, "force", false, u.words.Get("sign.flag.force").Both())
	require(cmd, "out")
	return cmd
}

// domainHint says what to do about a draft.
func domainHint(err error) string {
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return "domain.hint.files"
	case errors.Is(err, domain.ErrInvalid), errors.Is(err, domain.ErrReserved), errors.Is(err, sandbox.ErrSize):
		return "domain.hint.draft"
	case errors.Is(err, sandbox.ErrTime), errors.Is(err, sandbox.ErrMemory):
		return "domain.hint.limits"
	case errors.Is(err, sandbox.ErrPlatform):
		return "domain.hint.platform"
	}
	return "verify.hint.file"
}
