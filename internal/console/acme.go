package console

import (
	"context"
	"net/http"
	"time"

	"github.com/go-chi/chi/v5"

	"github.com/yinxin-gov/yinxin/ca/acmestore"
	"github.com/yinxin-gov/yinxin/internal/api/wire"
)

// PageACME is where an agency's administrator serves ACME clients (自动签发).
const PageACME = "acme"

// ACME serves the clients of the own agency's systems: the key that binds an
// account (RFC 8555 7.3.4), and the TXT records of dns-01 (8.4), which stand in
// the house's register and nowhere else.
type ACME interface {
	ACME(ctx context.Context, p Person) (ACMEList, error)
	// DrawACMEKey makes the key of an approved request, once, for who asked.
	DrawACMEKey(ctx context.Context, p Person, request string) (wire.ACMEKeyAnswer, error)
	DropText(ctx context.Context, p Person, t acmestore.Text) error
}

// ACMEList is what the page shows.
type ACMEList struct {
	Requests []ACMERequest
	Texts    []acmestore.Text
}

// ACMERequest is an approved request that a key can be drawn on.
type ACMERequest struct {
	ID, System string
	Hosts      []string
	Until      time.Time
}

type acmeBody struct {
	ACMEList
	Drawn *wire.ACMEKeyAnswer
}

func (c *console) mountACME(r chi.Router) {
	r.Get("/console/acme", c.opened(PageACME, func(w http.ResponseWriter, q *http.Request, p Person) { c.acme(w, q, p, nil, nil) }))
	r.Post("/console/acme/{id}/key", c.opened(PageACME, c.drawACMEKey))
	r.Post("/console/acme/texts/delete", c.opened(PageACME, c.dropText))
}

func (c *console) acme(w http.ResponseWriter, r *http.Request, p Person, drawn *wire.ACMEKeyAnswer, cause error) {
	list, err := c.cfg.Desk.ACME(r.Context(), p)
	if err != nil {
		c.lost(w, r, p, err)
		return
	}
	c.told(w, r, PageACME, p, acmeBody{list, drawn}, cause)
}

// drawACMEKey answers with the page itself, not with a redirect: the key is kept
// wrapped, and shown this once.
func (c *console) drawACMEKey(w http.ResponseWriter, r *http.Request, p Person) {
	drawn, err := c.cfg.Desk.DrawACMEKey(r.Context(), p, chi.URLParam(r, "id"))
	if err != nil {
		c.acme(w, r, p, nil, err)
		return
	}
	c.acme(w, r, p, &drawn, nil)
}

func (c *console) dropText(w http.ResponseWriter, r *http.Request, p Person) {
	err := fields(w, r)
	if err == nil {
		g := r.PostForm.Get
		err = c.cfg.Desk.DropText(r.Context(), p, acmestore.Text{System: g("system"), Name: g("name"), Value: g("value")})
	}
	c.back(w, r, p, "/console/acme", err, func(w http.ResponseWriter, r *http.Request, p Person, cause error) { c.acme(w, r, p, nil, cause) })
}
