package agent

import (
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

func TestRenew_TLS(t *testing.T) {
	for name, keep := range map[string]bool{"new key": false, "same key": true} {
		t.Run(name, func(t *testing.T) {
			h := newHouse(t)
			a, dir := enrolled(t, h)
			if err := a.Renew(t.Context(), TrackTLS, keep); err != nil {
				t.Fatal(err)
			}
			b, err := Open(h.config(dir))
			if err != nil {
				t.Fatal(err)
			}
			defer b.Close()
			if b.Set() != "000002" || b.Held()[0].Serial == a.Held()[0].Serial || b.m.tls.Equal(a.m.tls) != keep {
				t.Errorf("set %s, serial %s after %s, same key %v", b.Set(), b.Held()[0].Serial, a.Held()[0].Serial, b.m.tls.Equal(a.m.tls))
			}
			if b.Held()[1] != a.Held()[1] || b.OldKeys() != 0 {
				t.Error("the other track changed too")
			}
			if _, err := b.Inbox(t.Context()); err != nil {
				t.Error(err)
			}
			// The agent of before has lost its place: it must not undo the new set.
			if err := a.Renew(t.Context(), TrackTLS, keep); !errors.Is(err, ErrBusy) {
				t.Errorf("renewed from an old set: %v", err)
			}
			// The set before is kept for who reads it now, an older one is not.
			long := time.Now().Add(-time.Hour)
			if err := os.Chtimes(setPath(dir, "000001"), long, long); err != nil {
				t.Fatal(err)
			}
			if err := b.Renew(t.Context(), TrackTLS, keep); err != nil {
				t.Fatal(err)
			}
			if got := names(t, filepath.Join(dir, "sets")); len(got) != 2 || got[0] != "000002" || got[1] != "000003" {
				t.Errorf("sets %v", got)
			}
		})
	}
}

// Old mail still opens after the pair has renewed twice.
func TestRenew_SM2KeepsOldEncryptionKeys(t *testing.T) {
	h := newHouse(t)
	a, dir := enrolled(t, h)
	doc := []byte("sent before the renewal")
	old := h.sealed(h.exchange, header(doc), doc, a.encs[0].cert.Raw)
	for range 2 {
		if err := a.Renew(t.Context(), TrackSM2, false); err != nil {
			t.Fatal(err)
		}
		b, err := Open(h.config(dir))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(b.Close)
		if b.m.sign.Equal(a.m.sign) || b.m.enc.Equal(a.m.enc) || b.Held()[1].Serial == a.Held()[1].Serial {
			t.Error("nothing is new")
		}
		a, h.enrolled = b, &b.m.sign.PublicKey
	}
	if a.OldKeys() != 2 {
		t.Errorf("%d old keys", a.OldKeys())
	}
	h.envelope = old
	d, err := a.Fetch(t.Context(), "t-1")
	if err != nil || string(d.Document) != string(doc) {
		t.Errorf("%q, %v", d.Document, err)
	}
	newest := h.sealed(h.exchange, header(doc), doc, a.encs[0].cert.Raw)
	h.envelope = newest
	if _, err := a.Fetch(t.Context(), "t-1"); err != nil {
		t.Error(err)
	}
	info, err := os.Stat(filepath.Join(dir, "old"))
	if err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
}

// A pair that was made for an answer that was lost is taken up by the same
// request, also through a refusal in between: any other request is refused for
// ever, because a pair has one follower.
func TestRenew_SM2LostAnswer(t *testing.T) {
	h := newHouse(t)
	a, dir := enrolled(t, h)
	fail := []func(http.ResponseWriter) bool{
		func(w http.ResponseWriter) bool { panic(http.ErrAbortHandler) },
		func(w http.ResponseWriter) bool { h.refuse(w, http.StatusForbidden, "renew.held"); return true },
		func(w http.ResponseWriter) bool { h.refuse(w, http.StatusServiceUnavailable, "timeout"); return true },
	}
	for _, h.lost = range fail {
		if err := a.Renew(t.Context(), TrackSM2, false); err == nil {
			t.Fatal("no error")
		}
		if set, err := liveSet(dir); err != nil || set != "000001" {
			t.Errorf("set %s, %v", set, err)
		}
	}
	h.lost = nil
	if err := a.Renew(t.Context(), TrackSM2, false); err != nil {
		t.Fatal(err)
	}
	if h.renewals < 4 || len(h.followers) != 1 {
		t.Errorf("%d asked, %d pairs", h.renewals, len(h.followers))
	}
	if _, err := os.Stat(filepath.Join(dir, fileRenewal)); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the request is kept after its success: %v", err)
	}
}

