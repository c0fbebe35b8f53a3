package console

import (
	"context"
	"net/http"
	"time"

	"github.com/go-chi/chi/v5"
)

const pageMe = "me" // 我的: of everybody who is signed in

// Own is what a person sees and changes of the own.
type Own interface {
	Me(ctx context.Context, p Person) (Me, error)
	// ChangePIN puts the person's key under another PIN, with the session's cookie.
	// The person's other sessions end.
	ChangePIN(ctx context.Context, cookie, old, pin string) error
}

// Me is a person as the register has him.
type Me struct {
	Posts       []OwnPost
	Certificate *OwnCertificate // nil: none was issued yet
	HasPIN      bool
}

// OwnPost is a post that is held, or was.
type OwnPost struct {
	Role, Title string // role in Chinese
	Unit        string // name
	From, Until time.Time
	Held        bool // now
}

// OwnCertificate is the person's signing certificate.
type OwnCertificate struct {
	Subject, Issuer, Serial string
	NotBefore, NotAfter     time.Time
	SM3                     string // of the certificate
}

func (c *console) mountOwn(r chi.Router) {
	r.Get("/console/me", c.signedIn(func(w http.ResponseWriter, q *http.Request, p Person) { c.me(w, q, p, false, nil) }))
	r.Post("/console/me/pin", c.signedIn(c.changePIN))
}

type meBody struct {
	Me
	Changed bool
}

func (c *console) me(w http.ResponseWriter, r *http.Request, p Person, changed bool, cause error) {
	me, err := c.cfg.Desk.Me(r.Context(), p)
	if err != nil {
		c.lost(w, r, p, err)
		return
	}
	c.told(w, r, pageMe, p, meBody{me, changed}, cause)
}

// changePIN answers with the page itself: nothing but a browser's reload repeats
// it, and that is refused for its old PIN.
func (c *console) changePIN(w http.ResponseWriter, r *http.Request, p Person) {
	err := fields(w, r)
	if err == nil && r.PostForm.Get("pin") != r.PostForm.Get("pin2") {
		err = errPINsDiffer
	}
	if err == nil {
		var ck *http.Cookie
		if ck, err = r.Cookie(cookieName); err == nil {
			err = c.cfg.Desk.ChangePIN(r.Context(), ck.Value, r.PostForm.Get("old"), r.PostForm.Get("pin"))
		}
	}
	c.me(w, r, p, err == nil, err)
}
