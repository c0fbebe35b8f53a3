package app

import (
	"bytes"
	"io"
	"mime/multipart"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/yinxin-gov/yinxin/authz/identity"
	"github.com/yinxin-gov/yinxin/signer"
	"github.com/yinxin-gov/yinxin/signer/ofd"
)

// counter is a person with a browser before the console.
type counter struct {
	t      *testing.T
	web    *http.Client
	base   string
	cookie *http.Cookie
	pin    string
}

// sits activates an invited person over HTTPS, as everybody does on the first day.
func sits(t *testing.T, h *House, link, pin string) *counter {
	t.Helper()
	c := &counter{t: t, web: browser(h), base: "https://" + h.cfg.Public, pin: pin}
	_, secret, _ := strings.Cut(link, "#")
	r, err := c.web.PostForm(c.base+"/console/enter", url.Values{"secret": {secret}, "pin": {pin}, "pin2": {pin}})
	ok(t, err)
	if page := body(t, r); r.StatusCode != http.StatusSeeOther {
		t.Fatalf("not let in: %s %s", r.Status, alert(page))
	}
	c.cookie = r.Cookies()[0]
	return c
}

func (c *counter) do(method, path, mediaType string, in io.Reader) (int, string, http.Header) {
	c.t.Helper()
	req, err := http.NewRequest(method, c.base+path, in)
	ok(c.t, err)
	if mediaType != "" {
		req.Header.Set("Content-Type", mediaType)
	}
	if c.cookie != nil {
		req.AddCookie(c.cookie)
	}
	r, err := c.web.Do(req)
	ok(c.t, err)
	return r.StatusCode, body(c.t, r), r.Header
}

// get wants a page.
func (c *counter) get(path string, want int) string {
	c.t.Helper()
	code, page, _ := c.do(http.MethodGet, path, "", nil)
	if code != want {
		c.t.Errorf("GET %s: %d, want %d: %s", path, code, want, alert(page))
	}
	return page
}

// post sends a form without a file; 303 is done.
func (c *counter) post(path string, want int, pairs ...string) string {
	c.t.Helper()
	f := url.Values{}
	for i := 0; i+1 < len(pairs); i += 2 {
		f.Add(pairs[i], pairs[i+1])
	}
	code, page, _ := c.do(http.MethodPost, path, "application/x-www-form-urlencoded", strings.NewReader(f.Encode()))
	if code != want {
		c.t.Errorf("POST %s: %d, want %d: %s", path, code, want, alert(page))
	}
	return page
}

// send sends a form with a file and returns where it leads.
func (c *counter) send(path string, want int, field, name string, data []byte, pairs ...string) string {
	c.t.Helper()
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	for i := 0; i+1 < len(pairs); i += 2 {
		ok(c.t, w.WriteField(pairs[i], pairs[i+1]))
	}
	if data != nil {
		addFile(c.t, w, field, name, data)
	}
	return c.submit(path, want, w, &b)
}

func addFile(t *testing.T, w *multipart.Writer, field, name string, data []byte) {
	t.Helper()
	part, err := w.CreateFormFile(field, name)
	ok(t, err)
	_, err = part.Write(data)
	ok(t, err)
}

// submit sends a form and returns where it leads.
func (c *counter) submit(path string, want int, w *multipart.Writer, b *bytes.Buffer) string {
	c.t.Helper()
	ok(c.t, w.Close())
	code, page, head := c.do(http.MethodPost, path, w.FormDataContentType(), b)
	if code != want {
		c.t.Errorf("POST %s: %d, want %d: %s", path, code, want, alert(page))
	}
	return head.Get("Location")
}

var (
	alertForm  = regexp.MustCompile(`(?s)role="alert">(.*?)</p>`)
	digestForm = regexp.MustCompile(`name="digest" value="([0-9a-f]{64})"`)
	linkForm   = regexp.MustCompile(`https://[^<"]+/console/enter#[A-Za-z0-9_-]+`)
	orderForm  = regexp.MustCompile(`action="/console/certificates/([a-z0-9-]+)"`)
)

func alert(page string) string { return strings.Join(alertForm.FindAllString(page, -1), " ") }

func (c *counter) digest(page string) string {
	c.t.Helper()
	m := digestForm.FindStringSubmatch(page)
	if m == nil {
		c.t.Fatalf("no form to answer: %s", alert(page))
	}
	return m[1]
}

// answers is the signed answer on a page.
func (c *counter) answers(page, path string, want int, yes bool) {
	c.t.Helper()
	c.post(path, want, "digest", c.digest(c.get(page, http.StatusOK)), "pin", c.pin, "answer", map[bool]string{true: "yes", false: "no"}[yes], "reason", map[bool]string{false: "不同意"}[yes])
}

// bureau is a served house with the five persons of the desk, every one of them
// registered, activated and certified through the console.
type bureau struct {
	h                                          *House
	log                                        *logged
	service                                    *outsider // accredited, as the operator says
	unit                                       string    // another one
	sysadmin, ra, leader, clerk, keeper, other *counter
	links                                      map[identity.Role]string // of the first visits that were not made yet
}

