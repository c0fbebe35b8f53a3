package console

import (
	"context"
	"errors"
	"mime"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/go-chi/chi/v5"

	"github.com/yinxin-gov/yinxin/internal/text"
	"github.com/yinxin-gov/yinxin/signer"
	"github.com/yinxin-gov/yinxin/signer/report"
	"github.com/yinxin-gov/yinxin/signer/verify"
)

// Uses are requests for a seal and their answers (用印申请、用印审批).
type Uses interface {
	Uses(ctx context.Context, p Person) (UseList, error)
	// Submit keeps the document, encrypted, and records the request.
	Submit(ctx context.Context, p Person, f UseForm) (id string, err error)
	// Decide signs the answer with the person's own key.
	Decide(ctx context.Context, p Person, id string, a Answer) error
}

// Papers are the documents of requests. Each opening is on the ledger.
type Papers interface {
	// Use opens a request with its document, for its requester and for those who
	// answer it.
	Use(ctx context.Context, p Person, id string) (UseView, error)
	// Paper is the document as it was asked for; Fetch, for the requester, the
	// sealed one.
	Paper(ctx context.Context, p Person, id string) (Paper, error)
	Fetch(ctx context.Context, p Person, id string) (Paper, error)
	// PutSeal puts the approved seal on the document, by its requester.
	PutSeal(ctx context.Context, p Person, id string) error
}

// Paper is a document with the name under which it came.
type Paper struct {
	Name  string
	Bytes []byte
}

// UseForm is a request as it was filled in.
type UseForm struct {
	Seal, Title, Type, Purpose string
	Consents                   []string // ids of the providers' consents to what the document quotes
	Place                      signer.Placement
	Paper                      Paper
}

// UseLine is one request in a list.
type UseLine struct {
	signer.Use
	SealName  string
	Requester string // name
}

// UseList is what a person has asked for, what waits for the person's answer,
// and the seals that the person may ask for.
type UseList struct {
	Mine, Waiting []UseLine
	Seals         []signer.Seal
	Consents      []ConsentLine // given to the unit and in force now
	MayAsk        bool
}

// UseView is one request.
type UseView struct {
	UseLine
	Place     signer.Placement
	Digest    string // what an answer signs: signer.Use.Approves
	Paper     *Paper // as asked for, while it is kept; its SM3 is Use.Document
	Size      int
	Changed   bool           // what is kept is not what was asked about: it can only be refused
	Sealed    *verify.Report // of the sealed document, while it is kept and the requester looks
	Answer    *Answered
	MayDecide bool
	MaySeal   bool
	MayFetch  bool
}

// Answered is a signed answer, as it stands in the register.
type Answered struct {
	By     string // name
	At     time.Time
	Yes    bool
	Reason string
}

func (c *console) mountUses(r chi.Router) {
	r.Get("/console/uses", c.opened(PageUses, func(w http.ResponseWriter, q *http.Request, p Person) { c.uses(w, q, p, UseForm{}, nil) }))
	r.Post("/console/uses", c.opened(PageUses, c.askUse))
	r.Get("/console/uses/{id}", c.opened(PageUses, func(w http.ResponseWriter, q *http.Request, p Person) { c.use(w, q, p, nil) }))
	r.Post("/console/uses/{id}/answer", c.opened(PageUses, c.answerUse))
	r.Post("/console/uses/{id}/seal", c.opened(PageUses, c.putSeal))
	r.Get("/console/uses/{id}/document", c.opened(PageUses, c.download(c.cfg.Desk.Paper)))
	r.Get("/console/uses/{id}/sealed", c.opened(PageUses, c.download(c.cfg.Desk.Fetch)))
}

// usesBody is the list with the form below it, as it was filled in.
type usesBody struct {
	UseList
	Form  UseForm
	Edges []signer.Edge
}

func (c *console) uses(w http.ResponseWriter, r *http.Request, p Person, f UseForm, cause error) {
	list, err := c.cfg.Desk.Uses(r.Context(), p)
	if err != nil {
		c.lost(w, r, p, err)
		return
	}
	c.told(w, r, PageUses, p, usesBody{list, f, []signer.Edge{signer.EdgeRight, signer.EdgeLeft, signer.EdgeTop, signer.EdgeBottom}}, cause)
}

func (c *console) askUse(w http.ResponseWriter, r *http.Request, p Person) {
	release, err := c.limited(r.Context())
	if err != nil {
		c.uses(w, r, p, UseForm{}, err)
		return
	}
	defer release()
	form, err := upload(w, r, "document", maxUpload)
	if err != nil {
		c.uses(w, r, p, UseForm{}, err)
		return
	}
	f, err := useForm(form)
	id := ""
	if err == nil {
		id, err = c.cfg.Desk.Submit(r.Context(), p, f)
	}
	if err != nil {
		f.Paper = Paper{}
		c.uses(w, r, p, f, err)
		return
	}
	http.Redirect(w, r, "/console/uses/"+id, http.StatusSeeOther)
}

// maxLine bounds a title or purpose, in bytes.
const maxLine = 300

