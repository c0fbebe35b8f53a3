// Package statustest makes a house with both trust tracks for tests of
// ca/status and of what stands on it: authorities, certificates in any state,
// and a service over a store of the caller's choice.
package statustest

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"io"
	"math/big"
	"sync"
	"testing"
	"time"

	"github.com/emmansun/gmsm/sm2"
	"github.com/emmansun/gmsm/smx509"
	"github.com/google/uuid"

	"github.com/yinxin-gov/yinxin/authz/ledger"
	"github.com/yinxin-gov/yinxin/ca"
	"github.com/yinxin-gov/yinxin/ca/catest"
	"github.com/yinxin-gov/yinxin/ca/profile"
	"github.com/yinxin-gov/yinxin/ca/status"
)

// House is a registry with its authorities. Clock starts at a whole second.
type House struct {
	T     testing.TB
	Store catest.StatusStore
	Clock *Clock
	Site  profile.Site
	// Authorities by name: sm2-root, sm2-issuing, ecdsa-root, ecdsa-issuing.
	Authorities map[profile.Name]*Authority
}

// Authority is one of the four, with a key that counts.
type Authority struct {
	Cert *smx509.Certificate
	Key  *Key
	ID   string
}

// Key counts what it signs, and remembers it. It is safe for concurrent use.
type Key struct {
	crypto.Signer
	mu     sync.Mutex
	signed [][]byte
}

// SignMessage implements crypto.MessageSigner.
func (k *Key) SignMessage(r io.Reader, msg []byte, opts crypto.SignerOpts) ([]byte, error) {
	k.mu.Lock()
	k.signed = append(k.signed, msg)
	k.mu.Unlock()
	return crypto.SignMessage(k.Signer, r, msg, opts)
}

// Signed is every message that was signed.
func (k *Key) Signed() [][]byte {
	k.mu.Lock()
	defer k.mu.Unlock()
	return append([][]byte(nil), k.signed...)
}

// Clock is set by hand.
type Clock struct {
	mu  sync.Mutex
	now time.Time
}

