package exchange_test

import (
	"context"
	"crypto/rand"
	"crypto/x509/pkix"
	"fmt"
	"math/big"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/emmansun/gmsm/sm2"
	"github.com/emmansun/gmsm/smx509"

	"github.com/yinxin-gov/yinxin/authz"
	"github.com/yinxin-gov/yinxin/authz/identity"
	"github.com/yinxin-gov/yinxin/authz/ledger"
	"github.com/yinxin-gov/yinxin/authz/level"
	"github.com/yinxin-gov/yinxin/authz/sharing"
	"github.com/yinxin-gov/yinxin/authz/sharing/sharingtest"
	"github.com/yinxin-gov/yinxin/internal/exchange"
)

var start = time.Date(2026, 7, 1, 9, 0, 0, 0, time.UTC)

// pair is a key with its certificate.
type pair struct {
	key *sm2.PrivateKey
	der []byte
}

func newPair(t testing.TB, usage smx509.KeyUsage) pair {
	t.Helper()
	key, err := sm2.GenerateKey(rand.Reader)
	must(t, err)
	serial, err := rand.Int(rand.Reader, big.NewInt(1<<62))
	must(t, err)
	tmpl := &smx509.Certificate{SerialNumber: serial, Subject: pkix.Name{CommonName: "样例"}, KeyUsage: usage, NotBefore: start, NotAfter: start.AddDate(1, 0, 0)}
	der, err := smx509.CreateCertificate(rand.Reader, tmpl, tmpl, &key.PublicKey, key)
	must(t, err)
	return pair{key, der}
}

// world is a provider (1), consumers (2, 3) and an information office (4), each
// with a system sys-N, around one exchange with real keys.
type world struct {
	t       testing.TB
	mu      sync.Mutex
	now     time.Time
	ids     int
	svc     *exchange.Service
	store   *store
	cat     *catalogue
	blobs   *blobs
	decided []authz.Decision
	asked   []authz.Request
	decide  func(*world, authz.Request) []string // reason codes; nil allows
	said    map[string]exchange.Confirmation     // by decision
	mute    bool                                 // permits carry no obligations
	masked  string                               // obliged of who names no fields
	unsound error                                // what the seal check answers
	house   pair
	sign    map[string]pair
	enc     map[string]pair
}

func newWorld(t testing.TB) *world {
	t.Helper()
	w := &world{t: t, now: start, sign: map[string]pair{}, enc: map[string]pair{}, blobs: &blobs{t: t, data: map[string][]byte{}}}
	w.decide = lawful
	w.house = newPair(t, smx509.KeyUsageDigitalSignature)
	w.store = &store{t: t, rows: map[string]exchange.Transfer{}}
	w.cat = &catalogue{Catalogue: sharingtest.New()}
	for i := 1; i <= 4; i++ {
		w.sign[sys(i)], w.enc[sys(i)] = newPair(t, smx509.KeyUsageDigitalSignature), newPair(t, smx509.KeyUsageKeyEncipherment)
	}
	_, err := w.cat.AddResource(t.Context(), sharing.Resource{
		ID: "population", Name: "人口基本信息", Provider: unit(t, 1), Label: label(3, level.TagPersonal), ShareType: sharing.ShareOnApplication,
		Regime: sharing.RegimeXicheng2014, Items: []string{"name"}, SecrecyReview: "保审2026-1", Basis: "条例第1条",
	}, w.event("sharing.resource.registered"))
	must(t, err)
	w.agree("agreement-1", 2, start.AddDate(0, 6, 0))
	w.svc, err = exchange.New(w.config())
	must(t, err)
	t.Cleanup(w.invariant)
	return w
}

func (w *world) config() exchange.Config {
	return exchange.Config{
		Store: w.store, Decider: w, Seals: w, Certificates: w, Systems: w, Catalogue: w.cat, Blobs: w.blobs, Decisions: w, Confirmations: w,
		Signer: w.house.key, Certificate: func(context.Context) ([]byte, error) { return w.house.der, nil }, Now: func() time.Time { return w.now }, NewID: w.newID,
	}
}

func (w *world) newID() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.ids++
	return fmt.Sprintf("id-%d", w.ids)
}

func (w *world) event(typ string) ledger.Event {
	return ledger.Event{
		ID: w.newID(), Type: typ, Class: ledger.ClassAdmin, Time: w.now, Outcome: ledger.Success,
		Actor: ledger.Actor{Kind: "person", ID: "officer"}, Object: ledger.Object{Kind: "test", ID: "test"},
	}
}

// agree seals an agreement of consumer n that lets it hand on to unit 3.
func (w *world) agree(id string, n int, until time.Time) {
	w.t.Helper()
	a, err := sharing.Draft(sharing.Agreement{
		ID: id, Resource: "population", Provider: unit(w.t, 1), Consumer: unit(w.t, n), Office: unit(w.t, 4), Onward: []identity.USCC{unit(w.t, 3)},
		Purposes: []string{"relief"}, Fields: []string{"name"}, Confidentiality: "conf-1", NotBefore: start.Add(-time.Hour), NotAfter: until,
	})
	must(w.t, err)
	for _, p := range []identity.USCC{a.Provider, a.Consumer, a.Office} {
		seal := newPair(w.t, smx509.KeyUsageDigitalSignature)
		ps, err := sharing.SealTerms(a, seal.key, seal.der, p, "seal-"+string(p), start)
		must(w.t, err)
		a, err = sharing.AddSeal(a, ps)
		must(w.t, err)
	}
	_, err = w.cat.AddAgreement(w.t.Context(), a, w.event("sharing.agreement.registered"))
	must(w.t, err)
}

