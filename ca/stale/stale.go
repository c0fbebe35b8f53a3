// Package stale finds agency systems that stand unused (闲置系统): a certificate
// that nobody uses is a door that nobody watches.
//
// A system is used on a day when it calls the house with its certificate (a
// decision, a transfer, a renewal), and when a certificate is made for it or a
// hold of one is lifted, so that a resumption is not undone the next day. Of its
// use the last day is kept and nothing else. A system that is unused for Warn is
// warned, once for that standstill; unused for Hold, and warned at least Hold-Warn
// before, its certificates are held: a house that was down holds nobody without a
// warning. Resumption is ca.Service's, and waits for a second person.
//
// It refuses to hold what was used since the warning, and touches no certificate
// that is held or revoked already.
package stale

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/yinxin-gov/yinxin/authz/ledger"
	"github.com/yinxin-gov/yinxin/ca"
)

// ErrWarned: the system was warned of this standstill already, or has been used
// since.
var ErrWarned = errors.New("stale: warned already, or used since")

// Kinds are the certificates that are watched: those of systems in production. A
// test certificate opens nothing there and lives 30 days.
func Kinds() []ca.Kind { return []ca.Kind{ca.KindECDSA, ca.KindSM2Sign, ca.KindSM2Enc} }

// Standing is a system with certificates in force.
type Standing struct {
	System string
	Agency string
	// Active is the last day of use, or when its newest certificate was made or a
	// hold of it was lifted, whichever is latest.
	Active time.Time
	Warned time.Time // zero: never
}

// Store keeps the last day of use, and warnings.
type Store interface {
	// NoteUse keeps a day (midnight UTC) unless a later one is known.
	NoteUse(ctx context.Context, system string, day time.Time) error
	// InForce lists the systems that have a certificate that is good at a moment,
	// by id.
	InForce(ctx context.Context, now time.Time) ([]Standing, error)
	// Warn records a warning about a standstill since x.Active: ErrWarned when one
	// is known that is later than x.Active, or the system was used since.
	Warn(ctx context.Context, x Standing, at time.Time, ev ledger.Event) (ledger.Receipt, error)
	CertificatesOf(ctx context.Context, system string) ([]ca.Certificate, error)
}

// Holder holds certificates: *ca.Service.
type Holder interface {
	Hold(ctx context.Context, actor ledger.Actor, issuer, serial, reason string) (ca.Suspension, ledger.Receipt, error)
}

// Config of a Watch. Fields without another word are required.
type Config struct {
	Store  Store
	Holder Holder
	Actor  ledger.Actor // the house itself
	Now    func() time.Time
	NewID  func() string // UUIDv7

	Warn time.Duration // without use; 0: 90 days, in which every renewal falls
	Hold time.Duration // without use; 0: 30 days more than Warn
}

// Watch notes uses and makes its round. It is safe for concurrent use.
type Watch struct {
	cfg Config

	mu    sync.Mutex
	noted map[string]time.Time // guarded by mu: system → day that the store has
}

const day = 24 * time.Hour

// New refuses an incomplete Config, and a hold without time after the warning.
func New(c Config) (*Watch, error) {
	if c.Store == nil || c.Holder == nil || c.Actor.ID == "" || c.Now == nil || c.NewID == nil {
		return nil, errors.New("stale: needs store, holder, actor, clock and ids")
	}
	if c.Warn == 0 {
		c.Warn = 90 * day
	}
	if c.Hold == 0 {
		c.Hold = c.Warn + 30*day
	}
	if c.Warn < day || c.Hold < c.Warn+day {
		return nil, fmt.Errorf("stale: a warning after %s, a hold after %s: a day each at least", c.Warn, c.Hold)
	}
	return &Watch{cfg: c, noted: map[string]time.Time{}}, nil
}

// Note keeps that a system was used today. Of one day only the first call of a
// node writes.
func (w *Watch) Note(ctx context.Context, system string) error {
	today := w.cfg.Now().UTC().Truncate(day)
	w.mu.Lock()
	known := w.noted[system].Equal(today)
	w.noted[system] = today
	w.mu.Unlock()
	if known {
		return nil
	}
	if err := w.cfg.Store.NoteUse(ctx, system, today); err != nil {
		w.mu.Lock()
		delete(w.noted, system) // the next call tries again
		w.mu.Unlock()
		return fmt.Errorf("stale: note a use: %w", err)
	}
	return nil
}

// Round is what a round did.
type Round struct {
	Warned []Standing
	Held   []Standing
}

// Round warns and holds. A fault with one system leaves the others.
func (w *Watch) Round(ctx context.Context) (out Round, err error) {
	now := w.cfg.Now().UTC()
	all, err := w.cfg.Store.InForce(ctx, now)
	if err != nil {
		return out, fmt.Errorf("stale: systems in force: %w", err)
	}
	var failed []error
	for _, x := range all {
		idle := now.Sub(x.Active)
		switch {
		case idle < w.cfg.Warn:
		case !x.Warned.After(x.Active):
			switch _, err := w.cfg.Store.Warn(ctx, x, now.Truncate(time.Microsecond), w.warning(x, now)); {
			case err == nil:
				out.Warned = append(out.Warned, x)
			case !errors.Is(err, ErrWarned): // by another node
				failed = append(failed, fmt.Errorf("stale: warn %s: %w", x.System, err))
			}
		case idle >= w.cfg.Hold && now.Sub(x.Warned) >= w.cfg.Hold-w.cfg.Warn:
			if err := w.hold(ctx, x, idle); err != nil {
				failed = append(failed, fmt.Errorf("stale: hold %s: %w", x.System, err))
				continue
			}
			out.Held = append(out.Held, x)
		}
	}
	return out, errors.Join(failed...)
}

// hold stops every certificate of a system; half of a pair takes the other.
func (w *Watch) hold(ctx context.Context, x Standing, idle time.Duration) error {
	certs, err := w.cfg.Store.CertificatesOf(ctx, x.System)
	if err != nil {
		return err
	}
	now := w.cfg.Now()
	pairs := map[string]bool{}
	reason := fmt.Sprintf("闲置 %d 天 / unused for %[1]d days", idle/day)
	for _, c := range certs {
		if !slices.Contains(Kinds(), c.Kind) || c.State != ca.StateGood || !now.Before(c.NotAfter) || pairs[c.Pair] {
			continue
		}
		if _, _, err := w.cfg.Holder.Hold(ctx, w.cfg.Actor, c.Issuer, c.Serial, reason); err != nil && !errors.Is(err, ca.ErrState) && !errors.Is(err, ca.ErrRevoked) {
			return err
		}
		pairs[c.Pair] = c.Pair != ""
	}
	return nil
}

func (w *Watch) warning(x Standing, now time.Time) ledger.Event {
	return ledger.Event{
		ID: w.cfg.NewID(), Type: "ca.system.stale", Class: ledger.ClassCertificate, Time: now.Truncate(time.Millisecond), Actor: w.cfg.Actor,
		Object: ledger.Object{Kind: "system", ID: x.System}, Outcome: ledger.Success,
		Details: map[string]string{"agency": x.Agency, "unused_since": x.Active.UTC().Format(time.DateOnly), "days": strconv.Itoa(int(now.Sub(x.Active) / day))},
	}
}
