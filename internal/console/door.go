package console

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"time"
)

// cookieName: __Host- binds the cookie to this origin, path / and Secure.
const cookieName = "__Host-yinxin"

// personCookie remembers whose browser it is, so that the next visit asks for
// the PIN only. It is no secret and opens nothing.
const (
	personCookie = "__Host-yinxin-person"
	personTime   = 365 * 24 * time.Hour
)

// Outcomes of the door. Any other error is a failure of the house.
var (
	// ErrDoor: the link or session is not (any more) good.
	ErrDoor = errors.New("console: not let in")
	// ErrNeedPIN: the link is for a first visit; a PIN must be set with it.
	ErrNeedPIN = errors.New("console: a PIN must be set")
	// ErrPIN: the PIN is too short or too simple.
	ErrPIN = errors.New("console: PIN refused")
)

// Person is who sits before the page.
type Person struct {
	ID    string
	Name  string
	Unit  string
	Roles []string // Chinese names of the posts held
	// Auditor: holds a post that may read the ledger.
	Auditor bool
	Pages   []string // of the desk that the posts open: PageUses …
}

// Door lets persons in.
type Door interface {
	// Enter spends a link's secret; pin is empty unless ErrNeedPIN asked for it.
	// It returns the value of the session cookie and its end.
	Enter(ctx context.Context, secret, pin string) (cookie string, until time.Time, err error)
	// Return lets in a person who has a PIN.
	Return(ctx context.Context, person, pin string) (cookie string, until time.Time, err error)
	// Who returns the person of a session, or ErrDoor.
	Who(ctx context.Context, cookie string) (Person, error)
	// Leave ends a session.
	Leave(ctx context.Context, cookie string) error
}

// maxDoorForm bounds the form of the door.
const maxDoorForm = 8 << 10

// person returns who is signed in, or nil: also when the door fails.
func (c *console) person(r *http.Request) *Person {
	ck, err := r.Cookie(cookieName)
	if err != nil {
		return nil
	}
	p, err := c.cfg.Door.Who(r.Context(), ck.Value)
	if err != nil {
		if !errors.Is(err, ErrDoor) {
			c.cfg.Log.ErrorContext(r.Context(), "session not readable", "error", err)
		}
		return nil
	}
	return &p
}

// signedIn shows a page to a person, and the door to everybody else.
func (c *console) signedIn(page func(http.ResponseWriter, *http.Request, Person)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		p := c.person(r)
		if p == nil {
			http.Redirect(w, r, "/console/enter", http.StatusSeeOther)
			return
		}
		page(w, r, *p)
	}
}

func (c *console) status(w http.ResponseWriter, r *http.Request, p Person) {
	c.render(w, r, http.StatusOK, pageStatus, view{Person: &p})
}

func (c *console) ledger(w http.ResponseWriter, r *http.Request, p Person) {
	h, err := c.cfg.Head(r.Context(), p)
	switch {
	case errors.Is(err, ErrForbidden):
		c.fail(w, r, pageStatus, "console.forbidden", view{Person: &p}, http.StatusForbidden, err)
	case err != nil:
		c.fail(w, r, pageStatus, "problem.internal", view{Person: &p}, http.StatusInternalServerError, err)
	default:
		c.render(w, r, http.StatusOK, pageLedger, view{Person: &p, Head: h})
	}
}

func (c *console) enterForm(w http.ResponseWriter, r *http.Request) {
	c.render(w, r, http.StatusOK, pageEnter, view{Known: known(r)})
}

func known(r *http.Request) string {
	ck, err := r.Cookie(personCookie)
	if err != nil {
		return ""
	}
	return ck.Value
}

// comeBack lets in who has been here before, by number and PIN.
func (c *console) comeBack(w http.ResponseWriter, r *http.Request) {
	again := view{Known: known(r)}
	if err := fields(w, r); err != nil {
		c.fail(w, r, pageEnter, "desk.error.form", again, http.StatusBadRequest, err)
		return
	}
	again.Known = strings.TrimSpace(r.PostForm.Get("person"))
	cookie, until, err := c.cfg.Door.Return(r.Context(), again.Known, r.PostForm.Get("pin"))
	switch {
	case errors.Is(err, ErrDoor):
		c.fail(w, r, pageEnter, "desk.error.back", again, http.StatusForbidden, err)
	case err != nil:
		c.fail(w, r, pageEnter, "problem.internal", again, http.StatusInternalServerError, err)
	default:
		c.letIn(w, r, cookie, until)
	}
}

// letIn sets the cookies of a session and shows the first page.
func (c *console) letIn(w http.ResponseWriter, r *http.Request, cookie string, until time.Time) {
	setCookie(w, cookieName, cookie, until)
	if p, err := c.cfg.Door.Who(r.Context(), cookie); err == nil {
		setCookie(w, personCookie, p.ID, until.Add(personTime))
	}
	http.Redirect(w, r, "/console/", http.StatusSeeOther)
}

func (c *console) enter(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, maxDoorForm)
	if err := r.ParseForm(); err != nil {
		c.fail(w, r, pageEnter, "console.enter.refused", view{}, http.StatusBadRequest, err)
		return
	}
	// The body's fields only: a secret in the address would be in logs.
	secret, pin := r.PostForm.Get("secret"), r.PostForm.Get("pin")
	again := view{NeedPIN: true, Secret: secret}
	if pin != r.PostForm.Get("pin2") {
		c.fail(w, r, pageEnter, "console.enter.pin_differs", again, http.StatusBadRequest, ErrPIN)
		return
	}
	cookie, until, err := c.cfg.Door.Enter(r.Context(), secret, pin)
	switch {
	case errors.Is(err, ErrNeedPIN):
		c.render(w, r, http.StatusOK, pageEnter, again)
	case errors.Is(err, ErrPIN):
		c.fail(w, r, pageEnter, "console.enter.pin_weak", again, http.StatusBadRequest, err)
	case errors.Is(err, ErrDoor):
		c.fail(w, r, pageEnter, "console.enter.refused", view{}, http.StatusForbidden, err)
	case err != nil:
		c.fail(w, r, pageEnter, "problem.internal", view{}, http.StatusInternalServerError, err)
	default:
		c.letIn(w, r, cookie, until)
	}
}

func (c *console) leave(w http.ResponseWriter, r *http.Request) {
	if ck, err := r.Cookie(cookieName); err == nil {
		if err := c.cfg.Door.Leave(r.Context(), ck.Value); err != nil && !errors.Is(err, ErrDoor) {
			c.cfg.Log.ErrorContext(r.Context(), "session not ended", "error", err)
		}
	}
	setCookie(w, cookieName, "", time.Unix(1, 0))
	http.Redirect(w, r, "/console/enter", http.StatusSeeOther)
}

func setCookie(w http.ResponseWriter, name, value string, until time.Time) {
	http.SetCookie(w, &http.Cookie{
		Name: name, Value: value, Path: "/", Expires: until, Secure: true, HttpOnly: true, SameSite: http.SameSiteStrictMode,
	})
}
