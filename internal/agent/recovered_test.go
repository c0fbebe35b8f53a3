package agent

import (
	"crypto/ecdsa"
	"crypto/rand"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/emmansun/gmsm/sm2"
	"github.com/emmansun/gmsm/smx509"

	"github.com/yinxin-gov/yinxin/ca"
	"github.com/yinxin-gov/yinxin/internal/api/wire"
)

// lostPair is an encryption key of before, enveloped to the system's signing key.
func (h *house) lostPair(id string, to *ecdsa.PublicKey) (wire.RecoveredKey, *smx509.Certificate) {
	h.t.Helper()
	key, err := sm2.GenerateKey(rand.Reader)
	h.must(err)
	envelope, err := sm2.MarshalEnvelopedPrivateKey(rand.Reader, to, key)
	h.must(err)
	der := h.sm2(&h.sm2Mid, unitName("civil-a"), smx509.KeyUsageKeyEncipherment, []string{"civil.internal"}, &key.PublicKey).der
	cert, err := smx509.ParseCertificate(der)
	h.must(err)
	return wire.RecoveredKey{ID: id, Pair: "pair-0", EncCert: der, EnvelopedKey: envelope, Chain: [][]byte{h.sm2Mid.der, h.sm2Root.der}}, cert
}

func (a *Agent) asked(id string, cert *smx509.Certificate) wire.Recovery {
	return wire.Recovery{ID: id, State: "approved", EncSerial: ca.FormatSerial(cert.SerialNumber), Receiver: ca.FormatSerial(a.signs[0].SerialNumber)}
}

// What was encrypted to a lost key opens again once the key came back.
func TestRecover_OpensWhatWasSentBefore(t *testing.T) {
	h := newHouse(t)
	a, dir := enrolled(t, h)
	got, cert := h.lostPair("r-1", h.enrolled)
	h.recovered = map[string]wire.RecoveredKey{"r-1": got}
	doc := []byte("以前发来的文件")
	h.envelope = h.sealed(h.exchange, header(doc), doc, cert.Raw)
	if _, err := a.Fetch(t.Context(), "t-1"); !errors.Is(err, ErrEnvelope) {
		t.Fatalf("before: %v", err)
	}
	out, err := a.Recover(t.Context(), a.asked("r-1", cert))
	if err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(out.Key); err != nil || info.Mode().Perm() != 0o600 || h.peers == 0 {
		t.Errorf("%v, %v", info, err)
	}
	again, err := Open(h.config(dir))
	if err != nil {
		t.Fatal(err)
	}
	defer again.Close()
	if d, err := again.Fetch(t.Context(), "t-1"); err != nil || string(d.Document) != string(doc) {
		t.Errorf("after: %v", err)
	}
	if _, err := a.Recover(t.Context(), a.asked("r-1", cert)); !errors.Is(err, ErrRefused) {
		t.Errorf("once more: %v", err)
	}
	if left, _ := filepath.Glob(filepath.Join(dir, dirOld, "recovery-*")); len(left) > 0 {
		t.Errorf("left over: %v", left)
	}
}

// What must not be trusted is not written as a key; what came is kept, and a
// delivery that this system could not open is not spent.
func TestRecover_Refused(t *testing.T) {
	h := newHouse(t)
	a, dir := enrolled(t, h)
	stranger, err := sm2.GenerateKey(rand.Reader)
	h.must(err)
	self := h.sm2(nil, unitName("civil-a"), smx509.KeyUsageCertSign, nil, nil)
	for name, bend := range map[string]func(*wire.RecoveredKey){
		"to another key":             func(k *wire.RecoveredKey) { *k, _ = h.lostPair(k.ID, &stranger.PublicKey) },
		"of another recovery":        func(k *wire.RecoveredKey) { k.ID = "r-9" },
		"another certificate":        func(k *wire.RecoveredKey) { o, _ := h.lostPair("x", h.enrolled); k.EncCert = o.EncCert },
		"another key":                func(k *wire.RecoveredKey) { o, _ := h.lostPair("x", h.enrolled); k.EnvelopedKey = o.EnvelopedKey },
		"a certificate of strangers": func(k *wire.RecoveredKey) { k.EncCert = self.der },
		"no certificate":             func(k *wire.RecoveredKey) { k.EncCert = []byte{1} },
		"a chain without end":        func(k *wire.RecoveredKey) { k.Chain = make([][]byte, maxChain+1) },
		"no envelope":                func(k *wire.RecoveredKey) { k.EnvelopedKey = nil },
	} {
		id := "r-" + name
		got, cert := h.lostPair(id, h.enrolled)
		r := a.asked(id, cert)
		bend(&got)
		h.recovered = map[string]wire.RecoveredKey{id: got}
		for range 2 { // the second opens what was kept
			if _, err := a.Recover(t.Context(), r); !errors.Is(err, ErrEnvelope) {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
	if keys, _ := filepath.Glob(filepath.Join(dir, dirOld, "*.key")); len(keys) > 0 {
		t.Errorf("written: %v", keys)
	}
	got, cert := h.lostPair("../../x", h.enrolled)
	h.recovered = map[string]wire.RecoveredKey{"../../x": got}
	r := a.asked("../../x", cert)
	r.Receiver = "1234"
	if _, err := a.Recover(t.Context(), r); !errors.Is(err, ErrEnvelope) || len(h.recovered) != 1 {
		t.Errorf("for another signing key: %v, %d left", err, len(h.recovered))
	}
	if _, err := a.Recover(t.Context(), a.asked("../../x", cert)); err != nil && !errors.Is(err, ErrRefused) && !errors.Is(err, ErrServer) {
		t.Errorf("an id that is a path: %v", err)
	}
	if out, _ := filepath.Glob(filepath.Join(filepath.Dir(dir), "*.json")); len(out) > 0 || strings.Contains(strings.Join(out, ""), "x") {
		t.Errorf("written outside: %v", out)
	}
}
