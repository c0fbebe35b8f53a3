package ra

import (
	"bytes"
	"encoding/csv"
	"errors"
	"io"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/encoding/simplifiedchinese"

	"github.com/yinxin-gov/yinxin/ca"
	"github.com/yinxin-gov/yinxin/ca/lint"
	"github.com/yinxin-gov/yinxin/internal/uscc"
)

// Bounds of an import.
const (
	MaxImport = 1 << 20 // bytes
	MaxLines  = 1000    // requests: they are added in one transaction
)

// Problem codes; the catalogue says each in words, under "ra.csv.".
const (
	codeEncoding   = "encoding"    // neither UTF-8 nor GB18030
	codeSyntax     = "syntax"      // quotes
	codeHeader     = "header"      // a column is missing, unknown or there twice
	codeEmptyFile  = "empty_file"  // no line
	codeTooMany    = "too_many"    // lines or bytes
	codeFields     = "fields"      // another number of fields than the header
	codeEmpty      = "empty"       // a field that is needed
	codeText       = "text"        // too long, not plain, or a personal number
	codeUSCC       = "uscc"        // check digit
	codeSystemForm = "system_form" // id
	codeHostForm   = "host_form"   // no lower-case DNS name, or too many
	codePurpose    = "purpose"
	codeTwice      = "twice" // the same system, purpose and hosts on an earlier line

	codeSystem    = "system"    // not registered
	codeAgency    = "agency"    // of another agency
	codeApplicant = "applicant" // not yours
	codeName      = "name"      // not the registered name of the agency
	codeHost      = "host"      // not registered for the system
)

// Problem is what is wrong with one line; Line 0 is the file as a whole.
type Problem struct {
	Line   int    `json:"line"`
	Column string `json:"column,omitempty"`
	Code   string `json:"code"`
	Value  string `json:"value,omitempty"` // what stands there, cut short
}

// Row is one line of an import: what it asks for.
type Row struct {
	Line    int        `json:"line"`
	Request ca.Request `json:"request"`
}

// columns of the file, each with its Chinese name; the last may be left out.
var columns = []struct{ name, zh string }{
	{"agency", "统一社会信用代码"}, {"system", "系统标识"}, {"common_name", "通用名称"}, {"organization", "单位名称"}, {"hosts", "主机名"}, {"purpose", "用途"},
}

const optional = "purpose"

