package store

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"github.com/uptrace/bun"

	"github.com/yinxin-gov/yinxin/authz/identity"
	"github.com/yinxin-gov/yinxin/authz/ledger"
)

// Identity is the register of agencies, persons, posts and systems.
type Identity struct{ acts }

var _ identity.Register = (*Identity)(nil)

type agencyRow struct {
	bun.BaseModel `bun:"table:identity_agency"`

	USCC      string           `bun:"uscc,pk"`
	Name      string           `bun:"name"`
	Kind      string           `bun:"kind"`
	Parent    sql.NullString   `bun:"parent"`
	District  string           `bun:"district"`
	Duties    nested[[]string] `bun:"duties"`
	Sample    bool             `bun:"sample"`
	CreatedAt bun.NullTime     `bun:"created_at"`
}

func (r agencyRow) agency() identity.Agency {
	return identity.Agency{
		USCC: identity.USCC(r.USCC), Name: r.Name, Kind: identity.Kind(r.Kind), Parent: identity.USCC(r.Parent.String),
		District: r.District, Duties: r.Duties.V, Sample: r.Sample, CreatedAt: utc(r.CreatedAt),
	}
}

// AddAgency implements identity.Register.
func (i *Identity) AddAgency(ctx context.Context, a identity.Agency, ev ledger.Event) (ledger.Receipt, error) {
	return i.commitFacts(ctx, ev, func(ctx context.Context, tx bun.Tx) error {
		return insert(ctx, tx, &agencyRow{
			USCC: string(a.USCC), Name: a.Name, Kind: string(a.Kind), Parent: optional(string(a.Parent)),
			District: a.District, Duties: nested[[]string]{a.Duties}, Sample: a.Sample, CreatedAt: at(a.CreatedAt),
		}, identity.ErrExists, identity.ErrNotFound, "agency", string(a.USCC))
	}, fact{factAgency, string(a.USCC)})
}

// Agency implements identity.Reader.
func (i *Identity) Agency(ctx context.Context, id identity.USCC) (identity.Agency, error) {
	r, err := one[agencyRow](ctx, i.s.r, "uscc = ?", string(id))
	return r.agency(), found(err, identity.ErrNotFound, "agency", string(id))
}

// Agencies implements identity.Reader.
func (i *Identity) Agencies(ctx context.Context) ([]identity.Agency, error) {
	return list(ctx, i.s.r, agencyRow.agency, "uscc", "1 = 1")
}

type personRow struct {
	bun.BaseModel `bun:"table:identity_person"`

	ID        string       `bun:"id,pk"`
	Name      string       `bun:"name"`
	Agency    string       `bun:"agency"`
	KeyID     string       `bun:"key_id"`
	CertDER   []byte       `bun:"cert_der"`
	LeftAt    bun.NullTime `bun:"left_at"`
	CreatedAt bun.NullTime `bun:"created_at"`
}

func (r personRow) person() identity.Person {
	return identity.Person{
		ID: r.ID, Name: r.Name, Agency: identity.USCC(r.Agency), KeyID: r.KeyID, CertDER: r.CertDER,
		LeftAt: utc(r.LeftAt), CreatedAt: utc(r.CreatedAt),
	}
}

// AddPerson implements identity.Register.
func (i *Identity) AddPerson(ctx context.Context, p identity.Person, ev ledger.Event) (ledger.Receipt, error) {
	return i.commitFacts(ctx, ev, func(ctx context.Context, tx bun.Tx) error {
		return insert(ctx, tx, &personRow{
			ID: p.ID, Name: p.Name, Agency: string(p.Agency), KeyID: p.KeyID, CertDER: p.CertDER,
			LeftAt: at(p.LeftAt), CreatedAt: at(p.CreatedAt),
		}, identity.ErrExists, identity.ErrNotFound, "person", p.ID)
	}, fact{factPerson, p.ID})
}

// SetPersonKey implements identity.Register.
func (i *Identity) SetPersonKey(ctx context.Context, person, keyID string, certDER []byte, ev ledger.Event) (ledger.Receipt, error) {
	return i.commitFacts(ctx, ev, func(ctx context.Context, tx bun.Tx) error {
		return present(ctx, tx, person, "UPDATE identity_person SET key_id = ?, cert_der = ? WHERE id = ? AND left_at IS NULL", keyID, certDER, person)
	}, fact{factPerson, person})
}

// Person implements identity.Reader.
func (i *Identity) Person(ctx context.Context, id string) (identity.Person, error) {
	r, err := one[personRow](ctx, i.s.r, "id = ?", id)
	return r.person(), found(err, identity.ErrNotFound, "person", id)
}

type systemRow struct {
	bun.BaseModel `bun:"table:identity_system"`

	ID        string                    `bun:"id,pk"`
	Name      string                    `bun:"name"`
	Agency    string                    `bun:"agency"`
	Hosts     nested[[]string]          `bun:"hosts"`
	Addresses nested[map[string]string] `bun:"addresses"`
	Sample    bool                      `bun:"sample"`
	CreatedAt bun.NullTime              `bun:"created_at"`
}

