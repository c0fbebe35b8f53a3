// Package console is the house's web console (控制台): server-rendered pages,
// own ES modules, no framework, under a strict Content-Security-Policy. This is
// its first form: status, verify a document, ledger head, and the door (enter by
// one-time link, set a PIN).
//
// It refuses cross-origin posts, uploads over its limit, and any page but
// verify and enter without a session. A link's secret stands in the URL's
// fragment, so that no server or proxy log sees it.
package console

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"html/template"
	"io"
	"io/fs"
	"log/slog"
	"net/http"
	"time"

	"github.com/go-chi/chi/v5"

	"github.com/yinxin-gov/yinxin/internal/api/wire"
	"github.com/yinxin-gov/yinxin/internal/text"
	"github.com/yinxin-gov/yinxin/signer/verify"
)

//go:embed pages/*.html assets/*
var files embed.FS

// maxUpload is the largest document taken, in bytes.
const maxUpload = 64 << 20

// policy is the Content-Security-Policy of every page: nothing inline, nothing
// from elsewhere.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; base-uri 'none'; frame-ancestors 'none'; form-action 'self'; require-trusted-types-for 'script'"

// cookieName: __Host- binds the cookie to this origin, path / and Secure.
const cookieName = "__Host-yinxin"

// Outcomes of the door.
var (
	// ErrDoor: the link or session is not (any more) good.
	ErrDoor = errors.New("console: not let in")
	// ErrNeedPIN: the link is for a first visit; a PIN must be set with it.
	ErrNeedPIN = errors.New("console: a PIN must be set")
	// ErrPIN: the PIN is too short or too simple.
	ErrPIN = errors.New("console: PIN refused")
)

// Person is who sits before the page.
type Person struct {
	ID    string
	Name  string
	Unit  string
	Roles []string // Chinese names of the posts held
}

// Door lets persons in.
type Door interface {
	// Enter spends a link's secret; pin is empty unless ErrNeedPIN asked for it.
	// It returns the value of the session cookie and its end.
	Enter(ctx context.Context, secret, pin string) (cookie string, until time.Time, err error)
	// Who returns the person of a session, or ErrDoor.
	Who(ctx context.Context, cookie string) (Person, error)
	// Leave ends a session.
	Leave(ctx context.Context, cookie string) error
}

// Head is what the ledger page shows.
type Head struct {
	wire.Head
	Recent []Line
}

// Line is one recent entry, without its payload.
type Line struct {
	Seq     uint64
	Time    time.Time
	Type    string
	Object  string
	Outcome string
	Reasons []string
}

// Config holds what the pages show. Every field is required.
type Config struct {
	Door    Door
	Status  func(ctx context.Context) wire.Status
	Head    func(ctx context.Context, person Person) (Head, error) // records that it was read
	Verify  func(ctx context.Context, document []byte) (verify.Report, error)
	Anchors wire.Anchors
	Words   *text.Catalogue
	Log     *slog.Logger
}

type console struct {
	cfg   Config
	pages map[string]*template.Template
}

// Mount adds the console's routes to r.
func Mount(r chi.Router, cfg Config) error {
	c := &console{cfg: cfg, pages: map[string]*template.Template{}}
	funcs := template.FuncMap{
		"t":     func(key string) text.Text { return cfg.Words.Get(key) },
		"clock": func(t time.Time) string { return t.In(beijing).Format("2006-01-02 15:04:05") },
		"mark":  mark,
	}
	for _, name := range []string{"status", "verify", "ledger", "enter"} {
		t, err := template.New(name).Funcs(funcs).ParseFS(files, "pages/frame.html", "pages/"+name+".html")
		if err != nil {
			return fmt.Errorf("console: page %s: %w", name, err)
		}
		c.pages[name] = t
	}
	assets, err := fs.Sub(files, "assets")
	if err != nil {
		return fmt.Errorf("console: assets: %w", err)
	}
	csrf := http.NewCrossOriginProtection()
	r.Group(func(r chi.Router) {
		r.Use(headers, csrf.Handler)
		r.Get("/", func(w http.ResponseWriter, q *http.Request) { http.Redirect(w, q, "/console/", http.StatusSeeOther) })
		r.Get("/console/", c.status)
		r.Get("/console/ledger", c.ledger)
		r.Get("/console/verify", c.verifyForm)
		r.Post("/console/verify", c.verifyDocument)
		r.Get("/console/enter", c.enterForm)
		r.Post("/console/enter", c.enter)
		r.Post("/console/leave", c.leave)
		r.Handle("/console/assets/*", http.StripPrefix("/console/assets/", http.FileServerFS(assets)))
	})
	return nil
}

// beijing is the clock on every page; China has one time zone without summer time.
var beijing = time.FixedZone("UTC+8", 8*3600)

func headers(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", policy)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Strict-Transport-Security", "max-age=31536000")
		h.Set("Cache-Control", "no-store")
		next.ServeHTTP(w, r)
	})
}

// mark is the sign beside a result: colour never stands alone.
func mark(result any) string {
	switch fmt.Sprint(result) {
	case "pass", "valid", "intact", "success", "allow", "true":
		return "✓"
	case "fail", "invalid", "altered", "failure", "deny", "false":
		return "✗"
	}
	return "?"
}

// view is what every page gets.
type view struct {
	Page    string
	Person  *Person
	Status  wire.Status
	Anchors wire.Anchors
	Head    Head
	File    string
	Report  *verify.Report
	Error   *text.Text
	NeedPIN bool
	Secret  string
}

