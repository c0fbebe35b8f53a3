package verify

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509/pkix"
	"math/big"
	"strings"

	"github.com/emmansun/gmsm/smx509"

	"github.com/yinxin-gov/yinxin/signer/cms/signeddata"
	"github.com/yinxin-gov/yinxin/signer/ofd"
	"github.com/yinxin-gov/yinxin/signer/pdf"
	"github.com/yinxin-gov/yinxin/signer/seal"
)

// pdfSigner signs a PDF by CMS, on either algorithm track.
type pdfSigner struct {
	key  crypto.Signer
	cert []byte
}

func (h holder) signer() pdfSigner { return pdfSigner{h.key, h.cert.Raw} }

// signerEC is a holder of a P-256 key under the world's authority.
func (w *world) signerEC() pdfSigner {
	w.tb.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	w.must(err)
	c := &smx509.Certificate{
		SerialNumber: big.NewInt(7), Subject: pkix.Name{CommonName: "Signer"}, NotBefore: start.AddDate(0, -1, 0), NotAfter: start.AddDate(1, 1, 0),
		KeyUsage: smx509.KeyUsageDigitalSignature,
	}
	der, err := smx509.CreateCertificate(rand.Reader, c, w.root.cert, key.Public(), w.root.key)
	w.must(err)
	return pdfSigner{key, der}
}

// signPDF adds a PAdES signature (ETSI EN 319 142-1).
func (w *world) signPDF(doc []byte, by pdfSigner) []byte {
	w.tb.Helper()
	q, err := pdf.Prepare(doc, pdf.Request{Filter: pdf.FilterCMS, SubFilter: pdf.SubFilterCAdES, Time: signed, Reserve: 4096})
	w.must(err)
	d, err := signeddata.DigestFor(by.cert)
	w.must(err)
	h := d.New()
	w.must(q.Digest(h))
	value, err := signeddata.Sign(signeddata.Spec{CertDER: by.cert, Digest: h.Sum(nil)}, by.key)
	w.must(err)
	out, err := q.Finish(value)
	w.must(err)
	return out
}

// ride seals a notice of several pages on their edge (骑缝章).
func (w *world) ride() []byte {
	w.tb.Helper()
	doc, err := ofd.NewNotice(ofd.Notice{
		Title: "关于数据共享的通知", DocNo: "样数发〔2026〕1号", Issuer: "样例区数据局",
		Body: []string{strings.Repeat("各单位：请按目录共享数据。", 300)}, Date: start,
	})
	w.must(err)
	p, err := ofd.Open(doc)
	w.must(err)
	pages := p.Pages()
	if len(pages) < 2 {
		w.tb.Fatal("a ride seal needs pages")
	}
	slice := 42 / float64(len(pages))
	var stamps []ofd.Place
	for i, pg := range pages {
		stamps = append(stamps, ofd.Place{
			Page: i + 1, X: pg.Box.W - float64(i+1)*slice, Y: 100, W: 42, H: 42, Clip: &ofd.Box{X: float64(i) * slice, W: slice, H: 42},
		})
	}
	q, err := ofd.Prepare(p, ofd.SealRequest{Provider: ofd.Provider{Name: "yinxin"}, SealDER: w.seal, SignTime: signed, Stamps: stamps})
	w.must(err)
	value, err := seal.Sign(seal.SignSpec{
		SealDER: w.seal, CertDER: w.signer.cert.Raw, Time: signed, DataHash: q.DataHash(), Property: q.Property(),
	}, w.signer.key)
	w.must(err)
	out, err := q.Finish(value)
	w.must(err)
	return out
}