func (r systemRow) system() identity.System {
	return identity.System{
		ID: r.ID, Name: r.Name, Agency: identity.USCC(r.Agency), Hosts: r.Hosts.V, Addresses: r.Addresses.V,
		Sample: r.Sample, CreatedAt: utc(r.CreatedAt),
	}
}

// AddSystem implements identity.Register.
func (i *Identity) AddSystem(ctx context.Context, s identity.System, ev ledger.Event) (ledger.Receipt, error) {
	return i.commitFacts(ctx, ev, func(ctx context.Context, tx bun.Tx) error {
		return insert(ctx, tx, &systemRow{
			ID: s.ID, Name: s.Name, Agency: string(s.Agency), Hosts: nested[[]string]{s.Hosts}, Addresses: nested[map[string]string]{s.Addresses},
			Sample: s.Sample, CreatedAt: at(s.CreatedAt),
		}, identity.ErrExists, identity.ErrNotFound, "system", s.ID)
	}, fact{factSystem, s.ID})
}

// System implements identity.Reader.
func (i *Identity) System(ctx context.Context, id string) (identity.System, error) {
	r, err := one[systemRow](ctx, i.s.r, "id = ?", id)
	return r.system(), found(err, identity.ErrNotFound, "system", id)
}

// Systems implements identity.Reader.
func (i *Identity) Systems(ctx context.Context) ([]identity.System, error) {
	return list(ctx, i.s.r, systemRow.system, "id", "1 = 1")
}

type postRow struct {
	bun.BaseModel `bun:"table:identity_post"`

	ID     string       `bun:"id,pk"`
	Person string       `bun:"person"`
	Agency string       `bun:"agency"`
	Role   string       `bun:"role"`
	Title  string       `bun:"title"`
	From   bun.NullTime `bun:"held_from"`
	Until  bun.NullTime `bun:"held_until"`
}

func (r postRow) post() identity.Post {
	return identity.Post{
		ID: r.ID, Person: r.Person, Agency: identity.USCC(r.Agency), Role: identity.Role(r.Role), Title: r.Title,
		From: utc(r.From), Until: utc(r.Until),
	}
}

// AddPost implements identity.Register. It refuses with ErrIncompatible a post
// whose term overlaps one of the same person, in whatever agency, that
// identity.Incompatible keeps apart from it (三员分立).
func (i *Identity) AddPost(ctx context.Context, p identity.Post, ev ledger.Event) (ledger.Receipt, error) {
	if !p.Until.IsZero() && !p.From.Before(p.Until) {
		return ledger.Receipt{}, fmt.Errorf("%w: the term of post %q ends before it begins", identity.ErrInvalid, p.ID)
	}
	return i.commitFacts(ctx, ev, func(ctx context.Context, tx bun.Tx) error {
		who, err := one[personRow](ctx, tx, "id = ?", p.Person)
		if err == nil && !who.LeftAt.IsZero() {
			err = identity.ErrLeft
		}
		if err != nil {
			return found(err, identity.ErrNotFound, "person", p.Person)
		}
		held, err := list(ctx, tx, postRow.post, "id", "person = ?", p.Person)
		if err != nil {
			return fmt.Errorf("reading the posts of %q: %w", p.Person, err)
		}
		for _, h := range held {
			if identity.Incompatible(h.Role, p.Role) && overlap(h, p) {
				return fmt.Errorf("%w: %s and %s by %q", identity.ErrIncompatible, h.Role, p.Role, p.Person)
			}
		}
		return insert(ctx, tx, &postRow{
			ID: p.ID, Person: p.Person, Agency: string(p.Agency), Role: string(p.Role), Title: p.Title,
			From: at(p.From), Until: at(p.Until),
		}, identity.ErrExists, identity.ErrNotFound, "post", p.ID)
	}, fact{factPerson, p.Person})
}

func overlap(a, b identity.Post) bool {
	endsAfter := func(p identity.Post, t time.Time) bool { return p.Until.IsZero() || p.Until.After(t) }
	return endsAfter(a, b.From) && endsAfter(b, a.From)
}

// Holders returns the persons who ever held a role in a unit; whether a term
// covers today is the caller's question.
func (i *Identity) Holders(ctx context.Context, unit identity.USCC, role identity.Role) ([]identity.Person, error) {
	return list(ctx, i.s.r, personRow.person, "id", "id IN (SELECT person FROM identity_post WHERE agency = ? AND role = ?)", string(unit), string(role))
}

// PostsOf implements identity.Reader.
func (i *Identity) PostsOf(ctx context.Context, person string) ([]identity.Post, error) {
	return list(ctx, i.s.r, postRow.post, "held_from, id", "person = ?", person)
}

// Persons returns the persons of a unit, by name.
func (i *Identity) Persons(ctx context.Context, unit identity.USCC) ([]identity.Person, error) {
	return list(ctx, i.s.r, personRow.person, "name, id", "agency = ?", string(unit))
}

// Uncertified returns the persons of all units who have no certificate.
func (i *Identity) Uncertified(ctx context.Context) ([]identity.Person, error) {
	return list(ctx, i.s.r, personRow.person, "id", "left_at IS NULL AND (cert_der IS NULL OR length(cert_der) = 0)")
}
