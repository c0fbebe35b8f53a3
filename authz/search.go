package authz

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/yinxin-gov/yinxin/authz/ledger"
)

// EventSearch is the type of the ledger entry of a search.
const EventSearch = "authz.search.made"

// ErrMalformed: a search out of bounds; nothing was looked up.
var ErrMalformed = errors.New("authz: malformed request")

// SearchKind is the part of a question that a search leaves open.
type SearchKind string

// Kinds of searches.
const (
	SearchSubject  SearchKind = "subject"
	SearchResource SearchKind = "resource"
	SearchAction   SearchKind = "action"
)

// Search asks one question about many candidates. What the candidates stand
// for is empty in Base or ignored.
type Search struct {
	Kind       SearchKind
	Base       Request
	Candidates []string // ids, or names of actions
	Limit      int      // permitted candidates to stop at; 0: none
	Asker      ledger.Actor
}

// Found is the answer to a Search.
type Found struct {
	ID        string   // also the ledger entry id
	Permitted []string // in order of the candidates
	Weighed   int      // candidates evaluated: fewer than all when Limit was reached
	Digests   Digests  // Facts is empty
	At        time.Time
	Receipt   ledger.Receipt
}

// Actions are all actions in order of name.
func Actions() []Action {
	return []Action{
		ActionCarry, ActionCopy, ActionDerive, ActionForward, ActionMerge, ActionPublish, ActionRead, ActionRegrade,
		ActionRelabel, ActionStore,
	}
}

// Search evaluates all three guards for each candidate at one time and writes
// one ledger entry with the counts. It answers all or, with an error, nothing.
func (p *PDP) Search(ctx context.Context, s Search) (Found, error) {
	f := Found{ID: p.newID(), At: p.clock(), Digests: p.digests}
	if s.Base.ID == "" {
		s.Base.ID = f.ID
	}
	if why := oversized(s.Base); why != "" {
		return Found{}, fmt.Errorf("%w: %s", ErrMalformed, why)
	}
	var failed error
	for _, c := range s.Candidates {
		w := p.weigh(ctx, s.question(c), f.At)
		if failed = errors.Join(w.failed, ctx.Err()); failed != nil {
			f.Permitted = nil
			break
		}
		f.Weighed++
		if len(w.found) == 0 {
			f.Permitted = append(f.Permitted, c)
		}
		if s.Limit > 0 && len(f.Permitted) == s.Limit {
			break
		}
	}
	receipt, err := p.recorder.Record(ctx, p.searched(s, f, failed))
	switch {
	case errors.Is(err, ledger.ErrInvalidEvent):
		return Found{}, fmt.Errorf("%w: text that may not be written", ErrMalformed)
	case err != nil:
		return Found{}, fmt.Errorf("%w: %w", ErrRecord, err)
	case failed != nil:
		return Found{}, failed
	}
	f.Receipt = receipt
	return f, nil
}

func (s Search) question(candidate string) Request {
	r := s.Base
	switch s.Kind {
	case SearchSubject:
		r.SubjectID = candidate
	case SearchResource:
		r.Resource = candidate
	case SearchAction:
		r.Action = Action(candidate)
	}
	return r
}

// searched is the record of a search: who looked for what, and how much he was
// shown. Which candidates is not in it: each use is decided and recorded again.
func (p *PDP) searched(s Search, f Found, failed error) ledger.Event {
	object := ledger.Object{Kind: "resource", ID: s.Base.Resource}
	if s.Kind == SearchResource || object.ID == "" {
		object = ledger.Object{Kind: "catalogue", ID: "all"}
	}
	question, _ := asked(s.question(""))
	ev := ledger.Event{
		ID: f.ID, Type: EventSearch, Class: ledger.ClassAccess, Time: f.At, Actor: s.Asker, Object: object, Action: "search",
		Purpose: s.Base.Purpose, Outcome: ledger.Success, Target: s.Base.Target, Request: s.Base.ID, Policy: p.policy,
		Details: map[string]string{
			"kind": string(s.Kind), "engine": p.digests.Engine, "core": p.digests.Core, "site": p.digests.Site,
			"request_sm3": question, "candidates": strconv.Itoa(f.Weighed), "permitted": strconv.Itoa(len(f.Permitted)),
		},
	}
	for key, value := range map[string]string{"subject": s.question("").SubjectID, "searched_action": string(s.question("").Action)} {
		if value != "" {
			ev.Details[key] = value
		}
	}
	if failed != nil {
		ev.Outcome = ledger.Failure
	}
	return ev
}
