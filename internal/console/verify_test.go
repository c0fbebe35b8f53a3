package console

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/yinxin-gov/yinxin/signer/cite"
	"github.com/yinxin-gov/yinxin/signer/verify"
)

func TestVerify_Report(t *testing.T) {
	h := newHouse(t)
	h.report = sampleReport()
	body, mediaType := form("document", "通知.ofd", []byte("bytes"))
	h.report.Citations = []verify.Citation{{
		Citation: cite.Citation{Title: "低保名单", Resource: "res-1", ProviderName: "样例区人社局", Provider: "11110102000000003C", Consent: "consent-1", Note: "表 1"},
		Result:   verify.Skipped, Reason: verify.ReasonCitationUnasked,
	}}
	w := h.do("POST", "/console/verify", body, func(r *http.Request) { r.Header.Set("Content-Type", mediaType) })
	if w.Code != 200 || string(h.got) != "bytes" {
		t.Fatalf("%d, verified %q", w.Code, h.got)
	}
	page := w.Body.String()
	contains(t, page, `<h2 class="verdict invalid">✗ 无效`, "通知.ofd", "✗ 已被改动", "样例区民政局", "GB/T 38540-2020", "2026-07-01 17:00:00",
		`<tr class="fail"><th scope="row">受保护文件的摘要<small>sig.references</small></th><td>✗ 不通过</td>`, "/Doc_0/Pages/Page_0/Content.xml",
		`<tr class="indeterminate">`, "– 未检查", "没有撤销信息", "/Doc_0/Attach/added.xml", "签章时间为签章方自报", "/extra.txt", "压缩包结构", "不是司法鉴定意见",
		"信息来源", "低保名单", "提供单位", "样例区人社局", "同意编号", "consent-1", "表 1", "无法查询提供方是否同意引用")
	for _, raw := range []string{"{time.claimed", "verify.reason.", "verify.warning.", "verify.check.", "&lt;nil&gt;"} {
		if strings.Contains(page, raw) {
			t.Errorf("the page shows %q", raw)
		}
	}
}

// Everything that a document or a client says is hostile.
func TestVerify_HostileText(t *testing.T) {
	h := newHouse(t)
	evil := "</td><script>alert(1)</script>\u202egpj.exe\x1b[2J"
	h.report = sampleReport()
	s := &h.report.Signatures[0]
	s.ID, s.Seal, s.Signer, s.Standard, s.SignedAt = evil, evil, evil, evil, evil
	s.Checks[1].Detail, s.Coverage.Uncovered[0], s.Coverage.Covered[0], h.report.Warnings[1].Path = evil, evil, evil, evil
	h.report.Citations = []verify.Citation{{Citation: cite.Citation{
		Title: evil, Resource: evil, ProviderName: evil, Provider: evil, Consent: evil, Note: evil,
	}, Result: verify.Pass}}
	for _, name := range []string{evil, `"><img src=x onerror=alert(1)>.ofd`, "..\\..\\x.ofd", strings.Repeat("长", 5000)} {
		body, mediaType := form("document", name, []byte("x"))
		page := h.do("POST", "/console/verify", body, func(r *http.Request) { r.Header.Set("Content-Type", mediaType) }).Body.String()
		for _, bad := range []string{"<script>alert", "<img", "\u202e", "\x1b"} {
			if strings.Contains(page, bad) {
				t.Errorf("name %.20q: the page holds %q", name, bad)
			}
		}
	}
}

