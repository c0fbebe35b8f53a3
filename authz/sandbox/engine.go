package sandbox

import (
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/emmansun/gmsm/sm3"
	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/metrics"
	"github.com/open-policy-agent/opa/v1/rego"
	"github.com/open-policy-agent/opa/v1/storage"
	"github.com/open-policy-agent/opa/v1/storage/inmem"
	"github.com/open-policy-agent/opa/v1/topdown"
	"github.com/open-policy-agent/opa/v1/util"
	"github.com/open-policy-agent/opa/v1/version"
)

// Builtins is the allow-list of every compiler of the house. It is an allow-list
// because a deny-list misses what a new release adds: no clock, no network, no
// randomness, no unbounded generator, nothing that reads the process.
func Builtins() []string {
	return []string{
		"eq", "equal", "neq", "lt", "lte", "gt", "gte", "assign", "plus", "minus", "mul", "and", "or",
		"count", "max", "min", "sum", "sort", "array.concat", "array.slice", "object.get", "object.keys",
		"contains", "startswith", "endswith", "lower", "upper", "trim", "trim_space", "split", "concat",
		"internal.member_2", "internal.member_3",
		"is_string", "is_number", "is_boolean", "is_array", "is_set", "is_object",
	}
}

// Capabilities are those of every compiler of the house.
func Capabilities() *ast.Capabilities {
	allowed := Builtins()
	caps := ast.CapabilitiesForThisVersion()
	caps.Builtins = slices.DeleteFunc(caps.Builtins, func(b *ast.Builtin) bool { return !slices.Contains(allowed, b.Name) })
	caps.Features = []string{ast.FeatureRegoV1}
	caps.FutureKeywords = nil
	caps.AllowNet = []string{}
	return caps
}

// Engine names the evaluator of children, SM3 in hex: module version and
// capability set.
func Engine() (string, error) {
	raw, err := json.Marshal(Capabilities())
	if err != nil {
		return "", fmt.Errorf("sandbox: digest of capabilities: %w", err)
	}
	sum := sm3.Sum(append([]byte("opa "+version.Version+"\n"), raw...))
	return hex.EncodeToString(sum[:]), nil
}

// evaluator is a source that passed the gate and compiled.
type evaluator struct {
	results map[string]rego.PreparedEvalQuery
	tests   map[string]rego.PreparedEvalQuery
	limit   time.Duration
}

// compile judges and compiles a source. Tests never stand in one compiler with what
// answers questions.
func compile(ctx context.Context, src Source, limit time.Duration) (*evaluator, error) {
	caps := Capabilities()
	modules, heads, err := parseAll(src.Modules, src.Rules, caps, nil)
	if err != nil {
		return nil, err
	}
	var schemas *ast.SchemaSet
	if len(src.Schema) > 0 {
		var s any
		if err := util.UnmarshalJSON(src.Schema, &s); err != nil {
			return nil, err
		}
		schemas = ast.NewSchemaSet()
		schemas.Put(ast.SchemaRootRef, s)
	}
	if err := compiles(modules, caps, schemas); err != nil {
		return nil, err
	}
	store, err := holding(src.Rules.Data, src.Data)
	if err != nil {
		return nil, err
	}
	e := &evaluator{results: map[string]rego.PreparedEvalQuery{}, tests: map[string]rego.PreparedEvalQuery{}, limit: limit}
	names := append([]string{src.Rules.Result}, src.Rules.Also...)
	for _, name := range names {
		if e.results[name], err = prepare(ctx, "data."+src.Rules.Package+"."+name, caps, store, modules); err != nil {
			return nil, err
		}
	}
	tests, _, err := parseAll(src.Tests, src.Rules.forTests(), caps, heads)
	if err != nil {
		return nil, err
	}
	all := maps.Clone(modules)
	maps.Copy(all, tests)
	if err := compiles(all, caps, nil); err != nil { // a test may ask what the schema forbids
		return nil, err
	}
	for _, m := range tests {
		for _, r := range m.Rules {
			name := r.Head.Name.String()
			if !strings.HasPrefix(name, testPrefix) {
				continue
			}
			if e.tests[name], err = prepare(ctx, "data."+src.Rules.Package+"."+name, caps, store, all); err != nil {
				return nil, err
			}
		}
	}
	return e, nil
}

