package api

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/yinxin-gov/yinxin/internal/api/wire"
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
		{"POST", wire.PathACMEKeys, false, `{"token":"aaaaaaaaaaaaaaaaaaaaaaaa"}`, 200, `"kid":"kid-1"`},
		{"POST", wire.PathEnrol, false, `{"token":"aaaaaaaaaaaaaaaaaaaaaaaa","sm2_csr":"AQID"}`, 200, `"enveloped_key":"AQID"`},
		{"POST", wire.PathRenewals, true, goodRenewal, 200, `"renews":"4a"`},
		{"GET", wire.PathPairs + "/4a", true, "", 200, `"renews":"4a"`},
		{"POST", wire.PathRevocations, true, `{"serial":"4a","reason":"superseded"}`, 204, ""},
		{"POST", wire.PathRevocations, true, `{"serial":"4a","reason":"certificateHold"}`, 422, "request.invalid"},
		{"POST", wire.PathVerify, false, "bytes", 200, `"verdict":"valid"`},
		{"POST", wire.PathTransfers, true, goodSend, 201, `"seq":9`},
		{"POST", wire.PathArchives, true, goodArchive, 200, "package of 通知.ofd 文件 样例局 by civil-a"},
		{"GET", wire.PathTransfers, true, "", 200, `"to_system":"civil-a"`},
		{"GET", wire.PathSystems + "/civil-a/certificates", true, "", 200, `"next":"civil-a \"\" 20"`},
		{"GET", wire.PathSystems + "/civil-a/certificates?after=1.a.b&limit=200", true, "", 200, `"next":"civil-a \"1.a.b\" 200"`},
		{"GET", wire.PathSystems + "/civil-a/certificates?limit=201", true, "", 422, "request.invalid"},
		{"GET", wire.PathSystems + "/civil-a/certificates/expiring", true, "", 200, `"next":"civil-a 30 false \"\""`},
		{"GET", wire.PathSystems + "/civil-a/certificates/expiring?days=400&superseded=true", true, "", 200, `"next":"civil-a 400 true \"\""`},
		{"GET", wire.PathSystems + "/civil-a/certificates/expiring?days=401", true, "", 422, "request.invalid"},
		{"GET", wire.PathSystems + "/civil-a/certificates/expiring?days=0", true, "", 422, "request.invalid"},
		{"POST", wire.PathDomains, true, `{"domain":"a"}`, 201, `"name":"{\"domain\":\"a\"}"`},
		{"GET", wire.PathDomains, true, "", 200, `"id":"v-1"`},
		{"GET", wire.PathDomains + "/v-1/bundle", true, "", 200, `{"domain":"a"}`},
		{"POST", wire.PathDomains + "/v-1/restoration", true, "", 201, `"restores":"v-1"`},
		{"POST", wire.PathDomains + "/v-1/withdrawal", true, `{"reason":"样例"}`, 200, `"reason":"样例"`},
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
		{"POST", wire.PathRenewals}, {"GET", wire.PathPairs + "/4a"}, {"POST", wire.PathRevocations}, {"POST", wire.PathTransfers}, {"GET", wire.PathTransfers}, {"GET", wire.PathTransfers + "/t-1/envelope"}, {"POST", wire.PathTransfers + "/t-1/receipt"},
		{"GET", wire.PathSystems + "/civil-a/certificates"}, {"GET", wire.PathSystems + "/civil-a/certificates/expiring"},
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
	if want := 4 + 9*len(refusedPeers()); len(h.refused) != want { // reading without a certificate is nobody's act
		t.Errorf("%d refusals, want %d", len(h.refused), want)
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
	if a := h.do("POST", wire.PathTransfers, false, body); a.status != 401 || body.n.Load() > 16<<20 {
		t.Errorf("%d after %d bytes", a.status, body.n.Load())
	}
}

// X11-07: a peer domain's system sends, fetches, confirms and verifies; what is for
// the systems of the house is closed to it.
func TestGuests(t *testing.T) {
	h := newHouse(t)
	h.guest = "civil-a"
	for _, r := range []struct{ method, path string }{
		{"POST", wire.PathRenewals}, {"GET", wire.PathPairs + "/4a"}, {"POST", wire.PathRevocations}, {"POST", wire.PathArchives}, {"GET", wire.PathRecoveries}, {"POST", wire.PathRecoveries + "/r-1/delivery"},
		{"POST", wire.PathDomains}, {"GET", wire.PathDomains}, {"GET", wire.PathDomains + "/v-1/bundle"}, {"POST", wire.PathDomains + "/v-1/restoration"}, {"POST", wire.PathDomains + "/v-1/withdrawal"},
	} {
		if a := h.do(r.method, r.path, true, strings.NewReader("{")); a.status != 403 || a.p.Code != "peer.guest" || h.calls != 0 {
			t.Errorf("%s %s: %d %s", r.method, r.path, a.status, a.raw)
		}
	}
	confirmation := `{"decision":"d-1","action":"copy","resource":"r","document_sm3":"` + strings.Repeat("ab", 32) + `","log":"7","at":"2026-07-01T09:00:00Z"}`
	for _, r := range []struct{ method, path, body string }{{"GET", wire.PathTransfers, ""}, {"GET", wire.PathTransfers + "/t-1/envelope", ""}, {"POST", wire.PathReceipts, confirmation}} {
		if a := h.do(r.method, r.path, true, strings.NewReader(r.body)); a.status != 200 {
			t.Errorf("%s %s: %d %s", r.method, r.path, a.status, a.raw)
		}
	}
}

type countingReader struct {
	r io.Reader
	n atomic.Int64 // the transport may still be writing when the answer is here
}

func (c *countingReader) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n.Add(int64(n))
	return n, err
}

func TestRequestID(t *testing.T) {
	h := newHouse(t)
	for sent, want := range map[string]string{"pep-1/7": "pep-1/7", "": "made-id", strings.Repeat("x", 129): "made-id", "a b": "made-id", "号": "made-id"} {
		if a := h.do("GET", wire.PathStatus, false, nil, HeaderRequestID, sent); a.header.Get(HeaderRequestID) != want {
			t.Errorf("sent %q, got %q", sent, a.header.Get(HeaderRequestID))
		}
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
	open := []string{wire.PathStatus, wire.PathAnchors, wire.PathHead, wire.PathEnrol, wire.PathACMEKeys, wire.PathVerify}
	for path, ops := range doc.Paths {
		for method, op := range ops {
			if slices.Contains(open, path) == (len(op.Security) == 1) {
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
