package sharing

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"github.com/yinxin-gov/yinxin/authz/identity"
	"github.com/yinxin-gov/yinxin/authz/level"
)

// Bounds of a file of entries.
const (
	MaxEntryFile = 16 << 20
	MaxEntries   = 20_000
	maxLineErrs  = 1000
)

// ErrFile: no file of entries: not UTF-8, not in the form, or over its bounds.
var ErrFile = errors.New("sharing: no file of catalogue entries")

// EntryFormat is how entries stand in a file.
type EntryFormat string

// Formats.
const (
	FormatCSV  EntryFormat = "csv"  // first line names the columns, in English or Chinese
	FormatJSON EntryFormat = "json" // an array of objects
)

// column is one of a CSV file.
type column struct {
	name, zh string
	get      func(*Entry) string
	set      func(*Entry, string) error
}

// between separates the values of a list in one cell; no item holds it.
const between = "|"

func columns() []column {
	text := func(name, zh string, at func(*Entry) *string) column {
		return column{name, zh, func(e *Entry) string { return *at(e) }, func(e *Entry, s string) error { *at(e) = s; return nil }}
	}
	many := func(name, zh string, at func(*Entry) *[]string) column {
		return column{
			name, zh,
			func(e *Entry) string { return strings.Join(*at(e), between) },
			func(e *Entry, s string) error {
				if s != "" {
					*at(e) = strings.Split(s, between)
				}
				return nil
			},
		}
	}
	return []column{
		text("code", "信息资源代码", func(e *Entry) *string { return &e.Code }),
		text("name", "信息资源名称", func(e *Entry) *string { return &e.Name }),
		{"provider", "提供方代码", func(e *Entry) string { return string(e.Provider) }, func(e *Entry, s string) error { e.Provider = identity.USCC(s); return nil }},
		text("category", "信息资源分类", func(e *Entry) *string { return &e.Category }),
		text("summary", "信息资源摘要", func(e *Entry) *string { return &e.Summary }),
		text("format", "信息资源格式", func(e *Entry) *string { return &e.Format }),
		many("items", "信息项", func(e *Entry) *[]string { return &e.Items }),
		many("item_types", "信息项类型", func(e *Entry) *[]string { return &e.ItemTypes }),
		{"item_tags", "信息项标识", func(e *Entry) string { return writeItemTags(e.ItemTags) }, func(e *Entry, s string) (err error) {
			e.ItemTags, err = readItemTags(s)
			return err
		}},
		{"regime", "适用规则", func(e *Entry) string { return string(e.Regime) }, func(e *Entry, s string) error { e.Regime = Regime(s); return nil }},
		{"share_type", "共享类型", func(e *Entry) string { return string(e.ShareType) }, func(e *Entry, s string) error { e.ShareType = ShareType(s); return nil }},
		text("conditions", "共享条件", func(e *Entry) *string { return &e.Conditions }),
		text("manner", "共享方式", func(e *Entry) *string { return &e.Manner }),
		text("open", "开放属性", func(e *Entry) *string { return &e.Open }),
		text("cycle", "更新周期", func(e *Entry) *string { return &e.Cycle }),
		{"published", "发布日期", func(e *Entry) string { return e.Published.String() }, func(e *Entry, s string) error {
			if s == "" {
				return nil
			}
			return e.Published.UnmarshalText([]byte(s))
		}},
		many("related", "关联资源代码", func(e *Entry) *[]string { return &e.Related }),
		text("system", "承载系统", func(e *Entry) *string { return &e.System }),
		text("contact", "联系人", func(e *Entry) *string { return &e.Contact }),
		{"label", "安全标识", func(e *Entry) string { return e.Label.String() }, func(e *Entry, s string) (err error) {
			e.Label, err = level.Parse(s)
			return err
		}},
		text("secrecy_review", "保密审查", func(e *Entry) *string { return &e.SecrecyReview }),
		text("basis", "依据", func(e *Entry) *string { return &e.Basis }),
		text("approval", "保密部门批准", func(e *Entry) *string { return &e.Approval }),
		text("filing", "备案", func(e *Entry) *string { return &e.Filing }),
		text("pia_ref", "个人信息影响评估", func(e *Entry) *string { return &e.PIA }),
		text("defect_notice", "瑕疵告知", func(e *Entry) *string { return &e.DefectNotice }),
	}
}

