package verify

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/emmansun/gmsm/sm3"

	"github.com/yinxin-gov/yinxin/signer/ofd"
	"github.com/yinxin-gov/yinxin/signer/pdf"
	"github.com/yinxin-gov/yinxin/signer/seal"
)

// pdfClause is where the checks of a PDF stand.
const pdfClause = "GM/T 0112-2021, 7.6; ISO 32000-1, 12.8"

// subFilterStamp is the format of a document time-stamp.
const subFilterStamp pdf.Name = "ETSI.RFC3161"

// pdfDocument judges a PDF: its structure, then every signature, then what later
// revisions did to the part that each of them covers.
func pdfDocument(ctx context.Context, r io.ReaderAt, size int64, opt *Options) (Report, error) {
	rep := Report{File: opt.File, Format: "pdf", Signatures: []Signature{}, Warnings: []Warning{}}
	f := pdfFile{ctx: ctx, opt: opt, size: size}
	var err error
	if f.doc, err = pdf.Open(r, size); err == nil {
		f.sigs, err = f.doc.Signatures()
	}
	var remains pdf.Remains
	if err == nil {
		remains, err = f.doc.Scan(f.sigs)
	}
	if err != nil {
		return unreadPDF(rep, r, size, err)
	}
	for _, s := range f.sigs {
		f.end = max(f.end, s.End())
	}
	var judged []judgement
	for _, s := range f.sigs {
		if err := ctx.Err(); err != nil {
			return Report{}, err
		}
		j, warnings, err := f.judge(s)
		if err != nil {
			return Report{}, err
		}
		judged = append(judged, j)
		for _, w := range warnings {
			rep.warn(w.Code, w.Path, s.Field)
		}
	}
	if f.doc.Exceeded() {
		return Report{}, fmt.Errorf("%w: %w", ErrLimit, pdf.ErrLimit)
	}
	for _, at := range remains.Signatures {
		rep.warn(WarnOrphan, offset(at), "")
	}
	for _, at := range remains.Shadows {
		rep.warn(WarnShadow, offset(at), "")
	}
	// Last, because reading the signatures is what finds the faults.
	own := f.structure()
	rep.Checks = []Check{own.Check}
	rep.Verdict, rep.Integrity = own.effect.verdict(), own.effect.integrity()
	for _, j := range judged {
		j.Checks = append([]Check{own.Check}, j.Checks...)
		if own.effect == effAltered {
			j.Verdict = Invalid
		}
		rep.Signatures = append(rep.Signatures, j.Signature)
		rep.Verdict, rep.Integrity = rep.Verdict.join(j.Verdict), rep.Integrity.join(j.integrity)
	}
	if len(judged) == 0 && own.effect < effInvalid {
		rep.Verdict, rep.Integrity = Indeterminate, Unsigned
	}
	list, malformed := CitationsOfPDF(f.doc)
	err = checkCitations(ctx, opt, &rep, io.NewSectionReader(r, 0, size), list, malformed)
	return rep, err
}

func offset(at int64) string { return fmt.Sprintf("offset %d", at) }

// unreadPDF reports a file whose structure does not read. With a signature in it
// that is a finding about the document, not a mistake of the caller.
func unreadPDF(rep Report, r io.ReaderAt, size int64, err error) (Report, error) {
	var o outcome
	switch {
	case errors.Is(err, pdf.ErrLimit):
		return Report{}, fmt.Errorf("%w: %w", ErrLimit, err)
	case errors.Is(err, pdf.ErrEncrypted):
		o = cannot(CheckPDF, pdfClause, ReasonPDFEncrypted, "")
		o.effect = effPartial
	case errors.Is(err, pdf.ErrUnsupported):
		o = cannot(CheckPDF, pdfClause, ReasonPDFUnread, err.Error())
		o.effect = effPartial
	case errors.Is(err, pdf.ErrFormat):
		signed, readErr := pdf.MentionsSignature(r, size)
		if readErr != nil {
			return Report{}, readErr
		}
		if !signed {
			return Report{}, fmt.Errorf("%w: %w", ErrNotDocument, err)
		}
		o = fail(CheckPDF, pdfClause, ReasonPDFBroken, err.Error(), effAltered)
	default:
		return Report{}, err
	}
	rep.Checks = []Check{o.Check}
	rep.Verdict, rep.Integrity = o.effect.verdict(), o.effect.integrity()
	return rep, nil
}

// pdfFile is what the judgements of one file share.
type pdfFile struct {
	ctx  context.Context
	opt  *Options
	doc  *pdf.Document
	sigs []*pdf.Signature
	size int64
	end  int64 // of the last covered byte
}

// structure: a file that two readers can read in two ways proves nothing about
// what either of them shows.
func (f *pdfFile) structure() outcome {
	if len(f.doc.Faults) > 0 {
		return fail(CheckPDF, pdfClause, ReasonPDFFaults, strings.Join(f.doc.Faults, "; "), effAltered)
	}
	return pass(CheckPDF, pdfClause, "")
}

