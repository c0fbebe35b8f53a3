package kmc_test

import (
	"context"
	"errors"
	"reflect"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/emmansun/gmsm/sm2"

	"github.com/yinxin-gov/yinxin/authz/ledger"
	"github.com/yinxin-gov/yinxin/ca"
	"github.com/yinxin-gov/yinxin/ca/kmc"
)

var bg = context.Background()

// asked is an owner's request to have the key of lost for the system's new pair.
func (w *world) asked(lost, anew pair) kmc.Recovery {
	w.t.Helper()
	r, _, err := w.svc.Ask(bg, person("admin", unit), ownerRequest(lost, anew))
	if err != nil {
		w.t.Fatal(err)
	}
	return r
}

func ownerRequest(lost, anew pair) kmc.Recovery {
	return kmc.Recovery{Kind: kmc.ForOwner, EncryptionIssuer: lost.enc.Issuer, EncryptionSerial: lost.enc.Serial, Receiver: anew.signCert.DER, Reason: "服务器损坏"}
}

var system = ledger.Actor{Kind: "system", ID: "civil-a", Unit: unit}

func TestOwnerGetsTheKeyBack_GMT0034_12_4(t *testing.T) {
	w := newWorld(t)
	lost, anew := w.enrol("civil-a", unit), w.enrol("civil-a", unit)
	w.set(lost.enc, ca.StateRevoked) // what was encrypted before is still to be read
	r := w.asked(lost, anew)
	for _, step := range []func(){func() {}, func() { w.vote(r, 2) }} { // votes before the check count for nothing yet
		step()
		w.settle(r, kmc.Asked)
		if _, err := w.svc.Deliver(bg, system, r.ID); !errors.Is(err, kmc.ErrPending) {
			t.Fatalf("delivered too early: %v", err)
		}
	}
	w.said = map[string]kmc.Answer{}
	w.check(r)
	w.settle(r, kmc.Checked)
	w.vote(r, 1)
	w.settle(r, kmc.Checked)
	w.vote(r, 1)
	if got := w.settle(r, kmc.Approved); len(got.Approvals) != 2 || got.Check == "" || got.SettledAt.IsZero() {
		t.Errorf("approved: %+v", got)
	}
	for name, actor := range map[string]ledger.Actor{
		"another system": {Kind: "system", ID: "civil-b", Unit: unit}, "another unit": {Kind: "system", ID: "civil-a", Unit: office},
		"the asker himself": person("admin", unit), "an officer": person("k1", office),
	} {
		if _, err := w.svc.Deliver(bg, actor, r.ID); !errors.Is(err, kmc.ErrNotFound) {
			t.Errorf("%s: %v", name, err)
		}
	}
	d, err := w.svc.Deliver(bg, system, r.ID)
	if err != nil {
		t.Fatal(err)
	}
	key, err := sm2.ParseEnvelopedPrivateKey(anew.sign, d.Envelope)
	if err != nil || !key.PublicKey.Equal(lost.encPublic) || !reflect.DeepEqual(d.Certificate, lost.enc.DER) {
		t.Fatalf("the envelope does not hold the lost key: %v", err)
	}
	noScalar(t, key, d.Envelope)
	if _, err := sm2.ParseEnvelopedPrivateKey(lost.sign, d.Envelope); err == nil {
		t.Error("another key opened the envelope")
	}
	if _, err := w.svc.Deliver(bg, system, r.ID); !errors.Is(err, kmc.ErrDelivered) {
		t.Errorf("a second delivery: %v", err)
	}
	// Once more is a request of its own, with answers of its own.
	again := w.asked(lost, anew)
	w.settle(again, kmc.Asked)
	if got := strings.Join(w.types(), " "); got != "asked checked approved delivered asked" {
		t.Errorf("events: %s", got)
	}
	for _, ev := range w.store.Events() {
		if strings.HasPrefix(ev.Type, "kmc.recovery.") && ev.Object.ID == r.ID && (ev.Payload != r.Digest() || ev.Details["receiver"] != anew.signCert.Serial || ev.Details["pair"] != lost.id) {
			t.Errorf("event %+v", ev)
		}
	}
	if got, err := w.svc.Recoveries(bg, kmc.Query{Pair: lost.id}); err != nil || len(got) != 2 || got[1].State != kmc.Delivered || got[1].DeliveredAt.IsZero() {
		t.Errorf("the record of the key: %+v, %v", got, err)
	}
}

