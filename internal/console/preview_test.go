package console

import (
	"context"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/yinxin-gov/yinxin/signer/ofd"
	"github.com/yinxin-gov/yinxin/signer/pdf/pdftest"
	"github.com/yinxin-gov/yinxin/signer/pdfview"
	"github.com/yinxin-gov/yinxin/signer/pdfview/pdfviewtest"
	"github.com/yinxin-gov/yinxin/signer/verify"
)

// shown posts a document to the verify page of a house whose report is the real
// one.
func shown(t *testing.T, h *house, doc []byte) string {
	t.Helper()
	rep, err := verify.Document(context.Background(), doc, verify.Options{})
	if err != nil {
		t.Fatal(err)
	}
	h.report = rep
	body, mediaType := form("document", "通知", doc)
	w := h.do("POST", "/console/verify", body, func(r *http.Request) { r.Header.Set("Content-Type", mediaType) })
	if w.Code != http.StatusOK {
		t.Fatalf("%d", w.Code)
	}
	return w.Body.String()
}

// Both kinds of document are shown page by page, five at most; a page that does
// not draw says so, and without an engine a PDF has no pages here.
func TestPreview_PagesOfBothKinds(t *testing.T) {
	notice, err := ofd.NewNotice(ofd.Notice{Title: "通知", Issuer: "样例区", Body: []string{"正文"}, Date: at})
	if err != nil {
		t.Fatal(err)
	}
	engine := pdfviewtest.New(t, pdfview.Config{})
	with, without := newHouse(t, engine), newHouse(t)
	for name, c := range map[string]struct {
		h     *house
		doc   []byte
		pages int
		want  string
	}{
		"OFD":                {without, notice, 1, ""},
		"PDF":                {with, pdftest.Letter(pdftest.Options{Pages: 2}), 2, "未嵌入字体"},
		"PDF of seven pages": {with, pdftest.Letter(pdftest.Options{Pages: 7}), 5, "未嵌入字体"},
		"PDF, no engine":     {without, pdftest.Letter(pdftest.Options{}), 0, ""},
	} {
		page := shown(t, c.h, c.doc)
		if n := strings.Count(page, "data:image/svg&#43;xml;base64,") + strings.Count(page, "data:image/svg+xml;base64,"); n != c.pages || !strings.Contains(page, c.want) {
			t.Errorf("%s: %d pictures", name, n)
		}
	}
}

// The pictures of pages are shown in a real browser: its policy lets them in.
func TestBrowser_ShowsPages(t *testing.T) {
	browser := chromium(t)
	h := newHouse(t, pdfviewtest.New(t, pdfview.Config{}))
	page := shown(t, h, pdftest.Letter(pdftest.Options{Pages: 2}))
	srv := httptest.NewServer(headers(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/console/assets/") {
			h.router.ServeHTTP(w, r)
			return
		}
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		_, _ = w.Write([]byte(page))
	})))
	defer srv.Close()
	shot := ""
	if dir := os.Getenv("YINXIN_SHOTS"); dir != "" {
		shot = filepath.Join(dir, "pages.png")
	}
	if _, log := visit(t, browser, srv.URL, shot); len(violations(log)) > 0 {
		t.Errorf("violations:\n%s", strings.Join(violations(log), "\n"))
	}
}
