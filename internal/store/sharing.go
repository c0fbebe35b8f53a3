package store

import (
	"context"
	"fmt"
	"time"
	"unique"

	"github.com/uptrace/bun"

	"github.com/yinxin-gov/yinxin/authz/identity"
	"github.com/yinxin-gov/yinxin/authz/ledger"
	"github.com/yinxin-gov/yinxin/authz/sharing"
)

// Sharing is the catalogue with its agreements and holdings.
type Sharing struct{ acts }

var _ sharing.Catalogue = (*Sharing)(nil)

type resourceRow struct {
	bun.BaseModel `bun:"table:sharing_resource"`

	ID       string `bun:"id,pk"`
	Name     string `bun:"name"`
	Provider string `bun:"provider"`
	labelRow
	ShareType     string                   `bun:"share_type"`
	Regime        string                   `bun:"regime"`
	Items         nested[sharing.ItemList] `bun:"items"`
	SecrecyReview string                   `bun:"secrecy_review"`
	Basis         string                   `bun:"basis"`
	DefectNotice  string                   `bun:"defect_notice"`
	UpdatedAt     bun.NullTime             `bun:"updated_at"`
	Sample        bool                     `bun:"sample"`
}

// resource shares the words that many entries have: a large catalogue is in memory.
func (r resourceRow) resource() sharing.Resource {
	items := r.Items.V
	for i, item := range items.Names {
		items.Names[i] = unique.Make(item).Value()
	}
	for i, tag := range r.Tags.V {
		r.Tags.V[i] = unique.Make(tag).Value()
	}
	return sharing.Resource{
		ID: r.ID, Name: r.Name, Provider: identity.USCC(unique.Make(r.Provider).Value()), Label: r.label(),
		ShareType: sharing.ShareType(unique.Make(r.ShareType).Value()), Regime: sharing.Regime(unique.Make(r.Regime).Value()), Items: items.Names, ItemTags: items.Tags, SecrecyReview: r.SecrecyReview, Basis: r.Basis,
		DefectNotice: r.DefectNotice, UpdatedAt: utc(r.UpdatedAt), Sample: r.Sample,
	}
}

func toResourceRow(r sharing.Resource) resourceRow {
	return resourceRow{
		ID: r.ID, Name: r.Name, Provider: string(r.Provider), labelRow: toLabelRow(r.Label), ShareType: string(r.ShareType),
		Regime: string(r.Regime), Items: nested[sharing.ItemList]{sharing.ItemList{Names: r.Items, Tags: r.ItemTags}}, SecrecyReview: r.SecrecyReview, Basis: r.Basis,
		DefectNotice: r.DefectNotice, UpdatedAt: at(r.UpdatedAt), Sample: r.Sample,
	}
}

// AddResource implements sharing.Catalogue. A label that names a state secret
// is refused here, too (密码法 art. 8): nothing else keeps a mistaken caller
// from writing one.
func (s *Sharing) AddResource(ctx context.Context, r sharing.Resource, ev ledger.Event) (ledger.Receipt, error) {
	if err := r.Label.Validate(); err != nil {
		return ledger.Receipt{}, fmt.Errorf("%w: resource %q: %w", sharing.ErrInvalid, r.ID, err)
	}
	return s.commitFacts(ctx, ev, func(ctx context.Context, tx bun.Tx) error {
		row := toResourceRow(r)
		return insert(ctx, tx, &row, sharing.ErrExists, sharing.ErrNotFound, "resource", r.ID)
	}, fact{factResource, r.ID})
}

// Resource implements sharing.Reader.
func (s *Sharing) Resource(ctx context.Context, id string) (sharing.Resource, error) {
	r, err := one[resourceRow](ctx, s.s.r, "id = ?", id)
	return r.resource(), found(err, sharing.ErrNotFound, "resource", id)
}

type agreementRow struct {
	bun.BaseModel `bun:"table:sharing_agreement"`

	ID              string                      `bun:"id,pk"`
	Resource        string                      `bun:"resource"`
	Provider        string                      `bun:"provider"`
	Consumer        string                      `bun:"consumer"`
	Office          string                      `bun:"office"`
	Purposes        nested[[]string]            `bun:"purposes"`
	Fields          nested[[]string]            `bun:"fields"`
	Onward          nested[[]identity.USCC]     `bun:"onward"`
	Confidentiality string                      `bun:"confidentiality"`
	DefectAck       string                      `bun:"defect_ack"`
	NotBefore       bun.NullTime                `bun:"not_before"`
	NotAfter        bun.NullTime                `bun:"not_after"`
	Terminated      bun.NullTime                `bun:"terminated"`
	Digest          string                      `bun:"digest"`
	Seals           nested[[]sharing.PartySeal] `bun:"seals"`
	Sample          bool                        `bun:"sample"`
}

