package verify

import (
	"context"
	"errors"
	"time"

	"github.com/yinxin-gov/yinxin/signer/ofd"
	"github.com/yinxin-gov/yinxin/signer/seal"
)

// subject is one signature under judgement, with all that its checks share.
type subject struct {
	ctx  context.Context
	opt  *Options
	pkg  *ofd.Package
	all  []ofd.Signature // of the document
	sig  *ofd.Signature
	cov  ofd.Coverage
	now  time.Time
	form string // reason why the signed value is not judged, "" when it is

	ses    *seal.Signature // nil when missing, unreadable or of another kind
	sesErr error
	value  []byte       // Seal.esl and SignedValue.dat as stored
	signer *certificate // nil when unreadable
	maker  *certificate

	token    *outcome  // of the time-stamp, judged once
	trusted  time.Time // of a time-stamp that holds; zero: none
	warnings []Warning
}

func newSubject(ctx context.Context, opt *Options, pkg *ofd.Package, all []ofd.Signature, i int) *subject {
	s := &subject{ctx: ctx, opt: opt, pkg: pkg, all: all, sig: &all[i], now: opt.Now()}
	s.cov = pkg.CoverageOf(s.sig)
	s.readValue()
	return s
}

func (s *subject) warn(code, path string) {
	s.warnings = append(s.warnings, Warning{Code: code, Path: path})
}

// readValue parses the signed value and decides whether this version judges it:
// only the layout of GB/T 38540-2020. The layout decides, never the attribute
// Type or a version number alone (reference §2.4).
func (s *subject) readValue() {
	if s.sig.ValuePath == "" {
		return
	}
	if s.value, s.sesErr = s.pkg.Read(s.sig.ValuePath); s.sesErr != nil {
		return
	}
	s.form = formOf(s.value)
	if s.form != "" {
		return
	}
	if s.ses, s.sesErr = seal.ParseSignature(s.value); s.sesErr != nil {
		if errors.Is(s.sesErr, seal.ErrUnsupported) {
			s.form = ReasonAlgorithm
		}
		s.ses = nil
		return
	}
	switch {
	case s.sig.Type == ofd.TypeSign:
		s.form = ReasonSign
	case s.ses.Layout == seal.LayoutV1:
		s.form = ReasonV1
	case s.ses.Layout != seal.LayoutV4:
		s.form = ReasonV5
	}
	for _, w := range append(s.ses.Warnings, s.ses.Seal.Warnings...) {
		s.warn("ses."+w, s.sig.ValuePath)
	}
	// A certificate that does not read is a finding of sig.cert.structure and
	// seal.maker.
	s.signer, _ = readCertificate(s.ses.CertDER)
	s.maker, _ = readCertificate(s.ses.Seal.MakerCertDER)
}

// formOf recognises signed values that are no SES_Signature by the first element
// inside the outer SEQUENCE (reference §2.4).
func formOf(der []byte) string {
	if len(der) < 2 || der[0] != 0x30 {
		return ""
	}
	head := 2
	if der[1]&0x80 != 0 {
		head += int(der[1] & 0x7f)
	}
	if head >= len(der) {
		return ""
	}
	switch der[head] {
	case 0x06:
		return ReasonSign // ContentInfo, GB/T 35275
	case 0x02:
		return ReasonRaw // SEQUENCE{r,s}
	}
	return ""
}

// judged reports whether the checks of the signed value apply.
func (s *subject) judged() bool { return s.ses != nil && s.form == "" }

type judgement struct {
	Signature
	integrity Integrity
}

// judge runs every check in order.
func (s *subject) judge(container outcome) judgement {
	list := []outcome{container}
	if s.form != "" {
		list = append(list, s.checkFormat())
	}
	for _, run := range []func(*subject) outcome{
		checkSES, checkSealSignature, checkMaker, checkMakerChain, checkSealPeriod,
		checkValue, checkCertForm, checkChain, checkUsage, checkCertPeriod, checkTime,
		checkDataHash, checkReferences, checkCertList, checkSealFile,
		checkToken, checkRevocation, checkCoverage, checkStamp, checkBase,
	} {
		list = append(list, run(s))
	}
	return conclude(s.describe(), list)
}

// conclude joins the outcomes of one signature.
func conclude(sig Signature, list []outcome) judgement {
	out := judgement{Signature: sig}
	worst, partial := effNone, false
	for _, o := range list {
		out.Checks = append(out.Checks, o.Check)
		worst = max(worst, o.effect)
		partial = partial || o.effect == effPartial
	}
	out.Verdict, out.integrity = worst.verdict(), worst.integrity()
	// Invalid by period hides the weaker effect of a missing coverage.
	if partial && worst == effInvalid {
		out.integrity = Partial
	}
	return out
}

// describe fills what the report shows of the signature.
func (s *subject) describe() Signature {
	d := Signature{ID: s.sig.ID, Kind: "seal", Coverage: Coverage{Covered: s.cov.Covered, Uncovered: s.cov.Uncovered}}
	if s.sig.Type == ofd.TypeSign {
		d.Kind = "sign"
	}
	if d.Coverage.Covered == nil {
		d.Coverage.Covered = []string{}
	}
	if d.Coverage.Uncovered == nil {
		d.Coverage.Uncovered = []string{}
	}
	if s.form == ReasonSign {
		d.Standard = "GB/T 35275-2017"
	}
	if s.ses == nil {
		return d
	}
	switch s.ses.Layout {
	case seal.LayoutV1:
		d.Standard = "GM/T 0031-2014"
	case seal.LayoutV4:
		d.Standard = "GB/T 38540-2020"
	case seal.LayoutV5:
		d.Standard = "GM/T 0031-2025"
	}
	d.Seal, d.SealID = s.ses.Seal.Name, s.ses.Seal.ID
	if s.signer != nil {
		d.Signer = s.signer.subject
	}
	if !s.ses.Time.IsZero() {
		d.SignedAt = stamp(s.ses.Time)
	}
	if !s.trusted.IsZero() {
		d.TrustedTime = stamp(s.trusted)
	}
	return d
}

func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }

// span prints a period as evidence.
func span(at, from, until time.Time) string {
	return stamp(at) + " in " + stamp(from) + "/" + stamp(until)
}
