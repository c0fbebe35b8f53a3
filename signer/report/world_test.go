package report_test

import (
	"archive/zip"
	"bytes"
	"context"
	"crypto/rand"
	"crypto/x509/pkix"
	"encoding/asn1"
	"io"
	"math/big"
	"sync"
	"testing"
	"time"

	"github.com/emmansun/gmsm/sm2"
	"github.com/emmansun/gmsm/smx509"

	"github.com/yinxin-gov/yinxin/internal/text"
	"github.com/yinxin-gov/yinxin/signer"
	"github.com/yinxin-gov/yinxin/signer/cite"
	"github.com/yinxin-gov/yinxin/signer/cms/signeddata"
	"github.com/yinxin-gov/yinxin/signer/cms/tsp"
	"github.com/yinxin-gov/yinxin/signer/ofd"
	"github.com/yinxin-gov/yinxin/signer/report"
	"github.com/yinxin-gov/yinxin/signer/seal"
	"github.com/yinxin-gov/yinxin/signer/seal/picture"
	"github.com/yinxin-gov/yinxin/signer/verify"
)

var (
	start  = time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	signed = start.AddDate(0, 0, 10)
	judged = start.AddDate(0, 1, 0)
)

var drawn = sync.OnceValues(func() ([]byte, error) { return picture.Draw(picture.Spec{Unit: "样例区数据局"}) })

type holder struct {
	key  *sm2.PrivateKey
	cert *smx509.Certificate
}

// world is one authority with a signer, a seal maker and a time-stamp service.
type world struct {
	tb                         testing.TB
	root, signer, maker, clock holder
	seal                       []byte
}

func newWorld(tb testing.TB) *world {
	tb.Helper()
	w := &world{tb: tb}
	w.root = w.issue(nil, func(c *smx509.Certificate) {
		c.Subject.CommonName = "样例根"
		c.IsCA, c.BasicConstraintsValid, c.KeyUsage = true, true, smx509.KeyUsageCertSign
	})
	w.signer = w.issue(&w.root, func(c *smx509.Certificate) { c.Subject.Organization = []string{"样例区数据局"} })
	w.maker = w.issue(&w.root, nil)
	w.clock = w.issue(&w.root, func(c *smx509.Certificate) {
		c.KeyUsage = smx509.KeyUsageDigitalSignature
		c.ExtraExtensions = []pkix.Extension{{Id: asn1.ObjectIdentifier{2, 5, 29, 37}, Critical: true, Value: []byte{0x30, 10, 6, 8, 0x2b, 6, 1, 5, 5, 7, 3, 8}}}
	})
	w.seal = w.makeSeal("样例区数据局（样章）")
	return w
}

func (w *world) makeSeal(name string) []byte {
	w.tb.Helper()
	png, err := drawn()
	w.must(err)
	der, err := seal.Make(seal.Spec{
		ID: "41010012345678", Vendor: "yinxin", Type: 1, Name: name, Certs: [][]byte{w.signer.cert.Raw},
		Created: start, ValidFrom: start, ValidUntil: start.AddDate(1, 0, 0), Picture: seal.Picture{Type: "PNG", Data: png, Width: 42, Height: 42},
	}, w.maker.key, w.maker.cert.Raw)
	w.must(err)
	return der
}

func (w *world) must(err error) {
	w.tb.Helper()
	if err != nil {
		w.tb.Fatal(err)
	}
}

func (w *world) issue(by *holder, change func(*smx509.Certificate)) holder {
	w.tb.Helper()
	key, err := sm2.GenerateKey(rand.Reader)
	w.must(err)
	serial, err := rand.Int(rand.Reader, big.NewInt(1<<62))
	w.must(err)
	c := &smx509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: serial.String()}, NotBefore: start.AddDate(0, -1, 0), NotAfter: start.AddDate(1, 1, 0),
		KeyUsage: smx509.KeyUsageDigitalSignature | smx509.KeyUsageContentCommitment,
	}
	if change != nil {
		change(c)
	}
	parent := holder{key, c}
	if by != nil {
		parent = *by
	}
	der, err := smx509.CreateCertificate(rand.Reader, c, parent.cert, key.Public(), parent.key)
	w.must(err)
	got, err := smx509.ParseCertificate(der)
	w.must(err)
	return holder{key, got}
}

// Stamp is the time-stamp service.
func (w *world) Stamp(_ context.Context, value []byte) ([]byte, error) {
	d, err := signeddata.DigestFor(w.clock.cert.Raw)
	if err != nil {
		return nil, err
	}
	return tsp.Sign(tsp.Info{
		Policy: asn1.ObjectIdentifier{1, 2, 3}, Imprint: tsp.Over(d, value), Serial: big.NewInt(9), Time: signed.Add(time.Minute),
	}, w.clock.cert.Raw, nil, true, w.clock.key)
}

