package status_test

import (
	"bytes"
	"crypto"
	"crypto/x509"
	"encoding/asn1"
	"encoding/base64"
	"errors"
	"math/big"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/emmansun/gmsm/sm2"
	"golang.org/x/crypto/ocsp"

	"github.com/yinxin-gov/yinxin/ca"
	"github.com/yinxin-gov/yinxin/ca/catest"
	"github.com/yinxin-gov/yinxin/ca/profile"
	"github.com/yinxin-gov/yinxin/ca/status"
	"github.com/yinxin-gov/yinxin/ca/status/statustest"
)

func post(s *status.Service, der []byte) *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodPost, status.PathOCSP, bytes.NewReader(der))
	w := httptest.NewRecorder()
	s.Handler().ServeHTTP(w, r)
	return w
}

func getOCSP(s *status.Service, der []byte, header map[string]string) *httptest.ResponseRecorder {
	return get(s, status.PathOCSP+"/"+url.PathEscape(base64.StdEncoding.EncodeToString(der)), header)
}

func answerOf(d asnData) string {
	a := d.Answers[0]
	switch {
	case bool(a.Good) && a.Revoked.At.IsZero():
		return "good"
	case bool(a.Unknown):
		return "unknown"
	case !a.Revoked.At.IsZero():
		return "revoked " + big.NewInt(int64(a.Revoked.Reason)).String()
	}
	return "nothing"
}

func TestOCSPFollowsTheRowRFC6960Section22(t *testing.T) {
	onTracks(t, func(t *testing.T, h *statustest.House, issuing, leaf profile.Name) {
		s, a := h.Service(), h.Authorities[issuing]
		cert, _ := h.Issue(leaf, issuing)
		der := requestOf(nil, withSM3(a.Cert, cert.SerialNumber))
		ask := func(want string) {
			t.Helper()
			for _, w := range []*httptest.ResponseRecorder{post(s, der), getOCSP(s, der, nil)} {
				if w.Code != http.StatusOK || w.Header().Get("Content-Type") != "application/ocsp-response" {
					t.Fatalf("%d %v", w.Code, w.Header())
				}
				d, b := openResponse(t, w.Body.Bytes(), a.Cert)
				one := d.Answers[0]
				if got := answerOf(d); got != want {
					t.Errorf("%s, want %s", got, want)
				}
				if len(b.Certs) != 0 || one.ID.Serial.Cmp(cert.SerialNumber) != 0 || one.This.After(h.Clock.Now()) || !one.Next.Equal(one.This.Add(time.Hour)) || !one.This.Equal(d.Produced) {
					t.Errorf("%+v", one)
				}
			}
		}
		// The clock stands still: only the row tells.
		ask("good")
		h.Set(issuing, cert.SerialNumber, ca.StateHold, 6)
		ask("revoked 6")
		h.Set(issuing, cert.SerialNumber, ca.StateGood, 0)
		ask("good")
		h.Set(issuing, cert.SerialNumber, ca.StateRevoked, 0)
		ask("revoked 0")
	})
}

func TestOCSPNeverSaysGoodOfWhatWasNotIssued(t *testing.T) {
	reg := catest.New()
	h := statustest.New(t, reg)
	s, a := h.Service(), h.Authorities[profile.SM2Issuing]
	pending := func() *big.Int {
		row := ca.Certificate{Issuer: a.ID, Serial: "7fff", Kind: ca.KindService, TBS: []byte{1}, TBSSM3: hexSM3([]byte{1}), State: ca.StatePending}
		if _, err := reg.Reserve(bg, []ca.Certificate{row}, nil, h.Event("test.certificate.reserved")); err != nil {
			t.Fatal(err)
		}
		return big.NewInt(0x7fff)
	}()
	for name, serial := range map[string]*big.Int{"unknown": big.NewInt(4711), "zero": big.NewInt(0), "negative": big.NewInt(-5), "reserved": pending} {
		d, _ := openResponse(t, post(s, requestOf(nil, withSM3(a.Cert, serial))).Body.Bytes(), a.Cert)
		if got := answerOf(d); got != "unknown" {
			t.Errorf("%s: %s", name, got)
		}
		if w := getOCSP(s, requestOf(nil, withSM3(a.Cert, serial)), nil); w.Header().Get("Cache-Control") != "no-store" {
			t.Errorf("%s: caches may keep what may be issued next", name)
		}
	}
}

