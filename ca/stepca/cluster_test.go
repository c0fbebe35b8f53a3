//go:build unix

package stepca_test

import (
	"bufio"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"io"
	"math"
	mathrand "math/rand/v2"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/yinxin-gov/yinxin/authz/ledger"
	"github.com/yinxin-gov/yinxin/ca"
)

func nodeCSR() (string, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return "", err
	}
	der, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{Subject: pkix.Name{CommonName: system}, DNSNames: []string{host}}, key)
	return string(pemOf("CERTIFICATE REQUEST", der)), err
}

// process is a node that runs.
type process struct {
	cmd  *exec.Cmd
	in   io.WriteCloser
	said *bufio.Scanner
}

func (c *cluster) start(t *testing.T, work string) *process {
	t.Helper()
	p := &process{cmd: exec.CommandContext(t.Context(), os.Args[0])}
	p.cmd.Env = append(os.Environ(), envNode+"="+work+" "+c.dir+" "+c.url)
	p.cmd.Stderr = os.Stderr
	out, err := p.cmd.StdoutPipe()
	if err == nil {
		p.in, err = p.cmd.StdinPipe()
	}
	if err == nil {
		err = p.cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	p.said = bufio.NewScanner(out)
	return p
}

// rest reads what a node says until it ends.
func (p *process) rest(t *testing.T, into map[string][]string) {
	t.Helper()
	for p.said.Scan() {
		word, text, _ := strings.Cut(p.said.Text(), " ")
		if word == "error" {
			t.Errorf("node: %s", text)
		}
		into[word] = append(into[word], text)
	}
}

// Two processes on one PostgreSQL: 256 signatures at once without an error; no
// serial, no list number and no token twice.
func TestTwoProcessesOnOneDatabase(t *testing.T) {
	c := newCluster(t)
	nodes := []*process{c.start(t, "together"), c.start(t, "together")}
	for _, p := range nodes {
		if !p.said.Scan() || p.said.Text() != "ready" {
			t.Fatalf("node: %s, %v", p.said.Text(), p.said.Err())
		}
	}
	for _, p := range nodes {
		if _, err := io.WriteString(p.in, "go\n"); err != nil {
			t.Fatal(err)
		}
	}
	said := map[string][]string{}
	for _, p := range nodes {
		p.rest(t, said)
		if err := p.cmd.Wait(); err != nil {
			t.Error(err)
		}
	}
	if n := len(unique(said["serial"])); n != 2*share || len(said["serial"]) != n {
		t.Errorf("%d serials, %d different, want %d", len(said["serial"]), n, 2*share)
	}
	if n := len(unique(said["used"])); n != 50 || len(said["used"]) != n {
		t.Errorf("50 tokens were used %d times", len(said["used"]))
	}
	for _, serial := range said["serial"] {
		row, err := c.rooms.CA.Certificate(t.Context(), c.issuer, serial)
		if err != nil || row.State != ca.StateGood || len(row.DER) == 0 {
			t.Errorf("serial %s: %s, %v", serial, row.State, err)
		}
	}
	lists, err := c.rooms.CA.CRLsSince(t.Context(), c.issuer, "", 1)
	if err != nil || len(lists) < 22 {
		t.Errorf("%d lists, %v", len(lists), err)
	}
	for n, l := range lists {
		if l.Number != int64(n+1) {
			t.Errorf("list %d follows %d", l.Number, n)
		}
	}
}

func unique(all []string) map[string]bool {
	out := map[string]bool{}
	for _, s := range all {
		out[s] = true
	}
	return out
}

// A node is killed in the middle of its work: nobody holds a certificate without
// its record, and what was begun does not stay "signing". 3 rounds here, 200 with
// YINXIN_SOAK=1.
func TestKilledNodeLeavesNothingUnfinished(t *testing.T) {
	rounds := 3
	if os.Getenv("YINXIN_SOAK") != "" {
		rounds = 200
	}
	c := newCluster(t)
	ended := 0
	for round := range rounds {
		p := c.start(t, "forever")
		said := map[string][]string{}
		for want := 5 + mathrand.IntN(40); len(said["serial"]) < want && p.said.Scan(); {
			word, text, _ := strings.Cut(p.said.Text(), " ")
			said[word] = append(said[word], text)
		}
		if err := p.cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		p.rest(t, said)
		if err := p.cmd.Wait(); err == nil {
			t.Fatal("the node ended by itself")
		}
		for _, serial := range said["serial"] {
			row, err := c.rooms.CA.Certificate(t.Context(), c.issuer, serial)
			if err != nil || row.State != ca.StateGood || len(row.DER) == 0 {
				t.Fatalf("round %d: somebody holds %s, which is %q here, %v", round, serial, row.State, err)
			}
		}
		before := c.settled(t)
		sweeper := ca.Sweeper{
			Store: c.rooms.CA, NewID: func() string { return uuid.Must(uuid.NewV7()).String() },
			Now: func() time.Time { return time.Now().Add(ca.AbandonAfter + time.Minute) },
		}
		n, err := sweeper.Sweep(t.Context())
		if err != nil || n != len(before) || len(c.pending(t)) != 0 {
			t.Fatalf("round %d: %d of %d ended, %v", round, n, len(before), err)
		}
		for _, row := range before {
			if s, err := c.rooms.CA.Standing(t.Context(), row.Issuer, row.Serial); err != nil || s.State != ca.StateRevoked {
				t.Errorf("round %d: %s is %q, %v", round, row.Serial, s.State, err)
			}
		}
		ended += n
	}
	if ended == 0 {
		t.Error("no round died in the middle: the test shows nothing")
	}
	c.everyStepHasItsEvent(t, ended)
	t.Logf("%d certificates were abandoned in %d rounds", ended, rounds)
}

// settled is what is pending once the database has noticed that its client is
// gone: a commit that was under way may still happen.
func (c *cluster) settled(t *testing.T) []ca.Certificate {
	t.Helper()
	rows := c.pending(t)
	for same := 0; same < 5; same++ {
		time.Sleep(20 * time.Millisecond)
		next := c.pending(t)
		if len(next) != len(rows) {
			same = 0
		}
		rows = next
	}
	return rows
}

func (c *cluster) pending(t *testing.T) []ca.Certificate {
	t.Helper()
	rows, err := c.rooms.CA.Pending(t.Context(), time.Now().Add(time.Hour), 1000)
	if err != nil {
		t.Fatal(err)
	}
	return rows
}

// everyStepHasItsEvent: each certificate has one event for each step that its
// row took, and none that it did not take.
func (c *cluster) everyStepHasItsEvent(t *testing.T, ended int) {
	t.Helper()
	all, err := c.store.Ledger().Outbox(t.Context(), math.MaxInt32)
	if err != nil {
		t.Fatal(err)
	}
	steps := map[string]map[string]int{}
	for _, p := range all {
		var ev ledger.Event
		if err := json.Unmarshal(p.Body, &ev); err != nil {
			t.Fatal(err)
		}
		if ev.Object.Kind == "certificate" {
			serial := strings.TrimPrefix(ev.Object.ID, c.issuer+":")
			if steps[serial] == nil {
				steps[serial] = map[string]int{}
			}
			steps[serial][ev.Type]++
		}
	}
	rows, err := c.rooms.CA.CertificatesOf(t.Context(), system)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range rows {
		issued, abandoned := 1, 0
		if !r.Signed() {
			issued, abandoned = 0, 1
			ended--
		}
		if s := steps[r.Serial]; s["ca.certificate.reserved"] != 1 || s["ca.certificate.issued"] != issued || s["ca.certificate.abandoned"] != abandoned {
			t.Errorf("%s is %s, with events %v", r.Serial, r.State, s)
		}
	}
	if ended != 0 {
		t.Errorf("%d more were abandoned than have a row", ended)
	}
}
