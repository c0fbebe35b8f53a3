package main

import (
	"context"
	"crypto"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/yinxin-gov/yinxin/signer"
	"github.com/yinxin-gov/yinxin/signer/cite"
	"github.com/yinxin-gov/yinxin/signer/ofd"
	"github.com/yinxin-gov/yinxin/signer/pdf"
	"github.com/yinxin-gov/yinxin/signer/seal"
)

// maxDocument bounds an OFD or PDF, which is sealed in memory.
const maxDocument = 512 << 20

// signResult is what --json prints of one file.
type signResult struct {
	Out      string    `json:"out"`
	Standard string    `json:"standard"`
	Form     string    `json:"form,omitempty"` // of a file of any kind: detached or enveloping
	Seal     string    `json:"seal,omitempty"`
	Name     string    `json:"name,omitempty"`
	SignedAt time.Time `json:"signed_at"`
	Document string    `json:"document_sm3"`
	Sealed   string    `json:"sealed_sm3"`
	Cited    int       `json:"cited,omitempty"` // resources that the document quotes; no consent was asked for
	Recorded bool      `json:"recorded"`        // always false here: only the service has a ledger
}

// signingDesk is what signs one file after another: seal, certificates and key are read
// once, and the passphrase is asked for once.
type signingDesk struct {
	f       signFlags
	sealDER []byte
	seal    *seal.Seal // nil without
	key     crypto.Signer
	cert    []byte
	chain   [][]byte
	stamper signer.Stamper // nil without
	cited   []cite.Citation
}

// input is a file that shall be signed.
type input struct {
	file *os.File
	name string
	size int64
	sm3  string // that was approved; empty: any content
}

func openDesk(f signFlags) (*signingDesk, error) {
	d := &signingDesk{f: f}
	var err error
	if f.seal != "" {
		if d.sealDER, err = readFile(f.seal, seal.MaxSize); err != nil {
			return nil, fail(err, "sign.hint.input")
		}
		if d.seal, err = seal.ParseSeal(d.sealDER); err != nil {
			return nil, fail(fmt.Errorf("%s: %w", f.seal, err), "sign.hint.seal")
		}
	}
	if d.key, err = openKey(f.key, f.passphrase); err != nil {
		return nil, err
	}
	if d.cert, err = signerCertificate(f.cert, d.seal, d.key.Public()); err != nil {
		return nil, err
	}
	if d.chain, err = readChain(f.chain, d.cert); err != nil {
		return nil, err
	}
	if f.cite != "" {
		if d.cited, err = readCitations(f.cite); err != nil {
			return nil, fail(err, "sign.hint.cite")
		}
	}
	if f.tsa.url != "" {
		if d.stamper, err = f.tsa.stamper(d.cert); err != nil {
			return nil, fail(err, stampHint(err))
		}
	}
	return d, nil
}

// sign signs one file and writes the result, whole or not at all.
func (d *signingDesk) sign(ctx context.Context, in input, out string) (signResult, error) {
	now := time.Now().UTC().Truncate(time.Second)
	res := signResult{Out: out, Standard: d.f.standard, SignedAt: now}
	if d.seal != nil {
		res.Seal, res.Name = d.seal.ID, d.seal.Name
	}
	var err error
	if d.f.anyFile() {
		err = d.signAny(ctx, in, out, &res)
	} else {
		err = d.signDocument(ctx, in, out, &res)
	}
	var known *exitError
	if err != nil && !errors.As(err, &known) {
		hint := signHint(err)
		if hint == "" {
			hint = map[bool]string{false: "sign.hint.seal", true: "sign.hint.input"}[d.f.anyFile()]
		}
		err = fail(fmt.Errorf("%s: %w", in.name, err), hint)
	}
	if err != nil {
		return signResult{}, err
	}
	return res, nil
}

// signAny signs a file of any kind as a stream.
func (d *signingDesk) signAny(ctx context.Context, in input, out string, res *signResult) error {
	s := signer.FileSignature{
		CertDER: d.cert, Chain: d.chain, Time: res.SignedAt, Enveloping: d.f.enveloping, Stamper: d.stamper, SM3: in.sm3,
	}
	res.Form = map[bool]string{false: "detached", true: "enveloping"}[s.Enveloping]
	var signed signer.FileSigned
	var refused error
	err := writeBy(out, 0o644, d.f.force, func(draft *os.File) error {
		signed, refused = signer.SignFile(ctx, draft, in.file, in.size, s, d.key)
		return refused
	})
	if err != nil && refused == nil {
		return fail(err, "sign.hint.output")
	}
	res.Document, res.Sealed = signed.Document, signed.Sealed
	return err
}

// signDocument seals or signs inside an OFD or PDF, in memory.
func (d *signingDesk) signDocument(ctx context.Context, in input, out string, res *signResult) error {
	doc, err := readOpen(in.file, in.name, maxDocument)
	if err != nil {
		return fail(err, "sign.hint.input")
	}
	if res.Document = signer.Digest(doc); in.sm3 != "" && in.sm3 != res.Document {
		return signer.ErrChanged
	}
	var sealed []byte
	if d.f.standard == standardPAdES {
		sealed, err = signer.SignPDF(ctx, doc, signer.PDFSignature{CertDER: d.cert, Chain: d.chain, Time: res.SignedAt, Stamper: d.stamper}, d.key)
	} else {
		job := d.f.job(res.SignedAt)
		job.SealDER, job.CertDER, job.Stamper = d.sealDER, d.cert, d.stamper
		job.Citations, res.Cited = d.cited, len(d.cited)
		sealed, err = sealDocument(ctx, doc, job, d.key)
	}
	if err != nil {
		return err
	}
	if err := writeWhole(out, sealed, d.f.force); err != nil {
		return fail(err, "sign.hint.output")
	}
	res.Sealed = signer.Digest(sealed)
	return nil
}

func sealDocument(ctx context.Context, doc []byte, job signer.Job, key crypto.Signer) ([]byte, error) {
	view := newPDFView()
	job, err := signer.Locate(ctx, doc, job, view)
	if err = errors.Join(err, view.Close()); err != nil {
		return nil, err
	}
	if err := signer.Sealable(ctx, doc, job); err != nil {
		return nil, err
	}
	p, err := signer.Prepare(doc, job, key.Public())
	if err != nil {
		return nil, err
	}
	return p.Sign(ctx, key)
}

// signHint says what to do about an outcome of signing; empty for what has no
// name.
func signHint(err error) string {
	for _, h := range []struct {
		err  error
		hint string
	}{
		{signer.ErrStamp, stampHint(err)}, {signer.ErrCitation, "sign.hint.cite"}, {ofd.ErrCustom, "sign.hint.cite"}, {pdf.ErrInfo, "sign.hint.cite"},
		{signer.ErrStandard, "sign.hint.standard"}, {signer.ErrDocument, "sign.hint.document"},
		{seal.ErrUnsupported, "sign.hint.standard"}, {seal.ErrLint, "sign.hint.lint"}, {signer.ErrCertificate, "sign.hint.certificate"},
		{signer.ErrChanged, "sign.hint.changed"}, {context.Canceled, "sign.hint.cancelled"},
	} {
		if errors.Is(err, h.err) {
			return h.hint
		}
	}
	return ""
}
