package exchange_test

import (
	"crypto/rand"
	"errors"
	"io"
	"sync"
	"testing"

	"github.com/yinxin-gov/yinxin/authz/ledger"
	"github.com/yinxin-gov/yinxin/authz/level"
	"github.com/yinxin-gov/yinxin/internal/api/wire"
	"github.com/yinxin-gov/yinxin/internal/exchange"
)

func (w *world) fetch(n int, id string) {
	w.t.Helper()
	_, body, err := w.svc.Fetch(w.t.Context(), actor(n), id)
	must(w.t, err)
	raw, err := io.ReadAll(body)
	must(w.t, err)
	must(w.t, body.Close())
	if exchange.SM3Hex(raw) != w.store.rows[id].EnvelopeSM3 {
		w.t.Error("another envelope was handed out")
	}
}

func (w *world) signed(n int, tr exchange.Transfer) []byte {
	w.t.Helper()
	sig, err := w.sign[sys(n)].key.SignWithSM2(rand.Reader, nil, wire.ReceiptPayload(tr.ID, tr.Document))
	must(w.t, err)
	return sig
}

func (w *world) deliver(from, to int, resource string) exchange.Transfer {
	w.t.Helper()
	tr := w.send(from, to, resource)
	w.fetch(to, tr.ID)
	got, _, err := w.svc.Receive(w.t.Context(), actor(to), tr.ID, w.signed(to, tr))
	must(w.t, err)
	return got
}

// 电子签名法 art. 10-11; X14-23b: sent, fetched and received are each on record,
// and the copy is registered with label, agreement and end.
func TestMainJob(t *testing.T) {
	w := newWorld(t)
	tr := w.deliver(1, 2, "population")
	if tr.State != exchange.StateReceived || tr.Holding == "" || tr.ReceivedAt.IsZero() {
		t.Errorf("transfer %+v", tr)
	}
	var types []string
	for _, ev := range w.store.events {
		types = append(types, ev.Type)
	}
	if len(types) != 3 || types[2] != "exchange.transfer.received" || w.store.events[2].Details["certificate_sm3"] != exchange.SM3Hex(w.sign[sys(2)].der) {
		t.Errorf("events %v", types)
	}
	h, err := w.cat.Holding(t.Context(), tr.Holding)
	must(t, err)
	if h.Resource != "population" || h.Agreement != "agreement-1" || !h.Until.Equal(start.AddDate(0, 6, 0)) || h.Transfer != tr.ID || len(h.Sources) != 0 {
		t.Errorf("holding %+v", h)
	}
	in, err := w.svc.Inbox(t.Context(), sys(2))
	if err != nil || len(in) != 1 || in[0].ID != tr.ID {
		t.Errorf("inbox %v, %v", in, err)
	}
}

func TestStrangersLearnNothing(t *testing.T) {
	w := newWorld(t)
	tr := w.send(1, 2, "population")
	for name, a := range map[string]ledger.Actor{
		"a third system": actor(3), "the sender": actor(1), "a person of that name": {Kind: "person", ID: sys(2)}, "nobody": {},
	} {
		if _, _, err := w.svc.Fetch(t.Context(), a, tr.ID); !errors.Is(err, exchange.ErrNotFound) {
			t.Errorf("fetch by %s: %v", name, err)
		}
		if _, _, err := w.svc.Receive(t.Context(), a, tr.ID, w.signed(2, tr)); !errors.Is(err, exchange.ErrNotFound) {
			t.Errorf("receipt by %s: %v", name, err)
		}
	}
	if len(w.asked) != 1 {
		t.Error("a stranger's question reached the decision point")
	}
}

func TestFetch_DecidedAgain(t *testing.T) {
	w := newWorld(t)
	tr := w.send(1, 2, "population")
	w.fetch(2, tr.ID)
	w.fetch(2, tr.ID) // again, before the receipt
	if len(w.asked) != 3 || len(w.store.events) != 2 {
		t.Errorf("%d decisions, %d events", len(w.asked), len(w.store.events))
	}
	w.now = start.AddDate(0, 6, 0) // the agreement ended
	_, body, err := w.svc.Fetch(t.Context(), actor(2), tr.ID)
	if !errors.Is(err, exchange.ErrDenied) || body != nil {
		t.Errorf("after the agreement's end: %v", err)
	}
}

// The provider raised the label while the document was on its way: the permit
// of the sending does not reach any more.
func TestFetch_LabelRaisedOnTheWay(t *testing.T) {
	w := newWorld(t)
	tr := w.send(1, 2, "population")
	up := label(4, level.TagPersonal)
	w.cat.raised = &up
	if _, _, err := w.svc.Fetch(t.Context(), actor(2), tr.ID); !errors.Is(err, exchange.ErrDenied) {
		t.Errorf("got %v", err)
	}
}

