package authzen

import (
	"fmt"

	"github.com/yinxin-gov/yinxin/authz"
	"github.com/yinxin-gov/yinxin/authz/level"
)

// maxRequestID bounds what of X-Request-ID goes into the record.
const maxRequestID = 256

// mapEvaluation reads the entities of one evaluation; terms makes a typed request of
// it. Purpose, fields, target_label and new_grade may stand in action.properties
// or in context, not in both: two answers to one question are none. The entity
// that a search leaves open needs no id, and one that is there is not read;
// of an action that is searched for nothing is.
func mapEvaluation(body object, open authz.SearchKind) (q Evaluation, err error) {
	var subject, action, resource object
	if subject, err = entity(body, "subject"); err != nil {
		return q, err
	}
	if open != authz.SearchAction {
		if action, err = entity(body, "action"); err != nil {
			return q, err
		}
	}
	if resource, err = entity(body, "resource"); err != nil {
		return q, err
	}
	if q.Context, err = body.object("context"); err != nil {
		return q, err
	}
	for _, f := range []struct {
		from       object
		in         string
		properties *object
	}{{subject, "subject", &q.SubjectProperties}, {action, "action", &q.ActionProperties}, {resource, "resource", &q.ResourceProperties}} {
		if *f.properties, err = f.from.object("properties"); err != nil {
			return q, fmt.Errorf("%s.%w", f.in, err)
		}
	}
	for _, f := range []struct {
		from     object
		in, name string
		into     *string
		skip     bool
	}{
		{subject, "subject", "type", &q.SubjectType, false},
		{subject, "subject", "id", &q.SubjectID, open == authz.SearchSubject},
		{action, "action", "name", (*string)(&q.Action), open == authz.SearchAction},
		{resource, "resource", "type", &q.ResourceType, false},
		{resource, "resource", "id", &q.Resource, open == authz.SearchResource},
	} {
		if f.skip {
			continue
		}
		if *f.into, err = f.from.need(f.in, f.name); err != nil {
			return q, err
		}
	}
	return q, nil
}

// terms reads what the house's own rules know of properties and context. An
// application domain reads its own.
func (q *Evaluation) terms() error {
	if err := mapContext(&q.Request, q.Context); err != nil {
		return err
	}
	return mapTerms(&q.Request, q.ActionProperties, q.Context)
}

func entity(body object, name string) (object, error) {
	o, err := body.object(name)
	if err == nil && o == nil {
		err = fmt.Errorf("%s is required", name)
	}
	return o, err
}

func mapContext(r *authz.Request, context object) (err error) {
	if r.Target, err = context.text("context", "target_system"); err != nil {
		return err
	}
	if r.Sources, err = context.texts("context", "sources"); err != nil {
		return err
	}
	r.Carriers, err = context.texts("context", "carriers")
	return err
}

func mapTerms(r *authz.Request, properties, context object) (err error) {
	place := func(name string) (object, string, error) {
		switch {
		case properties.has(name) && context.has(name):
			return nil, "", fmt.Errorf("%s stands in action.properties and in context", name)
		case properties.has(name):
			return properties, "action.properties", nil
		}
		return context, "context", nil
	}
	from, in, err := place("purpose")
	if err != nil {
		return err
	}
	if r.Purpose, err = from.text(in, "purpose"); err != nil {
		return err
	}
	if from, in, err = place("fields"); err != nil {
		return err
	}
	if r.Fields, err = from.texts(in, "fields"); err != nil {
		return err
	}
	if from, in, err = place("cited_in"); err != nil {
		return err
	}
	if r.CitedIn, err = from.text(in, "cited_in"); err != nil {
		return err
	}
	if from, _, err = place("target_label"); err != nil {
		return err
	}
	if r.TargetLabel, err = mapLabel(from); err != nil {
		return err
	}
	if from, _, err = place("new_grade"); err != nil {
		return err
	}
	r.NewGrade, err = mapGrade(from)
	return err
}

func mapLabel(from object) (*level.Label, error) {
	const name = "target_label"
	o, err := from.object(name)
	if o == nil || err != nil {
		return nil, err
	}
	var n [3]uint8
	for i, member := range []string{"level", "required_s", "required_a"} {
		if n[i], err = o.small(name, member); err != nil {
			return nil, err
		}
	}
	names, err := o.texts(name, "tags")
	if err != nil {
		return nil, err
	}
	tags := make([]level.Tag, len(names))
	for i, t := range names {
		tags[i] = level.Tag(t)
	}
	l, err := level.New(level.Level(n[0]), n[1], n[2], tags...)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return &l, nil
}

func mapGrade(from object) (*level.Grade, error) {
	const name = "new_grade"
	o, err := from.object(name)
	if o == nil || err != nil {
		return nil, err
	}
	var g level.Grade
	if g.S, err = o.small(name, "s"); err != nil {
		return nil, err
	}
	if g.A, err = o.small(name, "a"); err != nil {
		return nil, err
	}
	if !g.Valid() {
		return nil, fmt.Errorf("%s: %w", name, level.ErrInvalid)
	}
	return &g, nil
}