// pdfSubject is one signature of a PDF. The checks of seals are those of an OFD
// document: subject carries what they need, and no package.
type pdfSubject struct {
	subject
	file *pdfFile
	pdf  *pdf.Signature
	// again is the check that accepts the value, with another value.
	again func() outcome
}

func (f *pdfFile) judge(s *pdf.Signature) (judgement, []Warning, error) {
	p := &pdfSubject{file: f, pdf: s, subject: subject{
		ctx: f.ctx, opt: f.opt, now: f.opt.Now(), sig: &ofd.Signature{ID: s.Field, ValuePath: s.Field}, value: s.Value,
	}}
	p.again = p.flipped
	list := []outcome{p.checkRange()}
	desc := Signature{ID: s.Field, Kind: "pdf", Coverage: p.coverage()}
	var err error
	switch {
	case s.SubFilter == "adbe.x509.rsa_sha1" || s.SubFilter == "adbe.pkcs7.sha1":
		list = append(list, unjudged(CheckCMS, cmsClause, ReasonAlgorithm, string(s.SubFilter))) // SHA-1
	case s.SubFilter == subFilterStamp:
		err = p.judgeStamp(&desc, &list)
	case kindOf(s.Value) == kindCMS:
		err = p.judgeCMS(&desc, &list)
	default:
		err = p.judgeSES(&desc, &list)
	}
	if err != nil {
		return judgement{}, nil, err
	}
	list = append(list, p.checkCoverage(), p.checkWidget())
	if f.opt.SecondOpinion != nil {
		list = append(list, checkSecondOpinion(&p.subject))
	}
	if f.opt.SelfTest {
		list = append(list, checkSelfTest(list, p.again))
	}
	desc.Material = p.material()
	return conclude(desc, list), p.warnings, nil
}

// checkRange: the range is well formed and leaves out the value and no byte more.
func (p *pdfSubject) checkRange() outcome {
	detail := fmt.Sprintf("%d %d %d %d", p.pdf.Range[0], p.pdf.Range[1], p.pdf.Range[2], p.pdf.Range[3])
	switch p.pdf.Fault {
	case "":
		return pass(CheckRange, pdfClause, detail)
	case pdf.RangeGap:
		return fail(CheckRange, pdfClause, p.pdf.Fault, detail, effPartial)
	}
	return fail(CheckRange, pdfClause, p.pdf.Fault, detail, effAltered)
}

// ranged reports whether there are bytes to be digested.
func (p *pdfSubject) ranged() bool { return p.pdf.Range != [4]int64{} }

func (p *pdfSubject) coverage() Coverage {
	c := Coverage{Covered: []string{}, Uncovered: []string{}}
	if !p.ranged() {
		return c
	}
	r := p.pdf.Range
	c.Covered = append(c.Covered, bytesOf(r[0], r[0]+r[1]), bytesOf(r[2], p.pdf.End()))
	if p.pdf.Fault == pdf.RangeGap {
		c.Uncovered = append(c.Uncovered, bytesOf(r[0]+r[1], r[2]))
	}
	if r[0] > 0 {
		c.Uncovered = append(c.Uncovered, bytesOf(0, r[0]))
	}
	if p.pdf.End() < p.file.size {
		c.Uncovered = append(c.Uncovered, bytesOf(p.pdf.End(), p.file.size))
	}
	return c
}

func bytesOf(from, to int64) string { return fmt.Sprintf("bytes %d-%d", from, to) }

// checkCoverage: the signature covers the file, or a whole revision behind which
// nothing happened but further signatures, the last of which covers the file, and
// validation data.
func (p *pdfSubject) checkCoverage() outcome {
	switch {
	case !p.ranged():
		return skip(CheckCoverage, pdfClause, ReasonNotJudged)
	case p.pdf.Fault != "":
		return fail(CheckCoverage, pdfClause, ReasonUncovered, p.pdf.Fault, effPartial)
	case p.pdf.End() == p.file.size:
		return pass(CheckCoverage, pdfClause, fmt.Sprintf("%d", p.file.size))
	}
	old, err := p.file.doc.Revision(p.pdf)
	switch {
	case err != nil:
		return fail(CheckCoverage, pdfClause, ReasonRevision, err.Error(), effPartial)
	case p.file.end < p.file.size && !p.file.evidenceBehind():
		return fail(CheckCoverage, pdfClause, ReasonTail, bytesOf(p.file.end, p.file.size), effPartial)
	}
	if changes := p.file.doc.Changes(old); len(changes) > 0 {
		return fail(CheckCoverage, pdfClause, ReasonChangedAfter, strings.Join(changes, "; "), effPartial)
	}
	if later := p.signedAfter(); later != "" && p.pdf.Permits == 1 {
		return fail(CheckCoverage, "ISO 32000-2, 12.8.2.2", ReasonLocked, later, effPartial)
	}
	if p.file.end < p.file.size {
		p.warn(WarnEvidence, bytesOf(p.file.end, p.file.size))
	}
	if p.pdf.End() < p.file.end {
		p.warn(WarnLater, bytesOf(p.pdf.End(), p.file.end))
	}
	return pass(CheckCoverage, pdfClause, bytesOf(0, p.pdf.End()))
}

