package main

import (
	"context"
	"crypto/ecdsa"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/yinxin-gov/yinxin/authz/ledger"
	"github.com/yinxin-gov/yinxin/internal/text"
	"github.com/yinxin-gov/yinxin/signer/archive"
	"github.com/yinxin-gov/yinxin/signer/verify"
)

// judgeFlags are what a package is judged with.
type judgeFlags struct {
	trust, status string
	keys, retired []string
}

func (f *judgeFlags) add(u *ui, cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.trust, "trust", "", u.words.Get("verify.flag.trust").Both())
	cmd.Flags().StringVar(&f.status, "revocation", "", u.words.Get("archive.flag.revocation").Both())
	cmd.Flags().StringArrayVar(&f.keys, "ledger-key", nil, u.words.Get("ledger.flag.key").Both())
	cmd.Flags().StringArrayVar(&f.retired, "retired", nil, u.words.Get("archive.flag.retired").Both())
}

func (f *judgeFlags) options() (opt archive.Options, err error) {
	if f.trust != "" {
		if opt.Trust, err = verify.ReadTrust(f.trust); err != nil {
			return opt, fail(err, "verify.hint.trust")
		}
	}
	if f.status != "" {
		if opt.Status, err = statusData(f.status, opt.Trust); err != nil {
			return opt, err
		}
	}
	for _, name := range f.keys {
		text, err := os.ReadFile(name)
		if err != nil {
			return opt, fail(err, "ledger.hint.key")
		}
		var key *ecdsa.PublicKey
		if key, err = ledger.ParseKey(text); err != nil {
			return opt, fail(fmt.Errorf("%s: %w", name, err), "ledger.hint.key")
		}
		opt.LedgerKeys = append(opt.LedgerKeys, key)
	}
	opt.Retired, err = retired(f.retired)
	return opt, err
}

// retired reads NAME=DAY.
func retired(list []string) (archive.Retired, error) {
	out := archive.Retired{}
	for _, r := range list {
		name, day, _ := strings.Cut(r, "=")
		at, err := time.Parse(time.DateOnly, day)
		if err != nil || !slices.Contains(archive.Algorithms(), name) {
			return nil, fail(fmt.Errorf("--retired %q", r), "archive.hint.retired")
		}
		out[name] = at
	}
	return out, nil
}

func newArchiveVerify(u *ui) *cobra.Command {
	return u.judging("verify FILE", "archive.cmd.verify", u.sayPackage)
}

// newArchiveCheck shows the same judgement as the four-property check (四性检测).
func newArchiveCheck(u *ui) *cobra.Command {
	return u.judging("check FILE", "archive.cmd.check", u.sayProperties)
}

func (u *ui) judging(use, short string, say func(archive.Report)) *cobra.Command {
	var f judgeFlags
	cmd := &cobra.Command{
		Use:   use,
		Short: u.words.Get(short).Both(),
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			opt, err := f.options()
			if err != nil {
				return err
			}
			rep, err := verifyPackage(cmd.Context(), args[0], opt)
			if err != nil {
				return err
			}
			if u.json {
				if err := u.printJSON(rep); err != nil {
					return err
				}
			} else {
				say(rep)
			}
			return result(packageCode(rep.Verdict))
		},
	}
	f.add(u, cmd)
	return cmd
}

func verifyPackage(ctx context.Context, name string, opt archive.Options) (archive.Report, error) {
	f, size, err := openUpTo(name, archive.MaxPackage)
	if err != nil {
		return archive.Report{}, err
	}
	defer f.Close() // read only
	opt.File = name
	rep, err := archive.Verify(ctx, f, size, opt)
	if err != nil {
		return rep, fail(fmt.Errorf("%s: %w", name, err), archiveHint(err))
	}
	return rep, nil
}

// packageCode maps a verdict to the exit codes of design §9.
func packageCode(v verify.Verdict) int {
	switch v {
	case verify.Valid:
		return exitOK
	case verify.Invalid:
		return exitInvalid
	}
	return exitIndeterminate
}

// sayPackage prints the verdict, what the package is, and every check.
func (u *ui) sayPackage(rep archive.Report) {
	u.sayVerdict(rep)
	for _, c := range rep.Checks {
		u.sayCheck(c)
	}
	u.line("\n", "archive.line.legal")
}

func (u *ui) sayVerdict(rep archive.Report) {
	u.line("", "archive.line.verdict", data("mark", mark(rep.Verdict)), data("file", rep.File), word("verdict", "verify.verdict."+string(rep.Verdict)))
	for _, l := range [][2]string{{"document", rep.Document}, {"sm3", rep.SM3}, {"signer", rep.Signer}} {
		if l[1] != "" {
			u.line("  ", "archive.line."+l[0], data(l[0], l[1]))
		}
	}
	u.sayProtection(rep.ArchivedAt, rep.RenewBy)
}

func (u *ui) sayProtection(at, until string) {
	if at != "" {
		u.line("  ", "archive.line.archived", data("at", at))
	} else {
		u.line("  ", "archive.line.unproven")
	}
	if until != "" {
		u.line("  ", "archive.line.renew", data("until", until))
	}
}

func (u *ui) sayCheck(c archive.Check) {
	fmt.Fprintf(u.out, "  [%s] %s — %s\n", u.words.Get("verify.result."+string(c.Result)).Both(), u.words.Get("archive.check."+c.ID).Both(), c.Clause)
	if c.Reason != "" {
		fmt.Fprintf(u.out, "      %s\n", u.words.Get("archive.reason."+c.Reason).Both())
	}
	if c.Detail != "" && (c.Result != verify.Pass || c.Reason != "") {
		fmt.Fprintf(u.out, "      %s\n", text.Plain(c.Detail))
	}
}

// sayProperties prints the four properties, each with its checks.
func (u *ui) sayProperties(rep archive.Report) {
	u.sayVerdict(rep)
	for _, p := range rep.Properties {
		fmt.Fprintf(u.out, "\n%s: %s\n", u.words.Get("archive.property."+string(p.Property)).Both(), u.words.Get("verify.result."+string(p.Result)).Both())
		for _, c := range rep.Checks {
			if c.Property == p.Property {
				u.sayCheck(c)
			}
		}
	}
	u.line("\n", "archive.line.legal")
}
