package exchange_test

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/yinxin-gov/yinxin/authz"
	"github.com/yinxin-gov/yinxin/authz/ledger"
	"github.com/yinxin-gov/yinxin/internal/api/wire"
	"github.com/yinxin-gov/yinxin/internal/exchange"
	"github.com/yinxin-gov/yinxin/signer/cms"
)

var document = []byte("样例：加盖电子印章的通知，正文不得以明文落盘")

func actor(n int) ledger.Actor {
	return ledger.Actor{Kind: "system", ID: sys(n), Certificate: "01"}
}

func request(from, to int, resource string) exchange.SendRequest {
	return exchange.SendRequest{
		FromSystem: sys(from), ToSystem: sys(to), Resource: resource, Purpose: "relief", Fields: []string{"name"},
		Name: "通知.ofd", Document: document, RequestID: "req-1",
	}
}

func (w *world) send(from, to int, resource string) exchange.Transfer {
	w.t.Helper()
	t, _, rc, err := w.svc.Send(w.t.Context(), actor(from), request(from, to, resource))
	must(w.t, err)
	if rc.Promise < ledger.Integrated {
		w.t.Errorf("a forward is answered at promise %d (design law 3)", rc.Promise)
	}
	return t
}

// The header binds transfer, receiver, label, decision and document; only the
// receiver's key opens the rest (西政办发〔2011〕8号 art. 31).
func TestX11_19a_EnvelopeBindsTheHeader(t *testing.T) {
	w := newWorld(t)
	tr := w.send(1, 2, "population")
	raw := w.blobs.data[tr.Blob]
	header, inner, signer, err := cms.OpenEnvelope(raw)
	must(t, err)
	if string(signer) != string(w.house.der) {
		t.Error("not signed by the house")
	}
	h, err := wire.ParseHeader(header)
	must(t, err)
	if h.Transfer != tr.ID || h.System != sys(2) || h.Receiver != string(unit(t, 2)) || h.Label.String() != "L3/S3A3[personal]" ||
		h.Decision != tr.Decision || h.Document != exchange.SM3Hex(document) || h.Resource != "population" || h.Name != "通知.ofd" {
		t.Errorf("header %+v", h)
	}
	if tr.EnvelopeSM3 != exchange.SM3Hex(raw) || tr.Agreement != "agreement-1" || tr.Sender != string(unit(t, 1)) {
		t.Errorf("transfer %+v", tr)
	}
	got, err := cms.Decrypt(inner, w.enc[sys(2)].der, w.enc[sys(2)].key)
	if err != nil || string(got) != string(document) {
		t.Errorf("receiver reads %q, %v", got, err)
	}
	if _, err := cms.Decrypt(inner, w.enc[sys(3)].der, w.enc[sys(3)].key); err == nil {
		t.Error("a third system reads it")
	}
	for i := range raw {
		if i%97 != 0 {
			continue
		}
		bad := append([]byte(nil), raw...)
		bad[i] ^= 1
		// The certificate that comes along is judged by the receiver's anchors.
		if h2, inner2, _, err := cms.OpenEnvelope(bad); err == nil && (!bytes.Equal(h2, header) || !bytes.Equal(inner2, inner)) {
			t.Fatalf("byte %d changed what was signed and it still opens", i)
		}
	}
}

func TestSend_Refuses(t *testing.T) {
	for name, tc := range map[string]struct {
		edit  func(*world, *exchange.SendRequest, *ledger.Actor)
		want  error
		asked int // decisions asked for
	}{
		"another system's name": {func(_ *world, r *exchange.SendRequest, _ *ledger.Actor) { r.FromSystem = sys(3) }, exchange.ErrSender, 0},
		"a person":              {func(_ *world, _ *exchange.SendRequest, a *ledger.Actor) { a.Kind = "person" }, exchange.ErrSender, 0},
		"nobody": {func(_ *world, r *exchange.SendRequest, a *ledger.Actor) {
			r.FromSystem, a.ID = "", ""
		}, exchange.ErrSender, 0},
		"empty document": {func(_ *world, r *exchange.SendRequest, _ *ledger.Actor) { r.Document = nil }, exchange.ErrDocument, 0},
		"document over the limit": {func(_ *world, r *exchange.SendRequest, _ *ledger.Actor) {
			r.Document = make([]byte, exchange.MaxDocument+1)
		}, exchange.ErrDocument, 0},
		"seal that does not stand": {func(w *world, _ *exchange.SendRequest, _ *ledger.Actor) { w.unsound = exchange.ErrDocument }, exchange.ErrDocument, 0},
		"decision denied":          {func(_ *world, r *exchange.SendRequest, _ *ledger.Actor) { r.Purpose = "advertising" }, exchange.ErrDenied, 1},
		"permit without a label":   {func(w *world, _ *exchange.SendRequest, _ *ledger.Actor) { w.mute = true }, nil, 1},
		"unknown receiver":         {func(_ *world, r *exchange.SendRequest, _ *ledger.Actor) { r.ToSystem = "sys-9" }, nil, 1},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			r, a := request(1, 2, "population"), actor(1)
			tc.edit(w, &r, &a)
			_, _, _, err := w.svc.Send(t.Context(), a, r)
			if err == nil || tc.want != nil && !errors.Is(err, tc.want) {
				t.Errorf("got %v, want %v", err, tc.want)
			}
			if len(w.asked) != tc.asked || len(w.store.events) != 0 || len(w.blobs.data) != 0 {
				t.Errorf("%d decisions, %d events, %d envelopes", len(w.asked), len(w.store.events), len(w.blobs.data))
			}
		})
	}
}

