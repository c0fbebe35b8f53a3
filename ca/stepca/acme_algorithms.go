package stepca

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"slices"

	"github.com/smallstep/certificates/acme"
	"github.com/smallstep/certificates/api/render"
	"go.step.sm/crypto/jose"
)

// algorithms are those that accounts sign with.
func algorithms() []string {
	return []string{jose.ES256, jose.ES384, jose.ES512, jose.EdDSA, jose.RS256, jose.RS384, jose.RS512, jose.PS256, jose.PS384, jose.PS512}
}

// unsuitable is the problem of a signature by another algorithm. RFC 8555 6.2
// wants it to list those that may be used; smallstep's has no place for that.
type unsuitable struct{ cause *acme.Error }

func badAlgorithm() unsuitable {
	return unsuitable{acme.NewDetailedError(acme.ErrorBadSignatureAlgorithmType, "unsuitable algorithm")}
}

func (u unsuitable) Error() string { return u.cause.Error() }
func (u unsuitable) Unwrap() error { return u.cause }

// Render implements render.RenderableError.
func (u unsuitable) Render(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/problem+json")
	render.JSONStatus(w, r, struct {
		Type       string   `json:"type"`
		Detail     string   `json:"detail"`
		Algorithms []string `json:"algorithms"`
	}{u.cause.Type, u.cause.Detail, algorithms()}, u.cause.Status)
}

// suitable turns down a request that names another algorithm, before smallstep
// reads it. What is no JWS goes on, and is turned down there.
func (s *acmeServer) suitable(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx := r.Context()
		c, ok := ctx.Value(callKey{}).(*call)
		var jws struct{ Protected string }
		var head struct{ Alg string }
		if ok && json.Unmarshal(c.body, &jws) == nil {
			raw, err := base64.RawURLEncoding.DecodeString(jws.Protected)
			ok = err == nil && json.Unmarshal(raw, &head) == nil
		}
		if !ok || head.Alg == "" || slices.Contains(algorithms(), head.Alg) {
			next.ServeHTTP(w, r)
			return
		}
		nonce, err := acmeDB{s}.CreateNonce(ctx)
		if err != nil {
			render.Error(w, r, err)
			return
		}
		w.Header().Set("Replay-Nonce", nonce.String())
		render.Error(w, r, badAlgorithm())
	})
}
