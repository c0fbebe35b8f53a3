package tsa

import (
	"testing"
	"time"
)

// adjtimex(2): a clock that nobody keeps, or that may be too far off, is not
// believed, whichever field says so.
func TestJudgeClock(t *testing.T) {
	const limit = 1500 * time.Millisecond
	for name, c := range map[string]struct {
		state  int
		status int64
		worst  time.Duration
		good   bool
	}{
		"kept":                {0, 0x2001, 20 * time.Millisecond, true},
		"a leap second":       {1, 0x2011, 20 * time.Millisecond, true},
		"at the limit":        {0, 0, limit, true},
		"too far off":         {0, 0x2001, limit + time.Microsecond, false},
		"not kept, by status": {0, staUnsync, 0, false},
		"not kept, by state":  {timeError, 0, 0, false},
		"after boot":          {timeError, staUnsync, 16 * time.Second, false},
	} {
		if err := judgeClock(c.state, c.status, c.worst, limit); (err == nil) != c.good {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := Kernel(0); err == nil {
		t.Error("a clock without any error")
	}
}
