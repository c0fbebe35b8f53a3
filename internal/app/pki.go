package app

import (
	"net/http"

	"github.com/go-chi/chi/v5"

	"github.com/yinxin-gov/yinxin/ca"
)

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