func (r agreementRow) agreement() sharing.Agreement {
	return sharing.Agreement{
		ID: r.ID, Resource: r.Resource, Provider: identity.USCC(r.Provider), Consumer: identity.USCC(r.Consumer),
		Office: identity.USCC(r.Office), Purposes: r.Purposes.V, Fields: r.Fields.V, Onward: r.Onward.V,
		Confidentiality: r.Confidentiality, DefectAck: r.DefectAck, NotBefore: utc(r.NotBefore), NotAfter: utc(r.NotAfter),
		Terminated: utc(r.Terminated), Digest: r.Digest, Seals: r.Seals.V, Sample: r.Sample,
	}
}

// AddAgreement implements sharing.Catalogue.
func (s *Sharing) AddAgreement(ctx context.Context, a sharing.Agreement, ev ledger.Event) (ledger.Receipt, error) {
	return s.commitFacts(ctx, ev, func(ctx context.Context, tx bun.Tx) error {
		return insert(ctx, tx, &agreementRow{
			ID: a.ID, Resource: a.Resource, Provider: string(a.Provider), Consumer: string(a.Consumer), Office: string(a.Office),
			Purposes: nested[[]string]{a.Purposes}, Fields: nested[[]string]{a.Fields}, Onward: nested[[]identity.USCC]{a.Onward},
			Confidentiality: a.Confidentiality, DefectAck: a.DefectAck, NotBefore: at(a.NotBefore), NotAfter: at(a.NotAfter),
			Terminated: at(a.Terminated), Digest: a.Digest, Seals: nested[[]sharing.PartySeal]{a.Seals}, Sample: a.Sample,
		}, sharing.ErrExists, sharing.ErrNotFound, "agreement", a.ID)
	}, factsOf(a)...)
}

// TerminateAgreement implements sharing.Catalogue; a second termination is
// sharing.ErrInvalid.
func (s *Sharing) TerminateAgreement(ctx context.Context, id string, when time.Time, ev ledger.Event) (ledger.Receipt, error) {
	if when.IsZero() {
		return ledger.Receipt{}, fmt.Errorf("%w: agreement %q terminated at no time", sharing.ErrInvalid, id)
	}
	a, err := s.Agreement(ctx, id)
	if err != nil {
		return ledger.Receipt{}, err
	}
	return s.commitFacts(ctx, ev, func(ctx context.Context, tx bun.Tx) error {
		n, err := changed(ctx, tx, "UPDATE sharing_agreement SET terminated = ? WHERE id = ? AND terminated IS NULL", at(when), id)
		if err == nil && n == 0 {
			err = fmt.Errorf("%w: agreement %q was terminated before", sharing.ErrInvalid, id)
		}
		if err != nil {
			return err
		}
		return endCopies(ctx, tx, id, when)
	}, factsOf(a)...)
}

// factsOf names what changes with an agreement; its parties never do.
func factsOf(a sharing.Agreement) []fact {
	return []fact{{factAgreement, a.ID}, {factTerms, a.Resource}}
}

// Agreement implements sharing.Reader.
func (s *Sharing) Agreement(ctx context.Context, id string) (sharing.Agreement, error) {
	r, err := one[agreementRow](ctx, s.s.r, "id = ?", id)
	return r.agreement(), found(err, sharing.ErrNotFound, "agreement", id)
}

// Agreements implements sharing.Reader.
func (s *Sharing) Agreements(ctx context.Context, resource string, consumer identity.USCC) ([]sharing.Agreement, error) {
	return list(ctx, s.s.r, agreementRow.agreement, "not_before, id", "resource = ? AND consumer = ?", resource, string(consumer))
}

// AgreementsOf lists those that a unit is a party to, the newest first.
func (s *Sharing) AgreementsOf(ctx context.Context, unit identity.USCC) ([]sharing.Agreement, error) {
	u := string(unit)
	return list(ctx, s.s.r, agreementRow.agreement, "not_before DESC, id", "provider = ? OR consumer = ? OR office = ?", u, u, u)
}
