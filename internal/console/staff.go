package console

import (
	"context"
	"net/http"
	"net/url"
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
	// which is shown once; or gives one of the unit's people a further post.
	Hire(ctx context.Context, p Person, f PostForm) (Hired, error)
	// EndPost ends a post that the person holds, at once.
	EndPost(ctx context.Context, p Person, person, post string) error
	// PersonLeft ends everything of a person who has left: posts, sessions,
	// certificate, key, open requests.
	PersonLeft(ctx context.Context, p Person, person string) error
}

// PostForm is a person to be registered.
type PostForm struct{ Name, Unit, Role, Title string }

// StaffList is who holds which post in a unit.
type StaffList struct {
	Units  []Named // all of them, by code
	Unit   Named
	People []Member
	Roles  []string // that can be given
	Lacks  []Lack   // of all units, for whoever fills these posts
}

// Lack is a post that every unit fills, and who has not.
type Lack struct {
	Role  string // in Chinese
	Units []Named
}

// Member is a person of an agency.
type Member struct {
	Named
	Terms     []Term // that are held now
	Activated bool   // has set a PIN
	Certified bool
	Left      time.Time // zero: is there
	Self      bool      // who looks at the page
}

// Term is a post that is held.
type Term struct {
	ID, Role string // role in Chinese
	Ends     bool   // by whoever fills it
}

// Hired is a one-time link; without URL somebody who has been here took on a post.
type Hired struct {
	Name    string
	URL     string
	Expires time.Time
}

func (c *console) mountCertificates(r chi.Router) {
	r.Get("/console/certificates", c.opened(PageCertificates, first(c.orders)))
	r.Post("/console/certificates/{id}", c.opened(PageCertificates, c.certify))
}

func (c *console) orders(w http.ResponseWriter, r *http.Request, p Person, cause error) {
	listed(c, w, r, p, PageCertificates, c.cfg.Desk.Waiting, cause)
}

func (c *console) certify(w http.ResponseWriter, r *http.Request, p Person) {
	err := answer(w, r, func(a Answer) error { return c.cfg.Desk.Certify(r.Context(), p, chi.URLParam(r, "id"), a) })
	c.back(w, r, p, "/console/certificates", err, c.orders)
}

func (c *console) mountPeople(r chi.Router) {
	r.Get("/console/people", c.opened(PagePeople, func(w http.ResponseWriter, q *http.Request, p Person) { c.people(w, q, p, staffBody{}, nil) }))
	r.Post("/console/people", c.opened(PagePeople, c.hire))
	r.Post("/console/people/{person}/posts/{post}/end", c.opened(PagePeople, func(w http.ResponseWriter, q *http.Request, p Person) {
		c.ended(w, q, p, func() error {
			return c.cfg.Desk.EndPost(q.Context(), p, chi.URLParam(q, "person"), chi.URLParam(q, "post"))
		})
	}))
	r.Post("/console/people/{person}/left", c.opened(PagePeople, func(w http.ResponseWriter, q *http.Request, p Person) {
		c.ended(w, q, p, func() error {
			if q.PostForm.Get("sure") != "yes" {
				return ErrForm
			}
			return c.cfg.Desk.PersonLeft(q.Context(), p, chi.URLParam(q, "person"))
		})
	}))
}

// ended does what a form of the list asks for and goes back to the unit.
func (c *console) ended(w http.ResponseWriter, r *http.Request, p Person, do func() error) {
	err := fields(w, r)
	unit := r.PostForm.Get("unit")
	if err == nil {
		err = do()
	}
	c.back(w, r, p, "/console/people?"+url.Values{"unit": {unit}}.Encode(), err, func(w http.ResponseWriter, r *http.Request, p Person, cause error) {
		c.people(w, r, p, staffBody{Form: PostForm{Unit: unit}}, cause)
	})
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
