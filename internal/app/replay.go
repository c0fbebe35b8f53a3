package app

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/yinxin-gov/yinxin/authz"
	"github.com/yinxin-gov/yinxin/authz/domain"
	"github.com/yinxin-gov/yinxin/authz/ledger"
	"github.com/yinxin-gov/yinxin/internal/store"
)

// Replay evaluates a recorded decision again, from the store of a data folder
// whose house may be running: no key is opened and nothing is written. It
// returns ledger.ErrNotFound, store.ErrNotKept, *ledger.CorruptError for an
// entry that does not carry its own hashes, and what authz.Replayer returns.
func Replay(ctx context.Context, cfg Config, id string) (out authz.Replayed, err error) {
	err = replaying(ctx, cfg, func(st *store.Store, again *authz.Replayer) error {
		entry, err := st.Ledger().EntryByID(ctx, id)
		if err != nil {
			return err
		}
		out, err = replayed(ctx, st, again, entry)
		return err
	})
	return out, err
}

// ReplaySummary counts what became of decisions that were evaluated again.
type ReplaySummary struct {
	Decisions  int            `json:"decisions"`
	Same       int            `json:"same"`
	Differ     []string       `json:"differ"`      // ids: the record does not come out again
	Altered    []string       `json:"altered"`     // ids: the entry, or what is kept for it, is not what was written
	OtherRules map[string]int `json:"other_rules"` // by what differs: "core", "core site", …
	NotKept    int            `json:"not_kept"`    // facts erased, or never kept
	NotJudged  int            `json:"not_judged"`  // refused before any fact was read
}

// replayStep is how many entries are read at once.
const replayStep = 500

// ReplayAll evaluates every decision of the ledger since a time again, as Replay does.
// An error is of the store; what becomes of decisions is in the summary.
func ReplayAll(ctx context.Context, cfg Config, since time.Time) (out ReplaySummary, err error) {
	out = ReplaySummary{Differ: []string{}, Altered: []string{}, OtherRules: map[string]int{}}
	err = replaying(ctx, cfg, func(st *store.Store, again *authz.Replayer) error {
		head, err := st.Ledger().Head(ctx, 0)
		if err != nil {
			return err
		}
		for from := uint64(0); from < head.Size; from += replayStep {
			entries, err := st.Ledger().Entries(ctx, 0, from, min(from+replayStep, head.Size))
			if err != nil {
				return err
			}
			for _, e := range entries {
				ev, err := ledger.Decode(e.Body)
				if err != nil || ev.Type != authz.EventDecision || ev.Time.Before(since) { // what does not read is for `ledger verify`
					continue
				}
				r, err := replayed(ctx, st, again, e)
				if err := out.count(e.ID, r, err); err != nil {
					return fmt.Errorf("decision %s: %w", e.ID, err)
				}
			}
		}
		return nil
	})
	return out, err
}

// count takes one result into the summary, or gives back an error of the store.
func (s *ReplaySummary) count(id string, r authz.Replayed, err error) error {
	var rules *authz.RulesError
	var corrupt *ledger.CorruptError
	switch {
	case errors.As(err, &rules):
		s.OtherRules[strings.Join(slices.Sorted(maps.Keys(rules.Recorded)), " ")]++
	case errors.Is(err, authz.ErrNotJudged):
		s.NotJudged++
	case errors.Is(err, store.ErrNotKept):
		s.NotKept++
	case errors.Is(err, authz.ErrAltered), errors.As(err, &corrupt):
		s.Altered = append(s.Altered, id)
	case err != nil:
		return err
	case r.Same:
		s.Same++
	default:
		s.Differ = append(s.Differ, id)
	}
	s.Decisions++
	return nil
}

// replaying opens the store of a folder and compiles the rules of this program.
func replaying(ctx context.Context, cfg Config, do func(*store.Store, *authz.Replayer) error) (err error) {
	cfg = cfg.withDefaults()
	if err := cfg.validate(); err != nil {
		return err
	}
	if err := private(cfg.Dir); err != nil {
		return err
	}
	st, err := store.Open(ctx, store.Config{URL: cfg.Store(), Now: cfg.Now, Rand: cfg.Rand})
	if err != nil {
		return fmt.Errorf("app: open store: %w", err)
	}
	defer func() { err = errors.Join(err, st.Close()) }()
	again, err := authz.NewReplayer(ctx, nil)
	if err != nil {
		return fmt.Errorf("app: decision point: %w", err)
	}
	return do(st, again)
}

func replayed(ctx context.Context, st *store.Store, again *authz.Replayer, entry ledger.Entry) (authz.Replayed, error) {
	if err := intact(entry); err != nil {
		return authz.Replayed{}, err
	}
	if ev, err := ledger.Decode(entry.Body); err == nil && ev.Type == domain.EventDecision {
		return replayDomain(ctx, st, entry.Body)
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