func judicialRequest(p pair, receiver []byte) kmc.Recovery {
	return kmc.Recovery{
		Kind: kmc.ForLaw, EncryptionIssuer: p.enc.Issuer, EncryptionSerial: p.enc.Serial, Receiver: receiver, Reason: "调取证据",
		Document: "样检调〔2026〕1号", Authority: "样例区人民检察院", ScanSM3: strings.Repeat("ab", 32),
	}
}

func TestJudicialRecovery_GMT0034_12_5(t *testing.T) {
	w := newWorld(t)
	p := w.enrol("civil-a", unit)
	investigator := newKey(t)
	_, cert := certify(t, "investigator", investigator.Public())
	ask := judicialRequest(p, cert)
	officer := person("ra", office)
	if _, _, err := w.svc.Ask(bg, officer, ask); !errors.Is(err, kmc.ErrReceiver) {
		t.Fatalf("a certificate that nobody knows: %v", err)
	}
	w.known[string(cert)] = true
	for name, edit := range map[string]func(*kmc.Recovery){
		"no number": func(r *kmc.Recovery) { r.Document = "" }, "no authority": func(r *kmc.Recovery) { r.Authority = "" },
		"no scan": func(r *kmc.Recovery) { r.ScanSM3 = "" }, "half a digest": func(r *kmc.Recovery) { r.ScanSM3 = "abcd" },
		"control marks": func(r *kmc.Recovery) { r.Document = "a\nb" }, "a long number": func(r *kmc.Recovery) { r.Document = strings.Repeat("号", 121) },
	} {
		bad := ask
		edit(&bad)
		if _, _, err := w.svc.Ask(bg, officer, bad); !errors.Is(err, kmc.ErrInvalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, _, err := w.svc.Ask(bg, person("admin", unit), ask); !errors.Is(err, kmc.ErrRole) {
		t.Errorf("asked by the owner: %v", err)
	}
	for _, years := range []int{-1, 2} { // before and after the certificate's period
		w.now = start.AddDate(years, 0, 0)
		if _, _, err := w.svc.Ask(bg, officer, ask); !errors.Is(err, kmc.ErrReceiver) {
			t.Errorf("%d years away: %v", years, err)
		}
	}
	w.now = start
	r, _, err := w.svc.Ask(bg, officer, ask)
	if err != nil || r.Need != 3 {
		t.Fatalf("%+v, %v", r, err)
	}
	w.vote(r, 2)
	w.settle(r, kmc.Asked) // enough for an owner, not for this
	w.vote(r, 1)
	w.settle(r, kmc.Approved)
	for name, actor := range map[string]ledger.Actor{"the owner's system": system, "another officer": person("k1", office), "the owner": person("admin", unit)} {
		if _, err := w.svc.Deliver(bg, actor, r.ID); !errors.Is(err, kmc.ErrNotFound) {
			t.Errorf("%s: %v", name, err)
		}
	}
	d, err := w.svc.Deliver(bg, officer, r.ID)
	if err != nil {
		t.Fatal(err)
	}
	if key, err := sm2.ParseEnvelopedPrivateKey(investigator, d.Envelope); err != nil || !key.PublicKey.Equal(p.encPublic) {
		t.Errorf("the envelope: %v", err)
	}
	last := w.store.Events()[len(w.store.Events())-1]
	if last.Type != "kmc.recovery.delivered" || last.Details["document"] != ask.Document || last.Details["authority"] != ask.Authority || last.Details["scan_sm3"] != ask.ScanSM3 || last.Details["receiver_cert_sm3"] == "" {
		t.Errorf("what the auditor sees: %+v", last)
	}
	if got, err := w.svc.Recoveries(bg, kmc.Query{Kind: kmc.ForOwner, Agency: unit}); err != nil || len(got) != 0 {
		t.Errorf("the owner is told: %+v, %v", got, err)
	}
}

// The key goes to a good signing certificate of another pair of the same system,
// and to nothing else: at the request, and again at the delivery.
func TestOwnersKeyNeverGoesElsewhere(t *testing.T) {
	w := newWorld(t)
	lost, anew, other, abroad := w.enrol("civil-a", unit), w.enrol("civil-a", unit), w.enrol("civil-b", unit), w.enrol("civil-a", office)
	held := w.enrol("civil-a", unit)
	w.set(held.signCert, ca.StateHold)
	_, stranger := certify(t, "civil-a", newKey(t).Public())
	for name, receiver := range map[string][]byte{
		"another system": other.signCert.DER, "another unit": abroad.signCert.DER, "an encryption certificate": anew.enc.DER, "the pair itself": lost.signCert.DER,
		"on hold": held.signCert.DER, "of somebody else's": stranger, "nothing": {}, "no certificate": []byte("x"),
	} {
		ask := ownerRequest(lost, anew)
		ask.Receiver = receiver
		if _, _, err := w.svc.Ask(bg, person("admin", unit), ask); !errors.Is(err, kmc.ErrReceiver) && !errors.Is(err, kmc.ErrInvalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, actor := range map[string]ledger.Actor{"a clerk": person("clerk", unit), "another unit's": person("ra", office), "the system": {Kind: "system", ID: "admin", Unit: unit}} {
		if _, _, err := w.svc.Ask(bg, actor, ownerRequest(lost, anew)); !errors.Is(err, kmc.ErrNotFound) && !errors.Is(err, kmc.ErrRole) {
			t.Errorf("asked by %s: %v", name, err)
		}
	}
	r := w.asked(lost, anew)
	if _, _, err := w.svc.Ask(bg, person("admin", unit), ownerRequest(lost, anew)); !errors.Is(err, kmc.ErrRepeated) {
		t.Errorf("the form again: %v", err)
	}
	w.check(r)
	w.settle(r, kmc.Checked)
	w.vote(r, 2)
	w.settle(r, kmc.Approved)
	w.set(anew.signCert, ca.StateRevoked)
	if _, err := w.svc.Deliver(bg, system, r.ID); !errors.Is(err, kmc.ErrReceiver) {
		t.Errorf("to a certificate that was revoked since: %v", err)
	}
	w.set(anew.signCert, ca.StateGood)
	if _, err := w.svc.Deliver(bg, system, r.ID); err != nil {
		t.Errorf("and good again: %v", err)
	}
}

// A request that was changed in the database has no approvals, and one that was
// refused, at whatever moment, gives nothing.
func TestChangedRefusedAndLapsed(t *testing.T) {
	w := newWorld(t)
	lost, anew, third := w.enrol("civil-a", unit), w.enrol("civil-a", unit), w.enrol("civil-a", unit)
	approved := func() kmc.Recovery {
		r := w.asked(lost, anew)
		w.check(r)
		w.settle(r, kmc.Checked)
		w.vote(r, 2)
		return w.settle(r, kmc.Approved)
	}
	r := approved()
	for name, edit := range map[string]func(*kmc.Recovery){
		"another receiver": func(r *kmc.Recovery) { r.Receiver = third.signCert.DER }, "fewer needed": func(r *kmc.Recovery) { r.Need = 1 },
		"another pair": func(r *kmc.Recovery) { r.Pair = third.id }, "more time": func(r *kmc.Recovery) { r.LapsesAt = r.LapsesAt.Add(time.Hour) },
	} {
		w.store.TamperRecovery(r.ID, edit)
		if _, err := w.svc.Deliver(bg, system, r.ID); !errors.Is(err, kmc.ErrPending) {
			t.Errorf("%s: %v", name, err)
		}
		w.store.TamperRecovery(r.ID, func(t *kmc.Recovery) { *t = r })
	}
	w.refuse("vote", r) // the last officer says no when there were enough already
	if _, err := w.svc.Deliver(bg, system, r.ID); !errors.Is(err, kmc.ErrRefused) {
		t.Errorf("refused after all: %v", err)
	}
	w.later(8 * 24 * time.Hour)
	if _, err := w.svc.Deliver(bg, system, r.ID); !errors.Is(err, kmc.ErrLapsed) {
		t.Errorf("a week later: %v", err)
	}
	if _, err := w.svc.Deliver(bg, system, r.ID); !errors.Is(err, kmc.ErrLapsed) {
		t.Errorf("and again: %v", err)
	}
	for what, from := range map[string]kmc.State{"check": kmc.Asked, "vote": kmc.Checked} {
		r := w.asked(lost, anew)
		if from == kmc.Checked {
			w.check(r)
			w.settle(r, kmc.Checked)
		}
		w.refuse(what, r)
		if got := w.settle(r, kmc.Refused); got.Refusal != "no-1" {
			t.Errorf("%s: %+v", what, got)
		}
		w.settle(r, kmc.Refused)
	}
	r = w.asked(lost, anew)
	w.later(7 * 24 * time.Hour)
	w.check(r)
	w.vote(r, 2)
	w.settle(r, kmc.Lapsed)
	r = w.asked(lost, anew)
	w.later(8 * 24 * time.Hour)
	if err := w.svc.LapseAll(bg, service); err != nil {
		t.Fatal(err)
	}
	if got, err := w.svc.Recovery(bg, r.ID); err != nil || got.State != kmc.Lapsed {
		t.Errorf("%+v, %v", got, err)
	}
	if got := w.types(); got[len(got)-1] != "lapsed" {
		t.Errorf("events: %v", got)
	}
	r = w.asked(lost, anew)
	for _, c := range []struct {
		left string
		want kmc.State
	}{{"somebody else", kmc.Asked}, {r.AskedBy, kmc.Lapsed}} {
		if err := w.svc.WithdrawAll(bg, service, c.left); err != nil {
			t.Fatal(err)
		}
		if got, err := w.svc.Recovery(bg, r.ID); err != nil || got.State != c.want {
			t.Errorf("%s left: %+v, %v", c.left, got, err)
		}
	}
}

// Wrapped keys that were exchanged between rows do not open, the ledger says so,
// and the approval is not spent on it.
func TestExchangedRowsDoNotOpen(t *testing.T) {
	w := newWorld(t)
	lost, anew := w.enrol("civil-a", unit), w.enrol("civil-a", unit)
	r := w.asked(lost, anew)
	w.check(r)
	w.settle(r, kmc.Checked)
	w.vote(r, 2)
	w.settle(r, kmc.Approved)
	mine, _ := w.store.Registry.Escrowed(lost.id)
	other, _ := w.store.Registry.Escrowed(anew.id)
	for name, edit := range map[string]func(*ca.EscrowedKey){
		"the wrapped key of another row":                  func(k *ca.EscrowedKey) { k.Wrapped = other.Wrapped },
		"another row but for its pair":                    func(k *ca.EscrowedKey) { k.Wrapped, k.PublicSM3 = other.Wrapped, other.PublicSM3 },
		"another public key":                              func(k *ca.EscrowedKey) { k.PublicSM3 = other.PublicSM3 },
		"a key-encryption key that is not there":          func(k *ca.EscrowedKey) { k.KEK = "local:other" },
		"a flipped bit":                                   func(k *ca.EscrowedKey) { k.Wrapped = append([]byte{k.Wrapped[0] ^ 1}, k.Wrapped[1:]...) },
		"the pair's name changed, with the other's bytes": func(k *ca.EscrowedKey) { *k = other },
	} {
		w.failed = nil
		w.store.Tamper(lost.id, edit)
		if _, err := w.svc.Deliver(bg, system, r.ID); !errors.Is(err, kmc.ErrUnwrap) && !errors.Is(err, kmc.ErrKEK) {
			t.Errorf("%s: %v", name, err)
		}
		if len(w.failed) != 1 || w.failed[0].Type != "kmc.recovery.failed" || w.failed[0].Outcome != ledger.Failure || w.failed[0].Details["pair"] != lost.id {
			t.Errorf("%s: recorded %+v", name, w.failed)
		}
		w.store.Tamper(lost.id, func(k *ca.EscrowedKey) { *k = mine })
	}
	if _, err := w.svc.Deliver(bg, system, r.ID); err != nil {
		t.Errorf("the row as it was: %v", err)
	}
}

// loose is a key-encryption key that binds nothing, as some modules have it.
type loose struct{ kmc.Wrapper }

func (l loose) Wrap(ctx context.Context, key, _ []byte) ([]byte, error) {
	return l.Wrapper.Wrap(ctx, key, nil)
}

func (l loose) Unwrap(ctx context.Context, wrapped, _ []byte) ([]byte, error) {
	return l.Wrapper.Unwrap(ctx, wrapped, nil)
}

// Where the wrapping binds nothing the public key on record still does.
func TestAnotherKeyInARowDoesNotGoOut(t *testing.T) {
	w := newWorld(t)
	w.centre = w.centreWith(loose{w.kek}, 0)
	w.cfg.Centre = w.centre
	var err error
	if w.svc, err = kmc.NewRecoveries(w.cfg); err != nil {
		t.Fatal(err)
	}
	lost, anew := w.enrol("civil-a", unit), w.enrol("civil-a", unit)
	r := w.asked(lost, anew)
	w.check(r)
	w.settle(r, kmc.Checked)
	w.vote(r, 2)
	w.settle(r, kmc.Approved)
	other, _ := w.store.Registry.Escrowed(anew.id)
	w.store.Tamper(lost.id, func(k *ca.EscrowedKey) { k.Wrapped = other.Wrapped })
	if _, err := w.svc.Deliver(bg, system, r.ID); !errors.Is(err, kmc.ErrUnwrap) {
		t.Errorf("another key went out: %v", err)
	}
}

// The key of a pair whose certificates were never signed was in use by nobody:
// it is not asked for while it waits, nor when it was abandoned.
func TestAPairThatWasNeverSignedGivesNoKey(t *testing.T) {
	w := newWorld(t)
	lost, anew := w.enrol("civil-a", unit), w.enrol("civil-a", unit)
	at := slices.IndexFunc(w.certs, func(c ca.Certificate) bool { return c.Serial == lost.enc.Serial })
	r := w.asked(lost, anew)
	w.check(r)
	w.settle(r, kmc.Checked)
	w.vote(r, 2)
	w.settle(r, kmc.Approved)
	w.certs[at].DER = nil
	if _, err := w.svc.Deliver(bg, system, r.ID); !errors.Is(err, kmc.ErrUnwrap) || len(w.failed) != 1 {
		t.Errorf("delivered: %v, %d recorded", err, len(w.failed))
	}
	for _, state := range []ca.State{ca.StatePending, ca.StateRevoked} {
		w.certs[at].State = state
		for _, ask := range []kmc.Recovery{ownerRequest(lost, anew), judicialRequest(lost, anew.signCert.DER)} {
			actor := person("admin", unit)
			if ask.Kind == kmc.ForLaw {
				actor = person("ra", office)
			}
			if _, _, err := w.svc.Ask(bg, actor, ask); !errors.Is(err, kmc.ErrUnused) {
				t.Errorf("%s, %s: %v", state, ask.Kind, err)
			}
		}
	}
	// Its row says abandoned, whatever the certificate's says.
	w.certs[at].DER = lost.enc.DER
	sign, enc := lost.signCert, lost.enc
	ev := ledger.Event{ID: newID(), Type: "test.abandoned", Class: ledger.ClassCertificate, Time: start, Actor: service, Object: ledger.Object{Kind: "pair", ID: lost.id}, Outcome: ledger.Failure}
	if _, err := w.store.Abandon(bg, []ca.Certificate{sign, enc}, start, ev); err != nil {
		t.Fatal(err)
	}
	if _, err := w.svc.Deliver(bg, system, r.ID); !errors.Is(err, kmc.ErrNotFound) {
		t.Errorf("abandoned, and delivered: %v", err)
	}
}

func TestDeliveredToOneOfEight(t *testing.T) {
	w := newWorld(t)
	lost, anew := w.enrol("civil-a", unit), w.enrol("civil-a", unit)
	r := w.asked(lost, anew)
	w.check(r)
	w.settle(r, kmc.Checked)
	w.vote(r, 2)
	var settling, wg sync.WaitGroup
	for range 8 { // who signs settles: all at once
		settling.Go(func() {
			if got, err := w.svc.Settle(bg, person("k1", office), r.ID); err != nil || got.State != kmc.Approved {
				t.Errorf("%s, %v", got.State, err)
			}
		})
	}
	settling.Wait()
	var won atomic.Int32
	for range 8 {
		wg.Go(func() {
			switch _, err := w.svc.Deliver(bg, system, r.ID); {
			case err == nil:
				won.Add(1)
			case !errors.Is(err, kmc.ErrDelivered):
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if got := strings.Join(w.types(), " "); won.Load() != 1 || got != "asked checked approved delivered" {
		t.Errorf("%d deliveries: %s", won.Load(), got)
	}
}

func TestNewRecoveriesRefuses(t *testing.T) {
	w := newWorld(t)
	for name, edit := range map[string]func(*kmc.RecoveryConfig){
		"one officer": func(c *kmc.RecoveryConfig) { c.Need = 1 }, "judicial with no more": func(c *kmc.RecoveryConfig) { c.Need, c.NeedJudicial = 3, 3 },
		"no approvers": func(c *kmc.RecoveryConfig) { c.Approvers = nil }, "no house": func(c *kmc.RecoveryConfig) { c.House = "" },
		"a centre without keys": func(c *kmc.RecoveryConfig) { c.Centre = newCentre(t, newKEK(t, 1)) }, "no time": func(c *kmc.RecoveryConfig) { c.Life = -1 },
	} {
		cfg := w.cfg
		edit(&cfg)
		if _, err := kmc.NewRecoveries(cfg); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}
