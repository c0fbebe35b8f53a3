package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/yinxin-gov/yinxin/internal/secondopinion"
	"github.com/yinxin-gov/yinxin/internal/text"
	"github.com/yinxin-gov/yinxin/signer/report"
	"github.com/yinxin-gov/yinxin/signer/revocation"
	"github.com/yinxin-gov/yinxin/signer/verify"
)

// newVerifyCommand judges one document offline (design §9).
func newVerifyCommand(u *ui) *cobra.Command {
	var trust, status string
	var second bool
	var q reporting
	cmd := &cobra.Command{
		Use:   "verify FILE",
		Short: u.words.Get("verify.command").Both(),
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			opt := verify.Options{File: args[0]}
			if second {
				opt.SecondOpinion = secondopinion.Verifier{}
			}
			if err := q.check(); err != nil {
				return err
			}
			return u.verify(cmd.Context(), opt, trust, status, q)
		},
	}
	cmd.Flags().StringVar(&q.level, "report", "", u.words.Get("verify.flag.report").Both())
	cmd.Flags().StringVar(&q.page, "page", "", u.words.Get("verify.flag.page").Both())
	cmd.Flags().StringVar(&q.lang, "lang", string(text.Zh), u.words.Get("verify.flag.lang").Both())
	cmd.Flags().BoolVar(&q.force, "force", false, u.words.Get("verify.flag.force").Both())
	cmd.Flags().BoolVar(&second, "second-opinion", false, u.words.Get("verify.flag.second").Both())
	cmd.Flags().StringVar(&status, "revocation", "", u.words.Get("verify.flag.revocation").Both())
	cmd.Flags().StringVar(&trust, "trust", "", u.words.Get("verify.flag.trust").Both())
	return cmd
}

// verify judges, reports and prints.
func (u *ui) verify(ctx context.Context, opt verify.Options, trust, status string, q reporting) error {
	f, err := verifyFile(ctx, opt, trust, status, q.wanted())
	if err != nil {
		return err
	}
	defer f.Close()
	var made report.Report
	if q.wanted() {
		if made, err = u.report(ctx, f, q); err != nil {
			return err
		}
	}
	switch {
	case q.level != "":
		err = u.printJSON(made)
	case u.json:
		err = u.printJSON(f.rep)
	default:
		u.printReport(f.rep)
	}
	if err != nil {
		return err
	}
	return result(verifyCode(f.rep))
}

// verifyFile judges a file; the caller closes it.
func verifyFile(ctx context.Context, opt verify.Options, trust, status string, reported bool) (out judgedFile, err error) {
	name := opt.File
	out.at = time.Now()
	opt.Now, opt.SelfTest = func() time.Time { return out.at }, reported
	if trust != "" {
		t, err := verify.ReadTrust(trust)
		if errors.Is(err, verify.ErrAccreditation) {
			return out, fail(err, "verify.hint.accreditation")
		}
		if err != nil {
			return out, fail(err, "verify.hint.trust")
		}
		out.trust, opt.Trust = t, t
	}
	if status != "" {
		set, err := statusData(status, opt.Trust)
		if err != nil {
			return out, err
		}
		opt.Revocation = set
	}
	if out.File, err = os.Open(name); err != nil {
		return out, fail(err, "verify.hint.file")
	}
	defer func() {
		if err != nil {
			out.Close()
		}
	}()
	info, err := out.Stat()
	if err != nil {
		return out, fail(err, "verify.hint.file")
	}
	if !info.Mode().IsRegular() {
		return out, fail(fmt.Errorf("%s: not a regular file", name), "verify.hint.file")
	}
	if out.size = info.Size(); reported {
		if out.sm3, err = report.SM3(out, out.size); err != nil {
			return out, fail(err, "verify.hint.file")
		}
	}
	out.rep, err = verify.Reader(ctx, out, out.size, opt)
	switch {
	case errors.Is(err, verify.ErrLimit):
		return out, fail(err, "verify.hint.limit")
	case errors.Is(err, verify.ErrNotDocument):
		return out, fail(err, "verify.hint.document")
	case err != nil:
		return out, fail(err, "verify.hint.file")
	}
	return out, nil
}

// statusData reads captured lists and responses; the anchors vouch for them
// beside the authorities in the folder.
func statusData(dir string, trust *verify.Trust) (*revocation.Set, error) {
	set, err := revocation.Read(dir, nil)
	if err != nil {
		return nil, fail(err, "verify.hint.revocation")
	}
	set.AddIssuers(trust.Anchors()...)
	return set, nil
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
