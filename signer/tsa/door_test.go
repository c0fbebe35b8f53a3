package tsa_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/yinxin-gov/yinxin/signer/cms/signeddata"
	"github.com/yinxin-gov/yinxin/signer/cms/tsp"
	"github.com/yinxin-gov/yinxin/signer/tsa"
)

// waiting is an issuer that says when it was asked and answers when told.
type waiting struct{ asked, answer chan struct{} }

func (w waiting) Issue(context.Context, tsp.Request) ([]byte, error) {
	w.asked <- struct{}{}
	<-w.answer
	return nil, errors.New("enough")
}

// A door has so many seats; who has not said its whole question has none.
func TestDoorSeats(t *testing.T) {
	d, err := signeddata.DigestFor(newTrack(t, true, nil).cert)
	if err != nil {
		t.Fatal(err)
	}
	question, err := tsp.Request{Imprint: tsp.Over(d, []byte("x"))}.DER()
	if err != nil {
		t.Fatal(err)
	}
	w := waiting{make(chan struct{}), make(chan struct{})}
	door := tsa.NewDoor(w, 1)
	ask := func(body io.Reader) <-chan *httptest.ResponseRecorder {
		out := make(chan *httptest.ResponseRecorder, 1)
		go func() {
			r := httptest.NewRequest(http.MethodPost, "/", body)
			r.Header.Set("Content-Type", tsa.TypeQuery)
			rec := httptest.NewRecorder()
			door.ServeHTTP(rec, r)
			out <- rec
		}()
		return out
	}
	slow, finish := io.Pipe()
	late := ask(slow)
	if _, err := finish.Write(question[:5]); err != nil { // it is reading now
		t.Fatal(err)
	}
	first := ask(bytes.NewReader(question))
	<-w.asked
	if second := <-ask(bytes.NewReader(question)); second.Code != http.StatusServiceUnavailable || second.Header().Get("Retry-After") == "" {
		t.Errorf("no seat: %d", second.Code)
	}
	w.answer <- struct{}{}
	if got := <-first; got.Code != http.StatusOK {
		t.Errorf("seated: %d", got.Code)
	}
	if _, err := finish.Write(question[5:]); err != nil {
		t.Fatal(err)
	}
	if err := finish.Close(); err != nil {
		t.Fatal(err)
	}
	<-w.asked
	w.answer <- struct{}{}
	if got := <-late; got.Code != http.StatusOK {
		t.Errorf("late: %d", got.Code)
	}
}
