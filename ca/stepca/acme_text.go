package stepca

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/smallstep/certificates/api/render"
	"github.com/smallstep/certificates/errs"

	"github.com/yinxin-gov/yinxin/authz/ledger"
	"github.com/yinxin-gov/yinxin/ca"
	"github.com/yinxin-gov/yinxin/ca/acmestore"
)

const (
	textLife   = time.Hour
	textPrefix = acmestore.TextPrefix
	textSize   = 43 // base64url of SHA-256 (RFC 8555 8.4); nothing else may stand in the register
)

var errPassword = errors.New("stepca: user or password of the text register is wrong")

// registerOfTexts answers dns-01.
type registerOfTexts struct {
	store acmestore.Texts
	now   func() time.Time
}

func (r registerOfTexts) texts(ctx context.Context, name string) ([]string, error) {
	return r.store.Texts(ctx, strings.ToLower(name), r.now())
}

// textChange is the message of lego's httpreq provider, which curl can send as
// easily from a hook of certbot.
type textChange struct {
	FQDN  string `json:"fqdn"`
	Value string `json:"value"`
}

// present and cleanup set and remove a TXT record of a host that the caller may
// have certificates for. The caller is known by its mTLS certificate, or, before
// it has one, by the key id and text password of its external account key.
func (s *acmeServer) present(w http.ResponseWriter, r *http.Request) { s.changeText(w, r, true) }

func (s *acmeServer) cleanup(w http.ResponseWriter, r *http.Request) { s.changeText(w, r, false) }

func (s *acmeServer) changeText(w http.ResponseWriter, r *http.Request, set bool) {
	if err := s.tryText(r, set); err != nil {
		if errors.Is(err, errPassword) {
			w.Header().Set("WWW-Authenticate", `Basic realm="acme-txt", charset="UTF-8"`)
		}
		render.Error(w, r, answer(err))
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

func (s *acmeServer) tryText(r *http.Request, set bool) error {
	ctx := r.Context()
	owner, err := s.textOwner(ctx, r)
	if err != nil {
		return err
	}
	var c textChange
	if err := json.NewDecoder(r.Body).Decode(&c); err != nil {
		return errs.NewError(http.StatusBadRequest, ca.ErrInvalid, "want {\"fqdn\", \"value\"}")
	}
	name := strings.ToLower(strings.TrimSuffix(c.FQDN, "."))
	host, ok := strings.CutPrefix(name, textPrefix)
	if !ok || len(c.Value) != textSize || strings.Trim(c.Value, base64url) != "" {
		return errs.NewError(http.StatusBadRequest, ca.ErrInvalid, "only the records of dns-01: %s<host> and the digest of a key authorization", textPrefix)
	}
	if _, _, err := s.a.admit(ctx, owner, []string{host}); err != nil {
		return s.a.refused(ctx, "ca.acme_text.refused", systemActor(owner), ledger.Object{Kind: "certificate_request", ID: owner.ID}, err)
	}
	now, kind := s.a.now(), "ca.acme_text.removed"
	if set {
		kind = "ca.acme_text.set"
	}
	ev, err := newEvent(s.a.rand, now, kind, systemActor(owner), ledger.Object{Kind: "host", ID: host})
	if err != nil {
		return err
	}
	ev.Details["certificate_request"] = owner.ID
	t := acmestore.Text{Name: name, Value: c.Value, System: owner.System, ExpiresAt: now.Add(textLife)}
	if set {
		_, err = s.store.SetText(ctx, t, now, ev)
	} else {
		_, err = s.store.RemoveText(ctx, t, ev)
	}
	switch {
	case errors.Is(err, acmestore.ErrNotFound) && !set:
		return nil // expired meanwhile: what the client wants is so
	case errors.Is(err, acmestore.ErrFull):
		return errs.NewError(http.StatusConflict, err, "the host has %d records already", acmestore.MaxTexts)
	}
	return err
}

const base64url = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"

// textOwner is the approved request of the caller.
func (s *acmeServer) textOwner(ctx context.Context, r *http.Request) (ca.Request, error) {
	if user, password, ok := r.BasicAuth(); ok {
		_, owner, err := s.textUser(ctx, user, password)
		return owner, err
	}
	leaf, err := s.a.verifiedPeer(r.Context(), r.TLS)
	if err != nil {
		return ca.Request{}, errPassword
	}
	row, err := s.a.Peer(ctx, leaf)
	if err != nil {
		return ca.Request{}, err
	}
	return s.a.approved(ctx, row.Request)
}
