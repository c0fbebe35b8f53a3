package authz

import (
	"errors"
	"os"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/yinxin-gov/yinxin/authz/level"
	"github.com/yinxin-gov/yinxin/policies"
)

// Every code of a guard is in the table, and every clause is a requirement.
// Codes of the core are checked rule by rule in TestCoreRulesAreAnnotated.
func TestReasonTable(t *testing.T) {
	table, err := loadTable(policies.Files())
	if err != nil {
		t.Fatal(err)
	}
	for _, code := range []string{
		level.CodeUnknownResource, level.CodeUnknownAction, level.CodeSystemGrade, level.CodeLabelLowered, level.CodeTargetSystem,
		level.CodeCarrier, level.CodeBelowHoldings, level.CodePublish, level.CodePeerLevel, codePeerAct, codeMalformed, codeError, codeSiteDenied, codeSiteError,
	} {
		if table[code].Code != code {
			t.Errorf("%s is not in the table", code)
		}
	}
	rows := requirements(t)
	for _, e := range table {
		for _, clause := range e.Clauses {
			if !rows[clause] {
				t.Errorf("%s: %s is no requirement", e.Code, clause)
			}
		}
	}
}

// requirements are the row ids of the house's table of requirements.
func requirements(t *testing.T) map[string]bool {
	t.Helper()
	raw, err := os.ReadFile("../internal/compliance/rows.tsv")
	if err != nil {
		t.Fatalf("clauses cannot be compared with the requirements: %v", err)
	}
	rows := map[string]bool{}
	for line := range strings.Lines(string(raw)) {
		id, _, _ := strings.Cut(line, "\t")
		rows[id] = true
	}
	return rows
}

func TestReasonTableRefuses(t *testing.T) {
	const good = "{code: E90_error, guard: pdp, clauses: [X], field: f, zh: z, en: e, fix_zh: z, fix_en: e}"
	for name, text := range map[string]string{
		"no file":       "",
		"not a list":    "a: b",
		"twice":         "- " + good + "\n- " + good,
		"one language":  "- " + strings.Replace(good, "zh: z, ", "", 1),
		"no clause":     "- " + strings.Replace(good, "[X]", "[]", 1),
		"unknown guard": "- " + strings.Replace(good, "guard: pdp", "guard: me", 1),
		"unknown field": "- " + strings.Replace(good, "zh: z", "zh: z, hint: h", 1),
		"bad code":      "- " + strings.Replace(good, "E90_error", "E9", 1),
		"incomplete":    "- " + good,
	} {
		files := fstest.MapFS{"reasons.yaml": {Data: []byte(text)}}
		if name == "no file" {
			files = fstest.MapFS{}
		}
		if _, err := loadTable(files); !errors.Is(err, ErrReasons) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A code that nobody can explain is still a refusal.
func TestUnknownCodeIsE90(t *testing.T) {
	table, err := loadTable(policies.Files())
	if err != nil {
		t.Fatal(err)
	}
	if r := table.reason(finding{"E77_new", "x", guardCore}); r.Code != codeError || r.Detail != "E77_new" {
		t.Fatalf("%+v", r)
	}
}