func TestVerify_Refusals(t *testing.T) {
	good := func(field string, content []byte) func() (io.Reader, string) {
		return func() (io.Reader, string) { b, m := form(field, "a.ofd", content); return b, m }
	}
	for name, tc := range map[string]struct {
		body func() (io.Reader, string)
		err  error
		code int
		want string
	}{
		"no form":       {func() (io.Reader, string) { return strings.NewReader("x=1"), "application/x-www-form-urlencoded" }, nil, 400, "没有收到文件"},
		"another field": {good("other", []byte("x")), nil, 400, "没有收到文件"},
		"empty file":    {good("document", nil), nil, 400, "没有收到文件"},
		"form cut short": {func() (io.Reader, string) {
			b, m := form("document", "a.ofd", []byte("x"))
			return bytes.NewReader(b.Bytes()[:b.Len()-20]), m
		}, nil, 400, "没有收到文件"},
		"too large":        {good("document", make([]byte, maxUpload+1)), nil, 413, "超过 64 MB"},
		"form too large":   {good("other", make([]byte, maxUpload+maxFrame+1)), nil, 413, "超过 64 MB"},
		"not a document":   {good("document", []byte("x")), fmt.Errorf("%s: %w", inside, verify.ErrNotDocument), 422, "不是可读取的"},
		"bomb":             {good("document", []byte("x")), fmt.Errorf("%s: %w", inside, verify.ErrLimit), 422, "超出核验限度"},
		"register is down": {good("document", []byte("x")), errors.New(inside), 500, "服务内部出错"},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHouse(t)
			h.err = tc.err
			body, mediaType := tc.body()
			w := h.do("POST", "/console/verify", body, func(r *http.Request) { r.Header.Set("Content-Type", mediaType) })
			if w.Code != tc.code {
				t.Errorf("%d", w.Code)
			}
			contains(t, w.Body.String(), tc.want, `role="alert"`)
		})
	}
	h := newHouse(t)
	body, mediaType := form("document", "a.ofd", make([]byte, maxUpload))
	if w := h.do("POST", "/console/verify", body, func(r *http.Request) { r.Header.Set("Content-Type", mediaType) }); w.Code != 200 {
		t.Errorf("a document of exactly the limit: %d", w.Code)
	}
}

// The printable report is a page of its own under a policy of its own; only a
// person who is signed in is told what the house's records say.
func TestX11_15_VerifyPageIsPublic(t *testing.T) {
	h := newHouse(t)
	h.report = sampleReport()
	get := func(path string, edit ...func(*http.Request)) *httptest.ResponseRecorder {
		body, mediaType := form("document", "通知\u202e.ofd", []byte("bytes"))
		r := httptest.NewRequest("POST", "https://localhost:8443"+path, body)
		r.Header.Set("Content-Type", mediaType)
		for _, e := range edit {
			e(r)
		}
		w := httptest.NewRecorder()
		h.router.ServeHTTP(w, r)
		return w
	}
	w := get("/console/verify/page")
	if w.Code != 200 || string(h.got) != "bytes" || h.known {
		t.Fatalf("%d, reported %q, known %t", w.Code, h.got, h.known)
	}
	contains(t, w.Body.String(), `lang="zh-CN"`, "电子印章与签名核验报告", "✗ 无效", "专有", "软件不能证明的事项", "不是司法鉴定意见", "样例区民政局")
	csp := w.Header().Get("Content-Security-Policy")
	if !strings.HasPrefix(csp, "default-src 'none'; style-src 'sha256-") || !strings.Contains(csp, "frame-ancestors 'none'") || strings.Contains(csp, "script-src") ||
		w.Header().Get("Cache-Control") != "no-store" || strings.Contains(w.Body.String(), "\u202e") {
		t.Errorf("headers %v", w.Header())
	}
	if w = get("/console/verify/page?lang=en", session); !h.known || !strings.Contains(w.Body.String(), "Conditions of art. 13") {
		t.Errorf("signed in: known %t, %s", h.known, w.Body)
	}
	if w = get("/console/verify/page", func(r *http.Request) { r.Header.Set("Sec-Fetch-Site", "cross-site") }); w.Code != 403 {
		t.Errorf("from another site: %d", w.Code)
	}
	h.err = fmt.Errorf("%s: %w", inside, verify.ErrNotDocument)
	if w = get("/console/verify/page"); w.Code != 422 || w.Header().Get("Content-Security-Policy") != policy || strings.Contains(w.Body.String(), inside) {
		t.Errorf("no document: %d %v", w.Code, w.Header())
	}
}
