package authzen

import (
	"context"
	"errors"
	"net/http"
	"slices"

	"github.com/yinxin-gov/yinxin/authz"
)

// Bounds of a search: one answer, and how many candidates one request may have
// evaluated. A page may be short, also empty, and still have a next one.
const (
	maxPage = 100
	maxScan = 1000
)

// found is the answer of the standard; page is always there.
type found struct {
	Results []map[string]string `json:"results"`
	Page    pageAnswer          `json:"page"`
	Context *foundContext       `json:"context,omitempty"` // nil: nothing was looked up
}

type pageAnswer struct {
	NextToken string `json:"next_token"` // "": the end
	Count     int    `json:"count"`
}

type foundContext struct {
	ID      string        `json:"id"`
	Digests authz.Digests `json:"digests"`
	Ledger  position      `json:"ledger"`
}

// search answers one kind of search: candidates in order, each through the
// three guards, one entry on the ledger. A subject that is unknown or another
// agency's finds nothing, which is also what it may know about the register.
func (e *endpoint) search(kind authz.SearchKind) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		caller, body, done, fail := e.open(w, r)
		defer done()
		if fail != nil {
			fail.write(w, r)
			return
		}
		q, err := mapEvaluation(body, kind)
		if err != nil {
			(&failure{http.StatusBadRequest, err.Error()}).write(w, r)
			return
		}
		q.ID = requestID(r)
		p, err := pageOf(body, caller.ID, kind)
		if err != nil {
			(&failure{http.StatusBadRequest, err.Error()}).write(w, r)
			return
		}
		d, err := e.domainOf(r.Context(), q)
		if err != nil {
			failed().write(w, r)
			return
		}
		if d == nil {
			if err := q.terms(); err != nil {
				(&failure{http.StatusBadRequest, err.Error()}).write(w, r)
				return
			}
		}
		q.Caller = caller
		out, fail := e.find(r.Context(), kind, d, q, p)
		if fail != nil {
			fail.write(w, r)
			return
		}
		writeJSON(w, out)
	}
}

// find searches d, or the house where that is nil.
func (e *endpoint) find(ctx context.Context, kind authz.SearchKind, d Domain, q Evaluation, p page) (found, *failure) {
	if p.limit == 0 { // nothing is asked for: nothing is looked up
		return found{Results: []map[string]string{}, Page: pageAnswer{NextToken: p.next(p.after)}}, nil
	}
	decider, list := e.Decider, e.candidates
	if d != nil {
		decider, list = d, func(ctx context.Context, kind authz.SearchKind, q Evaluation, after string) ([]string, error) {
			return candidatesIn(ctx, d, kind, q, after)
		}
	}
	candidates, err := list(ctx, kind, q, p.after)
	if err != nil {
		return found{}, failed()
	}
	f, err := decider.Search(ctx, Search{
		Kind: kind, Base: q, Candidates: candidates, Limit: p.limit, Asker: q.Caller,
	})
	switch {
	case errors.Is(err, authz.ErrMalformed):
		return found{}, &failure{http.StatusBadRequest, err.Error()}
	case err != nil || f.Weighed > len(candidates):
		return found{}, failed()
	}
	out := found{Results: []map[string]string{}, Context: &foundContext{f.ID, f.Digests, position{f.Receipt.Shard, f.Receipt.Seq}}}
	for _, id := range f.Permitted {
		out.Results = append(out.Results, resultOf(kind, q, id))
	}
	out.Page.Count = len(out.Results)
	if f.Weighed < len(candidates) || len(candidates) == maxScan {
		out.Page.NextToken = p.next(candidates[f.Weighed-1])
	}
	return out, nil
}

// candidatesIn are none for a system that may not ask.
func candidatesIn(ctx context.Context, d Domain, kind authz.SearchKind, q Evaluation, after string) ([]string, error) {
	if !d.MayAsk(q.Caller) {
		return nil, nil
	}
	entityType := q.ResourceType
	if kind == authz.SearchSubject {
		entityType = q.SubjectType
	}
	return d.Candidates(ctx, kind, entityType, after, maxScan)
}

func (e *endpoint) candidates(ctx context.Context, kind authz.SearchKind, q Evaluation, after string) ([]string, error) {
	caller := q.Caller.ID
	if kind == authz.SearchSubject {
		return e.Candidates.Subjects(ctx, caller, q.SubjectType, after, maxScan)
	}
	may, err := e.MayAsk.MayAsk(ctx, caller, q.SubjectType, q.SubjectID)
	if err != nil || !may {
		return nil, err
	}
	if kind == authz.SearchResource {
		return e.Candidates.Resources(ctx, caller, q.ResourceType, after, maxScan)
	}
	names := slices.Sorted(slices.Values(e.Actions))
	return slices.DeleteFunc(names, func(name string) bool { return name <= after }), nil
}

func resultOf(kind authz.SearchKind, q Evaluation, id string) map[string]string {
	switch kind {
	case authz.SearchSubject:
		return map[string]string{"type": q.SubjectType, "id": id}
	case authz.SearchResource:
		return map[string]string{"type": q.ResourceType, "id": id}
	}
	return map[string]string{"name": id}
}
