package store

import (
	"context"
	"fmt"

	"github.com/uptrace/bun"

	"github.com/yinxin-gov/yinxin/authz/identity"
	"github.com/yinxin-gov/yinxin/authz/ledger"
	"github.com/yinxin-gov/yinxin/authz/sharing"
)

var _ sharing.ConsentStore = (*Sharing)(nil)

type consentRow struct {
	bun.BaseModel `bun:"table:citation_consent"`

	ID           string       `bun:"id,pk"`
	Resource     string       `bun:"resource"`
	ResourceName string       `bun:"resource_name"`
	Provider     string       `bun:"provider"`
	ProviderName string       `bun:"provider_name"`
	Consumer     string       `bun:"consumer"`
	Title        string       `bun:"title"`
	Purpose      string       `bun:"purpose"`
	Document     string       `bun:"document"`
	NotBefore    bun.NullTime `bun:"not_before"`
	NotAfter     bun.NullTime `bun:"not_after"`
	Digest       string       `bun:"digest"`
	Requester    string       `bun:"requester"`
	State        string       `bun:"state"`
	Approval     string       `bun:"approval"`
	AskedAt      bun.NullTime `bun:"asked_at"`
	DecidedAt    bun.NullTime `bun:"decided_at"`
	WithdrawnAt  bun.NullTime `bun:"withdrawn_at"`
	Reason       string       `bun:"reason"`
}

func (r consentRow) consent() sharing.Consent {
	return sharing.Consent{
		ID: r.ID, Resource: r.Resource, ResourceName: r.ResourceName, Provider: identity.USCC(r.Provider), ProviderName: r.ProviderName,
		Consumer: identity.USCC(r.Consumer), Title: r.Title, Purpose: r.Purpose, Document: r.Document,
		NotBefore: utc(r.NotBefore), NotAfter: utc(r.NotAfter), Digest: r.Digest, Requester: r.Requester, State: sharing.ConsentState(r.State),
		Approval: r.Approval, AskedAt: utc(r.AskedAt), DecidedAt: utc(r.DecidedAt), WithdrawnAt: utc(r.WithdrawnAt), Reason: r.Reason,
	}
}

// AddConsent implements sharing.ConsentStore. A consent starts as asked, else it
// is refused with ErrConsent.
func (s *Sharing) AddConsent(ctx context.Context, c sharing.Consent, ev ledger.Event) (ledger.Receipt, error) {
	if c.State != sharing.ConsentAsked {
		return ledger.Receipt{}, fmt.Errorf("%w: %q starts as %q", sharing.ErrConsent, c.ID, c.State)
	}
	return s.commit(ctx, ev, func(ctx context.Context, tx bun.Tx) error {
		return insert(ctx, tx, &consentRow{
			ID: c.ID, Resource: c.Resource, ResourceName: c.ResourceName, Provider: string(c.Provider), ProviderName: c.ProviderName,
			Consumer: string(c.Consumer), Title: c.Title, Purpose: c.Purpose, Document: c.Document, NotBefore: at(c.NotBefore), NotAfter: at(c.NotAfter),
			Digest: c.Digest, Requester: c.Requester, State: string(c.State), Approval: c.Approval,
			AskedAt: at(c.AskedAt), DecidedAt: at(c.DecidedAt), WithdrawnAt: at(c.WithdrawnAt), Reason: c.Reason,
		}, sharing.ErrExists, sharing.ErrNotFound, "consent", c.ID)
	})
}

// MoveConsent implements sharing.ConsentStore: asked → consented or refused,
// consented → withdrawn. Any other move is ErrConsent.
func (s *Sharing) MoveConsent(ctx context.Context, c sharing.Consent, from sharing.ConsentState, ev ledger.Event) (ledger.Receipt, error) {
	switch [2]sharing.ConsentState{from, c.State} {
	case [2]sharing.ConsentState{sharing.ConsentAsked, sharing.ConsentGiven}, [2]sharing.ConsentState{sharing.ConsentAsked, sharing.ConsentRefused},
		[2]sharing.ConsentState{sharing.ConsentGiven, sharing.ConsentWithdrawn}:
	default:
		return ledger.Receipt{}, fmt.Errorf("%w: no way from %q to %q", sharing.ErrConsent, from, c.State)
	}
	return s.commit(ctx, ev, func(ctx context.Context, tx bun.Tx) error {
		n, err := changed(ctx, tx, `UPDATE citation_consent SET state = ?, approval = ?, decided_at = ?, withdrawn_at = ?, reason = ?
			WHERE id = ? AND state = ?`, string(c.State), c.Approval, at(c.DecidedAt), at(c.WithdrawnAt), c.Reason, c.ID, string(from))
		if err != nil || n == 1 {
			return err
		}
		now, err := one[consentRow](ctx, tx, "id = ?", c.ID)
		if err != nil {
			return found(err, sharing.ErrNotFound, "consent", c.ID)
		}
		return fmt.Errorf("%w: %q is %s, not %s", sharing.ErrConsent, c.ID, now.State, from)
	})
}

// Consent implements sharing.ConsentReader.
func (s *Sharing) Consent(ctx context.Context, id string) (sharing.Consent, error) {
	r, err := one[consentRow](ctx, s.s.r, "id = ?", id)
	return r.consent(), found(err, sharing.ErrNotFound, "consent", id)
}

// ConsentsOf implements sharing.ConsentReader.
func (s *Sharing) ConsentsOf(ctx context.Context, unit identity.USCC) ([]sharing.Consent, error) {
	return list(ctx, s.s.r, consentRow.consent, "asked_at DESC, id DESC", "provider = ? OR consumer = ?", string(unit), string(unit))
}
