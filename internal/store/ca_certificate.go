package store

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/uptrace/bun"

	"github.com/yinxin-gov/yinxin/authz/ledger"
	"github.com/yinxin-gov/yinxin/ca"
	"github.com/yinxin-gov/yinxin/ca/retention"
)

type certificateRow struct {
	bun.BaseModel `bun:"table:ca_certificate"`

	Issuer    string       `bun:"issuer,pk"`
	Serial    string       `bun:"serial,pk"`
	Kind      string       `bun:"kind"`
	Pair      string       `bun:"pair"`
	Agency    string       `bun:"agency"`
	System    string       `bun:"system"`
	Person    string       `bun:"person"`
	Request   string       `bun:"request"`
	Subject   string       `bun:"subject"`
	TBSSM3    string       `bun:"tbs_sm3"`
	TBS       []byte       `bun:"tbs"`
	DER       []byte       `bun:"der"`
	State     string       `bun:"state"`
	Reason    int64        `bun:"reason"`
	NotBefore bun.NullTime `bun:"not_before"`
	NotAfter  bun.NullTime `bun:"not_after"`
	RevokedAt bun.NullTime `bun:"revoked_at"`
	CreatedAt bun.NullTime `bun:"created_at"`
}

func (r certificateRow) certificate() ca.Certificate {
	return ca.Certificate{
		Issuer: r.Issuer, Serial: r.Serial, Kind: ca.Kind(r.Kind), Pair: r.Pair, Agency: r.Agency, System: r.System,
		Person: r.Person, Request: r.Request, Subject: r.Subject, TBSSM3: r.TBSSM3, TBS: r.TBS, DER: r.DER,
		State: ca.State(r.State), Reason: int(r.Reason), NotBefore: utc(r.NotBefore), NotAfter: utc(r.NotAfter),
		RevokedAt: utc(r.RevokedAt), CreatedAt: utc(r.CreatedAt),
	}
}

type escrowRow struct {
	bun.BaseModel `bun:"table:ca_escrowed_key"`

	Pair      string       `bun:"pair,pk"`
	Wrapped   []byte       `bun:"wrapped"`
	KEK       string       `bun:"kek"`
	PublicSM3 string       `bun:"public_sm3"`
	CreatedAt bun.NullTime `bun:"created_at"`
}

type usedTokenRow struct {
	bun.BaseModel `bun:"table:ca_used_token"`

	ID      string       `bun:"id,pk"`
	Expires bun.NullTime `bun:"expires_at"`
}

// Reserve implements ca.Registry. Whatever state a certificate claims, it is
// recorded as pending and without its DER: only Activate makes it good. A
// reservation binds nobody, so it is answered when it is durable (design law 3);
// its event gets its number with that of Activate at the latest.
func (c *CA) Reserve(ctx context.Context, certs []ca.Certificate, key *ca.EscrowedKey, ev ledger.Event) (ledger.Receipt, error) {
	return acts{s: c.s}.share(ctx, reservation(certs, key), ev)
}

// ReserveOnce implements ca.Registry. Ids are kept for good: an id that could be
// forgotten could be used again.
func (c *CA) ReserveOnce(ctx context.Context, by ca.OneTime, certs []ca.Certificate, ev ledger.Event) (ledger.Receipt, error) {
	o := reservation(certs, nil)
	o.tokens = []usedTokenRow{{ID: by.ID, Expires: at(by.Expires)}}
	return acts{s: c.s}.share(ctx, o, ev)
}

