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
	"github.com/yinxin-gov/yinxin/signer/ofd"
	"github.com/yinxin-gov/yinxin/signer/report"
	"github.com/yinxin-gov/yinxin/signer/verify"
)

// Uses are requests for a seal and their answers (用印申请、用印审批).
type Uses interface {
	Uses(ctx context.Context, p Person) (UseList, error)
	// Submit keeps the documents, encrypted, and records the request: several are a
	// batch under one answer.
	Submit(ctx context.Context, p Person, f UseForm) (id string, err error)
	// Decide signs the answer with the person's own key.
	Decide(ctx context.Context, p Person, id string, a Answer) error
}

// Papers are the documents of requests. Each opening is on the ledger.
type Papers interface {
	// Use opens a request with its document, for its requester and for those who
	// answer it; of a batch a part of the list, from this document on.
	Use(ctx context.Context, p Person, id string, from int) (UseView, error)
	// Paper is the document as it was asked for; Fetch, for the requester, the
	// sealed one. Of a batch the one is its list, the other a ZIP file.
	Paper(ctx context.Context, p Person, id string) (Paper, error)
	Fetch(ctx context.Context, p Person, id string) (Paper, error)
	// PutSeal puts the approved seal on the document or on those of a batch that are
	// not sealed yet, by its requester. It takes up what was interrupted.
	PutSeal(ctx context.Context, p Person, id string) error
}

// Paper is a document with the name under which it came.
type Paper struct {
	Name  string
	Bytes []byte
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
	Spots     []ofd.Place // where that is on the pages of the document that is shown
	Digest    string      // what an answer signs: signer.Use.Approves
	Paper     *Paper      // as asked for, while it is kept; its SM3 is Use.Document
	Size      int
	Changed   bool           // what is kept is not what was asked about: it can only be refused
	Sealed    *verify.Report // of the sealed document, while it is kept and the requester looks
	Answer    *Answered
	MayDecide bool
	MaySeal   bool
	MayFetch  bool
	Items     []UseItem // of a batch, those that are shown
	From      int       // number of the first of them, from 0
	Total     int       // documents of the batch; 0: it is none
	Done      int       // of them sealed
}

// UseItem is a document of a batch.
type UseItem struct {
	signer.Item
	Paper *Paper // while it is kept as it was asked for
	Spots []ofd.Place
	Why   string // key of the text why it was not sealed when that was last tried
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
	r.Get("/console/uses/{id}", c.opened(PageUses, first(c.use)))
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
	form, err := upload(w, r, maxUpload, signer.MaxBatch, "document")
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
		f.Papers = nil
		c.uses(w, r, p, f, err)
		return
	}
	http.Redirect(w, r, "/console/uses/"+id, http.StatusSeeOther)
}

// useBody is a request with pictures of exactly the bytes that are answered.
type useBody struct {
	UseView
	Pages  []report.Picture
	Count  int                       // of all pages
	Covers map[string]report.Picture // of the items that are shown, by id
	Next   int                       // where the list goes on; 0: it ends here
	Back   int                       // where the part before starts
}

func (c *console) use(w http.ResponseWriter, r *http.Request, p Person, cause error) {
	release, err := c.limited(r.Context())
	if err != nil {
		c.lost(w, r, p, err)
		return
	}
	defer release()
	from, err := strconv.Atoi(r.URL.Query().Get("from"))
	if err != nil || from < 0 {
		from = 0
	}
	u, err := c.cfg.Desk.Use(r.Context(), p, chi.URLParam(r, "id"), from)
	if err != nil {
		c.lost(w, r, p, errors.Join(cause, err))
		return
	}
	body := useBody{UseView: u, Covers: map[string]report.Picture{}, Back: max(0, u.From-len(u.Items))}
	if u.Paper != nil {
		body.Pages, body.Count = c.drawn(r.Context(), u.ID, u.Paper, report.Pictures)
	}
	for _, it := range u.Items {
		if it.Paper == nil {
			continue
		}
		if cover, _ := c.drawn(r.Context(), it.ID, it.Paper, report.Cover); len(cover) > 0 {
			body.Covers[it.ID] = cover[0]
		}
	}
	if end := u.From + len(u.Items); end < u.Total {
		body.Next = end
	}
	c.told(w, r, pageUse, p, body, cause)
}

// drawn are pictures of a document and the number of its pages; none for one that
// cannot be drawn, which can still be opened by itself.
func (c *console) drawn(ctx context.Context, use string, doc *Paper, draw func(context.Context, []byte, verify.Report, *text.Catalogue, text.Lang, signer.Painter) []report.Picture) ([]report.Picture, int) {
	judged, err := c.cfg.Verify(ctx, doc.Bytes)
	if err == nil {
		var n int
		if n, err = signer.PageCount(doc.Bytes); err == nil {
			return draw(ctx, doc.Bytes, judged, c.cfg.Words, text.Zh, c.cfg.Painter), n
		}
	}
	c.cfg.Log.InfoContext(ctx, "a document without pictures", "use", use, "error", err)
	return nil, 0
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
