package signer

import (
	"errors"
	"strings"
	"testing"
)

func TestManifestText(t *testing.T) {
	a, b := strings.Repeat("ab", 32), strings.Repeat("01", 32)
	m := Manifest{{a, 12, "通知/2.ofd"}, {b, 0, "a b.pdf"}, {a, 1 << 40, "Z.ofd"}}
	text, err := m.Text()
	want := a + "  1099511627776  Z.ofd\n" + b + "  0  a b.pdf\n" + a + "  12  通知/2.ofd\n"
	if err != nil || string(text) != want {
		t.Fatalf("%s, %v", text, err)
	}
	if m[0].Path != "通知/2.ofd" {
		t.Error("the caller's list was sorted")
	}
	again, err := ParseManifest(text)
	sum1, err1 := m.Digest()
	sum2, err2 := again.Digest()
	if err != nil || err1 != nil || err2 != nil || sum1 != sum2 || len(again) != 3 {
		t.Errorf("%+v, %v %v %v", again, err, err1, err2)
	}
	for name, e := range map[string]Entry{
		"digest": {"AB", 1, "x"}, "upper case": {strings.ToUpper(a), 1, "x"}, "size": {a, -1, "x"}, "no path": {a, 1, ""}, "absolute": {a, 1, "/x"},
		"parent": {a, 1, "../x"}, "inner parent": {a, 1, "a/../x"}, "dot": {a, 1, "./x"}, "slash": {a, 1, "x/"}, "backslash": {a, 1, `a\x`},
		"line feed": {a, 1, "a\nb"}, "direction": {a, 1, "a\u202eb"}, "not UTF-8": {a, 1, "\xff"}, "long": {a, 1, strings.Repeat("x", 801)}, "here": {a, 1, "."},
	} {
		if _, err := (Manifest{e}).Text(); !errors.Is(err, ErrManifest) {
			t.Errorf("%s: %v", name, err)
		}
	}
	line := a + "  1  x\n"
	for name, s := range map[string]string{
		"empty": "", "no end": line[:len(line)-1], "twice": line + line, "unsorted": a + "  1  y\n" + line, "one space": a + " 1  x\n", "size": a + "  01  x\n",
		"plus": a + "  +1  x\n", "more": line + "\n", "CRLF": a + "  1  x\r\n", "overflow": a + "  99999999999999999999  x\n",
	} {
		if _, err := ParseManifest([]byte(s)); !errors.Is(err, ErrManifest) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// FuzzManifest: what is read is written the same way again.
func FuzzManifest(f *testing.F) {
	f.Add([]byte(strings.Repeat("ab", 32) + "  1  x\n" + strings.Repeat("ab", 32) + "  2  x  y\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := ParseManifest(b)
		if err != nil {
			if !errors.Is(err, ErrManifest) {
				t.Fatal(err)
			}
			return
		}
		if again, err := m.Text(); err != nil || string(again) != string(b) {
			t.Fatalf("%q, %v", again, err)
		}
	})
}
