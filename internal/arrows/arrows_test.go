// Package arrows holds one test: the import arrows of docs/architecture.md.
package arrows

import (
	"os/exec"
	"strings"
	"testing"
)

const module = "github.com/yinxin-gov/yinxin/"

// leaves may be imported by any room; each imports only other leaves.
var leaves = []string{"authz/level", "authz/ledger", "policies", "signer/ofd", "signer/seal", "signer/pdf", "signer/cms", "signer/cite", "internal/text", "internal/workday", "internal/uscc", "internal/api/wire"}

// only names the rooms that may import a foreign module.
var only = map[string][]string{
	"github.com/smallstep/":            {"ca/stepca"},
	"go.step.sm/":                      {"ca/stepca"},
	"github.com/golang-jwt/":           {"ca/stepca", "internal/token"}, // one-time tokens of the step-ca API; access tokens
	"github.com/zmap/":                 {"ca/lint/rfc"},
	"github.com/open-policy-agent/opa": {"authz", "authz/policy"},
	"github.com/hashicorp/vault":       {"internal/keys"},
	"github.com/cloudflare/circl":      {"internal/keys"},
	"github.com/miekg/pkcs11":          {"internal/keys"},
	"github.com/ThalesGroup/crypto11":  {"internal/keys"},
	"github.com/tjfoc/gmsm":            {"internal/tlcp", "internal/secondopinion"},
	"github.com/uptrace/bun":           {"internal/store"},
	"modernc.org/sqlite":               {"internal/store"},
	"github.com/jackc/pgx":             {"internal/store"},
	"github.com/spf13/cobra":           {"cmd/yinxin"},
	"github.com/danielgtaylor/huma":    {"internal/api"},
	"github.com/klippa-app/go-pdfium":  {"signer/pdfview"},
	"github.com/tetratelabs/wazero":    {"signer/pdfview"},
}

// may lists, for each room, the rooms of the house that it may import besides
// leaves and its own sub-rooms. A room that is not listed may import leaves only.
var may = map[string][]string{
	"ca":                {},
	"signer":            {},
	"authz/identity":    {},
	"authz/approval":    {"authz/identity"},
	"authz/grading":     {"authz/identity"},
	"authz/sharing":     {"authz/identity"},
	"authz/grant":       {"authz/approval", "authz/identity"},
	"authz/reclass":     {"authz/sharing", "authz/approval", "authz/identity"},
	"authz/policy":      {"authz/sharing", "authz/grading", "authz/approval", "authz/identity"},
	"authz":             {"authz/policy", "authz/grant", "authz/sharing", "authz/grading", "authz/approval", "authz/identity"},
	"internal/keys":     {},
	"internal/notify":   {},
	"internal/store":    {"ca", "signer", "authz", "internal/exchange", "internal/signin", "internal/notify", "internal/token"},
	"internal/signin":   {"ca", "signer", "authz"},
	"internal/exchange": {"ca", "signer", "authz"},
	"internal/token":    {},
	"internal/api":      {"internal/exchange", "internal/signin", "internal/token", "ca", "signer", "authz"},
	"internal/console":  {"internal/exchange", "internal/signin", "internal/notify", "ca", "signer", "authz"},
	"internal/desk":     {"internal/console", "internal/exchange", "internal/signin", "internal/notify", "ca", "signer", "authz"},
	"internal/tlcp":     {},
	"internal/agent":    {"internal/exchange", "internal/tlcp", "signer", "ca"}, // the shapes of envelope header and receipt
	"internal/cps":      {},
	"internal/app":      {"docs", "internal/cps", "internal/api", "internal/console", "internal/desk", "internal/exchange", "internal/signin", "internal/store", "internal/keys", "internal/tlcp", "internal/notify", "internal/token", "ca", "signer", "authz"},
	"internal/demo":     {"internal/app", "internal/agent", "internal/exchange", "internal/signin", "internal/keys", "ca", "signer", "authz"},
	"cmd":               {"internal/app", "internal/demo", "internal/agent", "internal/keys", "internal/store", "internal/secondopinion", "ca", "signer", "authz"},
}

func TestImportArrows(t *testing.T) {
	out, err := exec.Command("go", "list", "-f", `{{.ImportPath}} {{join .Imports " "}}`, module+"...").Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	seen := 0
	for line := range strings.Lines(string(out)) {
		f := strings.Fields(line)
		pkg := strings.TrimPrefix(f[0], module)
		if pkg == f[0] { // the module root
			continue
		}
		seen++
		for _, imp := range f[1:] {
			if dep, ok := strings.CutPrefix(imp, module); ok {
				if !mayImport(pkg, dep) {
					t.Errorf("%s must not import %s", pkg, dep)
				}
				continue
			}
			for mod, rooms := range only {
				if strings.HasPrefix(imp, mod) && !anyUnder(pkg, rooms) {
					t.Errorf("%s must not import %s: only %v may", pkg, imp, rooms)
				}
			}
		}
	}
	if seen < 10 {
		t.Fatalf("saw %d packages only", seen)
	}
}

// mayImport: anyone a leaf; a leaf nothing else; a room its own sub-rooms and
// what the map says. Sub-rooms of authz are rooms of the map and never import
// authz itself.
func mayImport(pkg, dep string) bool {
	if anyUnder(dep, leaves) || anyUnder(pkg, leaves) {
		return anyUnder(dep, leaves)
	}
	room := roomOf(pkg)
	return room != "authz" && under(dep, room) || anyUnder(dep, may[room])
}

// roomOf is the longest key of may that holds pkg.
func roomOf(pkg string) string {
	best := ""
	for r := range may {
		if under(pkg, r) && len(r) > len(best) {
			best = r
		}
	}
	return best
}

func under(pkg, room string) bool { return pkg == room || strings.HasPrefix(pkg, room+"/") }

func anyUnder(pkg string, rooms []string) bool {
	for _, r := range rooms {
		if under(pkg, r) {
			return true
		}
	}
	return false
}
