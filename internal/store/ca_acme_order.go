package store

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"github.com/uptrace/bun"

	"github.com/yinxin-gov/yinxin/authz/ledger"
	"github.com/yinxin-gov/yinxin/ca/acmestore"
)

// acmeOrderRow: ClaimedUntilUS is 0 while nobody issues on the order.
type acmeOrderRow struct {
	bun.BaseModel `bun:"table:acme_order"`

	ID             string           `bun:"id,pk"`
	Account        string           `bun:"account"`
	Status         string           `bun:"status"`
	Hosts          nested[[]string] `bun:"hosts"`
	Authorizations nested[[]string] `bun:"authorizations"`
	NotBefore      bun.NullTime     `bun:"not_before"`
	NotAfter       bun.NullTime     `bun:"not_after"`
	ExpiresAt      bun.NullTime     `bun:"expires_at"`
	Certificate    sql.NullString   `bun:"certificate"`
	Problem        []byte           `bun:"problem"`
	ClaimedUntilUS int64            `bun:"claimed_until_us"`
	CreatedAt      bun.NullTime     `bun:"created_at"`
}

func (r acmeOrderRow) order() acmestore.Order {
	return acmestore.Order{
		ID: r.ID, Account: r.Account, Status: acmestore.Status(r.Status), Hosts: r.Hosts.V, Authorizations: r.Authorizations.V,
		NotBefore: utc(r.NotBefore), NotAfter: utc(r.NotAfter), ExpiresAt: utc(r.ExpiresAt),
		Certificate: r.Certificate.String, Problem: r.Problem, CreatedAt: utc(r.CreatedAt),
	}
}

type acmeAuthorizationRow struct {
	bun.BaseModel `bun:"table:acme_authorization"`

	ID        string       `bun:"id,pk"`
	Account   string       `bun:"account"`
	Host      string       `bun:"host"`
	Token     string       `bun:"token"`
	Status    string       `bun:"status"`
	ExpiresAt bun.NullTime `bun:"expires_at"`
}

type acmeChallengeRow struct {
	bun.BaseModel `bun:"table:acme_challenge"`

	ID            string `bun:"id,pk"`
	Authorization string `bun:"authorization_id"`
	Account       string `bun:"account"`
	Host          string `bun:"host"`
	Type          string `bun:"type"`
	Token         string `bun:"token"`
	Status        string `bun:"status"`
	Validated     string `bun:"validated"`
	Problem       []byte `bun:"problem"`
}

func (r acmeChallengeRow) challenge() acmestore.Challenge {
	return acmestore.Challenge{
		ID: r.ID, Authorization: r.Authorization, Account: r.Account, Host: r.Host, Type: r.Type, Token: r.Token,
		Status: acmestore.Status(r.Status), Validated: r.Validated, Problem: r.Problem,
	}
}

