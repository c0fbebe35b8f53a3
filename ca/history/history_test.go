package history

import (
	"encoding/csv"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/yinxin-gov/yinxin/ca"
)

// A month is one of China's calendar, whatever the clock's zone; December has an
// end too.
func TestMonths(t *testing.T) {
	for _, c := range []struct{ at, month, from, to string }{
		{"2026-01-31T15:59:59Z", "2026-01", "2025-12-31T16:00:00Z", "2026-01-31T16:00:00Z"},
		{"2026-01-31T16:00:00Z", "2026-02", "2026-01-31T16:00:00Z", "2026-02-28T16:00:00Z"},
		{"2025-12-31T23:59:59+08:00", "2025-12", "2025-11-30T16:00:00Z", "2025-12-31T16:00:00Z"},
	} {
		at, err := time.Parse(time.RFC3339, c.at)
		if err != nil {
			t.Fatal(err)
		}
		m := MonthOf(at)
		from, to := m.Bounds()
		if m.String() != c.month || from.Format(time.RFC3339) != c.from || to.Format(time.RFC3339) != c.to {
			t.Errorf("%s is in %s from %s to %s", c.at, m, from, to)
		}
		if back, err := ParseMonth(c.month); err != nil || back != m || back.Before() != MonthOf(from.Add(-time.Nanosecond)) {
			t.Errorf("%s reads as %v, %v", c.month, back, err)
		}
	}
	for _, s := range []string{"", "2026", "2026-13", "2026-00", "1999-12", "2201-01", "2026-1-1", "2026-01 "} {
		if _, err := ParseMonth(s); !errors.Is(err, ErrQuery) {
			t.Errorf("%q: %v", s, err)
		}
	}
}

func FuzzParseCursor(f *testing.F) {
	for _, s := range []string{"", "1.a.b", Cursor{time.UnixMicro(7), "ab", "01"}.String(), "-1.a.b", "9999999999999999999.a.b", "1.a.b.c", "1.'.b"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		c, err := ParseCursor(s)
		if err != nil {
			if !errors.Is(err, ErrQuery) {
				t.Fatal(err)
			}
			return
		}
		if again, err := ParseCursor(c.String()); err != nil || again != c {
			t.Fatalf("%q is %v, then %v, %v", s, c, again, err)
		}
	})
}

// RFC 4180 and no cell that a spreadsheet would compute, whatever stands in it.
func TestSheetIsInert(t *testing.T) {
	var out strings.Builder
	s, err := NewSheet(&out, "名称", "b")
	if err != nil {
		t.Fatal(err)
	}
	cells := []string{"=1+1", "+1", "-1", "@x", "\t=1", "\r=1", " =1", "\n=1", "＝1", "\ufeff=1", `a"b,c`, "普通", "1-2", ""}
	for _, c := range cells {
		if err := s.Row(c, "x"); err != nil {
			t.Fatal(err)
		}
	}
	text := out.String()
	if !strings.HasPrefix(text, "\ufeff名称,b\r\n") {
		t.Errorf("begins with %q", text[:12])
	}
	rows, err := csv.NewReader(strings.NewReader(strings.TrimPrefix(text, "\ufeff"))).ReadAll()
	if err != nil || len(rows) != len(cells)+1 {
		t.Fatalf("%d rows, %v", len(rows), err)
	}
	for i, want := range cells {
		got := rows[i+1][0]
		if i < 10 != strings.HasPrefix(got, "'") || i >= 10 && got != want {
			t.Errorf("%q became %q", want, got)
		}
	}
}

func FuzzInert(f *testing.F) {
	f.Add("=1")
	f.Add(" \u00a0-1")
	f.Fuzz(func(t *testing.T, s string) {
		got := Inert(s)
		if strings.TrimPrefix(got, "'") != strings.TrimPrefix(s, "'") {
			t.Fatalf("%q became %q", s, got)
		}
		if t := strings.TrimLeft(got, " \n"); t != "" && strings.ContainsRune("=+-@\t\r", rune(t[0])) {
			panic("a formula: " + got)
		}
	})
}

type broken struct{ left int }

func (b *broken) Write(p []byte) (int, error) {
	if b.left--; b.left < 0 {
		return 0, io.ErrClosedPipe
	}
	return len(p), nil
}

func TestSheetStopsWithItsReader(t *testing.T) {
	s, err := NewSheet(&broken{2}, "a")
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Row("b"); !errors.Is(err, io.ErrClosedPipe) {
		t.Error(err)
	}
}

func TestXA18_22_Coverage(t *testing.T) {
	both, one, none := System{ID: "b"}, System{ID: "a"}, System{ID: "c"}
	for _, k := range []ca.Kind{ca.KindECDSA, ca.KindSM2Sign} {
		both.has(k)
	}
	one.has(ca.KindSM2Sign)
	for _, k := range []ca.Kind{ca.KindECDSATest, ca.KindSM2Enc, ca.KindService} {
		none.has(k) // connects nobody
	}
	c := cover([]System{both, one, none})
	if c.Registered != 3 || c.Connected != 2 || c.Both != 1 || len(c.Missing) != 1 || c.Missing[0].ID != "c" || c.PerMille() != 666 {
		t.Errorf("%+v", c)
	}
	if empty := cover(nil); empty.PerMille() != 1000 {
		t.Errorf("%+v", empty)
	}
}

func TestQueriesHaveBounds(t *testing.T) {
	s := &Service{Config{Now: func() time.Time { return time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC) }}}
	for _, q := range []Query{{}, {System: "a", Agency: "b"}, {System: "a", Limit: 201}, {System: "a", Limit: -1}} {
		if _, err := s.Of(t.Context(), q); !errors.Is(err, ErrQuery) {
			t.Errorf("%+v: %v", q, err)
		}
	}
	for _, q := range []ExpiringQuery{{Days: 401}, {Days: -1}, {Limit: 201}} {
		if _, err := s.Ending(t.Context(), q); !errors.Is(err, ErrQuery) {
			t.Errorf("%+v: %v", q, err)
		}
	}
	if _, err := s.Monthly(t.Context(), Month{2026, 4}); !errors.Is(err, ErrQuery) {
		t.Error(err)
	}
	if _, err := New(Config{}); err == nil {
		t.Error("an empty configuration")
	}
}
