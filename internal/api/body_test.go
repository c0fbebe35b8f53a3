package api

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/yinxin-gov/yinxin/internal/api/wire"
	"github.com/yinxin-gov/yinxin/internal/exchange"
	"github.com/yinxin-gov/yinxin/signer/verify"
)

type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
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
	// Every one that had a route was passed on to be recorded, as the client saw it.
	if len(h.refused) != 16 {
		t.Errorf("%d refusals: %+v", len(h.refused), h.refused)
	}
	for _, r := range h.refused {
		if r.Route == "" || r.Status < 400 || r.Code == "" || len(r.Chain) != 2 {
			t.Errorf("%+v", r)
		}
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

// A report is one of three levels, beside the judgement that stays as it was; only
// an enrolled system is told what the house's records say.
func TestVerifyReport(t *testing.T) {
	h := newHouse(t)
	ask := func(query string, peer bool) answer {
		return h.do("POST", wire.PathVerify+query, peer, strings.NewReader("x"), "Content-Type", "application/octet-stream")
	}
	if a := ask("", false); a.status != 200 || !strings.Contains(a.raw, `"verdict":"valid"`) || strings.Contains(a.raw, "schema") {
		t.Errorf("the judgement: %d %s", a.status, a.raw)
	}
	for _, level := range []string{"simple", "detailed", "diagnostic"} {
		for _, peer := range []bool{false, true} {
			a := ask("?report="+level, peer)
			if a.status != 200 || !strings.Contains(a.raw, `"level":"`+level+`"`) || !strings.Contains(a.raw, `"nature":"`+strconv.FormatBool(peer)+`"`) {
				t.Errorf("%s, peer %t: %d %s", level, peer, a.status, a.raw)
			}
		}
	}
	if a := ask("?report=full", false); a.status != 422 || a.p.Code != "request.invalid" {
		t.Errorf("another level: %d %s", a.status, a.raw)
	}
	h.peerErr = ErrPeer
	if a := ask("?report=simple", true); a.status != 200 || !strings.Contains(a.raw, `"nature":"false"`) {
		t.Errorf("a revoked certificate: %d %s", a.status, a.raw)
	}
	h.peerErr = errors.New(secret)
	if a := ask("?report=simple", true); a.status != 500 {
		t.Errorf("the register is down: %d %s", a.status, a.raw)
	}
	h.peerErr, h.err = nil, verify.ErrNotDocument
	if a := ask("?report=simple", false); a.p.Code != "document.unreadable" {
		t.Errorf("no document: %d %s", a.status, a.raw)
	}
	var doc struct {
		Paths map[string]map[string]struct {
			Responses map[string]struct {
				Content map[string]struct{ Schema struct{ OneOf []any } }
			}
		}
	}
	if err := json.Unmarshal([]byte(h.do("GET", PathOpenAPI, false, nil).raw), &doc); err != nil || len(doc.Paths[wire.PathVerify]["post"].Responses["200"].Content["application/json"].Schema.OneOf) != 2 {
		t.Errorf("OpenAPI: %v %+v", err, doc.Paths[wire.PathVerify])
	}
}
