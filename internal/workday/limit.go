package workday

import "fmt"

// AddWorkdays is the n-th working day after the day of receipt, n >= 1. Such a
// limit ends on a working day by itself.
func (c *Calendar) AddWorkdays(receipt Date, n int) (Due, error) {
	if receipt == 0 || n < 1 || n > maxLimit {
		return Due{}, fmt.Errorf("%w: %d working days from %q", ErrLimit, n, receipt)
	}
	due := Due{Day: receipt, Calendar: c.version}
	for n > 0 {
		due.Day++
		due.Estimated = due.Estimated || !c.Covers(due.Day)
		if c.working(due.Day) {
			n--
		}
	}
	return due, nil
}

// AddDays is the n-th calendar day after the day from which a limit counts. With
// roll, an end on a rest day moves to the next working day (民法典 art. 203).
func (c *Calendar) AddDays(from Date, n int, roll bool) (Due, error) {
	if from == 0 || n < 0 || n > maxLimit {
		return Due{}, fmt.Errorf("%w: %d days from %q", ErrLimit, n, from)
	}
	return c.End(from+Date(n), roll), nil
}

// End is a limit that ends on d, rolled when asked to.
func (c *Calendar) End(d Date, roll bool) Due {
	due := Due{Day: d, Calendar: c.version}
	if !roll {
		return due
	}
	due.Estimated = !c.Covers(due.Day)
	for !c.working(due.Day) {
		due.Day++
		due.Estimated = due.Estimated || !c.Covers(due.Day)
	}
	return due
}

// Strict turns an estimate into ErrNoCalendar.
func Strict(d Due, err error) (Due, error) {
	if err == nil && d.Estimated {
		return Due{}, fmt.Errorf("%w: the limit ends about %s", ErrNoCalendar, d.Day)
	}
	return d, err
}
