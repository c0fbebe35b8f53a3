package store_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// forbidden is what PostgreSQL-protocol engines lack or do otherwise (design
// §6, reference/keys-and-stores §6), and what we do not write at all.
var forbidden = []struct {
	why     string
	pattern *regexp.Regexp
}{
	{"advisory locks", regexp.MustCompile(`(?i)pg_(try_)?advisory`)},
	{"LISTEN and NOTIFY", regexp.MustCompile(`(?i)\b(LISTEN|NOTIFY|pg_notify)\b`)},
	{"triggers and stored code", regexp.MustCompile(`(?i)\b(TRIGGER|CREATE\s+(OR\s+REPLACE\s+)?FUNCTION|PROCEDURE)\b`)},
	{"table locks", regexp.MustCompile(`(?i)\bLOCK\s+TABLE\b`)},
	{"upserts", regexp.MustCompile(`(?i)\bON\s+(CONFLICT|DUPLICATE)\b`)},
	{"deferrable and exclusion constraints", regexp.MustCompile(`(?i)\b(DEFERRABLE|EXCLUDE)\b`)},
	{"sequences, generated columns", regexp.MustCompile(`\b(BIGSERIAL|SERIAL|AUTOINCREMENT|GENERATED|nextval)\b`)},
	{"extensions", regexp.MustCompile(`(?i)\b(EXTENSION|CITEXT|JSONB)\b`)},
	{"unnamed columns", regexp.MustCompile(`(?i)SELECT\s+(\w+\.)?\*`)},
	{"types of other widths", regexp.MustCompile(`(?i)\b(INT|INTEGER|SMALLINT|VARCHAR|DATETIME|REAL|NUMERIC)\b`)},
}

var statement = regexp.MustCompile(`(?is)^\s*(SELECT|INSERT|UPDATE|DELETE|WITH|CREATE|ALTER|DROP)\b`)

func TestMigrationsArePortable(t *testing.T) {
	files, err := filepath.Glob("migrations/*")
	ok(t, err)
	if len(files) == 0 {
		t.Fatal("no migrations")
	}
	for _, name := range files {
		raw, err := os.ReadFile(name)
		ok(t, err)
		text := string(raw)
		if strings.Contains(name, ".tx.") {
			t.Errorf("%s: DDL in a transaction", name)
		}
		for _, f := range forbidden {
			if hit := f.pattern.FindString(text); hit != "" {
				t.Errorf("%s: %s: %q", name, f.why, hit)
			}
		}
		for _, s := range strings.Split(text, "--bun:split") {
			if s = strings.TrimSpace(s); strings.HasPrefix(s, "CREATE") && !strings.Contains(s, "IF NOT EXISTS") {
				t.Errorf("%s: a repeated run would fail: %s", name, s)
			}
		}
		for n, line := range strings.Split(text, "\n") {
			if strings.Contains(line, "BYTEA") || strings.Contains(line, "TIMESTAMP") || strings.Contains(line, "BLOB") {
				t.Errorf("%s:%d: write {{.Bytes}} and {{.Time}}: %s", name, n+1, line)
			}
		}
	}
}

func TestStatementsArePortable(t *testing.T) {
	seen := 0
	eachLiteral(t, func(file, text string) {
		if !statement.MatchString(text) {
			return
		}
		seen++
		for _, f := range forbidden {
			if hit := f.pattern.FindString(text); hit != "" {
				t.Errorf("%s: %s: %q", file, f.why, hit)
			}
		}
		// The one statement of AppendBatch on PostgreSQL; there is no upsert in it.
		if file != "ledger_append.go" && regexp.MustCompile(`(?i)\bRETURNING\b`).MatchString(text) {
			t.Errorf("%s: RETURNING in %q", file, text)
		}
	})
	if seen < 15 {
		t.Fatalf("only %d statements were found: the search is broken", seen)
	}
}

// eachLiteral visits every text in the production files of this package.
func eachLiteral(t *testing.T, visit func(file, text string)) {
	files, err := filepath.Glob("*.go")
	ok(t, err)
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		tree, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		ok(t, err)
		ast.Inspect(tree, func(n ast.Node) bool {
			if lit, isLit := n.(*ast.BasicLit); isLit && lit.Kind == token.STRING {
				text, err := strconv.Unquote(lit.Value)
				ok(t, err)
				visit(name, text)
			}
			if call, isCall := n.(*ast.CallExpr); isCall { // a field of that name is none of bun's
				if f, isMethod := call.Fun.(*ast.SelectorExpr); isMethod && (f.Sel.Name == "On" || f.Sel.Name == "Returning") {
					t.Errorf("%s: bun's %s makes SQL that this package does not use", name, f.Sel.Name)
				}
			}
			return true
		})
	}
}

// unrecorded are the writes that are no acts (design law 3 is about acts):
// replay guards, and the protocol state of ACME, which clients move by polling.
// What they lead to (an account, an order, a certificate) has its event.
var unrecorded = map[string]string{
	"TakeLease":        "a word between processes: a house serves",
	"DropLease":        "the end of that word",
	"NoteUse":          "the last day on which a system was seen; what follows from it is recorded",
	"AddNonce":         "replay guard of ACME requests; one for every answer",
	"UseNonce":         "replay guard of ACME requests",
	"DropNonces":       "expired replay guards",
	"DropTexts":        "text records whose time is over",
	"ForgetChanges":    "what every node has seen of a change; the change has its event",
	"MoveOrder":        "an order follows its authorizations when it is polled",
	"ClaimOrder":       "a lease while a certificate is made",
	"ReleaseOrder":     "the end of that lease",
	"ReleaseDelivery":  "the end of the lease while a pair is made",
	"EndAuthorization": "an authorization that expired, seen when it is polled",
	"PutNotices":       "a reminder of a date that a recorded row has",
	"SpreadNotice":     "which channels get a notice; its act has its event",
	"LeaseChannel":     "one sender at a time",
	"ReleaseChannel":   "the end of that lease",
	"SettleDelivery":   "the progress of a delivery",
	"ForgetNotices":    "notices that were told; the ledger keeps their events",
	"ForgetGrants":     "access tokens that ended a day ago; the ledger keeps their events",
	"AnswerChallenge":  "the outcome of a probe; the order that rests on it is recorded",
}

// Design law 3: a method of a room that changes rows takes the event of the act.
func TestNoWriteWithoutAnEvent(t *testing.T) {
	files, err := filepath.Glob("*.go")
	ok(t, err)
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") || strings.HasPrefix(name, "ledger") {
			continue // the ledger's own tables
		}
		tree, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		ok(t, err)
		for _, d := range tree.Decls {
			f, isFunc := d.(*ast.FuncDecl)
			if !isFunc || !f.Name.IsExported() || unrecorded[f.Name.Name] != "" {
				continue
			}
			writes, event := false, false
			ast.Inspect(f.Body, func(n ast.Node) bool {
				if id, isID := n.(*ast.Ident); isID {
					switch id.Name {
					case "insert", "changed", "NewInsert", "NewUpdate", "NewDelete", "Exec", "ExecContext", "RunInTx", "act":
						writes = true
					case "commit", "commitFacts":
						event = true
					}
				}
				return true
			})
			if writes && !event {
				t.Errorf("%s: %s writes without an event", name, f.Name.Name)
			}
		}
	}
}
