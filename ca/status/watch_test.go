package status_test

import (
	"context"
	"errors"
	"fmt"
	"math/big"
	"testing"
	"time"

	"github.com/emmansun/gmsm/smx509"

	"github.com/yinxin-gov/yinxin/authz/ledger"
	"github.com/yinxin-gov/yinxin/ca"
	"github.com/yinxin-gov/yinxin/ca/catest"
	"github.com/yinxin-gov/yinxin/ca/profile"
	"github.com/yinxin-gov/yinxin/ca/status"
	"github.com/yinxin-gov/yinxin/ca/status/statustest"
)

// node is a service that keeps rows, over a registry that counts its readings.
type node struct {
	*statustest.House
	*status.Service
	t      *testing.T
	reg    *catest.Registry
	reads  int
	during func() // called after a row was read, before it is returned
	behind bool
	back   int64 // by how much the database was set back
}

func newNode(t *testing.T) *node {
	n := &node{t: t, reg: catest.New()}
	n.House = statustest.New(t, n.reg)
	n.Service = n.House.Service(func(c *status.Config) { c.Registry, c.Changes = n, n })
	return n
}

func (n *node) Standing(ctx context.Context, issuer, serial string) (status.Standing, error) {
	n.reads++
	row, err := n.reg.Standing(ctx, issuer, serial)
	if f := n.during; f != nil {
		n.during = nil
		f()
	}
	return row, err
}

func (n *node) Revoked(ctx context.Context, issuer string, at time.Time) ([]status.Standing, error) {
	return n.reg.Revoked(ctx, issuer, at)
}

func (n *node) ChangedSince(ctx context.Context, revision int64) (int64, []status.Key, error) {
	now, keys, err := n.reg.ChangedSince(ctx, revision)
	if n.behind {
		return now, nil, fmt.Errorf("%w: for the test", status.ErrBehind)
	}
	return now - n.back, keys, err
}

func (n *node) ForgetChanges(ctx context.Context, now time.Time, age time.Duration) (int64, error) {
	return n.reg.ForgetChanges(ctx, now, age)
}

func (n *node) says(cert *smx509.Certificate) (string, time.Time) {
	n.t.Helper()
	a := n.Authorities[profile.ECDSAIssuing]
	d, _ := openResponse(n.t, n.Answer(bg, requestOf([]extension{nonce(16)}, withSM3(a.Cert, cert.SerialNumber))), a.Cert)
	return answerOf(d), d.Answers[0].This
}

// expect: what is said, and how many rows were read for it.
func (n *node) expect(cert *smx509.Certificate, want string, reads int) {
	n.t.Helper()
	before := n.reads
	if got, _ := n.says(cert); got != want || n.reads-before != reads {
		n.t.Errorf("%s after %d readings, want %s after %d", got, n.reads-before, want, reads)
	}
}

func (n *node) look() {
	n.t.Helper()
	if err := n.ReadChanges(bg); err != nil {
		n.t.Fatal(err)
	}
}

func (n *node) leaf() *smx509.Certificate {
	c, _ := n.Issue(profile.ECDSALeaf, profile.ECDSAIssuing)
	return c
}

func (n *node) revoke(c *smx509.Certificate) {
	n.Set(profile.ECDSAIssuing, c.SerialNumber, ca.StateRevoked, 1)
}

func TestRowsAreKeptWhileNothingChanges(t *testing.T) {
	n := newNode(t)
	a, b := n.leaf(), n.leaf()
	n.expect(a, "good", 1) // nobody has asked for changes yet: nothing is kept
	n.expect(a, "good", 1)
	n.look()
	n.expect(a, "good", 1)
	n.expect(a, "good", 0)
	n.expect(b, "good", 1)
	n.revoke(a)
	n.look()
	n.expect(a, "revoked 1", 1)
	n.expect(a, "revoked 1", 0)
	n.expect(b, "good", 0) // of what changed only
	n.behind = true
	n.look()
	n.expect(b, "good", 1) // of everything, where the changes are too many to name
}

// A database that was set back may say less than what was kept.
func TestNothingIsKeptFromBeforeASetBack(t *testing.T) {
	n := newNode(t)
	n.revoke(n.leaf())
	c := n.leaf()
	n.look()
	n.expect(c, "good", 1)
	n.expect(c, "good", 0)
	n.back = 1
	n.look()
	n.expect(c, "good", 1)
}

