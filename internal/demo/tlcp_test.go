package demo

import (
	"context"
	"encoding/json"
	"errors"
	"net"
	"strings"
	"testing"

	"github.com/yinxin-gov/yinxin/ca"
	"github.com/yinxin-gov/yinxin/internal/agent"
	"github.com/yinxin-gov/yinxin/internal/app"
)

// TestTheSameServiceOverTLCP: an enrolled system is known by its SM2 pair, gets
// what it gets over mTLS, and is refused from the very request after its pair is
// held, on the connection that it has.
func TestTheSameServiceOverTLCP(t *testing.T) {
	d := demo(t)
	address, house := tlcpDoor(t, d)
	over, err := d.walk.agents[unitA].OverTLCP(address)
	ok(t, err)
	defer over.Close()
	want, err := d.walk.agents[unitA].Inbox(bg)
	ok(t, err)
	got, err := over.Inbox(bg)
	ok(t, err)
	if len(want) == 0 || len(got) != len(want) {
		t.Errorf("%d transfers, %d over mTLS", len(got), len(want))
	}
	question := map[string]any{
		"subject": map[string]string{"type": "system", "id": over.System()}, "action": map[string]string{"name": "read"},
		"resource": map[string]string{"type": "resource", "id": resNotice}, "context": map[string]string{"purpose": "social-assistance"},
	}
	var answer struct{ Decision *bool }
	raw, err := over.Evaluate(bg, question)
	ok(t, err)
	if json.Unmarshal(raw, &answer) != nil || answer.Decision == nil {
		t.Errorf("decision %s", raw)
	}
	question["subject"] = map[string]string{"type": "system", "id": "somebody-else"}
	if _, err := over.Evaluate(bg, question); !errors.Is(err, agent.ErrRefused) {
		t.Errorf("asked for another system: %v", err)
	}

	all, err := house.CertificatesOf(bg, over.System())
	ok(t, err)
	actor := house.PersonActor(d.walk.ra.ID, d.walk.agencies[office].unit.USCC)
	for _, c := range all {
		if c.Kind != ca.KindSM2Enc {
			continue
		}
		_, _, err := house.CA.Hold(bg, actor, c.Issuer, c.Serial, "检查")
		ok(t, err)
		if _, err := over.Inbox(bg); !errors.Is(err, agent.ErrRefused) || !strings.Contains(err.Error(), "403") {
			t.Errorf("on hold: %v", err)
		}
		if _, err := d.walk.agents[unitA].Inbox(bg); err != nil {
			t.Errorf("the mTLS certificate is another: %v", err)
		}
		return
	}
	t.Error("no encryption certificate")
}

// tlcpDoor serves the demo's house once more, with a TLCP port.
func tlcpDoor(t *testing.T, d *running) (address string, house *app.House) {
	t.Helper()
	house = d.walk.house
	listen := func() net.Listener {
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		ok(t, err)
		return ln
	}
	ctx, stop := context.WithCancel(bg)
	served := make(chan error, 1)
	ls := app.Listeners{HTTPS: listen(), TLCP: listen()}
	_, port, err := net.SplitHostPort(ls.TLCP.Addr().String())
	ok(t, err)
	go func() { served <- house.ServeAll(ctx, ls) }()
	t.Cleanup(func() {
		stop()
		ok(t, <-served)
	})
	return net.JoinHostPort("localhost", port), house
}
