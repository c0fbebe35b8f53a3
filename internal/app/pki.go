package app

import (
	"fmt"
	"net/http"

	"github.com/emmansun/gmsm/smx509"
	"github.com/go-chi/chi/v5"

	"github.com/yinxin-gov/yinxin/ca"
	"github.com/yinxin-gov/yinxin/ca/status"
	"github.com/yinxin-gov/yinxin/internal/api/wire"
)

// openStatus speaks for all four authorities: the roots answer for the issuing
// ones.
func (h *House) openStatus() (*status.Service, error) {
	ecdsaRoot, err := smx509.ParseCertificate(h.anchors.ecdsaRoot.Raw)
	if err != nil {
		return nil, fmt.Errorf("app: ECDSA root: %w", err)
	}
	ecdsaIssuing, err := smx509.ParseCertificate(h.anchors.ecdsaIssuing.Raw)
	if err != nil {
		return nil, fmt.Errorf("app: ECDSA issuing authority: %w", err)
	}
	authorities := []status.Authority{
		{Certificate: h.anchors.sm2Root, Signer: h.custody.signer(keySM2Root), Offline: h.cfg.OfflineRoot}, {Certificate: h.anchors.sm2Issuing, Signer: h.custody.signer(keySM2Issuing)},
		{Certificate: ecdsaRoot, Signer: h.custody.signer(keyECDSARoot), Offline: h.cfg.OfflineRoot}, {Certificate: ecdsaIssuing, Signer: h.custody.signer(keyECDSAIssuing)},
	}
	return status.New(status.Config{
		Authorities: authorities, Delegate: responders{h, authorities}.make,
		Registry: h.rooms.CA, Lists: h.rooms.CA, Published: h.rooms.CA, Changes: h.rooms.CA, Site: h.cfg.site(), Actor: h.service(),
		Final: h.finalUntil, Now: h.cfg.Now, Rand: h.cfg.Rand, NewID: newID, Log: h.cfg.Log,
	})
}

// sweeper ends certificates that a dead process left pending.
func (h *House) sweeper() ca.Sweeper {
	return ca.Sweeper{Store: h.rooms.CA, Now: h.cfg.Now, NewID: newID, Log: h.cfg.Log}
}

// StatusURL is where relying parties ask about certificates.
func (h *House) StatusURL() string { return h.cfg.StatusURL() }

// mountStatus adds what certificates point to.
func (h *House) mountStatus(r chi.Router) {
	lists := h.CertStatus.Handler()
	for _, p := range []string{status.PathOCSP, status.PathOCSP + "/*", status.PathCRL + "/*"} {
		r.Handle(p, lists)
	}
	r.Get("/pki/issuers/{name}", h.issuers)
	r.Get("/pki/cps", h.cps)
	r.Get(wire.PathClosing, h.closing)
}

// issuers serves the issuing certificates that certificates point to (AIA).
func (h *House) issuers(w http.ResponseWriter, r *http.Request) {
	for _, c := range []struct {
		id  string
		der []byte
	}{
		{ca.IssuerID(h.anchors.sm2Issuing), h.anchors.sm2Issuing.Raw}, {ca.IssuerID(h.anchors.sm2Root), h.anchors.sm2Root.Raw},
		{ecdsaID(h.anchors.ecdsaIssuing), h.anchors.ecdsaIssuing.Raw}, {ecdsaID(h.anchors.ecdsaRoot), h.anchors.ecdsaRoot.Raw},
	} {
		if chi.URLParam(r, "name") == c.id+".cer" {
			w.Header().Set("Content-Type", "application/pkix-cert")
			w.Header().Set("Cache-Control", "public, max-age=3600")
			if _, err := w.Write(c.der); err != nil {
				h.cfg.Log.DebugContext(r.Context(), "certificate not delivered", "error", err)
			}
			return
		}
	}
	http.NotFound(w, r)
}

// cps is where certificates say that the rules of issuing stand (电子认证业务规则,
// 电子签名法 art. 19). A house that only serves itself says just that.
func (h *House) cps(w http.ResponseWriter, r *http.Request) {
	t := h.words.Get("app.cps").Fill("unit", h.cfg.Organization)
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	if _, err := w.Write([]byte(t.Zh + "\n\n" + t.En + "\n")); err != nil {
		h.cfg.Log.DebugContext(r.Context(), "statement not delivered", "error", err)
	}
}
