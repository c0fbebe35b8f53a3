package api

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/yinxin-gov/yinxin/internal/api/wire"
	"github.com/yinxin-gov/yinxin/internal/exchange"
)

func TestRoutes(t *testing.T) {
	h := newHouse(t)
	for _, tc := range []struct {
		method, path string
		peer         bool
		body         string
		status       int
		want         string
	}{
		{"GET", wire.PathStatus, false, "", 200, `"healthy":true`},
		{"GET", wire.PathAnchors, false, "", 200, `"sm2_root_sm3":"ab"`},
		{"GET", wire.PathHead, false, "", 200, `"size":5`},
		{"POST", wire.PathEnrol, false, `{"token":"aaaaaaaaaaaaaaaaaaaaaaaa","sm2_csr":"AQID"}`, 200, `"enveloped_key":"AQID"`},
		{"POST", wire.PathVerify, false, "bytes", 200, `"verdict":"valid"`},
		{"POST", wire.PathTransfers, true, goodSend, 201, `"seq":9`},
		{"GET", wire.PathTransfers, true, "", 200, `"to_system":"civil-a"`},
		{"GET", wire.PathTransfers + "/t-1/envelope", true, "", 200, "envelope of t-1"},
		{"POST", wire.PathTransfers + "/t-1/receipt", true, `{"signature":"AQIDBAUGBwg="}`, 200, `{"id":"t-1"`},
	} {
		a := h.do(tc.method, tc.path, tc.peer, strings.NewReader(tc.body))
		if a.status != tc.status || !strings.Contains(a.raw, tc.want) || strings.Contains(a.raw, "$schema") || a.header.Get(HeaderRequestID) != "made-id" {
			t.Errorf("%s %s: %d %s %v", tc.method, tc.path, a.status, a.raw, a.header)
		}
	}
	if string(h.sent.Document) != "文件" || h.sent.RequestID != "made-id" || h.sent.ToSystem != "b" {
		t.Errorf("sent %+v", h.sent)
	}
	if h.closed != 1 {
		t.Errorf("%d envelopes closed", h.closed)
	}
}

// Systems are known by their certificate, looked up at each request, before
// anything of the body is read.
func TestMTLS(t *testing.T) {
	h := newHouse(t)
	routes := []struct{ method, path string }{
		{"POST", wire.PathTransfers}, {"GET", wire.PathTransfers}, {"GET", wire.PathTransfers + "/t-1/envelope"}, {"POST", wire.PathTransfers + "/t-1/receipt"},
	}
	for _, r := range routes {
		if a := h.do(r.method, r.path, false, strings.NewReader("{not even JSON")); a.status != 401 || a.p.Code != "peer.missing" {
			t.Errorf("%s %s without a certificate: %d %s", r.method, r.path, a.status, a.raw)
		}
	}
	for _, refused := range refusedPeers() {
		h.peerErr = fmt.Errorf("%s: %w", secret, refused)
		for _, r := range routes {
			if a := h.do(r.method, r.path, true, strings.NewReader("{")); a.status != 403 || a.p.Code != "peer.refused" {
				t.Errorf("%s %s with %v: %d %s", r.method, r.path, refused, a.status, a.raw)
			}
		}
	}
	h.peerErr = fmt.Errorf("%s: the database is down", secret)
	if a := h.do("GET", wire.PathTransfers, true, nil); a.status != 500 || a.p.Code != "internal" || !strings.Contains(h.logged(), secret) {
		t.Errorf("a failing register: %d %s", a.status, a.raw)
	}
	if h.calls != 0 {
		t.Errorf("%d calls reached the exchange", h.calls)
	}
	// An unauthenticated sender of a large body is refused without reading it.
	body := &countingReader{r: io.LimitReader(zeros{}, 64<<20)}
	if a := h.do("POST", wire.PathTransfers, false, body); a.status != 401 || body.n > 16<<20 {
		t.Errorf("%d after %d bytes", a.status, body.n)
	}
}

type countingReader struct {
	r io.Reader
	n int
}

func (c *countingReader) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += n
	return n, err
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

