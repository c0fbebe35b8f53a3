package console

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/yinxin-gov/yinxin/internal/signin"
	"github.com/yinxin-gov/yinxin/signer"
	"github.com/yinxin-gov/yinxin/signer/ofd"
	"github.com/yinxin-gov/yinxin/signer/verify"
)

// pages of everybody, for tests that look at all of them.
var allPages = []string{PageUses, PageSeals, PageCompromise, PageCertificates, PageRequests, PageEnrolments, PageSystems, PageClearances, PageACME, PagePeople, PageRecovery, PageAnchors, PageSuccession, PageClosing, PagePeers, PageRetention, PageConsents, PageDomains, PageGrants, PageReclass, PageArchive, PageHistory, PageExpiring, PageStatistics, PageNotices, PageCatalogue, PageApplications, PageViolations, PageRoutes}

// newDesk is a house whose person's posts open every page.
func newDesk(t *testing.T) (*house, *deskOf) {
	t.Helper()
	h := newHouse(t)
	doc, err := ofd.NewNotice(ofd.Notice{Title: "通知", Issuer: "样例区民政局", Body: []string{"特此通知。"}, Date: at})
	if err != nil {
		t.Fatal(err)
	}
	h.desk.doc = doc
	h.person.Pages = allPages
	h.report = verify.Report{Format: "ofd", Verdict: verify.Indeterminate, Integrity: verify.Unsigned, Signatures: []verify.Signature{}}
	return h, h.desk
}

func (h *house) ask(method, path, mediaType, in string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, path, strings.NewReader(in))
	if mediaType != "" {
		r.Header.Set("Content-Type", mediaType)
	}
	session(r)
	w := httptest.NewRecorder()
	h.router.ServeHTTP(w, r)
	return w
}

const formType = "application/x-www-form-urlencoded"

var deskPaths = []string{
	"/console/uses", "/console/uses/u-1", "/console/uses/u-2", "/console/uses/u-3", "/console/uses/u-3?from=2", "/console/seals", "/console/seals/11010000000001", "/console/seals/import", "/console/compromise",
	"/console/certificates", "/console/requests", "/console/enrolments", "/console/systems", "/console/systems?system=civil-a", "/console/people", "/console/recovery", "/console/anchors", "/console/succession", "/console/closing", "/console/peers", "/console/retention", "/console/clearances", "/console/acme", "/console/clearances?system=civil-a",
	"/console/catalogue", "/console/catalogue?id=r-1", "/console/violations", "/console/applications",
	"/console/consents", "/console/domains", "/console/consents/c-1", "/console/grants", "/console/grants/g-1", "/console/reclass", "/console/archive", "/console/notices", "/console/routes", "/console/me",
	"/console/history", "/console/history?system=civil-a", "/console/expiring", "/console/expiring?days=400&superseded=1", "/console/statistics", "/console/statistics?month=2026-06",
}

func TestDeskPages(t *testing.T) {
	h, _ := newDesk(t)
	for _, path := range deskPaths {
		w := h.ask(http.MethodGet, path, "", "")
		page := w.Body.String()
		if w.Code != http.StatusOK || strings.Contains(page, "desk.") || strings.Contains(page, "console.title.") || strings.Contains(page, "ZgotmplZ") || strings.Contains(page, "style=") {
			t.Errorf("%s: %d, or a key or style of its own: %.3000s", path, w.Code, page)
		}
		if strings.Count(page, `aria-current="page"`) != 1 || strings.Count(page, "<h1") != 1 {
			t.Errorf("%s: not one heading and one place in the menu", path)
		}
	}
	first, second := h.ask(http.MethodGet, "/console/uses/u-3", "", "").Body.String(), h.ask(http.MethodGet, "/console/uses/u-3?from=2", "", "").Body.String()
	if strings.Count(first, "data:image/svg") != 2 || !strings.Contains(first, "?from=2") || !strings.Contains(first, "(12.5, 30) mm") || strings.Contains(first, "\u202e") {
		t.Error("the page of a batch does not show covers, the rest of the list, the place, or shows what a name hides")
	}
	if strings.Count(second, "data:image/svg") != 1 || strings.Contains(second, "?from=2") {
		t.Error("the end of the list")
	}
	if page := h.ask(http.MethodGet, "/console/uses/u-1", "", "").Body.String(); !strings.Contains(page, signer.Digest(h.desk.doc)) || !strings.Contains(page, "data:image/svg") || !strings.Contains(page, "2 (1.2, 3.0) mm") || !strings.Contains(page, "… 5") {
		t.Error("the answer page does not show what is answered")
	}
}