func TestFetch_Failures(t *testing.T) {
	w := newWorld(t)
	tr := w.send(1, 2, "population")
	envelope := w.blobs.data[tr.Blob]
	delete(w.blobs.data, tr.Blob)
	if _, _, err := w.svc.Fetch(t.Context(), actor(2), tr.ID); err == nil || w.store.rows[tr.ID].State != exchange.StateSent {
		t.Errorf("an envelope that is gone was recorded as fetched: %v", err)
	}
	w.blobs.data[tr.Blob] = envelope
	w.store.refuse = errors.New("disk full")
	if _, body, err := w.svc.Fetch(t.Context(), actor(2), tr.ID); !errors.Is(err, w.store.refuse) || body != nil {
		t.Errorf("handed out without a record: %v", err)
	}
	w.store.refuse, w.store.late = nil, errors.New("number late")
	w.fetch(2, tr.ID)
}

func TestFetch_AtTheSameTime(t *testing.T) {
	w := newWorld(t)
	tr := w.send(1, 2, "population")
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			got, body, err := w.svc.Fetch(t.Context(), actor(2), tr.ID)
			if err != nil || got.State != exchange.StateFetched {
				t.Errorf("%+v, %v", got, err)
				return
			}
			_ = body.Close()
		})
	}
	wg.Wait()
	if len(w.store.events) != 2 {
		t.Errorf("%d events, want sent and fetched once", len(w.store.events))
	}
}

func TestReceive_Refuses(t *testing.T) {
	w := newWorld(t)
	tr := w.send(1, 2, "population")
	receive := func(sig []byte) error {
		_, _, err := w.svc.Receive(t.Context(), actor(2), tr.ID, sig)
		return err
	}
	if err := receive(w.signed(2, tr)); !errors.Is(err, exchange.ErrState) {
		t.Errorf("before the fetch: %v", err)
	}
	w.fetch(2, tr.ID)
	other := tr
	other.ID = "id-0"
	changed := tr
	changed.Document = exchange.SM3Hex([]byte("other"))
	for name, sig := range map[string][]byte{
		"none": nil, "not DER": []byte("12345678"), "another system's key": w.signed(3, tr),
		"for another transfer": w.signed(2, other), "for another document": w.signed(2, changed),
	} {
		if err := receive(sig); !errors.Is(err, exchange.ErrReceipt) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if hs, err := w.cat.HoldingsOf(t.Context(), sys(2)); err != nil || len(hs) != 0 {
		t.Errorf("a refused receipt registered a copy: %v, %v", hs, err)
	}
	must(t, receive(w.signed(2, tr)))
	if err := receive(w.signed(2, tr)); !errors.Is(err, exchange.ErrState) {
		t.Errorf("a second receipt: %v", err)
	}
}

// A crash between the holding and the transfer: the retry finds the holding
// and goes on. A holding that fails leaves the transfer as it was.
func TestReceive_CrashBetweenTheCommits(t *testing.T) {
	w := newWorld(t)
	tr := w.send(1, 2, "population")
	w.fetch(2, tr.ID)
	w.cat.fail = errors.New("disk full")
	if _, _, err := w.svc.Receive(t.Context(), actor(2), tr.ID, w.signed(2, tr)); !errors.Is(err, w.cat.fail) {
		t.Errorf("got %v", err)
	}
	w.cat.fail, w.store.refuse = nil, errors.New("crash")
	if _, _, err := w.svc.Receive(t.Context(), actor(2), tr.ID, w.signed(2, tr)); !errors.Is(err, w.store.refuse) {
		t.Errorf("got %v", err)
	}
	if w.store.rows[tr.ID].State != exchange.StateFetched {
		t.Error("the transfer moved without its record")
	}
	w.store.refuse = nil
	if _, _, err := w.svc.Receive(t.Context(), actor(2), tr.ID, w.signed(2, tr)); err != nil {
		t.Errorf("retry: %v", err)
	}
}

// A change between decision and record: both sending and fetching are decided again,
// and end when facts never rest.
func TestDecidedAgainWhenFactsChange(t *testing.T) {
	w := newWorld(t)
	w.store.stale = 2
	tr := w.send(1, 2, "population")
	if len(w.asked) != 3 || len(w.blobs.data) != 1 || tr.Decision != w.decided[2].ID {
		t.Errorf("sent after %d decisions with %d envelopes", len(w.asked), len(w.blobs.data))
	}
	w.store.stale = 1
	w.fetch(2, tr.ID)
	if len(w.asked) != 5 || w.store.events[1].Details["fetch_decision"] != w.decided[4].ID {
		t.Errorf("fetched after %d decisions", len(w.asked)-3)
	}
	tr = w.send(1, 2, "population")
	w.store.stale = 99
	if _, body, err := w.svc.Fetch(t.Context(), actor(2), tr.ID); !errors.Is(err, exchange.ErrStale) || body != nil {
		t.Errorf("facts that never rest: %v", err)
	}
}