func TestOCSPRefusesRFC6960Section23(t *testing.T) {
	reg := catest.New()
	h := statustest.New(t, reg)
	s := h.Service()
	a, other := h.Authorities[profile.SM2Issuing], h.Authorities[profile.ECDSAIssuing]
	cert, _ := h.Issue(profile.SM2Sign, profile.SM2Issuing)
	good := withSM3(a.Cert, cert.SerialNumber)
	stranger := good
	stranger.Key = make([]byte, 32)
	badHash := good
	badHash.Hash.OID = asn1.ObjectIdentifier{1, 2, 3}
	long := good
	long.Serial = new(big.Int).Lsh(big.NewInt(1), 300)
	many := make([]asnCertID, 17)
	for n := range many {
		many[n] = good
	}
	critical := extension{OID: asn1.ObjectIdentifier{1, 2, 3}, Critical: true, Value: []byte{5, 0}}
	extra := make([]extension, 17)
	for n := range extra {
		extra[n] = extension{OID: asn1.ObjectIdentifier{1, 2, 3, n}, Value: []byte{5, 0}}
	}
	der := requestOf(nil, good)
	for name, c := range map[string]struct {
		der  []byte
		want int
	}{
		"empty":                    {nil, 1},
		"text":                     {[]byte("hello"), 1},
		"cut":                      {der[:len(der)-1], 1},
		"more behind":              {append(slices.Clone(der), 0), 1},
		"indefinite length":        {append([]byte{0x30, 0x80}, der[2:]...), 1},
		"too large":                {append(slices.Clone(der), make([]byte, 8<<10)...), 1},
		"no certificate":           {requestOf(nil), 1},
		"17 certificates":          {requestOf(nil, many...), 1},
		"serial of 38 octets":      {requestOf(nil, long), 1},
		"critical extension":       {requestOf([]extension{critical}, good), 1},
		"17 extensions":            {requestOf(extra, good), 1},
		"nonce of 0 (RFC 9654)":    {requestOf([]extension{nonce(0)}, good), 1},
		"nonce of 129 (RFC 9654)":  {requestOf([]extension{nonce(129)}, good), 1},
		"nonce twice":              {requestOf([]extension{nonce(8), nonce(8)}, good), 1},
		"nonce not wrapped":        {requestOf([]extension{{OID: oidNonce, Value: []byte{1, 2, 3}}}, good), 1},
		"authority unknown":        {requestOf(nil, stranger), 6},
		"hash unknown":             {requestOf(nil, badHash), 6},
		"two authorities in one":   {requestOf(nil, good, withSM3(other.Cert, cert.SerialNumber)), 6},
		"nonce of 1":               {requestOf([]extension{nonce(1)}, good), 0},
		"nonce of 128":             {requestOf([]extension{nonce(128)}, good), 0},
		"16 certificates":          {requestOf(nil, many[:16]...), 0},
		"an extension, not needed": {requestOf([]extension{{OID: asn1.ObjectIdentifier{1, 2, 3}, Value: []byte{5, 0}}}, good), 0},
	} {
		if got := statusOf(t, post(s, c.der).Body.Bytes()); got != c.want {
			t.Errorf("%s: status %d, want %d", name, got, c.want)
		}
	}
	reg.FailNext("Standing", errors.New("database is away"))
	if got := statusOf(t, post(s, der).Body.Bytes()); got != 3 {
		t.Errorf("store away: status %d", got)
	}
	for _, path := range []string{"/ocsp/!!!", "/ocsp/%zz", "/ocsp/AAAA", "/ocsp/" + strings.TrimRight(base64.StdEncoding.EncodeToString(der), "=") + "!!!!"} {
		r := httptest.NewRequest(http.MethodGet, "/ocsp/x", nil)
		r.URL = &url.URL{Path: path, RawPath: path}
		w := httptest.NewRecorder()
		s.Handler().ServeHTTP(w, r)
		if got := statusOf(t, w.Body.Bytes()); got != 1 || w.Header().Get("Cache-Control") != "no-store" {
			t.Errorf("%s: status %d, %v", path, got, w.Header())
		}
	}
	for path, method := range map[string]string{"/ocsp": http.MethodGet, "/ocsp/AAAA": http.MethodDelete} {
		w := httptest.NewRecorder()
		s.Handler().ServeHTTP(w, httptest.NewRequest(method, path, nil))
		if w.Code != http.StatusMethodNotAllowed {
			t.Errorf("%s %s: %d", method, path, w.Code)
		}
	}
	if w := get(s, "/ocspx", nil); w.Code != http.StatusNotFound {
		t.Errorf("other path: %d", w.Code)
	}
}

