package console

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"time"
)

// Pages of the desk. Person.Pages names those that a person's posts open.
const (
	PageUses         = "uses"         // 用印
	PageSeals        = "seals"        // 印章
	PageCompromise   = "compromise"   // 密钥失控
	PageCertificates = "certificates" // 证书审核
	PageSystems      = "systems"      // 系统证书
	PagePeople       = "people"       // 人员
	PageRequests     = "requests"     // 证书申请
	PageEnrolments   = "enrolments"   // 注册审核
	PageConsents     = "consents"     // 引用同意
	PageArchive      = "archive"      // 归档
	PageGrants       = "grants"       // 授权
	PageReclass      = "reclass"      // 变更定级

	pageUse    = "use"
	pageSeal   = "seal"
	pageImport = "import"

	pageConsent = "consent"
	pageGrant   = "grant"
)

// Outcomes of the desk besides those of the rooms behind it.
var (
	ErrNotKept    = errors.New("console: the document is not kept (any more)")
	ErrAnswered   = errors.New("console: it was answered already")
	ErrTooMany    = errors.New("console: too many documents of one person are kept")
	ErrRepeated   = errors.New("console: the same request is open already")
	ErrForm       = errors.New("console: a field of the form is missing or does not read")
	ErrPartly     = errors.New("console: some documents of the batch were not sealed")
	ErrDrawn      = errors.New("console: the key of this request was drawn already")
	ErrThree      = errors.New("console: one of the three administrators, and not this person's to end")
	ErrLast       = errors.New("console: the last holder of a post of the three administrators")
	errPINsDiffer = errors.New("console: the two PINs differ")
	ErrSealing    = errors.New("console: the document is being sealed")
)

// Desk is what the pages of the desk ask the house for. Every method decides
// again whether the person may; ErrForbidden, or signer.ErrNotFound where even
// the existence is nobody's business.
type Desk interface {
	Uses
	Papers
	Seals
	Imports
	Reports
	Certificates
	Enrolments
	Systems
	Clearances
	Resources
	Violations
	Applications
	ACME
	People
	Own
	Recoveries
	Anchors
	Succession
	Closings
	Retentions
	Histories
	Peers
	Consents
	Domains
	Grants
	Reclassifications
	Archives
	Notices
	Routes
}

// Answer is a person's signed answer: the PIN opens the key for this one act.
type Answer struct {
	Digest string // of what the page showed; another one by now is signer.ErrChanged
	PIN    string
	Yes    bool
	Reason string
}

// opened guards a page of the desk: by session, and by the person's posts.
func (c *console) opened(page string, show func(http.ResponseWriter, *http.Request, Person)) http.HandlerFunc {
	return c.signedIn(func(w http.ResponseWriter, r *http.Request, p Person) {
		if !slices.Contains(p.Pages, page) {
			c.fail(w, r, pageStatus, "console.forbidden", view{Person: &p}, http.StatusForbidden, ErrForbidden)
			return
		}
		show(w, r, p)
	})
}

// told is how a page of the desk says what became of a form: cause is nil, or
// why it was refused.
func (c *console) told(w http.ResponseWriter, r *http.Request, page string, p Person, body any, cause error) {
	v := view{Person: &p, Body: body}
	if cause == nil {
		c.render(w, r, http.StatusOK, page, v)
		return
	}
	key, code := refusal(cause)
	var which *PaperError
	if errors.As(cause, &which) {
		v.Which = which.Name
	}
	c.fail(w, r, page, key, v, code, cause)
}

// shower makes a page of the desk; the error is nil, or why a form was refused.
type shower func(http.ResponseWriter, *http.Request, Person, error)

// first is a page as it is opened, before any form.
func first(show shower) func(http.ResponseWriter, *http.Request, Person) {
	return func(w http.ResponseWriter, r *http.Request, p Person) { show(w, r, p, nil) }
}

// listed is a page that shows just what the house answers.
func listed[T any](c *console, w http.ResponseWriter, r *http.Request, p Person, page string, read func(context.Context, Person) (T, error), cause error) {
	list, err := read(r.Context(), p)
	if err != nil {
		c.lost(w, r, p, err)
		return
	}
	c.told(w, r, page, p, list, cause)
}

// back leads from a form to a page: by a redirect, so that a reload repeats
// nothing, or with what was wrong.
func (c *console) back(w http.ResponseWriter, r *http.Request, p Person, page string, err error, show shower) {
	if err != nil {
		show(w, r, p, err)
		return
	}
	http.Redirect(w, r, page, http.StatusSeeOther)
}

// lost answers when the page itself cannot be made: on the status page.
func (c *console) lost(w http.ResponseWriter, r *http.Request, p Person, err error) {
	key, code := refusal(err)
	c.fail(w, r, pageStatus, key, view{Person: &p}, code, err)
}

// limited holds one of the slots for work that keeps a whole document in memory.
func (c *console) limited(ctx context.Context) (release func(), err error) {
	wait := time.NewTimer(uploadWait)
	defer wait.Stop()
	select {
	case c.uploads <- struct{}{}:
		return func() { <-c.uploads }, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-wait.C:
		return nil, errBusy
	}
}