// AddOrder implements acmestore.Orders.
func (a *ACME) AddOrder(ctx context.Context, o acmestore.Order, az []acmestore.Authorization, ev ledger.Event) (ledger.Receipt, error) {
	if o.Status != acmestore.Pending || o.Certificate != "" || len(az) == 0 {
		return ledger.Receipt{}, fmt.Errorf("%w: order %q is not a new one", acmestore.ErrState, o.ID)
	}
	var proofs []acmeAuthorizationRow
	var challenges []acmeChallengeRow
	for _, z := range az {
		proofs = append(proofs, acmeAuthorizationRow{
			ID: z.ID, Account: z.Account, Host: z.Host, Token: z.Token, Status: string(acmestore.Pending), ExpiresAt: at(z.ExpiresAt),
		})
		for _, c := range z.Challenges {
			challenges = append(challenges, acmeChallengeRow{
				ID: c.ID, Authorization: z.ID, Account: c.Account, Host: c.Host, Type: c.Type, Token: c.Token, Status: string(acmestore.Pending),
			})
		}
	}
	if len(challenges) == 0 {
		return ledger.Receipt{}, fmt.Errorf("%w: order %q has no challenge", acmestore.ErrState, o.ID)
	}
	return a.commit(ctx, ev, func(ctx context.Context, tx bun.Tx) error {
		err := insert(ctx, tx, &acmeOrderRow{
			ID: o.ID, Account: o.Account, Status: string(o.Status), Hosts: nested[[]string]{o.Hosts},
			Authorizations: nested[[]string]{o.Authorizations}, NotBefore: at(o.NotBefore), NotAfter: at(o.NotAfter),
			ExpiresAt: at(o.ExpiresAt), Problem: o.Problem, CreatedAt: at(o.CreatedAt),
		}, acmestore.ErrExists, acmestore.ErrNotFound, "order", o.ID)
		if err != nil {
			return err
		}
		if err := insert(ctx, tx, &proofs, acmestore.ErrExists, acmestore.ErrNotFound, "authorizations of order", o.ID); err != nil {
			return err
		}
		return insert(ctx, tx, &challenges, acmestore.ErrExists, acmestore.ErrNotFound, "challenges of order", o.ID)
	})
}

// Order implements acmestore.Orders.
func (a *ACME) Order(ctx context.Context, id string) (acmestore.Order, error) {
	r, err := one[acmeOrderRow](ctx, a.s.r, "id = ?", id)
	return r.order(), found(err, acmestore.ErrNotFound, "order", id)
}

// OrdersOf implements acmestore.Orders.
func (a *ACME) OrdersOf(ctx context.Context, account string) ([]string, error) {
	var ids []string
	err := a.s.r.NewSelect().Model((*acmeOrderRow)(nil)).Column("id").
		Where("account = ? AND status IN (?)", account, bun.List([]acmestore.Status{acmestore.Pending, acmestore.Ready})).
		OrderExpr("created_at, id").Limit(100).Scan(ctx, &ids)
	if err != nil {
		return nil, fmt.Errorf("listing the orders of account %q: %w", account, err)
	}
	return ids, nil
}

// OrderOfCertificate implements acmestore.Orders.
func (a *ACME) OrderOfCertificate(ctx context.Context, serial string) (acmestore.Order, error) {
	r, err := one[acmeOrderRow](ctx, a.s.r, "certificate = ?", serial)
	return r.order(), found(err, acmestore.ErrNotFound, "order of certificate", serial)
}

// MoveOrder implements acmestore.Orders.
func (a *ACME) MoveOrder(ctx context.Context, id string, from, to acmestore.Status, problem []byte) error {
	legal := from == acmestore.Pending && to == acmestore.Ready ||
		(from == acmestore.Pending || from == acmestore.Ready) && to == acmestore.Invalid
	if !legal {
		return fmt.Errorf("%w: no order moves from %q to %q", acmestore.ErrState, from, to)
	}
	return retried(ctx, func() error {
		n, err := changed(ctx, a.s.w, "UPDATE acme_order SET status = ?, problem = ? WHERE id = ? AND status = ?",
			string(to), problem, id, string(from))
		return a.guarded(n, err, "order", id)
	})
}

// ClaimOrder implements acmestore.Orders.
func (a *ACME) ClaimOrder(ctx context.Context, id string, now, until time.Time) error {
	return retried(ctx, func() error {
		n, err := changed(ctx, a.s.w, "UPDATE acme_order SET claimed_until_us = ? WHERE id = ? AND status = ? AND claimed_until_us <= ?",
			until.UnixMicro(), id, string(acmestore.Ready), now.UnixMicro())
		return a.guarded(n, err, "order", id)
	})
}

// ReleaseOrder implements acmestore.Orders.
func (a *ACME) ReleaseOrder(ctx context.Context, id string, until time.Time) error {
	return retried(ctx, func() error {
		n, err := changed(ctx, a.s.w, "UPDATE acme_order SET claimed_until_us = 0 WHERE id = ? AND claimed_until_us = ?",
			id, until.UnixMicro())
		return a.guarded(n, err, "order", id)
	})
}