func TestOCSPNonceComesBackRFC9654(t *testing.T) {
	h := statustest.New(t, catest.New())
	s, a := h.Service(), h.Authorities[profile.ECDSAIssuing]
	cert, _ := h.Issue(profile.ECDSALeaf, profile.ECDSAIssuing)
	want := nonce(16)
	der := requestOf([]extension{want}, withSM3(a.Cert, cert.SerialNumber))
	before := len(a.Key.Signed())
	for range 2 { // a nonce is never answered from what was kept
		w := getOCSP(s, der, nil)
		d, _ := openResponse(t, w.Body.Bytes(), a.Cert)
		if len(d.Extra) != 1 || !d.Extra[0].OID.Equal(oidNonce) || !bytes.Equal(d.Extra[0].Value, want.Value) {
			t.Errorf("extensions %+v", d.Extra)
		}
		if w.Header().Get("Cache-Control") != "no-store" || w.Header().Get("ETag") != "" {
			t.Errorf("headers %v", w.Header())
		}
	}
	if n := len(a.Key.Signed()) - before; n != 2 {
		t.Errorf("%d signatures", n)
	}
}

func TestOCSPSeveralCertificatesInOneAnswer(t *testing.T) {
	h := statustest.New(t, catest.New())
	s, a := h.Service(), h.Authorities[profile.SM2Issuing]
	one, _ := h.Issue(profile.SM2Sign, profile.SM2Issuing)
	two, _ := h.Issue(profile.SM2Enc, profile.SM2Issuing)
	h.Set(profile.SM2Issuing, two.SerialNumber, ca.StateRevoked, 4)
	d, _ := openResponse(t, s.Answer(bg, requestOf(nil, withSM3(a.Cert, one.SerialNumber), withSM3(a.Cert, two.SerialNumber), withSM3(a.Cert, big.NewInt(5)))), a.Cert)
	if len(d.Answers) != 3 || !bool(d.Answers[0].Good) || d.Answers[1].Revoked.Reason != 4 || !bool(d.Answers[2].Unknown) {
		t.Errorf("%+v", d.Answers)
	}
}

