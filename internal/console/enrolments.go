package console

import (
	"context"
	"net/http"
	"strings"
	"time"

	"github.com/go-chi/chi/v5"

	"github.com/yinxin-gov/yinxin/authz/grading"
	"github.com/yinxin-gov/yinxin/authz/identity"
	"github.com/yinxin-gov/yinxin/ca"
	"github.com/yinxin-gov/yinxin/ca/ra"
	"github.com/yinxin-gov/yinxin/internal/text"
	"github.com/yinxin-gov/yinxin/signer"
)

// Enrolments are the requests for certificates of systems: one page for the
// administrators of agencies (机关系统管理员), one for the officers who check and
// approve (注册审核).
type Enrolments interface {
	Enrolments(ctx context.Context, p Person) (EnrolmentList, error)
	AskEnrolment(ctx context.Context, p Person, f EnrolmentForm) error
	WithdrawEnrolment(ctx context.Context, p Person, id, reason string) error
	// DrawToken makes the enrolment token, which is shown once.
	DrawToken(ctx context.Context, p Person, id string) (DrawnToken, error)
	PlanEnrolments(ctx context.Context, p Person, file []byte) (ra.Plan, error)
	ImportEnrolments(ctx context.Context, p Person, file []byte) (ra.Imported, error)

	EnrolmentQueue(ctx context.Context, p Person) ([]EnrolmentLine, error)
	CheckEnrolment(ctx context.Context, p Person, id string, shown []ra.Shown) error
	ApproveEnrolment(ctx context.Context, p Person, id string, a Answer) error
	RefuseEnrolment(ctx context.Context, p Person, id, reason string) error
}

// EnrolmentForm asks for the certificates of one system of the own agency.
type EnrolmentForm struct {
	System, CommonName string
	Hosts              []string
	Purpose            ca.Purpose
}

// EnrolmentList is what an administrator sees: the systems of the own agency, and
// what was asked for them.
type EnrolmentList struct {
	Systems  []identity.System
	Requests []EnrolmentLine
}

// EnrolmentLine is a request with the names of its people.
type EnrolmentLine struct {
	ca.Request
	Unit, Applicant, Checker, Decider string
	Digest                            string             // what is signed
	Mine                              bool               // of the person who looks
	Standings                         []grading.Standing // for officers, of a production certificate
	MayDraw, MayCheck, MayApprove     bool
}

// DrawnToken is an enrolment token, on its way to the one who asked.
type DrawnToken struct {
	System, Token string
	Expires       time.Time
}

type enrolmentBody struct {
	EnrolmentList
	Drawn *DrawnToken
	Plan  *ra.Plan
	File  string // what was planned, to be confirmed
	Done  *ra.Imported
}

// maxScan bounds the scan of a document; it is read for its digest and not kept.
const maxScan = 16 << 20

func (c *console) mountEnrolments(r chi.Router) {
	r.Get("/console/requests", c.opened(PageRequests, func(w http.ResponseWriter, q *http.Request, p Person) { c.enrolments(w, q, p, enrolmentBody{}, nil) }))
	r.Post("/console/requests", c.opened(PageRequests, c.askEnrolment))
	r.Post("/console/requests/import", c.opened(PageRequests, c.importEnrolments))
	r.Post("/console/requests/{id}/withdraw", c.opened(PageRequests, c.withdrawEnrolment))
	r.Post("/console/requests/{id}/token", c.opened(PageRequests, c.drawToken))
	r.Get("/console/enrolments", c.opened(PageEnrolments, first(c.queue)))
	r.Post("/console/enrolments/{id}/check", c.opened(PageEnrolments, c.checkEnrolment))
	r.Post("/console/enrolments/{id}/answer", c.opened(PageEnrolments, c.answerEnrolment))
	r.Post("/console/enrolments/{id}/refuse", c.opened(PageEnrolments, c.refuseEnrolment))
}

func (c *console) enrolments(w http.ResponseWriter, r *http.Request, p Person, body enrolmentBody, cause error) {
	list, err := c.cfg.Desk.Enrolments(r.Context(), p)
	if err != nil {
		c.lost(w, r, p, err)
		return
	}
	body.EnrolmentList = list
	c.told(w, r, PageRequests, p, body, cause)
}

// asked is enrolments without more to show.
func (c *console) asked(w http.ResponseWriter, r *http.Request, p Person, cause error) {
	c.enrolments(w, r, p, enrolmentBody{}, cause)
}

func (c *console) askEnrolment(w http.ResponseWriter, r *http.Request, p Person) {
	err := fields(w, r)
	if err == nil {
		f := r.PostForm
		err = c.cfg.Desk.AskEnrolment(r.Context(), p, EnrolmentForm{
			System: f.Get("system"), CommonName: oneLine(f.Get("common_name")), Hosts: f["host"], Purpose: ca.Purpose(f.Get("purpose")),
		})
	}
	c.back(w, r, p, "/console/requests", err, c.asked)
}

