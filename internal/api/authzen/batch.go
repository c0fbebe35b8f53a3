package authzen

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
)

// Semantics of a batch.
const (
	executeAll          = "execute_all"
	denyOnFirstDeny     = "deny_on_first_deny"
	permitOnFirstPermit = "permit_on_first_permit"
)

// evaluations answers a batch in order. An item that cannot be evaluated is a
// denial with its error; a payload that makes no sense as a whole is 400.
func (e *endpoint) evaluations(w http.ResponseWriter, r *http.Request) {
	caller, body, done, fail := e.open(w, r)
	defer done()
	if fail != nil {
		fail.write(w, r)
		return
	}
	items, semantic, err := batch(body)
	if err != nil {
		(&failure{http.StatusBadRequest, err.Error()}).write(w, r)
		return
	}
	if len(items) == 0 {
		e.single(w, r, caller, body)
		return
	}
	out := make([]response, 0, len(items))
	for _, item := range items {
		d, fail := e.ask(r, caller, item)
		if fail != nil {
			out = append(out, response{false, failureContext{fail}})
		} else {
			out = append(out, answer(d))
		}
		allow := out[len(out)-1].Decision
		if semantic == denyOnFirstDeny && !allow || semantic == permitOnFirstPermit && allow {
			break
		}
	}
	writeJSON(w, map[string]any{"evaluations": out})
}

// batch lays each item over the top-level defaults: an entity that the item
// gives replaces the whole default entity. Only the names that an entity must
// have (type, id, name) fall back to the default's, properties never do
// (certification scenario, batch with default value merging).
func batch(body object) ([]object, string, error) {
	semantic, err := semanticOf(body)
	if err != nil || !body.has("evaluations") {
		return nil, semantic, err
	}
	var raw []json.RawMessage
	if json.Unmarshal(body["evaluations"], &raw) != nil {
		return nil, "", fmt.Errorf("evaluations must be an array")
	}
	if len(raw) > maxItems {
		return nil, "", fmt.Errorf("more than %d evaluations", maxItems)
	}
	defaults := object{}
	for _, name := range []string{"subject", "action", "resource", "context"} {
		if body.has(name) {
			defaults[name] = body[name]
		}
	}
	items := make([]object, len(raw))
	for i := range raw {
		var given object
		if json.Unmarshal(raw[i], &given) != nil || given == nil {
			return nil, "", fmt.Errorf("evaluations[%d] must be an object", i)
		}
		items[i] = maps.Clone(defaults)
		maps.Copy(items[i], given)
		for _, name := range []string{"subject", "action", "resource"} {
			if given.has(name) && defaults.has(name) {
				items[i][name] = named(given[name], defaults[name])
			}
		}
	}
	return items, semantic, nil
}

// named is entity with the required names that it lacks; what is no object is
// left for the mapping to refuse.
func named(entity, from json.RawMessage) json.RawMessage {
	var into, defaults object
	if json.Unmarshal(entity, &into) != nil || json.Unmarshal(from, &defaults) != nil {
		return entity
	}
	for _, name := range []string{"type", "id", "name"} {
		if _, there := into[name]; !there && defaults.has(name) {
			into[name] = defaults[name]
		}
	}
	merged, err := json.Marshal(into)
	if err != nil {
		return entity
	}
	return merged
}

func semanticOf(body object) (string, error) {
	options, err := body.object("options")
	if err != nil {
		return "", err
	}
	s, err := options.text("options", "evaluations_semantic")
	switch {
	case err != nil:
		return "", err
	case s == "":
		return executeAll, nil
	case s == executeAll || s == denyOnFirstDeny || s == permitOnFirstPermit:
		return s, nil
	}
	return "", fmt.Errorf("options.evaluations_semantic %.40q is unknown", s)
}
