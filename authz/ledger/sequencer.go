package ledger

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"
)

// Config of a Sequencer.
type Config struct {
	Store Store            // required
	Shard uint32           // the chain of this node
	Now   func() time.Time // required
	Rand  io.Reader        // required, safe for concurrent use: salts and signatures

	Origin string        // "<name>/ledger/sm3"; required with Signer
	Signer crypto.Signer // SM2; nil: this node signs no checkpoints
	// Keys are further keys that the checkpoint found at start may be signed
	// with: the key before the last change.
	Keys            []*ecdsa.PublicKey
	CheckpointEvery time.Duration // 0: only on Checkpoint and Close

	MaxBatch int           // entries of one commit from each of queue and outbox; 0: 1024
	MaxQueue int           // callers that wait in memory before Append blocks; 0: 4096
	Poll     time.Duration // how often the outbox is looked at without a Nudge; 0: 1 s
	Retry    time.Duration // first pause after a failed commit, doubled each time; 0: 10 ms
}

// ErrUnknown: the store did not say whether the entry was written. The caller
// appends the same Event again and gets the one receipt.
var ErrUnknown = errors.New("ledger: fate of the entry is unknown")

// Sequencer gives entries their place in one shard. It takes a shard over by
// raising its epoch, so the leader before it is fenced. One goroutine commits;
// while a batch commits the next one gathers (group commit). Callers encode,
// salt and hash their own bodies, so the serial part is one leaf, one node and
// one transaction.
//
// An acknowledgement is given only for what the store committed or holds. An
// entry without one may still be in the ledger (ErrUnknown, a cancelled
// context): the id makes the second try safe. Safe for concurrent use.
type Sequencer struct {
	cfg    Config
	queue  chan *work
	wake   chan struct{}
	quit   chan struct{} // closed by Close and halt: take no more
	done   chan struct{} // closed when the loop has ended
	ctx    context.Context
	cancel context.CancelFunc

	mu       sync.Mutex
	head     Head
	last     *signedNote // newest checkpoint
	waiting  map[string][]chan result
	trouble  error // of the last commit, nil after a success
	unsigned error // of the last checkpoint, nil after a success
	stop     error // why it stopped; nil while it runs
	dirty    bool  // the outbox may hold rows

	signing    sync.Mutex // one checkpoint at a time
	background sync.WaitGroup

	// Of the loop alone.
	tree  *Tree
	doubt *attempt
}

type result struct {
	receipt Receipt
	err     error
}

// work is one entry on its way. Several callers may wait for one id.
type work struct {
	id         string
	body, salt []byte
	class      Class
	commit     Hash
	policy     Hash
	outbox     bool // an act that is committed already: it may not get lost
	waiters    []chan result
}

// New loads the shard, refuses to start on a head that does not verify
// (*CorruptError), takes it over and starts the sequencer.
func New(ctx context.Context, cfg Config) (*Sequencer, error) {
	if cfg.Store == nil || cfg.Now == nil || cfg.Rand == nil {
		return nil, errors.New("ledger: store, clock and randomness are required")
	}
	if cfg.Signer != nil && !ValidOrigin(cfg.Origin) {
		return nil, fmt.Errorf("ledger: origin %q is not <name>%s", cfg.Origin, OriginSuffix)
	}
	cfg.MaxBatch = orDefault(cfg.MaxBatch, 1024)
	cfg.MaxQueue = orDefault(cfg.MaxQueue, 4096)
	cfg.Poll = orDefault(cfg.Poll, time.Second)
	cfg.Retry = orDefault(cfg.Retry, 10*time.Millisecond)

	loaded, err := load(ctx, cfg)
	if err != nil {
		return nil, err
	}
	if loaded.head.Epoch >= maxEpoch {
		return nil, fmt.Errorf("ledger: shard %d was taken over too often: its epoch is at the end", cfg.Shard)
	}
	take := Batch{Old: loaded.head, New: loaded.head}
	take.New.Epoch++
	if err := cfg.Store.AppendBatch(ctx, take); err != nil {
		return nil, fmt.Errorf("ledger: taking over shard %d: %w", cfg.Shard, err)
	}
	s := &Sequencer{
		cfg:     cfg,
		queue:   make(chan *work, cfg.MaxQueue),
		wake:    make(chan struct{}, 1),
		quit:    make(chan struct{}),
		done:    make(chan struct{}),
		head:    take.New,
		last:    loaded.note,
		tree:    loaded.tree,
		waiting: map[string][]chan result{},
		dirty:   true, // rows of the run before
	}
	// The loop outlives the caller of New; Close ends it.
	s.ctx, s.cancel = context.WithCancel(context.WithoutCancel(ctx))
	go s.run()
	return s, nil
}

