package agent

import "time"

// Another process holds the lock for one enrolment or renewal, which is a few
// calls to the house.
const (
	lockWait = 30 * time.Second
	lockPoll = 50 * time.Millisecond
)
