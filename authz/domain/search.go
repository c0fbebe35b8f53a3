package domain

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/emmansun/gmsm/sm3"

	"github.com/yinxin-gov/yinxin/authz/ledger"
)

func sum(raw []byte) string {
	s := sm3.Sum(raw)
	return hex.EncodeToString(s[:])
}

// Kind is the part of a question that a search leaves open.
type Kind string

// Kinds of searches.
const (
	KindSubject  Kind = "subject"
	KindResource Kind = "resource"
	KindAction   Kind = "action"
)

// Search asks one question about many candidates.
type Search struct {
	Kind       Kind
	Base       Question
	Candidates []string
	Limit      int // permitted candidates to stop at; 0: none
}

// Found is the answer to a Search.
type Found struct {
	ID        string
	Permitted []string
	Weighed   int // candidates that are dealt with
	Engine    string
	Bundle    string
	At        time.Time
	Receipt   ledger.Receipt
}

// Candidates lists at most limit ids that data names, or the declared actions, behind
// after, in order. What the catalogue knows is none of the domain's.
func (d *Domain) Candidates(ctx context.Context, kind Kind, entityType, after string, limit int) ([]string, error) {
	var all []string
	switch kind {
	case KindSubject:
		all = sorted(d.listed.Subjects[entityType])
	case KindResource:
		all = sorted(d.listed.Resources[entityType])
	case KindAction:
		all = slices.Sorted(slices.Values(d.bundle.Actions))
	}
	all = slices.DeleteFunc(all, func(id string) bool { return id <= after })
	all = all[:min(limit, len(all))]
	if kind != KindResource || len(all) == 0 {
		return all, nil
	}
	var known []string
	for ids := range slices.Chunk(all, lookup) {
		some, err := d.service.cfg.Catalogue.Catalogued(ctx, ids)
		if err != nil {
			return nil, err
		}
		known = append(known, some...)
	}
	return slices.DeleteFunc(all, func(id string) bool { return slices.Contains(known, id) }), nil
}

func sorted(ids map[string]json.RawMessage) []string { return slices.Sorted(maps.Keys(ids)) }

// searchTime bounds a page of a domain whose rules are slow.
const searchTime = 10 * time.Second

// Search evaluates each candidate and writes one entry with the counts. Where the
// domain fails, nothing is found: half an answer would look like a whole one.
func (d *Domain) Search(ctx context.Context, s Search) (Found, error) {
	svc := d.service
	f := Found{ID: svc.cfg.NewID(), At: svc.now(), Engine: svc.engine, Bundle: d.Digest}
	var failed *Reason
	short, cancel := context.WithTimeout(ctx, searchTime)
	defer cancel()
	for _, c := range s.Candidates {
		if err := ctx.Err(); err != nil {
			return Found{}, err
		}
		if short.Err() != nil && f.Weighed > 0 { // the next page goes on here
			break
		}
		w := d.weigh(ctx, s.question(c), f.At)
		if w.fails {
			failed, f.Permitted, f.Weighed = w.why, nil, len(s.Candidates)
			break
		}
		f.Weighed++
		if w.allow && w.why == nil {
			f.Permitted = append(f.Permitted, c)
		}
		if s.Limit > 0 && len(f.Permitted) == s.Limit {
			break
		}
	}
	rc, err := svc.cfg.Recorder.Record(ctx, d.searched(s, f, failed))
	if errors.Is(err, ledger.ErrInvalidEvent) {
		return Found{}, fmt.Errorf("%w: text that may not be written", ErrInvalid)
	}
	if err != nil {
		return Found{}, fmt.Errorf("%w: %w", ErrRecord, err)
	}
	f.Receipt = rc
	return f, nil
}

func (s Search) question(candidate string) Question {
	q := s.Base
	switch s.Kind {
	case KindSubject:
		q.Subject = candidate
	case KindResource:
		q.Resource = candidate
	case KindAction:
		q.Action, q.OfAction = candidate, nil
	}
	return q
}

// searched is the record of a search, with counts only: each use is decided and
// recorded again.
func (d *Domain) searched(s Search, f Found, failed *Reason) ledger.Event {
	q := s.question("")
	ev := ledger.Event{
		ID: f.ID, Type: EventSearch, Class: ledger.ClassAccess, Time: f.At, Actor: q.Caller, Object: ledger.Object{Kind: "app_domain", ID: d.ID},
		Action: "search", Outcome: ledger.Success, Request: q.ID, Policy: d.Digest,
		Details: map[string]string{
			"domain": d.Version.Domain, "kind": string(s.Kind), "engine": f.Engine, "candidates": strconv.Itoa(len(s.Candidates)), "permitted": strconv.Itoa(len(f.Permitted)),
		},
	}
	for name, value := range map[string]string{"subject_type": q.SubjectType, "subject": q.Subject, "resource_type": q.ResourceType, "resource": q.Resource, "searched_action": q.Action} {
		if value != "" {
			ev.Details[name] = value
		}
	}
	if ev.Request == "" {
		ev.Request = f.ID
	}
	if failed != nil {
		ev.Outcome, ev.Reasons = ledger.Failure, []string{failed.Code}
		ev.Details["reason_details"] = failed.Detail
	}
	return ev
}
