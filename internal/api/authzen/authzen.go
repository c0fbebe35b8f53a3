// Package authzen is the wire surface of the decision point: the OpenID AuthZEN
// Authorization API 1.0 (Access Evaluation, Access Evaluations, the three
// searches with paging, metadata) over plain net/http, and the Data API of OPA
// for one path, PathOPA, with the same answers and the same authentication.
//
// It refuses a caller that is not authenticated (401), a question about another
// agency's subject (403), a body over 1 MiB, also unpacked (413), an encoding other
// than gzip (415), more questions at once than one caller may have (429), and
// anything that is not the I-JSON object of the standard (400): a level that is no
// number never gets past here. Unknown members are ignored. What a caller sends may only narrow:
// labels, grades and agreements come from the store, never from properties.
// A decision that could not be made or recorded is 500, never a permit
// (西政办发〔2014〕14号 art. 29).
package authzen

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"

	"github.com/yinxin-gov/yinxin/authz"
	"github.com/yinxin-gov/yinxin/authz/ledger"
	"github.com/yinxin-gov/yinxin/internal/api/wire"
)

// Paths of the standard.
const (
	PathEvaluation  = wire.PathEvaluation
	PathEvaluations = wire.PathEvaluations
	PathSearch      = wire.PathSearch
	PathMetadata    = wire.PathAuthZEN
)

// Bounds of a request.
const (
	maxBody   = 1 << 20
	maxItems  = 256
	maxAtOnce = 1024 // questions of one caller
)

// MayAsk says whether a calling system may ask about a subject.
type MayAsk interface {
	MayAsk(ctx context.Context, caller, subjectType, subjectID string) (bool, error)
}

// Config is what the endpoint needs; all fields are required.
type Config struct {
	Decider Decider
	MayAsk  MayAsk
	// Platform says whether a caller is an exchange platform, which asks for any system
	// whose information it carries (X14-05); nil: none is.
	Platform func(ctx context.Context, caller string) (bool, error)
	// Domains answer for resource types that are none of the house's; nil: there are none.
	Domains Domains
	// Candidates and Actions are what searches choose from.
	Candidates Candidates
	Actions    []string
	// Caller is the system that authenticated, by its client certificate or a token
	// that is bound to it. It stands in the record of the decision.
	Caller func(*http.Request) (system ledger.Actor, ok bool)
	// Identifier is the https URL of this decision point, without query,
	// fragment or trailing slash.
	Identifier string
}

// ErrConfig: New lacks a dependency or a usable identifier.
var ErrConfig = errors.New("authzen: incomplete configuration")

type endpoint struct {
	Config
	busy busy
}

// New returns the handler of these paths; any other path is 404, another
// method 405.
func New(c Config) (http.Handler, error) {
	u, err := url.Parse(c.Identifier)
	if err != nil || u.Scheme != "https" || u.Host == "" || u.RawQuery != "" || u.Fragment != "" || u.Path != "" {
		return nil, fmt.Errorf("%w: identifier %q", ErrConfig, c.Identifier)
	}
	if c.Decider == nil || c.MayAsk == nil || c.Candidates == nil || len(c.Actions) == 0 || c.Caller == nil {
		return nil, ErrConfig
	}
	e := &endpoint{Config: c, busy: busy{most: maxAtOnce, of: map[string]int{}}}
	mux := http.NewServeMux()
	mux.HandleFunc("POST "+PathEvaluation, e.evaluation)
	mux.HandleFunc("POST "+PathEvaluations, e.evaluations)
	for _, kind := range []authz.SearchKind{authz.SearchSubject, authz.SearchResource, authz.SearchAction} {
		mux.HandleFunc("POST "+PathSearch+string(kind), e.search(kind))
	}
	mux.HandleFunc("POST "+PathOPA, e.opa)
	mux.HandleFunc("POST "+pathData, e.undefined)
	mux.HandleFunc("GET "+PathMetadata, e.metadata)
	return echo(mux), nil
}

// echo returns X-Request-ID unchanged, also on errors.
func echo(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if id := r.Header.Get("X-Request-ID"); id != "" {
			w.Header().Set("X-Request-ID", id)
		}
		next.ServeHTTP(w, r)
	})
}

func (e *endpoint) metadata(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Cache-Control", "public, max-age=3600")
	writeJSON(w, map[string]any{
		"policy_decision_point":       e.Identifier,
		"access_evaluation_endpoint":  e.Identifier + PathEvaluation,
		"access_evaluations_endpoint": e.Identifier + PathEvaluations,
		"search_subject_endpoint":     e.Identifier + PathSearch + string(authz.SearchSubject),
		"search_resource_endpoint":    e.Identifier + PathSearch + string(authz.SearchResource),
		"search_action_endpoint":      e.Identifier + PathSearch + string(authz.SearchAction),
		"capabilities":                capabilities(),
	})
}

