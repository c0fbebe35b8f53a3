package ca

import (
	"context"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/yinxin-gov/yinxin/authz/ledger"
)

// Suspension is one hold (挂起, GM/T 0034 12.6) of a certificate, or of a pair,
// and what was asked and answered about it. Its texts stay here: a ledger takes
// none that may name a person.
type Suspension struct {
	ID      string          `json:"id"`
	Issuer  string          `json:"issuer"`
	Serial  string          `json:"serial"` // of the certificate that was named
	Pair    string          `json:"pair,omitempty"`
	System  string          `json:"system,omitempty"`
	State   SuspensionState `json:"state"`
	HeldBy  string          `json:"held_by"`
	Reason  string          `json:"reason"`
	HeldAt  time.Time       `json:"held_at"`
	Asks    int             `json:"asks"` // how often resumption was asked for
	AskedBy string          `json:"asked_by,omitempty"`
	Why     string          `json:"why,omitempty"` // of the newest asking
	// Answer to the newest asking: who, by which approval, and why not.
	AnsweredBy string    `json:"answered_by,omitempty"`
	Approval   string    `json:"approval,omitempty"`
	Refusal    string    `json:"refusal,omitempty"`
	AnsweredAt time.Time `json:"answered_at,omitzero"`
}

// SuspensionState of a hold: held ⇄ asked → lifted. One whose certificate is
// revoked stays as it is.
type SuspensionState string

// States.
const (
	SuspensionHeld   SuspensionState = "held"
	SuspensionAsked  SuspensionState = "asked"
	SuspensionLifted SuspensionState = "lifted"
)

// Question is what the answer to the newest asking is an answer to: each asking
// is another subject, so that a refusal does not bind the next.
func (x Suspension) Question() string { return fmt.Sprintf("%s/%d", x.ID, x.Asks) }

// ResumptionDigest is what the second person signs to lift a hold.
func ResumptionDigest(x Suspension) string {
	return digest("yinxin ca resumption v1", struct {
		Question, Issuer, Serial, Pair, System, Reason, AskedBy, Why string
	}{x.Question(), x.Issuer, x.Serial, x.Pair, x.System, x.Reason, x.AskedBy, x.Why})
}

// Suspensions is the store of holds. Certificates and the row move in one
// transaction with the event; half of a pair takes the other half with it.
type Suspensions interface {
	// AddSuspension moves good → hold; ErrState or ErrRevoked otherwise.
	AddSuspension(ctx context.Context, x Suspension, ev ledger.Event) (ledger.Receipt, error)
	// MoveSuspension stores x when the row is still in state from with as many
	// askings, else ErrDecided; to lifted it moves hold → good, ErrRevoked when
	// the certificate has been revoked since.
	MoveSuspension(ctx context.Context, x Suspension, from SuspensionState, asks int, ev ledger.Event) (ledger.Receipt, error)
	Suspension(ctx context.Context, id string) (Suspension, error)
	// SuspensionsOf lists those of a system, all of them; "": those that wait for
	// an answer. Oldest first.
	SuspensionsOf(ctx context.Context, system string) ([]Suspension, error)
}

// maxReason bounds a text that a person gives for an act, in characters.
const maxReason = 300

func reasoned(text string) error {
	if strings.TrimSpace(text) == "" || utf8.RuneCountInString(text) > maxReason {
		return fmt.Errorf("%w: a reason of at most %d characters", ErrInvalid, maxReason)
	}
	return nil
}

// Hold suspends at once, a pair as a whole, until Resume or Revoke.
func (s *Service) Hold(ctx context.Context, actor ledger.Actor, issuer, serial, reason string) (Suspension, ledger.Receipt, error) {
	if s.cfg.Suspensions == nil || actor.ID == "" {
		return Suspension{}, ledger.Receipt{}, fmt.Errorf("%w: who holds, and where it is kept", ErrInvalid)
	}
	if err := reasoned(reason); err != nil {
		return Suspension{}, ledger.Receipt{}, err
	}
	named, err := s.Status(ctx, issuer, serial)
	if err != nil {
		return Suspension{}, ledger.Receipt{}, err
	}
	x := Suspension{
		ID: s.cfg.NewID(), Issuer: issuer, Serial: serial, Pair: named.Pair, System: named.System, State: SuspensionHeld,
		HeldBy: actor.ID, Reason: reason, HeldAt: s.cfg.Now().UTC().Truncate(time.Microsecond),
	}
	ev, err := s.stateEvent(ctx, "ca.certificate.held", actor, named, reasonHold)
	if err != nil {
		return Suspension{}, ledger.Receipt{}, err
	}
	ev.Details["suspension"] = x.ID
	receipt, err := s.cfg.Suspensions.AddSuspension(ctx, x, ev)
	if err != nil {
		return Suspension{}, ledger.Receipt{}, fmt.Errorf("ca: hold: %w", err)
	}
	return x, receipt, nil
}

