package history

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// Cursor is the place after a record in a list; zero: its beginning.
type Cursor struct {
	At             time.Time
	Issuer, Serial string
}

// String writes a cursor for an address: microseconds, issuer and serial.
func (c Cursor) String() string {
	if c == (Cursor{}) {
		return ""
	}
	return fmt.Sprintf("%d.%s.%s", c.At.UnixMicro(), c.Issuer, c.Serial)
}

// ParseCursor reads what String wrote; a place that no list has is as good as any.
func ParseCursor(s string) (Cursor, error) {
	if s == "" {
		return Cursor{}, nil
	}
	parts := strings.Split(s, ".")
	name := regexp.MustCompile(`^[0-9a-z-]{1,64}$`)
	if len(parts) != 3 || !name.MatchString(parts[1]) || !name.MatchString(parts[2]) {
		return Cursor{}, fmt.Errorf("%w: not a place in a list", ErrQuery)
	}
	us, err := strconv.ParseInt(parts[0], 10, 64)
	const top = 4_102_444_800_000_000 // the year 2100
	if err != nil || us < 0 || us > top {
		return Cursor{}, fmt.Errorf("%w: not a place in a list", ErrQuery)
	}
	return Cursor{time.UnixMicro(us).UTC(), parts[1], parts[2]}, nil
}
