package verify

import (
	"context"
	"errors"
	"time"

	"github.com/yinxin-gov/yinxin/signer/cms"
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
	kind kind   // of the signed value
	form string // reason why the signed value is not judged, "" when it is

	ses      *seal.Signature // set when the value is an SES_Signature that reads
	msg      *cms.Message    // set when the value is a GB/T 35275 message that reads
	valueErr error           // why neither is set
	certDER  []byte          // of the signer, nil when the value has none
	at       time.Time       // of signing, as claimed
	signer   *certificate    // nil when unreadable
	maker    *certificate    // of the seal

	value    []byte    // as stored
	tokenDER []byte    // time-stamp that was judged
	chains   []Chain   // that were found
	token    *outcome  // of the time-stamp, judged once
	trusted  time.Time // of a time-stamp that holds; zero: none
	proofs   []proof   // every SM2 signature that was checked, for the second opinion
	changed  []string  // covered files that are not as they were
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

// kind is the form of a signed value.
type kind int

const (
	kindSES kind = iota // SES_Signature of any layout; also what is no structure at all
	kindCMS             // ContentInfo of GB/T 35275
	kindRaw             // SEQUENCE{r,s}
)

// kindOf tells the forms apart by the first element inside the outer SEQUENCE:
// the bytes decide, never the attribute Type or a version number (reference
// §2.4).
func kindOf(der []byte) kind {
	if len(der) < 2 || der[0] != 0x30 {
		return kindSES
	}
	head := 2
	if der[1]&0x80 != 0 {
		head += int(der[1] & 0x7f)
	}
	if head >= len(der) {
		return kindSES
	}
	switch der[head] {
	case 0x06:
		return kindCMS
	case 0x02:
		return kindRaw
	}
	return kindSES
}

// readValue parses the signed value and takes from it who signed, and when.
func (s *subject) readValue() {
	if s.sig.ValuePath == "" {
		return
	}
	var value []byte
	if value, s.valueErr = s.pkg.Read(s.sig.ValuePath); s.valueErr != nil {
		return
	}
	s.value = value
	switch s.kind = kindOf(value); s.kind {
	case kindRaw:
		s.form = ReasonRaw
		return
	case kindCMS:
		s.readMessage(value)
	default:
		s.readSeal(value)
	}
	if s.at.IsZero() && s.judged() {
		// Signature.xml is signed too: its time is a claim like any other, only
		// display in the standards (reference §4).
		if at, ok := seal.ParseTime(s.sig.DateTime); ok {
			s.at = at
			s.warn(WarnTimeXML, s.sig.Path)
		}
	}
	// A certificate that does not read is a finding of sig.cert.structure and
	// seal.maker.
	s.signer, _ = readCertificate(s.certDER)
}

func (s *subject) readSeal(value []byte) {
	ses, err := seal.ParseSignature(value)
	if err != nil {
		s.valueErr = err
		return
	}
	s.ses, s.certDER, s.at = ses, ses.CertDER, ses.Time
	s.maker, _ = readCertificate(ses.Seal.MakerCertDER)
	for _, w := range append(ses.Warnings, ses.Seal.Warnings...) {
		s.warn("ses."+w, s.sig.ValuePath)
	}
	if s.sig.Type == ofd.TypeSign {
		s.warn(WarnType, s.sig.ValuePath)
	}
}

func (s *subject) readMessage(value []byte) {
	msg, err := cms.Parse(value)
	switch {
	case errors.Is(err, cms.ErrUnsupported):
		s.form = ReasonAlgorithm
	case err != nil:
		s.valueErr = err
	default:
		s.msg, s.certDER, s.at = msg, msg.CertDER, msg.SigningTime
		if msg.RawValue {
			s.warn("ses."+seal.WarnRawSignature, s.sig.ValuePath)
		}
	}
}

// judged reports whether the checks of the signed value apply.
func (s *subject) judged() bool { return s.ses != nil || s.msg != nil }

type judgement struct {
	Signature
	integrity Integrity
}

// judge runs every check in order.
func (s *subject) judge(container outcome) judgement {
	list := []outcome{container}
	if s.form == ReasonAlgorithm {
		list = append(list, s.checkFormat())
	}
	for _, run := range []func(*subject) outcome{
		checkStructureOfValue, checkSealSignature, checkMaker, checkMakerChain, checkSealPeriod, checkSealToken,
		checkValue, checkCertForm, checkChain, checkUsage, checkCertPeriod, checkTime,
		checkDataHash, checkReferences, checkCertList, checkSealFile,
		checkToken, checkRevocation, checkCoverage, checkStamp, checkBase,
	} {
		list = append(list, run(s))
	}
	if s.opt.SecondOpinion != nil {
		list = append(list, checkSecondOpinion(s))
	}
	if s.opt.SelfTest {
		list = append(list, checkSelfTest(list, s.flipped))
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
	d := Signature{ID: s.sig.ID, Kind: "seal", Material: s.material(), Coverage: Coverage{Covered: s.cov.Covered, Uncovered: s.cov.Uncovered}}
	if s.kind != kindSES || s.ses == nil && s.sig.Type == ofd.TypeSign {
		d.Kind = "sign"
	}
	if d.Coverage.Covered == nil {
		d.Coverage.Covered = []string{}
	}
	if d.Coverage.Uncovered == nil {
		d.Coverage.Uncovered = []string{}
	}
	if s.kind == kindCMS {
		d.Standard = "GB/T 35275-2017"
	}
	if s.signer != nil {
		d.Signer = s.signer.subject
	}
	if !s.at.IsZero() {
		d.SignedAt = stamp(s.at)
	}
	if !s.trusted.IsZero() {
		d.TrustedTime = stamp(s.trusted)
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
	return d
}

func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }

// span prints a period as evidence.
func span(at, from, until time.Time) string {
	return stamp(at) + " in " + stamp(from) + "/" + stamp(until)
}
