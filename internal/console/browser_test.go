package console

import (
	"bytes"
	"context"
	"crypto/tls"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/yinxin-gov/yinxin/signer/ofd"
	"github.com/yinxin-gov/yinxin/signer/verify"
)

// chromium is a real browser: only it knows what the policy forbids.
func chromium(t *testing.T) string {
	t.Helper()
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	if os.Getenv("CI") == "true" {
		t.Fatal("no chromium in PATH: deploy/testing/install-servers.sh installs it")
	}
	t.Skip("SKIPPED: no chromium in PATH; the pages were not tried in a browser")
	return ""
}

// visit opens an address headless and returns the document as the browser
// built it, and the browser's log. With a shot the page is also drawn.
func visit(t *testing.T, browser, address, shot string) (dom, log string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	args := []string{
		"--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
		"--disable-component-update", "--disable-sync", "--disable-dev-shm-usage", "--ignore-certificate-errors", "--hide-scrollbars",
		"--enable-logging=stderr", "--user-data-dir=" + t.TempDir(), "--window-size=1200,1000", "--virtual-time-budget=3000",
	}
	if shot != "" {
		args = append(args, "--screenshot="+shot)
	} else {
		args = append(args, "--dump-dom")
	}
	cmd := exec.CommandContext(ctx, browser, append(args, address)...)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr, cmd.WaitDelay = &out, &errs, 5*time.Second
	if err := cmd.Run(); err != nil {
		t.Fatalf("%s: %v\n%s", address, err, errs.String())
	}
	return out.String(), errs.String()
}

// violations are the lines of a browser's log in which a page did what its
// policy forbids, or its script failed.
func violations(log string) (found []string) {
	for line := range strings.Lines(log) {
		if strings.Contains(line, "Content Security Policy") || strings.Contains(line, "TrustedHTML") || strings.Contains(line, "Uncaught") {
			found = append(found, strings.TrimSpace(line))
		}
	}
	return found
}

// The pages do their work in a real browser without one violation of the
// policy. YINXIN_SHOTS names a folder for pictures of them.
func TestBrowser_NoPolicyViolation(t *testing.T) {
	browser := chromium(t)
	h := newHouse(t)
	h.report = sampleReport()
	desk, _ := newDesk(t)
	// The tests' browser brings no cookie and no form: what a session and an
	// upload would bring is put into the request here.
	srv := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Query().Get("as") {
		case "person":
			session(r)
		case "upload":
			session(r)
			body, mediaType := form("document", "关于样例工作的通知（盖章）.ofd", []byte("bytes"))
			r = httptest.NewRequestWithContext(r.Context(), http.MethodPost, r.URL.Path, body)
			r.Header.Set("Content-Type", mediaType)
			session(r)
		case "notice": // with pages that are drawn
			h := newHouse(t)
			h.report = verify.Report{Format: "ofd", Verdict: verify.Indeterminate, Integrity: verify.Unsigned, Signatures: []verify.Signature{}}
			doc, err := ofd.NewNotice(ofd.Notice{Title: "通知", Issuer: "样例区民政局", Body: []string{"特此通知。"}, Date: at})
			if err != nil {
				t.Error(err)
			}
			body, mediaType := form("document", "a.ofd", doc)
			r = httptest.NewRequestWithContext(r.Context(), http.MethodPost, r.URL.Path, body)
			r.Header.Set("Content-Type", mediaType)
			h.router.ServeHTTP(w, r)
			return
		case "desk":
			session(r)
			desk.router.ServeHTTP(w, r)
			return
		case "pin":
			r = httptest.NewRequestWithContext(r.Context(), http.MethodPost, r.URL.Path, strings.NewReader("secret="+newSecret))
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		case "bad":
			w.Header().Set("Content-Security-Policy", policy)
			_, _ = w.Write([]byte("<!doctype html><p style='color:red'>x</p><script>alert(1)</script>"))
			return
		}
		h.router.ServeHTTP(w, r)
	}))
	srv.TLS = &tls.Config{MinVersion: tls.VersionTLS12}
	srv.StartTLS()
	defer srv.Close()
	if _, log := visit(t, browser, srv.URL+"/?as=bad", ""); len(violations(log)) == 0 {
		t.Fatalf("this browser does not tell of violations:\n%s", log)
	}
	for name, page := range map[string]struct {
		path string
		want []string
	}{
		"status": {"/console/?as=person", []string{"运行状态"}},
		"ledger": {"/console/ledger?as=person", []string{"yangli/ledger"}},
		"verify": {"/console/verify?as=person", []string{"核验文件"}},
		"report": {"/console/verify?as=upload", []string{"已被改动"}},
		"print":  {"/console/verify/page?as=upload", []string{"可靠性", "专有"}},
		"pages":  {"/console/verify?as=notice", []string{`src="data:image/svg+xml;base64,`}},
		"use":    {"/console/uses/u-1?as=desk", []string{"data:image/svg+xml;base64,", "本人 PIN"}},
		"seal":   {"/console/seals/11010000000001?as=desk", []string{"data:image/png;base64,", "报告密钥失控"}},
		"enter":  {"/console/enter#" + goodSecret, []string{"一次性链接口令"}},
		"pin":    {"/console/enter?as=pin", []string{"再次输入 PIN"}},
	} {
		dom, log := visit(t, browser, srv.URL+page.path, "")
		for _, want := range page.want {
			if !strings.Contains(dom, want) {
				t.Errorf("%s: no %q in %s", name, want, dom)
			}
		}
		if bad := violations(log); len(bad) > 0 {
			t.Errorf("%s: %d violations:\n%s", name, len(bad), strings.Join(bad, "\n"))
		}
		if dir := os.Getenv("YINXIN_SHOTS"); dir != "" {
			visit(t, browser, srv.URL+page.path, filepath.Join(dir, name+".png"))
		}
	}
}
