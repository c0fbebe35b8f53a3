package verify

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"
	"io"
	"math/big"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/emmansun/gmsm/pkcs7"
	"github.com/emmansun/gmsm/smx509"

	"github.com/yinxin-gov/yinxin/internal/secondopinion"
	"github.com/yinxin-gov/yinxin/signer/cms/signeddata"
	"github.com/yinxin-gov/yinxin/signer/seal"
)

// agent is a signer of either track, under an authority of its own track.
type agent struct {
	key         crypto.Signer
	cert, chain []byte
}

// ec is a signer with a P-256 key under an authority with one.
func (w *world) ec(change func(*smx509.Certificate)) agent {
	w.tb.Helper()
	issue := func(name string, ca bool, by *ecdsa.PrivateKey, parent *smx509.Certificate) (*ecdsa.PrivateKey, []byte, *smx509.Certificate) {
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		w.must(err)
		serial, err := rand.Int(rand.Reader, big.NewInt(1<<62))
		w.must(err)
		c := &smx509.Certificate{
			SerialNumber: serial, Subject: pkix.Name{CommonName: name}, NotBefore: start.AddDate(0, -1, 0), NotAfter: start.AddDate(9, 0, 0),
			KeyUsage: smx509.KeyUsageDigitalSignature,
		}
		if ca {
			c.IsCA, c.BasicConstraintsValid, c.KeyUsage = true, true, smx509.KeyUsageCertSign
		} else if change != nil {
			change(c)
		}
		if by == nil {
			by, parent = key, c
		}
		der, err := smx509.CreateCertificate(rand.Reader, c, parent, key.Public(), by)
		w.must(err)
		got, err := smx509.ParseCertificate(der)
		w.must(err)
		return key, der, got
	}
	caKey, caDER, ca := issue("EC Root", true, nil, nil)
	key, der, _ := issue("Data Bureau", false, caKey, ca)
	return agent{key, der, caDER}
}

func (w *world) gm() agent { return agent{w.signer.key, w.signer.cert.Raw, w.root.cert.Raw} }

// file signs content; change may alter what is asked for.
func (w *world) file(by agent, content []byte, detached bool, change func(*signeddata.Spec)) []byte {
	w.tb.Helper()
	d, err := signeddata.DigestFor(by.cert)
	w.must(err)
	spec := signeddata.Spec{CertDER: by.cert, Time: signed, Digest: d.Of(content)}
	if !detached {
		spec.Content = content
	}
	if change != nil {
		change(&spec)
	}
	der, err := signeddata.Sign(spec, by.key)
	w.must(err)
	return der
}

// judgeFile verifies a message; content is nil when it carries its own.
func judgeFile(data, content []byte, trust *Trust) (Report, error) {
	opt := Options{Trust: trust, Now: func() time.Time { return later }, SecondOpinion: secondopinion.Verifier{}}
	if content != nil {
		opt.Content, opt.ContentSize = bytes.NewReader(content), int64(len(content))
	}
	return Document(context.Background(), data, opt)
}

