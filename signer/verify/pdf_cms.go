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
	desc.Standard, p.tokenDER = "RFC 3161", p.pdf.Value
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
	at := m.Time
	if at.IsZero() {
		at, _ = p.pdf.Time() // where PAdES keeps the claim
	}
	c := cmsSigner{&p.subject, m, at, cmsClause, "ETSI EN 319 142-1; RFC 3161"}
	p.again = func() outcome { return c.flipped((*signeddata.Message).VerifyValue) }
	*list = append(*list, pass(CheckCMS, cmsClause, p.pdf.Field), c.value(m.VerifyValue()))
	*list = append(*list, c.judge(desc)...)
	o, err := p.cmsDigest(m)
	*list = append(*list, o)
	return err
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
	if err := m.VerifyDigest(h.Sum(nil)); err != nil {
		return fail(CheckDataHash, cmsClause, ReasonDigestDiffer, p.pdf.Field, effAltered), nil
	}
	return pass(CheckDataHash, cmsClause, p.pdf.Field), nil
}
