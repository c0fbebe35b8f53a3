package tsa_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/yinxin-gov/yinxin/signer/cms/tsp"
	"github.com/yinxin-gov/yinxin/signer/tsa"
)

// A clock behind a time that was given out by more than the accuracy is not
// believed; one that catches up is (RFC 3161, 2.4.2: timeNotAvailable).
func TestClockStepsBack(t *testing.T) {
	k, l := newTrack(t, true, nil), &ledger{}
	cfg := k.config(l)
	at := now
	cfg.Now, cfg.Last = func() time.Time { return at }, now.Add(-time.Hour)
	s := service(t, cfg)
	for _, c := range []struct {
		at   time.Time
		fail bool
	}{
		{now, false}, {now.Add(time.Minute), false}, {now.Add(59 * time.Second), false}, // within the accuracy
		{now.Add(58*time.Second + 999*time.Millisecond), true}, {now, true}, {now.Add(2 * time.Minute), false},
	} {
		before := len(l.issued)
		at = c.at
		_, err := s.Stamp(context.Background(), []byte("value"))
		if errors.Is(err, tsa.ErrClock) != c.fail || (len(l.issued) > before) == c.fail {
			t.Errorf("at %s: %v, %d recorded", c.at, err, len(l.issued)-before)
		}
	}
	if !s.Last().Equal(now.Add(2 * time.Minute)) {
		t.Errorf("last is %s", s.Last())
	}
	// A successor knows what its predecessor gave out.
	cfg.Last, at = s.Last(), now
	if _, err := service(t, cfg).Stamp(context.Background(), []byte("value")); !errors.Is(err, tsa.ErrClock) {
		t.Errorf("a successor: %v", err)
	}
}

// Whole seconds, to the nearer one, so that half a second is all that is lost.
func TestTimeIsRounded(t *testing.T) {
	cfg := newTrack(t, false, nil).config(&ledger{})
	cfg.Now = func() time.Time { return now.Add(700 * time.Millisecond) }
	der, err := service(t, cfg).Stamp(context.Background(), []byte("value"))
	if err != nil {
		t.Fatal(err)
	}
	token, err := tsp.ParseToken(der)
	if err != nil || !token.Time.Equal(now.Add(time.Second)) {
		t.Errorf("%s, %v", token.Time, err)
	}
}