// Certificates that do not fit are not put in force.
func TestRenew_RefusesWrongAnswers(t *testing.T) {
	h := newHouse(t)
	a, dir := enrolled(t, h)
	h.sign = func(w http.ResponseWriter, _ *http.Request) bool {
		h.answer(w, map[string]string{"crt": certPEM(h.ecdsa(&h.ecMid, "civil-a", false, nil).der), "ca": certPEM(h.ecMid.der)})
		return true
	}
	if err := a.Renew(t.Context(), TrackTLS, false); !errors.Is(err, ErrEnvelope) {
		t.Errorf("for another key: %v", err)
	}
	other := newHouse(t)
	h.lost = func(w http.ResponseWriter) bool { h.answer(w, other.pair(h.enrolled)); return true }
	if err := a.Renew(t.Context(), TrackSM2, false); !errors.Is(err, ErrEnvelope) {
		t.Errorf("of another house: %v", err)
	}
	if got := names(t, filepath.Join(dir, "sets")); len(got) != 1 {
		t.Errorf("sets %v", got)
	}
}

// What has ended cannot renew, and a clock before the beginning is said to be one.
func TestRenew_EndedAndClock(t *testing.T) {
	h := newHouse(t)
	_, dir := enrolled(t, h)
	for want, by := range map[error]time.Duration{ErrExpired: 2 * time.Hour, ErrClock: -2 * time.Hour} {
		cfg := h.config(dir)
		cfg.Now = func() time.Time { return time.Now().Add(by) }
		a, err := Open(cfg)
		if err != nil {
			t.Fatal(err)
		}
		for _, track := range []Track{TrackTLS, TrackSM2} {
			if err := a.Renew(t.Context(), track, false); !errors.Is(err, want) {
				t.Errorf("%s: %v, want %v", track, err, want)
			}
		}
	}
	if h.renewals != 0 {
		t.Error("the house was asked for nothing")
	}
}

// Over TLCP the pair renews without the mTLS certificate, which has ended here.
func TestRenew_PairOverTLCPWithoutMTLS(t *testing.T) {
	h := newHouse(t)
	_, dir := enrolled(t, h)
	cfg := h.config(dir)
	cfg.TLCP = h.server.Listener.Addr().String() // speaks TLS: the call fails there, no sooner
	a, err := Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	now := time.Now()
	a.leaf.NotAfter = now.Add(-time.Hour)
	if err := a.Renew(t.Context(), TrackSM2, false); !errors.Is(err, ErrServer) {
		t.Errorf("%v", err)
	}
	if err := a.Renew(t.Context(), TrackTLS, false); !errors.Is(err, ErrExpired) {
		t.Errorf("%v", err)
	}
}

// A reader that opens the folder while sets change never sees a key beside the
// certificate of another.
func TestRenew_ReadersSeeOneSet(t *testing.T) {
	h := newHouse(t)
	_, dir := enrolled(t, h)
	k, err := Keep(h.config(dir), false)
	if err != nil {
		t.Fatal(err)
	}
	defer k.Close()
	done := make(chan struct{})
	var readers sync.WaitGroup
	for range 3 {
		readers.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
				}
				// As a served program does on reload: resolve once, read both.
				at, err := filepath.EvalSymlinks(filepath.Join(dir, nameLive))
				if err == nil {
					_, err = load(at, nil)
				}
				if err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	for range 12 {
		if err := k.Renew(t.Context(), TrackTLS); err != nil {
			t.Error(err)
		}
	}
	close(done)
	readers.Wait()
	if set, err := k.Refresh(); err != nil || set != "000013" {
		t.Errorf("set %s, %v", set, err)
	}
}

// A new enrolment into the folder of a system whose certificates ended.
func TestEnrol_Replace(t *testing.T) {
	h := newHouse(t)
	_, dir := enrolled(t, h)
	cfg := h.config(dir)
	k, err := Keep(cfg, false)
	if err != nil {
		t.Fatal(err)
	}
	defer k.Close()
	cfg.Replace = true
	h.enrolment = nil // approved anew
	b, err := Enrol(t.Context(), cfg, token)
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	if b.Set() != "000002" || b.OldKeys() != 1 {
		t.Errorf("set %s, %d old keys", b.Set(), b.OldKeys())
	}
	if set, err := k.Refresh(); err != nil || set != "000002" { // the sidecar that runs takes it up
		t.Errorf("%s, %v", set, err)
	}
	cfg.System = "civil-b"
	if _, err := Enrol(t.Context(), cfg, token); !errors.Is(err, ErrEnrolled) {
		t.Errorf("another system's: %v", err)
	}
}

