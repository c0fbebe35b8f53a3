package sandbox

import (
	"encoding/json"
	"testing"
)

// One question to a child that runs, with all that travels.
func BenchmarkEval(b *testing.B) {
	r, err := New(Config{}, source(head+`allow if data.domain.roles[input.who] == "admin"`))
	if err != nil {
		b.Fatal(err)
	}
	defer r.Close()
	in := json.RawMessage(`{"who":"bob"}`)
	for b.Loop() {
		if out, err := r.Eval(b.Context(), in); err != nil || string(out["allow"]) != "true" {
			b.Fatal(out, err)
		}
	}
}

// A child from nothing to its first answer.
func BenchmarkStart(b *testing.B) {
	for b.Loop() {
		r, err := New(Config{}, source(head))
		if err == nil {
			err = r.Load(b.Context())
		}
		if err != nil {
			b.Fatal(err)
		}
		if err := r.Close(); err != nil {
			b.Fatal(err)
		}
	}
}
