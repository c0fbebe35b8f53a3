package workday_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/yinxin-gov/yinxin/internal/workday"
)

func date(t testing.TB, s string) workday.Date {
	t.Helper()
	d, err := workday.Parse(s)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func load(t testing.TB) *workday.Calendar {
	t.Helper()
	c, err := workday.Load()
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func ExampleCalendar_AddWorkdays() {
	c, _ := workday.Load()
	receipt, _ := workday.Parse("2026-02-09")
	due, _ := c.AddWorkdays(receipt, 10) // Spring Festival, and a working Saturday
	fmt.Println(due.Day, due.Estimated)
	// Output: 2026-02-28 false
}

// The vectors stand in the data file and in the reference (民法典 art. 201).
func TestAddWorkdays_Vectors(t *testing.T) {
	raw, err := os.ReadFile("workdays.json")
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Vectors [][3]any `json:"vectors"`
	}
	if err := json.Unmarshal(raw, &file); err != nil {
		t.Fatal(err)
	}
	if len(file.Vectors) < 24 {
		t.Fatalf("%d vectors", len(file.Vectors))
	}
	c := load(t)
	for _, v := range file.Vectors {
		from, n, want := v[0].(string), int(v[1].(float64)), v[2].(string)
		due, err := workday.Strict(c.AddWorkdays(date(t, from), n))
		if err != nil || due.Day.String() != want || due.Calendar != c.Version() {
			t.Errorf("%s + %d: %+v, %v; want %s", from, n, due, err, want)
		}
	}
}

func TestAddWorkdays_WithoutNotice(t *testing.T) {
	c := load(t)
	due, err := c.AddWorkdays(date(t, "2026-12-20"), 15)
	if err != nil || !due.Estimated || due.Day.String() != "2027-01-11" {
		t.Errorf("estimate: %+v, %v", due, err)
	}
	if _, err := workday.Strict(c.AddWorkdays(date(t, "2026-12-20"), 15)); !errors.Is(err, workday.ErrNoCalendar) {
		t.Errorf("strict: %v", err)
	}
	for from, estimated := range map[string]bool{"2026-12-25": false, "2026-12-28": true} { // 12-29 is provisional
		if due, err := c.AddWorkdays(date(t, from), 1); err != nil || due.Estimated != estimated {
			t.Errorf("%s: %+v, %v", from, due, err)
		}
	}
	for _, d := range []string{"2003-12-31", "2027-01-01"} {
		if _, err := c.IsWorkday(date(t, d)); !errors.Is(err, workday.ErrNoCalendar) {
			t.Errorf("%s: %v", d, err)
		}
	}
	// Fixed holidays are known without a notice.
	if due, err := c.AddDays(date(t, "2027-09-01"), 30, true); err != nil || due.Day.String() != "2027-10-04" || !due.Estimated {
		t.Errorf("over National Day 2027: %+v, %v", due, err)
	}
}

func TestAddDays_RollsOverRestDays_MinFaDian203(t *testing.T) {
	c := load(t)
	for _, v := range []struct {
		from, rolled, plain string
	}{
		{"2025-03-03", "2025-04-02", "2025-04-02"},
		{"2025-09-05", "2025-10-09", "2025-10-05"}, // National Day and Mid-Autumn
		{"2026-01-15", "2026-02-14", "2026-02-14"}, // a working Saturday stays
		{"2026-01-16", "2026-02-24", "2026-02-15"},
		{"2024-01-30", "2024-02-29", "2024-02-29"}, // leap day
		{"2025-04-05", "2025-05-06", "2025-05-05"},
	} {
		for roll, want := range map[bool]string{true: v.rolled, false: v.plain} {
			if due, err := workday.Strict(c.AddDays(date(t, v.from), 30, roll)); err != nil || due.Day.String() != want {
				t.Errorf("%s, roll %v: %+v, %v; want %s", v.from, roll, due, err, want)
			}
		}
	}
}

func TestIsWorkday_2026WorkingWeekends(t *testing.T) {
	c := load(t)
	var got []string
	for d := date(t, "2026-01-01"); d <= date(t, "2026-12-31"); d++ {
		if c.Adjusted(d) {
			got = append(got, d.String()[5:])
			if is, err := c.IsWorkday(d); !is || err != nil {
				t.Errorf("%s: %v, %v", d, is, err)
			}
		}
	}
	if want := "01-04 02-14 02-28 05-09 09-20 10-10"; strings.Join(got, " ") != want {
		t.Errorf("%v, want %s", got, want)
	}
}

// A limit never ends before it began, nor on a rest day, and one day more never
// ends earlier.
func TestAddWorkdays_Monotone(t *testing.T) {
	c := load(t)
	for d := date(t, "2004-01-02"); d < date(t, "2026-11-01"); d += 3 {
		before := workday.Date(0)
		for n := 1; n <= 20; n++ {
			due, err := c.AddWorkdays(d, n)
			if is, err2 := c.IsWorkday(due.Day); err != nil || err2 != nil || !is || due.Day <= max(before, d) {
				t.Fatalf("%s + %d: %s after %s, %v %v", d, n, due.Day, before, err, err2)
			}
			before = due.Day
		}
	}
}

func TestOf_IsTheLocalDay(t *testing.T) {
	for instant, want := range map[string]string{
		"2025-09-23T16:30:00Z": "2025-09-24", // 00:30 in China
		"2025-09-24T15:59:59Z": "2025-09-24",
		"2025-09-24T16:00:00Z": "2025-09-25",
	} {
		at, err := time.Parse(time.RFC3339, instant)
		if err != nil {
			t.Fatal(err)
		}
		if d := workday.Of(at); d.String() != want {
			t.Errorf("%s: %s, want %s", instant, d, want)
		}
	}
	d := date(t, "2025-09-24")
	if workday.Of(d.Start()) != d || workday.Of(d.Start().Add(-1)) != d-1 || workday.Of(time.Time{}) != 0 || !workday.Date(0).Start().IsZero() {
		t.Error("Start and Of disagree")
	}
}

func TestAddMonths_MinFaDian202(t *testing.T) {
	for _, v := range []struct {
		from string
		n    int
		want string
	}{
		{"2024-02-29", 12, "2025-02-28"}, {"2024-02-29", 48, "2028-02-29"}, {"2025-08-31", 6, "2026-02-28"},
		{"2025-11-20", 12, "2026-11-20"}, {"2028-06-10", -3, "2028-03-10"}, {"2028-05-31", -3, "2028-02-29"}, {"2025-12-31", 1, "2026-01-31"},
	} {
		if got := date(t, v.from).AddMonths(v.n); got.String() != v.want {
			t.Errorf("%s %+d: %s, want %s", v.from, v.n, got, v.want)
		}
	}
}

func TestDate_JSON(t *testing.T) {
	type row struct {
		D workday.Date `json:"d,omitzero"`
	}
	raw, err := json.Marshal([]row{{date(t, "2024-02-29")}, {}})
	if err != nil || string(raw) != `[{"d":"2024-02-29"},{}]` {
		t.Fatalf("%s, %v", raw, err)
	}
	for _, bad := range []string{`{"d":"2025-02-29"}`, `{"d":"2025-2-1"}`, `{"d":"昨天"}`} {
		var r row
		if err := json.Unmarshal([]byte(bad), &r); !errors.Is(err, workday.ErrDate) {
			t.Errorf("%s: %v", bad, err)
		}
	}
}

func TestBadInput(t *testing.T) {
	c := load(t)
	for _, n := range []int{0, -1, 10001} {
		if _, err := c.AddWorkdays(date(t, "2025-01-06"), n); !errors.Is(err, workday.ErrLimit) {
			t.Errorf("%d: %v", n, err)
		}
	}
	if _, err := c.AddDays(0, 3, true); !errors.Is(err, workday.ErrLimit) {
		t.Errorf("no date: %v", err)
	}
	years := `{"coverage":{"from":"2025-01-01","to":"2025-12-31"},"years":{"2025":{"holidays":%s,"workdays":%s}}}`
	for name, raw := range map[string]string{
		"no JSON":           "{",
		"no coverage":       "{}",
		"a year missing":    `{"coverage":{"from":"2025-01-01","to":"2026-12-31"},"years":{"2025":{"holidays":{"01-01":"元旦"}}}}`,
		"no such day":       fmt.Sprintf(years, `{"02-30":"x"}`, "[]"),
		"both on and off":   fmt.Sprintf(years, `{"01-04":"x"}`, `["01-04"]`),
		"a Monday adjusted": fmt.Sprintf(years, `{"01-01":"元旦"}`, `["01-06"]`),
		"too large":         strings.Repeat(" ", 1<<20+1),
	} {
		if _, err := workday.Read([]byte(raw)); !errors.Is(err, workday.ErrData) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