func reservation(certs []ca.Certificate, key *ca.EscrowedKey) *share {
	o := &share{certs: make([]certificateRow, len(certs)), lines: lineageRows(certs)}
	for i, k := range certs {
		o.certs[i] = certificateRow{
			Issuer: k.Issuer, Serial: k.Serial, Kind: string(k.Kind), Pair: k.Pair, Agency: k.Agency, System: k.System,
			Person: k.Person, Request: k.Request, Subject: k.Subject, TBSSM3: k.TBSSM3, TBS: k.TBS,
			State: string(ca.StatePending), NotBefore: at(k.NotBefore), NotAfter: at(k.NotAfter), CreatedAt: at(k.CreatedAt),
		}
	}
	if key != nil {
		o.keys = []escrowRow{{Pair: key.Pair, Wrapped: key.Wrapped, KEK: key.KEK, PublicSM3: key.PublicSM3, CreatedAt: at(key.CreatedAt)}}
	}
	return o
}

func (s *Store) reserving(certs []certificateRow) statement {
	return s.inserting(&certs, func(err error) error {
		return refusedInsert(err, ca.ErrExists, ca.ErrNotFound, "certificate", certs[0].Serial)
	})
}

func (s *Store) escrowing(keys []escrowRow) statement {
	return s.inserting(&keys, func(err error) error {
		return refusedInsert(err, ca.ErrExists, ca.ErrNotFound, "escrowed key of pair", keys[0].Pair)
	})
}

// signedRow is a certificate whose signature exists.
type signedRow struct {
	issuer, serial string
	der            []byte
}

func signedRows(certs []ca.Certificate) ([]signedRow, error) {
	out := make([]signedRow, len(certs))
	for i, k := range certs {
		if len(k.DER) == 0 {
			return nil, fmt.Errorf("%w: certificate %q has not been signed", ca.ErrState, k.Serial)
		}
		out[i] = signedRow{k.Issuer, k.Serial, k.DER}
	}
	return out, nil
}

// Activate implements ca.Registry.
func (c *CA) Activate(ctx context.Context, certs []ca.Certificate, ev ledger.Event) (ledger.Receipt, error) {
	signed, err := signedRows(certs)
	if err != nil {
		return ledger.Receipt{}, err
	}
	return c.share(ctx, &share{signed: signed}, ev)
}

// activating moves all from pending to good, or none. The values are cast because
// PostgreSQL would take the bytes of a list for text.
func (s *Store) activating(certs []signedRow) statement {
	values, serials, args := make([]string, len(certs)), make([]string, len(certs)), []any{string(ca.StateGood)}
	for i, k := range certs {
		values[i] = "(?, ?, CAST(? AS " + s.types.Bytes + "))"
		serials[i], args = k.serial, append(args, k.issuer, k.serial, k.der)
	}
	return statement{
		sql: s.format(`UPDATE ca_certificate SET state = ?, der = v.column3 FROM (VALUES `+strings.Join(values, ", ")+`) AS v
			WHERE ca_certificate.issuer = v.column1 AND ca_certificate.serial = v.column2 AND ca_certificate.serial IN (?)
			AND ca_certificate.state = ?`, append(args, bun.List(serials), string(ca.StatePending))...),
		rows: int64(len(certs)),
		refused: func(ctx context.Context, tx bun.Tx, err error) error {
			if err != nil {
				return fmt.Errorf("activating certificate %q: %w", certs[0].serial, err)
			}
			for _, k := range certs {
				if _, err := one[pairedRow](ctx, tx, "issuer = ? AND serial = ?", k.issuer, k.serial); err != nil {
					return found(err, ca.ErrNotFound, "certificate", k.serial)
				}
			}
			return fmt.Errorf("%w: certificate %q, or another half of its pair, is not pending", ca.ErrState, certs[0].serial)
		},
	}
}

// SetState implements ca.Registry. RevokedAt is when it was held or revoked,
// and is taken away with its reason when a hold ends.
func (c *CA) SetState(ctx context.Context, issuer, serial string, to ca.State, reason int, when time.Time, ev ledger.Event) (ledger.Receipt, error) {
	return c.commit(ctx, ev, func(ctx context.Context, tx bun.Tx) error {
		return move(ctx, tx, issuer, serial, to, reason, when)
	})
}