// signedAfter names a signature behind this one. A document time-stamp is none:
// no certification forbids it (ISO 32000-2, 12.8.2.2.2).
func (p *pdfSubject) signedAfter() string {
	for _, s := range p.file.sigs {
		if s.SubFilter != subFilterStamp && (s.End() > p.pdf.End() || s.Fault != "") {
			return s.Field
		}
	}
	return ""
}

// evidenceBehind reports whether all that follows the last covered byte is
// validation data: a long-term signature (ETSI EN 319 142-1, 5.4.2) without a
// time-stamp over it.
func (f *pdfFile) evidenceBehind() bool {
	for _, s := range f.sigs {
		if s.End() != f.end || s.Fault != "" {
			continue
		}
		last, err := f.doc.Revision(s)
		return err == nil && f.doc.OnlyEvidence(last)
	}
	return false
}

// checkWidget: a seal that is shown stands on its page.
func (p *pdfSubject) checkWidget() outcome {
	const clause = "GM/T 0112-2021, 7.2; ISO 32000-1, 12.5"
	switch {
	case p.pdf.OffPage:
		return fail(CheckStamp, clause, ReasonStampOff, fmt.Sprintf("page %d", p.pdf.Page), effInvalid)
	case p.pdf.Page == 0 || p.pdf.Hidden:
		return skip(CheckStamp, clause, ReasonNoStamp)
	}
	return pass(CheckStamp, clause, fmt.Sprintf("page %d", p.pdf.Page))
}

// judgeSES judges a value that is an SES_Signature, of any layout.
func (p *pdfSubject) judgeSES(desc *Signature, list *[]outcome) error {
	const clause = "GB/T 38540-2020, 7.1; GM/T 0112-2021, 7.2"
	desc.Kind = "seal"
	p.names(pdf.SealFilters(), pdf.SealSubFilters())
	ses, err := seal.ParseSignature(p.pdf.Value)
	if err != nil {
		o := fail(CheckSES, clause, ReasonMalformed, err.Error(), effAltered)
		if errors.Is(err, seal.ErrUnsupported) {
			reason := ReasonAlgorithm
			if kindOf(p.pdf.Value) == kindRaw {
				reason = ReasonRaw
			}
			o = unjudged(CheckSES, clause, reason, err.Error())
		}
		*list = append(*list, o)
		return nil
	}
	p.ses, p.certDER, p.at = ses, ses.CertDER, ses.Time
	for _, w := range append(p.ses.Warnings, p.ses.Seal.Warnings...) {
		p.warn("ses."+w, p.pdf.Field)
	}
	p.signer, _ = readCertificate(p.ses.CertDER)
	p.maker, _ = readCertificate(p.ses.Seal.MakerCertDER)
	cov := desc.Coverage
	*desc = p.describe()
	desc.Coverage = cov
	*list = append(*list, pass(CheckSES, clause, p.pdf.Field))
	for _, run := range []func(*subject) outcome{
		checkSealSignature, checkMaker, checkMakerChain, checkSealPeriod, checkSealToken, checkValue, checkCertForm,
		checkChain, checkUsage, checkCertPeriod, checkTime, checkCertList, checkToken, checkRevocation,
	} {
		*list = append(*list, run(&p.subject))
	}
	if !p.trusted.IsZero() {
		desc.TrustedTime = stamp(p.trusted)
	}
	o, err := p.checkDigest(p.ses.DataHash)
	*list = append(*list, o)
	return err
}

// checkDigest: the seal signs SM3 over the covered bytes.
func (p *pdfSubject) checkDigest(want []byte) (outcome, error) {
	if !p.ranged() {
		return skip(CheckDataHash, pdfClause, ReasonNotJudged), nil
	}
	h := sm3.New()
	if err := p.file.doc.Digest(p.pdf, h); err != nil {
		return outcome{}, err
	}
	if got := h.Sum(nil); string(got) != string(want) {
		return fail(CheckDataHash, pdfClause, ReasonDigestDiffer, expected(p.pdf.Field, want, got), effAltered), nil
	}
	return pass(CheckDataHash, pdfClause, p.pdf.Field), nil
}

// unjudged is a value that nothing is known of: nothing is shown to be unchanged.
func unjudged(id, clause, reason, detail string) outcome {
	o := cannot(id, clause, reason, detail)
	o.effect = effPartial
	return o
}

// names warns when handler and format are not among those known for the value:
// what the value is decides how it is judged, never its name.
func (p *pdfSubject) names(filters, formats []pdf.Name) {
	for _, f := range formats {
		if f != p.pdf.SubFilter {
			continue
		}
		if filters == nil {
			return
		}
		for _, h := range filters {
			if h == p.pdf.Filter {
				return
			}
		}
	}
	p.warn(WarnNames, "/"+string(p.pdf.Filter)+" /"+string(p.pdf.SubFilter))
}
