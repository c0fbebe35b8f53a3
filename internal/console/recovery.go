package console

import (
	"context"
	"net/http"
	"strings"

	"github.com/go-chi/chi/v5"

	"github.com/yinxin-gov/yinxin/ca/kmc"
	"github.com/yinxin-gov/yinxin/internal/text"
	"github.com/yinxin-gov/yinxin/signer"
)

// PageRecovery is where keys are asked for again (密钥恢复).
const PageRecovery = "recovery"

// Recoveries are requests for escrowed encryption keys: of the own unit, and of
// all for the officers of the house and its auditors.
type Recoveries interface {
	Recovering(ctx context.Context, p Person) (RecoveryList, error)
	// AskRecovery records a request: of an owner, or a judicial one.
	AskRecovery(ctx context.Context, p Person, f RecoveryForm) error
	// AnswerRecovery signs the person's answer: the registration officer's check, or
	// one of the key management officers' approvals.
	AnswerRecovery(ctx context.Context, p Person, id string, a Answer) error
	// TakeRecovered hands the envelope of a judicial recovery to who asked, once.
	TakeRecovered(ctx context.Context, p Person, id string) (Paper, error)
}

// RecoveryForm is what is asked for. Without Document it is an owner's request.
type RecoveryForm struct {
	Key       string // issuer and serial of the encryption certificate, a colon between
	Receiver  string // serial of the system's new signing certificate, or a PEM certificate
	Judicial  bool
	Document  string
	Authority string
	ScanSM3   string
	Reason    string
}

// RecoveryList is what the page shows.
type RecoveryList struct {
	Requests    []RecoveryLine
	Keys        []KeyLine // encryption certificates of the own unit's systems
	MayAsk      bool      // as the owner
	MayAskLegal bool
}

// KeyLine is a system's certificate to choose.
type KeyLine struct {
	System    string
	Key       string // of an encryption certificate: issuer:serial
	Encrypts  bool   // else it is a signing certificate, good now
	Serial    string
	NotBefore string
}

// RecoveryLine is one request.
type RecoveryLine struct {
	kmc.Recovery
	By        string // name
	To        string // subject and serial of the receiver
	Sum       string // what is signed
	Signed    int    // persons who approved so far
	Broken    bool   // a signature on record does not verify
	MayAnswer bool
	MayTake   bool
}

func (c *console) mountRecovery(r chi.Router) {
	r.Get("/console/recovery", c.opened(PageRecovery, first(c.recovering)))
	r.Post("/console/recovery", c.opened(PageRecovery, c.askRecovery))
	r.Post("/console/recovery/judicial", c.opened(PageRecovery, c.askJudicial))
	r.Post("/console/recovery/{id}/answer", c.opened(PageRecovery, c.answerRecovery))
	r.Post("/console/recovery/{id}/envelope", c.opened(PageRecovery, c.download(c.cfg.Desk.TakeRecovered)))
}

func (c *console) recovering(w http.ResponseWriter, r *http.Request, p Person, cause error) {
	listed(c, w, r, p, PageRecovery, c.cfg.Desk.Recovering, cause)
}

func (c *console) askRecovery(w http.ResponseWriter, r *http.Request, p Person) {
	err := fields(w, r)
	if err == nil {
		f := RecoveryForm{Key: r.PostForm.Get("key"), Receiver: r.PostForm.Get("receiver"), Reason: oneLine(r.PostForm.Get("reason"))}
		if err = f.check(); err == nil {
			err = c.cfg.Desk.AskRecovery(r.Context(), p, f)
		}
	}
	c.back(w, r, p, "/console/recovery", err, c.recovering)
}

// askJudicial reads the scanned document for its SM3; the document itself is not
// kept.
func (c *console) askJudicial(w http.ResponseWriter, r *http.Request, p Person) {
	err := func() error {
		release, err := c.limited(r.Context())
		if err != nil {
			return err
		}
		defer release()
		form, err := upload(w, r, maxUpload, 1, "scan")
		if err != nil {
			return err
		}
		if len(form.file("scan").Bytes) == 0 {
			return errNoFile
		}
		f := RecoveryForm{
			Key: strings.TrimSpace(form.Get("key")), Receiver: form.Get("receiver"), Judicial: true, Document: oneLine(form.Get("document")),
			Authority: oneLine(form.Get("authority")), Reason: oneLine(form.Get("reason")), ScanSM3: signer.Digest(form.file("scan").Bytes),
		}
		if err := f.check(); err != nil {
			return err
		}
		return c.cfg.Desk.AskRecovery(r.Context(), p, f)
	}()
	c.back(w, r, p, "/console/recovery", err, c.recovering)
}

// check refuses text that would read otherwise than it is signed.
func (f RecoveryForm) check() error {
	for _, s := range []string{f.Reason, f.Document, f.Authority, f.Key} {
		if text.Plain(s) != s {
			return ErrForm
		}
	}
	if f.Reason == "" || f.Key == "" || f.Receiver == "" || f.Judicial && (f.Document == "" || f.Authority == "") {
		return ErrForm
	}
	return nil
}

func (c *console) answerRecovery(w http.ResponseWriter, r *http.Request, p Person) {
	err := answer(w, r, func(a Answer) error { return c.cfg.Desk.AnswerRecovery(r.Context(), p, chi.URLParam(r, "id"), a) })
	c.back(w, r, p, "/console/recovery", err, c.recovering)
}
