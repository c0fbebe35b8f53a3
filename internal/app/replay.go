package app

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"github.com/yinxin-gov/yinxin/authz"
	"github.com/yinxin-gov/yinxin/authz/domain"
	"github.com/yinxin-gov/yinxin/authz/ledger"
	"github.com/yinxin-gov/yinxin/internal/store"
)

// Replay evaluates a recorded decision again, from the store of a data folder
// whose house may be running: no key is opened and nothing is written. It
// returns ledger.ErrNotFound, store.ErrNotKept, *ledger.CorruptError for an
// entry that does not carry its own hashes, and what authz.Replayer returns.
func Replay(ctx context.Context, cfg Config, id string) (_ authz.Replayed, err error) {
	cfg = cfg.withDefaults()
	if err := cfg.validate(); err != nil {
		return authz.Replayed{}, err
	}
	if err := private(cfg.Dir); err != nil {
		return authz.Replayed{}, err
	}
	st, err := store.Open(ctx, store.Config{URL: cfg.Store(), Now: cfg.Now, Rand: cfg.Rand})
	if err != nil {
		return authz.Replayed{}, fmt.Errorf("app: open store: %w", err)
	}
	defer func() { err = errors.Join(err, st.Close()) }()
	entry, err := st.Ledger().EntryByID(ctx, id)
	if err != nil {
		return authz.Replayed{}, err
	}
	if err := intact(entry); err != nil {
		return authz.Replayed{}, err
	}
	if ev, err := ledger.Decode(entry.Body); err == nil && ev.Type == domain.EventDecision {
		return replayDomain(ctx, st, entry.Body)
	}
	again, err := authz.NewReplayer(ctx, nil)
	if err != nil {
		return authz.Replayed{}, fmt.Errorf("app: decision point: %w", err)
	}
	return again.Replay(ctx, entry.Body, st.Decisions())
}

// intact: leaf, header and body belong together. Whether the leaf stands in
// the tree is what `yinxin ledger verify` answers.
func intact(e ledger.Entry) error {
	if e.Body == nil {
		return fmt.Errorf("%w: the body of %s was erased", store.ErrNotKept, e.ID)
	}
	h, err := ledger.ParseHeader(e.Header)
	if err != nil {
		return err
	}
	if leaf := ledger.LeafHash(e.Header); !bytes.Equal(e.Leaf, leaf[:]) {
		return &ledger.CorruptError{Shard: e.Shard, Code: ledger.CodeLeaf, Seq: &e.Seq}
	}
	if h.Commit != ledger.BodyCommit(e.Salt, e.Body) {
		return &ledger.CorruptError{Shard: e.Shard, Code: ledger.CodeBodyCommit, Seq: &e.Seq}
	}
	return nil
}
