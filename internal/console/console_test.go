package console

import (
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
	"github.com/yinxin-gov/yinxin/signer/life"
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
	contains(t, w.Body.String(), `<html lang="zh-CN">`, "运行状态 · 印信", "✓ 正常", "1234", "2026-07-01 17:30:00", strings.Repeat("01", 32), "样例审计员 · 审计员", "演示密钥，勿用于生产", `aria-current="page"`, "离线根吊销列表到期", "2026-07-30", "签名仪式（yinxin key ceremony order）")
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
	if w.Code != http.StatusSeeOther || len(cookies) != 2 {
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
	if err != nil || len(names) < 13 {
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
	for _, page := range append([]string{pageStatus, pageVerify, pageLedger, pageEnter, pageUse, pageSeal, pageImport, pageConsent, pageGrant}, allPages...) {
		if !words.Has("console.title." + page) {
			t.Errorf("no title for %s", page)
		}
	}
	for _, r := range life.Rules() {
		if !words.Has("desk.act."+string(r.Act)) || r.To != "" && !words.Has("desk.seal.state."+string(r.To)) {
			t.Errorf("no text for act %s", r.Act)
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
