package tsa

import (
	"context"
	"errors"
	"io"
	"mime"
	"net/http"

	"github.com/yinxin-gov/yinxin/signer/cms/signeddata"
	"github.com/yinxin-gov/yinxin/signer/cms/tsp"
)

// Media types of RFC 3161, 3.4.
const (
	TypeQuery = "application/timestamp-query"
	TypeReply = "application/timestamp-reply"
)

// Issuer makes tokens: a Service, or whatever chooses one for each request.
type Issuer interface {
	Issue(ctx context.Context, r tsp.Request) (token []byte, err error)
}

// Respond answers one request; what is refused is a response too. The reasons in
// it name no cause: those are for the operator of the service.
func Respond(ctx context.Context, der []byte, by Issuer) ([]byte, error) {
	r, err := tsp.ParseRequest(der)
	switch {
	case errors.Is(err, signeddata.ErrUnsupported):
		return tsp.Rejection(tsp.BadAlgorithm, "digest not accepted")
	case errors.Is(err, tsp.ErrUnsupported):
		return tsp.Rejection(tsp.UnacceptedExtension, "extension not accepted")
	case err != nil:
		return tsp.Rejection(tsp.BadDataFormat, "not a time-stamp request")
	}
	token, err := by.Issue(ctx, r)
	switch {
	case err == nil:
		return tsp.Granted(token)
	case errors.Is(err, ErrPolicy):
		return tsp.Rejection(tsp.UnacceptedPolicy, "policy not offered")
	case errors.Is(err, ErrClock):
		return tsp.Rejection(tsp.TimeNotAvailable, "the clock is not synchronised")
	case errors.Is(err, ErrRecord):
		return tsp.Rejection(tsp.SystemFailure, "the token could not be recorded")
	}
	return tsp.Rejection(tsp.SystemFailure, "no token could be made")
}

// Respond answers one request.
func (s *Service) Respond(ctx context.Context, der []byte) ([]byte, error) {
	return Respond(ctx, der, s)
}

// ServeHTTP implements RFC 3161, 3.4, without a bound on callers at a time.
func (s *Service) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if body, ok := query(w, r); ok {
		answer(w, r, body, s)
	}
}

// Door serves an Issuer over HTTP to a bounded number of callers at a time;
// others are told to come again. Each answer costs a signature and a place in
// the ledger, which the house needs for its own work too.
type Door struct {
	by    Issuer
	seats chan struct{}
}

// NewDoor makes a door with so many seats.
func NewDoor(by Issuer, seats int) *Door { return &Door{by: by, seats: make(chan struct{}, seats)} }

// ServeHTTP implements RFC 3161, 3.4. A caller sits down only with its whole
// question: a slow one holds no seat.
func (d *Door) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, ok := query(w, r)
	if !ok {
		return
	}
	select {
	case d.seats <- struct{}{}:
		defer func() { <-d.seats }()
		answer(w, r, body, d.by)
	default:
		w.Header().Set("Retry-After", "1")
		http.Error(w, "too many requests at a time", http.StatusServiceUnavailable)
	}
}

// query reads a request, or answers that it is none.
func query(w http.ResponseWriter, r *http.Request) (body []byte, ok bool) {
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		http.Error(w, "POST a time-stamp request", http.StatusMethodNotAllowed)
		return nil, false
	}
	if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || kind != TypeQuery {
		http.Error(w, TypeQuery+" expected", http.StatusUnsupportedMediaType)
		return nil, false
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, tsp.MaxRequest))
	if err != nil {
		http.Error(w, "request too large or cut off", http.StatusRequestEntityTooLarge)
		return nil, false
	}
	return body, true
}

func answer(w http.ResponseWriter, r *http.Request, body []byte, by Issuer) {
	out, err := Respond(r.Context(), body, by)
	if err != nil {
		http.Error(w, "no answer could be made", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", TypeReply)
	w.Header().Set("Cache-Control", "no-store")
	_, _ = w.Write(out) // the client went away: nobody left to tell
}