func orDefault[T int | time.Duration](v, def T) T {
	if v <= 0 {
		return def
	}
	return v
}

// Append records an event and waits until it stands in the chain. The queue is
// bounded: a full one makes the caller wait, nothing is ever dropped.
func (s *Sequencer) Append(ctx context.Context, e Event) (Receipt, error) {
	p, err := NewPending(e, s.cfg.Rand)
	if err != nil {
		return Receipt{}, err
	}
	ch := make(chan result, 1)
	w := &work{
		id: p.ID, body: p.Body, salt: p.Salt, class: e.Class, policy: policyHash(e.Policy),
		commit: BodyCommit(p.Salt, p.Body), waiters: []chan result{ch},
	}
	select {
	case s.queue <- w:
		return s.await(ctx, ch)
	case <-s.quit:
		return Receipt{}, s.stopped()
	case <-ctx.Done():
		return Receipt{}, ctx.Err()
	}
}

// Record is Append under the name of the rooms' one-method Recorder interface.
func (s *Sequencer) Record(ctx context.Context, e Event) (Receipt, error) { return s.Append(ctx, e) }

// Integrate waits until the outbox row with this id, which the caller has
// committed, stands in the chain. An id that is neither in the outbox nor in
// the ledger is ErrNotFound.
func (s *Sequencer) Integrate(ctx context.Context, entryID string) (Receipt, error) {
	ch := make(chan result, 1)
	s.mu.Lock()
	s.waiting[entryID] = append(s.waiting[entryID], ch)
	s.mu.Unlock()
	s.Nudge()
	r, err := s.await(ctx, ch)
	if err != nil {
		s.forget(entryID, ch)
	}
	return r, err
}

// Nudge says that the outbox has a new row. It never blocks.
func (s *Sequencer) Nudge() {
	s.mu.Lock()
	s.dirty = true
	s.mu.Unlock()
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// await waits for an answer. After the loop has ended no further one comes, so
// what it left unanswered was never tried.
func (s *Sequencer) await(ctx context.Context, ch chan result) (Receipt, error) {
	select {
	case r := <-ch:
		return r.receipt, r.err
	case <-ctx.Done():
		return Receipt{}, ctx.Err()
	case <-s.done:
		select {
		case r := <-ch:
			return r.receipt, r.err
		default:
			return Receipt{}, s.stopped()
		}
	}
}

func (s *Sequencer) forget(id string, ch chan result) {
	s.mu.Lock()
	defer s.mu.Unlock()
	list := s.waiting[id]
	for i, c := range list {
		if c == ch {
			list = append(list[:i:i], list[i+1:]...)
		}
	}
	if len(list) == 0 {
		delete(s.waiting, id)
		return
	}
	s.waiting[id] = list
}

// Head is the last committed head.
func (s *Sequencer) Head() Head {
	s.mu.Lock()
	defer s.mu.Unlock()
	h := s.head
	if s.last != nil {
		h.Checkpoint = s.last.text
	}
	return h
}

// Healthy is nil while entries are taken and the last commit and checkpoint
// went well; ErrFenced, ErrClosed or a *CorruptError are final.
func (s *Sequencer) Healthy() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stop != nil {
		return s.stop
	}
	return errors.Join(s.trouble, s.unsigned)
}

// Close commits what waits, signs a last checkpoint and ends the loop. When
// ctx ends first, the entries still waiting are answered with ErrClosed. It
// returns ErrFenced if the sequencer had been fenced.
func (s *Sequencer) Close(ctx context.Context) error {
	s.halt(ErrClosed)
	select {
	case <-s.done:
	case <-ctx.Done():
		s.cancel()
		<-s.done
		return fmt.Errorf("ledger: closing: %w", ctx.Err())
	}
	defer s.cancel()
	if err := s.stopped(); !errors.Is(err, ErrClosed) {
		return err
	}
	if s.cfg.Signer == nil || s.Head().Size == 0 {
		return nil
	}
	_, err := s.sign(ctx)
	return err
}

// halt stops taking entries; the first reason stays, but a fence or damage
// found while closing is worse than a closing.
func (s *Sequencer) halt(why error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stop == nil {
		close(s.quit)
	}
	if s.stop == nil || errors.Is(s.stop, ErrClosed) {
		s.stop = why
	}
}

func (s *Sequencer) stopped() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.stop
}
