package exchange_test

import (
	"crypto/rand"
	"errors"
	"io"
	mrand "math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/yinxin-gov/yinxin/authz"
	"github.com/yinxin-gov/yinxin/authz/ledger"
	"github.com/yinxin-gov/yinxin/authz/level"
	"github.com/yinxin-gov/yinxin/authz/sharing"
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

// A copy handed on by the id of the holding: origin, source, agreement and end
// of the copy of the copy (design law 1; X14 art. 23).
func TestForwardOfACopy(t *testing.T) {
	w := newWorld(t)
	first := w.deliver(1, 2, "population")
	w.now = w.now.Add(time.Hour)
	second := w.deliver(2, 3, first.Holding)
	h, err := w.cat.Holding(t.Context(), second.Holding)
	must(t, err)
	src, err := w.cat.Holding(t.Context(), first.Holding)
	must(t, err)
	if h.Resource != "population" || len(h.Sources) != 1 || h.Sources[0] != src.ID || h.Agreement != "agreement-1" || h.Until.After(src.Until) || h.Until.IsZero() {
		t.Errorf("copy of a copy %+v", h)
	}
}

// Of several agreements the record names one in force for the purpose.
func TestSend_NamesTheAgreementInForce(t *testing.T) {
	w := newWorld(t)
	w.agree("agreement-0", 2, start.AddDate(0, 1, 0))
	if tr := w.send(1, 2, "population"); tr.Agreement != "agreement-0" {
		t.Errorf("got %s", tr.Agreement)
	}
	w.now = start.AddDate(0, 2, 0)
	if tr := w.send(1, 2, "population"); tr.Agreement != "agreement-1" {
		t.Errorf("after its end: %s", tr.Agreement)
	}
}

// Law: whatever is raised between sending, fetching and confirming, the label
// of a registered copy dominates resource, source and transfer.
func TestLaw_HoldingIsNeverLower(t *testing.T) {
	for seed := range uint64(24) {
		rnd := mrand.New(mrand.NewPCG(seed, 7))
		w := newWorld(t)
		w.decide = func(*world, authz.Request) []string { return nil } // also when decisions are stale
		current := label(3, level.TagPersonal)
		rise := func() {
			if rnd.IntN(2) == 0 {
				return
			}
			current = level.Join(current, label(level.Level(1+rnd.IntN(4)), []level.Tag{level.TagSensitive, level.TagWorkSecret, level.TagLegalPerson}[rnd.IntN(3)]))
			up := current
			w.cat.raised = &up
		}
		resource := "population"
		for _, hop := range [][2]int{{1, 2}, {2, 3}} {
			rise()
			tr := w.send(hop[0], hop[1], resource)
			rise()
			w.fetch(hop[1], tr.ID)
			rise()
			got, _, err := w.svc.Receive(t.Context(), actor(hop[1]), tr.ID, w.signed(hop[1], tr))
			must(t, err)
			resource = got.Holding
			h, err := w.cat.Holding(t.Context(), resource)
			must(t, err)
			if !h.Label.Dominates(current) || !h.Label.Dominates(tr.Label) {
				t.Fatalf("seed %d: holding %s, resource %s, transfer %s", seed, h.Label, current, tr.Label)
			}
		}
		if _, err := w.cat.Holding(t.Context(), resource); errors.Is(err, sharing.ErrNotFound) {
			t.Fatal("no holding")
		}
	}
}