// LineError is what is wrong with one line of a file; the first entry of a JSON file
// is line 1, the first below the head of a CSV file line 2.
type LineError struct {
	Line  int    `json:"line"`
	Field string `json:"field"`
	Code  string `json:"code"` // the text is catalogue.line.<code>
}

// ReadEntries reads a file. Errors of single lines come back together; the error is
// for a file that cannot be read as one at all.
func ReadEntries(format EntryFormat, data []byte) ([]Entry, []LineError, error) {
	if len(data) > MaxEntryFile || !utf8.Valid(data) {
		return nil, nil, fmt.Errorf("%w: over %d bytes, or not UTF-8", ErrFile, MaxEntryFile)
	}
	switch format {
	case FormatCSV:
		return readCSV(bytes.TrimPrefix(data, []byte("\ufeff")))
	case FormatJSON:
		return readJSON(data)
	}
	return nil, nil, fmt.Errorf("%w: format %.20q", ErrFile, format)
}

func readJSON(data []byte) ([]Entry, []LineError, error) {
	var out []Entry
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&out); err != nil {
		return nil, nil, fmt.Errorf("%w: JSON: %.200s", ErrFile, err)
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return nil, nil, fmt.Errorf("%w: JSON: something follows the list", ErrFile)
	}
	if len(out) == 0 || len(out) > MaxEntries {
		return nil, nil, fmt.Errorf("%w: %d entries, at most %d", ErrFile, len(out), MaxEntries)
	}
	for i := range out {
		if out[i].ID == "" {
			out[i].ID = EntryID(out[i].Code)
		}
		out[i].arrange()
	}
	return out, nil, nil
}

func readCSV(data []byte) (out []Entry, wrong []LineError, err error) {
	r := csv.NewReader(bytes.NewReader(data))
	head, err := r.Read()
	if err != nil {
		return nil, nil, fmt.Errorf("%w: CSV: %w", ErrFile, err)
	}
	known := map[string]column{}
	for _, c := range columns() {
		known[c.name], known[c.zh] = c, c
	}
	order := make([]column, len(head))
	seen := map[string]bool{}
	for i, name := range head {
		c, ok := known[strings.TrimSpace(name)]
		if !ok || seen[c.name] {
			return nil, nil, fmt.Errorf("%w: column %.40q", ErrFile, name)
		}
		order[i], seen[c.name] = c, true
	}
	for {
		row, err := r.Read()
		switch {
		case errors.Is(err, io.EOF):
			if len(out) == 0 {
				return nil, nil, fmt.Errorf("%w: no entries", ErrFile)
			}
			return out, wrong, nil
		case err != nil:
			return nil, nil, fmt.Errorf("%w: CSV: %w", ErrFile, err)
		case len(out) == MaxEntries:
			return nil, nil, fmt.Errorf("%w: more than %d entries", ErrFile, MaxEntries)
		}
		var e Entry
		line, _ := r.FieldPos(0)
		for i, cell := range row {
			if err := order[i].set(&e, disarmed(cell)); err != nil && len(wrong) < maxLineErrs {
				code := LineForm
				if errors.Is(err, level.ErrStateSecret) {
					code = LineStateSecret
				}
				wrong = append(wrong, LineError{line, order[i].name, code})
			}
		}
		e.ID = EntryID(e.Code)
		e.arrange()
		out = append(out, e)
	}
}

// WriteCSV writes entries so that reading them gives the same entries. A cell that a
// table program would take for a formula is armed with an apostrophe.
func WriteCSV(w io.Writer, entries []Entry) error {
	out, cols := csv.NewWriter(w), columns()
	row := make([]string, len(cols))
	for i, c := range cols {
		row[i] = c.name
	}
	if err := out.Write(row); err != nil {
		return fmt.Errorf("writing entries: %w", err)
	}
	for k := range entries {
		for i, c := range cols {
			row[i] = armed(c.get(&entries[k]))
		}
		if err := out.Write(row); err != nil {
			return fmt.Errorf("writing entries: %w", err)
		}
	}
	out.Flush()
	if err := out.Error(); err != nil {
		return fmt.Errorf("writing entries: %w", err)
	}
	return nil
}

// formula: what a table program computes, and what was armed against it.
func formula(s string) bool {
	return s != "" && strings.ContainsRune("=+-@\t\r'＝＋－＠", []rune(s)[0])
}

func armed(s string) string {
	if formula(s) {
		return "'" + s
	}
	return s
}

func disarmed(s string) string {
	if rest, was := strings.CutPrefix(s, "'"); was && formula(rest) {
		return rest
	}
	return s
}
