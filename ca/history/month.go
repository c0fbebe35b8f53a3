package history

import (
	"fmt"
	"time"
)

// Month is a calendar month in China, which has one time zone and no summer time.
type Month struct {
	Year  int
	Month time.Month
}

func china() *time.Location { return time.FixedZone("UTC+8", 8*3600) }

// MonthOf is the month in which a moment falls.
func MonthOf(t time.Time) Month {
	t = t.In(china())
	return Month{t.Year(), t.Month()}
}

// ParseMonth reads "2026-03".
func ParseMonth(s string) (Month, error) {
	t, err := time.Parse("2006-01", s)
	if err != nil || t.Year() < 2000 || t.Year() > 2200 {
		return Month{}, fmt.Errorf("%w: %q is not a month, as 2026-03", ErrQuery, s)
	}
	return Month{t.Year(), t.Month()}, nil
}

// String writes it as ParseMonth reads it.
func (m Month) String() string { return fmt.Sprintf("%04d-%02d", m.Year, m.Month) }

// MarshalText implements encoding.TextMarshaler.
func (m Month) MarshalText() ([]byte, error) { return []byte(m.String()), nil }

// Bounds are its first moment and the first one after it.
func (m Month) Bounds() (from, to time.Time) {
	return time.Date(m.Year, m.Month, 1, 0, 0, 0, 0, china()).UTC(), time.Date(m.Year, m.Month+1, 1, 0, 0, 0, 0, china()).UTC()
}

// Before is the month before.
func (m Month) Before() Month {
	from, _ := m.Bounds()
	return MonthOf(from.Add(-time.Second))
}
