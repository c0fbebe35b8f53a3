package stepca_test

import (
	"bytes"
	"encoding/json"
	"io"
	"log"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/acme"

	"github.com/yinxin-gov/yinxin/ca"
	"github.com/yinxin-gov/yinxin/ca/stepca"
)

// The embedded authority writes nothing to the terminal and nothing to the
// standard logger, in success and in refusal; a token least of all.
func TestNothingIsPrinted(t *testing.T) {
	var std bytes.Buffer
	log.SetOutput(&std)
	t.Cleanup(func() { log.SetOutput(os.Stderr) })
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	out, errs := os.Stdout, os.Stderr
	os.Stdout, os.Stderr = w, w
	restore := func() { os.Stdout, os.Stderr = out, errs }
	t.Cleanup(restore)

	h := newOffice(t)
	cert, _ := h.enrol(t)
	h.post(t, h.client(cert), "/1.0/renew", nil)
	c := h.registered(t)
	if _, _, err := h.obtain(t, c, "http-01", host); err != nil {
		t.Error(err)
	}
	if _, err := c.AuthorizeOrder(t.Context(), acme.DomainIDs("evil.example")); err == nil {
		t.Error("an order for a foreign name")
	}
	tok := h.token(t, h.request(t, ca.RequestApproved))
	body := map[string]any{"csr": csr(t, newKey(t), system, "evil.example"), "ott": tok}
	h.post(t, h.client(nil), "/1.0/sign", body)
	h.post(t, h.client(nil), "/1.0/sign", body)
	h.Close()

	restore()
	w.Close()
	printed, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	if len(printed) > 0 || std.Len() > 0 {
		t.Errorf("printed %q, logged %q", printed, std.String())
	}
	if own := h.log.String(); !strings.Contains(own, "/1.0/sign") || strings.Contains(own, tok) {
		t.Errorf("own log: %s", own)
	}
}

// Starting and closing leaves no goroutine.
func TestNothingLeaks(t *testing.T) {
	h := newHouse(t)
	before := runtime.NumGoroutine()
	for range 20 {
		a, err := stepca.New(t.Context(), h.cfg)
		if err != nil {
			t.Fatal(err)
		}
		if err := a.Close(); err != nil {
			t.Fatal(err)
		}
	}
	deadline := time.Now().Add(5 * time.Second)
	for runtime.NumGoroutine() > before && time.Now().Before(deadline) {
		time.Sleep(10 * time.Millisecond)
	}
	if n := runtime.NumGoroutine(); n > before {
		t.Errorf("%d goroutines, were %d", n, before)
	}
}

// eager is an outer response writer that collects log fields, as smallstep's
// own does; tokens would land in them.
type eager struct {
	*httptest.ResponseRecorder
	fields map[string]any
}

func (e *eager) WithFields(m map[string]any) { maps.Copy(e.fields, m) }
func (e *eager) Fields() map[string]any      { return e.fields }
func (e *eager) Size() int                   { return 0 }
func (e *eager) StatusCode() int             { return e.Code }

func TestNoTokenForTheOuterWriter(t *testing.T) {
	h := newHouse(t)
	tok := h.token(t, h.request(t, ca.RequestApproved))
	body, err := json.Marshal(map[string]string{"csr": csr(t, newKey(t), system, host), "ott": tok})
	if err != nil {
		t.Fatal(err)
	}
	w := &eager{ResponseRecorder: httptest.NewRecorder(), fields: map[string]any{}}
	h.Routes().ServeHTTP(w, httptest.NewRequest(http.MethodPost, "/1.0/sign", bytes.NewReader(body)))
	if w.Code != http.StatusCreated || len(w.fields) > 0 {
		t.Errorf("%d %v", w.Code, w.fields)
	}
}
