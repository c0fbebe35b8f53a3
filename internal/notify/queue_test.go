package notify_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/yinxin-gov/yinxin/internal/notify"
)

// lossy is a store that loses results, as a process does that dies after it sent.
type lossy struct{ *rows }

// rows keeps the name of the embedded store out of the way.
type rows struct{ notify.Store }

var errCrash = errors.New("crashed")

func (l lossy) SettleDelivery(context.Context, string, notify.Result) error { return errCrash }
func (l lossy) ReleaseChannel(context.Context, string, string) error        { return errCrash }

// Sent but not marked is sent again, by whoever gets the lease, under the same id.
func TestCrashBetweenSendAndMark(t *testing.T) {
	h, in := newHouse(t, loopback), newHook(t)
	c, _ := h.register(in.channel())
	h.tell(notify.CertificateHeld, "u-1", "n1")
	dies := h.again(func(c *notify.Config) { c.Store = lossy{&rows{h.rows}} })
	h.clock.add(time.Second)
	ok(t, dies.Round(bg))
	h.round()
	if got := in.names(); len(got) != 1 {
		t.Fatalf("while the lease holds: %v", got)
	}
	h.clock.add(2 * time.Minute)
	h.round()
	got := in.posts()
	if len(got) != 2 || got[0].id != got[1].id {
		t.Fatalf("%+v", got)
	}
	if s := h.standing(c.ID); s.Queued != 0 {
		t.Errorf("%+v", s)
	}
}

// Several nodes send each notice once.
func TestNodesShareTheQueue(t *testing.T) {
	h, in := newHouse(t, loopback), newHook(t)
	h.register(in.channel())
	var want []string
	for i := range 20 {
		want = append(want, fmt.Sprintf("n%02d", i))
	}
	h.tell(notify.CertificateHeld, "u-1", want...)
	h.clock.add(time.Second)
	var all sync.WaitGroup
	for range 4 {
		node := h.again(func(*notify.Config) {})
		all.Go(func() {
			for range 3 {
				if err := node.Round(bg); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	h.round()
	if got := in.names(); !slices.Equal(got, want) {
		t.Errorf("%v", got)
	}
}