// Every rule of a CMS signature on a file of any kind, by clause, on both tracks,
// detached and enveloping.
func TestCMSFileByClause(t *testing.T) {
	w := newWorld(t)
	service := w.issue(&w.root, stamping)
	content := []byte("任意文件的内容")
	far := w.ec(func(c *smx509.Certificate) { c.NotBefore = signed.Add(time.Hour) })
	authority := w.ec(func(c *smx509.Certificate) { c.IsCA, c.BasicConstraintsValid = true, true })
	sealing := w.ec(func(c *smx509.Certificate) { c.KeyUsage = smx509.KeyUsageKeyEncipherment })
	plain := w.ec(func(c *smx509.Certificate) { c.KeyUsage = 0 })
	for track, by := range map[string]agent{"SM2": w.gm(), "ECDSA": w.ec(nil)} {
		standard := map[string]string{"SM2": "GB/T 35275-2017", "ECDSA": "ETSI EN 319 122-1"}[track]
		for _, detached := range []bool{true, false} {
			for name, c := range map[string]struct {
				by        *agent
				change    func(*signeddata.Spec)
				verdict   Verdict
				integrity Integrity
				check     string
				reason    string
			}{
				"RFC 5652, 5.4 valid":             {verdict: Valid, integrity: Intact, check: CheckDataHash},
				"RFC 5280, 6 no anchor":           {by: ptr(w.ec(nil)), verdict: Indeterminate, integrity: Intact, check: CheckChain, reason: ReasonUntrusted},
				"RFC 5280, 4.1.2.5 period":        {by: &far, verdict: Invalid, integrity: Intact, check: CheckCertPeriod, reason: ReasonPeriod},
				"RFC 5280, 4.2.1.9 authority":     {by: &authority, verdict: Invalid, integrity: Intact, check: CheckUsage, reason: ReasonCertIsCA},
				"RFC 5280, 4.2.1.3 usage":         {by: &sealing, verdict: Invalid, integrity: Intact, check: CheckUsage, reason: ReasonCertUsage},
				"RFC 5280, 4.2.1.3 no usage":      {by: &plain, verdict: Valid, integrity: Intact, check: CheckUsage},
				"RFC 5652, 11.3 no time":          {change: func(s *signeddata.Spec) { s.Time = time.Time{} }, verdict: Indeterminate, integrity: Intact, check: CheckTime, reason: ReasonNoTime},
				"RFC 5652, 11.3 future":           {change: func(s *signeddata.Spec) { s.Time = later.Add(time.Hour) }, verdict: Invalid, integrity: Intact, check: CheckTime, reason: ReasonFuture},
				"EN 319 122-1, 5.3 time-stamp":    {change: func(s *signeddata.Spec) { s.Stamp = w.stamping(service, signed.Add(time.Minute)) }, verdict: Valid, integrity: Intact, check: CheckToken},
				"EN 319 122-1, 5.3 other imprint": {change: func(s *signeddata.Spec) { s.Stamp = w.stamping(service, signed.Add(-time.Hour)) }, verdict: Invalid, integrity: Intact, check: CheckToken, reason: ReasonTokenEarly},
				"RFC 5035, 5.4 unbound":           {change: func(s *signeddata.Spec) { s.Unbound = true }, verdict: Valid, integrity: Intact, check: CheckValue},
			} {
				who := by
				trust := NewTrust(by.chain, w.root.cert.Raw, far.chain, authority.chain, sealing.chain, plain.chain)
				if c.by != nil {
					who = *c.by
				}
				data := w.file(who, content, detached, c.change)
				var brought []byte
				if detached {
					brought = content
				}
				rep, err := judgeFile(data, brought, trust)
				if err != nil || rep.Verdict != c.verdict || rep.Integrity != c.integrity || rep.Format != "cms" || len(rep.Signatures) != 1 {
					t.Fatalf("%s %s, detached %v: %v\n%s", track, name, detached, err, dump(rep))
				}
				s := rep.Signatures[0]
				if got := find(s, c.check); got.Reason != c.reason || (got.Result == Pass) != (c.reason == "") {
					t.Errorf("%s %s: %+v", track, name, got)
				}
				want := standard
				if c.by != nil {
					want = "ETSI EN 319 122-1"
				} else if strings.Contains(name, "unbound") && track == "ECDSA" {
					want = "RFC 5652"
				}
				if s.Kind != "cms" || s.Standard != want || !slices.Equal(s.Coverage.Covered, []string{bytesOf(0, int64(len(content)))}) || len(s.Coverage.Uncovered) != 0 {
					t.Errorf("%s %s: %+v", track, name, s)
				}
				if stamped := strings.Contains(name, "time-stamp"); (s.TrustedTime != "") != stamped || warned(rep, WarnClaimedTime) == stamped && c.reason == "" {
					t.Errorf("%s %s: trusted %q, %v", track, name, s.TrustedTime, rep.Warnings)
				}
				// The order is that of a CMS signature in a PDF.
				var ids []string
				for _, k := range s.Checks {
					ids = append(ids, k.ID)
				}
				if !slices.Equal(ids, []string{CheckCMS, CheckValue, CheckCertForm, CheckChain, CheckUsage, CheckCertPeriod, CheckTime, CheckToken, CheckRevocation, CheckDataHash, CheckSecond}) {
					t.Errorf("%s %s: %v", track, name, ids)
				}
			}
		}
	}
}

