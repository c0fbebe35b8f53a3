package ledgertest

import (
	"context"
	"errors"
	"sync"

	"github.com/yinxin-gov/yinxin/authz/ledger"
)

// ErrInjected is what a Faulty store answers when it breaks.
var ErrInjected = errors.New("injected fault")

// Fault says how one call breaks.
type Fault int

// Faults of a call.
const (
	None      Fault = iota
	Failed          // nothing was written
	Persisted       // it was written, but the answer is an error
)

// Faulty breaks the calls of a store as its plans say: call n of a method
// follows entry n of its plan, later calls succeed.
type Faulty struct {
	ledger.Store

	mu          sync.Mutex
	Append      []Fault // AppendBatch
	Checkpoints []Fault // SetCheckpoint
	Heads       []Fault // Head; Persisted counts as Failed
}

func (f *Faulty) next(plan *[]Fault) Fault {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(*plan) == 0 {
		return None
	}
	now := (*plan)[0]
	*plan = (*plan)[1:]
	return now
}

// Plan replaces the plans while the store is in use.
func (f *Faulty) Plan(appends, checkpoints, heads []Fault) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.Append, f.Checkpoints, f.Heads = appends, checkpoints, heads
}

// AppendBatch implements ledger.Backend.
func (f *Faulty) AppendBatch(ctx context.Context, b ledger.Batch) error {
	return breakWith(f.next(&f.Append), func() error { return f.Store.AppendBatch(ctx, b) })
}

// SetCheckpoint implements ledger.CheckpointStore.
func (f *Faulty) SetCheckpoint(ctx context.Context, shard uint32, epoch, size uint64, note []byte) error {
	return breakWith(f.next(&f.Checkpoints), func() error { return f.Store.SetCheckpoint(ctx, shard, epoch, size, note) })
}

// Head implements ledger.Backend.
func (f *Faulty) Head(ctx context.Context, shard uint32) (ledger.Head, error) {
	if f.next(&f.Heads) != None {
		return ledger.Head{}, ErrInjected
	}
	return f.Store.Head(ctx, shard)
}

func breakWith(fault Fault, call func() error) error {
	switch fault {
	case Failed:
		return ErrInjected
	case Persisted:
		if err := call(); err != nil {
			return err
		}
		return ErrInjected
	}
	return call()
}
