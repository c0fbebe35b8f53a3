package verify

import (
	"errors"
	"time"

	"github.com/yinxin-gov/yinxin/signer/cms/signeddata"
	"github.com/yinxin-gov/yinxin/signer/cms/tsp"
	"github.com/yinxin-gov/yinxin/signer/pdf"
)

// cmsClause is where the checks of a CMS signature in a PDF stand.
const cmsClause = "ISO 32000-1, 12.8.3.3; ETSI EN 319 142-1; RFC 5652, 5.6"

// judgeStamp judges a document time-stamp: a token over the covered bytes
// (ETSI EN 319 142-1, 5.4.3).
func (p *pdfSubject) judgeStamp(desc *Signature, list *[]outcome) error {
	const clause = "ETSI EN 319 142-1, 5.4.3; RFC 3161"
	desc.Standard = "RFC 3161"
	t, err := tsp.ParseToken(p.pdf.Value)
	if err != nil {
		o := p.tokenFault(clause, err)
		o.effect = max(o.effect, effPartial)
		*list = append(*list, o)
		return nil
	}
	if !p.ranged() {
		*list = append(*list, skip(CheckToken, clause, ReasonNotJudged))
		return nil
	}
	h := t.Imprint.Digest.New()
	if err := p.file.doc.Digest(p.pdf, h); err != nil {
		return err
	}
	desc.SignedAt = stamp(t.Time)
	if c, err := readCertificate(t.CertDER); err == nil {
		desc.Signer = c.subject
	}
	o := p.judgeParsed(clause, t, h.Sum(nil), time.Time{})
	switch {
	case o.Reason == ReasonTokenImprint || o.Reason == ReasonTokenValue:
		o.effect = effAltered // here the token is what protects the document
	case o.Reason == ReasonTokenCert || o.Reason == ReasonTokenUnknown:
		o.effect = effPartial
	}
	if !p.trusted.IsZero() {
		desc.TrustedTime = stamp(p.trusted)
	}
	*list = append(*list, o)
	return nil
}

// judgeCMS judges a detached CMS signature, of either algorithm track.
func (p *pdfSubject) judgeCMS(desc *Signature, list *[]outcome) error {
	p.names(nil, []pdf.Name{pdf.SubFilterCAdES, pdf.SubFilterPKCS7})
	m, err := signeddata.Parse(p.pdf.Value)
	switch {
	case errors.Is(err, signeddata.ErrUnsupported):
		*list = append(*list, unjudged(CheckCMS, cmsClause, ReasonAlgorithm, err.Error()))
		return nil
	case err != nil:
		*list = append(*list, fail(CheckCMS, cmsClause, ReasonCMS, err.Error(), effAltered))
		return nil
	case m.Content != nil:
		*list = append(*list, fail(CheckCMS, cmsClause, ReasonCMS, "content is not detached", effAltered))
		return nil
	}
	switch {
	case m.GM:
		desc.Standard = "GB/T 35275-2017"
	case p.pdf.SubFilter == pdf.SubFilterCAdES:
		desc.Standard = "ETSI EN 319 142-1"
	default:
		desc.Standard = "ISO 32000-1"
	}
	if m.CertDER != nil {
		p.signer, _ = readCertificate(m.CertDER)
	}
	if p.signer != nil {
		desc.Signer = p.signer.subject
	}
	at := m.Time
	if at.IsZero() {
		at, _ = p.pdf.Time() // where PAdES keeps the claim
	}
	if !at.IsZero() {
		desc.SignedAt = stamp(at)
	}
	token := p.judgeToken("ETSI EN 319 142-1; RFC 3161", m.TimeStamp, m.Value, at)
	if !p.trusted.IsZero() {
		desc.TrustedTime = stamp(p.trusted)
	}
	*list = append(*list, pass(CheckCMS, cmsClause, p.pdf.Field), cmsValue(m), p.cmsCertificate(), p.cmsChain(m, at),
		p.cmsUsage(), p.cmsPeriod(at), p.cmsTime(at), token, p.cmsRevocation(at))
	o, err := p.cmsDigest(m)
	*list = append(*list, o)
	return err
}