func ptr[T any](v T) *T { return &v }

func (w *world) stamping(by holder, at time.Time) func([]byte) ([]byte, error) {
	return func(v []byte) ([]byte, error) { return w.token(by, v, at, true), nil }
}

// Another content, a change of any part, a cut: altered, never less.
func TestCMSFileAltered(t *testing.T) {
	w := newWorld(t)
	content := []byte("内容")
	for track, by := range map[string]agent{"SM2": w.gm(), "ECDSA": w.ec(nil)} {
		trust := NewTrust(by.chain)
		p7s, p7m := w.file(by, content, true, nil), w.file(by, content, false, nil)
		for name, c := range map[string]struct{ data, content []byte }{
			"other content":   {p7s, []byte("内容。")},
			"empty content":   {p7s, []byte{}},
			"carried content": {bytes.Replace(p7m, content, []byte("內容"), 1), nil},
			"cut":             {p7m[:len(p7m)-5], nil},
			"more behind":     {append(bytes.Clone(p7m), 0), nil},
			"value":           {append(bytes.Clone(p7m[:len(p7m)-1]), p7m[len(p7m)-1]^1), nil},
		} {
			rep, err := judgeFile(c.data, c.content, trust)
			if err != nil || rep.Verdict != Invalid || rep.Integrity != Altered {
				t.Errorf("%s, %s: %v\n%s", track, name, err, dump(rep))
			}
		}
	}
	if _, err := judgeFile(w.file(w.gm(), content, true, nil), nil, nil); !errors.Is(err, ErrNoContent) {
		t.Errorf("no content: %v", err)
	}
	if _, err := judgeFile(w.file(w.gm(), content, false, nil), content, nil); !errors.Is(err, ErrContent) {
		t.Errorf("content given twice: %v", err)
	}
	if _, err := judgeFile(w.notice(), content, nil); !errors.Is(err, ErrContent) {
		t.Errorf("content given with an OFD: %v", err)
	}
}

