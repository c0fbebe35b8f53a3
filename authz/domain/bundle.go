package domain

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"unicode/utf8"

	"github.com/emmansun/gmsm/sm3"

	"github.com/yinxin-gov/yinxin/authz/sandbox"
	"github.com/yinxin-gov/yinxin/internal/text"
)

// Where a bundle's Rego stands and finds its data.
const (
	Package  = "yinxin.app"
	dataName = "domain"
	result   = "allow"
	reasons  = "reasons"
)

// MaxBundle bounds a bundle as it comes in.
const MaxBundle = 2*sandbox.MaxModules + sandbox.MaxData + 1<<20

// Bounds of what a bundle declares.
const (
	maxNames  = 64
	maxCases  = 1000
	maxModule = 64 << 10
	maxName   = 100
)

// Bundle is a domain as its people write it.
type Bundle struct {
	Domain    string            `json:"domain" yaml:"domain"` // short stable name
	Name      string            `json:"name" yaml:"name"`
	System    string            `json:"system" yaml:"system"` // that owns it, and asks
	Callers   []string          `json:"callers,omitempty" yaml:"callers"`
	Resources []string          `json:"resource_types" yaml:"resource_types"`
	Subjects  []string          `json:"subject_types" yaml:"subject_types"`
	Actions   []string          `json:"actions" yaml:"actions"`
	Input     Input             `json:"input" yaml:"input"`
	Modules   map[string]string `json:"modules" yaml:"-"` // file name → Rego
	Tests     map[string]string `json:"tests,omitempty" yaml:"-"`
	Data      json.RawMessage   `json:"data,omitempty" yaml:"-"`
	Cases     []Case            `json:"cases" yaml:"-"`
}

// Case is a question with the answer that it must get.
type Case struct {
	Name    string `json:"name" yaml:"name"`
	Subject Entity `json:"subject" yaml:"subject"`
	Action  struct {
		Name       string         `json:"name" yaml:"name"`
		Properties map[string]any `json:"properties,omitempty" yaml:"properties"`
	} `json:"action" yaml:"action"`
	Resource Entity         `json:"resource" yaml:"resource"`
	Context  map[string]any `json:"context,omitempty" yaml:"context"`
	Allow    bool           `json:"allow" yaml:"allow"`
}

// Entity of a case.
type Entity struct {
	Type       string         `json:"type" yaml:"type"`
	ID         string         `json:"id" yaml:"id"`
	Properties map[string]any `json:"properties,omitempty" yaml:"properties"`
}

var (
	idForm   = regexp.MustCompile(`^[a-z0-9-]{1,63}$`)
	nameForm = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_.:-]{0,63}$`)
	fileForm = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_-]{0,62}\.rego$`) // no path in it
)

// reserved are the kinds of resources that the house itself decides about.
func reserved() []string {
	return []string{"resource", "holding", "system", "agreement", "agency", "person", "transfer", "catalogue"}
}

// Parse reads a bundle as JSON: one object, no unknown member, no more than MaxBundle.
func Parse(raw []byte) (b Bundle, err error) {
	if len(raw) > MaxBundle {
		return b, fmt.Errorf("%w: %d bytes", sandbox.ErrSize, len(raw))
	}
	if !utf8.Valid(raw) {
		return b, fmt.Errorf("%w: not UTF-8", ErrInvalid)
	}
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.DisallowUnknownFields()
	dec.UseNumber()
	if err := dec.Decode(&b); err != nil {
		return Bundle{}, fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return Bundle{}, fmt.Errorf("%w: data after the object", ErrInvalid)
	}
	return b, b.Validate()
}

// Canonical is the one form of a bundle: members in the order of Bundle, names of
// maps sorted, no white space.
func (b Bundle) Canonical() ([]byte, error) {
	if len(b.Data) > 0 {
		var data any
		dec := json.NewDecoder(bytes.NewReader(b.Data))
		dec.UseNumber()
		if err := dec.Decode(&data); err != nil {
			return nil, fmt.Errorf("%w: data: %w", ErrInvalid, err)
		}
		var err error
		if b.Data, err = json.Marshal(data); err != nil {
			return nil, fmt.Errorf("%w: data: %w", ErrInvalid, err)
		}
	}
	raw, err := json.Marshal(b)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	return raw, nil
}

// Digest is SM3 over "yinxin/domain/v1", a line feed and the canonical form, in hex.
func (b Bundle) Digest() string {
	raw, err := b.Canonical()
	if err != nil { // a bundle that was validated always has one
		return ""
	}
	return digestOf(raw)
}

func digestOf(canonical []byte) string {
	sum := sm3.Sum(append([]byte("yinxin/domain/v1\n"), canonical...))
	return hex.EncodeToString(sum[:])
}

// Validate checks what can be checked without running anything.
func (b Bundle) Validate() error {
	no := func(what string, args ...any) error {
		return fmt.Errorf("%w: %s", ErrInvalid, fmt.Sprintf(what, args...))
	}
	switch {
	case !idForm.MatchString(b.Domain):
		return no("domain %.80q", b.Domain)
	case b.Name == "" || len(b.Name) > maxName || text.Plain(b.Name) != b.Name:
		return no("name")
	case !idForm.MatchString(b.System):
		return no("system %.80q", b.System)
	case len(b.Callers) > maxNames || slices.ContainsFunc(b.Callers, func(c string) bool { return !idForm.MatchString(c) }):
		return no("callers")
	case len(b.Modules) == 0 || len(b.Modules)+len(b.Tests) > maxNames:
		return no("1 to %d modules and tests", maxNames)
	case len(b.Cases) > maxCases:
		return no("more than %d cases", maxCases)
	}
	for what, names := range map[string][]string{"resource_types": b.Resources, "subject_types": b.Subjects, "actions": b.Actions} {
		if len(names) == 0 || len(names) > maxNames || slices.ContainsFunc(names, func(n string) bool { return !nameForm.MatchString(n) }) ||
			len(slices.Compact(slices.Sorted(slices.Values(names)))) != len(names) {
			return no("%s: 1 to %d names, each once", what, maxNames)
		}
	}
	for _, t := range b.Resources {
		if slices.Contains(reserved(), t) {
			return fmt.Errorf("%w: resource type %q", ErrReserved, t)
		}
	}
	for what, props := range b.Input.parts() {
		for name, t := range props {
			if !nameForm.MatchString(name) || !slices.Contains([]Type{TypeString, TypeNumber, TypeBoolean, TypeStrings}, t) || len(props) > maxNames {
				return no("input.%s: %.80q has type %.20q", what, name, t)
			}
		}
	}
	for _, files := range []map[string]string{b.Modules, b.Tests} {
		for name := range files {
			if !fileForm.MatchString(name) {
				return no("file name %.80q", name)
			}
			if _, both := b.Tests[name]; both && b.Modules[name] != "" {
				return no("%q is a module and a test", name)
			}
		}
	}
	if _, err := b.entities(); err != nil {
		return err
	}
	return b.validCases()
}

// validCases: rules that nobody saw permit and refuse are untested.
func (b Bundle) validCases() error {
	var yes, no bool
	for i, c := range b.Cases {
		if c.Name == "" || len(c.Name) > maxName || text.Plain(c.Name) != c.Name {
			return fmt.Errorf("%w: case %d has no name", ErrInvalid, i+1)
		}
		yes, no = yes || c.Allow, no || !c.Allow
	}
	if !yes || !no {
		return fmt.Errorf("%w: a case that permits and one that refuses are needed", ErrInvalid)
	}
	return nil
}