func TestRequestID(t *testing.T) {
	h := newHouse(t)
	for sent, want := range map[string]string{"pep-1/7": "pep-1/7", "": "made-id", strings.Repeat("x", 129): "made-id", "a b": "made-id", "号": "made-id"} {
		if a := h.do("GET", wire.PathStatus, false, nil, HeaderRequestID, sent); a.header.Get(HeaderRequestID) != want {
			t.Errorf("sent %q, got %q", sent, a.header.Get(HeaderRequestID))
		}
	}
}

// What a client sends wrongly is told by place and kind, never repeated.
func TestBadRequests(t *testing.T) {
	h := newHouse(t)
	const token = "token-token-token-token"
	long := strings.Repeat("x", 300)
	for name, tc := range map[string]struct {
		path, body, mediaType string
		status                int
		code                  string
	}{
		"no body":            {wire.PathEnrol, "", "", 400, "request.malformed"},
		"no JSON":            {wire.PathEnrol, token + secret, "", 400, "request.malformed"},
		"JSON cut short":     {wire.PathEnrol, `{"token":"` + token, "", 400, "request.malformed"},
		"unknown field":      {wire.PathEnrol, `{"token":"` + token + `","sm2_csr":"AQID","admin":"` + secret + `"}`, "", 422, "request.invalid"},
		"field missing":      {wire.PathEnrol, `{"token":"` + token + `"}`, "", 422, "request.invalid"},
		"token too long":     {wire.PathEnrol, `{"token":"` + long + `","sm2_csr":"AQID"}`, "", 422, "request.invalid"},
		"token no string":    {wire.PathEnrol, `{"token":["` + token + `"],"sm2_csr":"AQID"}`, "", 422, "request.invalid"},
		"CSR no base64":      {wire.PathEnrol, `{"token":"` + token + `","sm2_csr":"?` + secret + `"}`, "", 422, "request.invalid"},
		"CSR too long":       {wire.PathEnrol, `{"token":"` + token + `","sm2_csr":"` + strings.Repeat("AAAA", 5000) + `"}`, "", 422, "request.invalid"},
		"body too large":     {wire.PathEnrol, `{"token":"` + strings.Repeat("x", maxJSON) + `"}`, "", 413, "request.too_large"},
		"other media type":   {wire.PathEnrol, `token=` + token, "application/x-www-form-urlencoded", 415, "request.media_type"},
		"document no base64": {wire.PathTransfers, strings.Replace(goodSend, "5paH5Lu2", secret, 1), "", 422, "request.invalid"},
		"name too long":      {wire.PathTransfers, strings.Replace(goodSend, "通知.ofd", long, 1), "", 422, "request.invalid"},
		"null":               {wire.PathTransfers, "null", "", 422, "request.invalid"},
		"receipt too long":   {wire.PathTransfers + "/t-1/receipt", `{"signature":"` + strings.Repeat("AAAA", 100) + `"}`, "", 422, "request.invalid"},
		"id too long":        {wire.PathTransfers + "/" + long + "/receipt", `{"signature":"AQIDBAUGBwg="}`, "", 422, "request.invalid"},
		"unknown route":      {"/api/v2/things", "{}", "", 404, "route.unknown"},
	} {
		t.Run(name, func(t *testing.T) {
			set := []string{"Content-Type", "application/json"}
			if tc.mediaType != "" {
				set[1] = tc.mediaType
			}
			a := h.do("POST", tc.path, true, strings.NewReader(tc.body), set...)
			if a.status != tc.status || a.p.Code != tc.code {
				t.Errorf("%d %s", a.status, a.raw)
			}
			if strings.Contains(a.raw, token) || strings.Contains(a.raw, long[:maxFieldText+1]) {
				t.Errorf("repeats what was sent: %s", a.raw)
			}
		})
	}
	if h.calls != 0 {
		t.Errorf("%d calls got through", h.calls)
	}
	if a := h.do("PUT", wire.PathEnrol, false, nil); a.status != 404 {
		t.Errorf("another method: %d %s", a.status, a.raw)
	}
}

