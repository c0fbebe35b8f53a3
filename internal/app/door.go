package app

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/yinxin-gov/yinxin/authz/identity"
	"github.com/yinxin-gov/yinxin/authz/ledger"
	"github.com/yinxin-gov/yinxin/ca"
	"github.com/yinxin-gov/yinxin/internal/console"
	"github.com/yinxin-gov/yinxin/internal/keys"
	"github.com/yinxin-gov/yinxin/internal/signin"
)

// keyring gives the door the persons' keys in custody.
type keyring struct{ h *House }

func (k keyring) CheckPIN(pin string) error {
	if err := keys.CheckPIN(pin); err != nil {
		return fmt.Errorf("%w: %w", signin.ErrWeakPIN, err)
	}
	return nil
}

func (k keyring) CreateKey(ctx context.Context, person, pin string) error {
	return k.h.MakePersonKey(ctx, person, pin)
}

func (k keyring) ChangeKey(ctx context.Context, person, old, pin string) error {
	err := k.h.custody.people.ChangePIN(ctx, personKey(person), old, pin)
	switch {
	case errors.Is(err, keys.ErrPassphrase), errors.Is(err, keys.ErrNotFound):
		return signin.ErrPIN
	case errors.Is(err, keys.ErrWeak):
		return fmt.Errorf("%w: %w", signin.ErrWeakPIN, err)
	}
	return err
}

func (k keyring) OpenKey(ctx context.Context, person, pin string) (signin.PersonKey, error) {
	key, err := k.h.custody.people.Open(ctx, personKey(person), pin)
	if errors.Is(err, keys.ErrPassphrase) || errors.Is(err, keys.ErrNotFound) {
		return nil, signin.ErrPIN
	}
	return key, err
}

// link makes a one-time link for the console. The secret stands in the
// fragment, which browsers do not send.
func (h *House) link(ctx context.Context, actor ledger.Actor, p identity.Person, role identity.Role, purpose string, life time.Duration) (Link, error) {
	secret, _, err := h.Signin.NewLink(ctx, p.ID, purpose, life, actor)
	if err != nil {
		return Link{}, err
	}
	return Link{
		Person: p.ID, Role: role, Name: p.Name, URL: "https://" + h.cfg.Public + "/console/enter#" + secret,
		Expires: h.cfg.Now().UTC().Add(life),
	}, nil
}

// ConsoleLink lets a person look at the console once, without a PIN: for the
// sample persons of the demo, whose house says so on every page.
func (h *House) ConsoleLink(ctx context.Context, person string) (string, error) {
	if !h.cfg.Sample {
		return "", fmt.Errorf("%w: links without a PIN are for sample data", ErrConfig)
	}
	p, err := h.rooms.Identity.Person(ctx, person)
	if err != nil {
		return "", err
	}
	l, err := h.link(ctx, h.service(), p, "", signin.PurposeConsole, linkLife)
	return l.URL, err
}

// door lets persons into the console.
type door struct{ h *House }

var _ console.Door = door{}

// Enter spends a link. An activation link needs a PIN first, makes the person's
// key and certificate, and signs in.
func (d door) Enter(ctx context.Context, secret, pin string) (string, time.Time, error) {
	purpose, err := d.h.Signin.Purpose(ctx, secret)
	if err != nil {
		return "", time.Time{}, doorError(err)
	}
	var cookie string
	var s signin.Session
	switch {
	case purpose == signin.PurposeConsole:
		cookie, s, err = d.h.Signin.LoginLink(ctx, secret)
	case pin == "":
		return "", time.Time{}, console.ErrNeedPIN
	default:
		cookie, s, err = d.activate(ctx, secret, pin)
	}
	if err != nil {
		return "", time.Time{}, doorError(err)
	}
	return cookie, s.Expires, nil
}

// Return implements console.Door: the PIN opens the person's own key, and tries
// are counted as everywhere else.
func (d door) Return(ctx context.Context, person, pin string) (string, time.Time, error) {
	cookie, s, err := d.h.Signin.Login(ctx, person, pin)
	if err != nil {
		return "", time.Time{}, doorError(err)
	}
	return cookie, s.Expires, nil
}

// doorError tells a visitor's mistake from a fault of the house, which stays as
// it is and reaches the log.
func doorError(err error) error {
	if errors.Is(err, signin.ErrWeakPIN) {
		return fmt.Errorf("%w: %w", console.ErrPIN, err)
	}
	for _, mistake := range []error{signin.ErrLink, signin.ErrSession, signin.ErrPIN, signin.ErrLocked, signin.ErrInvalid} {
		if errors.Is(err, mistake) {
			return fmt.Errorf("%w: %w", console.ErrDoor, err)
		}
	}
	return err
}

// activate gives a person key and session. The certificate comes at once while
// the house is being founded; later an RA officer approves it first.
func (d door) activate(ctx context.Context, secret, pin string) (string, signin.Session, error) {
	p, err := d.h.Signin.Activate(ctx, secret, pin)
	if err != nil {
		return "", signin.Session{}, err
	}
	_, err = d.h.CertifyPerson(ctx, d.h.PersonActor(p.ID, p.Agency), p.ID)
	if err != nil && !errors.Is(err, ca.ErrNotApproved) {
		return "", signin.Session{}, err
	}
	return d.h.Signin.Login(ctx, p.ID, pin)
}

func (d door) Who(ctx context.Context, cookie string) (console.Person, error) {
	_, p, err := d.h.Signin.Session(ctx, cookie)
	if err != nil {
		return console.Person{}, doorError(err)
	}
	out := console.Person{ID: p.ID, Name: p.Name, Unit: string(p.Agency)}
	posts, err := d.h.rooms.Identity.PostsOf(ctx, p.ID)
	if err != nil {
		return console.Person{}, err
	}
	now := d.h.cfg.Now()
	posts = slices.DeleteFunc(posts, func(post identity.Post) bool { return !post.HeldAt(now) })
	for _, post := range posts {
		out.Roles = append(out.Roles, d.h.words.Get("role."+string(post.Role)).Zh)
		out.Auditor = out.Auditor || post.Role == identity.RoleAuditor && string(post.Agency) == d.h.cfg.USCC || post.Role == identity.RoleSupervision
	}
	out.Pages = d.h.Desk.Pages(p, posts)
	return out, nil
}

func (d door) Leave(ctx context.Context, cookie string) error {
	_, err := d.h.Signin.Logout(ctx, cookie)
	if err != nil {
		return doorError(err)
	}
	return nil
}
