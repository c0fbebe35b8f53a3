package store

import (
	"context"
	"errors"
	"fmt"

	"github.com/uptrace/bun"

	"github.com/yinxin-gov/yinxin/authz/domain"
	"github.com/yinxin-gov/yinxin/authz/identity"
	"github.com/yinxin-gov/yinxin/authz/ledger"
)

// Domains keeps application domains: their versions, the bundles by digest, and which
// resource types those in force answer for.
type Domains struct{ acts }

var _ domain.Register = (*Domains)(nil)

type domainRow struct {
	bun.BaseModel `bun:"table:authz_domain_version"`

	ID      string           `bun:"id,pk"`
	Domain  string           `bun:"domain"`
	Name    string           `bun:"name"`
	Digest  string           `bun:"digest"`
	System  string           `bun:"system"`
	Unit    string           `bun:"unit"`
	Types   nested[[]string] `bun:"types"`
	Passed  int64            `bun:"passed"`
	Again   string           `bun:"again"`
	Follows string           `bun:"follows"`
	AskedBy string           `bun:"asked_by"`
	AskedAt bun.NullTime     `bun:"asked_at"`
	settledRow
}

func (r domainRow) version() domain.Version {
	return domain.Version{
		ID: r.ID, Domain: r.Domain, Name: r.Name, Digest: r.Digest, System: r.System, Unit: identity.USCC(r.Unit), Types: r.Types.V, Passed: int(r.Passed),
		Again: r.Again, Follows: r.Follows, AskedBy: r.AskedBy, AskedAt: utc(r.AskedAt), State: domain.State(r.State), Approval: r.Approval,
		SettledAt: utc(r.SettledAt), EndedBy: r.EndedBy, EndReason: r.EndReason, EndedAt: utc(r.EndedAt),
	}
}

// domainOwnerRow says for good which system a domain is of.
type domainOwnerRow struct {
	bun.BaseModel `bun:"table:authz_domain"`

	Domain string `bun:"domain,pk"`
	System string `bun:"system"`
}

type domainBundleRow struct {
	bun.BaseModel `bun:"table:authz_domain_bundle"`

	Digest string `bun:"digest,pk"`
	Body   string `bun:"body"`
}

type domainTypeRow struct {
	bun.BaseModel `bun:"table:authz_domain_type"`

	Type    string `bun:"resource_type,pk"`
	Domain  string `bun:"domain"`
	Version string `bun:"version"`
}

// AddVersion implements domain.Register. Of two proposals of one domain at once the
// index of open proposals refuses one.
func (d *Domains) AddVersion(ctx context.Context, v domain.Version, bundle []byte, ev ledger.Event) (ledger.Receipt, error) {
	return d.commit(ctx, ev, func(ctx context.Context, tx bun.Tx) error {
		owner, err := one[domainOwnerRow](ctx, tx, "domain = ?", v.Domain)
		switch err = found(err, domain.ErrNotFound, "domain", v.Domain); {
		case errors.Is(err, domain.ErrNotFound):
			err = insert(ctx, tx, &domainOwnerRow{Domain: v.Domain, System: v.System}, domain.ErrExists, domain.ErrNotFound, "domain", v.Domain)
		case err == nil && owner.System != v.System:
			err = fmt.Errorf("%w: domain %q", domain.ErrTaken, v.Domain)
		}
		if err != nil {
			return err
		}
		_, err = one[domainBundleRow](ctx, tx, "digest = ?", v.Digest)
		if err = found(err, domain.ErrNotFound, "bundle", v.Digest); errors.Is(err, domain.ErrNotFound) {
			err = insert(ctx, tx, &domainBundleRow{Digest: v.Digest, Body: string(bundle)}, domain.ErrExists, domain.ErrNotFound, "bundle", v.Digest)
		}
		if err != nil {
			return err
		}
		return insert(ctx, tx, &domainRow{
			ID: v.ID, Domain: v.Domain, Name: v.Name, Digest: v.Digest, System: v.System, Unit: string(v.Unit), Types: nested[[]string]{v.Types}, Passed: int64(v.Passed),
			Again: v.Again, Follows: v.Follows, AskedBy: v.AskedBy, AskedAt: at(v.AskedAt), settledRow: settledRow{State: string(domain.Proposed)},
		}, domain.ErrExists, domain.ErrNotFound, "version", v.ID)
	})
}