func TestOCSPKeptAnswersAndHeadersRFC5019(t *testing.T) {
	h := statustest.New(t, catest.New())
	s := h.Service(func(c *status.Config) { c.MaxAge = 24 * time.Hour; c.CacheSize = 2 })
	a := h.Authorities[profile.ECDSAIssuing]
	cert, _ := h.Issue(profile.ECDSALeaf, profile.ECDSAIssuing)
	der := requestOf(nil, withSM3(a.Cert, cert.SerialNumber))
	signed := len(a.Key.Signed())
	first := getOCSP(s, der, nil)
	// Base64 with bare slashes, as some clients send it.
	bare := get(s, status.PathOCSP+"/"+base64.StdEncoding.EncodeToString(der), nil)
	if !bytes.Equal(first.Body.Bytes(), bare.Body.Bytes()) || len(a.Key.Signed())-signed != 1 {
		t.Errorf("%d signatures", len(a.Key.Signed())-signed)
	}
	head := first.Header()
	if head.Get("Cache-Control") != "max-age=3600, public, no-transform, must-revalidate" || head.Get("ETag") == "" ||
		head.Get("Last-Modified") != h.Clock.Now().Format(http.TimeFormat) || head.Get("Expires") != h.Clock.Now().Add(time.Hour).Format(http.TimeFormat) {
		t.Errorf("headers %v", head)
	}
	if w := getOCSP(s, der, map[string]string{"If-None-Match": head.Get("ETag")}); w.Code != http.StatusNotModified || w.Body.Len() != 0 {
		t.Errorf("unchanged: %d", w.Code)
	}
	if w := getOCSP(s, der, map[string]string{"If-None-Match": "*"}); w.Code != http.StatusNotModified { // RFC 9110 13.1.2
		t.Errorf("any: %d", w.Code)
	}
	h.Set(profile.ECDSAIssuing, cert.SerialNumber, ca.StateRevoked, 1)
	w := getOCSP(s, der, map[string]string{"If-None-Match": head.Get("ETag")})
	if d, _ := openResponse(t, w.Body.Bytes(), a.Cert); answerOf(d) != "revoked 1" {
		t.Errorf("a kept answer outlived its row: %s", answerOf(d))
	}
	// After half of its life an answer is made again; the number kept is bounded.
	signed = len(a.Key.Signed())
	h.Clock.Advance(29 * time.Minute)
	getOCSP(s, der, nil)
	h.Clock.Advance(time.Minute)
	getOCSP(s, der, nil)
	if n := len(a.Key.Signed()) - signed; n != 1 {
		t.Errorf("%d signatures in half a life", n)
	}
	for range 5 {
		c, _ := h.Issue(profile.ECDSALeaf, profile.ECDSAIssuing)
		getOCSP(s, requestOf(nil, withSM3(a.Cert, c.SerialNumber)), nil)
	}
	signed = len(a.Key.Signed())
	getOCSP(s, der, nil)
	if n := len(a.Key.Signed()) - signed; n != 1 {
		t.Errorf("more than CacheSize answers were kept")
	}
	h.Clock.Advance(-time.Hour) // the clock was wrong and is set back
	if d, _ := openResponse(t, getOCSP(s, der, nil).Body.Bytes(), a.Cert); !d.Answers[0].This.Equal(h.Clock.Now()) {
		t.Errorf("answer from %s at %s", d.Answers[0].This, h.Clock.Now())
	}
	strict := h.Service()
	if cc := getOCSP(strict, der, nil).Header().Get("Cache-Control"); !strings.HasPrefix(cc, "max-age=0,") {
		t.Errorf("caches may answer without asking: %s", cc)
	}
}

func TestOCSPDelegatedResponderRFC6960Section4222(t *testing.T) {
	for issuing, p := range map[profile.Name][2]profile.Name{
		profile.SM2Issuing: {profile.SM2OCSP, profile.SM2Sign}, profile.ECDSAIssuing: {profile.ECDSAOCSP, profile.ECDSALeaf},
	} {
		h := statustest.New(t, catest.New())
		a := h.Authorities[issuing]
		responder, key := h.Issue(p[0], issuing)
		cert, _ := h.Issue(p[1], issuing)
		s := h.Service(func(c *status.Config) {
			for n := range c.Authorities {
				if c.Authorities[n].Certificate == a.Cert {
					c.Authorities[n].Responder, c.Authorities[n].ResponderKey = responder, key
				}
			}
		})
		before := len(a.Key.Signed())
		d, b := openResponse(t, s.Answer(bg, requestOf(nil, withSM3(a.Cert, cert.SerialNumber))), responder)
		if answerOf(d) != "good" || len(b.Certs) != 1 || !bytes.Equal(b.Certs[0].FullBytes, responder.Raw) {
			t.Errorf("%s: %+v", issuing, d)
		}
		if len(a.Key.Signed()) != before {
			t.Error("the authority's key was used")
		}
		h.Clock.Advance(30*24*time.Hour - 20*time.Minute) // ten minutes and a bit are left
		d, _ = openResponse(t, s.Answer(bg, requestOf(nil, withSM3(a.Cert, cert.SerialNumber))), responder)
		if !d.Answers[0].Next.Equal(responder.NotAfter) {
			t.Errorf("answer until %s, certificate until %s", d.Answers[0].Next, responder.NotAfter)
		}
		h.Clock.Advance(time.Hour)
		if got := statusOf(t, s.Answer(bg, requestOf(nil, withSM3(a.Cert, cert.SerialNumber)))); got != 2 {
			t.Errorf("responder is over: status %d", got)
		}
	}
}