// cmsValue: the signature over the signed attributes.
func cmsValue(m *signeddata.Message) outcome {
	err := m.VerifyValue()
	switch {
	case err == nil:
		return pass(CheckValue, cmsClause, "")
	case errors.Is(err, signeddata.ErrUnsupported):
		return unjudged(CheckValue, cmsClause, ReasonAlgorithm, err.Error())
	case errors.Is(err, signeddata.ErrSignature):
		return fail(CheckValue, cmsClause, ReasonSignature, err.Error(), effAltered)
	case errors.Is(err, signeddata.ErrCertificate):
		return unjudged(CheckValue, cmsClause, ReasonCertBad, err.Error())
	}
	return fail(CheckValue, cmsClause, ReasonCMS, err.Error(), effAltered)
}

// cmsDigest: messageDigest is that of the covered bytes.
func (p *pdfSubject) cmsDigest(m *signeddata.Message) (outcome, error) {
	if !p.ranged() {
		return skip(CheckDataHash, cmsClause, ReasonNotJudged), nil
	}
	h := m.Digest.New()
	if err := p.file.doc.Digest(p.pdf, h); err != nil {
		return outcome{}, err
	}
	if err := m.Verify(h.Sum(nil)); errors.Is(err, signeddata.ErrSignature) {
		return fail(CheckDataHash, cmsClause, ReasonDigestDiffer, p.pdf.Field, effAltered), nil
	}
	return pass(CheckDataHash, cmsClause, p.pdf.Field), nil
}

func (p *pdfSubject) cmsCertificate() outcome {
	const clause = "RFC 5280"
	switch {
	case p.signer == nil:
		return fail(CheckCertForm, clause, ReasonCertBad, "", effInvalid)
	case p.signer.full == nil:
		return cannot(CheckCertForm, clause, ReasonCertBad, p.signer.subject)
	}
	return pass(CheckCertForm, clause, p.signer.subject)
}

func (p *pdfSubject) cmsChain(m *signeddata.Message, at time.Time) outcome {
	return p.chain(CheckChain, "RFC 5280, 6; GB/T 20518-2018", p.signer, at, m.Certs...)
}

func (p *pdfSubject) cmsUsage() outcome {
	const clause = "RFC 5280, 4.2.1.3"
	if p.signer == nil || p.signer.full == nil {
		return skip(CheckUsage, clause, ReasonNotJudged)
	}
	if o, bad := usage(CheckUsage, clause, p.signer); bad {
		return o
	}
	return pass(CheckUsage, clause, "")
}

func (p *pdfSubject) cmsPeriod(at time.Time) outcome {
	const clause = "RFC 5280, 4.1.2.5"
	switch {
	case p.signer == nil:
		return skip(CheckCertPeriod, clause, ReasonNotJudged)
	case at.IsZero():
		return cannot(CheckCertPeriod, clause, ReasonNoTime, "")
	case !p.signer.validAt(at):
		return fail(CheckCertPeriod, clause, ReasonPeriod, span(at, p.signer.notBefore, p.signer.notAfter), effInvalid)
	}
	return pass(CheckCertPeriod, clause, span(at, p.signer.notBefore, p.signer.notAfter))
}

func (p *pdfSubject) cmsTime(at time.Time) outcome {
	switch {
	case at.IsZero():
		return cannot(CheckTime, cmsClause, ReasonNoTime, "")
	case at.After(p.now.Add(skew)):
		return fail(CheckTime, cmsClause, ReasonFuture, stamp(at)+" after "+stamp(p.now), effInvalid)
	}
	if p.trusted.IsZero() {
		p.warn(WarnClaimedTime, "")
	}
	return pass(CheckTime, cmsClause, stamp(at))
}

func (p *pdfSubject) cmsRevocation(at time.Time) outcome {
	const clause = "RFC 5280, 6.3"
	if p.signer == nil {
		return skip(CheckRevocation, clause, ReasonNotJudged)
	}
	return p.revocation(clause, at, p.signer.der)
}
