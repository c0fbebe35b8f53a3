package authz

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"regexp"

	"gopkg.in/yaml.v3"
)

// Codes of the decision point itself and of the site guard. Those of the level
// guard are constants there; those of the core stand in its rules.
const (
	codeMalformed  = "E00_malformed"
	codeError      = "E90_error"
	codeSiteDenied = "E91_site_denied"
	codeSiteError  = "E92_site_error"
)

// ErrReasons: the reason-code table is not usable; the program must not start.
var ErrReasons = errors.New("authz: reason table")

// entry is one row of policies/reasons.yaml.
type entry struct {
	Code    string   `yaml:"code"`
	Guard   string   `yaml:"guard"`
	Clauses []string `yaml:"clauses"`
	Field   string   `yaml:"field"`
	Zh      string   `yaml:"zh"`
	En      string   `yaml:"en"`
	FixZh   string   `yaml:"fix_zh"`
	FixEn   string   `yaml:"fix_en"`
}

// table is the one table of reason codes, by code.
type table map[string]entry

var codeForm = regexp.MustCompile(`^E\d{2}_[a-z_]+(\.[a-z_]+)?$`)

// loadTable refuses a row that lacks a text, a clause or a known guard, and a
// code that stands twice: an officer must never see a bare code.
func loadTable(files fs.FS) (table, error) {
	raw, err := fs.ReadFile(files, "reasons.yaml")
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrReasons, err)
	}
	var rows []entry
	dec := yaml.NewDecoder(bytes.NewReader(raw))
	dec.KnownFields(true)
	if err := dec.Decode(&rows); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrReasons, err)
	}
	t := make(table, len(rows))
	for _, r := range rows {
		switch {
		case !codeForm.MatchString(r.Code):
			return nil, fmt.Errorf("%w: code %q", ErrReasons, r.Code)
		case t[r.Code].Code != "":
			return nil, fmt.Errorf("%w: %s stands twice", ErrReasons, r.Code)
		case r.Zh == "" || r.En == "" || r.FixZh == "" || r.FixEn == "" || r.Field == "" || len(r.Clauses) == 0:
			return nil, fmt.Errorf("%w: %s lacks a text, a field or a clause", ErrReasons, r.Code)
		case r.Guard != guardLevel && r.Guard != guardCore && r.Guard != guardSite && r.Guard != guardPDP && r.Guard != guardDomain:
			return nil, fmt.Errorf("%w: %s has guard %q", ErrReasons, r.Code, r.Guard)
		}
		t[r.Code] = r
	}
	for _, must := range []string{codeMalformed, codeError, codeSiteDenied, codeSiteError} {
		if t[must].Code == "" {
			return nil, fmt.Errorf("%w: %s is missing", ErrReasons, must)
		}
	}
	return t, nil
}

// Explain renders a code that an application domain gave, from the one table.
func (p *PDP) Explain(code, detail string) Reason {
	return p.table.reason(finding{code, detail, guardDomain})
}

// reason renders a finding. A code outside the table cannot be explained, so it
// becomes E90 with the code as detail: still a refusal.
func (t table) reason(f finding) Reason {
	e, ok := t[f.code]
	if !ok {
		e, f.detail = t[codeError], f.code
	}
	return Reason{
		Code: e.Code, Clauses: e.Clauses, Field: e.Field, Detail: f.detail,
		Zh: e.Zh, En: e.En, FixZh: e.FixZh, FixEn: e.FixEn, Guard: f.guard,
	}
}
