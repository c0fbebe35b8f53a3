package archive

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"

	"github.com/yinxin-gov/yinxin/signer/cms"
	"github.com/yinxin-gov/yinxin/signer/cms/signeddata"
	"github.com/yinxin-gov/yinxin/signer/cms/tsp"
	"github.com/yinxin-gov/yinxin/signer/ofd"
	"github.com/yinxin-gov/yinxin/signer/pdf"
	"github.com/yinxin-gov/yinxin/signer/seal"
)

// file is a small file of a package.
type file struct {
	path string
	data []byte
}

// parts are what the signatures of a document are made of, split out for those who
// judge them with other tools. They are copies: the document decides, and a
// verifier takes them out again and compares.
type parts struct {
	files []file
	certs [][]byte // of signers, makers, time-stamp services, and what came with them
}

// maxSignatures is that of the document rooms.
const maxSignatures = 256

// collect takes them out of an OFD, a PDF or a message in a file of its own. What
// does not parse gives its value and no more.
func collect(r io.ReaderAt, size int64) (*parts, error) {
	p := &parts{}
	var magic [64]byte
	if n, err := r.ReadAt(magic[:], 0); err != nil && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("archive: reading document: %w", err)
	} else if bytes.HasPrefix(magic[:n], []byte("%PDF-")) {
		return p, p.fromPDF(r, size)
	} else if signeddata.Recognise(magic[:n]) {
		return p, p.fromCMS(r, size)
	}
	pkg, err := ofd.OpenReaderAt(r, size, ofd.Limits{})
	if err != nil {
		return p, nil // another format: it has no parts that are known here
	}
	for i, s := range pkg.Signatures() {
		var value []byte
		if s.ValuePath != "" {
			if value, err = pkg.Read(s.ValuePath); err != nil {
				value = nil
			}
		}
		p.add(i, value)
	}
	return p, nil
}

func (p *parts) fromPDF(r io.ReaderAt, size int64) error {
	doc, err := pdf.Open(r, size)
	if err != nil {
		return nil // the verdict on the document says what is wrong with it
	}
	sigs, err := doc.Signatures()
	if err != nil {
		return nil
	}
	for i, s := range sigs {
		p.add(i, s.Value)
	}
	return nil
}

// fromCMS takes certificates and tokens of every signer. The message itself is the
// original: there is no value beside it.
func (p *parts) fromCMS(r io.ReaderAt, size int64) error {
	f, err := signeddata.Open(r, size)
	if err != nil {
		return nil
	}
	p.certs = append(p.certs, f.Certs...)
	for i, s := range f.Signers {
		if s.Message != nil && i < maxSignatures {
			p.signer(i, s.CertDER)
			p.stamp(i, s.TimeStamp)
		}
	}
	return nil
}

// add splits one signed value.
func (p *parts) add(n int, value []byte) {
	if len(value) == 0 || n >= maxSignatures {
		return
	}
	put := func(name string, b []byte) { p.put(n, name, b) }
	put("value.der", value)
	if ses, err := seal.ParseSignature(value); err == nil {
		put("seal.esl", ses.Seal.Raw)
		p.signer(n, ses.CertDER)
		put("maker.cer", ses.Seal.MakerCertDER)
		p.certs = append(p.certs, ses.Seal.MakerCertDER)
		p.stamp(n, ses.TimeStamp)
		return
	}
	if _, err := tsp.ParseToken(value); err == nil { // a document time-stamp is a token itself
		p.stamp(n, value)
		return
	}
	if m, err := signeddata.Parse(value); err == nil {
		p.signer(n, m.CertDER, m.Certs...)
		p.stamp(n, m.TimeStamp)
		return
	}
	if m, err := cms.Parse(value); err == nil { // form (a) of GB/T 35275, without attributes
		p.signer(n, m.CertDER, m.Certs...)
	}
}

func (p *parts) put(n int, name string, b []byte) {
	if len(b) > 0 {
		p.files = append(p.files, file{fmt.Sprintf("%s%04d/%s", dirSignatures, n+1, name), b})
	}
}

// signer keeps who signed, with the certificates that came along.
func (p *parts) signer(n int, der []byte, carried ...[]byte) {
	p.put(n, "signer.cer", der)
	p.certs = append(append(p.certs, der), carried...)
}

// stamp keeps a token with the certificates in it.
func (p *parts) stamp(n int, der []byte) {
	if len(der) == 0 {
		return
	}
	p.files = append(p.files, file{fmt.Sprintf("%s%04d.tst", dirStamps, n+1), der})
	if t, err := tsp.ParseToken(der); err == nil {
		p.certs = append(append(p.certs, t.CertDER), t.Certs...)
	}
}

// certName names a file by its content, so that one certificate or list is one
// file.
func certName(der []byte) string { return dirCerts + shortName(der) + ".cer" }

func shortName(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:12])
}

// unique leaves out empty and repeated values.
func unique(list [][]byte) (out [][]byte) {
	for _, b := range list {
		known := len(b) == 0
		for _, have := range out {
			known = known || bytes.Equal(have, b)
		}
		if !known {
			out = append(out, b)
		}
	}
	return out
}
