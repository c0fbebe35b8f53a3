package archive_test

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509/pkix"
	"encoding/asn1"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/emmansun/gmsm/sm2"
	"github.com/emmansun/gmsm/smx509"

	"github.com/yinxin-gov/yinxin/internal/text"
	"github.com/yinxin-gov/yinxin/signer"
	"github.com/yinxin-gov/yinxin/signer/archive"
	"github.com/yinxin-gov/yinxin/signer/cite"
	"github.com/yinxin-gov/yinxin/signer/cms/signeddata"
	"github.com/yinxin-gov/yinxin/signer/cms/tsp"
	"github.com/yinxin-gov/yinxin/signer/ofd"
	"github.com/yinxin-gov/yinxin/signer/revocation"
	"github.com/yinxin-gov/yinxin/signer/seal"
	"github.com/yinxin-gov/yinxin/signer/seal/picture"
	"github.com/yinxin-gov/yinxin/signer/tsa"
	"github.com/yinxin-gov/yinxin/signer/verify"
)

var (
	bg     = context.Background()
	start  = time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC) // of every period
	signed = start.AddDate(0, 0, 10)
	filed  = start.AddDate(0, 1, 0) // archived
)

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

type holder struct {
	key  crypto.Signer
	cert *smx509.Certificate
}

// world is one root that outlives everybody, with a signer, a seal maker and an
// archiving unit whose certificates last two years.
type world struct {
	t                           testing.TB
	now                         time.Time
	root, signer, maker, keeper holder
	serial                      int64
	words                       *text.Catalogue
	sealed                      []byte
}

var drawn = sync.OnceValues(func() ([]byte, error) { return picture.Draw(picture.Spec{Unit: "样例区数据局"}) })

func newWorld(t testing.TB) *world {
	t.Helper()
	w := &world{t: t, now: filed}
	var err error
	w.words, err = text.Load()
	must(t, err)
	w.root = w.issue(nil, true, func(c *smx509.Certificate) {
		c.IsCA, c.BasicConstraintsValid, c.KeyUsage = true, true, smx509.KeyUsageCertSign|smx509.KeyUsageCRLSign
		c.NotAfter = start.AddDate(60, 0, 0)
	})
	w.signer, w.maker, w.keeper = w.issue(&w.root, true, nil), w.issue(&w.root, true, nil), w.issue(&w.root, true, nil)
	w.sealed = w.seal(w.notice())
	return w
}

func (w *world) issue(by *holder, gm bool, change func(*smx509.Certificate)) holder {
	w.t.Helper()
	var key crypto.Signer
	var err error
	if gm {
		key, err = sm2.GenerateKey(rand.Reader)
	} else {
		key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	}
	must(w.t, err)
	w.serial++
	c := &smx509.Certificate{
		SerialNumber: big.NewInt(w.serial), Subject: pkix.Name{CommonName: "样例 " + big.NewInt(w.serial).String()},
		NotBefore: start.AddDate(0, -1, 0), NotAfter: start.AddDate(2, 0, 0), KeyUsage: smx509.KeyUsageDigitalSignature | smx509.KeyUsageContentCommitment,
	}
	if change != nil {
		change(c)
	}
	parent := holder{key, c}
	if by != nil {
		parent = *by
	}
	der, err := smx509.CreateCertificate(rand.Reader, c, parent.cert, key.Public(), parent.key)
	must(w.t, err)
	got, err := smx509.ParseCertificate(der)
	must(w.t, err)
	return holder{key, got}
}

func (w *world) notice() []byte {
	w.t.Helper()
	b, err := ofd.NewNotice(ofd.Notice{
		Title: "关于数据共享的通知", DocNo: "样数发〔2026〕1号", Issuer: "样例区数据局", Body: []string{"各单位：请按目录共享数据。"}, Date: start,
	})
	must(w.t, err)
	return b
}

func (w *world) seal(doc []byte, quotes ...cite.Citation) []byte {
	w.t.Helper()
	png, err := drawn()
	must(w.t, err)
	der, err := seal.Make(seal.Spec{
		ID: "41010012345678", Vendor: "yinxin", Type: 1, Name: "样例区数据局（样章）", Certs: [][]byte{w.signer.cert.Raw},
		Created: start, ValidFrom: start, ValidUntil: start.AddDate(1, 0, 0), Picture: seal.Picture{Type: "PNG", Data: png, Width: 42, Height: 42},
	}, w.maker.key, w.maker.cert.Raw)
	must(w.t, err)
	p, err := signer.Prepare(doc, signer.Job{Standard: signer.StandardV4, SealDER: der, CertDER: w.signer.cert.Raw, Time: signed, Provider: ofd.Provider{Name: "yinxin"}, Citations: quotes}, w.signer.key.Public())
	must(w.t, err)
	out, err := p.Sign(bg, w.signer.key)
	must(w.t, err)
	return out
}

