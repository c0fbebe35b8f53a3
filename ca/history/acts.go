package history

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/yinxin-gov/yinxin/authz/ledger"
)

// Act is an entry of the ledger about a certificate, its pair, its request or the
// recovery of its key.
type Act struct {
	Shard   uint32    `json:"shard"`
	Seq     uint64    `json:"seq"`
	Entry   string    `json:"entry"`
	Type    string    `json:"type"`
	At      time.Time `json:"at"`
	By      string    `json:"by"` // id of a person, a system or a service
	Kind    string    `json:"kind"`
	Outcome string    `json:"outcome"`
	Reason  string    `json:"reason,omitempty"` // code of RFC 5280 5.3.1
}

// maxActs bounds what is shown about one object: a system may be refused any
// number of times on one request.
const maxActs = 100

// traced are the acts about any of the objects, each once, in order of the chain.
func (w walk) traced(ctx context.Context, objects []ledger.Object) ([]Act, error) {
	out := []Act{}
	for _, o := range objects {
		found, known := w.acts[o]
		if !known {
			var err error
			if found, err = w.trace(ctx, o); err != nil {
				return nil, err
			}
			w.acts[o] = found
		}
		out = append(out, found...)
	}
	slices.SortFunc(out, func(a, b Act) int { return cmp.Or(cmp.Compare(a.Shard, b.Shard), cmp.Compare(a.Seq, b.Seq)) })
	return slices.CompactFunc(out, func(a, b Act) bool { return a.Entry == b.Entry }), nil
}

func (w walk) trace(ctx context.Context, o ledger.Object) ([]Act, error) {
	entries, err := w.s.cfg.Ledger.EntriesByObject(ctx, o, maxActs)
	if err != nil {
		return nil, fmt.Errorf("history: trace: %w", err)
	}
	out := make([]Act, len(entries))
	for i, e := range entries {
		ev, err := ledger.Decode(e.Body)
		if err != nil {
			return nil, fmt.Errorf("history: entry %d: %w", e.Seq, err)
		}
		out[i] = Act{
			Shard: e.Shard, Seq: e.Seq, Entry: e.ID, Type: ev.Type, At: ev.Time, By: ev.Actor.ID, Kind: ev.Actor.Kind,
			Outcome: ev.Outcome, Reason: ev.Details["reason"],
		}
	}
	return out, nil
}
