package ca_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/emmansun/gmsm/sm2"
	"github.com/emmansun/gmsm/smx509"

	"github.com/yinxin-gov/yinxin/authz/ledger"
	"github.com/yinxin-gov/yinxin/ca"
	"github.com/yinxin-gov/yinxin/internal/api/wire"
)

var system = ledger.Actor{Kind: "system", ID: "civil-a", Unit: agency}

// enrolled is a system with its first pair.
func (h *house) enrolled() (*sm2.PrivateKey, ca.DualResult) {
	h.t.Helper()
	key := sm2Key(h.t)
	got, err := h.svc.EnrolSM2(context.Background(), h.token(), csr(h.t, key))
	if err != nil {
		h.t.Fatal(err)
	}
	return key, got
}

func serialOf(t testing.TB, der []byte) string {
	t.Helper()
	return ca.FormatSerial(parse(t, der).SerialNumber)
}

func renewal(t testing.TB, old *sm2.PrivateKey, serial string, request []byte) ca.Renewal {
	t.Helper()
	sig, err := old.SignWithSM2(rand.Reader, nil, wire.RenewalMessage(serial, request))
	if err != nil {
		t.Fatal(err)
	}
	return ca.Renewal{Serial: serial, CSR: request, Signature: sig}
}

// GM/T 0034 ch. 12: the next pair has the same names, its own encryption key and
// either signing key; the old one stays good.
func TestRenewalOfThePairGMT0034(t *testing.T) {
	for name, rekey := range map[string]bool{"same signing key": false, "rekey": true} {
		t.Run(name, func(t *testing.T) {
			h, ctx := newHouse(t), context.Background()
			key, old := h.enrolled()
			next := key
			if rekey {
				next = sm2Key(t)
			}
			h.clock.advance(200 * 24 * time.Hour)
			serial := serialOf(t, old.SignCert)
			ask := renewal(t, key, serial, csr(t, next))
			got, err := h.svc.RenewSM2(ctx, system, ask)
			if err != nil {
				t.Fatal(err)
			}
			was, sign, enc := parse(t, old.SignCert), parse(t, got.SignCert), parse(t, got.EncCert)
			if !next.PublicKey.Equal(sign.PublicKey) || !slices.Equal(sign.DNSNames, was.DNSNames) || sign.Subject.String() != was.Subject.String() || !sign.NotAfter.After(was.NotAfter) {
				t.Errorf("signing certificate %s %v until %s", sign.Subject, sign.DNSNames, sign.NotAfter)
			}
			opened, err := sm2.ParseEnvelopedPrivateKey(next, got.Envelope)
			if err != nil || !opened.PublicKey.Equal(enc.PublicKey) || opened.PublicKey.Equal(parse(t, old.EncCert).PublicKey) {
				t.Errorf("encryption key: %v", err)
			}
			h.expect(ca.StateGood, must(h.reg.CertificatesOf(ctx, "civil-a"))...)
			events := h.reg.Events()
			for _, ev := range events[len(events)-2:] {
				if ev.Details["renews"] != serial || ev.Details["sign_serial"] != serialOf(t, got.SignCert) || ev.Actor != system {
					t.Errorf("%s: %v", ev.Type, ev.Details)
				}
			}

			rows, way := must(h.reg.CertificatesOf(ctx, "civil-a")), ca.WayRenewal
			if rekey {
				way = ca.WayRekey
			}
			for i, row := range rows[2:] { // halves in one order
				if row.Kind != rows[i].Kind || row.Origin.Way != way || row.Origin.Previous != rows[i].Name() || rows[i].Origin.Way != ca.WayToken || rows[i].Origin.Previous != "" {
					t.Errorf("%s comes from %+v", row.Kind, row.Origin)
				}
			}

			// A lost answer: the same request gets the same pair, later too.
			h.clock.advance(300 * 24 * time.Hour)
			again, err := h.svc.RenewSM2(ctx, system, ask)
			if err != nil || !bytes.Equal(again.SignCert, got.SignCert) || !bytes.Equal(again.Envelope, got.Envelope) || again.Renews != serial {
				t.Errorf("again: %v", err)
			}
			if n := len(h.reg.Events()); n != len(events) {
				t.Errorf("%d events for an answer that was given before", n-len(events))
			}
			if _, err := h.svc.RenewSM2(ctx, system, renewal(t, key, serial, csr(t, sm2Key(t)))); !errors.Is(err, ca.ErrRenewed) {
				t.Errorf("a second follower: %v", err)
			}
		})
	}
}

