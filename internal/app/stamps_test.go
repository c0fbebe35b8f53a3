package app

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/yinxin-gov/yinxin/authz/ledger"
	"github.com/yinxin-gov/yinxin/ca"
	"github.com/yinxin-gov/yinxin/internal/keys"
	"github.com/yinxin-gov/yinxin/signer/cms/signeddata"
	"github.com/yinxin-gov/yinxin/signer/cms/tsp"
	"github.com/yinxin-gov/yinxin/signer/tsa"
)

// openssl runs the tool in a folder.
func openssl(tb testing.TB, dir string, args ...string) (string, error) {
	tb.Helper()
	tool, err := exec.LookPath("openssl")
	if err != nil {
		if os.Getenv("CI") == "true" {
			tb.Fatal("openssl is not installed")
		}
		tb.Skip("openssl is not installed")
	}
	cmd := exec.Command(tool, args...)
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// stampEvents are the records of tokens in a house's ledger.
func stampEvents(tb testing.TB, h *House) (out []ledger.Event) {
	tb.Helper()
	entries, err := h.store.Ledger().Entries(bg, 0, 0, h.Ledger.Head().Size)
	ok(tb, err)
	for _, e := range entries {
		ev, err := ledger.Decode(e.Body)
		ok(tb, err)
		if ev.Type == "signer.timestamp.issued" {
			out = append(out, ev)
		}
	}
	return out
}

// The service answers on both listeners, chooses the track by the digest, and
// every token is on the ledger (RFC 3161, 2.4 and 3.4; GM/T 0033).
func TestStampsOfTheHouse(t *testing.T) {
	cfg, ln := config(t, "")
	h, _, err := Found(bg, cfg, three)
	ok(t, err)
	serving(t, h, ln)
	dir := t.TempDir()
	ok(t, h.CopyAnchors(dir))
	ok(t, os.WriteFile(filepath.Join(dir, "data"), []byte("document"), 0o600))
	client := browser(h)
	for name, c := range map[string]struct{ path, digest string }{
		"SHA-256":             {pathStamp, "-sha256"},
		"SHA-512":             {pathStamp, "-sha512"},
		"the ECDSA path":      {pathStampECDSA, "-sha384"},
		"SM3":                 {pathStamp, "-sm3"},
		"SM3, the ECDSA path": {pathStampECDSA, "-sm3"},
		"SHA-256, SM2 path":   {pathStampSM2, "-sha256"},
	} {
		if out, err := openssl(t, dir, "ts", "-query", "-data", "data", c.digest, "-cert", "-out", "q"); err != nil {
			t.Fatalf("%s: %v %s", name, err, out)
		}
		q, err := os.ReadFile(filepath.Join(dir, "q"))
		ok(t, err)
		resp, err := client.Post("https://"+h.cfg.Public+c.path, tsa.TypeQuery, bytes.NewReader(q))
		ok(t, err)
		if resp.StatusCode != http.StatusOK || resp.Header.Get("Content-Type") != tsa.TypeReply {
			t.Fatalf("%s: %s", name, resp.Status)
		}
		reply := body(t, resp)
		ok(t, os.WriteFile(filepath.Join(dir, "r"), []byte(reply), 0o600))
		sm2 := c.path == pathStampSM2 || c.path == pathStamp && c.digest == "-sm3"
		if !sm2 {
			out, err := openssl(t, dir, "ts", "-verify", "-in", "r", "-queryfile", "q", "-CAfile", fileECDSARoot)
			if err != nil || !strings.Contains(out, "Verification: OK") {
				t.Errorf("%s: %v %s", name, err, out)
			}
			out, err = openssl(t, dir, "ts", "-reply", "-in", "r", "-text")
			if err != nil || !strings.Contains(out, "Ordering: no") || !strings.Contains(out, "Accuracy: 0x02 seconds") {
				t.Errorf("%s: %v %s", name, err, out)
			}
		}
		if out, err := openssl(t, dir, "asn1parse", "-inform", "DER", "-in", "r"); err != nil {
			t.Errorf("%s: structure: %v %s", name, err, out)
		}
		der, err := tsp.ParseResponse([]byte(reply))
		ok(t, err)
		token, err := tsp.ParseToken(der)
		ok(t, err)
		if err := token.Verify([]byte("document")); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		events := stampEvents(t, h)
		ev := events[len(events)-1]
		want := map[bool]string{true: keyStampSM2, false: keyStampECDSA}[sm2]
		if ev.Actor.ID != want || ev.Payload != SM3Hex(der) || ev.Object.ID != token.Serial.String() || ev.Details["digest"] != token.Imprint.Digest.OID.String() {
			t.Errorf("%s: recorded %+v", name, ev)
		}
	}
	for name, c := range map[string]struct {
		kind, body string
		status     int
	}{
		"another type": {"application/json", "{}", http.StatusUnsupportedMediaType},
		"too large":    {tsa.TypeQuery, strings.Repeat("x", tsp.MaxRequest+1), http.StatusRequestEntityTooLarge},
	} {
		resp, err := client.Post("https://"+h.cfg.Public+pathStamp, c.kind, strings.NewReader(c.body))
		ok(t, err)
		if body(t, resp); resp.StatusCode != c.status {
			t.Errorf("%s: %s", name, resp.Status)
		}
	}
	// With the kernel's word nothing is stamped while no time service keeps the
	// clock: which of the two is right depends on the machine of the test.
	h.cfg.Clock = ""
	n := len(stampEvents(t, h))
	_, err = h.stamps.sm2.Stamp(bg, []byte("value"))
	kernel := tsa.Kernel(clockLimit)
	if (kernel == nil) != (err == nil) || err != nil && !errors.Is(err, tsa.ErrClock) {
		t.Errorf("kernel says %v, the service %v", kernel, err)
	}
	if more := len(stampEvents(t, h)) > n; more != (err == nil) {
		t.Errorf("recorded: %v, %v", more, err)
	}
}

// A house of an earlier version gets keys and certificates when it starts, with
// their records, and keeps them. A lost key is not healed by a new one; a revoked
// certificate stamps no more, and after its key was taken away the next start
// makes a new one. When the ledger takes nothing, nobody gets a token.
func TestStampKeys(t *testing.T) {
	cfg, ln := config(t, "")
	ok(t, ln.Close())
	_, err := Init(bg, cfg, three)
	ok(t, err)
	// What the earlier version did not make.
	for _, name := range []string{"keys/" + keyStampSM2, "keys/" + keyStampECDSA, "anchors/" + fileStampSM2, "anchors/" + fileStampECDSA} {
		ok(t, os.RemoveAll(filepath.Join(cfg.Dir, name)))
	}
	db, err := sql.Open("sqlite", filepath.Join(cfg.Dir, fileStore))
	ok(t, err)
	_, err = db.Exec(`DELETE FROM ca_certificate WHERE system IN ('tsa-sm2', 'tsa-ecdsa')`)
	ok(t, errors.Join(err, db.Close()))

	h, err := Open(bg, cfg)
	ok(t, err)
	for _, system := range []string{keyStampSM2, keyStampECDSA} {
		rows, err := h.rooms.CA.CertificatesOf(bg, system)
		ok(t, err)
		if len(rows) != 1 || rows[0].State != ca.StateGood || rows[0].Kind != ca.KindService {
			t.Errorf("%s: %+v", system, rows)
		}
	}
	_, err = h.stamps.sm2.Stamp(bg, []byte("value"))
	ok(t, err)
	cert := h.stamps.ecdsa.cert
	ok(t, h.Close())

	key := filepath.Join(cfg.Dir, "keys", keyStampECDSA)
	ok(t, os.Rename(key, key+"-away"))
	_, err = Open(bg, cfg)
	wantErr(t, err, keys.ErrNotFound)
	ok(t, os.Rename(key+"-away", key))

	h, err = Open(bg, cfg)
	ok(t, err)
	if h.stamps.ecdsa.cert.Serial != cert.Serial {
		t.Error("certified again at the next start")
	}
	n := len(stampEvents(t, h))
	ok(t, h.CA.Revoke(bg, h.service(), cert.Issuer, cert.Serial, ca.ReasonKeyCompromise))
	if _, err := h.stamps.ecdsa.Stamp(bg, []byte("value")); !errors.Is(err, errStampCertificate) || len(stampEvents(t, h)) != n {
		t.Errorf("stamped with a revoked certificate: %v", err)
	}
	ok(t, h.Close())
	ok(t, os.RemoveAll(key))

	h, err = Open(bg, cfg)
	ok(t, err)
	_, err = h.stamps.ecdsa.Stamp(bg, []byte("value"))
	ok(t, err)
	if h.stamps.ecdsa.cert.Serial == cert.Serial {
		t.Error("the revoked certificate is back")
	}
	digest, err := signeddata.DigestFor(h.stamps.sm2.cert.DER)
	ok(t, err)
	question, err := tsp.Request{Imprint: tsp.Over(digest, []byte("value"))}.DER()
	ok(t, err)
	ok(t, h.Ledger.Close(bg))
	reply, err := tsa.Respond(bg, question, h.stamps)
	ok(t, err)
	var refused *tsp.Refusal
	if _, err := tsp.ParseResponse(reply); !errors.As(err, &refused) || refused.Failure != tsp.SystemFailure {
		t.Errorf("without a ledger: %v", err)
	}
	_ = h.Close() // the ledger is closed already
}

// TestStampsRenew: the certificate is renewed while the house runs; a clock that
// steps back behind the ledger stamps nothing.
func TestStampsRenewAndStepBack(t *testing.T) {
	cfg, ln := config(t, "")
	ok(t, ln.Close())
	var mu sync.Mutex
	now := time.Now()
	set := func(at time.Time) { mu.Lock(); defer mu.Unlock(); now = at }
	cfg.Now = func() time.Time { mu.Lock(); defer mu.Unlock(); return now }
	start := now
	h, _, err := Found(bg, cfg, three)
	ok(t, err)
	first := h.stamps.sm2.cert
	set(start.AddDate(2, 0, 0))
	der, err := h.stamps.sm2.Stamp(bg, []byte("value"))
	ok(t, err)
	token, err := tsp.ParseToken(der)
	ok(t, err)
	if bytes.Equal(token.CertDER, first.DER) || !bytes.Equal(token.CertDER, h.stamps.sm2.cert.DER) {
		t.Error("the certificate was not renewed")
	}
	file, err := readDER(cfg.Dir, fileStampSM2)
	ok(t, err)
	if !bytes.Equal(file, token.CertDER) {
		t.Error("the published certificate is not the one in force")
	}
	later, back := start.AddDate(2, 0, 1), start.AddDate(2, 0, 0).Add(time.Hour)
	set(later)
	_, err = h.stamps.sm2.Stamp(bg, []byte("value"))
	ok(t, err)
	set(back)
	if _, err := h.stamps.sm2.Stamp(bg, []byte("value")); !errors.Is(err, tsa.ErrClock) {
		t.Errorf("stepped back a day: %v", err)
	}
	// A successor, and a house after a restart, knows it from the ledger.
	ok(t, h.stamps.ecdsa.use(bg, h.stamps.ecdsa.cert))
	if _, err := h.stamps.ecdsa.Stamp(bg, []byte("value")); !errors.Is(err, tsa.ErrClock) {
		t.Errorf("the other key forgot what time it was: %v", err)
	}
	set(start.Add(-24 * time.Hour))
	wantErr(t, h.stamps.ecdsa.use(bg, h.stamps.ecdsa.cert), tsa.ErrClock) // before its certificate
	set(later)                                                            // for the last checkpoint
	ok(t, h.Close())
}

// BenchmarkStampOnLedger: tokens in a second with their records, by 64 callers.
func BenchmarkStampOnLedger(b *testing.B) {
	cfg, ln := config(b, "")
	ok(b, ln.Close())
	h, _, err := Found(bg, cfg, three)
	ok(b, err)
	defer func() { ok(b, h.Close()) }()
	b.ReportAllocs()
	b.SetParallelism(32)
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if _, err := h.stamps.sm2.Stamp(context.Background(), []byte("value")); err != nil {
				b.Error(err)
			}
		}
	})
	b.StopTimer()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "tokens/s")
}
