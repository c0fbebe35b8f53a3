package sharing_test

import (
	"bytes"
	"errors"
	"reflect"
	"strings"
	"testing"

	"github.com/yinxin-gov/yinxin/authz/sharing"
)

// What is read and written again reads as the same, and no cell of it is a formula.
func FuzzReadEntries(f *testing.F) {
	f.Add("csv", []byte("code,name,items,label,published\n307/000001,=SUM(A1),a|b,L2/S2A2[personal],2026-03-01\n"))
	f.Add("csv", []byte("\ufeff信息资源代码,信息资源名称\n307/000001,\"'-1\"\n"))
	f.Add("csv", []byte("code,label\nx,机密\n"))
	f.Add("json", []byte(`[{"code":"307/000001","name":"x","label":{"level":2,"required_s":2,"required_a":2}}]`))
	f.Fuzz(func(t *testing.T, format string, data []byte) {
		entries, wrong, err := sharing.ReadEntries(sharing.EntryFormat(format), data)
		if err != nil {
			if !errors.Is(err, sharing.ErrFile) || entries != nil || wrong != nil {
				t.Fatalf("%v beside %d entries", err, len(entries))
			}
			return
		}
		for _, e := range entries {
			e.Validate() // whatever it says, it does not fall over
		}
		var b bytes.Buffer
		if err := sharing.WriteCSV(&b, entries); err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			if e.Label.Validate() != nil || e.Published == 0 || strings.ContainsAny(e.Code+e.Name+e.Summary, "\r") {
				return // cells that have no form of their own
			}
		}
		again, wrong, err := sharing.ReadEntries(sharing.FormatCSV, b.Bytes())
		if err != nil || len(wrong) > 0 || len(again) != len(entries) {
			t.Fatalf("%v, %v, %d of %d entries of\n%s", err, wrong, len(again), len(entries), b.Bytes())
		}
		for i := range entries {
			if again[i].Code != entries[i].Code || again[i].Name != entries[i].Name || !reflect.DeepEqual(again[i].Label, entries[i].Label) {
				t.Fatalf("%+v is %+v", entries[i], again[i])
			}
		}
	})
}

// A table program computes nothing of what it opens.
func TestExportHasNoFormulas(t *testing.T) {
	var e sharing.Entry
	for _, s := range []string{"=1+1", "+1", "-1", "@SUM", "\t=1", "'=1", "＝1"} {
		e.Name = s
		var b bytes.Buffer
		if err := sharing.WriteCSV(&b, []sharing.Entry{e}); err != nil {
			t.Fatal(err)
		}
		cell := strings.Trim(strings.Split(strings.Split(b.String(), "\n")[1], ",")[1], `"`)
		if !strings.HasPrefix(cell, "'") {
			t.Errorf("%q stands as %q", s, cell)
		}
		again, _, err := sharing.ReadEntries(sharing.FormatCSV, b.Bytes())
		if err != nil || again[0].Name != s {
			t.Errorf("%q comes back as %q, %v", s, again[0].Name, err)
		}
	}
}
