// Package console is the house's web console (控制台): server-rendered pages,
// own ES modules, no framework, under a strict Content-Security-Policy. This is
// its first form: status, verify a document, ledger head, the door (enter by
// one-time link, set a PIN), and the desk: uses of seals, the life of seals,
// reports of compromised keys, and the first posts and certificates of persons.
//
// A menu shows what the person's posts open; the house behind Desk decides again.
// It refuses cross-origin posts, uploads over its limit, and any page but
// verify and enter without a session. A link's secret stands in the URL's
// fragment, so that no server or proxy log sees it. An uploaded document is
// held in memory only: no temporary file holds it in clear. What a document
// says of itself is shown without control and direction marks.
package console

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"html/template"
	"io/fs"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/go-chi/chi/v5"

	"github.com/yinxin-gov/yinxin/internal/api/wire"
	"github.com/yinxin-gov/yinxin/internal/text"
	"github.com/yinxin-gov/yinxin/signer"
	"github.com/yinxin-gov/yinxin/signer/report"
	"github.com/yinxin-gov/yinxin/signer/verify"
)

//go:embed pages/*.html assets/*
var files embed.FS

// policy is the Content-Security-Policy of every page but the printable report:
// nothing inline, nothing from elsewhere. Pictures of pages are data.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; base-uri 'none'; frame-ancestors 'none'; form-action 'self'; require-trusted-types-for 'script'"

// Head is what the ledger page shows.
type Head struct {
	wire.Head
	Recent []Line
}

// Line is one recent entry, without its payload.
type Line struct {
	Seq     uint64
	Time    time.Time // zero: unknown, its body was erased
	Type    string
	Object  string
	Outcome string
	Reasons []string
}

// ErrForbidden: the page is not for this person's posts.
var ErrForbidden = errors.New("console: not for this person")

// Config holds what the pages show. Every field but Painter is required.
type Config struct {
	Door   Door
	Desk   Desk
	Status func(ctx context.Context) wire.Status
	// Head records that it was read, or returns ErrForbidden.
	Head   func(ctx context.Context, person Person) (Head, error)
	Verify func(ctx context.Context, document []byte) (verify.Report, error)
	// Report reports on a document and returns the judgement too; known: the caller
	// is signed in.
	Report  func(ctx context.Context, name string, document []byte, known bool) (report.Report, verify.Report, error)
	Anchors func(ctx context.Context) wire.Anchors
	Words   *text.Catalogue
	Log     *slog.Logger
	Painter signer.Painter // draws PDF pages; nil: a PDF is shown without pictures
}

type console struct {
	cfg     Config
	pages   map[string]*template.Template
	printer *report.Printer
	uploads chan struct{} // slots: each upload stands in memory as a whole
}

// maxUploads is how many documents are taken in at once; the next ones wait.
const maxUploads = 4

// Mount adds the console's routes to r.
func Mount(r chi.Router, cfg Config) error {
	if cfg.Door == nil || cfg.Desk == nil || cfg.Status == nil || cfg.Anchors == nil || cfg.Head == nil || cfg.Verify == nil || cfg.Report == nil || cfg.Words == nil || cfg.Log == nil {
		return errors.New("console: every field of the configuration is required")
	}
	c := &console{cfg: cfg, uploads: make(chan struct{}, maxUploads)}
	if err := c.parse(); err != nil {
		return err
	}
	var err error
	if c.printer, err = report.NewPrinter(cfg.Words); err != nil {
		return err
	}
	assets, err := fs.Sub(files, "assets")
	if err != nil {
		return fmt.Errorf("console: assets: %w", err)
	}
	csrf := http.NewCrossOriginProtection()
	csrf.SetDenyHandler(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		c.fail(w, q, pageEnter, "console.cross_origin", view{}, http.StatusForbidden, errors.New("cross-origin post"))
	}))
	r.Group(func(r chi.Router) {
		r.Use(headers, csrf.Handler)
		r.Get("/", func(w http.ResponseWriter, q *http.Request) { http.Redirect(w, q, "/console/", http.StatusSeeOther) })
		r.Get("/console/", c.signedIn(c.status))
		r.Get("/console/ledger", c.signedIn(c.ledger))
		r.Get("/console/verify", c.verifyForm)
		r.Post("/console/verify", c.verifyDocument)
		r.Post("/console/verify/page", c.verifyPage)
		r.Get("/console/enter", c.enterForm)
		r.Post("/console/enter", c.enter)
		r.Post("/console/back", c.comeBack)
		r.Post("/console/leave", c.leave)
		c.mountUses(r)
		c.mountSeals(r)
		c.mountImports(r)
		c.mountReports(r)
		c.mountCertificates(r)
		c.mountEnrolments(r)
		c.mountSystems(r)
		c.mountClearances(r)
		c.mountCatalogue(r)
		c.mountViolations(r)
		c.mountApplications(r)
		c.mountACME(r)
		c.mountPeople(r)
		c.mountOwn(r)
		c.mountRecovery(r)
		c.mountAnchors(r)
		c.mountSuccession(r)
		c.mountClosing(r)
		c.mountRetention(r)
		c.mountHistories(r)
		c.mountPeers(r)
		c.mountConsents(r)
		c.mountDomains(r)
		c.mountGrants(r)
		c.mountReclass(r)
		c.mountArchives(r)
		c.mountNotices(r)
		c.mountRoutes(r)
		r.Handle("/console/assets/*", http.StripPrefix("/console/assets/", noListing(http.FileServerFS(assets))))
	})
	return nil
}

func headers(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", policy)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Strict-Transport-Security", "max-age=31536000")
		h.Set("Cache-Control", "no-store")
		next.ServeHTTP(w, r)
	})
}

// noListing hides what folders hold.
func noListing(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "" || strings.HasSuffix(r.URL.Path, "/") {
			http.NotFound(w, r)
			return
		}
		next.ServeHTTP(w, r)
	})
}
