package app

import (
	"context"
	"net/http"

	"github.com/go-chi/chi/v5"

	"github.com/yinxin-gov/yinxin/ca"
	"github.com/yinxin-gov/yinxin/ca/authority"
	"github.com/yinxin-gov/yinxin/ca/status"
	"github.com/yinxin-gov/yinxin/internal/api/wire"
)

// openStatus speaks for all authorities, now and before: the roots answer for the issuing
// ones.
func (h *House) openStatus(ctx context.Context) (*status.Service, error) {
	set, err := h.Succession.Set(ctx)
	if err != nil {
		return nil, err
	}
	var authorities []status.Authority
	for _, a := range set.All() {
		if a.Kind != authority.Root && a.Kind != authority.Issuing {
			continue
		}
		one, err := h.statusAuthority(ctx, a)
		if err != nil {
			return nil, err
		}
		authorities = append(authorities, one)
	}
	return status.New(status.Config{
		Authorities: authorities, Delegate: responders{h}.make,
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
	r.Get("/pki/authorities.pem", h.authorities)
	r.Get("/pki/cps", h.cps)
	r.Get(wire.PathClosing, h.closing)
}

// issuers serves the issuing certificates that certificates point to (AIA).
func (h *House) issuers(w http.ResponseWriter, r *http.Request) {
	set, err := h.Succession.Set(r.Context())
	if err != nil {
		h.cfg.Log.ErrorContext(r.Context(), "authorities cannot be read", "error", err)
		http.Error(w, http.StatusText(http.StatusServiceUnavailable), http.StatusServiceUnavailable)
		return
	}
	for _, a := range set.All() {
		if (a.Kind == authority.Root || a.Kind == authority.Issuing) && chi.URLParam(r, "name") == a.ID()+".cer" {
			h.deliver(w, r, "application/pkix-cert", a.Certificate.Raw)
			return
		}
	}
	http.NotFound(w, r)
}

// authorities serves every certificate of an authority of the house, those by
// which the holders of one root get to another among them, as PEM.
func (h *House) authorities(w http.ResponseWriter, r *http.Request) {
	all, err := h.authoritiesDER(r.Context())
	if err != nil {
		h.cfg.Log.ErrorContext(r.Context(), "authorities cannot be read", "error", err)
		http.Error(w, http.StatusText(http.StatusServiceUnavailable), http.StatusServiceUnavailable)
		return
	}
	h.deliver(w, r, "application/pem-certificate-chain", ca.PEM(all...))
}

func (h *House) deliver(w http.ResponseWriter, r *http.Request, kind string, body []byte) {
	w.Header().Set("Content-Type", kind)
	w.Header().Set("Cache-Control", "public, max-age=3600")
	if _, err := w.Write(body); err != nil {
		h.cfg.Log.DebugContext(r.Context(), "certificate not delivered", "error", err)
	}
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
