package workday

import (
	"errors"
	"fmt"
	"time"
)

// Date is a calendar day in China, counted in days from 1970-01-01; the zero
// Date is no date. Limits are computed on local days and never on instants: a
// receipt at 00:30 belongs to the local day that has just begun.
type Date int32

// ErrDate: not a day in the form YYYY-MM-DD.
var ErrDate = errors.New("workday: not a date")

const day = 24 * time.Hour

// Shanghai is the zone of every limit. It is fixed, because a machine without a
// zone database must not compute other limits, and China has kept no summer
// time since 1991.
func Shanghai() *time.Location { return time.FixedZone("Asia/Shanghai", 8*3600) }

// Of is the local day of an instant; the zero time is no date.
func Of(t time.Time) Date {
	if t.IsZero() {
		return 0
	}
	y, m, d := t.In(Shanghai()).Date()
	return On(y, m, d)
}

// On is a day by its parts, normalised as time.Date does.
func On(y int, m time.Month, d int) Date {
	return Date(time.Date(y, m, d, 0, 0, 0, 0, time.UTC).Unix() / int64(day/time.Second))
}

// Parse reads YYYY-MM-DD.
func Parse(s string) (Date, error) {
	t, err := time.Parse(time.DateOnly, s)
	if err != nil {
		return 0, fmt.Errorf("%w: %.20q", ErrDate, s)
	}
	y, m, d := t.Date()
	return On(y, m, d), nil
}

func (d Date) utc() time.Time { return time.Unix(int64(d)*int64(day/time.Second), 0).UTC() }

// Date returns the parts.
func (d Date) Date() (int, time.Month, int) { return d.utc().Date() }

// Start is the first instant of the day. A limit or certificate that ends on
// day d ends at (d+1).Start(): at 24 o'clock (民法典 art. 203).
func (d Date) Start() time.Time {
	if d == 0 {
		return time.Time{}
	}
	y, m, n := d.Date()
	return time.Date(y, m, n, 0, 0, 0, 0, Shanghai())
}

// AddMonths is the corresponding day, else the last day of that month
// (民法典 art. 202): 2024-02-29 and 12 months are 2025-02-28.
func (d Date) AddMonths(n int) Date {
	y, m, n0 := d.Date()
	last := time.Date(y, m+time.Month(n)+1, 0, 0, 0, 0, 0, time.UTC).Day()
	return On(y, m+time.Month(n), min(n0, last))
}

// String is YYYY-MM-DD, and empty for no date.
func (d Date) String() string {
	if d == 0 {
		return ""
	}
	return d.utc().Format(time.DateOnly)
}

// MarshalText is String.
func (d Date) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// UnmarshalText is Parse; an empty text is no date.
func (d *Date) UnmarshalText(b []byte) (err error) {
	if len(b) == 0 {
		*d = 0
		return nil
	}
	*d, err = Parse(string(b))
	return err
}
