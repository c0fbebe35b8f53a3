package console

import (
	"context"
	"net/http"
	"strconv"
	"time"

	"github.com/go-chi/chi/v5"

	"github.com/yinxin-gov/yinxin/ca/authority"
	"github.com/yinxin-gov/yinxin/internal/text"
)

// PageSuccession is the register of the house's own authorities (认证机构更替).
const PageSuccession = "succession"

// Succession is the change from one generation of authorities to the next.
type Succession interface {
	Succession(ctx context.Context, p Person) (SuccessionList, error)
	// PrepareSuccession takes what a ceremony made as roots, where the house's own
	// are offline and the order is for new ones; nil otherwise.
	PrepareSuccession(ctx context.Context, p Person, o authority.Order, roots []byte) error
	// AnswerSuccession signs a registration officer's answer to a generation.
	AnswerSuccession(ctx context.Context, p Person, number int, a Answer) error
	WithdrawSuccession(ctx context.Context, p Person, number int, reason string) error
}

// SuccessionList is what the page shows, newest first.
type SuccessionList struct {
	Generations []GenerationLine
	MayWrite    bool // prepare: no change is under way
	Offline     bool // the roots are: new ones are brought from a ceremony
}

// GenerationLine is one generation.
type GenerationLine struct {
	authority.Generation
	Certificates []CertificateOfAuthority
	By, Ender    string // names
	Sum          string // what is signed
	MayAnswer    bool
	MayEnd       bool
}

// CertificateOfAuthority is one certificate of a generation.
type CertificateOfAuthority struct {
	Kind, Subject, Issuer string
	SM3                   string // of the certificate; empty until it is signed
	From, Until           time.Time
}

func (c *console) mountSuccession(r chi.Router) {
	r.Get("/console/succession", c.opened(PageSuccession, first(c.succession)))
	r.Post("/console/succession", c.opened(PageSuccession, c.prepareSuccession))
	r.Post("/console/succession/{number}/answer", c.opened(PageSuccession, c.answerSuccession))
	r.Post("/console/succession/{number}/withdraw", c.opened(PageSuccession, c.withdrawSuccession))
}

func (c *console) succession(w http.ResponseWriter, r *http.Request, p Person, cause error) {
	listed(c, w, r, p, PageSuccession, c.cfg.Desk.Succession, cause)
}

func (c *console) prepareSuccession(w http.ResponseWriter, r *http.Request, p Person) {
	f, err := upload(w, r, maxRoots, 1, "made")
	if err == nil {
		o := authority.Order{Reason: oneLine(f.Get("reason")), NewRoots: f.Get("roots") == "yes"}
		if o.SwitchAt, err = moments("2006-01-02T15:04", f.Get("switch_at")); err == nil {
			if o.Reason == "" || text.Plain(o.Reason) != o.Reason {
				err = ErrForm
			} else {
				err = c.cfg.Desk.PrepareSuccession(r.Context(), p, o, f.file("made").Bytes)
			}
		}
	}
	c.back(w, r, p, "/console/succession", err, c.succession)
}

// maxRoots bounds what a ceremony made as roots: two certificates and a record.
const maxRoots = 1 << 20

// generation is the one that a path names.
func generation(r *http.Request) (int, error) {
	n, err := strconv.Atoi(chi.URLParam(r, "number"))
	if err != nil {
		return 0, authority.ErrNotFound
	}
	return n, nil
}

func (c *console) answerSuccession(w http.ResponseWriter, r *http.Request, p Person) {
	n, err := generation(r)
	if err == nil {
		err = answer(w, r, func(a Answer) error { return c.cfg.Desk.AnswerSuccession(r.Context(), p, n, a) })
	}
	c.back(w, r, p, "/console/succession", err, c.succession)
}

func (c *console) withdrawSuccession(w http.ResponseWriter, r *http.Request, p Person) {
	n, err := generation(r)
	if err == nil {
		err = fields(w, r)
	}
	if err == nil {
		err = c.cfg.Desk.WithdrawSuccession(r.Context(), p, n, oneLine(r.PostForm.Get("reason")))
	}
	c.back(w, r, p, "/console/succession", err, c.succession)
}