// service is a time-stamp service whose certificate lives from one day to another.
func (w *world) service(gm bool, from, until time.Time) *service {
	w.t.Helper()
	h := w.issue(&w.root, gm, func(c *smx509.Certificate) {
		c.NotBefore, c.NotAfter = from, until
		c.ExtraExtensions = []pkix.Extension{{Id: asn1.ObjectIdentifier{2, 5, 29, 37}, Critical: true, Value: []byte{0x30, 10, 6, 8, 0x2b, 6, 1, 5, 5, 7, 3, 8}}}
	})
	return &service{w, h}
}

type service struct {
	w *world
	h holder
}

func (s *service) RecordTimeStamp(context.Context, tsa.Issued) error { return nil }

// Stamp asks a real service, at the time of the world.
func (s *service) Stamp(ctx context.Context, value []byte) ([]byte, error) {
	svc, err := tsa.New(tsa.Config{
		Key: s.h.key, CertDER: s.h.cert.Raw, Policy: asn1.ObjectIdentifier{1, 2, 3}, Now: func() time.Time { return s.w.now },
		Synchronised: func() error { return nil }, Rand: rand.Reader, Recorder: s,
	})
	if err != nil {
		return nil, err
	}
	d, err := signeddata.DigestFor(s.h.cert.Raw)
	if err != nil {
		return nil, err
	}
	req, err := tsp.Request{Imprint: tsp.Over(d, value), Certs: true}.DER()
	if err != nil {
		return nil, err
	}
	resp, err := svc.Respond(ctx, req)
	if err != nil {
		return nil, err
	}
	return tsp.ParseResponse(resp)
}

func (w *world) clock() time.Time     { return w.now }
func (w *world) trust() *verify.Trust { return verify.NewTrust(w.root.cert.Raw) }

// list is the root's list of revocations, of now.
func (w *world) list(revoked map[*smx509.Certificate]time.Time) *revocation.Set {
	w.t.Helper()
	l := &smx509.RevocationList{Number: big.NewInt(w.now.Unix()), ThisUpdate: w.now, NextUpdate: w.now.AddDate(0, 0, 7)}
	for c, at := range revoked {
		l.RevokedCertificateEntries = append(l.RevokedCertificateEntries, smx509.RevocationListEntry{SerialNumber: c.SerialNumber, RevocationTime: at, ReasonCode: 4})
	}
	der, err := smx509.CreateRevocationList(rand.Reader, l, w.root.cert, w.root.key)
	must(w.t, err)
	s := revocation.New(w.clock)
	must(w.t, s.Add(der))
	return s
}

func (w *world) config(by archive.Stamper) archive.Config {
	return archive.Config{
		Trust: w.trust(), Status: w.list(nil), Key: w.keeper.key, CertDER: w.keeper.cert.Raw, Stamper: by, Words: w.words, Now: w.clock,
	}
}

func metadata() archive.Metadata {
	p := archive.Party{Name: "样例区数据局", USCC: "11110102MB1234567M"}
	return archive.Metadata{
		DocNo: "样数发〔2026〕1号", Title: "关于数据共享的通知", Creator: "样例区数据局", Date: "2026-03-01", Secrecy: archive.NotSecret, Retention: archive.Years30,
		Unit: p, Sender: p, Recipient: p, SentAt: signed.Add(time.Hour), ReceivedAt: signed.Add(2 * time.Hour),
	}
}

func (w *world) job() archive.Job {
	return archive.Job{Name: "通知.ofd", Document: bytes.NewReader(w.sealed), Size: int64(len(w.sealed)), Metadata: metadata()}
}

// pack writes a package into a folder of its own and returns its name.
func (w *world) pack(cfg archive.Config, job archive.Job) string {
	w.t.Helper()
	name := filepath.Join(w.t.TempDir(), "package.zip")
	d, err := archive.Prepare(bg, cfg, job)
	must(w.t, err)
	_, err = d.Write(bg, name)
	must(w.t, err)
	return name
}

func (w *world) check(data []byte, change func(*archive.Options)) archive.Report {
	w.t.Helper()
	opt := archive.Options{File: "package.zip", Trust: w.trust(), Now: w.clock}
	if change != nil {
		change(&opt)
	}
	rep, err := archive.Verify(bg, bytes.NewReader(data), int64(len(data)), opt)
	must(w.t, err)
	return rep
}

func read(t testing.TB, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(name)
	must(t, err)
	return b
}

// bad lists what does not pass.
func bad(r archive.Report) string {
	var b strings.Builder
	for _, c := range r.Checks {
		if c.Result != verify.Pass || c.Reason != "" {
			b.WriteString(c.ID + " " + string(c.Result) + " " + c.Reason + " " + c.Detail + "\n")
		}
	}
	return b.String()
}