// ParseCSV reads an import: a header and one request a line, hosts separated by
// semicolons, in UTF-8 with or without a mark, or in GB18030, as spreadsheets in
// China save it. It checks all that needs no register. Rows with a problem are
// left out.
func ParseCSV(data []byte) ([]Row, []Problem) {
	whole := func(code string) ([]Row, []Problem) { return nil, []Problem{{Code: code}} }
	if len(data) > MaxImport {
		return whole(codeTooMany)
	}
	text, ok := decoded(data)
	if !ok {
		return whole(codeEncoding)
	}
	in := csv.NewReader(strings.NewReader(text))
	in.FieldsPerRecord = -1
	head, err := in.Read()
	if errors.Is(err, io.EOF) {
		return whole(codeEmptyFile)
	}
	if err != nil {
		return nil, []Problem{syntax(err)}
	}
	at, bad := header(head)
	if len(bad) > 0 {
		return nil, bad
	}
	f := former{at: at, fields: len(head), personal: lint.PersonalNumber(), system: regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$`), seen: map[string]bool{}}
	for {
		record, err := in.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil { // where the next line begins is not known any more
			f.problems = append(f.problems, syntax(err))
			break
		}
		if f.lines++; f.lines > MaxLines {
			return whole(codeTooMany)
		}
		line, _ := in.FieldPos(0)
		f.row(line, record)
	}
	if f.lines == 0 && len(f.problems) == 0 {
		return whole(codeEmptyFile)
	}
	return f.rows, f.problems
}

// Text is a file as UTF-8, to be shown or sent back; empty when it is no text.
func Text(data []byte) string {
	out, ok := decoded(data)
	if !ok {
		return ""
	}
	return out
}

// decoded is the text of a file in one of the two encodings.
func decoded(data []byte) (string, bool) {
	data = bytes.TrimPrefix(data, []byte("\xef\xbb\xbf"))
	if utf8.Valid(data) {
		return string(data), !bytes.ContainsRune(data, 0)
	}
	out, err := simplifiedchinese.GB18030.NewDecoder().Bytes(data)
	if err != nil || bytes.ContainsRune(out, utf8.RuneError) || bytes.ContainsRune(out, 0) {
		return "", false
	}
	return string(out), true
}

func syntax(err error) Problem {
	p := Problem{Code: codeSyntax}
	var at *csv.ParseError
	if errors.As(err, &at) {
		p.Line = at.Line
	}
	return p
}

// header finds each column by either name.
func header(head []string) (at map[string]int, bad []Problem) {
	at = map[string]int{}
	for i, h := range head {
		h = strings.TrimSpace(h)
		j := slices.IndexFunc(columns, func(c struct{ name, zh string }) bool { return c.name == strings.ToLower(h) || c.zh == h })
		if j < 0 {
			bad = append(bad, Problem{Line: 1, Code: codeHeader, Value: cut(h)})
			continue
		}
		if _, twice := at[columns[j].name]; twice {
			bad = append(bad, Problem{Line: 1, Column: columns[j].name, Code: codeHeader, Value: cut(h)})
		}
		at[columns[j].name] = i
	}
	for _, c := range columns {
		if _, there := at[c.name]; !there && c.name != optional {
			bad = append(bad, Problem{Line: 1, Column: c.name, Code: codeHeader})
		}
	}
	return at, bad
}

// former makes rows out of records.
type former struct {
	at       map[string]int
	fields   int
	lines    int
	personal *regexp.Regexp
	system   *regexp.Regexp
	seen     map[string]bool
	rows     []Row
	problems []Problem
}

func (f *former) row(line int, record []string) {
	before := len(f.problems)
	bad := func(column, code, value string) {
		f.problems = append(f.problems, Problem{Line: line, Column: column, Code: code, Value: cut(value)})
	}
	if len(record) != f.fields {
		bad("", codeFields, "")
		return
	}
	get := func(column string) string {
		i, there := f.at[column]
		if !there {
			return ""
		}
		v := strings.TrimSpace(record[i])
		if v == "" && column != optional {
			bad(column, codeEmpty, "")
		}
		return v
	}
	q := ca.Request{Agency: get("agency"), System: get("system"), CommonName: get("common_name"), Organization: get("organization")}
	if q.Agency != "" && !uscc.Valid(q.Agency) {
		bad("agency", codeUSCC, q.Agency)
	}
	if q.System != "" && !f.system.MatchString(q.System) {
		bad("system", codeSystemForm, q.System)
	}
	for column, v := range map[string]string{"common_name": q.CommonName, "organization": q.Organization} {
		if !written(f.personal, v, maxText) {
			bad(column, codeText, "")
		}
	}
	if hosts := get("hosts"); hosts != "" {
		for h := range strings.SplitSeq(strings.NewReplacer("；", ";").Replace(hosts), ";") {
			if h = strings.TrimSpace(h); h != "" {
				q.Hosts = append(q.Hosts, h)
			}
		}
		slices.Sort(q.Hosts)
		q.Hosts = slices.Compact(q.Hosts)
		if !ca.ValidHosts(q.Hosts) {
			bad("hosts", codeHostForm, hosts)
		}
	}
	switch v := get(optional); v {
	case "", string(ca.PurposeProduction), "生产":
		q.Purpose = ca.PurposeProduction
	case string(ca.PurposeTest), "测试":
		q.Purpose = ca.PurposeTest
	default:
		bad(optional, codePurpose, v)
	}
	if len(f.problems) > before {
		return
	}
	key := ca.OpenKey(q)
	if f.seen[key] {
		bad("system", codeTwice, q.System)
		return
	}
	f.seen[key] = true
	f.rows = append(f.rows, Row{Line: line, Request: q})
}

// cut bounds what is quoted of a file.
func cut(s string) string {
	const most = 60
	if r := []rune(s); len(r) > most {
		return string(r[:most]) + "…"
	}
	return s
}
