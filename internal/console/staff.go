package console

import (
	"context"
	"net/http"
	"time"

	"github.com/go-chi/chi/v5"

	"github.com/yinxin-gov/yinxin/internal/text"
)

// Certificates are those that wait for a registration officer (证书注册审核).
type Certificates interface {
	Waiting(ctx context.Context, p Person) ([]Order, error)
	// Certify signs the answer to an order; a person's certificate is issued with
	// it, a seal's when the seal is made.
	Certify(ctx context.Context, p Person, id string, a Answer) error
}

// Order is a certificate that waits.
type Order struct {
	ID     string // of what will be issued
	Seal   bool   // of a seal; else of a person
	Name   string
	Unit   string // name
	Number string // of the seal, or id of the person
	Posts  []string
	Key    string // SM3 of the public key
	Digest string // what is signed
}

// People are the persons of the agencies and their posts.
type People interface {
	Staff(ctx context.Context, p Person, unit string) (StaffList, error) // of a unit; empty: the one that runs the house
	// Hire registers a person with a post and makes the link of the first visit,
	// which is shown once.
	Hire(ctx context.Context, p Person, f PostForm) (Hired, error)
}

// PostForm is a person to be registered.
type PostForm struct{ Name, Unit, Role, Title string }

// StaffList is who holds which post in a unit.
type StaffList struct {
	Units  []Named // all of them, by code
	Unit   Named
	People []Member
	Roles  []string // that can be given
}

// Member is a person of an agency.
type Member struct {
	Named
	Posts     []string // Chinese names
	Activated bool     // has set a PIN
	Certified bool
}

// Hired is a one-time link.
type Hired struct {
	Name    string
	URL     string
	Expires time.Time
}

func (c *console) mountCertificates(r chi.Router) {
	r.Get("/console/certificates", c.opened(PageCertificates, func(w http.ResponseWriter, q *http.Request, p Person) { c.orders(w, q, p, nil) }))
	r.Post("/console/certificates/{id}", c.opened(PageCertificates, c.certify))
}

func (c *console) orders(w http.ResponseWriter, r *http.Request, p Person, cause error) {
	list, err := c.cfg.Desk.Waiting(r.Context(), p)
	if err != nil {
		c.lost(w, r, p, err)
		return
	}
	c.told(w, r, PageCertificates, p, list, cause)
}

func (c *console) certify(w http.ResponseWriter, r *http.Request, p Person) {
	err := answer(w, r, func(a Answer) error { return c.cfg.Desk.Certify(r.Context(), p, chi.URLParam(r, "id"), a) })
	c.back(w, r, p, "/console/certificates", err, c.orders)
}

func (c *console) mountPeople(r chi.Router) {
	r.Get("/console/people", c.opened(PagePeople, func(w http.ResponseWriter, q *http.Request, p Person) { c.people(w, q, p, staffBody{}, nil) }))
	r.Post("/console/people", c.opened(PagePeople, c.hire))
}

type staffBody struct {
	StaffList
	Form  PostForm
	Hired *Hired
}

func (c *console) people(w http.ResponseWriter, r *http.Request, p Person, body staffBody, cause error) {
	unit := body.Form.Unit
	if unit == "" {
		unit = r.URL.Query().Get("unit")
	}
	list, err := c.cfg.Desk.Staff(r.Context(), p, unit)
	if err != nil {
		c.lost(w, r, p, err)
		return
	}
	body.StaffList = list
	c.told(w, r, PagePeople, p, body, cause)
}

// hire answers with the page itself, not with a redirect: the link is kept
// nowhere and shown this once.
func (c *console) hire(w http.ResponseWriter, r *http.Request, p Person) {
	if err := fields(w, r); err != nil {
		c.people(w, r, p, staffBody{}, err)
		return
	}
	f := PostForm{Name: oneLine(r.PostForm.Get("name")), Unit: r.PostForm.Get("unit"), Role: r.PostForm.Get("role"), Title: oneLine(r.PostForm.Get("title"))}
	if text.Plain(f.Name) != f.Name || text.Plain(f.Title) != f.Title {
		c.people(w, r, p, staffBody{Form: f}, ErrForm)
		return
	}
	made, err := c.cfg.Desk.Hire(r.Context(), p, f)
	if err != nil {
		c.people(w, r, p, staffBody{Form: f}, err)
		return
	}
	c.people(w, r, p, staffBody{Form: PostForm{Unit: f.Unit}, Hired: &made}, nil)
}
