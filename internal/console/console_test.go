package console

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/yinxin-gov/yinxin/internal/text"
	"github.com/yinxin-gov/yinxin/signer/verify"
)

// do asks for a page and checks what holds of every answer of the console.
func (h *house) do(method, path string, body io.Reader, edit ...func(*http.Request)) *httptest.ResponseRecorder {
	h.t.Helper()
	r := httptest.NewRequest(method, "https://localhost:8443"+path, body)
	for _, e := range edit {
		e(r)
	}
	w := httptest.NewRecorder()
	h.router.ServeHTTP(w, r)
	if w.Header().Get("Content-Security-Policy") != policy || w.Header().Get("X-Content-Type-Options") != "nosniff" ||
		w.Header().Get("Referrer-Policy") != "no-referrer" || w.Header().Get("Cache-Control") != "no-store" {
		h.t.Errorf("%s %s: headers %v", method, path, w.Header())
	}
	page := w.Body.String()
	if strings.Contains(page, inside) {
		h.t.Errorf("%s %s tells the cause: %s", method, path, page)
	}
	for _, inline := range []string{"<style", "style=", "onclick", "onload", "javascript:", "http://", "<script>"} {
		if strings.HasPrefix(w.Header().Get("Content-Type"), "text/html") && strings.Contains(page, inline) {
			h.t.Errorf("%s %s holds %q, which the policy forbids", method, path, inline)
		}
	}
	return w
}

func contains(t *testing.T, page string, want ...string) {
	t.Helper()
	for _, s := range want {
		if !strings.Contains(page, s) {
			t.Errorf("no %q in the page", s)
		}
	}
}

func TestPages(t *testing.T) {
	h := newHouse(t)
	w := h.do("GET", "/console/", nil, session)
	contains(t, w.Body.String(), `<html lang="zh-CN">`, "运行状态 · 印信", "✓ 正常", "1234", "2026-07-01 17:30:00", strings.Repeat("01", 32), "样例审计员 · 审计员", "演示密钥，勿用于生产", `aria-current="page"`)
	w = h.do("GET", "/console/ledger", nil, session)
	contains(t, w.Body.String(), "台账头", strings.Repeat("ab", 32), "yangli/ledger", "✗ <span class=\"mono\">E10_label_lowered</span>", "内容已依法删除", "<td>—</td>")
	for _, signed := range []bool{true, false} {
		w = h.do("GET", "/console/verify", nil, func(r *http.Request) {
			if signed {
				session(r)
			}
		})
		if contains(t, w.Body.String(), `enctype="multipart/form-data"`, "核验文件"); strings.Contains(w.Body.String(), "/console/leave") != signed {
			t.Errorf("signed in %v: leave button", signed)
		}
	}
	contains(t, h.do("GET", "/console/enter", nil).Body.String(), `id="door"`, `name="secret"`, `maxlength="128"`)
	for path, kind := range map[string]string{"console.css": "text/css", "console.js": "text/javascript", "icon.svg": "image/svg+xml"} {
		if w := h.do("GET", "/console/assets/"+path, nil); w.Code != 200 || !strings.HasPrefix(w.Header().Get("Content-Type"), kind) {
			t.Errorf("%s: %d %s", path, w.Code, w.Header().Get("Content-Type"))
		}
	}
	if w := h.do("GET", "/console/assets/", nil); w.Code != 404 {
		t.Errorf("the assets are listed: %d", w.Code)
	}
	if w := h.do("GET", "/", nil); w.Code != http.StatusSeeOther || w.Header().Get("Location") != "/console/" {
		t.Errorf("root: %d", w.Code)
	}
}

func TestNotSignedIn(t *testing.T) {
	h := newHouse(t)
	for name, edit := range map[string]func(*http.Request){
		"no cookie":      func(*http.Request) {},
		"ended session":  func(r *http.Request) { r.AddCookie(&http.Cookie{Name: cookieName, Value: "old"}) },
		"other cookie":   func(r *http.Request) { r.AddCookie(&http.Cookie{Name: "yinxin", Value: goodCookie}) },
		"cookie, prefix": func(r *http.Request) { r.AddCookie(&http.Cookie{Name: "__Secure-yinxin", Value: goodCookie}) },
	} {
		for _, page := range []string{"/console/", "/console/ledger"} {
			if w := h.do("GET", page, nil, edit); w.Code != http.StatusSeeOther || w.Header().Get("Location") != "/console/enter" {
				t.Errorf("%s, %s: %d", name, page, w.Code)
			}
		}
	}
}

