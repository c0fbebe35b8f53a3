package tsa

import (
	"errors"
	"fmt"
	"syscall"
	"time"
)

// What adjtimex(2) says of the clock.
const (
	staUnsync = 0x40 // STA_UNSYNC: nobody disciplines it
	timeError = 5    // TIME_ERROR: the same, as a state
)

// Kernel asks the kernel whether a time service (chrony, ntpd, timesyncd) keeps
// the clock, and whether its worst error is within limit. Nothing is changed and
// no privilege is needed. In a container it is the clock of the host.
func Kernel(limit time.Duration) error {
	var t syscall.Timex // Modes 0: read only
	state, err := syscall.Adjtimex(&t)
	if err != nil {
		return fmt.Errorf("tsa: asking the kernel about its clock: %w", err)
	}
	return judgeClock(state, int64(t.Status), time.Duration(t.Maxerror)*time.Microsecond, limit)
}

func judgeClock(state int, status int64, worst, limit time.Duration) error {
	switch {
	case state == timeError || status&staUnsync != 0:
		return errors.New("tsa: no time service keeps the clock")
	case worst > limit:
		return fmt.Errorf("tsa: the clock may be wrong by %s, at most %s is allowed", worst.Round(time.Millisecond), limit)
	}
	return nil
}
