package verify

import (
	"context"
	"fmt"
	"time"

	"github.com/yinxin-gov/yinxin/signer/ofd"
	"github.com/yinxin-gov/yinxin/signer/seal"
)

// Seal judges a seal by itself, as it would be used now (GB/T 38540-2020, 6.3;
// GM/T 0031-2014, 6.1.2): the maker's signature, certificate, chain and
// revocation, the seal's period and its time-stamp. The report's format is
// "seal", its checks are those of the document as a whole, and it has no
// signatures. What is no seal is the error of seal.ParseSeal.
func Seal(ctx context.Context, der []byte, opt Options) (Report, error) {
	e, err := seal.ParseSeal(der)
	if err != nil {
		return Report{}, fmt.Errorf("reading seal: %w", err)
	}
	if opt.Now == nil {
		opt.Now = time.Now
	}
	now := opt.Now()
	s := &subject{
		ctx: ctx, opt: &opt, now: now, at: now, sig: &ofd.Signature{ID: e.ID, ValuePath: opt.File},
		ses: &seal.Signature{Seal: e, Layout: e.Layout},
	}
	s.maker, _ = readCertificate(e.MakerCertDER)
	for _, w := range e.Warnings {
		s.warn("ses."+w, opt.File)
	}
	checks := []outcome{pass(CheckSES, "GB/T 38540-2020, 6.1", e.Layout)}
	for _, run := range []func(*subject) outcome{checkSealSignature, checkMaker, checkMakerChain, checkSealPeriod, checkSealToken} {
		checks = append(checks, run(s))
	}
	checks = append(checks, s.revocation("GB/T 38540-2020, 6.3", now, e.MakerCertDER))
	if opt.SecondOpinion != nil {
		checks = append(checks, checkSecondOpinion(s))
	}
	got := conclude(Signature{}, checks)
	rep := Report{
		File: opt.File, Format: "seal", Verdict: got.Verdict, Integrity: got.integrity, Signatures: []Signature{},
		Warnings: []Warning{}, Checks: got.Checks,
	}
	for _, w := range s.warnings {
		rep.warn(w.Code, w.Path, "")
	}
	return rep, nil
}
