package app

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/emmansun/gmsm/smx509"

	"github.com/yinxin-gov/yinxin/ca/authority"
	"github.com/yinxin-gov/yinxin/ca/lint"
	"github.com/yinxin-gov/yinxin/internal/store"
	"github.com/yinxin-gov/yinxin/internal/text"
)

// GenerationView is a generation of the house's authorities as an operator reads it.
type GenerationView struct {
	Number      int             `json:"number"`
	State       string          `json:"state"`
	Since       time.Time       `json:"since"` // since when it issues; before that, when it shall
	Until       time.Time       `json:"until,omitzero"`
	Reason      string          `json:"reason,omitempty"`
	Authorities []AuthorityView `json:"authorities"`
}

// AuthorityView is one certificate of a generation.
type AuthorityView struct {
	Track   string    `json:"track"`
	Kind    string    `json:"kind"`
	Subject string    `json:"subject"`
	SM3     string    `json:"sm3,omitempty"` // of the certificate, once it is signed
	From    time.Time `json:"from"`
	Until   time.Time `json:"until"`
}

// Succession reads the generations from the store of a house, which may be
// serving, and changes nothing.
func Succession(ctx context.Context, cfg Config) (out []GenerationView, err error) {
	cfg = cfg.withDefaults()
	if err := errors.Join(cfg.validate(), private(cfg.Dir)); err != nil {
		return nil, err
	}
	st, err := store.Open(ctx, store.Config{URL: cfg.Store(), Now: cfg.Now, Rand: cfg.Rand})
	if err != nil {
		return nil, fmt.Errorf("app: open store: %w", err)
	}
	defer func() { err = errors.Join(err, st.Close()) }()
	all, err := st.Rooms(nil).Succession.Generations(ctx)
	if err != nil {
		return nil, err
	}
	if len(all) == 0 {
		h := &House{cfg: cfg}
		if h.anchors, err = loadAuthorities(cfg.Dir); err != nil {
			return nil, err
		}
		first := h.founding()
		first.Number, first.State, first.CurrentAt = 1, authority.Current, first.AskedAt
		all = []authority.Generation{first}
	}
	for _, g := range all {
		one := GenerationView{Number: g.Number, State: string(g.State), Since: g.CurrentAt, Until: g.RetiredAt, Reason: g.Reason}
		if one.Since.IsZero() {
			one.Since = g.SwitchAt
		}
		for _, m := range g.Members {
			a, err := viewOf(m)
			if err != nil {
				return nil, err
			}
			one.Authorities = append(one.Authorities, a)
		}
		out = append(out, one)
	}
	return out, nil
}

func viewOf(m authority.Member) (AuthorityView, error) {
	a := AuthorityView{Track: string(m.Track), Kind: string(m.Kind)}
	var crt *smx509.Certificate
	if m.DER != nil {
		var err error
		if crt, err = smx509.ParseCertificate(m.DER); err != nil {
			return a, fmt.Errorf("app: certificate of an authority: %w", err)
		}
		a.SM3 = SM3Hex(m.DER)
	} else {
		view, err := lint.ParseTBS(m.TBS)
		if err != nil {
			return a, fmt.Errorf("app: certificate of an authority: %w", err)
		}
		crt = view.Cert
	}
	a.Subject, a.From, a.Until = text.Name(crt.Subject), crt.NotBefore, crt.NotAfter
	return a, nil
}