func TestRenewalRefuses(t *testing.T) {
	flip := func(b []byte) []byte {
		b = bytes.Clone(b)
		b[len(b)-3] ^= 1
		return b
	}
	for name, c := range map[string]struct {
		spoil func(*house, *ca.Renewal, *sm2.PrivateKey)
		actor ledger.Actor
		want  error
	}{
		"another system's certificate": {actor: ledger.Actor{Kind: "system", ID: "civil-b", Unit: agency}, want: ca.ErrNotFound},
		"an unknown certificate":       {spoil: func(_ *house, r *ca.Renewal, _ *sm2.PrivateKey) { r.Serial = "abc" }, want: ca.ErrNotFound},
		"a flipped signature":          {spoil: func(_ *house, r *ca.Renewal, _ *sm2.PrivateKey) { r.Signature = flip(r.Signature) }, want: ca.ErrProof},
		"no signature":                 {spoil: func(_ *house, r *ca.Renewal, _ *sm2.PrivateKey) { r.Signature = nil }, want: ca.ErrProof},
		"signature over another CSR":   {spoil: func(h *house, r *ca.Renewal, _ *sm2.PrivateKey) { r.CSR = csr(h.t, sm2Key(h.t)) }, want: ca.ErrProof},
		"signature by the new key only": {spoil: func(h *house, r *ca.Renewal, _ *sm2.PrivateKey) {
			k := sm2Key(h.t)
			*r = renewal(h.t, k, r.Serial, csr(h.t, k))
		}, want: ca.ErrProof},
		"foreign CSR signature": {spoil: func(h *house, r *ca.Renewal, k *sm2.PrivateKey) {
			*r = renewal(h.t, k, r.Serial, flip(csr(h.t, sm2Key(h.t))))
		}, want: ca.ErrCSR},
		"CSR of another name": {spoil: func(h *house, r *ca.Renewal, k *sm2.PrivateKey) {
			*r = renewal(h.t, k, r.Serial, csr(h.t, sm2Key(h.t), "b.gov.internal"))
		}, want: ca.ErrCSR},
		"explicit curve parameters": {spoil: func(h *house, r *ca.Renewal, k *sm2.PrivateKey) {
			*r = renewal(h.t, k, r.Serial, explicitCSR(h.t, sm2Key(h.t)))
		}, want: ca.ErrCSR},
		"held": {spoil: func(h *house, r *ca.Renewal, _ *sm2.PrivateKey) {
			must2(h.svc.Hold(context.Background(), h.office, h.issuer(), r.Serial, "丢失"))
		}, want: ca.ErrState},
		"revoked": {spoil: func(h *house, r *ca.Renewal, _ *sm2.PrivateKey) {
			must(0, h.svc.Revoke(context.Background(), h.office, h.issuer(), r.Serial, 1))
		}, want: ca.ErrRevoked},
		"expired":                       {spoil: func(h *house, _ *ca.Renewal, _ *sm2.PrivateKey) { h.clock.advance(366 * 24 * time.Hour) }, want: ca.ErrExpired},
		"stopped by the gate":           {spoil: func(h *house, _ *ca.Renewal, _ *sm2.PrivateKey) { h.gated = errGate }, want: errGate},
		"a host taken off the register": {spoil: func(h *house, _ *ca.Renewal, _ *sm2.PrivateKey) { h.hosts["civil-a"] = nil }, want: ca.ErrHost},
	} {
		t.Run(name, func(t *testing.T) {
			h, ctx := newHouse(t), context.Background()
			key, old := h.enrolled()
			r := renewal(t, key, serialOf(t, old.SignCert), csr(t, sm2Key(t)))
			actor := system
			if c.actor.ID != "" {
				actor = c.actor
			}
			if c.spoil != nil {
				c.spoil(h, &r, key)
			}
			signed := h.key.calls
			if _, err := h.svc.RenewSM2(ctx, actor, r); !errors.Is(err, c.want) {
				t.Fatalf("err = %v, want %v", err, c.want)
			}
			last := h.reg.Events()[len(h.reg.Events())-1]
			if h.key.calls != signed || last.Type != "ca.renewal.refused" || last.Outcome != ledger.Failure || last.Actor != actor {
				t.Errorf("%d signatures, last event %s", h.key.calls-signed, last.Type)
			}
		})
	}
}

