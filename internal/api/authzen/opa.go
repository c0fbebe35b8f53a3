package authzen

import (
	"encoding/json"
	"net/http"
	"strings"

	"github.com/yinxin-gov/yinxin/internal/api/wire"
)

// PathOPA answers integrations that speak to an OPA server: {"input": …} with
// the members of authz.Request. One question has one answer at either door.
const PathOPA = wire.PathOPA

// pathData is everything else of the Data API.
const pathData = wire.PathData

// opaAnswer is the Data API's answer. Result is left out for what is undefined,
// as OPA does; the decision itself always has one.
type opaAnswer struct {
	ID     string          `json:"decision_id,omitempty"`
	Result json.RawMessage `json:"result,omitempty"`
}

type opaResult struct {
	Allow bool `json:"allow"`
	answerContext
}

func (e *endpoint) opa(w http.ResponseWriter, r *http.Request) { e.data(w, r, "") }

// undefined answers the other paths of the Data API: the one member that gateways
// ask for by its path, and nothing ({}) for what is not defined here, which clients
// of OPA take for a denial.
func (e *endpoint) undefined(w http.ResponseWriter, r *http.Request) {
	path := strings.TrimSuffix(r.URL.Path, "/")
	if member, in := strings.CutPrefix(path, PathOPA+"/"); in && member == "allow" || path == PathOPA {
		e.data(w, r, member)
		return
	}
	_, _, done, fail := e.open(w, r)
	defer done()
	if fail != nil {
		fail.writeOPA(w)
		return
	}
	writeJSON(w, opaAnswer{})
}

// data decides and shows the whole result or one member of it. What OPA would do
// for pretty, metrics or explain is not done: no client needs it to go on.
func (e *endpoint) data(w http.ResponseWriter, r *http.Request, member string) {
	caller, body, done, fail := e.open(w, r)
	defer done()
	if fail != nil {
		fail.writeOPA(w)
		return
	}
	q, err := mapInput(body)
	if err != nil {
		(&failure{http.StatusBadRequest, err.Error()}).writeOPA(w)
		return
	}
	if id := requestID(r); id != "" || len(q.ID) > maxRequestID {
		q.ID = id
	}
	d, fail := e.decide(r, caller, q)
	if fail != nil {
		fail.writeOPA(w)
		return
	}
	var result any = opaResult{d.Allow, contextOf(d)}
	if member == "allow" {
		result = d.Allow
	}
	raw, err := json.Marshal(result)
	if err != nil {
		failed().writeOPA(w)
		return
	}
	writeJSON(w, opaAnswer{d.ID, raw})
}

// mapInput reads the typed request. Subject and action are required; the rules
// say what else an action needs.
func mapInput(body object) (q Evaluation, err error) {
	in, err := entity(body, "input")
	if err != nil {
		return q, err
	}
	for _, f := range []struct {
		name string
		into *string
	}{{"subject_type", &q.SubjectType}, {"subject_id", &q.SubjectID}, {"action", (*string)(&q.Action)}} {
		if *f.into, err = in.need("input", f.name); err != nil {
			return q, err
		}
	}
	for _, f := range []struct {
		name string
		into *string
	}{{"id", &q.ID}, {"resource", &q.Resource}, {"target", &q.Target}, {"purpose", &q.Purpose}, {"cited_in", &q.CitedIn}} {
		if *f.into, err = in.text("input", f.name); err != nil {
			return q, err
		}
	}
	for _, f := range []struct {
		name string
		into *[]string
	}{{"sources", &q.Sources}, {"carriers", &q.Carriers}, {"fields", &q.Fields}} {
		if *f.into, err = in.texts("input", f.name); err != nil {
			return q, err
		}
	}
	if q.TargetLabel, err = mapLabel(in); err != nil {
		return q, err
	}
	q.NewGrade, err = mapGrade(in)
	return q, err
}

// writeOPA is a failure in the shape of OPA's errors.
func (f *failure) writeOPA(w http.ResponseWriter) {
	code := map[int]string{
		http.StatusUnauthorized: "unauthorized", http.StatusForbidden: "unauthorized",
		http.StatusInternalServerError: "internal_error", http.StatusTooManyRequests: "too_many_requests",
	}[f.Status]
	if code == "" {
		code = "invalid_parameter"
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(f.Status)
	// A client that went away cannot be told anything more.
	_ = json.NewEncoder(w).Encode(map[string]string{"code": code, "message": f.Message})
}