// A person sees the pages of the own posts, in the menu and at the address.
func TestDeskPagesAreOfPosts(t *testing.T) {
	h, d := newDesk(t)
	for _, have := range allPages {
		h.person.Pages = []string{have}
		page := h.ask(http.MethodGet, "/console/", "", "").Body.String()
		for _, p := range allPages {
			if got := strings.Contains(page, `href="/console/`+p+`"`); got != (p == have) {
				t.Errorf("with %s the menu shows %s: %v", have, p, got)
			}
			if got := h.ask(http.MethodGet, "/console/"+p, "", "").Code; (got == http.StatusOK) != (p == have) || p != have && got != http.StatusForbidden {
				t.Errorf("with %s, %s: %d", have, p, got)
			}
		}
	}
	h.person.Pages = nil
	for _, path := range []string{
		"/console/uses", "/console/uses/u-1/answer", "/console/uses/u-1/seal", "/console/seals", "/console/seals/1/answer", "/console/seals/1/acts/cancel",
		"/console/compromise/notices/1", "/console/certificates/1", "/console/systems/stop", "/console/systems/tokens", "/console/systems/holds/1/ask", "/console/systems/holds/1/answer", "/console/people",
		"/console/consents/1/answer", "/console/consents/1/withdraw", "/console/grants", "/console/grants/1/suspend", "/console/reclass", "/console/reclass/1/answer", "/console/archive",
	} {
		if w := h.ask(http.MethodPost, path, formType, "pin=x&answer=yes"); w.Code != http.StatusForbidden {
			t.Errorf("POST %s: %d", path, w.Code)
		}
		r := httptest.NewRequest(http.MethodPost, path, strings.NewReader(""))
		w := httptest.NewRecorder()
		if h.router.ServeHTTP(w, r); w.Code != http.StatusSeeOther || w.Header().Get("Location") != "/console/enter" {
			t.Errorf("POST %s without a session: %d", path, w.Code)
		}
	}
	if len(d.acted) > 0 {
		t.Errorf("acted: %v", d.acted)
	}
}