// AskResume asks that a hold be lifted. It loosens, so that it waits for the
// signature of a second person over ResumptionDigest (design law 8).
func (s *Service) AskResume(ctx context.Context, actor ledger.Actor, id, why string) (Suspension, ledger.Receipt, error) {
	if err := reasoned(why); err != nil {
		return Suspension{}, ledger.Receipt{}, err
	}
	x, err := s.suspended(ctx, actor, id, SuspensionHeld)
	if err != nil {
		return Suspension{}, ledger.Receipt{}, err
	}
	was := x.Asks
	x.State, x.Asks, x.AskedBy, x.Why = SuspensionAsked, was+1, actor.ID, why
	x.AnsweredBy, x.Approval, x.Refusal, x.AnsweredAt = "", "", "", time.Time{}
	ev := s.suspensionEvent("ca.resumption.asked", actor, x)
	receipt, err := s.cfg.Suspensions.MoveSuspension(ctx, x, SuspensionHeld, was, ev)
	if err != nil {
		return Suspension{}, ledger.Receipt{}, fmt.Errorf("ca: ask for resumption: %w", err)
	}
	return x, receipt, nil
}

// Resume lifts a hold (恢复, GM/T 0034 12.7), a pair as a whole, on the signed
// approval of somebody other than who asked.
func (s *Service) Resume(ctx context.Context, actor ledger.Actor, id string) (Suspension, ledger.Receipt, error) {
	x, err := s.suspended(ctx, actor, id, SuspensionAsked)
	if err != nil {
		return Suspension{}, ledger.Receipt{}, err
	}
	if x.Approval, err = s.approved(ctx, actor, x.Question(), ResumptionDigest(x), x.AskedBy); err != nil {
		return Suspension{}, ledger.Receipt{}, err
	}
	x.State = SuspensionLifted
	return s.answered(ctx, actor, x, "ca.certificate.resumed")
}

// RefuseResume answers no; who asked may take the question back by it. The hold
// stays, and resumption can be asked for again.
func (s *Service) RefuseResume(ctx context.Context, actor ledger.Actor, id, reason string) (Suspension, ledger.Receipt, error) {
	if err := reasoned(reason); err != nil {
		return Suspension{}, ledger.Receipt{}, err
	}
	x, err := s.suspended(ctx, actor, id, SuspensionAsked)
	if err != nil {
		return Suspension{}, ledger.Receipt{}, err
	}
	x.State, x.Refusal = SuspensionHeld, reason
	return s.answered(ctx, actor, x, "ca.resumption.refused")
}

func (s *Service) answered(ctx context.Context, actor ledger.Actor, x Suspension, kind string) (Suspension, ledger.Receipt, error) {
	x.AnsweredBy, x.AnsweredAt = actor.ID, s.cfg.Now().UTC().Truncate(time.Microsecond)
	receipt, err := s.cfg.Suspensions.MoveSuspension(ctx, x, SuspensionAsked, x.Asks, s.suspensionEvent(kind, actor, x))
	if err != nil {
		return Suspension{}, ledger.Receipt{}, fmt.Errorf("ca: answer about a hold: %w", err)
	}
	return x, receipt, nil
}

// suspended reads a hold that has to be in a state.
func (s *Service) suspended(ctx context.Context, actor ledger.Actor, id string, state SuspensionState) (Suspension, error) {
	if s.cfg.Suspensions == nil || actor.ID == "" {
		return Suspension{}, fmt.Errorf("%w: who acts, and where holds are kept", ErrInvalid)
	}
	x, err := s.cfg.Suspensions.Suspension(ctx, id)
	if err != nil {
		return Suspension{}, fmt.Errorf("ca: read hold: %w", err)
	}
	if x.State != state {
		return Suspension{}, fmt.Errorf("%w: the hold is %s", ErrState, x.State)
	}
	return x, nil
}

func (s *Service) suspensionEvent(kind string, actor ledger.Actor, x Suspension) ledger.Event {
	ev := s.event(kind, actor, certificateObject(Certificate{Issuer: x.Issuer, Serial: x.Serial}), map[string]string{
		"suspension": x.ID, "question": x.Question(), "pair": x.Pair, "approval": x.Approval,
	})
	ev.Payload = ResumptionDigest(x)
	return ev
}