// capabilities are ours: the standard leaves the names to registries, and says
// that a client ignores what it does not know.
func capabilities() []string {
	return []string{
		"urn:x-yinxin:authzen:reason-codes", "urn:x-yinxin:authzen:obligations", "urn:x-yinxin:authzen:ledger-entry",
		"urn:x-yinxin:authzen:replay",
	}
}

func (e *endpoint) evaluation(w http.ResponseWriter, r *http.Request) {
	caller, body, done, fail := e.open(w, r)
	defer done()
	if fail != nil {
		fail.write(w, r)
		return
	}
	e.single(w, r, caller, body)
}

func (e *endpoint) single(w http.ResponseWriter, r *http.Request, caller ledger.Actor, body object) {
	d, fail := e.ask(r, caller, body)
	if fail != nil {
		fail.write(w, r)
		return
	}
	writeJSON(w, answer(d))
}

// open authenticates the caller before a byte of the body is read. done ends the
// question, whatever became of it.
func (e *endpoint) open(w http.ResponseWriter, r *http.Request) (caller ledger.Actor, body object, done func(), fail *failure) {
	w.Header().Set("Cache-Control", "no-store")
	caller, ok := e.Caller(r)
	if !ok || caller.ID == "" {
		w.Header().Set("WWW-Authenticate", `Certificate realm="yinxin"`)
		return ledger.Actor{}, nil, func() {}, &failure{http.StatusUnauthorized, "a client certificate of a registered system is required"}
	}
	done, ok = e.busy.enter(caller.ID)
	if !ok {
		w.Header().Set("Retry-After", "1")
		return caller, nil, done, &failure{http.StatusTooManyRequests, fmt.Sprintf("more than %d questions of this system at once", e.busy.most)}
	}
	body, fail = readBody(w, r)
	return caller, body, done, fail
}

// ask maps one evaluation and decides it.
func (e *endpoint) ask(r *http.Request, caller ledger.Actor, body object) (authz.Decision, *failure) {
	q, err := mapEvaluation(body, "")
	if err != nil {
		return authz.Decision{}, &failure{http.StatusBadRequest, err.Error()}
	}
	q.ID = requestID(r)
	d, err := e.domainOf(r.Context(), q)
	switch {
	case err != nil:
		return authz.Decision{}, failed()
	case d != nil:
		return inDomain(r.Context(), d, caller, q)
	}
	if err := q.terms(); err != nil {
		return authz.Decision{}, &failure{http.StatusBadRequest, err.Error()}
	}
	return e.decide(r, caller, q)
}

// domainOf is who answers q rather than the house.
func (e *endpoint) domainOf(ctx context.Context, q Evaluation) (Domain, error) {
	if e.Domains == nil {
		return nil, nil
	}
	return e.Domains.Of(ctx, q.ResourceType, q.Resource)
}

// inDomain asks an application domain. Its subjects are its own, so that who may ask
// is a question of the system alone.
func inDomain(ctx context.Context, d Domain, caller ledger.Actor, q Evaluation) (authz.Decision, *failure) {
	if !d.MayAsk(caller) {
		return authz.Decision{}, &failure{http.StatusForbidden, "the application domain is another system's"}
	}
	q.Caller = caller
	out, err := d.Decide(ctx, q)
	if err != nil {
		return authz.Decision{}, failed()
	}
	return out, nil
}

// decide checks who asks first.
func (e *endpoint) decide(r *http.Request, caller ledger.Actor, q Evaluation) (authz.Decision, *failure) {
	may, err := e.MayAsk.MayAsk(r.Context(), caller.ID, q.SubjectType, q.SubjectID)
	if err == nil && !may && e.Platform != nil && q.SubjectType == authz.SubjectSystem && slices.Contains(q.Carriers, caller.ID) {
		may, err = e.Platform(r.Context(), caller.ID)
	}
	if err != nil {
		return authz.Decision{}, failed()
	}
	if !may {
		return authz.Decision{}, &failure{http.StatusForbidden, "the caller may ask for subjects of its own agency only"}
	}
	q.Caller = caller
	d, err := e.Decider.Decide(r.Context(), q)
	if err != nil {
		return authz.Decision{}, failed()
	}
	return d, nil
}

// requestID is what of X-Request-ID goes into the record.
func requestID(r *http.Request) string {
	if id := r.Header.Get("X-Request-ID"); len(id) <= maxRequestID {
		return id
	}
	return ""
}
