package main

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/yinxin-gov/yinxin/internal/secondopinion"
	"github.com/yinxin-gov/yinxin/signer/report"
	"github.com/yinxin-gov/yinxin/signer/revocation"
	"github.com/yinxin-gov/yinxin/signer/verify"
)

// judgedFile is an open file and what was found.
type judgedFile struct {
	*os.File
	size  int64
	sm3   string // before it was judged; "": no report is wanted
	rep   verify.Report
	trust *verify.Trust
	at    time.Time
}

// judge judges a file, with the content of a detached signature beside it or
// where --content says, and extracts what a message carries. The caller closes
// the file.
func (f verifyFlags) judge(ctx context.Context, name string) (judgedFile, error) {
	opt, err := f.options(name)
	switch {
	case err != nil:
		return judgedFile{}, err
	case f.extract != "":
		return f.extracted(ctx, opt)
	case f.content != "":
		return f.judgeWith(ctx, f.content, opt)
	}
	out, err := f.judgeFile(ctx, opt)
	if beside, ok := contentBeside(name); ok && errors.Is(err, verify.ErrNoContent) {
		return f.judgeWith(ctx, beside, opt)
	}
	return out, err
}

// options are those of one judgement, all of it at one moment.
func (f verifyFlags) options(name string) (verify.Options, error) {
	at := time.Now()
	opt := verify.Options{File: name, Now: func() time.Time { return at }, SelfTest: f.wanted()}
	if f.second {
		opt.SecondOpinion = secondopinion.Verifier{}
	}
	if f.trust != "" {
		t, err := verify.ReadTrust(f.trust)
		switch {
		case errors.Is(err, verify.ErrAccreditation):
			return opt, fail(err, "verify.hint.accreditation")
		case err != nil:
			return opt, fail(err, "verify.hint.trust")
		}
		opt.Trust = t
	}
	if f.status != "" {
		set, err := statusData(f.status, opt.Trust)
		if err != nil {
			return opt, err
		}
		opt.Revocation = set
	}
	return opt, nil
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

// judgeWith judges a detached signature over a content.
func (f verifyFlags) judgeWith(ctx context.Context, content string, opt verify.Options) (judgedFile, error) {
	c, size, err := openRegular(content)
	if err != nil {
		return judgedFile{}, fail(err, "verify.hint.file")
	}
	defer c.Close()
	opt.Content, opt.ContentSize = c, size
	return f.judgeFile(ctx, opt)
}

// errNotIntact keeps a content that is not what was signed from being written.
var errNotIntact = errors.New("verify: the content is not intact")

// extracted writes the content that a message carries when it is intact, whole or
// not at all.
func (f verifyFlags) extracted(ctx context.Context, opt verify.Options) (found judgedFile, err error) {
	if f.content != "" {
		return found, fail(verify.ErrExtract, "verify.hint.extract")
	}
	judged := false
	err = writeBy(f.extract, 0o644, f.force, func(out *os.File) error {
		opt.Extract = out
		var err error
		found, err = f.judgeFile(ctx, opt)
		if judged = err == nil; judged && found.rep.Integrity != verify.Intact {
			return errNotIntact
		}
		return err
	})
	var known *exitError
	switch {
	case judged && errors.Is(err, errNotIntact):
		return found, nil // the report says why, and its exit code
	case err != nil && judged:
		err = errors.Join(err, found.Close())
	}
	if err != nil && !errors.As(err, &known) {
		return found, fail(err, "verify.hint.output")
	}
	return found, err
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

// judgeFile judges opt.File; the caller closes it.
func (f verifyFlags) judgeFile(ctx context.Context, opt verify.Options) (out judgedFile, err error) {
	out = judgedFile{trust: opt.Trust, at: opt.Now()}
	if out.File, out.size, err = openRegular(opt.File); err != nil {
		return out, fail(err, "verify.hint.file")
	}
	defer func() {
		if err != nil {
			out.Close()
		}
	}()
	if f.wanted() {
		if out.sm3, err = report.SM3(out, out.size); err != nil {
			return out, fail(err, "verify.hint.file")
		}
	}
	if out.rep, err = verify.Reader(ctx, out, out.size, opt); err != nil {
		return out, fail(err, verifyHint(err))
	}
	return out, nil
}

// verifyHint says what to do about a file that cannot be judged.
func verifyHint(err error) string {
	switch {
	case errors.Is(err, verify.ErrLimit):
		return "verify.hint.limit"
	case errors.Is(err, verify.ErrNotDocument):
		return "verify.hint.document"
	case errors.Is(err, verify.ErrNoContent), errors.Is(err, verify.ErrContent):
		return "verify.hint.content"
	case errors.Is(err, verify.ErrExtract):
		return "verify.hint.extract"
	}
	return "verify.hint.file"
}
