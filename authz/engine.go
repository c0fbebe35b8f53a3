package authz

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/metrics"
	"github.com/open-policy-agent/opa/v1/rego"
	"github.com/open-policy-agent/opa/v1/topdown"
	"github.com/open-policy-agent/opa/v1/version"
)

// Names that the guards have in reasons and records.
const (
	guardLevel = "level"
	guardCore  = "core"
	guardSite  = "site"
	guardPDP   = "pdp"

	guardDomain = "domain" // an application domain: see authz/domain
)

// finding is a ground of refusal before it gets its texts.
type finding struct {
	code, detail, guard string
}

// ErrPolicy: the core does not compile; the program must not start.
var ErrPolicy = errors.New("authz: core policy")

// engineDigest names the evaluator: module version and capability set.
func engineDigest(caps *ast.Capabilities) (string, error) {
	raw, err := json.Marshal(caps)
	if err != nil {
		return "", fmt.Errorf("digest of capabilities: %w", err)
	}
	return digest([]byte("opa "+version.Version), raw), nil
}

// coreModules parses policies/core in order of file name and returns the digest
// of the release: rules and reason table.
func coreModules(files fs.FS, caps *ast.Capabilities) ([]*ast.Module, string, error) {
	names, err := fs.Glob(files, "core/*.rego")
	if err != nil || len(names) == 0 {
		return nil, "", fmt.Errorf("%w: no modules", ErrPolicy)
	}
	var mods []*ast.Module
	var parts [][]byte
	for _, name := range append(names, "reasons.yaml") {
		src, err := fs.ReadFile(files, name)
		if err != nil {
			return nil, "", fmt.Errorf("%w: %w", ErrPolicy, err)
		}
		parts = append(parts, []byte(name), src)
		if name == "reasons.yaml" {
			continue
		}
		m, err := ast.ParseModuleWithOpts(name, string(src), ast.ParserOptions{
			Capabilities: caps, RegoVersion: ast.RegoV1, ProcessAnnotation: true,
		})
		if err != nil {
			return nil, "", fmt.Errorf("%w: %w", ErrPolicy, err)
		}
		mods = append(mods, m)
	}
	return mods, digest(parts...), nil
}

// prepare compiles modules alone, in a compiler of their own.
func prepare(ctx context.Context, query string, caps *ast.Capabilities, mods ...*ast.Module) (rego.PreparedEvalQuery, error) {
	opts := []func(*rego.Rego){
		rego.Query(query), rego.Capabilities(caps), rego.StrictBuiltinErrors(true), rego.SetRegoVersion(ast.RegoV1),
	}
	for _, m := range mods {
		opts = append(opts, rego.ParsedModule(m))
	}
	return rego.New(opts...).PrepareForEval(ctx)
}

// evaluate runs a prepared query for at most timeout and returns the binding
// of x. No result, several results and a panic are errors.
func evaluate(ctx context.Context, q rego.PreparedEvalQuery, in ast.Value, timeout time.Duration) (x any, err error) {
	defer recovered(&err)
	stop := topdown.NewCancel()
	timer := time.AfterFunc(timeout, stop.Cancel)
	defer timer.Stop()
	defer context.AfterFunc(ctx, stop.Cancel)()
	rs, err := q.Eval(ctx, rego.EvalParsedInput(in), rego.EvalExternalCancel(stop), rego.EvalSortSets(false), rego.EvalMetrics(metrics.NoOp()))
	switch {
	case err != nil:
		return nil, err
	case len(rs) != 1:
		return nil, fmt.Errorf("%d results", len(rs))
	}
	return rs[0].Bindings["x"], nil
}

// readsInput: a module that never names its input has one answer for all.
func readsInput(m *ast.Module) bool {
	reads := false
	ast.WalkVars(m, func(v ast.Var) bool {
		reads = reads || v == ast.InputRootDocument.Value.(ast.Var)
		return reads
	})
	return reads
}

// recovered turns a panic of an evaluator into an error, which is a refusal.
func recovered(err *error) {
	if p := recover(); p != nil {
		*err = fmt.Errorf("panic: %v", p)
	}
}

// readCore turns the core's set of denials into findings; anything that is not
// such a set is one E90.
func readCore(x any, err error) []finding {
	set, ok := x.([]any)
	if err != nil || !ok {
		return []finding{{codeError, cause("core", err), guardCore}}
	}
	var out []finding
	for _, e := range set {
		m, _ := e.(map[string]any)
		code, _ := m["code"].(string)
		detail, _ := m["detail"].(string)
		if code == "" {
			code = codeError
		}
		out = append(out, finding{code, detail, guardCore})
	}
	return out
}

// readSite permits on exactly the string "permit". A non-empty result set is
// no permit, and "abstain" is none either.
func readSite(x any, err error) []finding {
	out, ok := x.(string)
	switch {
	case err != nil:
		return []finding{{codeSiteError, cause("site", err), guardSite}}
	case ok && out == "permit":
		return nil
	case ok && (out == "deny" || out == "abstain"):
		return []finding{{codeSiteDenied, out, guardSite}}
	}
	return []finding{{codeSiteError, "result is neither permit nor deny", guardSite}}
}

// cause is short on purpose: an evaluator's message may quote input values.
func cause(where string, err error) string {
	switch {
	case err == nil:
		return where + ": no result"
	case topdown.IsCancel(err):
		return where + ": stopped by its time limit"
	}
	return where + ": evaluation failed"
}
