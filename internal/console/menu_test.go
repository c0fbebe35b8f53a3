package console

import (
	"crypto/tls"
	"encoding/json"
	"fmt"
	"html"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"sync"
	"testing"
)

// Every page that posts can open stands in one group, and in no other.
func TestMenuHasEveryPageOnce(t *testing.T) {
	seen := map[string]int{}
	for _, g := range menu(&Person{Pages: allPages, Auditor: true}) {
		for _, p := range g.Pages {
			seen[p]++
		}
	}
	for _, p := range append([]string{pageVerify, pageLedger}, allPages...) {
		if seen[p] != 1 {
			t.Errorf("%s stands in the menu %d times", p, seen[p])
		}
	}
	if len(seen) != len(allPages)+2 {
		t.Errorf("pages of nobody in the menu: %v", seen)
	}
	for name, c := range map[string]struct {
		who  *Person
		want string
	}{
		"nobody":  {nil, "[{document [verify]}]"},
		"clerk":   {&Person{Pages: []string{PageSeals, PageUses}}, "[{seal [uses seals]} {document [verify]}]"},
		"auditor": {&Person{Auditor: true}, "[{document [verify]} {audit [ledger]}]"},
	} {
		if got := fmt.Sprint(menu(c.who)); got != c.want {
			t.Errorf("%s: %s", name, got)
		}
	}
}

// measure puts each page into a frame of each width and writes down what a reader
// would notice. The frames are let in by the test's server only.
const measure = `<!doctype html><title>measure</title><pre id="out"></pre><script>
const out = [], jobs = [];
for (const path of PATHS) for (const width of [360, 1280]) jobs.push([path, width]);
let left = jobs.length;
for (const [path, width] of jobs) {
  const f = document.createElement("iframe");
  f.style.cssText = "border:0;height:800px;width:" + width + "px";
  f.onload = () => {
    const d = f.contentDocument, e = d.documentElement;
    const wide = e.scrollWidth > e.clientWidth ? [...d.querySelectorAll("body *")].filter((x) => x.getBoundingClientRect().right > e.clientWidth + 1).slice(0, 6).map((x) => x.tagName + "." + x.className + ":" + Math.round(x.getBoundingClientRect().right)) : [];
    out.push({path, width, title: d.title, scroll: e.scrollWidth, client: e.clientWidth, wide, h1: d.querySelectorAll("h1").length, current: d.querySelectorAll("[aria-current]").length});
    if (--left === 0) document.getElementById("out").textContent = JSON.stringify(out);
  };
  f.src = path;
  document.body.appendChild(f);
}
</script>`

var measured = regexp.MustCompile(`(?s)<pre id="out">(.*?)</pre>`)

// A person with every post walks all pages in a real browser, on a telephone and
// on a desk: nothing is wider than the screen, every page has a title of its own
// and one place in the menu, and the browser complains of nothing.
func TestBrowser_PagesFitTheScreen(t *testing.T) {
	browser := chromium(t)
	desk, _ := newDesk(t)
	desk.report = sampleReport()
	paths := append([]string{"/console/", "/console/verify", "/console/ledger"}, deskPaths...)
	var one sync.Mutex
	srv := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/measure" {
			list, err := json.Marshal(paths)
			if err != nil {
				t.Error(err)
			}
			_, _ = w.Write([]byte(strings.Replace(measure, "PATHS", string(list), 1)))
			return
		}
		session(r)
		one.Lock() // the fake house answers one request at a time
		defer one.Unlock()
		desk.router.ServeHTTP(framed{w}, r)
	}))
	srv.TLS = &tls.Config{MinVersion: tls.VersionTLS12}
	srv.StartTLS()
	defer srv.Close()
	dom, log := visit(t, browser, srv.URL+"/measure", "")
	if bad := violations(log); len(bad) > 0 {
		t.Errorf("%d complaints:\n%s", len(bad), strings.Join(bad, "\n"))
	}
	var pages []struct {
		Path, Title                        string
		Width, Scroll, Client, H1, Current int
		Wide                               []string
	}
	m := measured.FindStringSubmatch(dom)
	if m == nil {
		t.Fatalf("nothing was measured: %.500s", dom)
	}
	if err := json.Unmarshal([]byte(html.UnescapeString(m[1])), &pages); err != nil || len(pages) != 2*len(paths) {
		t.Fatalf("%d pages measured, %v: %.300s", len(pages), err, m[1])
	}
	for _, p := range pages {
		if p.Client != p.Width || p.Scroll > p.Width {
			t.Errorf("%s is %d wide on %d: %v", p.Path, p.Scroll, p.Width, p.Wide)
		}
		if !strings.HasSuffix(p.Title, " · 印信") || p.H1 != 1 || p.Current != 1 {
			t.Errorf("%s: title %q, %d headings, %d places in the menu", p.Path, p.Title, p.H1, p.Current)
		}
	}
}

// framed lets the pages of this test into frames of the same origin.
type framed struct{ http.ResponseWriter }

func (f framed) WriteHeader(code int) {
	h := f.Header()
	h.Set("Content-Security-Policy", strings.Replace(h.Get("Content-Security-Policy"), "frame-ancestors 'none'", "frame-ancestors 'self'", 1))
	f.ResponseWriter.WriteHeader(code)
}
