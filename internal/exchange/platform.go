package exchange

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/emmansun/gmsm/sm3"

	"github.com/yinxin-gov/yinxin/authz"
	"github.com/yinxin-gov/yinxin/authz/ledger"
)

// Confirmation is what an exchange platform (共享交换平台) says it did under a decision
// of this house: one publication or one fetch (西政办发〔2014〕14号 art. 5; 京政办发
// 〔2005〕17号 1 (1)). Each decision is confirmed once, so that every line of the
// platform's log has a decision of its own.
type Confirmation struct {
	Decision string       `json:"decision"` // id, which is that of its ledger entry
	Action   authz.Action `json:"action"`
	Resource string       `json:"resource"`
	Target   string       `json:"target,omitempty"` // system where it went
	Purpose  string       `json:"purpose"`
	Document string       `json:"document_sm3"` // of what was moved
	Log      string       `json:"log"`          // number of the line in the platform's log
	At       time.Time    `json:"at"`           // when the platform did it
	System   string       `json:"system"`       // the platform
	PostedAt time.Time    `json:"posted_at,omitzero"`
}

// Limits of a confirmation.
const (
	confirmWithin = 24 * time.Hour // after the decision
	confirmSkew   = 5 * time.Minute
	maxLog        = 128
)

// Outcomes of a confirmation.
var (
	// ErrUndecided: no decision of this house permits exactly that to that platform.
	ErrUndecided = errors.New("exchange: no decision permits what is confirmed")
	// ErrConfirmed: the decision was confirmed already, otherwise.
	ErrConfirmed = errors.New("exchange: the decision was confirmed otherwise")
	ErrConfirm   = errors.New("exchange: confirmation is not complete")
)

// Decisions reads what was decided; ErrUndecided for what is no decision.
type Decisions interface {
	Decided(ctx context.Context, id string) (authz.Recorded, error)
}

// Confirmations is the store of confirmations: row and event in one transaction.
type Confirmations interface {
	// AddConfirmation is ErrConfirmed for a decision that has one.
	AddConfirmation(ctx context.Context, c Confirmation, ev ledger.Event) (ledger.Receipt, error)
	Confirmation(ctx context.Context, decision string) (Confirmation, error)
}

// Confirm takes a platform's receipt for one publication or fetch. What it names has
// to be what was asked and permitted, to the platform itself or to a system whose
// information it carries. The same receipt again is answered as the first one.
func (s *Service) Confirm(ctx context.Context, actor ledger.Actor, c Confirmation) (Confirmation, ledger.Receipt, error) {
	none := func(err error) (Confirmation, ledger.Receipt, error) { return Confirmation{}, ledger.Receipt{}, err }
	c.System, c.PostedAt, c.At = actor.ID, s.now(), c.At.UTC().Truncate(time.Millisecond)
	if err := c.check(actor); err != nil {
		return none(err)
	}
	dec, err := s.cfg.Decisions.Decided(ctx, c.Decision)
	if err != nil {
		return none(err)
	}
	if why := c.beyond(dec, c.PostedAt); why != "" {
		return none(fmt.Errorf("%w: %s", ErrUndecided, why))
	}
	rcpt, err := s.cfg.Confirmations.AddConfirmation(ctx, c, ledger.Event{
		ID: s.cfg.NewID(), Type: "exchange.platform.confirmed", Class: ledger.ClassAccess, Time: c.PostedAt, Actor: actor,
		Object: ledger.Object{Kind: "resource", ID: c.Resource}, Action: string(c.Action), Purpose: c.Purpose, Outcome: ledger.Success,
		Target: c.Target, Payload: c.Document, Details: map[string]string{"decision": c.Decision, "log": c.Log, "done_at": c.At.Format(time.RFC3339)},
	})
	if errors.Is(err, ErrConfirmed) {
		was, rerr := s.cfg.Confirmations.Confirmation(ctx, c.Decision)
		if rerr != nil {
			return none(rerr)
		}
		if again := c; was.System == c.System {
			again.PostedAt = was.PostedAt
			if again == was {
				return was, ledger.Receipt{}, nil
			}
		}
	}
	if err != nil && !committed(rcpt) {
		return none(err)
	}
	return c, rcpt, nil
}

// check refuses what needs no look at any store.
func (c Confirmation) check(actor ledger.Actor) error {
	digest, err := hex.DecodeString(c.Document)
	switch {
	case actor.Kind != authz.SubjectSystem || actor.ID == "":
		return fmt.Errorf("%w: %s", ErrSender, actor.Kind)
	case err != nil || len(digest) != sm3.Size || strings.ToLower(c.Document) != c.Document:
		return fmt.Errorf("%w: document_sm3", ErrConfirm)
	case c.Decision == "" || c.Resource == "" || c.Action == "" || c.At.IsZero():
		return fmt.Errorf("%w: decision, action, resource and time", ErrConfirm)
	case c.Log == "" || len(c.Log) > maxLog || strings.ContainsFunc(c.Log, func(r rune) bool { return r < 0x21 || r > 0x7e }):
		return fmt.Errorf("%w: log", ErrConfirm)
	}
	return nil
}

// beyond says in what a confirmation goes beyond its decision, "" when in nothing.
func (c Confirmation) beyond(dec authz.Recorded, now time.Time) string {
	q := dec.Request
	asked := q.SubjectType == authz.SubjectSystem && q.SubjectID == c.System || slices.Contains(q.Carriers, c.System)
	target := q.Target
	if target == "" && q.SubjectType == authz.SubjectSystem && q.Action == authz.ActionCopy {
		target = q.SubjectID // a copy of one's own
	}
	switch {
	case !dec.Allow:
		return "it was refused"
	case !asked:
		return "it was given to others"
	case q.Action != c.Action:
		return "action"
	case q.Resource != c.Resource:
		return "resource"
	case target != c.Target:
		return "target"
	case q.Purpose != c.Purpose:
		return "purpose"
	case c.At.Before(dec.At.Add(-confirmSkew)) || c.At.After(now.Add(confirmSkew)) || now.Sub(dec.At) > confirmWithin:
		return "time"
	}
	return ""
}
