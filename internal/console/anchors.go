package console

import (
	"context"
	"encoding/pem"
	"net/http"
	"strings"
	"time"

	"github.com/go-chi/chi/v5"

	"github.com/yinxin-gov/yinxin/ca/anchor"
	"github.com/yinxin-gov/yinxin/internal/text"
)

// PageAnchors is the register of trust anchors of others (信任锚).
const PageAnchors = "anchors"

// Anchors are those of accredited services.
type Anchors interface {
	Anchored(ctx context.Context, p Person) (AnchorList, error)
	ProposeAnchor(ctx context.Context, p Person, a anchor.Anchor) error
	// AnswerAnchor signs a registration officer's answer to a proposal.
	AnswerAnchor(ctx context.Context, p Person, id string, a Answer) error
	WithdrawAnchor(ctx context.Context, p Person, id, reason string) error
}

// AnchorList is what the page shows, newest first.
type AnchorList struct {
	Entries  []AnchorLine
	MayWrite bool // propose and withdraw
}

// AnchorLine is one entry.
type AnchorLine struct {
	anchor.Anchor
	Subject   string // of the certificate
	CertUntil time.Time
	By, Ender string // names
	Sum       string // what is signed
	MayAnswer bool
	MayEnd    bool
}

func (c *console) mountAnchors(r chi.Router) {
	r.Get("/console/anchors", c.opened(PageAnchors, first(c.anchored)))
	r.Post("/console/anchors", c.opened(PageAnchors, c.proposeAnchor))
	r.Post("/console/anchors/{id}/answer", c.opened(PageAnchors, c.answerAnchor))
	r.Post("/console/anchors/{id}/withdraw", c.opened(PageAnchors, c.withdrawAnchor))
}

func (c *console) anchored(w http.ResponseWriter, r *http.Request, p Person, cause error) {
	listed(c, w, r, p, PageAnchors, c.cfg.Desk.Anchored, cause)
}

func (c *console) proposeAnchor(w http.ResponseWriter, r *http.Request, p Person) {
	err := fields(w, r)
	if err == nil {
		var a anchor.Anchor
		if a, err = anchorForm(r.PostForm.Get); err == nil {
			err = c.cfg.Desk.ProposeAnchor(r.Context(), p, a)
		}
	}
	c.back(w, r, p, "/console/anchors", err, c.anchored)
}

// anchorForm reads a proposal. A licence counts whole days in China, the last one
// too.
func anchorForm(get func(string) string) (anchor.Anchor, error) {
	a := anchor.Anchor{Service: oneLine(get("service")), Licence: oneLine(get("licence")), URL: strings.TrimSpace(get("url")), Reason: oneLine(get("reason"))}
	for _, s := range []string{a.Service, a.Licence, a.URL, a.Reason} {
		if s == "" || text.Plain(s) != s {
			return anchor.Anchor{}, ErrForm
		}
	}
	china := time.FixedZone("UTC+8", 8*3600)
	from, ferr := time.ParseInLocation(time.DateOnly, get("from"), china)
	last, lerr := time.ParseInLocation(time.DateOnly, get("until"), china)
	block, rest := pem.Decode([]byte(get("certificate")))
	if ferr != nil || lerr != nil || block == nil || block.Type != "CERTIFICATE" || strings.TrimSpace(string(rest)) != "" {
		return anchor.Anchor{}, ErrForm
	}
	a.From, a.Until, a.DER = from, last.AddDate(0, 0, 1), block.Bytes
	return a, nil
}

func (c *console) answerAnchor(w http.ResponseWriter, r *http.Request, p Person) {
	err := answer(w, r, func(a Answer) error { return c.cfg.Desk.AnswerAnchor(r.Context(), p, chi.URLParam(r, "id"), a) })
	c.back(w, r, p, "/console/anchors", err, c.anchored)
}

func (c *console) withdrawAnchor(w http.ResponseWriter, r *http.Request, p Person) {
	err := fields(w, r)
	if err == nil {
		err = c.cfg.Desk.WithdrawAnchor(r.Context(), p, chi.URLParam(r, "id"), oneLine(r.PostForm.Get("reason")))
	}
	c.back(w, r, p, "/console/anchors", err, c.anchored)
}