// move changes the state of a certificate, and of the other half of its pair,
// by one statement. Both have to stand where they should afterwards, so that no
// hold or resumption overtakes a revocation of one half.
func move(ctx context.Context, tx bun.Tx, issuer, serial string, to ca.State, reason int, when time.Time) error {
	from := []ca.State{ca.StateGood, ca.StateHold}
	switch to {
	case ca.StateRevoked:
	case ca.StateHold:
		from = from[:1]
	case ca.StateGood:
		from, reason, when = from[1:], 0, time.Time{}
	default:
		return fmt.Errorf("%w: nothing becomes %q", ca.ErrState, to)
	}
	if to != ca.StateGood && when.IsZero() {
		return fmt.Errorf("%w: %q at no time", ca.ErrState, to)
	}
	if err := changing(ctx, tx, issuer, serial); err != nil {
		return err
	}
	named, err := one[pairedRow](ctx, tx, "issuer = ? AND serial = ?", issuer, serial)
	if err != nil {
		return found(err, ca.ErrNotFound, "certificate", serial)
	}
	where, args := "issuer = ? AND serial = ?", []any{issuer, serial}
	if named.Pair != "" {
		where, args = "system = ? AND pair = ?", []any{named.System, named.Pair}
	}
	n, err := changed(ctx, tx, "UPDATE ca_certificate SET state = ?, reason = ?, revoked_at = ? WHERE "+where+" AND state IN (?)",
		append(append([]any{string(to), reason, at(when)}, args...), bun.List(from))...)
	if err != nil {
		return err
	}
	moved, err := list(ctx, tx, func(r pairedRow) pairedRow { return r }, "serial", where, args...)
	if err != nil {
		return fmt.Errorf("reading the states of %q: %w", serial, err)
	}
	now := make([]string, len(moved))
	for i, m := range moved {
		if now[i] = m.State; m.Serial == serial && m.Issuer == issuer {
			continue
		}
		if err := changing(ctx, tx, m.Issuer, m.Serial); err != nil {
			return err
		}
	}
	switch {
	case n > 0 && !slices.ContainsFunc(now, func(s string) bool { return s != string(to) }):
		return nil
	case slices.Contains(now, string(ca.StateRevoked)):
		return fmt.Errorf("%w: %q", ca.ErrRevoked, serial)
	}
	return fmt.Errorf("%w: %q is %s and cannot become %s", ca.ErrState, serial, strings.Join(now, ", "), to)
}

// pairedRow is what decides about a change of state.
type pairedRow struct {
	bun.BaseModel `bun:"table:ca_certificate"`

	Issuer string `bun:"issuer"`
	Serial string `bun:"serial"`
	System string `bun:"system"`
	Pair   string `bun:"pair"`
	State  string `bun:"state"`
}

// Certificate implements ca.Registry.
func (c *CA) Certificate(ctx context.Context, issuer, serial string) (ca.Certificate, error) {
	r, err := one[certificateRow](ctx, c.s.r, "issuer = ? AND serial = ?", issuer, serial)
	if err != nil {
		return ca.Certificate{}, found(err, ca.ErrNotFound, "certificate", serial)
	}
	k := r.certificate()
	if k.Kind == ca.KindPerson && len(k.DER) == 0 {
		k.Purged, err = purgedBody(ctx, c.s.r, retention.Person, issuer+":"+serial)
	}
	return k, err
}

// CertificatesOf implements ca.Registry.
func (c *CA) CertificatesOf(ctx context.Context, system string) ([]ca.Certificate, error) {
	return list(ctx, c.s.r, certificateRow.certificate, "created_at, issuer, serial", "system = ?", system)
}

func (s *Store) usingTokens(tokens []usedTokenRow) statement {
	return s.inserting(&tokens, func(err error) error {
		if isDuplicate(err) {
			return fmt.Errorf("%w: one-time token %q", ca.ErrToken, tokens[0].ID)
		}
		return fmt.Errorf("recording a one-time token: %w", err)
	})
}
