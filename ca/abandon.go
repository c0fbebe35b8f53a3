package ca

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/yinxin-gov/yinxin/authz/ledger"
)

// AbandonAfter is when a certificate that is still pending has no process
// behind it any more. A signature takes milliseconds and its whole call a
// quarter of a minute at most.
const AbandonAfter = 2 * time.Minute

const (
	abandonEvery = 30 * time.Second
	abandonBatch = 100
)

// Unfinished is the store of certificates that were recorded and never
// activated. Both methods pass over KindCA: a ceremony may lie days between the
// record and the signature of an offline root.
type Unfinished interface {
	// Pending lists up to limit rows that were recorded before a time, oldest
	// first, both halves of a pair or neither.
	Pending(ctx context.Context, before time.Time, limit int) ([]Certificate, error)
	// Abandon moves pending → revoked, all or nothing; ErrState when one of them
	// is not pending any more. It marks the escrowed key of their pair.
	Abandon(ctx context.Context, certs []Certificate, at time.Time, ev ledger.Event) (ledger.Receipt, error)
}

// Sweeper ends what a dead process left behind: certificates that stand in the
// registry as pending, because the process died, the key failed or the store
// did not take the second record.
//
// Whether such a certificate was signed cannot be known: the signature may have
// been made in the last moment, and may exist in a custody or a core dump. It
// was handed to nobody, because that happens after Activate. So it is treated
// as one that exists and must not be trusted: revoked, which puts its serial on
// the lists and into OCSP, without its bytes. Should the process be alive after
// all, its Activate fails (ErrState) and it hands out nothing. The holder asks
// again; one-time tokens and enrolment tokens stay used. The encryption key of an
// abandoned pair stays in escrow, marked, and is never recovered.
//
// A certificate that was activated and lost on the way to its holder stays
// good: its key is the holder's, and its record says so. The holder of a pair
// asks for it again (Deliveries). Any number of nodes may
// sweep one store.
type Sweeper struct {
	Store Unfinished
	Now   func() time.Time
	NewID func() string // of events, UUIDv7
	Log   *slog.Logger
}

// Sweep ends what is older than AbandonAfter and returns how many.
func (s Sweeper) Sweep(ctx context.Context) (int, error) {
	ended := 0
	for {
		now := s.Now().UTC()
		rows, err := s.Store.Pending(ctx, now.Add(-AbandonAfter), abandonBatch)
		if err != nil {
			return ended, fmt.Errorf("ca: read unfinished certificates: %w", err)
		}
		if len(rows) == 0 {
			return ended, nil
		}
		before := ended
		for _, certs := range together(rows) {
			_, err := s.Store.Abandon(ctx, certs, now.Truncate(time.Microsecond), s.event(now, certs))
			switch {
			case errors.Is(err, ErrState): // another node was first, or it was finished after all
			case err != nil:
				return ended, fmt.Errorf("ca: abandon certificate: %w", err)
			default:
				ended += len(certs)
			}
		}
		if ended == before {
			return ended, nil // what is left is being ended elsewhere
		}
	}
}

// Run sweeps until ctx ends; a failure is logged and tried again.
func (s Sweeper) Run(ctx context.Context) {
	timer := time.NewTicker(abandonEvery)
	defer timer.Stop()
	for {
		n, err := s.Sweep(ctx)
		if err != nil && ctx.Err() == nil {
			s.Log.ErrorContext(ctx, "certificates that were not finished stay pending", "error", err)
		}
		if n > 0 {
			s.Log.WarnContext(ctx, "certificates that were not finished are revoked", "count", n)
		}
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		}
	}
}

// together joins the halves of a pair: they end in one act.
func together(rows []Certificate) (out [][]Certificate) {
	at := map[string]int{}
	for _, c := range rows {
		if n, ok := at[c.Pair]; ok && c.Pair != "" {
			out[n] = append(out[n], c)
			continue
		}
		at[c.Pair] = len(out)
		out = append(out, []Certificate{c})
	}
	return out
}

func (s Sweeper) event(now time.Time, certs []Certificate) ledger.Event {
	details := map[string]string{"kind": string(certs[0].Kind), "reserved_at": certs[0].CreatedAt.UTC().Format(time.RFC3339)}
	if certs[0].Pair != "" {
		details["pair"] = certs[0].Pair
	}
	if len(certs) > 1 {
		details["other_serial"] = certs[1].Serial
	}
	return ledger.Event{
		ID: s.NewID(), Type: "ca.certificate.abandoned", Class: ledger.ClassCertificate, Time: now.Truncate(time.Millisecond),
		Actor: ledger.Actor{Kind: "service", ID: "ca"}, Object: certificateObject(certs[0]), Payload: certs[0].TBSSM3,
		Outcome: ledger.Failure, Details: details,
	}
}