// render writes to memory-bounded output only after the template succeeded.
func (c *console) render(w http.ResponseWriter, r *http.Request, code int, name string, v view) {
	v.Page = name
	v.Status = c.cfg.Status(r.Context())
	v.Anchors = c.cfg.Anchors
	var out writer
	if err := c.pages[name].ExecuteTemplate(&out, "frame.html", v); err != nil {
		c.cfg.Log.ErrorContext(r.Context(), "page failed", "page", name, "error", err)
		http.Error(w, c.cfg.Words.Get("problem.internal").Both(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(code)
	if _, err := w.Write(out.b); err != nil {
		c.cfg.Log.DebugContext(r.Context(), "page not delivered", "page", name, "error", err)
	}
}

type writer struct{ b []byte }

func (w *writer) Write(p []byte) (int, error) { w.b = append(w.b, p...); return len(p), nil }

// person returns who is signed in, or nil.
func (c *console) person(r *http.Request) *Person {
	ck, err := r.Cookie(cookieName)
	if err != nil {
		return nil
	}
	p, err := c.cfg.Door.Who(r.Context(), ck.Value)
	if err != nil {
		return nil
	}
	return &p
}

func (c *console) status(w http.ResponseWriter, r *http.Request) {
	p := c.person(r)
	if p == nil {
		http.Redirect(w, r, "/console/enter", http.StatusSeeOther)
		return
	}
	c.render(w, r, http.StatusOK, "status", view{Person: p})
}

func (c *console) ledger(w http.ResponseWriter, r *http.Request) {
	p := c.person(r)
	if p == nil {
		http.Redirect(w, r, "/console/enter", http.StatusSeeOther)
		return
	}
	h, err := c.cfg.Head(r.Context(), *p)
	if err != nil {
		c.fail(w, r, "ledger", "problem.internal", view{Person: p}, http.StatusInternalServerError, err)
		return
	}
	c.render(w, r, http.StatusOK, "ledger", view{Person: p, Head: h})
}

func (c *console) verifyForm(w http.ResponseWriter, r *http.Request) {
	c.render(w, r, http.StatusOK, "verify", view{Person: c.person(r)})
}

func (c *console) verifyDocument(w http.ResponseWriter, r *http.Request) {
	v := view{Person: c.person(r)}
	r.Body = http.MaxBytesReader(w, r.Body, maxUpload+1<<20)
	f, fh, err := r.FormFile("document")
	if err != nil {
		c.fail(w, r, "verify", "console.verify.no_file", v, http.StatusBadRequest, err)
		return
	}
	defer f.Close()
	data, err := io.ReadAll(f)
	if err != nil {
		c.fail(w, r, "verify", "console.verify.no_file", v, http.StatusBadRequest, err)
		return
	}
	v.File = fh.Filename
	rep, err := c.cfg.Verify(r.Context(), data)
	if err != nil {
		c.fail(w, r, "verify", "problem.document.unreadable", v, http.StatusUnprocessableEntity, err)
		return
	}
	rep.File = fh.Filename
	v.Report = &rep
	c.render(w, r, http.StatusOK, "verify", v)
}

func (c *console) enterForm(w http.ResponseWriter, r *http.Request) {
	c.render(w, r, http.StatusOK, "enter", view{})
}

func (c *console) enter(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, 8<<10)
	secret, pin := r.PostFormValue("secret"), r.PostFormValue("pin")
	if pin != r.PostFormValue("pin2") {
		t := c.cfg.Words.Get("console.enter.pin_differs")
		c.render(w, r, http.StatusBadRequest, "enter", view{NeedPIN: true, Secret: secret, Error: &t})
		return
	}
	cookie, until, err := c.cfg.Door.Enter(r.Context(), secret, pin)
	switch {
	case errors.Is(err, ErrNeedPIN):
		c.render(w, r, http.StatusOK, "enter", view{NeedPIN: true, Secret: secret})
	case errors.Is(err, ErrPIN):
		t := c.cfg.Words.Get("console.enter.pin_weak")
		c.render(w, r, http.StatusBadRequest, "enter", view{NeedPIN: true, Secret: secret, Error: &t})
	case err != nil:
		c.fail(w, r, "enter", "console.enter.refused", view{}, http.StatusForbidden, err)
	default:
		http.SetCookie(w, &http.Cookie{Name: cookieName, Value: cookie, Path: "/", Expires: until, Secure: true, HttpOnly: true, SameSite: http.SameSiteStrictMode})
		http.Redirect(w, r, "/console/", http.StatusSeeOther)
	}
}

func (c *console) leave(w http.ResponseWriter, r *http.Request) {
	if ck, err := r.Cookie(cookieName); err == nil {
		if err := c.cfg.Door.Leave(r.Context(), ck.Value); err != nil && !errors.Is(err, ErrDoor) {
			c.cfg.Log.WarnContext(r.Context(), "session not ended", "error", err)
		}
	}
	http.SetCookie(w, &http.Cookie{Name: cookieName, Path: "/", MaxAge: -1, Secure: true, HttpOnly: true, SameSite: http.SameSiteStrictMode})
	http.Redirect(w, r, "/console/enter", http.StatusSeeOther)
}

// fail shows a text from the catalogue; the cause goes to the log only.
func (c *console) fail(w http.ResponseWriter, r *http.Request, page, key string, v view, code int, err error) {
	c.cfg.Log.InfoContext(r.Context(), "console answered with an error", "page", page, "text", key, "error", err)
	t := c.cfg.Words.Get(key)
	v.Error = &t
	c.render(w, r, code, page, v)
}