// MoveVersion implements domain.Register. What was proposed stays as it is.
func (d *Domains) MoveVersion(ctx context.Context, v domain.Version, from domain.State, ev ledger.Event) (ledger.Receipt, error) {
	return d.commit(ctx, ev, func(ctx context.Context, tx bun.Tx) error {
		was, err := one[domainRow](ctx, tx, "id = ?", v.ID)
		if err != nil {
			return found(err, domain.ErrNotFound, "version", v.ID)
		}
		if v.State == domain.InForce && was.Follows != "" {
			n, err := changed(ctx, tx, "UPDATE authz_domain_version SET state = ?, ended_by = ?, ended_at = ? WHERE id = ? AND domain = ? AND state = ?",
				string(domain.Replaced), was.AskedBy, at(v.SettledAt), was.Follows, was.Domain, string(domain.InForce))
			if err != nil {
				return fmt.Errorf("replacing version %q: %w", was.Follows, err)
			}
			if n != 1 {
				return fmt.Errorf("%w: what %q replaces is not in force", domain.ErrState, v.ID)
			}
			if err := releaseTypes(ctx, tx, was.Follows); err != nil {
				return err
			}
		}
		n, err := settledRow{string(v.State), v.Approval, at(v.SettledAt), v.EndedBy, v.EndReason, at(v.EndedAt)}.move(ctx, tx, "authz_domain_version", v.ID, string(from))
		switch {
		case isDuplicate(err):
			return fmt.Errorf("%w: another version of %q is in force", domain.ErrState, was.Domain)
		case err != nil:
			return fmt.Errorf("moving version %q: %w", v.ID, err)
		case n != 1:
			return fmt.Errorf("%w: version %q is not %s", domain.ErrState, v.ID, from)
		case v.State != domain.InForce:
			return releaseTypes(ctx, tx, v.ID)
		}
		for _, t := range was.Types.V {
			if err := insert(ctx, tx, &domainTypeRow{Type: t, Domain: was.Domain, Version: v.ID}, domain.ErrTaken, domain.ErrNotFound, "resource type", t); err != nil {
				return err
			}
		}
		return nil
	})
}

func releaseTypes(ctx context.Context, tx bun.Tx, version string) error {
	if _, err := changed(ctx, tx, "DELETE FROM authz_domain_type WHERE version = ?", version); err != nil {
		return fmt.Errorf("releasing the types of %q: %w", version, err)
	}
	return nil
}

// Version implements domain.Register.
func (d *Domains) Version(ctx context.Context, id string) (domain.Version, error) {
	r, err := one[domainRow](ctx, d.s.r, "id = ?", id)
	return r.version(), found(err, domain.ErrNotFound, "version", id)
}

// Versions implements domain.Register.
func (d *Domains) Versions(ctx context.Context, unit identity.USCC, states ...domain.State) ([]domain.Version, error) {
	if len(states) == 0 {
		states = []domain.State{domain.Proposed, domain.InForce, domain.Refused, domain.Withdrawn, domain.Replaced}
	}
	return list(ctx, d.s.r, domainRow.version, "asked_at DESC, id DESC", "(? = '' OR unit = ?) AND state IN (?)", string(unit), string(unit), bun.List(states))
}

// Owner implements domain.Register.
func (d *Domains) Owner(ctx context.Context, name string) (string, error) {
	r, err := one[domainOwnerRow](ctx, d.s.r, "domain = ?", name)
	return r.System, found(err, domain.ErrNotFound, "domain", name)
}

// Bundle implements domain.Register.
func (d *Domains) Bundle(ctx context.Context, digest string) ([]byte, error) {
	r, err := one[domainBundleRow](ctx, d.s.r, "digest = ?", digest)
	return []byte(r.Body), found(err, domain.ErrNotFound, "bundle", digest)
}

// Bundles reads bundles without a ledger, for replays.
func (s *Store) Bundles() *Domains { return &Domains{acts{s: s}} }

// Catalogued implements domain.Catalogue: which of some ids are shared resources, or
// copies of them that are kept.
func (c *Candidates) Catalogued(ctx context.Context, ids []string) ([]string, error) {
	if len(ids) == 0 {
		return nil, nil
	}
	return c.ids(ctx, "SELECT id FROM sharing_resource WHERE id IN (?) UNION SELECT id FROM sharing_holding WHERE id IN (?)", bun.List(ids), bun.List(ids))
}
