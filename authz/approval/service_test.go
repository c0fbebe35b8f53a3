package approval_test

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"io"
	"math/big"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/emmansun/gmsm/sm2"
	"github.com/emmansun/gmsm/smx509"

	"github.com/yinxin-gov/yinxin/authz/approval"
	"github.com/yinxin-gov/yinxin/authz/approval/approvaltest"
	"github.com/yinxin-gov/yinxin/authz/identity"
	"github.com/yinxin-gov/yinxin/authz/identity/identitytest"
	"github.com/yinxin-gov/yinxin/authz/ledger"
)

var (
	start  = time.Date(2026, 7, 1, 9, 0, 0, 0, time.UTC)
	digest = strings.Repeat("ab", 32)
	admin  = ledger.Actor{Kind: "person", ID: "admin"}
)

// world is a unit with a leader, a clerk and a registration officer, and a
// second unit with a leader of its own.
type world struct {
	t      testing.TB
	svc    *approval.Service
	cfg    approval.Config
	store  *approvaltest.Store
	people *identity.Service
	reg    *identitytest.Register
	keys   map[string]*sm2.PrivateKey
	now    time.Time
	trust  error
	mu     sync.Mutex
	n      int
}

func unit(t testing.TB, n int) identity.USCC {
	t.Helper()
	c, err := identity.SampleUSCC("110102", n)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func newWorld(t testing.TB) *world {
	t.Helper()
	w := &world{t: t, store: &approvaltest.Store{}, reg: identitytest.New(), keys: map[string]*sm2.PrivateKey{}, now: start}
	id := func() string {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.n++
		return fmt.Sprintf("id-%d", w.n)
	}
	var err error
	w.people, err = identity.New(identity.Config{Register: w.reg, Now: func() time.Time { return start }, NewID: id})
	w.must(err)
	w.cfg = approval.Config{
		Store: w.store, People: w.reg, CAUnit: unit(t, 1), NewID: id,
		Now:   func() time.Time { return w.now },
		Trust: func([]byte, time.Time) error { return w.trust },
	}
	w.with(func(*approval.Config) {})
	for n := 1; n <= 2; n++ {
		_, _, err := w.people.RegisterAgency(t.Context(), identity.Agency{USCC: unit(t, n), Name: "样例局", Kind: identity.KindOrgan, District: "110102"}, admin)
		w.must(err)
	}
	w.person("leader", 1, identity.RoleUnitLeader)
	w.person("clerk", 1, identity.RoleClerk)
	w.person("ra", 1, identity.RoleRAOfficer)
	w.person("leader2", 2, identity.RoleUnitLeader)
	w.person("ra2", 2, identity.RoleRAOfficer)
	return w
}

// with makes the service anew with a changed configuration.
func (w *world) with(change func(*approval.Config)) {
	w.t.Helper()
	change(&w.cfg)
	svc, err := approval.New(w.cfg)
	w.must(err)
	w.svc = svc
}

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) person(id string, n int, role identity.Role) {
	w.t.Helper()
	ctx := context.Background()
	_, _, err := w.people.RegisterPerson(ctx, identity.Person{ID: id, Name: "员", Agency: unit(w.t, n)}, admin)
	w.must(err)
	_, _, err = w.people.AssignPost(ctx, identity.Post{Person: id, Agency: unit(w.t, n), Role: role, From: start.AddDate(-1, 0, 0), Until: start.AddDate(1, 0, 0)}, admin)
	w.must(err)
	key, der := certificate(w.t, id)
	w.keys[id] = key
	_, err = w.people.SetPersonKey(ctx, id, "key-"+id, der, admin)
	w.must(err)
}

func certificate(t testing.TB, name string) (*sm2.PrivateKey, []byte) {
	t.Helper()
	key, err := sm2.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key, selfSigned(t, key, name)
}