func TestDeskForms(t *testing.T) {
	h, d := newDesk(t)
	for _, c := range []struct{ path, form, want string }{
		{"/console/uses/u-1/answer", "pin=p&answer=yes", "decide u-1 true  p"},
		{"/console/uses/u-1/answer", "pin=p&answer=no&reason=a%0d%0ab", "decide u-1 false a b p"},
		{"/console/uses/u-1/seal", "", "seal u-1"},
		{"/console/seals/11010000000001/answer", "pin=p&answer=no", "answer 11010000000001 false"},
		{"/console/seals/11010000000001/acts/suspend", "reason=x", "suspend 11010000000001 x 0001-01-01 00:00:00 +0000 UTC"},
		{"/console/seals/11010000000001/acts/compromise", "reason=x&since=2026-07-01T09:30", "compromise 11010000000001 x 2026-07-01 01:30:00 +0000 UTC"},
		{"/console/compromise/notices/n-1", "", "ack n-1"},
		{"/console/seals/import/keys", "unit=11110100MB00000015", "key 11110100MB00000015"},
		{"/console/certificates/person-p-2", "pin=p&answer=yes", "certify person-p-2 true"},
		{"/console/systems/stop", "act=hold&system=civil-a&serial=4a&reason=x", "stop civil-a 4a false x  0001-01-01T00:00:00Z"},
		{"/console/systems/stop", "act=revoke&system=civil-a&serial=4a&code=keyCompromise&since=2026-07-01T09:30", "stop civil-a 4a true  keyCompromise 2026-07-01T09:30:00+08:00"},
		{"/console/systems/holds/h-1/ask", "system=civil-a&why=y", "resume? h-1 y"},
		{"/console/systems/holds/h-1/answer", "pin=p&answer=no&reason=z", "resume h-1 false z"},
		{"/console/systems/tokens", "system=civil-a&reason=x", "tokens civil-a x"},
		{"/console/systems/tokens", "system=civil-a&reason=+", ""},
		{"/console/systems/stop", "act=hold&system=civil-a&serial=4a", ""},
		{"/console/systems/stop", "act=delete&system=civil-a&serial=4a&reason=x", ""},
		{"/console/systems/stop", "act=revoke&system=civil-a&serial=4a&since=then", ""},
		{"/console/systems/holds/h-1/ask", "system=civil-a", ""},
		{"/console/systems/holds/h-1/answer", "answer=yes", ""},
		{"/console/consents/c-1/answer", "pin=p&answer=yes&digest=x", "consent c-1 true"},
		{"/console/consents/c-1/withdraw", "reason=+a%0d%0ab", "withdraw c-1 a b"},
		{"/console/consents/c-1/withdraw", "reason=+", ""},
		{"/console/consents/c-1/withdraw", "reason=" + url.QueryEscape("a\u202eb"), ""},
		{"/console/consents/c-1/answer", "pin=p&answer=perhaps", ""},
		{"/console/uses/u-1/answer?pin=p&answer=yes", "", ""}, // nothing from the address: it is in logs
		{"/console/uses/u-1/answer", "answer=yes", ""},
		{"/console/uses/u-1/answer", "pin=p", ""},
		{"/console/uses/u-1/answer", "pin=%zz&answer=yes", ""},
		{"/console/seals/11010000000001/acts/suspend", "since=tomorrow", ""},
		{"/console/seals/11010000000001/acts/suspend", "reason=" + url.QueryEscape("a\u202eb"), ""},
		{"/console/seals/11010000000001/acts/ask", "wanted=authorise&quota=-1", ""},
		{"/console/people", "name=" + url.QueryEscape("a\u0007b"), ""},
		{"/console/uses/u-1/answer", "pin=" + strings.Repeat("p", maxDeskForm), ""},
	} {
		d.acted = nil
		w := h.ask(http.MethodPost, c.path, formType, c.form)
		got := strings.Join(d.acted, "; ")
		if got != c.want || (w.Code == http.StatusSeeOther) != (c.want != "") || c.want == "" && (w.Code < 400 || w.Code >= 500) {
			t.Errorf("%s %.60s: %d %q, want %q", c.path, c.form, w.Code, got, c.want)
		}
	}
	// The link of a person is shown once, on the page itself.
	if w := h.ask(http.MethodPost, "/console/people", formType, "name=a&role=clerk"); w.Code != http.StatusOK || !strings.Contains(w.Body.String(), "/console/enter#once") {
		t.Errorf("%d", w.Code)
	}
	// Who is there already takes on a post without a link; who has named nobody is listed.
	page := h.ask(http.MethodPost, "/console/people", formType, "name=a&role=sharing_contact").Body.String()
	if strings.Contains(page, "<pre") || !strings.Contains(page, "已任命") || !strings.Contains(page, `共享责任人：<a href="/console/people?unit=11110100MB00000015">`) {
		t.Errorf("%.2000s", page)
	}
}