func TestDiscover(t *testing.T) {
	h, other := newHouse(t), newHouse(t)
	sha, sm := fingerprints(h.ecRoot.der)
	for name, f := range map[string]string{"SHA-256": sha, "SM3": sm, "colons": colons(sha)} {
		cfg, err := Discover(t.Context(), Config{URL: h.server.URL}, f)
		if err != nil || !cfg.TLSRoot.Equal(h.tlsRoot()) || string(cfg.SM2Root.Raw) != string(h.sm2Root.der) {
			t.Errorf("%s: %v", name, err)
		}
	}
	cfg, err := Discover(t.Context(), Config{URL: h.server.URL, TLSRoot: h.tlsRoot()}, "")
	if err != nil || string(cfg.SM2Root.Raw) != string(h.sm2Root.der) {
		t.Errorf("by root: %v", err)
	}
	wrong, _ := fingerprints(other.ecRoot.der)
	for name, tc := range map[string]struct {
		cfg         Config
		fingerprint string
		want        error
	}{
		"another house":         {Config{URL: h.server.URL}, wrong, ErrFingerprint},
		"another house's root":  {Config{URL: h.server.URL, TLSRoot: other.tlsRoot()}, "", ErrServer},
		"nothing that vouches":  {Config{URL: h.server.URL}, "", ErrConfig},
		"half a fingerprint":    {Config{URL: h.server.URL}, sha[:32], ErrConfig},
		"plain http":            {Config{URL: "http://localhost"}, sha, ErrConfig},
		"house away":            {Config{URL: "https://127.0.0.1:1"}, sha, ErrServer},
		"clock a year too late": {Config{URL: h.server.URL, TLSRoot: h.tlsRoot(), Now: func() time.Time { return time.Now().AddDate(1, 0, 0) }}, "", ErrClock},
	} {
		if cfg, err := Discover(t.Context(), tc.cfg, tc.fingerprint); !errors.Is(err, tc.want) || cfg.SM2Root != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	// A middleman that shows the right root without holding a key under it.
	middle := newHouse(t)
	middle.problem = func(w http.ResponseWriter) bool {
		h.answer(w, map[string]string{"ecdsa_root": certPEM(h.ecRoot.der), "sm2_root": certPEM(middle.sm2Root.der)})
		return true
	}
	if _, err := Discover(t.Context(), Config{URL: middle.server.URL}, sha); !errors.Is(err, ErrServer) {
		t.Errorf("a middleman: %v", err)
	}
}

// What the socket forwards reaches the house under its own address, with the
// system's certificate.
func TestKeeper_Forward(t *testing.T) {
	h := newHouse(t)
	_, dir := enrolled(t, h)
	k, err := Keep(h.config(dir), false)
	if err != nil {
		t.Fatal(err)
	}
	defer k.Close()
	for range 2 {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "/access/v1/evaluation", strings.NewReader(`{"q":1}`))
		if err != nil {
			t.Fatal(err)
		}
		resp, err := k.Forward(req)
		if err != nil {
			t.Fatal(err)
		}
		if err := resp.Body.Close(); err != nil || resp.StatusCode != http.StatusOK || string(h.question) != `{"q":1}` {
			t.Errorf("%d, %s, %v", resp.StatusCode, h.question, err)
		}
		h.server.CloseClientConnections() // the next goes over a new connection
	}
	h.server.Close()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "/access/v1/evaluation", nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := k.Forward(req); !errors.Is(err, ErrServer) {
		t.Errorf("%v", err)
	}
}

// Where nothing can be written, the house is not asked to issue.
func TestRenew_DiskFirst(t *testing.T) {
	h := newHouse(t)
	a, dir := enrolled(t, h)
	block := filepath.Join(dir, ".reserve")
	if err := os.MkdirAll(filepath.Join(block, "x"), 0o700); err != nil {
		t.Fatal(err)
	}
	h.sign = func(http.ResponseWriter, *http.Request) bool { t.Error("asked"); return false }
	for _, track := range []Track{TrackTLS, TrackSM2} {
		if err := a.Renew(t.Context(), track, false); !errors.Is(err, ErrFiles) || h.renewals != 0 {
			t.Errorf("%s: %v, asked %d times", track, err, h.renewals)
		}
	}
	if err := os.RemoveAll(block); err != nil {
		t.Fatal(err)
	}
	h.sign = nil
	if err := a.Renew(t.Context(), TrackTLS, false); err != nil {
		t.Error(err)
	}
}
