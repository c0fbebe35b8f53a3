package kmc_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/x509/pkix"
	"encoding/hex"
	"errors"
	"fmt"
	"math/big"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/emmansun/gmsm/sm2"
	"github.com/emmansun/gmsm/sm3"
	"github.com/emmansun/gmsm/smx509"
	"github.com/google/uuid"

	"github.com/yinxin-gov/yinxin/authz/ledger"
	"github.com/yinxin-gov/yinxin/ca"
	"github.com/yinxin-gov/yinxin/ca/catest"
	"github.com/yinxin-gov/yinxin/ca/kmc"
)

const (
	unit   = "11110102MB1234567M"
	office = "11110102000000001A" // runs the centre
)

var start = time.Date(2026, 7, 1, 9, 0, 0, 0, time.UTC)

func newID() string { return uuid.Must(uuid.NewV7()).String() }

var service = ledger.Actor{Kind: "service", ID: "house"}

func person(id, unit string) ledger.Actor { return ledger.Actor{Kind: "person", ID: id, Unit: unit} }

// world is a centre with a store, its recoveries, and all whom they ask.
type world struct {
	t      *testing.T
	store  *catest.KMC
	kek    *kmc.LocalKEK
	centre *kmc.Centre
	svc    *kmc.Recoveries
	cfg    kmc.RecoveryConfig

	mu    sync.Mutex
	now   time.Time
	certs []ca.Certificate
	posts map[string]string     // person@unit → role
	said  map[string]kmc.Answer // what was signed: kind, id and digest
	known map[string]bool       // certificates of investigators

	failed []ledger.Event // recorded without a row
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{
		t: t, store: catest.NewKMC(catest.New()), kek: newKEK(t, 1), now: start, said: map[string]kmc.Answer{}, known: map[string]bool{},
		posts: map[string]string{"admin@" + unit: "agency_sysadmin", "clerk@" + unit: "clerk", "ra@" + office: "ra_officer", "k1@" + office: "kmc_officer"},
	}
	w.centre = w.centreWith(w.kek, 0)
	w.cfg = kmc.RecoveryConfig{
		Centre: w.centre, Register: w.store, Certificates: w, Posts: w, Approvers: w, Receivers: w, Recorder: w, House: office, Now: w.clock, NewID: newID,
	}
	var err error
	if w.svc, err = kmc.NewRecoveries(w.cfg); err != nil {
		t.Fatal(err)
	}
	return w
}

func (w *world) centreWith(kek kmc.Wrapper, pool int, former ...kmc.Wrapper) *kmc.Centre {
	w.t.Helper()
	c, err := kmc.New(kmc.Config{KEK: kek, Former: former, Rand: rand.Reader, Now: w.clock, Keys: w.store, PoolSize: pool, NewID: newID, Actor: service})
	if err != nil {
		w.t.Fatal(err)
	}
	return c
}

func (w *world) clock() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.now
}

func (w *world) later(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.now = w.now.Add(d)
}

// pair is a system's pair: what was escrowed, and the signing key that the
// system alone has.
type pair struct {
	id        string
	sign      *sm2.PrivateKey
	signCert  ca.Certificate
	enc       ca.Certificate
	encPublic any
}

func (w *world) enrol(system, agency string) pair {
	w.t.Helper()
	p := pair{id: newID(), sign: newKey(w.t)}
	made, err := w.centre.NewPair(context.Background(), p.id, &p.sign.PublicKey)
	if err != nil {
		w.t.Fatal(err)
	}
	p.signCert, p.enc = w.certify(ca.KindSM2Sign, system, agency, p.id, p.sign.Public()), w.certify(ca.KindSM2Enc, system, agency, p.id, made.Public)
	p.encPublic = made.Public
	var rows []ca.Certificate
	for _, c := range []ca.Certificate{p.signCert, p.enc} {
		c.State, c.DER = ca.StatePending, nil
		rows = append(rows, c)
	}
	ev := ledger.Event{ID: newID(), Type: "test.pair.made", Class: ledger.ClassCertificate, Time: start, Actor: service, Object: ledger.Object{Kind: "pair", ID: p.id}, Outcome: ledger.Success}
	if _, err := w.store.Reserve(context.Background(), rows, &made.Escrow, ev); err != nil {
		w.t.Fatal(err)
	}
	return p
}

var issuer, _ = sm2.GenerateKey(rand.Reader)

