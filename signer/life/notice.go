package life

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/yinxin-gov/yinxin/authz/ledger"
	"github.com/yinxin-gov/yinxin/signer"
)

// NoticeState is where a notice stands.
type NoticeState string

// Notice states.
const (
	NoticePending      NoticeState = "pending"
	NoticeDelivered    NoticeState = "delivered"
	NoticeAcknowledged NoticeState = "acknowledged"
)

// Notice tells one unit which documents it should no longer rely on without
// looking (电子签名法 art. 15: 及时告知有关各方).
type Notice struct {
	ID             string      `json:"id"`
	Compromise     string      `json:"compromise"`
	Unit           string      `json:"unit"`
	Systems        []string    `json:"systems"`       // of the unit that received them
	Documents      []string    `json:"documents_sm3"` // sealed documents
	State          NoticeState `json:"state"`
	At             time.Time   `json:"at"`
	DeliveredAt    time.Time   `json:"delivered_at,omitzero"`
	AcknowledgedAt time.Time   `json:"acknowledged_at,omitzero"`
	AcknowledgedBy string      `json:"acknowledged_by,omitempty"`
}

// NoticeQuery selects notices; an empty field selects all.
type NoticeQuery struct {
	ID         string
	Unit       string
	Compromise string
	States     []NoticeState
}

// Reliance is one receipt of a sealed document.
type Reliance struct {
	Unit     string
	System   string
	Document string // SM3 of the sealed document
}

// Reliers knows who received which sealed documents.
type Reliers interface {
	ReliedOn(ctx context.Context, documents []string) ([]Reliance, error)
}

// ErrOnItsWay: a Notifier keeps the notice and nobody has taken it yet; it stays
// pending, and that is no failure.
var ErrOnItsWay = errors.New("life: the notice is on its way")

// Notifier brings a notice to its unit: nil once the unit's side took it,
// ErrOnItsWay before. A failure leaves it pending, too.
type Notifier interface {
	Notify(ctx context.Context, n Notice) error
}

// tell lists what was sealed since and who relied on it, records the notices
// that are missing, and delivers what is pending.
func (s *Service) tell(ctx context.Context, actor ledger.Actor, c Compromise) (Compromise, error) {
	uses, err := s.sealedSince(ctx, c)
	if err != nil {
		return c, err
	}
	var documents []string
	c.Uses = nil
	for _, u := range uses {
		c.Uses = append(c.Uses, u.ID)
		if u.Sealed != "" {
			documents = append(documents, u.Sealed)
		}
	}
	relied, err := s.cfg.Reliers.ReliedOn(ctx, documents)
	if err != nil {
		return c, fmt.Errorf("life: who relied on the documents: %w", err)
	}
	known, err := s.cfg.Reports.Notices(ctx, NoticeQuery{Compromise: c.ID})
	if err != nil {
		return c, fmt.Errorf("life: list notices: %w", err)
	}
	fresh := s.notices(c, relied, known)
	c.Done = true
	c.Revision++
	rule, _ := RuleOf(ActCompromise)
	ev := s.event(change{rule: rule, actor: actor, at: s.now(), ref: c.ID, payload: signer.Digest([]byte(c.KeyID)), details: map[string]string{
		"key": c.KeyID, "documents": strconv.Itoa(len(documents)), "notices": strconv.Itoa(len(fresh)),
	}}, signer.Seal{ID: c.Seals[0]})
	ev.Type = "signer.key.relied"
	if _, err := s.cfg.Reports.AddNotices(ctx, c, fresh, ev); err != nil {
		return c, fmt.Errorf("life: record the notices: %w", err)
	}
	return c, s.Deliver(ctx, c.ID)
}

// sealedSince are the uses of the key's seals that were counted since then: one
// that was interrupted may have been signed.
func (s *Service) sealedSince(ctx context.Context, c Compromise) (out []signer.Use, err error) {
	q := signer.UseQuery{Seals: c.Seals, States: []signer.UseState{signer.UseSealing, signer.UseSealed}, Since: c.Since, Limit: signer.MaxUses}
	for {
		page, err := s.cfg.Uses.Uses(ctx, q)
		if err != nil {
			return nil, fmt.Errorf("life: uses since %s: %w", c.Since.Format(time.RFC3339), err)
		}
		out = append(out, page...)
		if len(page) < q.Limit {
			return out, nil
		}
		q.Before = page[len(page)-1].ID
	}
}