// asked is a store before whose activation somebody asks for the status.
type asked struct {
	catest.StatusStore
	ask func(serial string)
}

func (a asked) Activate(ctx context.Context, certs []ca.Certificate, ev ledger.Event) (ledger.Receipt, error) {
	a.ask(certs[0].Serial)
	return a.StatusStore.Activate(ctx, certs, ev)
}

// What is pending is not kept: no change tells that it was issued.
func TestWhatIsPendingIsNotKept(t *testing.T) {
	n := newNode(t)
	n.look()
	n.House.Store = asked{n.reg, func(serial string) {
		number, _ := new(big.Int).SetString(serial, 16)
		if got, _ := n.says(&smx509.Certificate{SerialNumber: number}); got != "unknown" {
			t.Errorf("before it was signed: %s", got)
		}
	}}
	c := n.leaf()
	n.expect(c, "good", 1)
}

// No answer says good for longer than a second after the revocation, whatever
// becomes of the reading of changes.
func TestNoAnswerIsOlderThanASecond(t *testing.T) {
	n := newNode(t)
	c := n.leaf()
	n.look()
	n.expect(c, "good", 1)
	n.revoke(c) // on another node: nothing tells this one
	n.Clock.Advance(699 * time.Millisecond)
	n.expect(c, "good", 0)
	n.Clock.Advance(time.Millisecond)
	n.expect(c, "revoked 1", 1)

	d := n.leaf()
	n.look()
	n.expect(d, "good", 1)
	n.revoke(d)
	n.reg.FailNext("ChangedSince", errors.New("down"))
	n.Clock.Advance(500 * time.Millisecond)
	if err := n.ReadChanges(bg); err == nil {
		t.Fatal("no error")
	}
	n.Clock.Advance(200 * time.Millisecond)
	n.reg.FailNext("Standing", errors.New("down"))
	a := n.Authorities[profile.ECDSAIssuing]
	if got := statusOf(t, n.Answer(bg, requestOf(nil, withSM3(a.Cert, d.SerialNumber)))); got != 3 {
		t.Errorf("nothing can be read: status %d, want tryLater", got)
	}
	n.expect(d, "revoked 1", 1)

	n.Clock.Advance(-time.Hour) // the clock was wrong and is set back
	n.expect(d, "revoked 1", 1)
}

// What is said of a kept row holds from the reading of changes on, not from now.
func TestAnswersFromKeptRowsAreDatedByTheLastLook(t *testing.T) {
	n := newNode(t)
	c := n.leaf()
	n.look()
	looked := n.Clock.Now()
	n.says(c)
	n.Clock.Advance(600 * time.Millisecond)
	n.look()
	n.Clock.Advance(600 * time.Millisecond) // 1.2 s after looked, in its second but one
	if _, this := n.says(c); !this.Equal(looked) {
		t.Errorf("thisUpdate %s, looked last at %s", this, looked.Add(600*time.Millisecond))
	}
}

// A row that was read before a change, and comes back after the change was told,
// is not kept.
func TestARowThatChangedWhileItWasReadIsNotKept(t *testing.T) {
	n := newNode(t)
	c := n.leaf()
	n.look()
	n.during = func() {
		n.revoke(c)
		n.look()
	}
	n.expect(c, "good", 1) // read before the revocation
	n.expect(c, "revoked 1", 1)
}

func TestRunWatches(t *testing.T) {
	n := newNode(t)
	c := n.leaf()
	ctx, stop := context.WithCancel(bg)
	done := make(chan error, 1)
	other := n.House.Service(func(cfg *status.Config) { cfg.Changes = n.reg })
	go func() { done <- other.Run(ctx) }()
	a := n.Authorities[profile.ECDSAIssuing]
	request := requestOf(nil, withSM3(a.Cert, c.SerialNumber))
	kept := func() bool { // an answer that reads no row cannot fail
		n.reg.FailNext("Standing", errors.New("down"))
		return statusOf(t, other.Answer(bg, request)) == 0
	}
	for end := time.Now().Add(20 * time.Second); !kept(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("no row is kept")
		}
		other.Answer(bg, request)
	}
	stop()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}