func certify(t *testing.T, name string, public any) (*smx509.Certificate, []byte) {
	t.Helper()
	serial, err := ca.NewSerial(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	top := &smx509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "ca"}}
	leaf := &smx509.Certificate{SerialNumber: serial, Subject: pkix.Name{CommonName: name}, NotBefore: start.AddDate(0, -1, 0), NotAfter: start.AddDate(1, 0, 0)}
	der, err := smx509.CreateCertificate(rand.Reader, leaf, top, public, issuer)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := smx509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return cert, der
}

func (w *world) certify(kind ca.Kind, system, agency, pair string, public any) ca.Certificate {
	cert, der := certify(w.t, system, public)
	sum := sm3.Sum(cert.RawTBSCertificate)
	row := ca.Certificate{
		Issuer: strings.Repeat("ab", 32), Serial: ca.FormatSerial(cert.SerialNumber), Kind: kind, Pair: pair, Agency: agency, System: system,
		TBS: cert.RawTBSCertificate, TBSSM3: hex.EncodeToString(sum[:]), DER: der, State: ca.StateGood, NotBefore: cert.NotBefore, NotAfter: cert.NotAfter,
	}
	w.certs = append(w.certs, row)
	return row
}

func (w *world) set(c ca.Certificate, state ca.State) {
	i := slices.IndexFunc(w.certs, func(o ca.Certificate) bool { return o.Serial == c.Serial })
	w.certs[i].State = state
}

// The world answers what the recoveries ask.

func (w *world) Certificate(_ context.Context, issuer, serial string) (ca.Certificate, error) {
	for _, c := range w.certs {
		if c.Issuer == issuer && c.Serial == serial {
			return c, nil
		}
	}
	return ca.Certificate{}, ca.ErrNotFound
}

func (w *world) CertificatesOf(_ context.Context, system string) (out []ca.Certificate, err error) {
	for _, c := range w.certs {
		if c.System == system {
			out = append(out, c)
		}
	}
	return out, nil
}

func (w *world) Holds(_ context.Context, person, unit string, roles ...string) (bool, error) {
	return slices.Contains(roles, w.posts[person+"@"+unit]), nil
}

func (w *world) Known(_ context.Context, der []byte, _ time.Time) error {
	if !w.known[string(der)] {
		return errors.New("no anchor")
	}
	return nil
}

func (w *world) Append(_ context.Context, ev ledger.Event) (ledger.Receipt, error) {
	w.failed = append(w.failed, ev)
	return ledger.Receipt{EntryID: ev.ID}, nil
}

func (w *world) Check(_ context.Context, r kmc.Recovery) (kmc.Answer, error) {
	return w.said["check "+r.ID+r.Digest()], nil
}

// Vote counts what was signed over this very digest.
func (w *world) Vote(_ context.Context, r kmc.Recovery) (kmc.Answer, error) {
	a := w.said["vote "+r.ID+r.Digest()]
	a.Enough = len(a.Approvals) >= r.Need
	return a, nil
}

func (w *world) check(r kmc.Recovery) {
	w.said["check "+r.ID+r.Digest()] = kmc.Answer{Approvals: []string{"check-" + r.ID}, Enough: true}
}

func (w *world) vote(r kmc.Recovery, n int) {
	a := w.said["vote "+r.ID+r.Digest()]
	for range n {
		a.Approvals = append(a.Approvals, fmt.Sprintf("vote-%d", len(a.Approvals)))
	}
	w.said["vote "+r.ID+r.Digest()] = a
}

func (w *world) refuse(what string, r kmc.Recovery) {
	w.said[what+" "+r.ID+r.Digest()] = kmc.Answer{Refusal: "no-1"}
}

func (w *world) settle(r kmc.Recovery, want kmc.State) kmc.Recovery {
	w.t.Helper()
	got, err := w.svc.Settle(context.Background(), person("k1", office), r.ID)
	if err != nil || got.State != want {
		w.t.Fatalf("settled: %s, %v; want %s", got.State, err, want)
	}
	return got
}

// types are the events of recoveries in order.
func (w *world) types() (out []string) {
	for _, ev := range w.store.Events() {
		if name, ok := strings.CutPrefix(ev.Type, "kmc.recovery."); ok {
			out = append(out, name)
		}
	}
	return out
}

// noScalar fails when a private scalar stands in bytes that leave.
func noScalar(t *testing.T, key *sm2.PrivateKey, out []byte) {
	t.Helper()
	if bytes.Contains(out, key.D.FillBytes(make([]byte, 32))) {
		t.Error("the key stands in clear in what left")
	}
}
