package stepca_test

import (
	"context"
	"crypto"
	"fmt"
	"io"
	"slices"
	"sync"
	"time"

	"github.com/yinxin-gov/yinxin/authz/ledger"
	"github.com/yinxin-gov/yinxin/ca"
)

// custody is a signer that counts, and that can be told to fail.
type custody struct {
	crypto.Signer
	mu    sync.Mutex
	calls int
	fail  error
}

func (c *custody) Sign(rand io.Reader, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.calls++
	if c.fail != nil {
		return nil, c.fail
	}
	return c.Signer.Sign(rand, digest, opts)
}

func (c *custody) used() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.calls
}

// people stands for the other rooms: the register of hosts, the gate, and the
// ledger for events without a row.
type people struct {
	mu     sync.Mutex
	hosts  map[string][]string
	stop   error
	until  time.Time // of the gate
	events []ledger.Event
	fail   error
}

func (p *people) HostsOf(_ context.Context, system string) ([]string, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.hosts[system]), nil
}

func (p *people) MayIssue(context.Context, string, ca.Purpose) (time.Time, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.until, p.stop
}

func (p *people) Record(_ context.Context, ev ledger.Event) (ledger.Receipt, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if ev.ID == "" || ev.Actor.ID == "" || ev.Object.ID == "" || ev.Outcome == "" {
		return ledger.Receipt{}, fmt.Errorf("event %q is not complete", ev.Type)
	}
	if p.fail != nil {
		return ledger.Receipt{}, p.fail
	}
	p.events = append(p.events, ev)
	return ledger.Receipt{EntryID: ev.ID}, nil
}

func (p *people) recorded(kind string) (out []ledger.Event) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, ev := range p.events {
		if ev.Type == kind {
			out = append(out, ev)
		}
	}
	return out
}

func (p *people) set(f func(*people)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	f(p)
}

type lockedWriter struct {
	mu sync.Mutex
	w  io.Writer
}

func (l *lockedWriter) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.w.Write(p)
}
