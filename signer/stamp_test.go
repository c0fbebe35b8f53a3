package signer_test

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"
	"math/big"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/emmansun/gmsm/sm2"
	"github.com/emmansun/gmsm/smx509"

	"github.com/yinxin-gov/yinxin/signer"
	"github.com/yinxin-gov/yinxin/signer/cms/signeddata"
	"github.com/yinxin-gov/yinxin/signer/pdf/pdftest"
	"github.com/yinxin-gov/yinxin/signer/tsa"
	"github.com/yinxin-gov/yinxin/signer/verify"
)

// counter records how many tokens were made.
type counter struct{ n int }

func (c *counter) RecordTimeStamp(context.Context, tsa.Issued) error { c.n++; return nil }

// timeService is a time-stamp service, with its certificate.
func timeService(t testing.TB, rec tsa.Recorder) (*tsa.Service, []byte) {
	t.Helper()
	key, err := sm2.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := &smx509.Certificate{
		SerialNumber: big.NewInt(3), Subject: pkix.Name{CommonName: "时间戳"}, NotBefore: now.AddDate(-1, 0, 0), NotAfter: now.AddDate(5, 0, 0),
		KeyUsage: smx509.KeyUsageDigitalSignature, ExtraExtensions: []pkix.Extension{{
			Id: asn1.ObjectIdentifier{2, 5, 29, 37}, Critical: true, Value: []byte{0x30, 10, 6, 8, 0x2b, 6, 1, 5, 5, 7, 3, 8}}},
	}
	der, err := smx509.CreateCertificate(rand.Reader, c, c, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	s, err := tsa.New(tsa.Config{
		Key: key, CertDER: der, Policy: asn1.ObjectIdentifier{1, 2, 3}, Now: func() time.Time { return now.Add(time.Second) },
		Synchronised: func() error { return nil }, Rand: rand.Reader, Recorder: rec,
	})
	if err != nil {
		t.Fatal(err)
	}
	return s, der
}

// stamper reaches a service through HTTP.
func stamper(t testing.TB, s *tsa.Service) tsa.Client {
	t.Helper()
	srv := httptest.NewServer(s)
	t.Cleanup(srv.Close)
	d, err := signeddata.DigestOf(asn1.ObjectIdentifier{1, 2, 156, 10197, 1, 401})
	if err != nil {
		t.Fatal(err)
	}
	return tsa.Client{URL: srv.URL, HTTP: srv.Client(), Digest: d}
}

// lost is a service that does not answer.
type lost struct{}

func (lost) Stamp(context.Context, []byte) ([]byte, error) { return nil, errors.New("no route") }

// Seals on OFD and PDF, and PAdES signatures, carry a time-stamp that proves when
// they existed; without an answer of the service nothing is sealed.
func TestSealWithTimeStamp(t *testing.T) {
	ctx := context.Background()
	h := newHouse(t)
	e := h.makeSeal(t)
	rec := &counter{}
	service, tsaCert := timeService(t, rec)
	client := stamper(t, service)
	ecKey, ecCert := signerEC(t)
	seal := func(doc []byte) func(signer.Stamper) ([]byte, error) {
		return func(s signer.Stamper) ([]byte, error) {
			var key crypto.Signer = h.keys["unit"]
			p, err := signer.Prepare(doc, signer.Job{SealDER: e.DER, CertDER: e.CertDER, Time: now, Stamper: s}, key.Public())
			if err != nil {
				return nil, err
			}
			return p.Sign(ctx, key)
		}
	}
	letter := pdftest.Letter(pdftest.Options{})
	trust := verify.NewTrust(h.unitCert, h.makerCert, ecCert, tsaCert)
	for name, make := range map[string]func(signer.Stamper) ([]byte, error){
		"OFD": seal(notice(t)), "PDF": seal(letter),
		"PAdES": func(s signer.Stamper) ([]byte, error) {
			return signer.SignPDF(ctx, letter, signer.PDFSignature{CertDER: ecCert, Time: now, Stamper: s}, ecKey)
		},
	} {
		for way, s := range map[string]signer.Stamper{"over HTTP": client, "in process": service} {
			before := rec.n
			out, err := make(s)
			if err != nil || rec.n != before+1 {
				t.Fatalf("%s, %s: %v, %d tokens", name, way, err, rec.n-before)
			}
			rep, err := verify.Document(ctx, out, verify.Options{Trust: trust, Now: func() time.Time { return now.Add(time.Hour) }})
			if err != nil || rep.Verdict != verify.Valid || rep.Signatures[0].TrustedTime != "2026-06-01T02:00:01Z" {
				t.Errorf("%s, %s: %+v, %v", name, way, rep, err)
			}
		}
		if out, err := make(lost{}); !errors.Is(err, signer.ErrStamp) || out != nil {
			t.Errorf("%s: sealed without the time-stamp it should have", name)
		}
	}
}