// Every refusal has a text of its own and its code; a fault of the house has
// neither its cause on the page nor a code that says whose fault it was.
func TestDeskRefusals(t *testing.T) {
	h, d := newDesk(t)
	for _, r := range refusals {
		if !h.words.Has(r.key) || r.code < 400 {
			t.Errorf("%v: %s %d", r.err, r.key, r.code)
		}
		d.err = fmt.Errorf("%s: %w", inside, r.err)
		w := h.ask(http.MethodPost, "/console/uses/u-1/answer", formType, "pin=secret-of-a-person&answer=yes")
		if w.Code != r.code || !strings.Contains(w.Body.String(), h.words.Get(r.key).Zh) || strings.Contains(w.Body.String(), inside) || strings.Contains(w.Body.String(), "secret-of-a-person") {
			t.Errorf("%v: %d %s", r.err, w.Code, w.Body.String())
		}
	}
	d.err = errors.New(inside)
	if w := h.ask(http.MethodPost, "/console/uses/u-1/seal", "", ""); w.Code != http.StatusInternalServerError || strings.Contains(w.Body.String(), inside) {
		t.Errorf("%d", w.Code)
	}
	if strings.Contains(h.log.String(), "secret-of-a-person") {
		t.Error("the log holds a PIN")
	}
	if key, _ := refusal(&signin.LockedError{Until: time.Now()}); key != "desk.error.locked" {
		t.Errorf("%s", key)
	}
}

func TestDeskUpload(t *testing.T) {
	h, d := newDesk(t)
	doc := []byte("bytes of a document")
	body, mediaType := form("document", "通知.ofd", doc)
	whole := strings.Replace(body.String(), "--\r\n", "", 1)
	boundary := mediaType[strings.Index(mediaType, "=")+1:]
	field := func(name, value string) string {
		return "\r\nContent-Disposition: form-data; name=\"" + name + "\"\r\n\r\n" + value + "\r\n--" + boundary
	}
	in := whole + field("seal", "11010000000001") + field("title", " 关于  样例的通知 ") + field("place", "right") + field("page", "2") + field("keyword", "x") + "--\r\n"
	w := h.ask(http.MethodPost, "/console/uses", mediaType, in)
	want := "submit 11010000000001 关于 样例的通知 {Page:0 X:0 Y:0 Keyword: Ride:right} 通知.ofd 19"
	if got := strings.Join(d.acted, "; "); w.Code != http.StatusSeeOther || w.Header().Get("Location") != "/console/uses/u-1" || got != want {
		t.Errorf("%d %q", w.Code, got)
	}
	for name, c := range map[string]struct {
		in   string
		want int
	}{
		"no form":        {"", http.StatusBadRequest},
		"cut off":        {in[:len(in)/2], http.StatusBadRequest},
		"a large field":  {whole + field("title", strings.Repeat("x", maxField+1)) + "--\r\n", http.StatusRequestEntityTooLarge},
		"many fields":    {whole + strings.Repeat(field("title", "x"), maxParts) + "--\r\n", http.StatusBadRequest},
		"a bad page":     {whole + field("seal", "1") + field("title", "x") + field("page", "-1") + "--\r\n", http.StatusBadRequest},
		"no keyword":     {whole + field("seal", "1") + field("title", "x") + field("place", "keyword") + "--\r\n", http.StatusBadRequest},
		"a turned title": {whole + field("seal", "1") + field("title", "a\u202eb") + "--\r\n", http.StatusBadRequest},
	} {
		d.acted = nil
		if w := h.ask(http.MethodPost, "/console/uses", mediaType, c.in); w.Code != c.want || len(d.acted) > 0 {
			t.Errorf("%s: %d, want %d; %v", name, w.Code, c.want, d.acted)
		}
	}
	// Several files are a batch; too many, or too much of them together, are refused whole.
	file := func(name string, n int) string {
		return "\r\nContent-Disposition: form-data; name=\"document\"; filename=\"" + name + "\"\r\n\r\n" + strings.Repeat("x", n) + "\r\n--" + boundary
	}
	rest := field("seal", "1") + field("title", "x") + "--\r\n"
	for name, c := range map[string]struct {
		in   string
		want int
		acts string
	}{
		"two":              {whole + file("b.ofd", 3) + rest, http.StatusSeeOther, "submit 1 x {Page:0 X:0 Y:0 Keyword: Ride:} 通知.ofd 19 b.ofd 3"},
		"one is empty":     {whole + file("b.ofd", 0) + rest, http.StatusBadRequest, ""},
		"too many":         {whole + strings.Repeat(file("b.ofd", 1), signer.MaxBatch) + rest, http.StatusBadRequest, ""},
		"too much":         {whole + file("b.ofd", maxUpload/2) + file("c.ofd", maxUpload/2) + rest, http.StatusRequestEntityTooLarge, ""},
		"a point":          {whole + field("place", "point") + field("x", "10.5") + field("y", "0") + rest, http.StatusSeeOther, "submit 1 x {Page:0 X:10.5 Y:0 Keyword: Ride:} 通知.ofd 19"},
		"the corner":       {whole + field("place", "point") + field("x", "0") + field("y", "0") + rest, http.StatusBadRequest, ""},
		"no number":        {whole + field("place", "point") + field("x", "NaN") + field("y", "1") + rest, http.StatusBadRequest, ""},
		"beyond all pages": {whole + field("place", "point") + field("x", "1e9") + field("y", "1") + rest, http.StatusBadRequest, ""},
	} {
		d.acted = nil
		if w := h.ask(http.MethodPost, "/console/uses", mediaType, c.in); w.Code != c.want || strings.Join(d.acted, "; ") != c.acts {
			t.Errorf("%s: %d, want %d; %v", name, w.Code, c.want, d.acted)
		}
	}
	d.err = &PaperError{"b\u202e.ofd", signer.ErrDocument}
	if w := h.ask(http.MethodPost, "/console/uses", mediaType, whole+rest); w.Code != http.StatusUnprocessableEntity || !strings.Contains(w.Body.String(), "：b\uFFFD.ofd") {
		t.Errorf("the refused document is not named: %d", w.Code)
	}
	d.err = nil
	large, mediaType := form("picture", "a.png", make([]byte, maxSealPicture+1))
	if w := h.ask(http.MethodPost, "/console/seals", mediaType, large.String()); w.Code != http.StatusRequestEntityTooLarge {
		t.Errorf("a large picture: %d", w.Code)
	}
}

