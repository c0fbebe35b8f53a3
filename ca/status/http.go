package status

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Paths that the handler answers.
const (
	PathOCSP = "/ocsp"    // POST; and GET /ocsp/{base64}
	PathCRL  = "/pki/crl" // GET {issuer}.crl, {issuer}-delta.crl, and partitions
)

// Handler serves OCSP (RFC 6960 A) and lists (RFC 2585). Mount it on PathOCSP,
// PathOCSP/* and PathCRL/*, with and without TLS: whoever asks whether the
// server's own certificate holds cannot have checked it yet. It looks at the
// escaped path itself, because base64 has slashes that a cleaning router eats.
func (s *Service) Handler() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		path := r.URL.EscapedPath()
		switch rest, isOCSP := strings.CutPrefix(path, PathOCSP); {
		case isOCSP && (rest == "" || rest == "/") && r.Method == http.MethodPost:
			s.post(w, r)
		case isOCSP && len(rest) > 1 && rest[0] == '/' && (r.Method == http.MethodGet || r.Method == http.MethodHead):
			s.get(w, r, rest[1:])
		case isOCSP && (rest == "" || rest[0] == '/'):
			w.Header().Set("Allow", "GET, HEAD, POST")
			http.Error(w, "OCSP: POST a request, or GET it as base64 in the path", http.StatusMethodNotAllowed)
		case strings.HasPrefix(path, PathCRL+"/"):
			s.list(w, r, path[len(PathCRL)+1:])
		default:
			http.NotFound(w, r)
		}
	})
}

func (s *Service) post(w http.ResponseWriter, r *http.Request) {
	der, err := io.ReadAll(io.LimitReader(r.Body, maxRequest+1))
	if err != nil {
		http.Error(w, "request was cut off", http.StatusBadRequest)
		return
	}
	a := s.answer(r.Context(), der)
	w.Header().Set("Cache-Control", "no-store")
	writeOCSP(w, a.der)
}

// get answers what caches may keep (RFC 5019 5): an answer without a nonce
// about a certificate that exists.
func (s *Service) get(w http.ResponseWriter, r *http.Request, escaped string) {
	var der []byte
	if len(escaped) <= 3*base64.StdEncoding.EncodedLen(maxRequest) {
		if text, err := url.PathUnescape(escaped); err == nil {
			if der, err = base64.StdEncoding.DecodeString(text); err != nil {
				der = nil // not the part before the fault
			}
		}
	}
	a := s.answer(r.Context(), der)
	h := w.Header()
	if a.etag == "" {
		h.Set("Cache-Control", "no-store")
		writeOCSP(w, a.der)
		return
	}
	h.Set("ETag", a.etag)
	h.Set("Last-Modified", a.thisUpdate.Format(http.TimeFormat))
	h.Set("Expires", a.nextUpdate.UTC().Format(http.TimeFormat))
	h.Set("Cache-Control", cacheControl(min(s.cfg.MaxAge, a.nextUpdate.Sub(s.cfg.Now()))))
	// By tag only: two answers of one second may differ.
	if match := r.Header.Get("If-None-Match"); strings.Contains(match, a.etag) || strings.TrimSpace(match) == "*" {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	writeOCSP(w, a.der)
}

func writeOCSP(w http.ResponseWriter, der []byte) {
	w.Header().Set("Content-Type", "application/ocsp-response")
	w.Header().Set("Content-Length", strconv.Itoa(len(der)))
	_, _ = w.Write(der) // the client is gone: nothing to say and nobody to say it to
}

func cacheControl(age time.Duration) string {
	return fmt.Sprintf("max-age=%d, public, no-transform, must-revalidate", max(0, int(age/time.Second)))
}

// list serves {issuer}[-KofN][-delta].crl.
func (s *Service) list(w http.ResponseWriter, r *http.Request, name string) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		http.Error(w, "lists are fetched with GET", http.StatusMethodNotAllowed)
		return
	}
	c, every, err := s.find(r.Context(), name)
	switch {
	case errors.Is(err, ErrNoList), errors.Is(err, ErrUnknownIssuer):
		http.NotFound(w, r)
		return
	case err != nil:
		s.cfg.Log.ErrorContext(r.Context(), "reading a list of revoked certificates failed", "error", err)
		http.Error(w, "list cannot be read now", http.StatusServiceUnavailable)
		return
	}
	now := s.cfg.Now()
	h := w.Header()
	h.Set("Content-Type", "application/pkix-crl")
	h.Set("ETag", fmt.Sprintf(`"%d-%.16s"`, c.Number, c.TBSSM3))
	h.Set("Expires", c.NextUpdate.UTC().Format(http.TimeFormat))
	// Until the next one is due; later than that it may come any moment.
	h.Set("Cache-Control", cacheControl(min(c.ThisUpdate.Add(every).Sub(now), c.NextUpdate.Sub(now))))
	http.ServeContent(w, r, "", c.ThisUpdate, bytes.NewReader(c.DER))
}

func (s *Service) find(ctx context.Context, name string) (CRL, time.Duration, error) {
	name, ok := strings.CutSuffix(name, ".crl")
	if !ok {
		return CRL{}, 0, ErrNoList
	}
	name, delta := strings.CutSuffix(name, "-delta")
	id, shard, cut := strings.Cut(name, "-")
	i := s.issuer(id)
	if i == nil {
		return CRL{}, 0, ErrUnknownIssuer
	}
	if cut != (shard != "") || !slices.Contains(i.shards, shard) {
		return CRL{}, 0, ErrNoList
	}
	c, err := s.newest(ctx, id, shard, delta)
	if delta {
		return c, s.cfg.DeltaEvery, err
	}
	return c, s.cfg.FullEvery, err
}