// notices are one for each unit, over the documents that no earlier notice of
// this report names.
func (s *Service) notices(c Compromise, relied []Reliance, known []Notice) (out []Notice) {
	told := map[[2]string]bool{}
	for _, n := range known {
		for _, d := range n.Documents {
			told[[2]string{n.Unit, d}] = true
		}
	}
	byUnit := map[string]*Notice{}
	for _, r := range relied {
		if told[[2]string{r.Unit, r.Document}] {
			continue
		}
		n := byUnit[r.Unit]
		if n == nil {
			n = &Notice{Compromise: c.ID, Unit: r.Unit, State: NoticePending, At: s.now()}
			byUnit[r.Unit] = n
		}
		if !slices.Contains(n.Documents, r.Document) {
			n.Documents = append(n.Documents, r.Document)
		}
		if r.System != "" && !slices.Contains(n.Systems, r.System) {
			n.Systems = append(n.Systems, r.System)
		}
	}
	for _, unit := range slices.Sorted(maps.Keys(byUnit)) {
		n := byUnit[unit]
		n.ID = s.cfg.NewID()
		out = append(out, *n)
	}
	return out
}

// Deliver brings the pending notices of a report, or of all when it is empty, to
// their units. What cannot be delivered stays pending and is in the error.
func (s *Service) Deliver(ctx context.Context, compromise string) error {
	if s.cfg.Notifier == nil || s.cfg.Reports == nil {
		return nil
	}
	pending, err := s.cfg.Reports.Notices(ctx, NoticeQuery{Compromise: compromise, States: []NoticeState{NoticePending}})
	if err != nil {
		return fmt.Errorf("life: list notices: %w", err)
	}
	var failed []error
	for _, n := range pending {
		err := s.cfg.Notifier.Notify(ctx, n)
		if errors.Is(err, ErrOnItsWay) {
			continue
		}
		if err != nil {
			failed = append(failed, fmt.Errorf("life: notice %s to %s: %w", n.ID, n.Unit, err))
			continue
		}
		n.State, n.DeliveredAt = NoticeDelivered, s.now()
		house := ledger.Actor{Kind: "service", ID: "life", Unit: s.cfg.MakerUnit}
		if err := s.moveNotice(ctx, n, NoticePending, house, "signer.notice.delivered", n.DeliveredAt); err != nil && !errors.Is(err, ErrConflict) {
			failed = append(failed, err)
		}
	}
	return errors.Join(failed...)
}

// Acknowledge records that a unit has seen a notice.
func (s *Service) Acknowledge(ctx context.Context, actor ledger.Actor, noticeID string) (Notice, error) {
	found, err := s.Notices(ctx, NoticeQuery{ID: noticeID})
	if err != nil {
		return Notice{}, err
	}
	if noticeID == "" || len(found) != 1 {
		return Notice{}, fmt.Errorf("life: notice %s: %w", noticeID, signer.ErrNotFound)
	}
	n := found[0]
	if actor.Unit == "" || actor.Unit != n.Unit {
		return Notice{}, fmt.Errorf("%w: the notice is for another unit", signer.ErrUnit)
	}
	from := n.State
	if from == NoticeAcknowledged {
		return n, nil
	}
	n.State, n.AcknowledgedAt, n.AcknowledgedBy = NoticeAcknowledged, s.now(), actor.ID
	return n, s.moveNotice(ctx, n, from, actor, "signer.notice.acknowledged", n.AcknowledgedAt)
}

func (s *Service) moveNotice(ctx context.Context, n Notice, from NoticeState, actor ledger.Actor, kind string, at time.Time) error {
	ev := ledger.Event{
		ID: s.cfg.NewID(), Type: kind, Class: ledger.ClassSeal, Time: at, Actor: actor, Object: ledger.Object{Kind: "seal_notice", ID: n.ID},
		Outcome: ledger.Success, Details: map[string]string{"compromise": n.Compromise, "unit": n.Unit, "documents": strconv.Itoa(len(n.Documents))},
	}
	if _, err := s.cfg.Reports.MoveNotice(ctx, n, from, ev); err != nil {
		return fmt.Errorf("life: record notice %s: %w", n.ID, err)
	}
	return nil
}

// Notices lists notices, newest first: those of a unit for its inbox.
func (s *Service) Notices(ctx context.Context, q NoticeQuery) ([]Notice, error) {
	if s.cfg.Reports == nil {
		return nil, nil
	}
	out, err := s.cfg.Reports.Notices(ctx, q)
	if err != nil {
		return nil, fmt.Errorf("life: list notices: %w", err)
	}
	return out, nil
}
