package stepca

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"path"
	"slices"

	"github.com/smallstep/certificates/acme"
	"github.com/smallstep/certificates/api/render"
	"go.step.sm/crypto/jose"
)

// smallstep keeps the parts of its handlers to itself. What it cannot serve (a
// key change, whatever is about SM2) is read here by the same rules: RFC 8555
// 6.2 to 6.5.

// keyed is an act signed by an account.
type keyed struct {
	account *acme.Account
	here    string // url of the request
	payload []byte
}

// signed reads a request whose outer signature is by an account.
func (s *acmeServer) signed(ctx context.Context, r *http.Request, types ...string) (keyed, error) {
	if !slices.Contains(append(types, "application/jose+json"), r.Header.Get("Content-Type")) {
		return keyed{}, malformed("content type must be application/jose+json")
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return keyed{}, malformed("the request is too large or broken off")
	}
	outer, head, err := parseJWS(string(body))
	if err != nil {
		return keyed{}, err
	}
	if err := (acmeDB{s}).DeleteNonce(ctx, acme.Nonce(head.Nonce)); err != nil {
		return keyed{}, err
	}
	k := keyed{here: urlOf(r)}
	switch named, ok := head.ExtraHeaders["url"].(string); {
	case !ok || head.JSONWebKey != nil || head.KeyID == "":
		return keyed{}, malformed("the outer signature must name this url and the account")
	case named != k.here:
		return keyed{}, errOtherURL()
	}
	k.account, err = acmeDB{s}.GetAccount(ctx, path.Base(head.KeyID))
	if acme.IsErrNotFound(err) {
		return keyed{}, acme.NewError(acme.ErrorAccountDoesNotExistType, "no such account")
	}
	if err != nil {
		return keyed{}, err
	}
	if !k.account.IsValid() || k.account.GetLocation() != head.KeyID {
		return keyed{}, acme.NewError(acme.ErrorUnauthorizedType, "account is not active, or named otherwise")
	}
	if k.payload, err = outer.Verify(k.account.Key); err != nil {
		return keyed{}, malformed("the outer signature is wrong")
	}
	visitOf(ctx).proved = true
	return k, nil
}

// urlOf is what a signature has to name (RFC 8555 6.4). Links and listeners speak
// of hosts that prepare let through.
func urlOf(r *http.Request) string {
	return (&url.URL{Scheme: "https", Host: r.Host, Path: r.URL.Path}).String()
}

func errOtherURL() *acme.Error {
	return acme.NewDetailedError(acme.ErrorUnauthorizedType, "the signature is for another url")
}

// parseJWS reads a JWS with one signature by a public key algorithm that we
// take for accounts.
func parseJWS(text string) (*jose.JSONWebSignature, jose.Header, error) {
	jws, err := jose.ParseJWS(text)
	if err != nil || len(jws.Signatures) != 1 {
		return nil, jose.Header{}, malformed("not a JWS with one signature")
	}
	if open := jws.Signatures[0].Unprotected; open.KeyID != "" || open.JSONWebKey != nil || open.Algorithm != "" || open.Nonce != "" || len(open.ExtraHeaders) > 0 {
		return nil, jose.Header{}, malformed("an unprotected header must not be used")
	}
	head := jws.Signatures[0].Protected
	if !slices.Contains(algorithms(), head.Algorithm) { // of an inner signature: the outer one was looked at before
		return nil, head, badAlgorithm().cause
	}
	return jws, head, nil
}

func malformed(text string) error {
	return acme.NewDetailedError(acme.ErrorMalformedType, "%s", text)
}

// own serves a request that smallstep does not: with a fresh nonce, and with
// problems of RFC 8555 6.7.
func (s *acmeServer) own(serve func(w http.ResponseWriter, r *http.Request) error) http.HandlerFunc {
	return s.linker.Middleware(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx := r.Context()
		nonce, err := acmeDB{s}.CreateNonce(ctx)
		if err != nil {
			render.Error(w, r, err)
			return
		}
		w.Header().Set("Replay-Nonce", nonce.String())
		w.Header().Add("Link", "<"+s.linker.GetLink(ctx, acme.DirectoryLinkType)+`>;rel="index"`)
		if err := serve(w, r); err != nil {
			render.Error(w, r, problem(err))
		}
	})).ServeHTTP
}

// beside serves by ours what peek, given the unverified payload, says is ours,
// and by theirs the rest: theirs sees the request as it came.
func beside(theirs, ours http.HandlerFunc, peek func(r *http.Request, payload []byte) bool) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil { // bounded by prepare; both refuse it the same way
			render.Error(w, r, malformed("the request is too large or broken off"))
			return
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		var jws struct{ Payload string }
		if json.Unmarshal(body, &jws) == nil {
			payload, err := base64.RawURLEncoding.DecodeString(jws.Payload)
			if err == nil && peek(r, payload) {
				ours(w, r)
				return
			}
		}
		theirs(w, r)
	}
}