// A document of exactly the limit passes, one byte more does not.
func TestVerify_Limit(t *testing.T) {
	h := newHouse(t)
	var got int
	h.verify = func(d []byte) { got = len(d) }
	if a := h.do("POST", wire.PathVerify, false, io.LimitReader(zeros{}, maxDocument)); a.status != 200 || got != maxDocument {
		t.Errorf("at the limit: %d, %d bytes", a.status, got)
	}
	if a := h.do("POST", wire.PathVerify, false, io.LimitReader(zeros{}, maxDocument+1)); a.status != 413 {
		t.Errorf("over the limit: %d", a.status)
	}
	if a := h.do("POST", wire.PathVerify, false, nil); a.status != 400 {
		t.Errorf("empty: %d", a.status)
	}
	if maxDocument != exchange.MaxDocument {
		t.Error("API and exchange take different sizes")
	}
}

// Large bodies wait for one another, small ones never do.
func TestLargeBodiesAtOnce(t *testing.T) {
	h := newHouse(t)
	busy, release := make(chan struct{}, 16), make(chan struct{})
	h.verify = func(d []byte) {
		if len(d) > maxJSON {
			busy <- struct{}{}
			<-release
		}
	}
	done := make(chan int, largeBodies+1)
	for range largeBodies + 1 {
		go func() { done <- h.do("POST", wire.PathVerify, false, io.LimitReader(zeros{}, maxJSON+1)).status }()
	}
	for range largeBodies {
		<-busy
	}
	if a := h.do("POST", wire.PathVerify, false, strings.NewReader("small")); a.status != 200 {
		t.Errorf("a small body: %d", a.status)
	}
	select {
	case <-busy:
		t.Error("one more than allowed is under way")
	case <-time.After(50 * time.Millisecond):
	}
	close(release)
	for range largeBodies + 1 {
		if s := <-done; s != 200 {
			t.Errorf("answered %d", s)
		}
	}
}

// An envelope that cannot be read to its end is no complete answer.
func TestEnvelope_BrokenOff(t *testing.T) {
	h := newHouse(t)
	h.broken = true
	req, err := http.NewRequestWithContext(t.Context(), "GET", h.url+wire.PathTransfers+"/t-1/envelope", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set(testPeer, "1")
	resp, err := http.DefaultClient.Do(req)
	if err == nil {
		_, err = io.ReadAll(resp.Body)
		resp.Body.Close()
	}
	if err == nil || !strings.Contains(h.logged(), "not delivered whole") {
		t.Errorf("%v, log %s", err, h.logged())
	}
	if h.closed != 1 {
		t.Error("the envelope was left open")
	}
}

func TestOpenAPI(t *testing.T) {
	h := newHouse(t)
	a := h.do("GET", PathOpenAPI, false, nil)
	var doc struct {
		OpenAPI    string
		Components struct {
			SecuritySchemes map[string]struct{ Type string }
			Schemas         map[string]any
		}
		Paths map[string]map[string]struct {
			Security  []map[string][]string
			Responses map[string]struct {
				Content map[string]struct{ Schema map[string]any }
			}
		}
	}
	if err := json.Unmarshal([]byte(a.raw), &doc); err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(doc.OpenAPI, "3.1") || doc.Components.SecuritySchemes[schemeMTLS].Type != "mutualTLS" || len(doc.Paths) < 7 {
		t.Errorf("%s %v, %d paths", doc.OpenAPI, doc.Components.SecuritySchemes, len(doc.Paths))
	}
	for path, ops := range doc.Paths {
		for method, op := range ops {
			if want := strings.HasPrefix(path, wire.PathTransfers); want != (len(op.Security) == 1) {
				t.Errorf("%s %s: security %v", method, path, op.Security)
			}
			if op.Responses["default"].Content[problemType].Schema["$ref"] != "#/components/schemas/Problem" {
				t.Errorf("%s %s: problems are described as %+v", method, path, op.Responses["default"])
			}
		}
	}
	if doc.Components.Schemas["ErrorModel"] != nil {
		t.Error("the document describes a problem that is never sent")
	}
}

func TestMount_NeedsEverything(t *testing.T) {
	if err := Mount(nil, Config{}); err == nil {
		t.Error("mounted nothing")
	}
}
