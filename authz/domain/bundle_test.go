package domain_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/yinxin-gov/yinxin/authz/domain"
	"github.com/yinxin-gov/yinxin/authz/sandbox"
)

func TestBundleRefused(t *testing.T) {
	for name, tc := range map[string]struct {
		edit func(*domain.Bundle)
		want error
	}{
		"no name":              {func(b *domain.Bundle) { b.Name = "" }, domain.ErrInvalid},
		"a name that turns":    {func(b *domain.Bundle) { b.Name = "样例\u202e" }, domain.ErrInvalid},
		"domain in capitals":   {func(b *domain.Bundle) { b.Domain = "App" }, domain.ErrInvalid},
		"no system":            {func(b *domain.Bundle) { b.System = "" }, domain.ErrInvalid},
		"no type":              {func(b *domain.Bundle) { b.Resources = nil }, domain.ErrInvalid},
		"a type twice":         {func(b *domain.Bundle) { b.Subjects = []string{"user", "user"} }, domain.ErrInvalid},
		"a type of the house":  {func(b *domain.Bundle) { b.Resources = []string{"holding"} }, domain.ErrReserved},
		"an action of spaces":  {func(b *domain.Bundle) { b.Actions = []string{"a b"} }, domain.ErrInvalid},
		"no modules":           {func(b *domain.Bundle) { b.Modules = nil }, domain.ErrInvalid},
		"a path upwards":       {func(b *domain.Bundle) { b.Modules["../../a.rego"] = "x" }, domain.ErrInvalid},
		"an absolute path":     {func(b *domain.Bundle) { b.Modules["/etc/a.rego"] = "x" }, domain.ErrInvalid},
		"another kind of file": {func(b *domain.Bundle) { b.Tests = map[string]string{"a.zip": "x"} }, domain.ErrInvalid},
		"module and test":      {func(b *domain.Bundle) { b.Tests = map[string]string{"a.rego": "x"} }, domain.ErrInvalid},
		"a type of property":   {func(b *domain.Bundle) { b.Input.Context["x"] = "any" }, domain.ErrInvalid},
		"data an array":        {func(b *domain.Bundle) { b.Data = json.RawMessage(`[]`) }, domain.ErrInvalid},
		"subjects a list":      {func(b *domain.Bundle) { b.Data = json.RawMessage(`{"subjects":["u"]}`) }, domain.ErrInvalid},
		"only yes":             {func(b *domain.Bundle) { b.Cases = b.Cases[:1] }, domain.ErrInvalid},
		"only no":              {func(b *domain.Bundle) { b.Cases = b.Cases[1:] }, domain.ErrInvalid},
		"10 MB":                {func(b *domain.Bundle) { b.Data = json.RawMessage(`{"x":"` + strings.Repeat("x", 10<<20) + `"}`) }, sandbox.ErrSize},
	} {
		b := bundle("app", "sys-a", "record", "")
		tc.edit(&b)
		if _, err := domain.Parse(raw(t, b)); !errors.Is(err, tc.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	good := string(raw(t, bundle("app", "sys-a", "record", "")))
	for name, text := range map[string]string{
		"unknown member": strings.Replace(good, `{"domain"`, `{"net":true,"domain"`, 1), "two": good + good, "cut": good[:len(good)-2], "not UTF-8": strings.Replace(good, "样", "\xff", 1), "an array": "[]", "null": "null", "nothing": "",
	} {
		if _, err := domain.Parse([]byte(text)); !errors.Is(err, domain.ErrInvalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// The digest is over what a bundle says, not over how it is written.
func TestDigest(t *testing.T) {
	b := bundle("app", "sys-a", "record", "")
	var spaced bytes.Buffer
	ok(t, json.Indent(&spaced, raw(t, b), "", "   "))
	again, err := domain.Parse(spaced.Bytes())
	ok(t, err)
	if again.Digest() != b.Digest() || len(b.Digest()) != 64 {
		t.Errorf("%s %s", again.Digest(), b.Digest())
	}
	for name, edit := range map[string]func(*domain.Bundle){
		"rules": func(b *domain.Bundle) { b.Modules["a.rego"] += " " }, "data": func(b *domain.Bundle) { b.Data = json.RawMessage(`{"a":1}`) },
		"types": func(b *domain.Bundle) { b.Resources = []string{"file"} }, "callers": func(b *domain.Bundle) { b.Callers = []string{"sys-z"} },
		"cases": func(b *domain.Bundle) { b.Cases[0].Name = "other" }, "system": func(b *domain.Bundle) { b.System = "sys-z" },
	} {
		other := bundle("app", "sys-a", "record", "")
		if edit(&other); other.Digest() == b.Digest() {
			t.Errorf("%s is not in the digest", name)
		}
	}
}

func TestReadFolder(t *testing.T) {
	file := func(s string) *fstest.MapFile { return &fstest.MapFile{Data: []byte(s)} }
	folder := fstest.MapFS{
		"domain.yaml": file("domain: app\nname: 样例\nsystem: sys-a\nresource_types: [record]\nsubject_types: [user]\nactions: [read]\ninput:\n  subject: {role: string}\n"),
		"cases.yaml": file("- {name: yes, subject: {type: user, id: u, properties: {role: a}}, action: {name: read}, resource: {type: record, id: r}, allow: true}\n" +
			"- {name: no, subject: {type: user, id: u}, action: {name: read}, resource: {type: record, id: r}, allow: false}\n"),
		"a.rego": file("package yinxin.app\n\ndefault allow := false\n\nallow if input.subject.properties.role == \"a\"\n"), "a_test.rego": file("package yinxin.app\n\ntest_a if true\n"),
		"below/b.rego": file("package x"), "notes.txt": file("x"),
	}
	b, err := domain.ReadFolder(folder)
	ok(t, err)
	if len(b.Modules) != 1 || len(b.Tests) != 1 || len(b.Cases) != 2 || b.Data != nil {
		t.Errorf("%+v", b)
	}
	out, err := domain.Check(t.Context(), sandbox.Config{}, b, time.Unix(0, 0))
	if err != nil || len(out) != 3 {
		t.Errorf("%+v %v", out, err)
	}
	for name, edit := range map[string]func(){
		"unknown key": func() { folder["domain.yaml"] = file("domain: app\nnet: true\n") },
		"no cases":    func() { delete(folder, "cases.yaml") },
		"large":       func() { folder["a.rego"] = file(strings.Repeat("#", 70<<10)) },
	} {
		if edit(); true {
			if _, err := domain.ReadFolder(folder); err == nil {
				t.Errorf("%s is read", name)
			}
		}
	}
}

func FuzzParse(f *testing.F) {
	b := bundle("app", "sys-a", "record", "")
	good, err := json.Marshal(b)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	f.Add([]byte(`{}`))
	f.Add([]byte(`{"data":{"a":1e999}}`))
	f.Fuzz(func(t *testing.T, in []byte) {
		b, err := domain.Parse(in)
		if err != nil {
			return
		}
		canonical, err := b.Canonical()
		if err != nil {
			t.Fatal(err)
		}
		again, err := domain.Parse(canonical)
		if err != nil || again.Digest() != b.Digest() {
			t.Fatal(fmt.Sprint(err), string(canonical))
		}
	})
}
