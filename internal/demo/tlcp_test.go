package demo

import (
	"context"
	"encoding/json"
	"errors"
	"net"
	"os/exec"
	"slices"
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
	cfg := d.walk.agentConfig(d.walk.agents[unitA].System())
	cfg.TLCP = address
	over, err := agent.Open(cfg)
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

	// The same on the command line.
	for _, args := range [][]string{{"inbox"}, {"decide", "--action", "read", "--resource", resNotice, "--purpose", "social-assistance"}} {
		cmd := exec.Command(d.bin, append([]string{"agent"}, append(args, "--json", "--dir", cfg.Dir, "--tlcp", address)...)...)
		out, err := cmd.Output()
		if !json.Valid(out) {
			t.Errorf("%v: %s, %v", args, out, err)
		}
	}

	// Both tracks renew: the pair here, the ECDSA certificate over HTTPS.
	held := over.Held()
	for _, track := range []agent.Track{agent.TrackSM2, agent.TrackTLS} {
		ok(t, over.Renew(bg, track, false))
		over.Close()
		over, err = agent.Open(cfg)
		ok(t, err)
		_, err = over.Inbox(bg)
		ok(t, err)
	}
	for n, now := range over.Held() {
		if now.Serial == held[n].Serial {
			t.Errorf("%s was not renewed", now.Track)
		}
	}
	next, err := agent.Open(d.walk.agentConfig(over.System()))
	ok(t, err)
	defer next.Close()

	all, err := house.CertificatesOf(bg, over.System())
	ok(t, err)
	actor := house.PersonActor(d.walk.ra.ID, d.walk.agencies[office].unit.USCC)
	for _, c := range slices.Backward(all) { // the newest
		if c.Kind != ca.KindSM2Enc {
			continue
		}
		_, _, err := house.CA.Hold(bg, actor, c.Issuer, c.Serial, "检查")
		ok(t, err)
		if _, err := over.Inbox(bg); !errors.Is(err, agent.ErrRefused) || !strings.Contains(err.Error(), "403") {
			t.Errorf("on hold: %v", err)
		}
		if err := over.Renew(bg, agent.TrackSM2, false); !errors.Is(err, agent.ErrRefused) {
			t.Errorf("renewed on hold: %v", err)
		}
		if _, err := next.Inbox(bg); err != nil {
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
