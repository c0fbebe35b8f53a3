package sidecar

import (
	"time"

	"github.com/yinxin-gov/yinxin/internal/agent"
)

// The schedule of a certificate's life. Renewal is due at two thirds, spread by
// a twentieth of the life to either side, so that systems enrolled on one day do
// not all come at once. What fails is tried again ever more rarely, but at least
// eight times in what is left of the life.
const (
	spread     = 20 // 1/20 of the life
	backoffMin = 30 * time.Second
	backoffMax = time.Hour
	leastTries = 8
)

// plan is what is known of one track.
type plan struct {
	serial string    // of which it is the plan
	next   time.Time // renewal, or the next try
	tries  int       // failed since the last success
	err    string
	failed time.Time
}

// planned returns the plan for what is held: a new one for a new certificate,
// and for a plan that only a wrong clock can have made. draw is in [0, 1).
func planned(p plan, h agent.Held, now time.Time, draw func() float64) plan {
	latest := due(h, 1)
	if t := now.Add(backoffMax); t.After(latest) {
		latest = t
	}
	if p.serial != h.Serial {
		return plan{serial: h.Serial, next: due(h, draw())}
	}
	if p.next.After(latest) {
		p.next = due(h, draw())
	}
	return p
}

// due is two thirds of the life, moved by at most 1/spread of it.
func due(h agent.Held, draw float64) time.Time {
	life := h.NotAfter.Sub(h.NotBefore)
	return h.NotBefore.Add(life * 2 / 3).Add(time.Duration((2*draw - 1) * float64(life/spread)))
}

// fail moves the plan to the next try: the wait doubles, and a random half of it
// keeps many systems apart when their house comes back.
func (p plan) fail(err error, h agent.Held, now time.Time, draw float64) plan {
	wait := backoff(p.tries, draw)
	if left := h.NotAfter.Sub(now); left > 0 {
		wait = min(wait, max(left/leastTries, time.Second))
	}
	p.tries++
	p.err, p.failed, p.next = err.Error(), now, now.Add(wait)
	return p
}

func backoff(tries int, draw float64) time.Duration {
	wait := backoffMax
	if tries < 7 { // 30 s · 2⁷ is more than an hour
		wait = min(backoffMin<<tries, backoffMax)
	}
	return wait/2 + time.Duration(draw*float64(wait/2))
}