func compiles(modules map[string]*ast.Module, caps *ast.Capabilities, schemas *ast.SchemaSet) error {
	c := ast.NewCompiler().WithCapabilities(caps).WithSchemas(schemas)
	copies := map[string]*ast.Module{}
	for name, m := range modules {
		copies[name] = m.Copy()
	}
	if c.Compile(copies); c.Failed() {
		g := &gate{}
		g.addAll("authz.gate.compile", c.Errors)
		return g.err()
	}
	return nil
}

// holding is a store that has data at one name, and nothing else.
func holding(name string, data json.RawMessage) (storage.Store, error) {
	doc := map[string]any{}
	if len(data) > 0 {
		if err := util.UnmarshalJSON(data, &doc); err != nil {
			return nil, fmt.Errorf("data: %w", err)
		}
	}
	root := map[string]any{}
	if name != "" {
		root[name] = doc
	}
	return inmem.NewFromObjectWithOpts(root, inmem.OptRoundTripOnWrite(false), inmem.OptReturnASTValuesOnRead(true)), nil
}

func prepare(ctx context.Context, query string, caps *ast.Capabilities, store storage.Store, modules map[string]*ast.Module) (rego.PreparedEvalQuery, error) {
	opts := []func(*rego.Rego){
		rego.Query("x = " + query), rego.Capabilities(caps), rego.StrictBuiltinErrors(true), rego.SetRegoVersion(ast.RegoV1), rego.Store(store),
	}
	for _, name := range slices.Sorted(maps.Keys(modules)) {
		opts = append(opts, rego.ParsedModule(modules[name].Copy()))
	}
	return rego.New(opts...).PrepareForEval(ctx)
}

var errUndefined = errors.New("undefined")

// value evaluates one query; a panic of the evaluator is an error.
func (e *evaluator) value(ctx context.Context, q rego.PreparedEvalQuery, in ast.Value) (x any, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v", p)
		}
	}()
	stop := topdown.NewCancel()
	timer := time.AfterFunc(e.limit, stop.Cancel)
	defer timer.Stop()
	opts := []rego.EvalOption{rego.EvalExternalCancel(stop), rego.EvalMetrics(metrics.NoOp())}
	if in != nil {
		opts = append(opts, rego.EvalParsedInput(in))
	}
	rs, err := q.Eval(ctx, opts...)
	switch {
	case err != nil:
		return nil, err
	case len(rs) == 0:
		return nil, errUndefined
	case len(rs) != 1:
		return nil, fmt.Errorf("%d results", len(rs))
	}
	return rs[0].Bindings["x"], nil
}

// eval answers an input: each result that is defined, as JSON.
func (e *evaluator) eval(ctx context.Context, input json.RawMessage) answer {
	in, err := ast.ValueFromReader(bytes.NewReader(input))
	if err != nil {
		return answer{Failed: "input"}
	}
	out, size := map[string]json.RawMessage{}, 0
	for name, q := range e.results {
		x, err := e.value(ctx, q, in)
		if errors.Is(err, errUndefined) {
			continue
		}
		var raw []byte
		if err == nil {
			raw, err = json.Marshal(x)
		}
		if err != nil {
			return answer{Failed: cause(err)}
		}
		if size += len(raw); size > MaxAnswer {
			return answer{Failed: failedSize}
		}
		out[name] = raw
	}
	return answer{Results: out}
}

// test evaluates every test rule; only true passes.
func (e *evaluator) test(ctx context.Context) (out []Tested) {
	for _, name := range slices.Sorted(maps.Keys(e.tests)) {
		x, err := e.value(ctx, e.tests[name], nil)
		t := Tested{Name: name, Pass: err == nil && x == true}
		switch {
		case err != nil:
			t.Detail = cause(err)
		case !t.Pass:
			t.Detail = "not true"
		}
		out = append(out, t)
	}
	return out
}

// cause is short on purpose: an evaluator's message may quote input values.
func cause(err error) string {
	switch {
	case topdown.IsCancel(err):
		return failedTime
	case errors.Is(err, errUndefined):
		return "undefined"
	}
	return "error"
}
