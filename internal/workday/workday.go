// Package workday is the statutory calendar (工作日): which days are working
// days, and when a limit ends.
//
// The exchange of days around holidays is set each year by notice of the State
// Council (国务院办公厅关于部分节假日安排的通知), so it is data and no formula;
// workdays.json holds 2004-2026 with its licence notice. The day of receipt is
// not counted (民法典 art. 201). A limit in working days ends on its n-th
// working day; a limit in calendar days that ends on a rest day rolls to the
// next working day (art. 203, by analogy).
//
// It refuses to invent a calendar: a year without a notice, and the last days
// of December that the next notice may still change, give an estimate that says
// so, or in strict mode ErrNoCalendar.
package workday

import (
	_ "embed"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/emmansun/gmsm/sm3"
)

//go:embed workdays.json
var embedded []byte

// Bounds of what is parsed and asked.
const (
	maxSize  = 1 << 20
	maxLimit = 10000
)

// Outcomes that callers branch on.
var (
	// ErrNoCalendar: no notice covers the day yet.
	ErrNoCalendar = errors.New("workday: no calendar for that day")
	// ErrLimit: a limit that is no positive number of days, or too many.
	ErrLimit = errors.New("workday: not a limit")
	// ErrData: the data of a calendar cannot be used.
	ErrData = errors.New("workday: calendar data")
)

// Calendar is immutable and safe for concurrent use.
type Calendar struct {
	special     map[Date]bool // true: adjusted working day (调休上班); false: holiday
	first, last Date          // covered without gaps
	provisional Date          // from here on the next notice may change days
	version     string
}

// Due is the end of a limit. Whoever stores one stores all three fields, so
// that an estimate is found again when a newer calendar comes.
type Due struct {
	Day       Date   `json:"day"`
	Estimated bool   `json:"estimated,omitempty"` // a day without a final notice was touched
	Calendar  string `json:"calendar"`            // Version of the calendar
}

// Load reads the calendar of this program.
func Load() (*Calendar, error) { return Read(embedded) }

// Read reads calendar data, for example of a newer notice. ErrData says what is wrong.
func Read(raw []byte) (*Calendar, error) {
	if len(raw) > maxSize {
		return nil, fmt.Errorf("%w: larger than %d bytes", ErrData, maxSize)
	}
	var file struct {
		Coverage struct {
			From        Date `json:"from"`
			To          Date `json:"to"`
			Provisional Date `json:"provisional_from"`
		} `json:"coverage"`
		Years map[string]struct {
			Holidays map[string]string `json:"holidays"`
			Workdays []string          `json:"workdays"`
		} `json:"years"`
	}
	if err := json.Unmarshal(raw, &file); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrData, err)
	}
	sum := sm3.Sum(raw)
	c := &Calendar{
		special: map[Date]bool{}, first: file.Coverage.From, last: file.Coverage.To,
		provisional: file.Coverage.Provisional, version: hex.EncodeToString(sum[:]),
	}
	if c.first == 0 || c.last < c.first {
		return nil, fmt.Errorf("%w: coverage %s to %s", ErrData, c.first, c.last)
	}
	if c.provisional == 0 {
		c.provisional = c.last + 1
	}
	from, _, _ := c.first.Date()
	to, _, _ := c.last.Date()
	for y := from; y <= to; y++ {
		year, ok := file.Years[strconv.Itoa(y)]
		if !ok || len(year.Holidays) == 0 {
			return nil, fmt.Errorf("%w: %d is covered but has no holidays", ErrData, y)
		}
		for d := range year.Holidays {
			if err := c.mark(y, d, false); err != nil {
				return nil, err
			}
		}
		for _, d := range year.Workdays {
			if err := c.mark(y, d, true); err != nil {
				return nil, err
			}
		}
	}
	return c, nil
}

func (c *Calendar) mark(year int, monthDay string, working bool) error {
	d, err := Parse(fmt.Sprintf("%04d-%s", year, monthDay))
	if err != nil {
		return fmt.Errorf("%w: %w", ErrData, err)
	}
	if _, twice := c.special[d]; twice {
		return fmt.Errorf("%w: %s stands twice", ErrData, d)
	}
	if working && !weekend(d) {
		return fmt.Errorf("%w: %s is an ordinary working day", ErrData, d)
	}
	c.special[d] = working
	return nil
}

// Version is the SM3 of the data, lower-case hex.
func (c *Calendar) Version() string { return c.version }

// Covers reports whether a final notice says what d is.
func (c *Calendar) Covers(d Date) bool { return d >= c.first && d <= c.last && d < c.provisional }

// IsWorkday is strict: ErrNoCalendar for a day outside the data. A provisional
// day is answered as the data has it.
func (c *Calendar) IsWorkday(d Date) (bool, error) {
	if d < c.first || d > c.last {
		return false, fmt.Errorf("%w: %s", ErrNoCalendar, d)
	}
	return c.working(d), nil
}

// Adjusted reports whether d is a Saturday or Sunday made a working day (调休上班).
func (c *Calendar) Adjusted(d Date) bool { return c.special[d] }

// working answers outside the data by Monday to Friday without the holidays
// that have a fixed date (全国年节及纪念日放假办法, 2024): the estimate.
func (c *Calendar) working(d Date) bool {
	if is, ok := c.special[d]; ok {
		return is
	}
	return !weekend(d) && (d >= c.first && d <= c.last || !fixedHoliday(d))
}

func weekend(d Date) bool {
	w := d.utc().Weekday()
	return w == time.Saturday || w == time.Sunday
}

func fixedHoliday(d Date) bool {
	switch _, m, n := d.Date(); m {
	case time.January:
		return n == 1
	case time.May:
		return n <= 2
	case time.October:
		return n <= 3
	}
	return false
}
