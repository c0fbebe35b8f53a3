package verify

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
	"github.com/emmansun/gmsm/sm3"
	"github.com/emmansun/gmsm/smx509"

	"github.com/yinxin-gov/yinxin/signer/ofd"
	"github.com/yinxin-gov/yinxin/signer/seal"
	"github.com/yinxin-gov/yinxin/signer/seal/picture"
)

// start of every period; documents are signed ten days later.
var (
	start  = time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	signed = start.AddDate(0, 0, 10)
	later  = start.AddDate(0, 1, 0)
)

// drawn is the picture of every seal here: drawing is the slowest part of a test.
var drawn = sync.OnceValues(func() ([]byte, error) { return picture.Draw(picture.Spec{Unit: "样例区数据局"}) })

type holder struct {
	key  *sm2.PrivateKey
	cert *smx509.Certificate
}

// world is one authority with a signer and a seal maker.
type world struct {
	tb                  testing.TB
	root, signer, maker holder
	seal                []byte
	png                 []byte // nil: drawn by the house
}

func newWorld(tb testing.TB) *world {
	tb.Helper()
	w := &world{tb: tb}
	w.root = w.issue(nil, func(c *smx509.Certificate) {
		c.IsCA, c.BasicConstraintsValid, c.KeyUsage = true, true, smx509.KeyUsageCertSign
	})
	w.signer, w.maker = w.issue(&w.root, nil), w.issue(&w.root, nil)
	w.seal = w.makeSeal(w.maker, w.signer)
	return w
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
		SerialNumber: serial, Subject: pkix.Name{CommonName: serial.String()},
		NotBefore: start.AddDate(0, -1, 0), NotAfter: start.AddDate(1, 1, 0),
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

func (w *world) makeSeal(maker holder, signers ...holder) []byte {
	w.tb.Helper()
	if w.png == nil {
		var err error
		w.png, err = drawn()
		w.must(err)
	}
	spec := seal.Spec{
		ID: "41010012345678", Vendor: "yinxin", Type: 1, Name: "样例区数据局（样章）",
		Created: start, ValidFrom: start, ValidUntil: start.AddDate(1, 0, 0),
		Picture: seal.Picture{Type: "PNG", Data: w.png, Width: 42, Height: 42},
	}
	for _, s := range signers {
		spec.Certs = append(spec.Certs, s.cert.Raw)
	}
	der, err := seal.Make(spec, maker.key, maker.cert.Raw)
	w.must(err)
	return der
}

func (w *world) notice() []byte {
	w.tb.Helper()
	b, err := ofd.NewNotice(ofd.Notice{
		Title: "关于数据共享的通知", DocNo: "样数发〔2026〕1号", Issuer: "样例区数据局",
		Body: []string{"各单位：请按目录共享数据。", "特此通知。"}, Date: start,
	})
	w.must(err)
	return b
}

// put seals data the way the product does.
func (w *world) put(data []byte, whole bool) []byte {
	w.tb.Helper()
	p, err := ofd.Open(data)
	w.must(err)
	q, err := ofd.Prepare(p, ofd.SealRequest{
		Provider: ofd.Provider{Name: "yinxin"}, SealDER: w.seal, SignTime: signed, WholeProtected: whole,
		Stamps: []ofd.Place{{Page: 1, X: 120, Y: 200, W: 42, H: 42}},
	})
	w.must(err)
	value, err := seal.Sign(seal.SignSpec{
		SealDER: w.seal, CertDER: w.signer.cert.Raw, Time: signed, DataHash: q.DataHash(), Property: q.Property(),
	}, w.signer.key)
	w.must(err)
	out, err := q.Finish(value)
	w.must(err)
	return out
}

// forged is an SES_Signature made without the product's own checks.
type forged struct {
	by        holder
	seal      []byte
	at        time.Time
	timestamp []byte
}

func (w *world) value(f forged, sigXML []byte, property string) []byte {
	w.tb.Helper()
	sum := sm3.Sum(sigXML)
	tbs, err := asn1.Marshal(struct {
		Version  int
		Seal     asn1.RawValue
		Time     time.Time `asn1:"generalized"`
		Hash     asn1.BitString
		Property string `asn1:"ia5"`
	}{4, asn1.RawValue{FullBytes: f.seal}, f.at, asn1.BitString{Bytes: sum[:], BitLength: 256}, property})
	w.must(err)
	sig, err := f.by.key.SignWithSM2(rand.Reader, nil, tbs)
	w.must(err)
	type ses struct {
		TBS   asn1.RawValue
		Cert  []byte
		Alg   asn1.ObjectIdentifier
		Value asn1.BitString
		Stamp asn1.RawValue `asn1:"optional"`
	}
	v := ses{asn1.RawValue{FullBytes: tbs}, f.by.cert.Raw, asn1.ObjectIdentifier{1, 2, 156, 10197, 1, 501},
		asn1.BitString{Bytes: sig, BitLength: 8 * len(sig)}, asn1.RawValue{}}
	if f.timestamp != nil {
		inner, err := asn1.Marshal(asn1.BitString{Bytes: f.timestamp, BitLength: 8 * len(f.timestamp)})
		w.must(err)
		v.Stamp = asn1.RawValue{Class: asn1.ClassContextSpecific, Tag: 0, IsCompound: true, Bytes: inner}
	}
	der, err := asn1.Marshal(v)
	w.must(err)
	return der
}

// resign changes Signature.xml of a sealed document and signs it anew, as a
// malicious or careless signer could.
func (w *world) resign(data []byte, f forged, change func(string) string) []byte {
	w.tb.Helper()
	if f.seal == nil {
		f.seal = w.seal
	}
	if f.by.key == nil {
		f.by = w.signer
	}
	if f.at.IsZero() {
		f.at = signed
	}
	const xml, dat, esl = "Doc_0/Signs/Sign_0/Signature.xml", "Doc_0/Signs/Sign_0/SignedValue.dat", "Doc_0/Signs/Sign_0/Seal.esl"
	files := unzip(w.tb, data)
	var sigXML []byte
	for i := range files {
		if files[i].name == xml {
			if change != nil {
				files[i].body = []byte(change(string(files[i].body)))
			}
			sigXML = files[i].body
		}
	}
	for i := range files {
		if files[i].name == dat {
			files[i].body = w.value(f, sigXML, "/"+xml)
		}
	}
	return rezip(w.tb, files)
}

func (w *world) clock() time.Time { return later }

func (w *world) judge(data []byte) Report {
	w.tb.Helper()
	return w.judgeWith(data, nil)
}

func (w *world) judgeWith(data []byte, second SecondOpinion) Report {
	w.tb.Helper()
	rep, err := Document(context.Background(), data, w.options(second))
	w.must(err)
	return rep
}

// try is judge for what may be no document at all.
func (w *world) try(data []byte) (Report, error) {
	return Document(context.Background(), data, w.options(nil))
}

func (w *world) options(second SecondOpinion) Options {
	return Options{
		File: "x.ofd", Trust: NewTrust(w.root.cert.Raw), Now: func() time.Time { return later }, SecondOpinion: second,
	}
}

type zfile struct {
	name string
	body []byte
}

func unzip(tb testing.TB, data []byte) []zfile {
	tb.Helper()
	r, err := zip.NewReader(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		tb.Fatal(err)
	}
	var out []zfile
	for _, f := range r.File {
		rc, err := f.Open()
		if err != nil {
			tb.Fatal(err)
		}
		b, err := io.ReadAll(rc)
		if err != nil {
			tb.Fatal(err)
		}
		rc.Close()
		out = append(out, zfile{f.Name, b})
	}
	return out
}

func rezip(tb testing.TB, files []zfile) []byte {
	tb.Helper()
	var out bytes.Buffer
	zw := zip.NewWriter(&out)
	for _, f := range files {
		w, err := zw.Create(f.name)
		if err == nil {
			_, err = w.Write(f.body)
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

// edit replaces the body of one file.
func edit(tb testing.TB, data []byte, name string, change func([]byte) []byte) []byte {
	tb.Helper()
	files := unzip(tb, data)
	for i := range files {
		if files[i].name == name {
			files[i].body = change(files[i].body)
			return rezip(tb, files)
		}
	}
	tb.Fatalf("no file %s", name)
	return nil
}