// Eight at once with one request are one pair, and each of them has it or is told
// to come back.
func TestEightRenewalsMakeOnePair(t *testing.T) {
	h := newHouse(t)
	h.cfg.SM2Signer = lockedKey{h.key, &sync.Mutex{}}
	h.svc = must(ca.New(h.cfg))
	key, old := h.enrolled()
	ask := renewal(t, key, serialOf(t, old.SignCert), csr(t, sm2Key(t)))
	var mu sync.Mutex
	made := map[string]int{}
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			got, err := h.svc.RenewSM2(context.Background(), system, ask)
			mu.Lock()
			defer mu.Unlock()
			switch {
			case errors.Is(err, ca.ErrBusy):
			case err != nil:
				t.Error(err)
			default:
				made[string(got.SignCert)]++
			}
		})
	}
	wg.Wait()
	if pending, good := h.states(); len(made) != 1 || pending != 0 || good != 4 {
		t.Errorf("%d pairs given; %d certificates pending, %d good", len(made), pending, good)
	}
}

// A signer or a store that fails in the middle costs a pending record, and the
// next try makes the pair.
func TestAFailedRenewalCanBeTriedAgain(t *testing.T) {
	broken := errors.New("disk full")
	for name, spoil := range map[string]func(*house){
		"first record":  func(h *house) { h.reg.FailNext("Begin", broken) },
		"signer":        func(h *house) { h.key.err = broken },
		"second record": func(h *house) { h.reg.FailNext("Deliver", broken) },
	} {
		t.Run(name, func(t *testing.T) {
			h, ctx := newHouse(t), context.Background()
			key, old := h.enrolled()
			ask := renewal(t, key, serialOf(t, old.SignCert), csr(t, sm2Key(t)))
			spoil(h)
			if got, err := h.svc.RenewSM2(ctx, system, ask); !errors.Is(err, broken) || got.SignCert != nil || got.Envelope != nil {
				t.Fatalf("err = %v", err)
			}
			h.key.err = nil
			if _, err := h.svc.RenewSM2(ctx, system, ask); err != nil {
				t.Errorf("tried again: %v", err)
			}
			if _, good := h.states(); good != 4 {
				t.Errorf("%d good", good)
			}
		})
	}
}

// GM/T 0092-2020: the library, which another side may use, reads our response.
func TestResponseOfGMT0092(t *testing.T) {
	h := newHouse(t)
	key, got := h.enrolled()
	der, err := got.Response()
	if err != nil {
		t.Fatal(err)
	}
	read, err := smx509.ParseCSRResponse(key, der)
	if err != nil {
		t.Fatal(err)
	}
	if len(read.SignCerts) != 1 || !bytes.Equal(read.SignCerts[0].Raw, got.SignCert) || len(read.EncryptCerts) != 1 || !bytes.Equal(read.EncryptCerts[0].Raw, got.EncCert) {
		t.Error("other certificates")
	}
	if read.EncryptPrivateKey == nil || !read.EncryptPrivateKey.PublicKey.Equal(parse(t, got.EncCert).PublicKey) {
		t.Error("another encryption key")
	}
	if _, err := smx509.ParseCSRResponse(sm2Key(t), der); err == nil {
		t.Error("another key opened it")
	}
	if _, err := (ca.DualResult{SignCert: got.SignCert}).Response(); err == nil {
		t.Error("half a response")
	}
}