func TestLedger_Refusals(t *testing.T) {
	h := newHouse(t)
	for err, want := range map[error]int{fmt.Errorf("%s: %w", inside, ErrForbidden): 403, errors.New(inside): 500} {
		h.err = err
		if w := h.do("GET", "/console/ledger", nil, session); w.Code != want || strings.Contains(w.Body.String(), "yangli/ledger") {
			t.Errorf("%v: %d", err, w.Code)
		}
	}
	if !strings.Contains(h.log.String(), inside) {
		t.Error("the cause is not in the log")
	}
}

func TestVerify_Report(t *testing.T) {
	h := newHouse(t)
	h.report = sampleReport()
	body, mediaType := form("document", "通知.ofd", []byte("bytes"))
	w := h.do("POST", "/console/verify", body, func(r *http.Request) { r.Header.Set("Content-Type", mediaType) })
	if w.Code != 200 || string(h.got) != "bytes" {
		t.Fatalf("%d, verified %q", w.Code, h.got)
	}
	page := w.Body.String()
	contains(t, page, `<h2 class="verdict invalid">✗ 无效`, "通知.ofd", "✗ 已被改动", "样例区民政局", "GB/T 38540-2020", "2026-07-01 17:00:00",
		`<tr class="fail"><th scope="row">受保护文件的摘要<small>sig.references</small></th><td>✗ 不通过</td>`, "/Doc_0/Pages/Page_0/Content.xml",
		`<tr class="indeterminate">`, "– 未检查", "没有撤销信息", "/Doc_0/Attach/added.xml", "签章时间为签章方自报", "/extra.txt", "压缩包结构", "不是司法鉴定意见")
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

func TestCrossOriginPostsAreRefused(t *testing.T) {
	h := newHouse(t)
	for _, path := range []string{"/console/enter", "/console/leave", "/console/verify"} {
		for name, edit := range map[string]func(*http.Request){
			"fetch metadata": func(r *http.Request) { r.Header.Set("Sec-Fetch-Site", "cross-site") },
			"same site only": func(r *http.Request) { r.Header.Set("Sec-Fetch-Site", "same-site") },
			"origin":         func(r *http.Request) { r.Header.Set("Origin", "https://evil.example") },
			"origin null":    func(r *http.Request) { r.Header.Set("Origin", "null") },
		} {
			w := h.do("POST", path, strings.NewReader("secret="+goodSecret), session, edit, func(r *http.Request) { r.Header.Set("Content-Type", "application/x-www-form-urlencoded") })
			if w.Code != 403 || w.Header().Get("Set-Cookie") != "" || h.left || h.got != nil {
				t.Errorf("%s, %s: %d", path, name, w.Code)
			}
			contains(t, w.Body.String(), "请求来自其他网站")
		}
	}
}

func (h *house) enter(pairs ...string) *httptest.ResponseRecorder {
	h.t.Helper()
	v := url.Values{}
	for i := 0; i+1 < len(pairs); i += 2 {
		v.Set(pairs[i], pairs[i+1])
	}
	return h.do("POST", "/console/enter", strings.NewReader(v.Encode()), func(r *http.Request) {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set("Sec-Fetch-Site", "same-origin")
	})
}

func TestDoor(t *testing.T) {
	h := newHouse(t)
	w := h.enter("secret", goodSecret)
	cookies := w.Result().Cookies()
	if w.Code != http.StatusSeeOther || len(cookies) != 1 {
		t.Fatalf("%d, cookies %v", w.Code, cookies)
	}
	c := cookies[0]
	if c.Name != "__Host-yinxin" || c.Value != goodCookie || !c.Secure || !c.HttpOnly || c.SameSite != http.SameSiteStrictMode || c.Path != "/" || c.Domain != "" || !c.Expires.Equal(at) {
		t.Errorf("cookie %+v", c)
	}
	// First visit: PIN asked for, weak and differing ones refused, then in.
	w = h.enter("secret", newSecret)
	if contains(t, w.Body.String(), `name="pin2"`, `value="`+newSecret+`"`); w.Code != 200 || len(w.Result().Cookies()) != 0 {
		t.Errorf("PIN asked for: %d", w.Code)
	}
	w = h.enter("secret", newSecret, "pin", "1", "pin2", "1")
	if contains(t, w.Body.String(), "PIN 太短", `name="pin2"`); w.Code != 400 {
		t.Errorf("weak PIN: %d", w.Code)
	}
	w = h.enter("secret", newSecret, "pin", "long-enough", "pin2", "long-enougH")
	if contains(t, w.Body.String(), "不一致", `name="pin2"`); w.Code != 400 || strings.Contains(w.Body.String(), "long-enough") {
		t.Errorf("differing PINs: %d", w.Code)
	}
	if w = h.enter("secret", newSecret, "pin", "long-enough", "pin2", "long-enough"); w.Code != http.StatusSeeOther {
		t.Errorf("PIN set: %d", w.Code)
	}
	w = h.do("POST", "/console/leave", nil, session)
	if c := w.Result().Cookies(); !h.left || len(c) != 1 || c[0].Value != "" || !c[0].Expires.Before(at) || w.Header().Get("Location") != "/console/enter" {
		t.Errorf("leaving: %v", c)
	}
}

func TestDoor_Refusals(t *testing.T) {
	h := newHouse(t)
	w := h.enter("secret", "nobody-has-this")
	if contains(t, w.Body.String(), "链接无效"); w.Code != 403 || strings.Contains(w.Body.String(), "nobody-has-this") || len(w.Result().Cookies()) != 0 {
		t.Errorf("%d", w.Code)
	}
	// A secret in the address is not taken: addresses are logged.
	if w := h.do("POST", "/console/enter?secret="+goodSecret, nil); w.Code != 403 {
		t.Errorf("secret in the address: %d", w.Code)
	}
	if w := h.enter("secret", strings.Repeat("x", maxDoorForm)); w.Code != 400 {
		t.Errorf("large form: %d", w.Code)
	}
	h.err = errors.New(inside)
	if w := h.enter("secret", goodSecret); w.Code != 500 || strings.Contains(h.log.String(), goodSecret) {
		t.Errorf("a failing door: %d", w.Code)
	}
	h.do("POST", "/console/leave", nil, session) // the cookie goes, whatever the door says
}

// Every text that a page asks for exists; a page shows a missing one as its key.
func TestPages_Texts(t *testing.T) {
	words, err := text.Load()
	if err != nil {
		t.Fatal(err)
	}
	whole := regexp.MustCompile(`\(t "([^"]+)"\)`)
	begun := regexp.MustCompile(`\(t "([^"]+)" `)
	used := map[string]bool{}
	names, err := fs.Glob(files, "pages/*.html")
	if err != nil || len(names) != 5 {
		t.Fatalf("%v, %v", names, err)
	}
	for _, name := range names {
		raw, err := fs.ReadFile(files, name)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range whole.FindAllStringSubmatch(string(raw), -1) {
			used[m[1]] = true
			if !words.Has(m[1]) {
				t.Errorf("%s: no text for %s", name, m[1])
			}
		}
		for _, m := range begun.FindAllStringSubmatch(string(raw), -1) {
			if len(words.Keys(m[1])) == 0 {
				t.Errorf("%s: no text begins with %s", name, m[1])
			}
		}
	}
	for _, kind := range []string{"seal", "sign"} {
		if !words.Has("verify.kind." + kind) {
			t.Errorf("no text for kind %s", kind)
		}
	}
	for _, page := range []string{pageStatus, pageVerify, pageLedger, pageEnter} {
		if !words.Has("console.title." + page) {
			t.Errorf("no title for %s", page)
		}
	}
	if len(used) < 20 {
		t.Errorf("only %d texts found: the expression is wrong", len(used))
	}
}

func TestMount_NeedsEverything(t *testing.T) {
	if err := Mount(nil, Config{}); err == nil {
		t.Error("mounted nothing")
	}
}
