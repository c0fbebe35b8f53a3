package domain

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"github.com/yinxin-gov/yinxin/authz/sandbox"
)

// Input declares the properties that the policy reads, by name and type. What is not
// declared never reaches it; what is of another type is refused before it does: Rego
// orders a text above every number.
type Input struct {
	Subject  map[string]Type `json:"subject,omitempty" yaml:"subject"`
	Action   map[string]Type `json:"action,omitempty" yaml:"action"`
	Resource map[string]Type `json:"resource,omitempty" yaml:"resource"`
	Context  map[string]Type `json:"context,omitempty" yaml:"context"`
}

// Type of a property.
type Type string

// Types.
const (
	TypeString  Type = "string"
	TypeNumber  Type = "number"
	TypeBoolean Type = "boolean"
	TypeStrings Type = "strings" // a list of them
)

func (i Input) parts() map[string]map[string]Type {
	return map[string]map[string]Type{"subject": i.Subject, "action": i.Action, "resource": i.Resource, "context": i.Context}
}

// entities are the subjects and resources that data lists, for searches:
// {"subjects": {TYPE: {ID: …}}, "resources": {TYPE: {ID: …}}}.
type entities struct {
	Subjects  map[string]map[string]json.RawMessage `json:"subjects"`
	Resources map[string]map[string]json.RawMessage `json:"resources"`
}

func (b Bundle) entities() (e entities, err error) {
	if len(b.Data) == 0 {
		return e, nil
	}
	var object map[string]json.RawMessage
	if err := json.Unmarshal(b.Data, &object); err != nil || object == nil {
		return e, fmt.Errorf("%w: data is no object", ErrInvalid)
	}
	for name, into := range map[string]*map[string]map[string]json.RawMessage{"subjects": &e.Subjects, "resources": &e.Resources} {
		if raw, there := object[name]; there {
			if err := json.Unmarshal(raw, into); err != nil {
				return e, fmt.Errorf("%w: data.%s: an object of types, each an object of ids", ErrInvalid, name)
			}
		}
	}
	return e, nil
}

// source is what a child runs.
func (b Bundle) source() (sandbox.Source, error) {
	schema, err := json.Marshal(b.schema())
	return sandbox.Source{
		Modules: b.Modules, Tests: b.Tests, Data: b.Data, Schema: schema,
		Rules: sandbox.Rules{Package: Package, Data: dataName, Result: result, Also: []string{reasons}, Max: maxModule},
	}, err
}

// schema is the declared input as JSON Schema, so that a policy which reads what is
// not declared does not compile. It is made here: a schema of others could refer
// elsewhere.
func (b Bundle) schema() map[string]any {
	of := func(members map[string]any) map[string]any {
		return map[string]any{"type": "object", "properties": members, "additionalProperties": false}
	}
	word := map[string]any{"type": "string"}
	properties := func(declared map[string]Type) map[string]any {
		out := map[string]any{}
		for name, t := range declared {
			out[name] = map[string]any{"type": string(t)}
			if t == TypeStrings {
				out[name] = map[string]any{"type": "array", "items": word}
			}
		}
		return of(out)
	}
	return of(map[string]any{
		"subject":  of(map[string]any{"type": word, "id": word, "properties": properties(b.Input.Subject)}),
		"action":   of(map[string]any{"name": word, "properties": properties(b.Input.Action)}),
		"resource": of(map[string]any{"type": word, "id": word, "properties": properties(b.Input.Resource)}),
		"context":  properties(b.Input.Context),
		"now":      map[string]any{"type": "number"},
	})
}

// listed are the ids of resources that data names, of every type.
func (e entities) listed() (out []string) {
	for _, ids := range e.Resources {
		out = slices.AppendSeq(out, maps.Keys(ids))
	}
	slices.Sort(out)
	return slices.Compact(out)
}