func (c *console) withdrawEnrolment(w http.ResponseWriter, r *http.Request, p Person) {
	err := fields(w, r)
	if err == nil {
		err = c.cfg.Desk.WithdrawEnrolment(r.Context(), p, chi.URLParam(r, "id"), oneLine(r.PostForm.Get("reason")))
	}
	c.back(w, r, p, "/console/requests", err, c.asked)
}

// drawToken answers with the page itself, not with a redirect: the token is kept
// nowhere and shown this once.
func (c *console) drawToken(w http.ResponseWriter, r *http.Request, p Person) {
	drawn, err := c.cfg.Desk.DrawToken(r.Context(), p, chi.URLParam(r, "id"))
	if err != nil {
		c.asked(w, r, p, err)
		return
	}
	c.enrolments(w, r, p, enrolmentBody{Drawn: &drawn}, nil)
}

// importEnrolments shows what a file would do, and does it once that was confirmed:
// the page brings the text of the file back, and everything is asked again.
func (c *console) importEnrolments(w http.ResponseWriter, r *http.Request, p Person) {
	body, err := func() (enrolmentBody, error) {
		release, err := c.limited(r.Context())
		if err != nil {
			return enrolmentBody{}, err
		}
		defer release()
		form, err := upload(w, r, ra.MaxImport, 1, "file")
		if err != nil {
			return enrolmentBody{}, err
		}
		data := form.file("file").Bytes
		if len(data) == 0 {
			return enrolmentBody{}, errNoFile
		}
		if form.Get("confirm") == "yes" {
			done, err := c.cfg.Desk.ImportEnrolments(r.Context(), p, data)
			return enrolmentBody{Done: &done}, err
		}
		plan, err := c.cfg.Desk.PlanEnrolments(r.Context(), p, data)
		return enrolmentBody{Plan: &plan, File: ra.Text(data)}, err
	}()
	if err != nil {
		body = enrolmentBody{}
	}
	c.enrolments(w, r, p, body, err)
}

func (c *console) queue(w http.ResponseWriter, r *http.Request, p Person, cause error) {
	listed(c, w, r, p, PageEnrolments, c.cfg.Desk.EnrolmentQueue, cause)
}

// checkEnrolment reads the evidence form. A scan is read for its SM3.
func (c *console) checkEnrolment(w http.ResponseWriter, r *http.Request, p Person) {
	err := func() error {
		release, err := c.limited(r.Context())
		if err != nil {
			return err
		}
		defer release()
		form, err := upload(w, r, maxScan, 1, "scan")
		if err != nil {
			return err
		}
		return c.cfg.Desk.CheckEnrolment(r.Context(), p, chi.URLParam(r, "id"), evidence(form))
	}()
	c.back(w, r, p, "/console/enrolments", err, c.queue)
}

// evidence is the form as the registration authority takes it: two documents, the
// handler's, which is the applicant's own choice to show, and another one.
func evidence(f filled) []ra.Shown {
	method := func(name string) ca.EvidenceMethod { return ca.EvidenceMethod(f.Get(name)) }
	letter := ra.Shown{Kind: ca.EvidenceAuthorisation, Number: oneLine(f.Get("letter")), Method: method("letter_method"), Note: oneLine(f.Get("note"))}
	if scan := f.file("scan"); len(scan.Bytes) > 0 {
		letter.Digest = signer.Digest(scan.Bytes)
	}
	out := []ra.Shown{{Kind: ca.EvidenceUSCC, Number: strings.TrimSpace(f.Get("uscc")), Method: method("uscc_method")}, letter}
	if number := strings.TrimSpace(f.Get("handler")); number != "" {
		out = append(out, ra.Shown{Kind: ca.EvidenceHandler, Personal: number, Method: method("handler_method")})
	}
	if number := oneLine(f.Get("other")); number != "" {
		out = append(out, ra.Shown{Kind: ca.EvidenceOther, Number: number, Method: method("other_method"), Note: oneLine(f.Get("other_note"))})
	}
	return out
}

func (c *console) answerEnrolment(w http.ResponseWriter, r *http.Request, p Person) {
	err := answer(w, r, func(a Answer) error {
		return c.cfg.Desk.ApproveEnrolment(r.Context(), p, chi.URLParam(r, "id"), a)
	})
	c.back(w, r, p, "/console/enrolments", err, c.queue)
}

func (c *console) refuseEnrolment(w http.ResponseWriter, r *http.Request, p Person) {
	err := fields(w, r)
	if err == nil {
		reason := oneLine(r.PostForm.Get("reason"))
		if text.Plain(reason) != reason {
			err = ErrForm
		} else {
			err = c.cfg.Desk.RefuseEnrolment(r.Context(), p, chi.URLParam(r, "id"), reason)
		}
	}
	c.back(w, r, p, "/console/enrolments", err, c.queue)
}
