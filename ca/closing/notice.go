package closing

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/yinxin-gov/yinxin/authz/ledger"
)

// HolderKind says who has a certificate.
type HolderKind string

// Holders.
const (
	HolderSystem HolderKind = "system"
	HolderPerson HolderKind = "person"
	HolderUnit   HolderKind = "unit" // of electronic seals
)

// Holder is somebody with a certificate in force.
type Holder struct {
	Kind   HolderKind `json:"kind"`
	ID     string     `json:"id"`
	Agency string     `json:"agency"` // the unit, also of a system and of a person
}

// NoticeState is where a notice stands: pending → delivered → acknowledged, or
// acknowledged at once by who comes and sees it.
type NoticeState string

// Notice states.
const (
	NoticePending      NoticeState = "pending"
	NoticeDelivered    NoticeState = "delivered"
	NoticeAcknowledged NoticeState = "acknowledged"
)

// NoticeTo tells one holder of an announcement: one row for each.
type NoticeTo struct {
	Announcement string      `json:"announcement"`
	Holder       Holder      `json:"holder"`
	State        NoticeState `json:"state"`
	At           time.Time   `json:"at"`
	DeliveredAt  time.Time   `json:"delivered_at,omitzero"`
	SeenAt       time.Time   `json:"seen_at,omitzero"`
	SeenBy       string      `json:"seen_by,omitempty"`
}

// ErrOnItsWay: a Notifier keeps the notice and nobody has taken it yet; it stays
// pending, and that is no failure.
var ErrOnItsWay = errors.New("closing: the notice is on its way")

// Notifier brings a notice to its holder: nil once the holder's side took it,
// ErrOnItsWay before. A failure leaves it pending, too.
type Notifier interface {
	NotifyClosing(ctx context.Context, announced Act, n NoticeTo) error
}

// noticesAtOnce bounds one transaction.
const noticesAtOnce = 200

// Tell makes the notices that are missing, for everybody who has a certificate
// in force, and delivers those that wait. Whoever gets a certificate after the
// announcement has a notice from the next round on.
func (s *Service) Tell(ctx context.Context, house ledger.Actor) error {
	st, err := s.fresh(ctx)
	if err != nil || st.Phase == Open {
		return err
	}
	known, err := s.cfg.Store.Notices(ctx, st.Act.ID)
	if err != nil {
		return wrapped("list notices", err)
	}
	told := make(map[Holder]bool, len(known))
	for _, n := range known {
		told[n.Holder] = true
	}
	holders, err := s.cfg.Store.Holders(ctx, s.now())
	if err != nil {
		return wrapped("list holders", err)
	}
	var fresh []NoticeTo
	for _, h := range holders {
		if !told[h] {
			fresh = append(fresh, NoticeTo{Announcement: st.Act.ID, Holder: h, State: NoticePending, At: s.now()})
		}
	}
	for some := range slices.Chunk(fresh, noticesAtOnce) {
		_, err := s.cfg.Store.AddNotices(ctx, some, s.noticeEvent("notified", st.Act.ID, house, len(some)))
		// Another node makes the same round: the next one finds what is left.
		if err != nil && !errors.Is(err, ErrExists) {
			return wrapped("record notices", err)
		}
	}
	return s.deliver(ctx, house, st.Act)
}

func (s *Service) deliver(ctx context.Context, house ledger.Actor, announced Act) error {
	if s.cfg.Notifier == nil {
		return nil
	}
	all, err := s.cfg.Store.Notices(ctx, announced.ID)
	if err != nil {
		return wrapped("list notices", err)
	}
	var failed []error
	for _, n := range all {
		if n.State != NoticePending {
			continue
		}
		err := s.cfg.Notifier.NotifyClosing(ctx, announced, n)
		if errors.Is(err, ErrOnItsWay) {
			continue
		}
		if err != nil {
			failed = append(failed, fmt.Errorf("closing: notice to %s %s: %w", n.Holder.Kind, n.Holder.ID, err))
			continue
		}
		n.State, n.DeliveredAt = NoticeDelivered, s.now()
		if _, err := s.cfg.Store.MoveNotice(ctx, n, NoticePending, s.noticeMoved("delivered", house, n)); err != nil && !errors.Is(err, ErrState) {
			failed = append(failed, err)
		}
	}
	return errors.Join(failed...)
}

// Notices are those of the announcement in force; none without one.
func (s *Service) Notices(ctx context.Context) ([]NoticeTo, error) {
	st, err := s.Standing(ctx)
	if err != nil || st.Phase == Open {
		return nil, err
	}
	return s.cfg.Store.Notices(ctx, st.Act.ID)
}

// Acknowledge records that a holder has seen its notice. mine says which holders
// the actor speaks for; the caller knows that.
func (s *Service) Acknowledge(ctx context.Context, actor ledger.Actor, mine func(Holder) (bool, error)) (seen int, err error) {
	all, err := s.Notices(ctx)
	if err != nil {
		return 0, err
	}
	for _, n := range all {
		if n.State == NoticeAcknowledged {
			continue
		}
		yes, err := mine(n.Holder)
		if err != nil {
			return seen, err
		}
		if !yes {
			continue
		}
		from := n.State
		n.State, n.SeenAt, n.SeenBy = NoticeAcknowledged, s.now(), actor.ID
		switch _, err := s.cfg.Store.MoveNotice(ctx, n, from, s.noticeMoved("acknowledged", actor, n)); {
		case errors.Is(err, ErrState): // somebody else of the same unit
		case err != nil:
			return seen, wrapped("record acknowledgement", err)
		default:
			seen++
		}
	}
	return seen, nil
}

func (s *Service) noticeMoved(kind string, actor ledger.Actor, n NoticeTo) ledger.Event {
	ev := s.noticeEvent("notice."+kind, n.Announcement, actor, 1)
	ev.Details["holder"], ev.Details["holder_kind"], ev.Details["agency"] = n.Holder.ID, string(n.Holder.Kind), n.Holder.Agency
	return ev
}