// The other judges: x/crypto/ocsp on the ECDSA track, sm2 by hand on the other.
func TestOCSPReadByOthers(t *testing.T) {
	h := statustest.New(t, catest.New())
	s := h.Service()
	a := h.Authorities[profile.ECDSAIssuing]
	cert, _ := h.Issue(profile.ECDSALeaf, profile.ECDSAIssuing)
	h.Set(profile.ECDSAIssuing, cert.SerialNumber, ca.StateRevoked, ocsp.KeyCompromise)
	std, issuer := must(x509.ParseCertificate(cert.Raw)), must(x509.ParseCertificate(a.Cert.Raw))
	for _, hash := range []crypto.Hash{crypto.SHA1, crypto.SHA256, crypto.SHA384, crypto.SHA512} {
		der := must(ocsp.CreateRequest(std, issuer, &ocsp.RequestOptions{Hash: hash}))
		r, err := ocsp.ParseResponseForCert(s.Answer(bg, der), std, issuer)
		if err != nil || r.Status != ocsp.Revoked || r.RevocationReason != ocsp.KeyCompromise || !r.RevokedAt.Equal(h.Clock.Now()) || r.IssuerHash != hash {
			t.Errorf("%s: %+v, %v", hash, r, err)
		}
	}
	g := h.Authorities[profile.SM2Issuing]
	gCert, _ := h.Issue(profile.SM2Sign, profile.SM2Issuing)
	_, b := openResponse(t, s.Answer(bg, requestOf(nil, withSM3(g.Cert, gCert.SerialNumber))), g.Cert)
	if !sm2.VerifyASN1WithSM2(publicOf(g.Cert), nil, b.TBS.FullBytes, b.Signature.Bytes) {
		t.Error("SM2 signature does not verify with the default id")
	}
	spoiled := slices.Clone(b.TBS.FullBytes)
	spoiled[len(spoiled)-1] ^= 1
	if sm2.VerifyASN1WithSM2(publicOf(g.Cert), nil, spoiled, b.Signature.Bytes) {
		t.Error("SM2 signature verifies over other bytes")
	}
}

func TestOCSPSaysSinceWhenAKeyIsNotTrustedRFC6960Section445(t *testing.T) {
	for issuing, p := range tracks {
		h := statustest.New(t, catest.New())
		s, a := h.Service(), h.Authorities[issuing]
		cert, _ := h.Issue(p, issuing)
		ask := func() asnSingle {
			d, _ := openResponse(t, s.Answer(bg, requestOf(nil, withSM3(a.Cert, cert.SerialNumber))), a.Cert)
			return d.Answers[0]
		}
		h.Set(issuing, cert.SerialNumber, ca.StateRevoked, 1)
		if got := ask(); len(got.Extra) != 0 {
			t.Errorf("no date is known: %+v", got.Extra)
		}
		h.Invalidate(issuing, cert.SerialNumber, time.Date(2026, 1, 31, 8, 15, 0, 0, time.UTC)) // a kept answer does not stay
		got := ask()
		if len(got.Extra) != 1 || !got.Extra[0].OID.Equal(asn1.ObjectIdentifier{2, 5, 29, 24}) || got.Extra[0].Critical || string(got.Extra[0].Value) != "\x18\x0f20260131081500Z" {
			t.Errorf("%s: %+v", issuing, got.Extra)
		}
	}
}
