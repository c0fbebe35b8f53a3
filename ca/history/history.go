// Package history tells what became of certificates: every one that a system or
// a unit ever had with where it came from (GM/T 0034 ch. 12; 电子签名法 art. 24
// asks for this information five years beyond the certificate), what ends soon
// and has no successor, and the figures of a month with the share of registered
// systems that are connected (西政发〔2018〕69号 art. 22).
//
// It reads rows and traces entries of the ledger; it changes nothing and keeps
// nothing. Who may see what is its callers' to decide. Lists go by keyset, from
// the newest on, and hold each certificate exactly once. It refuses a query
// without bounds.
package history

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/yinxin-gov/yinxin/authz/ledger"
	"github.com/yinxin-gov/yinxin/ca"
	"github.com/yinxin-gov/yinxin/ca/kmc"
)

// ErrQuery: a query that names neither a system nor a unit, or is out of bounds.
var ErrQuery = errors.New("history: query refused")

// Record is a certificate without its bytes, and where it came from.
type Record struct {
	ca.Certificate
	// Issued: it was signed. Otherwise it is pending, or was abandoned.
	Issued bool `json:"issued"`
	// Followed names the certificates that follow it (renewal, rekey, reissue).
	Followed []string `json:"followed,omitempty"`
}

// Query selects certificates of one system or of one unit.
type Query struct {
	System, Agency string // one of them
	// Judicial shows recoveries for the law too, which are no business of the owner.
	Judicial bool
	After    Cursor
	Limit    int // 0: 20, at most 200
}

// Bounds of a page.
const (
	pageSize = 20
	maxPage  = 200
)

// Trails reads the registry.
type Trails interface {
	// Trail lists records, newest first.
	Trail(ctx context.Context, q Query) ([]Record, error)
	// Half finds the other half of a pair, or an empty record.
	Half(ctx context.Context, c ca.Certificate) (Record, error)
	// Escrowed is when the encryption key of a pair was put into escrow, or zero.
	Escrowed(ctx context.Context, pair string) (time.Time, error)
}

// Rooms are where requests, holds and recoveries stand.
type Rooms interface {
	Request(ctx context.Context, id string) (ca.Request, error)
	// SuspensionsOf is that of ca.Suspensions.
	SuspensionsOf(ctx context.Context, system string) ([]ca.Suspension, error)
}

// Recoveries are those of ca/kmc.
type Recoveries interface {
	Recoveries(ctx context.Context, q kmc.Query) ([]kmc.Recovery, error)
}

// Tracer finds what the ledger has about an object, oldest first.
type Tracer interface {
	EntriesByObject(ctx context.Context, object ledger.Object, limit int) ([]ledger.Entry, error)
}

// Config of a Service. Every field is required.
type Config struct {
	Trails     Trails
	Rooms      Rooms
	Recoveries Recoveries
	Ledger     Tracer
	Ends       Ends
	Counts     Counts
	Now        func() time.Time
}

// Service is the room. It is safe for concurrent use.
type Service struct{ cfg Config }

// New refuses an incomplete Config.
func New(cfg Config) (*Service, error) {
	if cfg.Trails == nil || cfg.Rooms == nil || cfg.Recoveries == nil || cfg.Ledger == nil || cfg.Ends == nil || cfg.Counts == nil || cfg.Now == nil {
		return nil, errors.New("history: every field of the configuration is required")
	}
	return &Service{cfg}, nil
}

// Entry is a certificate with all that was done about it.
type Entry struct {
	Record
	Half       string          `json:"half,omitempty"` // serial of the other half of its pair
	Request    *ca.Request     `json:"request,omitempty"`
	Holds      []ca.Suspension `json:"holds,omitempty"`
	Escrowed   time.Time       `json:"escrowed,omitzero"`
	Recoveries []Recovered     `json:"recoveries,omitempty"`
	Acts       []Act           `json:"acts"` // on the ledger, oldest first
}

// Recovered is a request to recover the key of a pair.
type Recovered struct {
	ID          string    `json:"id"`
	Kind        kmc.Kind  `json:"kind"`
	State       kmc.State `json:"state"`
	AskedBy     string    `json:"asked_by"`
	AskedAt     time.Time `json:"asked_at"`
	DeliveredAt time.Time `json:"delivered_at,omitzero"`
}

// Page is a part of a list.
type Page struct {
	Entries []Entry
	Next    Cursor // zero: that was all
}

// Of lists the certificates of a system or of a unit, newest first.
func (s *Service) Of(ctx context.Context, q Query) (Page, error) {
	records, next, err := s.records(ctx, q)
	if err != nil {
		return Page{}, err
	}
	w := walk{s: s, judicial: q.Judicial, requests: map[string]*ca.Request{}, holds: map[string][]ca.Suspension{}, acts: map[ledger.Object][]Act{}}
	out := Page{Entries: make([]Entry, len(records)), Next: next}
	for i, r := range records {
		if out.Entries[i], err = w.entry(ctx, r); err != nil {
			return Page{}, err
		}
	}
	return out, nil
}