// Now is the time of the house.
func (c *Clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

// Advance moves the clock.
func (c *Clock) Advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// New founds a house in a store.
func New(t testing.TB, store catest.StatusStore) *House {
	t.Helper()
	h := &House{
		T: t, Store: store, Clock: &Clock{now: time.Now().UTC().Truncate(time.Second)},
		Site: profile.Site{
			CPS: "http://ca.gov.internal/cps", CRL: "http://ca.gov.internal/pki/crl/{issuer}.crl", OCSP: "http://ca.gov.internal/ocsp",
			Issuers: "http://ca.gov.internal/pki/issuers/{issuer}.cer",
		},
		Authorities: map[profile.Name]*Authority{},
	}
	for _, n := range []profile.Name{profile.SM2Root, profile.SM2Issuing, profile.ECDSARoot, profile.ECDSAIssuing} {
		h.Authorities[n] = &Authority{Key: &Key{Signer: NewKey(t, n == profile.SM2Root || n == profile.SM2Issuing)}}
	}
	four, err := ca.Bootstrap(context.Background(), ca.BootstrapConfig{
		Organization: "样例区信息办", Agency: "11110102MB1234567M", Site: h.Site, Registry: store, Actor: Actor(), Now: h.Clock.Now, Rand: rand.Reader, NewID: NewID,
		SM2Root: h.Authorities[profile.SM2Root].Key, SM2Issuing: h.Authorities[profile.SM2Issuing].Key,
		ECDSARoot: h.Authorities[profile.ECDSARoot].Key, ECDSAIssuing: h.Authorities[profile.ECDSAIssuing].Key,
	})
	if err != nil {
		t.Fatal(err)
	}
	for n, der := range map[profile.Name][]byte{
		profile.SM2Root: four.SM2Root, profile.SM2Issuing: four.SM2Issuing, profile.ECDSARoot: four.ECDSARoot, profile.ECDSAIssuing: four.ECDSAIssuing,
	} {
		a := h.Authorities[n]
		if a.Cert, err = smx509.ParseCertificate(der); err != nil {
			t.Fatal(err)
		}
		a.ID = ca.IssuerID(a.Cert)
	}
	return h
}

// NewKey makes a key of either track.
func NewKey(t testing.TB, isSM2 bool) crypto.Signer {
	t.Helper()
	var key crypto.Signer
	var err error
	if isSM2 {
		key, err = sm2.GenerateKey(rand.Reader)
	} else {
		key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	}
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// Actor is the house in events.
func Actor() ledger.Actor { return ledger.Actor{Kind: "service", ID: "yinxin"} }

// NewID is a UUIDv7.
func NewID() string { return uuid.Must(uuid.NewV7()).String() }

// Event is complete, about a certificate.
func (h *House) Event(kind string) ledger.Event {
	return ledger.Event{
		ID: NewID(), Type: kind, Class: ledger.ClassCertificate, Time: h.Clock.Now().UTC().Truncate(time.Millisecond),
		Actor: Actor(), Object: ledger.Object{Kind: "certificate", ID: "test"}, Outcome: ledger.Success,
	}
}

// Config serves all four authorities.
func (h *House) Config() status.Config {
	cfg := status.Config{
		Registry: h.Store, Lists: h.Store, Published: h.Store, Changes: h.Store, Site: h.Site, Actor: Actor(), Now: h.Clock.Now, Rand: rand.Reader, NewID: NewID,
	}
	for _, n := range []profile.Name{profile.SM2Root, profile.SM2Issuing, profile.ECDSARoot, profile.ECDSAIssuing} {
		cfg.Authorities = append(cfg.Authorities, status.Authority{Certificate: h.Authorities[n].Cert, Signer: h.Authorities[n].Key})
	}
	return cfg
}

// Service starts a service over Config, changed as the test likes.
func (h *House) Service(change ...func(*status.Config)) *status.Service {
	h.T.Helper()
	cfg := h.Config()
	for _, f := range change {
		f(&cfg)
	}
	s, err := status.New(cfg)
	if err != nil {
		h.T.Fatal(err)
	}
	return s
}

// Issue makes a good certificate of a profile under an authority, by the way of
// every other: lint, record, sign, record.
func (h *House) Issue(name profile.Name, under profile.Name) (*smx509.Certificate, crypto.Signer) {
	h.T.Helper()
	p, err := profile.Get(name)
	if err != nil {
		h.T.Fatal(err)
	}
	a, key := h.Authorities[under], NewKey(h.T, p.Algorithm == profile.SM2)
	serial, err := ca.NewSerial(rand.Reader)
	if err != nil {
		h.T.Fatal(err)
	}
	f := profile.Fields{
		Serial: serial, Public: key.Public().(*ecdsa.PublicKey), Issuer: a.Cert, Now: h.Clock.Now(),
		Subject: profile.Subject{CommonName: "a.gov.internal", Organization: "样例区民政局", USCC: "11110102MB1234567M"},
	}
	if p.Hosts {
		f.Hosts = []string{"a.gov.internal"}
	}
	draft, err := ca.NewDraft(p, h.Site, f)
	if err != nil {
		h.T.Fatal(err)
	}
	row := draft.Row(ca.KindService)
	row.Agency, row.CreatedAt = "11110102MB1234567M", h.Clock.Now()
	if _, err := h.Store.Reserve(context.Background(), []ca.Certificate{row}, nil, h.Event("test.certificate.reserved")); err != nil {
		h.T.Fatal(err)
	}
	if row.DER, err = draft.Sign(rand.Reader, a.Key); err != nil {
		h.T.Fatal(err)
	}
	if _, err := h.Store.Activate(context.Background(), []ca.Certificate{row}, h.Event("test.certificate.issued")); err != nil {
		h.T.Fatal(err)
	}
	cert, err := smx509.ParseCertificate(row.DER)
	if err != nil {
		h.T.Fatal(err)
	}
	return cert, key
}

// Invalidate gives a revoked certificate an invalidity date.
func (h *House) Invalidate(under profile.Name, serial *big.Int, from time.Time) {
	h.T.Helper()
	_, err := h.Store.Invalidate(context.Background(), h.Authorities[under].ID, ca.FormatSerial(serial), from, h.Event("test.certificate.invalidated"))
	if err != nil {
		h.T.Fatal(err)
	}
}

// Set moves a certificate to a state, now.
func (h *House) Set(under profile.Name, serial *big.Int, to ca.State, reason int) {
	h.T.Helper()
	_, err := h.Store.SetState(context.Background(), h.Authorities[under].ID, ca.FormatSerial(serial), to, reason, h.Clock.Now(), h.Event("test.certificate.moved"))
	if err != nil {
		h.T.Fatal(err)
	}
}
