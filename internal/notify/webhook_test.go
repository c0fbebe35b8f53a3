package notify_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/yinxin-gov/yinxin/internal/notify"
)

const loopback = "127.0.0.0/8"

// hook is a receiver that answers as it is told, 204 when it is not.
type hook struct {
	*httptest.Server
	mu     sync.Mutex
	got    []post
	answer func(http.ResponseWriter, *http.Request, post)
}

type post struct {
	id, stamp, signature string
	body                 []byte
}

func newHook(t *testing.T) *hook {
	h := &hook{}
	h.Server = httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		p := post{r.Header.Get("Webhook-Id"), r.Header.Get("Webhook-Timestamp"), r.Header.Get("Webhook-Signature"), body}
		h.mu.Lock()
		h.got = append(h.got, p)
		answer := h.answer
		h.mu.Unlock()
		if answer == nil {
			w.WriteHeader(http.StatusNoContent)
			return
		}
		answer(w, r, p)
	}))
	t.Cleanup(h.Close)
	return h
}

func (h *hook) channel() notify.Channel {
	return notify.Channel{Kind: notify.Webhook, Address: h.URL + "/in", Roots: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: h.Certificate().Raw})}
}

func (h *hook) answers(f func(http.ResponseWriter, *http.Request, post)) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.answer = f
}

func (h *hook) posts() []post {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Clone(h.got)
}

// names are the notices that came, without the channel.
func (h *hook) names() (out []string) {
	for _, p := range h.posts() {
		name, _, _ := strings.Cut(p.id, "_")
		out = append(out, name)
	}
	return out
}

func code(n int) func(http.ResponseWriter, *http.Request, post) {
	return func(w http.ResponseWriter, _ *http.Request, _ post) { w.WriteHeader(n) }
}

// A receiver verifies after Standard Webhooks and reads CloudEvents 1.0.
func TestWebhookIsSignedAndReadable(t *testing.T) {
	h, in := newHouse(t, loopback), newHook(t)
	c, secret := h.register(in.channel())
	h.tell(notify.CertificateHeld, "u-1", "n1")
	h.round()
	got := in.posts()
	if len(got) != 1 || got[0].id != "n1_"+c.ID {
		t.Fatalf("%+v; %s", got, h.log.text())
	}
	key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(secret, "whsec_"))
	ok(t, err)
	mac := hmac.New(sha256.New, key)
	fmt.Fprintf(mac, "%s.%s.%s", got[0].id, got[0].stamp, got[0].body)
	if want := "v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil)); len(key) != 32 || got[0].signature != want {
		t.Errorf("signature %s, want %s", got[0].signature, want)
	}
	if sec, err := strconv.ParseInt(got[0].stamp, 10, 64); err != nil || sec != h.clock.now().Unix() {
		t.Errorf("time %s, %v", got[0].stamp, err)
	}
	var e map[string]any
	ok(t, json.Unmarshal(got[0].body, &e))
	data, _ := e["data"].(map[string]any)
	said, _ := data["text"].(map[string]any)
	if e["specversion"] != "1.0" || e["type"] != "yinxin.certificate.held" || e["id"] != "n1" || e["source"] != "https://house.example" || e["subject"] != "certificate/iss:01" ||
		data["unit"] != "u-1" || data["system"] != "s-1" || data["severity"] != "warning" || said["zh"] != "证书已挂起：s-1" || said["en"] == "" {
		t.Errorf("%s", got[0].body)
	}
	if s := h.standing(c.ID); s.Queued+s.Dead+s.Failures != 0 || s.SentAt.IsZero() || s.Secret != nil {
		t.Errorf("%+v", s)
	}
	h.round()
	if len(in.posts()) != 1 {
		t.Error("it was sent twice")
	}
	row, err := h.rows.Channel(bg, c.ID)
	if ok(t, err); strings.Contains(string(row.Secret), string(key)) || strings.Contains(h.log.text(), secret) {
		t.Error("the secret lies open")
	}
}

// Each gets what it asked for: kinds, unit, severity.
func TestChannelsGetWhatTheyWant(t *testing.T) {
	h := newHouse(t, loopback)
	all, unit, kind, grave := newHook(t), newHook(t), newHook(t), newHook(t)
	h.register(all.channel())
	c := unit.channel()
	c.Unit = "u-2"
	h.register(c)
	c = kind.channel()
	c.Kinds = []notify.Kind{notify.CertificateRevoked}
	h.register(c)
	c = grave.channel()
	c.Severity = notify.Critical
	h.register(c)
	h.tell(notify.CertificateHeld, "u-1", "n1")
	h.tell(notify.CertificateRevoked, "u-2", "n2")
	h.round()
	for name, x := range map[string]struct {
		in   *hook
		want string
	}{"all": {all, "n1 n2"}, "unit": {unit, "n2"}, "kind": {kind, "n2"}, "grave": {grave, ""}} {
		if got := strings.Join(x.in.names(), " "); got != x.want {
			t.Errorf("%s: %s, want %s", name, got, x.want)
		}
	}
}