func (s *Service) records(ctx context.Context, q Query) ([]Record, Cursor, error) {
	if q.Limit == 0 {
		q.Limit = pageSize
	}
	if (q.System == "") == (q.Agency == "") || q.Limit < 0 || q.Limit > maxPage {
		return nil, Cursor{}, fmt.Errorf("%w: one system or one unit, %d certificates at most", ErrQuery, maxPage)
	}
	q.Limit++ // one more says whether there is a next page
	all, err := s.cfg.Trails.Trail(ctx, q)
	if err != nil {
		return nil, Cursor{}, fmt.Errorf("history: certificates: %w", err)
	}
	if len(all) < q.Limit {
		return all, Cursor{}, nil
	}
	all = all[:q.Limit-1]
	last := all[len(all)-1]
	return all, Cursor{last.CreatedAt, last.Issuer, last.Serial}, nil
}

// walk remembers, for one page, what several of its certificates share.
type walk struct {
	s        *Service
	judicial bool
	requests map[string]*ca.Request
	holds    map[string][]ca.Suspension
	acts     map[ledger.Object][]Act
}

func (w walk) entry(ctx context.Context, r Record) (e Entry, err error) {
	e.Record = r
	objects := []ledger.Object{named(r.Name()), named(r.Serial)} // the ECDSA track names serials alone
	if r.Pair != "" {
		half, err := w.s.cfg.Trails.Half(ctx, r.Certificate)
		if err != nil {
			return e, fmt.Errorf("history: other half of %s: %w", r.Serial, err)
		}
		if e.Half = half.Serial; e.Half != "" {
			objects = append(objects, named(half.Name()))
		}
		if err := w.escrow(ctx, &e, &objects); err != nil {
			return e, err
		}
	}
	if r.Request != "" {
		if e.Request, err = w.request(ctx, r.Request); err != nil {
			return e, err
		}
		objects = append(objects, ledger.Object{Kind: "certificate_request", ID: r.Request})
	}
	if e.Holds, err = w.held(ctx, r); err != nil {
		return e, err
	}
	e.Acts, err = w.traced(ctx, objects)
	return e, err
}

func named(id string) ledger.Object { return ledger.Object{Kind: "certificate", ID: id} }

// escrow adds what was done about the encryption key of a pair.
func (w walk) escrow(ctx context.Context, e *Entry, objects *[]ledger.Object) (err error) {
	if e.Kind != ca.KindSM2Enc && e.Kind != ca.KindSM2EncTest {
		return nil
	}
	if e.Escrowed, err = w.s.cfg.Trails.Escrowed(ctx, e.Pair); err != nil {
		return fmt.Errorf("history: escrowed key: %w", err)
	}
	all, err := w.s.cfg.Recoveries.Recoveries(ctx, kmc.Query{Pair: e.Pair})
	if err != nil {
		return fmt.Errorf("history: recoveries: %w", err)
	}
	for _, r := range slices.Backward(all) { // oldest first
		if r.Kind == kmc.ForLaw && !w.judicial {
			continue
		}
		e.Recoveries = append(e.Recoveries, Recovered{ID: r.ID, Kind: r.Kind, State: r.State, AskedBy: r.AskedBy, AskedAt: r.AskedAt, DeliveredAt: r.DeliveredAt})
		*objects = append(*objects, ledger.Object{Kind: "key_recovery", ID: r.ID})
	}
	return nil
}

// request is nil for one that the registry does not have (any more).
func (w walk) request(ctx context.Context, id string) (*ca.Request, error) {
	if r, known := w.requests[id]; known {
		return r, nil
	}
	r, err := w.s.cfg.Rooms.Request(ctx, id)
	switch {
	case errors.Is(err, ca.ErrNotFound):
		w.requests[id] = nil
	case err != nil:
		return nil, fmt.Errorf("history: request: %w", err)
	default:
		w.requests[id] = &r
	}
	return w.requests[id], nil
}

// held are the holds of a certificate or of its pair, lifted ones too.
func (w walk) held(ctx context.Context, r Record) (out []ca.Suspension, err error) {
	all, known := w.holds[r.System]
	if !known && r.System != "" {
		if all, err = w.s.cfg.Rooms.SuspensionsOf(ctx, r.System); err != nil {
			return nil, fmt.Errorf("history: holds: %w", err)
		}
		w.holds[r.System] = all
	}
	for _, x := range all {
		if x.Issuer == r.Issuer && x.Serial == r.Serial || r.Pair != "" && x.Pair == r.Pair {
			out = append(out, x)
		}
	}
	return out, nil
}
