package ofd

import (
	"bytes"
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"
)

// described is a package whose OFD.xml is edited.
func described(t *testing.T, change func(string) string) []byte {
	t.Helper()
	plain, err := NewNotice(Notice{Title: "通知", Issuer: "样例局", Body: []string{"各单位："}, Date: time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC)})
	if err != nil {
		t.Fatal(err)
	}
	p, err := Open(plain)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := p.Read("/OFD.xml")
	if err != nil {
		t.Fatal(err)
	}
	edited := change(string(raw))
	if edited == string(raw) && change("<DocBody/>") != "<DocBody/>" {
		t.Fatalf("nothing changed in %s", raw)
	}
	q := &Pending{pkg: p, changed: map[string][]byte{"/OFD.xml": []byte(edited)}, valuePath: "/note.txt"}
	out, err := q.Finish([]byte("x"))
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// Custom data goes to its place in DocInfo whatever stands there, comes back,
// and is covered by the seal (GB/T 33190-2016, 7.4).
func TestCustomDataIsWrittenAndCovered(t *testing.T) {
	add := []CustomData{{"yinxin.a", `{"x":"甲 & <乙>"}`}, {"yinxin.b", "2"}}
	for name, tc := range map[string]struct {
		change func(string) string
		before []CustomData
	}{
		"as made": {func(s string) string { return s }, nil},
		"list there": {func(s string) string {
			return strings.Replace(s, "</ofd:DocInfo>", `<ofd:CustomDatas><ofd:CustomData Name="k">v</ofd:CustomData></ofd:CustomDatas></ofd:DocInfo>`, 1)
		}, []CustomData{{"k", "v"}}},
		"empty list": {func(s string) string {
			return strings.Replace(s, "</ofd:DocInfo>", `<ofd:CustomDatas /></ofd:DocInfo>`, 1)
		}, nil},
		"no DocInfo": {func(s string) string {
			return s[:strings.Index(s, "<ofd:DocInfo>")] + s[strings.Index(s, "</ofd:DocInfo>")+len("</ofd:DocInfo>"):]
		}, nil},
		"other prefix": {func(s string) string {
			return strings.ReplaceAll(strings.ReplaceAll(strings.ReplaceAll(s, "<ofd:", "<"), "</ofd:", "</"), "xmlns:ofd", "xmlns")
		}, nil},
	} {
		p, err := Open(described(t, tc.change))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if got := p.Bodies[0].Custom; !reflect.DeepEqual(got, tc.before) {
			t.Errorf("%s: before %+v", name, got)
		}
		q, err := Prepare(p, SealRequest{Type: TypeSign, SignTime: time.Now(), Custom: add})
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		out, err := q.Finish([]byte("value"))
		if err != nil {
			t.Fatal(err)
		}
		again, err := Open(out)
		if err != nil {
			t.Fatal(err)
		}
		sigs := again.Signatures()
		if got := again.Bodies[0].Custom; !reflect.DeepEqual(got, append(tc.before, add...)) {
			raw, _ := again.Read("/OFD.xml")
			t.Errorf("%s: after %+v\n%s", name, got, raw)
		}
		if len(again.Problems()) > 0 || len(again.Bodies[0].Pages) != 1 || len(sigs) != 1 || !sigs[0].Covers("/OFD.xml") {
			t.Errorf("%s: problems %v, %d signatures", name, again.Problems(), len(sigs))
		}
		if n := bytes.Count(q.changed["/OFD.xml"], []byte("DocInfo>")); n != 2 {
			t.Errorf("%s: %d tags of DocInfo", name, n)
		}
		// What an earlier signature covers stays as it is.
		if _, err := Prepare(again, SealRequest{Type: TypeSign, SignTime: time.Now(), Custom: []CustomData{{"c", "3"}}}); !errors.Is(err, ErrCustom) {
			t.Errorf("%s: a second one: %v", name, err)
		}
		if _, err := Prepare(again, SealRequest{Type: TypeSign, SignTime: time.Now()}); err != nil {
			t.Errorf("%s: a second signature: %v", name, err)
		}
		for what, twice := range map[string][]CustomData{"twice": {add[0], add[0]}, "no name": {{"", "x"}}, "taken": append(tc.before, tc.before...)} {
			if _, err := Prepare(p, SealRequest{Type: TypeSign, SignTime: time.Now(), Custom: twice}); len(twice) > 0 && !errors.Is(err, ErrCustom) {
				t.Errorf("%s %s: %v", name, what, err)
			}
		}
	}
}
