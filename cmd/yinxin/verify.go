package main

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/yinxin-gov/yinxin/internal/secondopinion"
	"github.com/yinxin-gov/yinxin/signer/verify"
)

// verifyFlags are the options of yinxin verify.
type verifyFlags struct {
	trust, content, extract string
	second, force           bool
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
			rep, err := f.verify(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			if u.json {
				if err := u.printJSON(rep); err != nil {
					return err
				}
			} else {
				u.printReport(rep)
				f.printExtracted(u, rep)
			}
			return result(verifyCode(rep))
		},
	}
	cmd.Flags().BoolVar(&f.second, "second-opinion", false, word("second"))
	cmd.Flags().StringVar(&f.trust, "trust", "", word("trust"))
	cmd.Flags().StringVar(&f.content, "content", "", word("content"))
	cmd.Flags().StringVar(&f.extract, "extract", "", word("extract"))
	cmd.Flags().BoolVar(&f.force, "force", false, word("force"))
	return cmd
}

// verify judges a file, with the content of a detached signature beside it or
// where --content says, and extracts what a message carries.
func (f verifyFlags) verify(ctx context.Context, name string) (verify.Report, error) {
	opt := verify.Options{File: name}
	if f.second {
		opt.SecondOpinion = secondopinion.Verifier{}
	}
	if f.trust != "" {
		t, err := verify.ReadTrust(f.trust)
		if err != nil {
			return verify.Report{}, fail(err, "verify.hint.trust")
		}
		opt.Trust = t
	}
	if f.extract != "" {
		return f.verifyAndExtract(ctx, name, opt)
	}
	if f.content != "" {
		return verifyWith(ctx, name, f.content, opt)
	}
	rep, err := verifyFile(ctx, name, opt)
	if beside, ok := contentBeside(name); ok && errors.Is(err, verify.ErrNoContent) {
		return verifyWith(ctx, name, beside, opt)
	}
	return rep, err
}

// contentBeside is the file that FILE.p7s signs by its name.
func contentBeside(name string) (string, bool) {
	ext := filepath.Ext(name)
	content := strings.TrimSuffix(name, ext)
	if !strings.EqualFold(ext, ".p7s") || content == "" {
		return "", false
	}
	info, err := os.Stat(content)
	return content, err == nil && info.Mode().IsRegular()
}

// verifyWith verifies a detached signature over a content.
func verifyWith(ctx context.Context, name, content string, opt verify.Options) (verify.Report, error) {
	c, size, err := openRegular(content)
	if err != nil {
		return verify.Report{}, fail(err, "verify.hint.file")
	}
	defer c.Close()
	opt.Content, opt.ContentSize = c, size
	return verifyFile(ctx, name, opt)
}

func (f verifyFlags) printExtracted(u *ui, rep verify.Report) {
	switch {
	case f.extract == "":
	case rep.Integrity == verify.Intact:
		u.line("\n", "verify.line.extracted", data("path", f.extract))
	default:
		u.line("\n", "verify.line.not_extracted", data("path", f.extract))
	}
}

// errNotIntact keeps a content that is not what was signed from being written.
var errNotIntact = errors.New("verify: the content is not intact")

// verifyAndExtract writes the content that a message carries when it is intact,
// whole or not at all.
func (f verifyFlags) verifyAndExtract(ctx context.Context, name string, opt verify.Options) (rep verify.Report, err error) {
	if f.content != "" {
		return rep, fail(verify.ErrExtract, "verify.hint.extract")
	}
	judged := false
	err = writeBy(f.extract, 0o644, f.force, func(out *os.File) error {
		opt.Extract = out
		var err error
		rep, err = verifyFile(ctx, name, opt)
		if judged = err == nil; judged && rep.Integrity != verify.Intact {
			return errNotIntact
		}
		return err
	})
	var known *exitError
	switch {
	case judged && errors.Is(err, errNotIntact):
		return rep, nil // the report says why, and its exit code
	case err != nil && !errors.As(err, &known):
		return rep, fail(err, "verify.hint.output")
	}
	return rep, err
}

func verifyFile(ctx context.Context, name string, opt verify.Options) (verify.Report, error) {
	f, size, err := openRegular(name)
	if err != nil {
		return verify.Report{}, fail(err, "verify.hint.file")
	}
	defer f.Close()
	rep, err := verify.Reader(ctx, f, size, opt)
	switch {
	case errors.Is(err, verify.ErrLimit):
		return rep, fail(err, "verify.hint.limit")
	case errors.Is(err, verify.ErrNotDocument):
		return rep, fail(err, "verify.hint.document")
	case errors.Is(err, verify.ErrNoContent), errors.Is(err, verify.ErrContent):
		return rep, fail(err, "verify.hint.content")
	case errors.Is(err, verify.ErrExtract):
		return rep, fail(err, "verify.hint.extract")
	case err != nil:
		return rep, fail(err, "verify.hint.file")
	}
	return rep, nil
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
