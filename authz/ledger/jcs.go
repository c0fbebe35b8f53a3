package ledger

import (
	"maps"
	"slices"
)

// canon writes the members of one JSON object in RFC 8785 form. The caller
// gives them in order; canonicalText has refused control characters, so quote
// and backslash are all that needs an escape.
type canon struct {
	b []byte
}

func (w *canon) key(k string) {
	if n := len(w.b); n > 0 && w.b[n-1] != '{' {
		w.b = append(w.b, ',')
	}
	w.b = append(w.b, '"')
	w.b = append(w.b, k...)
	w.b = append(w.b, '"', ':')
}

func (w *canon) text(s string) {
	w.b = append(w.b, '"')
	for i := 0; i < len(s); i++ {
		if s[i] == '"' || s[i] == '\\' {
			w.b = append(w.b, '\\')
		}
		w.b = append(w.b, s[i])
	}
	w.b = append(w.b, '"')
}

func (w *canon) must(k, v string) {
	w.key(k)
	w.text(v)
}

// member leaves an empty one out: absent and empty are one meaning, so they
// get one form.
func (w *canon) member(k, v string) {
	if v != "" {
		w.must(k, v)
	}
}

func (w *canon) reasons(list []string) {
	if len(list) == 0 {
		return
	}
	w.key("reasons")
	w.b = append(w.b, '[')
	for i, s := range list {
		if i > 0 {
			w.b = append(w.b, ',')
		}
		w.text(s)
	}
	w.b = append(w.b, ']')
}

func (w *canon) details(m map[string]string) {
	if len(m) == 0 {
		return
	}
	w.key("details")
	w.b = append(w.b, '{')
	for _, k := range slices.Sorted(maps.Keys(m)) {
		w.must(k, m[k])
	}
	w.b = append(w.b, '}')
}
