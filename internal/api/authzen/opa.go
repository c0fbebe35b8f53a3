package authzen

import (
	"encoding/json"
	"net/http"

	"github.com/yinxin-gov/yinxin/internal/api/wire"
)

// PathOPA answers integrations that speak to an OPA server: {"input": …} with
// the members of authz.Request. One question has one answer at either door.
const PathOPA = wire.PathOPA

// opaAnswer is the Data API's answer; result is never left out, which OPA's
// clients would take for "undefined".
type opaAnswer struct {
	ID     string    `json:"decision_id"`
	Result opaResult `json:"result"`
}

type opaResult struct {
	Allow bool `json:"allow"`
	answerContext
}

func (e *endpoint) opa(w http.ResponseWriter, r *http.Request) {
	caller, body, fail := e.open(w, r)
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
	writeJSON(w, opaAnswer{d.ID, opaResult{d.Allow, contextOf(d)}})
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
	}{{"id", &q.ID}, {"resource", &q.Resource}, {"target", &q.Target}, {"purpose", &q.Purpose}} {
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
		http.StatusInternalServerError: "internal_error",
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