func selfSigned(t testing.TB, key *sm2.PrivateKey, name string) []byte {
	t.Helper()
	tmpl := &smx509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, NotBefore: start.AddDate(-1, 0, 0), NotAfter: start.AddDate(1, 0, 0)}
	der, err := smx509.CreateCertificate(rand.Reader, tmpl, tmpl, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

func (w *world) subject(kind approval.Kind, id string) approval.Subject {
	return approval.Subject{Kind: kind, ID: id, Digest: digest, Unit: unit(w.t, 1), Requester: "clerk"}
}

func (w *world) decide(s approval.Subject, approver string, yes bool, reason string) (approval.Approval, error) {
	a, _, err := w.svc.Decide(context.Background(), approval.Approval{Subject: s, Approver: approver, Approved: yes, Reason: reason}, w.keys[approver], ledger.Actor{Kind: "person", ID: approver})
	return a, err
}

func TestNewRefusesIncompleteConfig(t *testing.T) {
	w := newWorld(t)
	full := approval.Config{Store: w.store, People: w.reg, CAUnit: unit(t, 1), NewID: func() string { return "" }, Now: time.Now, Trust: func([]byte, time.Time) error { return nil }}
	for name, cut := range map[string]func(*approval.Config){
		"store": func(c *approval.Config) { c.Store = nil }, "trust": func(c *approval.Config) { c.Trust = nil }, "unit": func(c *approval.Config) { c.CAUnit = "" },
	} {
		c := full
		cut(&c)
		if _, err := approval.New(c); err == nil {
			t.Errorf("no %s, no error", name)
		}
	}
}

// Who may approve what (X11 art. 24): every kind against every person.
func TestX11_24b_WhoMayApproveWhat(t *testing.T) {
	kinds := []approval.Kind{approval.KindSealUse, approval.KindGrant, approval.KindAgreement, approval.KindRelabel, approval.KindRegrade, approval.KindCitation, approval.KindCertificate}
	for _, kind := range kinds {
		may := "leader"
		if kind == approval.KindCertificate {
			may = "ra"
		}
		for _, who := range []string{"leader", "ra", "leader2", "ra2"} {
			w := newWorld(t)
			_, err := w.decide(w.subject(kind, "s"), who, true, "")
			if who == may {
				if err != nil {
					t.Errorf("%s by %s: %v", kind, who, err)
				} else if got, err := w.svc.Verified(t.Context(), kind, "s", digest); err != nil || got.Approver != who || got.Role == "" {
					t.Errorf("%s by %s does not stand: %v", kind, who, err)
				}
				continue
			}
			if !errors.Is(err, approval.ErrNotAllowed) || len(w.store.Events()) != 0 {
				t.Errorf("%s by %s: %v", kind, who, err)
			}
		}
	}
}

// A registration officer of another unit cannot approve by naming his own unit.
func TestDecide_CertificateOnlyByTheUnitOfTheCA(t *testing.T) {
	w := newWorld(t)
	s := w.subject(approval.KindCertificate, "s")
	s.Unit = unit(t, 2)
	if _, err := w.decide(s, "ra2", true, ""); !errors.Is(err, approval.ErrNotAllowed) {
		t.Errorf("got %v", err)
	}
}

func TestDecide_Refusals(t *testing.T) {
	ok := func(w *world) approval.Subject { return w.subject(approval.KindSealUse, "s") }
	for name, c := range map[string]struct {
		run  func(*world) error
		want error
	}{
		"GB/T 22239 8.1.7.3 own request": {func(w *world) error {
			s := ok(w)
			s.Requester = "leader"
			_, err := w.decide(s, "leader", true, "")
			return err
		}, approval.ErrSelf},
		"refusal without reason": {func(w *world) error { _, err := w.decide(ok(w), "leader", false, ""); return err }, approval.ErrReason},
		"after the term": {func(w *world) error {
			w.now = start.AddDate(1, 0, 0)
			_, err := w.decide(ok(w), "leader", true, "")
			return err
		}, approval.ErrNotAllowed},
		"somebody else's key": {func(w *world) error {
			w.keys["leader"] = w.keys["clerk"]
			_, err := w.decide(ok(w), "leader", true, "")
			return err
		}, approval.ErrSignature},
		"no key": {func(w *world) error {
			_, _, err := w.svc.Decide(context.Background(), approval.Approval{Subject: ok(w), Approver: "leader", Approved: true}, nil, ledger.Actor{Kind: "person", ID: "leader"})
			return err
		}, approval.ErrSignature},
		"another actor": {func(w *world) error {
			_, _, err := w.svc.Decide(context.Background(), approval.Approval{Subject: ok(w), Approver: "leader", Approved: true}, w.keys["leader"], ledger.Actor{Kind: "person", ID: "clerk"})
			return err
		}, approval.ErrNotAllowed},
		"certificate not trusted": {func(w *world) error {
			w.trust = errors.New("revoked")
			_, err := w.decide(ok(w), "leader", true, "")
			return err
		}, approval.ErrSignature},
		"unknown kind": {func(w *world) error {
			s := ok(w)
			s.Kind = "everything"
			_, err := w.decide(s, "leader", true, "")
			return err
		}, approval.ErrInvalid},
		"digest in capitals": {func(w *world) error {
			s := ok(w)
			s.Digest = strings.ToUpper(digest)
			_, err := w.decide(s, "leader", true, "")
			return err
		}, approval.ErrInvalid},
		"reason that is no text": {func(w *world) error { _, err := w.decide(ok(w), "leader", false, "no\xff"); return err }, approval.ErrInvalid},
		"leader gone": {func(w *world) error {
			_, err := w.reg.Leave(t.Context(), "leader", start, ledger.Event{ID: "l", Type: "identity.person.left", Class: ledger.ClassAdmin, Time: start, Actor: admin, Object: ledger.Object{Kind: "person", ID: "leader"}, Outcome: ledger.Success})
			w.must(err)
			_, err = w.decide(ok(w), "leader", true, "")
			return err
		}, approval.ErrNotAllowed},
		"a key that fails": {func(w *world) error {
			_, _, err := w.svc.Decide(context.Background(), approval.Approval{Subject: ok(w), Approver: "leader", Approved: true}, broken{w.keys["leader"]}, ledger.Actor{Kind: "person", ID: "leader"})
			return err
		}, approval.ErrSignature},
	} {
		w := newWorld(t)
		if err := c.run(w); !errors.Is(err, c.want) {
			t.Errorf("%s: got %v, want %v", name, err, c.want)
		}
		if len(w.store.Events()) != 0 {
			t.Errorf("%s: left an event", name)
		}
	}
}

// broken signs something else.
type broken struct{ crypto.Signer }

func (b broken) Sign(r io.Reader, _ []byte, o crypto.SignerOpts) ([]byte, error) {
	return b.Signer.Sign(r, []byte("something else"), o)
}

func TestDecide_OnceOnly(t *testing.T) {
	w := newWorld(t)
	_, err := w.decide(w.subject(approval.KindSealUse, "s"), "leader", false, "不符合用印规定")
	w.must(err)
	if _, err := w.svc.Verified(t.Context(), approval.KindSealUse, "s", digest); !errors.Is(err, approval.ErrRefused) {
		t.Errorf("a refusal stands as %v", err)
	}
	if _, err := w.decide(w.subject(approval.KindSealUse, "s"), "leader", true, ""); !errors.Is(err, approval.ErrDecided) {
		t.Errorf("second answer: %v", err)
	}
	if types := w.store.Types(); len(types) != 1 || types[0] != "approval.subject.decided" {
		t.Errorf("events %v", types)
	}
	ev := w.store.Events()[0]
	if ev.Actor.ID != "leader" || ev.Class != ledger.ClassSeal || ev.Details["answer"] != "refused" || ev.Payload != digest {
		t.Errorf("event %+v", ev)
	}
	if _, err := w.svc.Verified(t.Context(), approval.KindSealUse, "other", digest); !errors.Is(err, approval.ErrNotFound) {
		t.Errorf("unknown subject: %v", err)
	}
}

// The law: an approval is over exactly what was approved. Whatever a store
// changes in it, it does not stand any more.
func TestVerified_AnyChangeIsNoticed(t *testing.T) {
	_, otherCert := certificate(t, "leader")
	for name, edit := range map[string]func(*approval.Approval){
		"subject id":  func(a *approval.Approval) { a.Subject.ID = "t" },
		"kind":        func(a *approval.Approval) { a.Subject.Kind = approval.KindRelabel },
		"digest":      func(a *approval.Approval) { a.Subject.Digest = strings.Repeat("cd", 32) },
		"unit":        func(a *approval.Approval) { a.Subject.Unit = unit(t, 2) },
		"requester":   func(a *approval.Approval) { a.Subject.Requester = "somebody" },
		"self":        func(a *approval.Approval) { a.Subject.Requester = "leader" },
		"answer":      func(a *approval.Approval) { a.Approved = !a.Approved },
		"reason":      func(a *approval.Approval) { a.Reason += "." },
		"approver":    func(a *approval.Approval) { a.Approver = "leader2" },
		"role":        func(a *approval.Approval) { a.Role = identity.RoleRAOfficer },
		"time":        func(a *approval.Approval) { a.At = a.At.Add(time.Millisecond) },
		"microsecond": func(a *approval.Approval) { a.At = a.At.Add(time.Microsecond) },
		"certificate": func(a *approval.Approval) { a.CertDER = otherCert },
		"no cert":     func(a *approval.Approval) { a.CertDER = nil },
		"signature":   func(a *approval.Approval) { a.Signature[len(a.Signature)-1] ^= 1 },
		"cut":         func(a *approval.Approval) { a.Signature = a.Signature[:10] },
		"none":        func(a *approval.Approval) { a.Signature = nil },
	} {
		for _, yes := range []bool{true, false} {
			w := newWorld(t)
			_, err := w.decide(w.subject(approval.KindSealUse, "s"), "leader", yes, "理由")
			w.must(err)
			w.store.Tamper(approval.KindSealUse, "s", edit)
			if _, err := w.svc.Verified(t.Context(), approval.KindSealUse, "s", digest); err == nil || errors.Is(err, approval.ErrRefused) {
				t.Errorf("%s of approved=%t: %v", name, yes, err)
			}
		}
	}
}

// A certificate that the register does not name is none, even over the same key.
func TestVerified_OnlyTheRegisteredCertificate(t *testing.T) {
	w := newWorld(t)
	_, err := w.decide(w.subject(approval.KindSealUse, "s"), "leader", true, "")
	w.must(err)
	twin := selfSigned(t, w.keys["leader"], "leader, again")
	w.store.Tamper(approval.KindSealUse, "s", func(a *approval.Approval) { a.CertDER = twin })
	if _, err := w.svc.Verified(t.Context(), approval.KindSealUse, "s", digest); !errors.Is(err, approval.ErrSignature) {
		t.Errorf("got %v", err)
	}
}

// Backdating: who held the post last year cannot approve with last year's date.
func TestSubmit_RefusesAnotherTime(t *testing.T) {
	w := newWorld(t)
	a, err := w.decide(w.subject(approval.KindSealUse, "s"), "leader", true, "")
	w.must(err)
	for _, d := range []time.Duration{-6 * time.Minute, 6 * time.Minute, 400 * 24 * time.Hour} {
		w.now = start.Add(d)
		if _, _, err := w.svc.Submit(t.Context(), a, ledger.Actor{Kind: "person", ID: "leader"}); !errors.Is(err, approval.ErrInvalid) {
			t.Errorf("%v later: %v", d, err)
		}
	}
}

// Concurrent answers: one is stored.
func TestDecide_Race(t *testing.T) {
	w := newWorld(t)
	var wg sync.WaitGroup
	var mu sync.Mutex
	won := 0
	for range 8 {
		wg.Go(func() {
			_, err := w.decide(w.subject(approval.KindSealUse, "s"), "leader", true, "")
			mu.Lock()
			defer mu.Unlock()
			if err == nil {
				won++
			} else if !errors.Is(err, approval.ErrDecided) {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if won != 1 {
		t.Errorf("%d answers", won)
	}
}
