package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/uptrace/bun"

	"github.com/yinxin-gov/yinxin/ca"
)

// CA is the certificate registry of both algorithms.
type CA struct {
	acts
	ids, tokens *gather[string, ca.Request] // tokens by hash
}

func newCA(a acts) *CA {
	by := func(where string, key func(ca.Request) string) *gather[string, ca.Request] {
		return newGather(func(ctx context.Context, keys []string) (map[string]ca.Request, error) {
			all, err := requests(ctx, a.s.r, func(q *bun.SelectQuery) *bun.SelectQuery { return q.Where(where, bun.List(keys)) })
			out := make(map[string]ca.Request, len(all))
			for _, r := range all {
				out[key(r)] = r
			}
			return out, err
		})
	}
	return &CA{
		acts: a, ids: by("q.id IN (?)", func(r ca.Request) string { return r.ID }),
		tokens: by("q.token_hash IN (?)", func(r ca.Request) string { return r.TokenHash }),
	}
}

var _ ca.Registry = (*CA)(nil)

type requestRow struct {
	bun.BaseModel `bun:"table:ca_request,alias:q"`

	ID           string           `bun:"id,pk"`
	Agency       string           `bun:"agency"`
	System       string           `bun:"system"`
	CommonName   string           `bun:"common_name"`
	Organization string           `bun:"organization"`
	Hosts        nested[[]string] `bun:"hosts"`
	SubmittedBy  string           `bun:"submitted_by"`
	State        string           `bun:"state"`
	DecidedBy    string           `bun:"decided_by"`
	Approval     string           `bun:"approval"`
	Reason       string           `bun:"reason"`
	TokenHash    sql.NullString   `bun:"token_hash"`
	TokenExpires bun.NullTime     `bun:"token_expires"`
	TokenUsed    bun.NullTime     `bun:"token_used"`
	CreatedAt    bun.NullTime     `bun:"created_at"`

	// Of ca_enrolment and ca_review; a request from before them has neither.
	Purpose    sql.NullString `bun:"purpose,scanonly"`
	Batch      sql.NullString `bun:"batch,scanonly"`
	ReviewedBy sql.NullString `bun:"reviewed_by,scanonly"`
	ReviewedAt bun.NullTime   `bun:"reviewed_at,scanonly"`
	Evidence   sql.NullString `bun:"evidence,scanonly"`
}

func (r requestRow) request() (ca.Request, error) {
	q := ca.Request{
		ID: r.ID, Agency: r.Agency, System: r.System, CommonName: r.CommonName, Organization: r.Organization,
		Hosts: r.Hosts.V, Purpose: ca.Purpose(r.Purpose.String), Batch: r.Batch.String, SubmittedBy: r.SubmittedBy,
		State: ca.RequestState(r.State), ReviewedBy: r.ReviewedBy.String, ReviewedAt: utc(r.ReviewedAt), DecidedBy: r.DecidedBy,
		Approval: r.Approval, Reason: r.Reason, TokenHash: r.TokenHash.String, TokenExpires: utc(r.TokenExpires),
		TokenUsed: utc(r.TokenUsed), CreatedAt: utc(r.CreatedAt),
	}
	if r.Evidence.Valid {
		if err := json.Unmarshal([]byte(r.Evidence.String), &q.Evidence); err != nil {
			return ca.Request{}, fmt.Errorf("evidence of request %q: %w", r.ID, err)
		}
	}
	return q, nil
}

// requests reads whole requests by a condition on q.
func requests(ctx context.Context, db bun.IDB, shape func(*bun.SelectQuery) *bun.SelectQuery) ([]ca.Request, error) {
	var rows []requestRow
	query := db.NewSelect().Model(&rows).ColumnExpr("q.*, e.purpose, e.batch, v.reviewed_by, v.reviewed_at, v.evidence").
		Join("LEFT JOIN ca_enrolment AS e ON e.request = q.id").Join("LEFT JOIN ca_review AS v ON v.request = q.id")
	if err := shape(query).Scan(ctx); err != nil {
		return nil, err
	}
	out := make([]ca.Request, len(rows))
	for i, r := range rows {
		var err error
		if out[i], err = r.request(); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// request reads one, or sql.ErrNoRows.
func request(ctx context.Context, db bun.IDB, where, arg string) (ca.Request, error) {
	all, err := requests(ctx, db, func(q *bun.SelectQuery) *bun.SelectQuery { return q.Where(where, arg).Limit(1) })
	if err == nil && len(all) == 0 {
		err = sql.ErrNoRows
	}
	if err != nil {
		return ca.Request{}, err
	}
	return all[0], nil
}

// Request implements ca.Registry and ra.Requests.
func (c *CA) Request(ctx context.Context, id string) (ca.Request, error) {
	r, ok, err := c.ids.get(ctx, id)
	if err == nil && !ok {
		err = sql.ErrNoRows
	}
	// Who asked at the same time has the same row: not the same lists.
	r.Hosts, r.Evidence = slices.Clone(r.Hosts), slices.Clone(r.Evidence)
	return r, found(err, ca.ErrNotFound, "request", id)
}

// RequestByToken implements ca.Registry. It never says why a token is refused.
// Looking it up by its digest leaks no timing: the token has 256 random bits.
func (c *CA) RequestByToken(ctx context.Context, tokenHash string, now time.Time) (ca.Request, error) {
	if tokenHash == "" {
		return ca.Request{}, ca.ErrToken
	}
	r, found, err := c.tokens.get(ctx, tokenHash)
	if err != nil {
		return ca.Request{}, fmt.Errorf("reading the token: %w", err)
	}
	if !found || r.State != ca.RequestApproved || !r.TokenUsed.IsZero() || !now.Before(r.TokenExpires) {
		return ca.Request{}, ca.ErrToken
	}
	return r, nil
}

// tokenClaim is a token on its way to being used.
type tokenClaim struct {
	hash string
	now  time.Time
}

// claiming is the guarded update that decides who of several callers claimed a
// token: whatever was read before does not count. The list beside the join says
// nothing new: it leads a planner without statistics to the index.
func (s *Store) claiming(claims []tokenClaim) statement {
	values, hashes, args := make([]string, len(claims)), make([]string, len(claims)), []any{string(ca.RequestIssued)}
	for i, c := range claims {
		values[i] = "(?, CAST(? AS " + s.types.Instant + "))"
		hashes[i], args = c.hash, append(args, c.hash, at(c.now))
	}
	return statement{
		sql: s.format(`UPDATE ca_request SET state = ?, token_used = v.column2 FROM (VALUES `+strings.Join(values, ", ")+`) AS v
			WHERE ca_request.token_hash = v.column1 AND ca_request.token_hash IN (?) AND ca_request.state = ?
			AND ca_request.token_used IS NULL AND ca_request.token_expires > v.column2`, append(args, bun.List(hashes), string(ca.RequestApproved))...),
		rows: int64(len(claims)),
		refused: func(_ context.Context, _ bun.Tx, err error) error {
			if err != nil {
				return fmt.Errorf("claiming the token: %w", err)
			}
			return ca.ErrToken
		},
	}
}