// lawful is the part of the law that these tests need: an agreement in force
// of the one who uses, and never a label below the item's.
func lawful(w *world, r authz.Request) []string {
	origin, floor, err := w.cat.item(r.Resource)
	if err != nil {
		return []string{"E01_unknown_resource"}
	}
	if r.TargetLabel != nil && !r.TargetLabel.Dominates(floor) {
		return []string{"E10_label_lowered"}
	}
	users := map[string][]identity.USCC{sys(1): {unit(w.t, 2), unit(w.t, 3)}, sys(2): {unit(w.t, 2)}, sys(3): {unit(w.t, 3), unit(w.t, 2)}}[r.SubjectID]
	for _, u := range users {
		terms, _ := w.cat.Agreements(w.t.Context(), origin, u)
		for _, a := range terms {
			if sharing.InForce(a, w.now) == nil && slices.Contains(a.Purposes, r.Purpose) {
				return nil
			}
		}
	}
	return []string{"E06_agreement.expired"}
}

// Decide implements exchange.Decider.
func (w *world) Decide(_ context.Context, r authz.Request) (authz.Decision, error) {
	codes := w.decide(w, r)
	d := authz.Decision{ID: w.newID(), Allow: codes == nil, At: w.now, Receipt: ledger.Receipt{Seq: 7, Promise: ledger.Integrated}}
	for _, c := range codes {
		d.Reasons = append(d.Reasons, authz.Reason{Code: c})
	}
	if _, floor, err := w.cat.item(r.Resource); d.Allow && err == nil && !w.mute {
		d.Obligations = []authz.Obligation{{Kind: authz.ObligeLabel, Value: floor.String()}}
		if w.masked != "" && len(r.Fields) == 0 {
			d.Obligations = append(d.Obligations, authz.Obligation{Kind: authz.ObligeMask, Value: w.masked})
		}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.decided, w.asked = append(w.decided, d), append(w.asked, r)
	return d, nil
}

// Decided implements exchange.Decisions.
func (w *world) Decided(_ context.Context, id string) (authz.Recorded, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for i, d := range w.decided {
		if d.ID == id {
			return authz.Recorded{Request: w.asked[i], Allow: d.Allow, At: d.At}, nil
		}
	}
	return authz.Recorded{}, exchange.ErrUndecided
}

// AddConfirmation implements exchange.Confirmations: never one without a permit.
func (w *world) AddConfirmation(_ context.Context, c exchange.Confirmation, ev ledger.Event) (ledger.Receipt, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !slices.ContainsFunc(w.decided, func(d authz.Decision) bool { return d.ID == c.Decision && d.Allow }) || ev.Details["decision"] != c.Decision {
		w.t.Errorf("%+v rests on no permit", c)
	}
	if _, there := w.said[c.Decision]; there {
		return ledger.Receipt{}, exchange.ErrConfirmed
	}
	if w.said == nil {
		w.said = map[string]exchange.Confirmation{}
	}
	w.said[c.Decision] = c
	return ledger.Receipt{Promise: ledger.Integrated}, nil
}

// Confirmation implements exchange.Confirmations.
func (w *world) Confirmation(_ context.Context, decision string) (exchange.Confirmation, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.said[decision], nil
}

// CheckSealed implements exchange.Seals.
func (w *world) CheckSealed(context.Context, []byte) error { return w.unsound }

// Encryption implements exchange.Certificates.
func (w *world) Encryption(_ context.Context, system string) ([]byte, error) {
	return w.enc[system].der, nil
}

// Signing implements exchange.Certificates.
func (w *world) Signing(_ context.Context, system string) ([]byte, error) {
	return w.sign[system].der, nil
}

// System implements exchange.Systems.
func (w *world) System(_ context.Context, id string) (identity.System, error) {
	for i := 1; i <= 4; i++ {
		if id == sys(i) {
			return identity.System{ID: id, Agency: unit(w.t, i)}, nil
		}
	}
	return identity.System{}, identity.ErrNotFound
}

// invariant holds after every test: an envelope for each transfer and none
// else, an allow before each, and no copy below what it came from.
func (w *world) invariant() {
	for id, t := range w.store.rows {
		if _, ok := w.blobs.data[t.Blob]; !ok {
			w.t.Errorf("transfer %s has lost its envelope", id)
		}
		if !slices.ContainsFunc(w.decided, func(d authz.Decision) bool { return d.ID == t.Decision && d.Allow }) {
			w.t.Errorf("transfer %s rests on no permit", id)
		}
		if t.State != exchange.StateReceived {
			continue
		}
		h, err := w.cat.Holding(context.Background(), t.Holding)
		if err != nil || h.Payload != t.Document || h.System != t.ToSystem {
			w.t.Errorf("received transfer %s: holding %+v, %v", id, h, err)
		}
		if w.cat.raised != nil {
			continue // raised after registration: see TestX11_30_CopyIsNeverLower
		}
		_, floor, err := w.cat.item(h.ID)
		if err != nil || !h.Label.Dominates(floor) || !h.Label.Dominates(t.Label) {
			w.t.Errorf("holding of %s is %s, its sources need %s (%v)", id, h.Label, floor, err)
		}
	}
	if len(w.blobs.data) != len(w.store.rows) {
		w.t.Errorf("%d envelopes for %d transfers", len(w.blobs.data), len(w.store.rows))
	}
}

func sys(n int) string { return fmt.Sprintf("sys-%d", n) }

func unit(t testing.TB, n int) identity.USCC {
	t.Helper()
	c, err := identity.SampleUSCC("110102", n)
	must(t, err)
	return c
}

func label(lv level.Level, tags ...level.Tag) level.Label {
	return level.Label{Level: lv, RequiredS: uint8(lv), RequiredA: uint8(lv), Tags: tags}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
