package main

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"github.com/yinxin-gov/yinxin/internal/secondopinion"
	"github.com/yinxin-gov/yinxin/signer/revocation"
	"github.com/yinxin-gov/yinxin/signer/verify"
)

// newVerifyCommand judges one document offline (design §9).
func newVerifyCommand(u *ui) *cobra.Command {
	var trust, status string
	var second bool
	cmd := &cobra.Command{
		Use:   "verify FILE",
		Short: u.words.Get("verify.command").Both(),
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			opt := verify.Options{File: args[0]}
			if second {
				opt.SecondOpinion = secondopinion.Verifier{}
			}
			rep, err := verifyFile(cmd.Context(), opt, trust, status)
			if err != nil {
				return err
			}
			if u.json {
				if err := u.printJSON(rep); err != nil {
					return err
				}
			} else {
				u.printReport(rep)
			}
			return result(verifyCode(rep))
		},
	}
	cmd.Flags().BoolVar(&second, "second-opinion", false, u.words.Get("verify.flag.second").Both())
	cmd.Flags().StringVar(&status, "revocation", "", u.words.Get("verify.flag.revocation").Both())
	cmd.Flags().StringVar(&trust, "trust", "", u.words.Get("verify.flag.trust").Both())
	return cmd
}

func verifyFile(ctx context.Context, opt verify.Options, trust, status string) (verify.Report, error) {
	name := opt.File
	if trust != "" {
		t, err := verify.ReadTrust(trust)
		if errors.Is(err, verify.ErrAccreditation) {
			return verify.Report{}, fail(err, "verify.hint.accreditation")
		}
		if err != nil {
			return verify.Report{}, fail(err, "verify.hint.trust")
		}
		opt.Trust = t
	}
	if status != "" {
		set, err := statusData(status, opt.Trust)
		if err != nil {
			return verify.Report{}, err
		}
		opt.Revocation = set
	}
	f, err := os.Open(name)
	if err != nil {
		return verify.Report{}, fail(err, "verify.hint.file")
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return verify.Report{}, fail(err, "verify.hint.file")
	}
	if !info.Mode().IsRegular() {
		return verify.Report{}, fail(fmt.Errorf("%s: not a regular file", name), "verify.hint.file")
	}
	rep, err := verify.Reader(ctx, f, info.Size(), opt)
	switch {
	case errors.Is(err, verify.ErrLimit):
		return rep, fail(err, "verify.hint.limit")
	case errors.Is(err, verify.ErrNotDocument):
		return rep, fail(err, "verify.hint.document")
	case err != nil:
		return rep, fail(err, "verify.hint.file")
	}
	return rep, nil
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
