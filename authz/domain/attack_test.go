package domain_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/yinxin-gov/yinxin/authz/domain"
	"github.com/yinxin-gov/yinxin/authz/ledger"
)

const attacks = `
allow if {
	input.action.name == "loop"
	x := split("a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a", ",")
	count([1 | x[_]; x[_]; x[_]; x[_]; x[_]; x[_]]) < 0
}

allow if {
	input.action.name == "bomb"
	x := split("a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a", ",")
	a := concat("", [input.context.text | x[_]])
	b := concat("", [a | x[_]])
	c := concat("", [b | x[_]; x[_]])
	c == "x"
}
`

// A domain that loops or eats memory is denied with a code; another one answers
// meanwhile, and is no part of what failed.
func TestAttacksAreDenied(t *testing.T) {
	w := newWorld(t)
	w.inForce(bundle("bad", "sys-a", "record", attacks))
	w.inForce(bundle("good", "sys-b", "file", ""))
	bomb := ask("bomb")
	bomb.InContext = map[string]json.RawMessage{"text": json.RawMessage(`"` + strings.Repeat("x", 64<<10) + `"`)}
	for _, q := range []domain.Question{ask("loop"), bomb} { // a slow machine stops a bomb by the clock
		d, err := w.of("record", "r-1").Decide(t.Context(), q)
		if err != nil || d.Allow || len(d.Reasons) != 1 || d.Reasons[0].Code != domain.CodeError || !slices.Contains([]string{"time", "memory"}, d.Reasons[0].Detail) || d.Receipt.Seq == 0 {
			t.Errorf("%s: %+v %v", q.Action, d, err)
		}
		good := ask("read")
		good.ResourceType, good.Caller = "file", system("sys-b")
		if d, err := w.of("file", "r-1").Decide(t.Context(), good); err != nil || !d.Allow {
			t.Errorf("another domain after a %s: %+v %v", q.Action, d, err)
		}
	}
	found, err := w.of("record", "").Search(t.Context(), domain.Search{Kind: domain.KindResource, Base: bomb, Candidates: []string{"r-1", "r-2"}})
	if err != nil || len(found.Permitted) != 0 || found.Weighed != 2 || w.events[len(w.events)-1].Outcome != ledger.Failure {
		t.Errorf("%+v %v", found, err)
	}
}

// allow is exactly true, or it is a denial.
func TestOnlyTrueIsTrue(t *testing.T) {
	for name, value := range map[string]string{"a text": `"true"`, "a number": "1", "an object": `{"allow": true}`, "an array": "[true]", "null": "null", "a set": "{true}"} {
		w := newWorld(t)
		b := bundle("odd", "sys-a", "record", "")
		b.Modules = map[string]string{"a.rego": "package yinxin.app\n\ndefault allow := false\n\nallow if input.action.name == \"read\"\n\nallow := " + value + " if input.action.name == \"odd\"\n"}
		w.inForce(b)
		d, err := w.of("record", "r-1").Decide(t.Context(), ask("odd"))
		if err != nil || d.Allow || d.Reasons[0] != (domain.Reason{Code: domain.CodeError, Detail: "type"}) {
			t.Errorf("%s: %+v %v", name, d, err)
		}
	}
}

// What does not fit the declaration is denied before Rego sees it; what is not
// declared is not seen at all.
func TestTypesOfProperties(t *testing.T) {
	w := newWorld(t)
	w.inForce(bundle("typed", "sys-a", "record", "allow if input.subject.properties.level >= 4\n\nallow if {\n\tinput.action.name == \"write\"\n\tinput.action.properties.soft == true\n}\n"))
	for name, tc := range map[string]struct {
		properties map[string]json.RawMessage
		soft       string
		code       string
	}{
		"high enough":         {map[string]json.RawMessage{"level": json.RawMessage("4")}, "", ""},
		"too low":             {map[string]json.RawMessage{"level": json.RawMessage("3")}, "", domain.CodeDenied},
		"a text is above all": {map[string]json.RawMessage{"level": json.RawMessage(`"1"`)}, "", domain.CodeInput},
		"an array is, too":    {map[string]json.RawMessage{"level": json.RawMessage(`[]`)}, "", domain.CodeInput},
		"an object":           {map[string]json.RawMessage{"level": json.RawMessage(`{"a":1}`)}, "", domain.CodeInput},
		"null is nothing":     {map[string]json.RawMessage{"level": json.RawMessage("null")}, "", domain.CodeDenied},
		"not declared":        {map[string]json.RawMessage{"levels": json.RawMessage("9")}, "", domain.CodeDenied},
		"soft":                {nil, "true", ""},
		"soft as a text":      {nil, `"true"`, domain.CodeInput},
		"hard":                {nil, "false", domain.CodeDenied},
	} {
		q := ask("write")
		q.OfSubject = tc.properties
		if tc.soft != "" {
			q.OfAction = map[string]json.RawMessage{"soft": json.RawMessage(tc.soft)}
		}
		d, err := w.of("record", "r-1").Decide(t.Context(), q)
		if err != nil || d.Allow != (tc.code == "") || tc.code != "" && d.Reasons[0].Code != tc.code {
			t.Errorf("%s: %+v %v", name, d, err)
		}
	}
	for name, q := range map[string]domain.Question{
		"action": {SubjectType: "user", Subject: "u", Action: "drop", ResourceType: "record", Resource: "r"},
		"type":   {SubjectType: "robot", Subject: "u", Action: "read", ResourceType: "record", Resource: "r"},
		"long":   {SubjectType: "user", Subject: strings.Repeat("u", 300), Action: "read", ResourceType: "record", Resource: "r"},
		"id":     {SubjectType: "user", Action: "read", ResourceType: "record", Resource: "r"},
	} {
		q.Caller = system("sys-a")
		if d, err := w.of("record", "r").Decide(t.Context(), q); err != nil || d.Allow || d.Reasons[0].Code != domain.CodeInput {
			t.Errorf("%s: %+v %v", name, d, err)
		}
	}
}
