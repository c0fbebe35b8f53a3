package main

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/yinxin-gov/yinxin/internal/text"
	"github.com/yinxin-gov/yinxin/signer/report"
	"github.com/yinxin-gov/yinxin/signer/verify"
)

// verifyFlags are the options of yinxin verify.
type verifyFlags struct {
	trust, status, content, extract string
	second, force                   bool
	reporting
}

// newVerifyCommand judges one document or one signature offline (design §9).
func newVerifyCommand(u *ui) *cobra.Command {
	var f verifyFlags
	word := func(key string) string { return u.words.Get("verify.flag." + key).Both() }
	cmd := &cobra.Command{
		Use:   "verify FILE",
		Short: u.words.Get("verify.command").Both(),
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := f.reporting.check(f.force); err != nil {
				return err
			}
			return u.verify(cmd.Context(), f, args[0])
		},
	}
	fs := cmd.Flags()
	fs.StringVar(&f.trust, "trust", "", word("trust"))
	fs.StringVar(&f.status, "revocation", "", word("revocation"))
	fs.StringVar(&f.content, "content", "", word("content"))
	fs.StringVar(&f.extract, "extract", "", word("extract"))
	fs.BoolVar(&f.second, "second-opinion", false, word("second"))
	fs.StringVar(&f.level, "report", "", word("report"))
	fs.StringVar(&f.page, "page", "", word("page"))
	fs.StringVar(&f.lang, "lang", string(text.Zh), word("lang"))
	fs.BoolVar(&f.force, "force", false, word("force"))
	return cmd
}

// verify judges, reports and prints.
func (u *ui) verify(ctx context.Context, f verifyFlags, name string) error {
	found, err := f.judge(ctx, name)
	if err != nil {
		return err
	}
	defer found.Close()
	var made report.Report
	if f.wanted() {
		if made, err = u.report(ctx, found, f); err != nil {
			return err
		}
	}
	switch {
	case f.level != "":
		err = u.printJSON(made)
	case u.json:
		err = u.printJSON(found.rep)
	default:
		u.printReport(found.rep)
		f.printExtracted(u, found.rep)
	}
	if err != nil {
		return err
	}
	return result(verifyCode(found.rep))
}

// verifyCode maps a report to the exit codes of design §9.
func verifyCode(rep verify.Report) int {
	switch {
	case rep.Verdict == verify.Invalid:
		return exitInvalid
	case rep.Integrity == verify.Unsigned:
		return exitUnsigned
	case rep.Verdict == verify.Valid:
		return exitOK
	}
	return exitIndeterminate
}

// mark never shows green for what is not valid.
func mark(v verify.Verdict) string {
	switch v {
	case verify.Valid:
		return "✓"
	case verify.Invalid:
		return "✗"
	}
	return "?"
}
