package domain

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/yinxin-gov/yinxin/authz/ledger"
)

// Question is what a system asks its domain: the entities of AuthZEN with whatever
// properties it sent.
type Question struct {
	ID                                         string // of the request
	Caller                                     ledger.Actor
	SubjectType, Subject                       string
	Action                                     string
	ResourceType, Resource                     string
	OfSubject, OfAction, OfResource, InContext map[string]json.RawMessage
}

// input is what the policy sees: declared properties of the declared types, and the
// time. Its fields stand in the order of their names.
type input struct {
	Action   thing                      `json:"action"`
	Context  map[string]json.RawMessage `json:"context"`
	Now      int64                      `json:"now"` // milliseconds since 1970
	Resource thing                      `json:"resource"`
	Subject  thing                      `json:"subject"`
}

type thing struct {
	ID         string                     `json:"id,omitempty"`
	Name       string                     `json:"name,omitempty"`
	Properties map[string]json.RawMessage `json:"properties"`
	Type       string                     `json:"type,omitempty"`
}

// maxText bounds ids and types.
const maxText = 256

// misfit names the first part of a question that its declaration does not know.
type misfit string

func (m misfit) Error() string { return "domain: " + string(m) }

// input builds what is evaluated, in canonical bytes, or returns a misfit.
func (b Bundle) input(q Question, now time.Time) ([]byte, error) {
	for _, part := range []struct {
		name, value string
		known       []string
	}{
		{"subject.type", q.SubjectType, b.Subjects}, {"action.name", q.Action, b.Actions}, {"resource.type", q.ResourceType, b.Resources},
		{"subject.id", q.Subject, nil}, {"resource.id", q.Resource, nil},
	} {
		if part.value == "" || len(part.value) > maxText || part.known != nil && !slices.Contains(part.known, part.value) {
			return nil, misfit(part.name)
		}
	}
	in := input{
		Now: now.UnixMilli(), Action: thing{Name: q.Action}, Resource: thing{ID: q.Resource, Type: q.ResourceType}, Subject: thing{ID: q.Subject, Type: q.SubjectType},
	}
	for _, part := range []struct {
		name     string
		declared map[string]Type
		sent     map[string]json.RawMessage
		into     *map[string]json.RawMessage
	}{
		{"subject.properties", b.Input.Subject, q.OfSubject, &in.Subject.Properties}, {"action.properties", b.Input.Action, q.OfAction, &in.Action.Properties},
		{"resource.properties", b.Input.Resource, q.OfResource, &in.Resource.Properties}, {"context", b.Input.Context, q.InContext, &in.Context},
	} {
		*part.into = map[string]json.RawMessage{}
		for name, t := range part.declared {
			raw := bytes.TrimSpace(part.sent[name])
			if len(raw) == 0 || bytes.Equal(raw, []byte("null")) {
				continue
			}
			value, ok := t.read(raw)
			if !ok {
				return nil, misfit(part.name + "." + name)
			}
			(*part.into)[name] = value
		}
	}
	return json.Marshal(in)
}

// read is a value of this type in its canonical form.
func (t Type) read(raw json.RawMessage) (json.RawMessage, bool) {
	var v any
	switch t {
	case TypeString:
		v = new(string)
	case TypeNumber:
		v = new(json.Number)
		if raw[0] == '"' { // which json.Number would take
			return nil, false
		}
	case TypeBoolean:
		v = new(bool)
	case TypeStrings:
		v = new([]string)
		if raw[0] != '[' || bytes.Contains(raw, []byte("null")) && hasNull(raw) {
			return nil, false
		}
	default:
		return nil, false
	}
	if json.Unmarshal(raw, v) != nil {
		return nil, false
	}
	out, err := json.Marshal(v)
	return out, err == nil
}

// hasNull: a null in a list of texts would be read as an empty one.
func hasNull(raw json.RawMessage) bool {
	var list []*string
	return json.Unmarshal(raw, &list) != nil || slices.Contains(list, nil)
}

// question is a case as it would be asked.
func (c Case) question() (q Question, err error) {
	q = Question{SubjectType: c.Subject.Type, Subject: c.Subject.ID, Action: c.Action.Name, ResourceType: c.Resource.Type, Resource: c.Resource.ID}
	for _, part := range []struct {
		from map[string]any
		into *map[string]json.RawMessage
	}{{c.Subject.Properties, &q.OfSubject}, {c.Action.Properties, &q.OfAction}, {c.Resource.Properties, &q.OfResource}, {c.Context, &q.InContext}} {
		*part.into = map[string]json.RawMessage{}
		for name, v := range part.from {
			raw, err := json.Marshal(v)
			if err != nil {
				return q, fmt.Errorf("%w: case %q: %s", ErrInvalid, c.Name, name)
			}
			(*part.into)[name] = raw
		}
	}
	return q, nil
}

// Bounds of the reasons that a policy gives.
const (
	maxReasons = 16
	maxReason  = 64
)

// verdict reads what a policy answered: allow is exactly true or false, whatever else
// it is has no meaning. Reasons are short words, else there are none.
func verdict(results map[string]json.RawMessage) (allow bool, why []string, ok bool) {
	switch string(results[result]) {
	case "true":
		return true, nil, true
	case "false":
	default:
		return false, nil, false
	}
	if json.Unmarshal(results[reasons], &why) != nil || len(why) > maxReasons || slices.ContainsFunc(why, func(s string) bool {
		return len(s) > maxReason || !nameForm.MatchString(s)
	}) {
		return false, nil, true
	}
	return false, why, true
}

// said joins reasons for a detail.
func said(why []string) string { return strings.Join(why, ", ") }