// FinishOrder implements acmestore.Orders.
func (a *ACME) FinishOrder(ctx context.Context, id string, until time.Time, certificate string, ev ledger.Event) (ledger.Receipt, error) {
	if certificate == "" || until.IsZero() {
		return ledger.Receipt{}, fmt.Errorf("%w: order %q without certificate or claim", acmestore.ErrState, id)
	}
	return a.commit(ctx, ev, func(ctx context.Context, tx bun.Tx) error {
		n, err := changed(ctx, tx, `UPDATE acme_order SET status = ?, certificate = ?, claimed_until_us = 0
			WHERE id = ? AND status = ? AND claimed_until_us = ?`,
			string(acmestore.Valid), certificate, id, string(acmestore.Ready), until.UnixMicro())
		if isDuplicate(err) {
			return fmt.Errorf("%w: certificate %q", acmestore.ErrExists, certificate)
		}
		return a.guarded(n, err, "order", id)
	})
}

// Authorization implements acmestore.Challenges.
func (a *ACME) Authorization(ctx context.Context, id string) (acmestore.Authorization, error) {
	r, err := one[acmeAuthorizationRow](ctx, a.s.r, "id = ?", id)
	if err != nil {
		return acmestore.Authorization{}, found(err, acmestore.ErrNotFound, "authorization", id)
	}
	cs, err := list(ctx, a.s.r, acmeChallengeRow.challenge, "id", "authorization_id = ?", id)
	if err != nil {
		return acmestore.Authorization{}, fmt.Errorf("reading the challenges of authorization %q: %w", id, err)
	}
	return acmestore.Authorization{
		ID: r.ID, Account: r.Account, Host: r.Host, Token: r.Token, Status: acmestore.Status(r.Status),
		ExpiresAt: utc(r.ExpiresAt), Challenges: cs,
	}, nil
}

// EndAuthorization implements acmestore.Challenges.
func (a *ACME) EndAuthorization(ctx context.Context, id string) error {
	return retried(ctx, func() error {
		n, err := changed(ctx, a.s.w, "UPDATE acme_authorization SET status = ? WHERE id = ? AND status = ?",
			string(acmestore.Invalid), id, string(acmestore.Pending))
		return a.guarded(n, err, "authorization", id)
	})
}

// Challenge implements acmestore.Challenges.
func (a *ACME) Challenge(ctx context.Context, id string) (acmestore.Challenge, error) {
	r, err := one[acmeChallengeRow](ctx, a.s.r, "id = ?", id)
	return r.challenge(), found(err, acmestore.ErrNotFound, "challenge", id)
}

// AnswerChallenge implements acmestore.Challenges. An authorization that has
// been decided by another challenge stays as it is.
func (a *ACME) AnswerChallenge(ctx context.Context, c acmestore.Challenge) error {
	if c.Status != acmestore.Valid && c.Status != acmestore.Invalid {
		return fmt.Errorf("%w: %q is no answer", acmestore.ErrState, c.Status)
	}
	return a.s.act(ctx, func(ctx context.Context, tx bun.Tx) error {
		n, err := changed(ctx, tx, "UPDATE acme_challenge SET status = ?, validated = ?, problem = ? WHERE id = ? AND status = ?",
			string(c.Status), c.Validated, c.Problem, c.ID, string(acmestore.Pending))
		if err := a.guarded(n, err, "challenge", c.ID); err != nil {
			return err
		}
		_, err = changed(ctx, tx, "UPDATE acme_authorization SET status = ? WHERE id = ? AND status = ?",
			string(c.Status), c.Authorization, string(acmestore.Pending))
		if err != nil {
			return fmt.Errorf("moving authorization %q: %w", c.Authorization, err)
		}
		return nil
	})
}
