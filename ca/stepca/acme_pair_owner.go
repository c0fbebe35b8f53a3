package stepca

import (
	"bytes"
	"context"
	"encoding/json"
	"encoding/pem"
	"errors"
	"io"
	"mime"
	"net/http"
	"slices"
	"strings"

	"github.com/emmansun/gmsm/smx509"
	"github.com/go-chi/chi/v5"
	"github.com/smallstep/certificates/acme"

	"github.com/yinxin-gov/yinxin/ca"
	"github.com/yinxin-gov/yinxin/ca/acmestore"
)

// Forms in which the certificate of an SM2 order is given; the first is what
// RFC 8555 7.4.2 defaults to, the others are asked for by Accept.
const (
	mediaPEM      = "application/pem-certificate-chain"
	mediaPair     = "application/vnd.yinxin.sm2-pair+json" // wire.Pair
	mediaResponse = "application/vnd.yinxin.gmt0092"       // GM/T 0092-2020, DER
)

// ownPair finds a pair that was issued on an order of an account.
func (s *acmeServer) ownPair(ctx context.Context, account, serial string) (ca.DualResult, error) {
	got, err := s.pairs.PairOf(ctx, serial)
	if errors.Is(err, ca.ErrNotFound) {
		return got, missing(err, "certificate")
	}
	if err != nil {
		return got, err
	}
	o, err := s.store.OrderOfCertificate(ctx, got.Serial)
	if errors.Is(err, acmestore.ErrNotFound) || err == nil && o.Account != account {
		return got, acme.NewDetailedError(acme.ErrorUnauthorizedType, "the certificate is another account's")
	}
	return got, err
}

// downloadPair gives the certificate of an SM2 order (RFC 8555 7.4.2): the
// signing certificate and its issuer for any client, the pair with its enveloped
// key for one that asks for it.
func (s *acmeServer) downloadPair(w http.ResponseWriter, r *http.Request) error {
	ctx := r.Context()
	k, err := s.signed(ctx, r, "application/pkix-cert", "application/pkcs7-mime")
	if err != nil {
		return err
	}
	if len(k.payload) != 0 {
		return malformed("a certificate is fetched by POST-as-GET")
	}
	got, err := s.ownPair(ctx, k.account.ID, chi.URLParam(r, "certID"))
	if err != nil {
		return err
	}
	media := accepted(r.Header.Get("Accept"))
	var body []byte
	switch media {
	case mediaPair:
		pair, err := got.Wire(false)
		if err != nil {
			return err
		}
		if body, err = json.Marshal(pair); err != nil {
			return err
		}
	case mediaResponse:
		if body, err = got.Response(); err != nil {
			return err
		}
	default:
		for _, der := range [][]byte{got.SignCert, got.Chain[0]} {
			body = append(body, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})...)
		}
	}
	w.Header().Set("Content-Type", media)
	_, err = w.Write(body)
	if err != nil {
		s.a.log.DebugContext(ctx, "certificate not delivered", "error", err)
	}
	return nil
}

// accepted is the first form named that we have; any client gets PEM.
func accepted(header string) string {
	for _, part := range strings.Split(header, ",") {
		media, _, err := mime.ParseMediaType(part)
		if err == nil && slices.Contains([]string{mediaPEM, mediaPair, mediaResponse}, media) {
			return media
		}
	}
	return mediaPEM
}

// revokePair ends a pair by either of its certificates (RFC 8555 7.6), for the
// account that ordered it. The certificate's own key cannot sign a JWS: there is
// no algorithm of that name for SM2.
func (s *acmeServer) revokePair(w http.ResponseWriter, r *http.Request) error {
	ctx := r.Context()
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return malformed("the request is too large or broken off")
	}
	if _, head, err := parseJWS(string(body)); err == nil && head.JSONWebKey != nil {
		return acme.NewDetailedError(acme.ErrorBadSignatureAlgorithmType, "an SM2 certificate is revoked by the account that ordered it")
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	k, err := s.signed(ctx, r)
	if err != nil {
		return err
	}
	visitOf(ctx).track = "sm2"
	var order struct {
		Reason int `json:"reason"`
	}
	if json.Unmarshal(k.payload, &order) != nil || !slices.Contains(holderReasons(), order.Reason) {
		return acme.NewDetailedError(acme.ErrorBadRevocationReasonType, "the reason is not for the holder to give")
	}
	cert, err := smx509.ParseCertificate(field(k.payload, "certificate"))
	if err != nil {
		return malformed("not a certificate")
	}
	got, err := s.ownPair(ctx, k.account.ID, ca.FormatSerial(cert.SerialNumber))
	if err != nil {
		return err
	}
	if !bytes.Equal(cert.Raw, got.SignCert) && !bytes.Equal(cert.Raw, got.EncCert) {
		return missing(nil, "certificate")
	}
	if err := s.pairs.Revoke(ctx, visitOf(ctx).actor(), got.Issuer, got.Serial, order.Reason); err != nil {
		return err
	}
	w.WriteHeader(http.StatusOK)
	return nil
}