// The PIN is changed with the cookie of the session, and stands nowhere after.
func TestDeskPIN(t *testing.T) {
	h, d := newDesk(t)
	w := h.ask(http.MethodPost, "/console/me/pin", formType, "old=one-old-pin&pin=one-new-pin&pin2=one-new-pin")
	if got := strings.Join(d.acted, "; "); w.Code != http.StatusOK || got != "pin true one-old-pin one-new-pin" || strings.Contains(w.Body.String()+h.log.String(), "-pin\"") || strings.Contains(h.log.String(), "one-new") {
		t.Errorf("%d %q", w.Code, got)
	}
	d.acted = nil
	if w := h.ask(http.MethodPost, "/console/me/pin?old=a&pin=b&pin2=b", formType, "old=a&pin=b&pin2=c"); w.Code != http.StatusBadRequest || len(d.acted) > 0 {
		t.Errorf("two PINs: %d %v", w.Code, d.acted)
	}
	d.err = signin.ErrPIN
	if w := h.ask(http.MethodPost, "/console/me/pin", formType, "old=a&pin=b&pin2=b"); w.Code != http.StatusForbidden || strings.Contains(w.Body.String(), "PIN 已更换") {
		t.Errorf("a wrong PIN: %d", w.Code)
	}
}

// A document comes back as a file of bytes, under a name that is only a name.
func TestDeskDownload(t *testing.T) {
	h, d := newDesk(t)
	w := h.ask(http.MethodGet, "/console/uses/u-1/document", "", "")
	head := w.Header()
	if w.Body.String() != string(d.doc) || head.Get("Content-Type") != "application/octet-stream" || head.Get("Content-Disposition") != `attachment; filename=c__d.ofd` {
		t.Errorf("%v", head)
	}
	d.err = ErrNotKept
	if w := h.ask(http.MethodGet, "/console/uses/u-1/sealed", "", ""); w.Code != http.StatusGone || w.Header().Get("Content-Disposition") != "" {
		t.Errorf("%d %v", w.Code, w.Header())
	}
	for in, want := range map[string]string{"": "document", "..": "document", "/etc/passwd": "passwd", `C:\x.ofd`: "x.ofd", "a\u202eb.pdf": "a_b.pdf", "通知.ofd": "通知.ofd"} {
		if got := fileName(in); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}
