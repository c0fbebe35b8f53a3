package app

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/yinxin-gov/yinxin/authz/approval"
	"github.com/yinxin-gov/yinxin/authz/sharing"
	"github.com/yinxin-gov/yinxin/ca"
	"github.com/yinxin-gov/yinxin/ca/anchor"
	"github.com/yinxin-gov/yinxin/ca/kmc"
	"github.com/yinxin-gov/yinxin/signer"
)

// asked implements approval.Config.Asked: an answer is taken only to what is on
// record as asked. A subject has one answer; without this the leader of any unit
// could occupy that of another with a signature that counts for nothing. Of
// certificates the approval room itself knows the one unit that may answer.
func (h *House) asked(ctx context.Context, s approval.Subject) error {
	var want approval.Subject
	var err error
	switch s.Kind {
	case approval.KindSealUse:
		var u signer.Use
		if u, err = h.rooms.Seals.Use(ctx, s.ID); err == nil {
			want, err = h.UseSubject(ctx, u)
		}
	case approval.KindSeal:
		number, _, _ := strings.Cut(s.ID, "/") // of the seal: questions are numbered under it
		var e signer.Seal
		if e, err = h.rooms.Seals.Seal(ctx, number); err == nil {
			want = h.SealSubject(e)
		}
	case approval.KindCitation:
		var c sharing.Consent
		if c, err = h.Consents.Consent(ctx, s.ID); err == nil {
			want = h.ConsentSubject(c)
		}
	case approval.KindAnchor:
		var a anchor.Anchor
		if a, err = h.Anchored.Anchor(ctx, s.ID); err == nil && a.State == anchor.Proposed {
			want = h.AnchorSubject(a)
		}
	case approval.KindRecovery, approval.KindJudicial:
		var r kmc.Recovery
		if r, err = h.Recoveries.Recovery(ctx, s.ID); err == nil && r.State.Open() && h.now().Before(r.LapsesAt) {
			want = h.RecoverySubject(r) // before the registration officer's check that is another kind
		}
	case approval.KindAgreement: // terms stay with the parties until they are sealed
		if want = s; !strings.HasSuffix(s.ID, "/"+string(s.Unit)) {
			want = approval.Subject{}
		}
	case approval.KindCertificate: // persons and seals have no request here
		r, missing := h.RA.Request(ctx, s.ID)
		if errors.Is(missing, ca.ErrNotFound) {
			return nil
		}
		if err = missing; err == nil && r.State == ca.RequestReviewed {
			want = h.RequestSubject(r)
		}
	default:
		return nil
	}
	if err != nil && !errors.Is(err, signer.ErrNotFound) && !errors.Is(err, sharing.ErrNotFound) && !errors.Is(err, kmc.ErrNotFound) && !errors.Is(err, anchor.ErrNotFound) {
		return fmt.Errorf("app: what is to be approved: %w", err)
	}
	if err != nil || want != s {
		return fmt.Errorf("%w: nobody asked for this", approval.ErrInvalid)
	}
	return nil
}
