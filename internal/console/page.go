package console

import (
	"bytes"
	"fmt"
	"html/template"
	"net/http"
	"time"

	"github.com/yinxin-gov/yinxin/internal/api/wire"
	"github.com/yinxin-gov/yinxin/internal/text"
	"github.com/yinxin-gov/yinxin/signer/report"
	"github.com/yinxin-gov/yinxin/signer/verify"
)

// Pages.
const (
	pageStatus = "status"
	pageVerify = "verify"
	pageLedger = "ledger"
	pageEnter  = "enter"
)

// view is what every page gets.
type view struct {
	Page    string
	Parent  string // in the menu
	Menu    []group
	Person  *Person
	Status  wire.Status
	Anchors wire.Anchors
	Head    Head
	Report  *verify.Report
	Pages   []report.Picture // of the verified document
	Error   *text.Text
	Which   string // document that the error is about, of several
	NeedPIN bool
	Secret  string
	Known   string // number of the person who was here last
	Body    any    // of a page of the desk
}

func (c *console) parse() error {
	funcs := template.FuncMap{
		"t":      func(parts ...any) text.Text { return c.cfg.Words.Get(fmt.Sprint(parts...)) },
		"clock":  clock,
		"moment": moment,
		"minute": minute,
		"mark":   mark,
		"plain":  text.Plain,
		"hours":  hours,
		"share":  share,
	}
	c.pages = map[string]*template.Template{}
	for _, name := range []string{
		pageStatus, pageVerify, pageLedger, pageEnter, PageUses, pageUse, PageSeals, pageSeal, pageImport, PageCompromise, PageCertificates, PageRequests, PageEnrolments, PageSystems, PagePeople, PageRecovery,
		PageAnchors, PageSuccession, PageClosing, PagePeers, PageRetention, PageConsents, pageConsent, PageDomains, PageGrants, pageGrant, PageReclass, PageClearances, PageACME, PageArchive, pageMe, PageHistory, PageExpiring, PageStatistics, PageNotices, PageCatalogue, PageApplications, PageViolations, PageRoutes,
	} {
		t, err := template.New(name).Funcs(funcs).ParseFS(files, "pages/frame.html", "pages/parts.html", "pages/"+name+".html")
		if err != nil {
			return fmt.Errorf("console: page %s: %w", name, err)
		}
		c.pages[name] = t
	}
	return nil
}

// clock shows a moment as it stands on every wall in China: one time zone, no
// summer time.
func clock(t time.Time) string {
	if t.IsZero() {
		return "—"
	}
	return t.In(time.FixedZone("UTC+8", 8*3600)).Format("2006-01-02 15:04:05")
}

// minute is how a form writes a moment on those walls; empty for none.
func minute(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.In(time.FixedZone("UTC+8", 8*3600)).Format("2006-01-02T15:04")
}

// moment is clock for a time that a document states as text.
func moment(s string) string {
	t, err := time.Parse(time.RFC3339, s)
	if err != nil {
		return text.Plain(s)
	}
	return clock(t)
}

// mark is the sign beside a result: colour never stands alone.
func mark(result any) string {
	switch fmt.Sprint(result) {
	case "pass", "valid", "intact", "success", "allow", "approved", "sealed", "made", "filed", "active", "acknowledged", "delivered", "issued", "consented", "in_force", "open", "done", "current":
		return "✓"
	case "withdrawn", "fail", "invalid", "altered", "failure", "deny", "refused", "lapsed", "suspended", "cancelled", "expired", "stopped", "ended", "dropped":
		return "✗"
	case "submitted", "reviewed", "requested", "listed", "sealing", "applied", "pending", "asked", "checked", "proposed", "closing", "recorded", "prepared":
		return "…"
	case "skipped", "replaced", "retired", "":
		return "–"
	}
	return "?"
}

// render sends a page once all of it could be made.
func (c *console) render(w http.ResponseWriter, r *http.Request, code int, name string, v view) {
	v.Parent = map[string]string{pageUse: PageUses, pageSeal: PageSeals, pageImport: PageSeals, pageConsent: PageConsents, pageGrant: PageGrants}[name]
	v.Page, v.Menu, v.Status, v.Anchors = name, menu(v.Person), c.cfg.Status(r.Context()), c.cfg.Anchors(r.Context())
	var out bytes.Buffer
	if err := c.pages[name].ExecuteTemplate(&out, "frame.html", v); err != nil {
		c.cfg.Log.ErrorContext(r.Context(), "page failed", "page", name, "error", err)
		http.Error(w, c.cfg.Words.Get("problem.internal").Both(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(code)
	if _, err := w.Write(out.Bytes()); err != nil {
		c.cfg.Log.DebugContext(r.Context(), "page not delivered", "page", name, "error", err)
	}
}

// fail shows a text from the catalogue; the cause goes to the log only.
func (c *console) fail(w http.ResponseWriter, r *http.Request, page, key string, v view, code int, cause error) {
	if code >= http.StatusInternalServerError {
		c.cfg.Log.ErrorContext(r.Context(), "console failed", "page", page, "error", cause)
	} else {
		c.cfg.Log.InfoContext(r.Context(), "console refused", "page", page, "text", key, "error", cause)
	}
	t := c.cfg.Words.Get(key)
	v.Error = &t
	c.render(w, r, code, page, v)
}