func (w *world) notice() []byte {
	w.tb.Helper()
	b, err := ofd.NewNotice(ofd.Notice{
		Title: "关于数据共享的通知", DocNo: "样数发〔2026〕1号", Issuer: "样例区数据局", Body: []string{"各单位：请按目录共享数据。", "特此通知。"}, Date: start,
	})
	w.must(err)
	return b
}

// quoted is what a document of the golden files cites: with consents on a register
// that nobody can ask here.
func quoted() []cite.Citation {
	return []cite.Citation{{
		Consent: "consent-1", Consumer: "11110102000000002B", Note: "表 1", Provider: "11110102000000001A", ProviderName: "样例区民政局", Resource: "res-1", Title: "低保名单",
	}, {
		Consent: "consent-2", Consumer: "11110102000000002B", Provider: "11110102000000003C", ProviderName: "样例区人社局", Resource: "res-2", Title: "参保信息",
	}}
}

// put seals a document with a time-stamp.
func (w *world) put(doc []byte, quotes ...cite.Citation) []byte {
	w.tb.Helper()
	p, err := signer.Prepare(doc, signer.Job{SealDER: w.seal, CertDER: w.signer.cert.Raw, Time: signed, Stamper: w, Citations: quotes}, w.signer.key.Public())
	w.must(err)
	out, err := p.Sign(w.tb.Context(), w.signer.key)
	w.must(err)
	return out
}

// edit replaces the body of one file of a package.
func edit(tb testing.TB, data []byte, name string, change func([]byte) []byte) []byte {
	tb.Helper()
	r, err := zip.NewReader(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		tb.Fatal(err)
	}
	var out bytes.Buffer
	zw := zip.NewWriter(&out)
	for _, f := range r.File {
		rc, err := f.Open()
		if err != nil {
			tb.Fatal(err)
		}
		b, err := io.ReadAll(rc)
		if err != nil {
			tb.Fatal(err)
		}
		if f.Name == name {
			b = change(b)
		}
		w, err := zw.Create(f.Name)
		if err == nil {
			_, err = w.Write(b)
		}
		if err != nil {
			tb.Fatal(err)
		}
	}
	if err := zw.Close(); err != nil {
		tb.Fatal(err)
	}
	return out.Bytes()
}

// trust is the root, accredited when a licence is given.
func (w *world) trust(licences ...verify.Accreditation) *verify.Trust {
	t := verify.NewTrust(w.root.cert.Raw)
	for _, l := range licences {
		w.must(t.Accredit(w.root.cert.Raw, l))
	}
	return t
}

func licence(from, until time.Time) verify.Accreditation {
	return verify.Accreditation{Service: "样例电子认证服务机构", Licence: "样例-0001", URL: "https://ca.example.cn/", From: from, Until: until}
}

// good knows of every certificate that it was not revoked.
type good struct{}

func (good) RevokedAt(context.Context, []byte) (time.Time, bool, error) {
	return time.Time{}, true, nil
}

// known answers for one document what it is told to.
type known struct {
	document string
	ev       *report.Evidence
	err      error
}

func (k known) Evidence(_ context.Context, document string, _ verify.Signature) (*report.Evidence, error) {
	if k.document != "" && document != k.document {
		return nil, nil
	}
	return k.ev, k.err
}

// full is evidence that leaves nothing open.
func full() *report.Evidence {
	return &report.Evidence{
		Register: "yangli/ledger/sm3", Custody: report.CustodyHSM, Key: report.KeyExclusive, Operator: "p-1", Use: "u-1", Approval: "a-1",
		Approved: "ab", Entry: "e-1", Seq: 7, SealState: report.SealActive,
	}
}

// ask is one way to judge and report a document.
type ask struct {
	trust      *verify.Trust
	revocation verify.Revocation
	source     report.Source
	level      report.Level
	file       string
	noSelfTest bool
	consents   verify.Consents
}

func made(tb testing.TB, doc []byte, c ask) (report.Report, verify.Report) {
	tb.Helper()
	if c.file == "" {
		c.file = "通知.ofd"
	}
	rep, err := verify.Document(tb.Context(), doc, verify.Options{
		File: c.file, Trust: c.trust, Now: func() time.Time { return judged }, Revocation: c.revocation, SelfTest: !c.noSelfTest, Consents: c.consents,
	})
	if err != nil {
		tb.Fatal(err)
	}
	r, err := report.Make(tb.Context(), report.Input{
		Judged: rep, Document: bytes.NewReader(doc), Size: int64(len(doc)), Trust: c.trust, JudgedAt: judged, MadeAt: judged.Add(time.Second),
		Version: "test", Source: c.source, Level: c.level,
	})
	if err != nil {
		tb.Fatal(err)
	}
	return r, rep
}

func words(tb testing.TB) *text.Catalogue {
	tb.Helper()
	c, err := text.Load()
	if err != nil {
		tb.Fatal(err)
	}
	return c
}

func printer(tb testing.TB) *report.Printer {
	tb.Helper()
	p, err := report.NewPrinter(words(tb))
	if err != nil {
		tb.Fatal(err)
	}
	return p
}