// A receiver that fails gets the same notices later, in order and under the same
// ids; meanwhile it is left alone.
func TestWebhookRetriesInOrder(t *testing.T) {
	for name, fault := range map[string]func(http.ResponseWriter, *http.Request, post){
		"503": code(http.StatusServiceUnavailable), "429": code(http.StatusTooManyRequests), "304": code(http.StatusNotModified),
		"a redirect to a place inside": func(w http.ResponseWriter, r *http.Request, _ post) {
			http.Redirect(w, r, "http://169.254.169.254/latest/", http.StatusTemporaryRedirect)
		},
		"a connection that breaks": func(http.ResponseWriter, *http.Request, post) { panic(http.ErrAbortHandler) },
		"a header without end": func(w http.ResponseWriter, _ *http.Request, _ post) {
			w.Header().Set("X", strings.Repeat("x", 1<<20))
		},
	} {
		t.Run(name, func(t *testing.T) {
			h, in := newHouse(t, loopback), newHook(t)
			c, _ := h.register(in.channel())
			in.answers(fault)
			h.tell(notify.CertificateHeld, "u-1", "n1", "n2")
			h.round()
			h.round() // it rests
			s := h.standing(c.ID)
			if got := strings.Join(in.names(), " "); got != "n1" || s.Failures != 1 || s.LastError == "" || s.Queued != 2 {
				t.Fatalf("%s; %+v", got, s)
			}
			in.answers(nil)
			h.clock.add(time.Minute)
			h.round()
			if got := strings.Join(in.names(), " "); got != "n1 n1 n2" || in.posts()[0].id != in.posts()[1].id {
				t.Errorf("%s", got)
			}
			if s := h.standing(c.ID); s.Failures != 0 || s.Queued != 0 || s.LastError != "" {
				t.Errorf("%+v", s)
			}
		})
	}
}

// A notice that the receiver refuses steps aside; nobody waits behind it.
func TestWebhookRefusalStepsAside(t *testing.T) {
	h, in := newHouse(t, loopback), newHook(t)
	c, _ := h.register(in.channel())
	in.answers(func(w http.ResponseWriter, _ *http.Request, p post) {
		if strings.HasPrefix(p.id, "n1") {
			w.WriteHeader(http.StatusUnprocessableEntity)
		}
	})
	h.tell(notify.CertificateHeld, "u-1", "n1", "n2")
	h.round()
	if got := strings.Join(in.names(), " "); got != "n1 n2" {
		t.Fatalf("%s", got)
	}
	h.clock.add(notify.DeadAfter + time.Hour)
	h.round()
	s := h.standing(c.ID)
	if s.Dead != 1 || s.Queued != 0 || len(s.Letters) != 1 || s.Letters[0].ID != "n1" || s.Letters[0].Error != "notify: the receiver answered 422" {
		t.Fatalf("%+v", s)
	}
	in.answers(nil)
	ok(t, h.Retry(bg, admin, c.ID, "n1"))
	if err := h.Retry(bg, admin, c.ID, "n2"); !errors.Is(err, notify.ErrState) {
		t.Errorf("a notice that was taken: %v", err)
	}
	h.round()
	if s := h.standing(c.ID); s.Dead != 0 || strings.Join(in.names(), " ") != "n1 n2 n1 n1" {
		t.Errorf("%+v %v", s, in.names())
	}
}

// Of an answer the status counts: a long one is not read, and nobody waits for a
// slow one.
func TestWebhookAnswerIsBounded(t *testing.T) {
	h, long, slow := newHouse(t, loopback), newHook(t), newHook(t)
	var wrote int64
	done := make(chan struct{})
	long.answers(func(w http.ResponseWriter, _ *http.Request, _ post) {
		defer close(done)
		for range 10 << 20 / 4096 {
			n, err := w.Write(make([]byte, 4096))
			if wrote += int64(n); err != nil {
				return
			}
		}
	})
	slow.answers(func(w http.ResponseWriter, r *http.Request, _ post) {
		w.WriteHeader(http.StatusOK)
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done() // a body that never comes
	})
	a, _ := h.register(long.channel())
	b, _ := h.register(slow.channel())
	h.tell(notify.CertificateHeld, "u-1", "n1")
	h.round()
	<-done
	if s := h.standing(a.ID); s.SentAt.IsZero() || wrote == 10<<20 {
		t.Errorf("%d bytes of the answer were taken, %+v", wrote, s)
	}
	if s := h.standing(b.ID); s.SentAt.IsZero() {
		t.Errorf("%+v", s)
	}
}

// A receiver that never answers ends with the patience of the house, and another
// channel does not wait for it.
func TestWebhookPatience(t *testing.T) {
	h, silent := newHouse(t, loopback), newHook(t)
	silent.answers(func(_ http.ResponseWriter, r *http.Request, _ post) { <-r.Context().Done() })
	c, _ := h.register(silent.channel())
	h.tell(notify.CertificateHeld, "u-1", "n1")
	h.clock.add(time.Second)
	short := h.again(func(c *notify.Config) { c.Patience = 100 * time.Millisecond })
	ok(t, short.Round(bg))
	if s := h.standing(c.ID); s.Failures != 1 || !strings.Contains(s.LastError, "deadline") {
		t.Errorf("%+v", s)
	}
}
