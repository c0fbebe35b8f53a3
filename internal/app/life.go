package app

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/emmansun/gmsm/smx509"

	"github.com/yinxin-gov/yinxin/authz/approval"
	"github.com/yinxin-gov/yinxin/authz/identity"
	"github.com/yinxin-gov/yinxin/authz/ledger"
	"github.com/yinxin-gov/yinxin/ca"
	"github.com/yinxin-gov/yinxin/internal/store"
	"github.com/yinxin-gov/yinxin/signer"
	"github.com/yinxin-gov/yinxin/signer/life"
)

// openLife builds the room in which seals live.
func (h *House) openLife() (err error) {
	h.Life, err = life.New(life.Config{
		Register: h.rooms.Seals, Lists: h.rooms.Seals, Approver: sealApprover{h.Approvals}, Posts: posts{h}, Recorder: h.Ledger,
		Keys: h.custody, MakerUnit: h.cfg.USCC, Now: h.cfg.Now, NewID: newID, Accredited: h.anchors.services(), Registered: h.registered,
		Reports: h.rooms.Seals, Revoker: revoker{h.CA, h.sm2()}, Uses: h.rooms.Seals, Reliers: reliers{h.rooms.Transfers}, Notifier: told{h},
	})
	return err
}

// endSeals writes the end of every seal whose period is over.
func (h *House) endSeals(ctx context.Context) error {
	n, err := h.Life.EndAll(ctx)
	if n > 0 {
		h.cfg.Log.InfoContext(ctx, "seals expired", "n", n)
	}
	return err
}

// sealApprover lets the seals' life ask for the unit leader's signed answer.
type sealApprover struct{ approvals *approval.Service }

func (a sealApprover) Answer(ctx context.Context, unit string, q signer.Ask) (life.Answer, error) {
	want := askSubject(unit, q)
	got, err := a.approvals.Verified(ctx, want.Kind, want.ID, want.Digest)
	switch {
	case errors.Is(err, approval.ErrRefused) && got.Subject == want:
		return life.Answer{ID: got.ID, Approver: got.Approver, Reason: got.Reason}, nil
	case err != nil:
		return life.Answer{}, fmt.Errorf("%w: %w", signer.ErrNotApproved, err)
	case got.Subject != want:
		return life.Answer{}, fmt.Errorf("%w: the answer is about another unit or requester", signer.ErrNotApproved)
	}
	return life.Answer{ID: got.ID, Approver: got.Approver, Yes: true}, nil
}

// posts answers who holds which post now.
type posts struct{ house *House }

func (p posts) Holds(ctx context.Context, person, unit string, roles ...string) (bool, error) {
	asked := make([]identity.Role, len(roles))
	for i, r := range roles {
		asked[i] = identity.Role(r)
	}
	return p.house.holds(ctx, person, identity.USCC(unit), asked...)
}

// revoker asks the house's own authority; certificates of others are theirs.
type revoker struct {
	ca      *ca.Service
	issuers ca.Issuers
}

func (r revoker) Revoke(ctx context.Context, actor ledger.Actor, certDER []byte, since time.Time) error {
	crt, err := smx509.ParseCertificate(certDER)
	if err != nil {
		return life.ErrElsewhere
	}
	by, err := ca.IssuerNamed(ctx, r.issuers, crt.RawIssuer, crt.AuthorityKeyId)
	if errors.Is(err, ca.ErrNotFound) {
		return life.ErrElsewhere
	}
	if err != nil {
		return err
	}
	err = r.ca.Compromised(ctx, actor, by.ID(), ca.FormatSerial(crt.SerialNumber), since)
	if errors.Is(err, ca.ErrNotFound) {
		return life.ErrElsewhere
	}
	return err
}

// reliers finds who was sent a document through the exchange.
type reliers struct{ transfers *store.Transfers }

func (r reliers) ReliedOn(ctx context.Context, documents []string) ([]life.Reliance, error) {
	sent, err := r.transfers.TransfersOf(ctx, documents)
	if err != nil {
		return nil, err
	}
	out := make([]life.Reliance, len(sent))
	for i, t := range sent {
		out[i] = life.Reliance{Unit: t.Receiver, System: t.ToSystem, Document: t.Document}
	}
	return out, nil
}