func TestSend_DenialCarriesTheDecision(t *testing.T) {
	w := newWorld(t)
	r := request(1, 2, "population")
	r.Purpose = "advertising"
	_, dec, rc, err := w.svc.Send(t.Context(), actor(1), r)
	var denied *exchange.DeniedError
	if !errors.As(err, &denied) || denied.Decision.ID != dec.ID || rc.Seq != 7 || !strings.Contains(err.Error(), "E06") {
		t.Errorf("got %v, decision %+v, receipt %+v", err, dec, rc)
	}
	if q := w.asked[0]; q.Action != authz.ActionForward || q.SubjectID != sys(1) || q.Target != sys(2) || q.ID != "req-1" || q.Fields[0] != "name" {
		t.Errorf("asked %+v", q)
	}
}

// X11-25: a document goes whole, so what may be shown masked only does not go in
// one that does not say what it holds.
func TestSend_X11_25_MaskedItems(t *testing.T) {
	w := newWorld(t)
	w.masked = "hash identity_number"
	r := request(1, 2, "population")
	r.Fields = nil
	_, dec, _, err := w.svc.Send(t.Context(), actor(1), r)
	if !errors.Is(err, exchange.ErrMasked) || !strings.Contains(err.Error(), "identity_number") || !dec.Allow || len(w.store.events) != 0 || len(w.blobs.data) != 0 {
		t.Errorf("got %v, %d events, %d envelopes", err, len(w.store.events), len(w.blobs.data))
	}
	w.send(1, 2, "population") // names its fields
}

func TestSend_FileNames(t *testing.T) {
	w := newWorld(t)
	for name, good := range map[string]bool{
		"通知.ofd": true, "a b (1).ofd": true, "..x": true, strings.Repeat("n", 255): true,
		"": false, ".": false, "..": false, "../etc/passwd": false, `c:\x.ofd`: false, "a\x00b": false, "a\nb": false, "\x1b[2Jx": false,
		"txt\u202efdo.exe": false, "\xff.ofd": false, strings.Repeat("n", 256): false,
	} {
		r := request(1, 2, "population")
		r.Name = name
		_, _, _, err := w.svc.Send(t.Context(), actor(1), r)
		if good != (err == nil) || !good && !errors.Is(err, exchange.ErrName) {
			t.Errorf("name %q: %v", name, err)
		}
	}
}

// A store that fails leaves no envelope behind; one that committed keeps it,
// whatever it answered.
func TestSend_StoreFails(t *testing.T) {
	broken := errors.New("disk full")
	t.Run("nothing written", func(t *testing.T) {
		w := newWorld(t)
		w.store.refuse = broken
		if _, _, _, err := w.svc.Send(t.Context(), actor(1), request(1, 2, "population")); !errors.Is(err, broken) || errors.Is(err, exchange.ErrPending) {
			t.Errorf("got %v", err)
		}
	})
	t.Run("nothing written, caller gone", func(t *testing.T) {
		w := newWorld(t)
		ctx, cancel := context.WithCancel(t.Context())
		w.store.refuse, w.store.beforeAdd = broken, cancel
		if _, _, _, err := w.svc.Send(ctx, actor(1), request(1, 2, "population")); !errors.Is(err, broken) {
			t.Errorf("got %v", err)
		}
	})
	t.Run("committed, number late", func(t *testing.T) {
		w := newWorld(t)
		w.store.late = broken
		if _, _, _, err := w.svc.Send(t.Context(), actor(1), request(1, 2, "population")); !errors.Is(err, exchange.ErrPending) {
			t.Errorf("got %v", err)
		}
		if len(w.blobs.data) != 1 {
			t.Error("a recorded transfer has lost its envelope")
		}
	})
}

func TestNew_SaysWhatIsMissing(t *testing.T) {
	c := newWorld(t).config()
	c.Seals, c.NewID = nil, nil
	if _, err := exchange.New(c); err == nil || !strings.Contains(err.Error(), "Seals") {
		t.Errorf("got %v", err)
	}
}
