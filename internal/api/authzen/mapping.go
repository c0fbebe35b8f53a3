package authzen

import (
	"fmt"

	"github.com/yinxin-gov/yinxin/authz"
	"github.com/yinxin-gov/yinxin/authz/level"
)

// maxRequestID bounds what of X-Request-ID goes into the record.
const maxRequestID = 256

// mapRequest turns the entities of one evaluation into a typed request.
// Purpose, fields, target_label and new_grade may stand in action.properties
// or in context, not in both: two answers to one question are none.
func mapRequest(body object) (authz.Request, error) {
	var r authz.Request
	subject, err := entity(body, "subject")
	if err != nil {
		return r, err
	}
	action, err := entity(body, "action")
	if err != nil {
		return r, err
	}
	resource, err := entity(body, "resource")
	if err != nil {
		return r, err
	}
	context, err := body.object("context")
	if err != nil {
		return r, err
	}
	properties, err := action.object("properties")
	if err != nil {
		return r, err
	}
	for _, f := range []struct {
		from     object
		in, name string
		into     *string
	}{
		{subject, "subject", "type", &r.SubjectType}, {subject, "subject", "id", &r.SubjectID},
		{resource, "resource", "id", &r.Resource}, {action, "action", "name", (*string)(&r.Action)},
	} {
		if *f.into, err = f.from.need(f.in, f.name); err != nil {
			return r, err
		}
	}
	if _, err = resource.need("resource", "type"); err != nil {
		return r, err
	}
	if err = mapContext(&r, context); err != nil {
		return r, err
	}
	return r, mapTerms(&r, properties, context)
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
