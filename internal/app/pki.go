package app

import (
	"context"
	"encoding/json"
	"net/http"

	"github.com/go-chi/chi/v5"

	"github.com/yinxin-gov/yinxin/ca"
	"github.com/yinxin-gov/yinxin/ca/authority"
	"github.com/yinxin-gov/yinxin/ca/profile"
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
		if !h.speaks(a) {
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
	r.Get(wire.PathAuthorities, h.authorities)
	r.Get(wire.PathRollover, h.rollover)
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

// rollover tells the holders of an old root of the new one: a list, empty in a
// house that has had no other.
func (h *House) rollover(w http.ResponseWriter, r *http.Request) {
	set, err := h.Succession.Set(r.Context())
	if err != nil {
		h.cfg.Log.ErrorContext(r.Context(), "authorities cannot be read", "error", err)
		http.Error(w, http.StatusText(http.StatusServiceUnavailable), http.StatusServiceUnavailable)
		return
	}
	raw, err := json.Marshal(updates(set))
	if err != nil {
		h.cfg.Log.ErrorContext(r.Context(), "roll-over not encoded", "error", err)
		http.Error(w, http.StatusText(http.StatusInternalServerError), http.StatusInternalServerError)
		return
	}
	h.deliver(w, r, "application/json", raw)
}

// updates are the changes of roots that took place, oldest first: whoever holds
// the first root gets from one to the next.
func updates(set *authority.Set) []wire.RootUpdate {
	out := []wire.RootUpdate{}
	for _, g := range set.Generations() {
		if !g.NewRoots || g.State != authority.Current && g.State != authority.Retired {
			continue
		}
		for _, track := range []profile.Algorithm{profile.SM2, profile.ECDSA} {
			u := wire.RootUpdate{Track: string(track), Since: g.CurrentAt}
			for _, m := range g.Members {
				if m.Track != track {
					continue
				}
				switch m.Kind {
				case authority.Root:
					u.NewWithNew = m.DER
				case authority.NewWithOld:
					u.NewWithOld = m.DER
				case authority.OldWithNew:
					u.OldWithNew = m.DER
				}
			}
			out = append(out, u)
		}
	}
	return out
}

func (h *House) deliver(w http.ResponseWriter, r *http.Request, kind string, body []byte) {
	w.Header().Set("Content-Type", kind)
	w.Header().Set("Cache-Control", "public, max-age=3600")
	if _, err := w.Write(body); err != nil {
		h.cfg.Log.DebugContext(r.Context(), "certificate not delivered", "error", err)
	}
}