// What is extracted is what was judged, and only a message that carries its
// content has some.
func TestCMSFileExtract(t *testing.T) {
	w := newWorld(t)
	content := bytes.Repeat([]byte("内容"), 50_000)
	var got bytes.Buffer
	data := w.file(w.gm(), content, false, nil)
	rep, err := Document(context.Background(), data, Options{Extract: &got, Now: w.clock})
	if err != nil || rep.Integrity != Intact || !bytes.Equal(got.Bytes(), content) {
		t.Errorf("%v, %d bytes\n%s", err, got.Len(), dump(rep))
	}
	opt := Options{Extract: &got, Content: bytes.NewReader(content), ContentSize: int64(len(content))}
	if _, err := Document(context.Background(), w.file(w.gm(), content, true, nil), opt); !errors.Is(err, ErrExtract) {
		t.Errorf("detached: %v", err)
	}
	if _, err := Document(context.Background(), w.notice(), Options{Extract: io.Discard}); !errors.Is(err, ErrExtract) {
		t.Errorf("OFD: %v", err)
	}
	ctx, stop := context.WithCancel(context.Background())
	stop()
	if _, err := Document(ctx, data, Options{}); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

// Each of several signers is judged and reported (RFC 5652, 5.1: SET OF
// SignerInfo); one of an unknown algorithm does not hide the other, and a message
// that nobody signed is unsigned.
func TestCMSFileSeveralSigners(t *testing.T) {
	w := newWorld(t)
	always := func(c *smx509.Certificate) {
		c.NotBefore, c.NotAfter = start.AddDate(-20, 0, 0), start.AddDate(50, 0, 0)
	}
	one, other := w.issue(nil, always), w.issue(nil, always) // gmsm claims the time of the machine
	sd, err := pkcs7.NewSMSignedData([]byte("内容"))
	w.must(err)
	for _, h := range []holder{one, other} {
		w.must(sd.AddSigner(h.cert, h.key, pkcs7.SignerInfoConfig{}))
	}
	data, err := sd.Finish()
	w.must(err)
	verdicts := func(rep Report) (out []Verdict) {
		for _, s := range rep.Signatures {
			out = append(out, s.Verdict)
		}
		slices.Sort(out)
		return out
	}
	rep := judgeNow(t, data, nil, NewTrust(one.cert.Raw))
	if rep.Verdict != Indeterminate || rep.Integrity != Intact || !slices.Equal(verdicts(rep), []Verdict{Indeterminate, Valid}) ||
		rep.Signatures[0].ID != "1" || rep.Signatures[1].ID != "2" {
		t.Error(dump(rep))
	}
	both := NewTrust(one.cert.Raw, other.cert.Raw)
	if rep := judgeNow(t, data, nil, both); rep.Verdict != Valid {
		t.Error(dump(rep))
	}
	sm3 := []byte{6, 8, 0x2a, 0x81, 0x1c, 0xcf, 0x55, 1, 0x83, 0x11}
	data[bytes.LastIndex(data, sm3)+9] ^= 0x40
	rep = judgeNow(t, data, nil, both)
	if rep.Verdict != Indeterminate || rep.Integrity != Partial || !slices.Equal(verdicts(rep), []Verdict{Indeterminate, Valid}) {
		t.Errorf("unknown algorithm\n%s", dump(rep))
	}
	none, err := pkcs7.DegenerateCertificate(w.signer.cert.Raw)
	w.must(err)
	rep, err = judgeFile(none, []byte("x"), nil)
	if err != nil || rep.Integrity != Unsigned || rep.Verdict != Indeterminate {
		t.Errorf("nobody signed: %v\n%s", err, dump(rep))
	}
}

// rawKey signs as one vendor does: r‖s in 64 bytes.
type rawKey struct{ crypto.Signer }

func (k rawKey) Sign(r io.Reader, b []byte, o crypto.SignerOpts) ([]byte, error) {
	der, err := k.Signer.Sign(r, b, o)
	var v struct{ R, S *big.Int }
	if err == nil {
		_, err = asn1.Unmarshal(der, &v)
	}
	if err != nil {
		return nil, err
	}
	return append(v.R.FillBytes(make([]byte, 32)), v.S.FillBytes(make([]byte, 32))...), nil
}

// A value of 64 bytes is judged, named, and shown to the second implementation in
// DER (GB/T 35276).
func TestCMSFileRawValue(t *testing.T) {
	w := newWorld(t)
	one := w.issue(nil, func(c *smx509.Certificate) {
		c.NotBefore, c.NotAfter = start.AddDate(-20, 0, 0), start.AddDate(50, 0, 0)
	})
	sd, err := pkcs7.NewSMSignedData([]byte("内容"))
	w.must(err)
	w.must(sd.AddSigner(one.cert, rawKey{one.key}, pkcs7.SignerInfoConfig{}))
	data, err := sd.Finish()
	w.must(err)
	rep, err := Document(context.Background(), data, Options{Trust: NewTrust(one.cert.Raw), SecondOpinion: secondopinion.Verifier{}})
	if err != nil || rep.Verdict != Valid || !warned(rep, "ses."+seal.WarnRawSignature) || result(rep.Signatures[0], CheckSecond) != Pass {
		t.Errorf("%v\n%s", err, dump(rep))
	}
}

// A token, or anything that is no file, is not judged as if it were one
// (RFC 5652, 5.2: contentType).
func TestCMSFileOtherContentType(t *testing.T) {
	w := newWorld(t)
	token := w.token(w.issue(&w.root, stamping), []byte("x"), signed, true)
	rep, err := judgeFile(token, nil, NewTrust(w.root.cert.Raw))
	if err != nil || rep.Verdict != Indeterminate || rep.Integrity != Partial || rep.Checks[0].Reason != ReasonContentType {
		t.Errorf("%v\n%s", err, dump(rep))
	}
}