func openBureau(t *testing.T) *bureau {
	t.Helper()
	cfg, ln := config(t, "")
	log := &logged{}
	cfg.Log = log.logger()
	made, err := Init(bg, cfg, three)
	ok(t, err)
	service := newCertifier(t)
	service.install(cfg.Dir)
	h, err := Open(bg, cfg)
	ok(t, err)
	serving(t, h, ln)
	o := &bureau{h: h, log: log, service: service, links: map[identity.Role]string{}}
	for _, l := range made.Links {
		if l.Role == identity.RoleSystemAdmin {
			o.sysadmin = sits(t, h, l.URL, "pin-of-sysadmin")
			continue
		}
		o.links[l.Role] = l.URL
	}
	code, err := identity.SampleUSCC("110100", 2)
	ok(t, err)
	_, _, err = h.Identity.RegisterAgency(bg, identity.Agency{USCC: code, Name: "样例区民政局", Kind: identity.KindOrgan, District: "110100", Sample: true}, h.service())
	ok(t, err)
	o.unit = string(code)
	hire := func(unit, name string, role identity.Role) *counter {
		return o.hire(unit, name, string(role), "pin-of-"+string(role))
	}
	o.ra = hire(cfg.USCC, "样例注册审核员", identity.RoleRAOfficer)
	o.leader = hire(cfg.USCC, "样例领导", identity.RoleUnitLeader)
	o.clerk = hire(cfg.USCC, "样例经办人", identity.RoleClerk)
	o.keeper = hire(cfg.USCC, "样例印章管理员", identity.RoleSealAdministrator)
	o.other = hire(string(code), "样例外单位领导", identity.RoleUnitLeader)
	for range 4 {
		page := o.ra.get("/console/certificates", http.StatusOK)
		order := orderForm.FindStringSubmatch(page)
		if order == nil {
			t.Fatal("no certificate waits")
		}
		o.ra.answers("/console/certificates", "/console/certificates/"+order[1], http.StatusSeeOther, true)
	}
	return o
}

// hire registers a person on the page and lets the person in.
func (o *bureau) hire(unit, name, role, pin string) *counter {
	o.sysadmin.t.Helper()
	page := o.sysadmin.post("/console/people", http.StatusOK, "unit", unit, "name", name, "role", role, "title", "样例")
	return sits(o.sysadmin.t, o.h, linkForm.FindString(page), pin)
}

const testSeal = "11010000000001"

// makeSeal leads a seal from the application to its use, through the pages.
func (o *bureau) makeSeal(t *testing.T) {
	t.Helper()
	at := "/console/seals/" + testSeal
	o.clerk.send("/console/seals", http.StatusSeeOther, "picture", "", nil, "id", testSeal, "name", "样例区政务信息办公室（样章）", "kind", "statutory", "purpose", "发文", "quota", "50", "per", "day")
	o.clerk.post(at+"/answer", http.StatusConflict, "digest", strings.Repeat("0", 64), "pin", o.clerk.pin, "answer", "yes")
	o.leader.answers(at, at+"/answer", http.StatusSeeOther, true)
	if page := o.keeper.get(at, http.StatusOK); strings.Contains(page, "/acts/make") || !strings.Contains(page, "等待注册审核员") {
		t.Error("the maker may make a seal whose certificate nobody approved")
	}
	o.keeper.post(at+"/acts/make", http.StatusConflict)
	o.ra.answers("/console/certificates", "/console/certificates/seal-"+testSeal, http.StatusSeeOther, true)
	o.clerk.post(at+"/acts/make", http.StatusForbidden)
	o.keeper.post(at+"/acts/make", http.StatusSeeOther)
	o.keeper.post(at+"/acts/file", http.StatusSeeOther)
	o.keeper.post(at+"/acts/activate", http.StatusSeeOther)
	e, err := o.h.Life.Seal(bg, testSeal)
	ok(t, err)
	if kept := drafts(t, o.h, testSeal); e.State != signer.SealActive || len(kept) > 0 {
		t.Fatalf("the seal is %s, kept of its application: %v", e.State, kept)
	}
}

func notice(t *testing.T, title string) []byte {
	t.Helper()
	doc, err := ofd.NewNotice(ofd.Notice{Title: title, DocNo: "样信办〔2026〕1号", Body: []string{"各单位：", "机密正文只给有关的人看。"}, Issuer: "样例区政务信息办公室", Date: time.Now()})
	ok(t, err)
	return doc
}

// ask submits a document and returns the page of the request.
func (o *bureau) ask(t *testing.T, title string, more ...string) string {
	t.Helper()
	return o.clerk.send("/console/uses", http.StatusSeeOther, "document", title+".ofd", notice(t, title), append([]string{"seal", testSeal, "title", title}, more...)...)
}

// inClear lists the files of the house that hold one of these in clear.
func inClear(t *testing.T, dir string, secrets ...string) (found []string) {
	t.Helper()
	ok(t, filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		raw, err := os.ReadFile(path)
		for _, s := range secrets {
			if bytes.Contains(raw, []byte(s)) {
				found = append(found, path)
			}
		}
		return err
	}))
	return found
}

// drafts are the names of what the desk keeps of a request; all without an id.
func drafts(t *testing.T, h *House, id string) (out []string) {
	t.Helper()
	all, err := os.ReadDir(draftFile(h, ""))
	ok(t, err)
	for _, e := range all {
		if strings.HasPrefix(e.Name(), id) {
			out = append(out, e.Name())
		}
	}
	return out
}

func draftFile(h *House, name string) string { return filepath.Join(h.cfg.Dir, dirBlobs, "desk", name) }
