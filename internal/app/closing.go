package app

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"github.com/yinxin-gov/yinxin/authz/approval"
	"github.com/yinxin-gov/yinxin/authz/identity"
	"github.com/yinxin-gov/yinxin/ca/closing"
	"github.com/yinxin-gov/yinxin/internal/api/wire"
)

// openClosing builds what keeps the rule for ending the service.
func (h *House) openClosing() (err error) {
	h.Closing, err = closing.New(closing.Config{
		Store: h.rooms.Closing, Approver: closingApprover{h}, Posts: posts{h}, House: h.cfg.USCC, Notifier: told{h}, Now: h.cfg.Now, NewID: newID,
	})
	return err
}

// ClosingSubject is what a registration officer signs.
func (h *House) ClosingSubject(a closing.Act) approval.Subject {
	return approval.Subject{Kind: approval.KindClosing, ID: a.ID, Digest: a.Digest(), Unit: identity.USCC(h.cfg.USCC), Requester: a.AskedBy}
}

// closingApprover verifies the signature over an act.
type closingApprover struct{ h *House }

func (p closingApprover) Answer(ctx context.Context, a closing.Act) (closing.Answer, error) {
	id, yes, err := p.h.answered(ctx, p.h.ClosingSubject(a))
	if err != nil {
		err = fmt.Errorf("%w: %w", closing.ErrNotApproved, err)
	}
	return closing.Answer{ID: id, Yes: yes}, err
}

// closingNow is what everybody may know; nil while nothing is announced. A state
// that cannot be read is told as stopped: nothing is issued then.
func (h *House) closingNow(ctx context.Context) *wire.Closing {
	st, err := h.Closing.Standing(ctx)
	if err != nil {
		h.cfg.Log.ErrorContext(ctx, "whether the service ends", "error", err)
		return &wire.Closing{Phase: string(closing.Stopped)}
	}
	if st.Phase == closing.Open {
		return nil
	}
	return &wire.Closing{
		Phase: string(st.Phase), Mode: string(st.Act.Mode), At: st.Act.At, Reason: st.Act.Reason, Successor: st.Act.Successor,
		Announcement: st.Act.Digest(), Announced: st.Act.SettledAt, Taker: st.HandOver.Taker, Protocol: st.HandOver.Protocol,
	}
}

// closing answers GET /pki/closing.
func (h *House) closing(w http.ResponseWriter, r *http.Request) {
	now := h.closingNow(r.Context())
	if now == nil {
		now = &wire.Closing{Phase: string(closing.Open)}
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "public, max-age=60")
	if err := json.NewEncoder(w).Encode(now); err != nil {
		h.cfg.Log.DebugContext(r.Context(), "state of the service not delivered", "error", err)
	}
}

// finalUntil is how long the lists of an ended service speak: to the end of the
// last certificate of an issuer, because its key may go at any time (RFC 5280
// 5.1.2.5). Zero while the service goes on.
func (h *House) finalUntil(ctx context.Context, issuer string) (time.Time, error) {
	st, err := h.Closing.Standing(ctx)
	if err != nil || st.Phase != closing.Ended {
		return time.Time{}, err
	}
	return h.rooms.CA.LastEnd(ctx, issuer)
}