func TestOrderOfAPair(t *testing.T) {
	h, ctx := newHouse(t), context.Background()
	_, first := h.enrolled()
	key := sm2Key(t)
	o := ca.PairOrder{Order: "o-1", Request: first.Request.ID, Hosts: []string{host}, CSR: csr(t, key), NotAfter: h.clock.Now().Add(48 * time.Hour)}
	got, err := h.svc.IssuePair(ctx, system, o)
	if err != nil {
		t.Fatal(err)
	}
	sign, enc := parse(t, got.SignCert), parse(t, got.EncCert)
	for _, c := range []*smx509.Certificate{sign, enc} {
		if end := c.NotAfter.Sub(h.clock.Now()); end > 48*time.Hour || end < 48*time.Hour-time.Minute {
			t.Errorf("ends in %s", end)
		}
		if again, err := h.svc.PairOf(ctx, ca.FormatSerial(c.SerialNumber)); err != nil || !bytes.Equal(again.Envelope, got.Envelope) {
			t.Errorf("by serial: %v", err)
		}
	}
	if again, err := h.svc.IssuePair(ctx, system, o); err != nil || !bytes.Equal(again.SignCert, got.SignCert) {
		t.Errorf("again: %v", err)
	}
	if _, err := h.svc.PairOf(ctx, serialOf(t, first.SignCert)); !errors.Is(err, ca.ErrNotFound) {
		t.Errorf("a pair by token is given once: %v", err)
	}
	for name, c := range map[string]struct {
		change func(*ca.PairOrder)
		want   error
	}{
		"host that was not approved":   {func(o *ca.PairOrder) { o.Hosts = []string{"b.gov.internal"} }, ca.ErrHost},
		"unknown request":              {func(o *ca.PairOrder) { o.Request = "none" }, ca.ErrNotFound},
		"request that was not decided": {func(o *ca.PairOrder) { o.Request = h.submit().ID }, ca.ErrNotApproved},
		"ends before it begins":        {func(o *ca.PairOrder) { o.NotAfter = h.clock.Now().Add(-time.Hour) }, ca.ErrInvalid},
		"same order, another CSR":      {func(o *ca.PairOrder) { o.Order, o.CSR = "o-1", csr(t, sm2Key(t)) }, ca.ErrRenewed},
	} {
		o := o
		o.Order = "o-" + name
		c.change(&o)
		if _, err := h.svc.IssuePair(ctx, system, o); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
	if err := h.svc.Revoke(ctx, h.office, h.issuer(), serialOf(t, got.EncCert), ca.ReasonSuperseded); err != nil {
		t.Fatal(err)
	}
	if _, err := h.svc.PairOf(ctx, serialOf(t, got.SignCert)); !errors.Is(err, ca.ErrRevoked) {
		t.Errorf("a revoked pair is given again: %v", err)
	}
}

func TestDeliveriesNeedARecorder(t *testing.T) {
	h := newHouse(t)
	h.cfg.Recorder = nil
	if _, err := ca.New(h.cfg); err == nil || !strings.Contains(err.Error(), "recorder") {
		t.Errorf("err = %v", err)
	}
	h.cfg.Deliveries, h.cfg.Suspensions = nil, nil
	svc := must(ca.New(h.cfg))
	if _, err := svc.RenewSM2(context.Background(), system, ca.Renewal{}); !errors.Is(err, ca.ErrInvalid) {
		t.Errorf("renewed without a store: %v", err)
	}
	if _, _, err := svc.Hold(context.Background(), h.office, "aa", "1", "丢失"); !errors.Is(err, ca.ErrInvalid) {
		t.Errorf("held without a store: %v", err)
	}
}