func useForm(form filled) (UseForm, error) {
	f := UseForm{
		Seal: form.Get("seal"), Title: oneLine(form.Get("title")), Type: oneLine(form.Get("type")), Purpose: oneLine(form.Get("purpose")),
		Consents: form.Values["consents"], Paper: Paper{form.name, form.data},
	}
	place := form.Get("place")
	f.Place.Keyword = oneLine(form.Get("keyword"))
	switch place {
	case "keyword":
		if f.Place.Keyword == "" {
			return f, ErrForm
		}
	case "", "page":
		f.Place.Keyword = ""
	default:
		f.Place.Keyword, f.Place.Ride = "", signer.Edge(place)
	}
	if n := form.Get("page"); n != "" && f.Place.Ride == "" {
		page, err := strconv.Atoi(n)
		if err != nil || page < 0 {
			return f, ErrForm
		}
		f.Place.Page = page
	}
	if len(form.data) == 0 {
		return f, errNoFile
	}
	for _, s := range append([]string{f.Title, f.Type, f.Purpose, f.Place.Keyword}, f.Consents...) {
		if len(s) > maxLine || text.Plain(s) != s {
			return f, ErrForm
		}
	}
	if f.Seal == "" || f.Title == "" {
		return f, ErrForm
	}
	return f, nil
}

// useBody is a request with pictures of exactly the bytes that are answered.
type useBody struct {
	UseView
	Pages []report.Picture
	Count int // of all pages
}

func (c *console) use(w http.ResponseWriter, r *http.Request, p Person, cause error) {
	release, err := c.limited(r.Context())
	if err != nil {
		c.lost(w, r, p, err)
		return
	}
	defer release()
	u, err := c.cfg.Desk.Use(r.Context(), p, chi.URLParam(r, "id"))
	if err != nil {
		c.lost(w, r, p, errors.Join(cause, err))
		return
	}
	body := useBody{UseView: u}
	if u.Paper != nil {
		judged, err := c.cfg.Verify(r.Context(), u.Paper.Bytes)
		if err == nil {
			body.Pages = report.Pictures(r.Context(), u.Paper.Bytes, judged, c.cfg.Words, text.Zh, c.cfg.Painter)
			body.Count, err = signer.PageCount(u.Paper.Bytes)
		}
		if err != nil { // the file can still be opened by itself
			c.cfg.Log.InfoContext(r.Context(), "a document without pictures", "use", u.ID, "error", err)
		}
	}
	c.told(w, r, pageUse, p, body, cause)
}

func (c *console) answerUse(w http.ResponseWriter, r *http.Request, p Person) {
	id := chi.URLParam(r, "id")
	err := answer(w, r, func(a Answer) error { return c.cfg.Desk.Decide(r.Context(), p, id, a) })
	c.back(w, r, p, "/console/uses/"+id, err, c.use)
}

func (c *console) putSeal(w http.ResponseWriter, r *http.Request, p Person) {
	id := chi.URLParam(r, "id")
	c.back(w, r, p, "/console/uses/"+id, c.cfg.Desk.PutSeal(r.Context(), p, id), c.use)
}

// back leads from a form to a page: by a redirect, so that a reload repeats
// nothing, or with what was wrong.
func (c *console) back(w http.ResponseWriter, r *http.Request, p Person, page string, err error, show func(http.ResponseWriter, *http.Request, Person, error)) {
	if err != nil {
		show(w, r, p, err)
		return
	}
	http.Redirect(w, r, page, http.StatusSeeOther)
}

// download sends a document as a file: never shown by the browser, whatever it
// holds.
func (c *console) download(open func(context.Context, Person, string) (Paper, error)) func(http.ResponseWriter, *http.Request, Person) {
	return func(w http.ResponseWriter, r *http.Request, p Person) {
		release, err := c.limited(r.Context())
		if err != nil {
			c.lost(w, r, p, err)
			return
		}
		defer release()
		doc, err := open(r.Context(), p, chi.URLParam(r, "id"))
		if err != nil {
			c.lost(w, r, p, err)
			return
		}
		c.attach(w, r, doc)
	}
}

// attach sends a file that a browser keeps and never shows.
func (c *console) attach(w http.ResponseWriter, r *http.Request, doc Paper) {
	w.Header().Set("Content-Type", "application/octet-stream")
	w.Header().Set("Content-Length", strconv.Itoa(len(doc.Bytes)))
	w.Header().Set("Content-Disposition", mime.FormatMediaType("attachment", map[string]string{"filename": fileName(doc.Name)}))
	if _, err := w.Write(doc.Bytes); err != nil {
		c.cfg.Log.DebugContext(r.Context(), "document not delivered", "error", err)
	}
}

// fileName is a name that means nothing to a file system: what an uploader
// called a file comes back to another person's disk.
func fileName(s string) string {
	if i := strings.LastIndexAny(s, `/\`); i >= 0 {
		s = s[i+1:]
	}
	s = strings.Trim(strings.Map(func(r rune) rune {
		if strings.ContainsRune(`<>:"|?*%`, r) || r == '\uFFFD' {
			return '_'
		}
		return r
	}, text.Plain(s)), ". ")
	if s == "" {
		return "document"
	}
	return s
}
