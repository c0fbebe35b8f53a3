package stepca

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/mail"
	"slices"
	"strings"
	"time"

	"github.com/smallstep/certificates/acme"
	acmeapi "github.com/smallstep/certificates/acme/api"
	"go.step.sm/crypto/jose"

	"github.com/yinxin-gov/yinxin/authz/ledger"
	"github.com/yinxin-gov/yinxin/ca/acmestore"
)

// Contacts are kept for the operator and never reach the ledger.
const (
	maxContacts = 8
	maxContact  = 254
)

// acmeDB is the acme.DB of smallstep on our store. Its handlers take an error
// that is no *acme.Error for one of the house (500).
type acmeDB struct {
	*acmeServer
}

var _ acme.DB = acmeDB{}

// CreateNonce draws a nonce (RFC 8555 6.5.1) and now and then drops old ones.
func (d acmeDB) CreateNonce(ctx context.Context) (acme.Nonce, error) {
	raw := make([]byte, 16)
	if _, err := io.ReadFull(d.a.rand, raw); err != nil {
		return "", acme.WrapErrorISE(err, "draw nonce")
	}
	id, now := base64.RawURLEncoding.EncodeToString(raw), d.a.now()
	if err := d.store.AddNonce(ctx, id, now.Add(nonceLife)); err != nil {
		return "", acme.WrapErrorISE(err, "record nonce")
	}
	if d.sweepDue(now) {
		if err := d.store.DropNonces(ctx, now); err != nil {
			d.a.log.WarnContext(ctx, "expired acme nonces were not dropped", "error", err)
		}
		if err := d.store.DropTexts(ctx, now); err != nil {
			d.a.log.WarnContext(ctx, "expired acme text records were not dropped", "error", err)
		}
	}
	return acme.Nonce(id), nil
}

func (s *acmeServer) sweepDue(now time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if now.Sub(s.swept) < nonceSweep {
		return false
	}
	s.swept = now
	return true
}

// DeleteNonce lets each nonce through once.
func (d acmeDB) DeleteNonce(ctx context.Context, nonce acme.Nonce) error {
	won, err := d.store.UseNonce(ctx, nonce.String(), d.a.now())
	switch {
	case err != nil:
		return acme.WrapErrorISE(err, "use nonce")
	case !won:
		return acme.NewError(acme.ErrorBadNonceType, "nonce is unknown, used or expired")
	}
	return nil
}

// GetExternalAccountKey hands over a key that the request has proved to know.
// The check is made here, because smallstep answers a wrong HMAC, and a bound
// key that has none any more, with an error of the house.
func (d acmeDB) GetExternalAccountKey(ctx context.Context, provisioner, id string) (*acme.ExternalAccountKey, error) {
	refused := acme.NewDetailedError(acme.ErrorUnauthorizedType, "the external account key is unknown, bound or expired, or its signature is wrong")
	k, err := d.store.Key(ctx, id)
	if errors.Is(err, acmestore.ErrNotFound) {
		return nil, refused // nobody's: anyone may send any kid, the ledger is not for that
	}
	if err != nil {
		return nil, acme.WrapErrorISE(err, "read external account key")
	}
	cause := acmestore.ErrKey
	if k.State == acmestore.KeyOpen && d.a.now().Before(k.ExpiresAt) {
		if k.HMAC, err = d.wrapper.Unwrap(ctx, k.HMAC, boundTo(k.ID)); err != nil {
			return nil, acme.WrapErrorISE(err, "unwrap external account key")
		}
		cause = boundBy(ctx, k.HMAC)
	}
	if cause != nil {
		actor := ledger.Actor{Kind: "system", ID: k.System, Unit: k.Agency}
		err := d.a.refused(ctx, "ca.acme_account.refused", actor, ledger.Object{Kind: "acme_key", ID: k.ID}, cause)
		if !errors.Is(err, cause) {
			return nil, acme.WrapErrorISE(err, "refuse external account key")
		}
		refused.Err = err
		return nil, refused
	}
	return externalKey(provisioner, k), nil
}

var errBinding = errors.New("stepca: external account binding is not signed with its key")

// boundBy checks the inner signature of the new-account request in ctx, whose
// outer signature smallstep has verified.
func boundBy(ctx context.Context, key []byte) error {
	outer, ok := ctx.Value(acmeapi.ContextKey("jws")).(*jose.JSONWebSignature)
	if !ok {
		return errBinding
	}
	var req acmeapi.NewAccountRequest
	if err := json.Unmarshal(outer.UnsafePayloadWithoutVerification(), &req); err != nil {
		return errBinding
	}
	raw, err := json.Marshal(req.ExternalAccountBinding)
	if err != nil {
		return errBinding
	}
	inner, err := jose.ParseJWS(string(raw))
	if err != nil {
		return errBinding
	}
	if _, err := inner.Verify(key); err != nil {
		return errBinding
	}
	return nil
}

func externalKey(provisioner string, k acmestore.Key) *acme.ExternalAccountKey {
	return &acme.ExternalAccountKey{
		ID: k.ID, ProvisionerID: provisioner, Reference: k.System, AccountID: k.Account, HmacKey: k.HMAC,
		CreatedAt: k.CreatedAt, BoundAt: k.BoundAt,
	}
}

// CreateAccount only prepares the account: it is written when its key is bound,
// by UpdateExternalAccountKey, in one act.
func (d acmeDB) CreateAccount(ctx context.Context, acc *acme.Account) error {
	if err := contacts(acc.Contact); err != nil {
		return err
	}
	id, err := d.newID()
	if err != nil {
		return err
	}
	thumbprint, err := acme.KeyToID(acc.Key)
	if err != nil {
		return err
	}
	jwk, err := json.Marshal(acc.Key)
	if err != nil {
		return acme.WrapErrorISE(err, "encode account key")
	}
	acc.ID = id
	visitOf(ctx).newcomer = acmestore.Account{
		ID: id, Thumbprint: thumbprint, JWK: jwk, Contact: acc.Contact, Status: acmestore.Valid, Location: acc.LocationPrefix,
	}
	return nil
}

// contacts are one mail address each, without header fields (RFC 8555 7.3).
func contacts(list []string) error {
	if len(list) > maxContacts || slices.ContainsFunc(list, func(c string) bool { return len(c) > maxContact }) {
		return acme.NewDetailedError(acme.ErrorMalformedType, "at most %d contacts of %d bytes", maxContacts, maxContact)
	}
	for _, c := range list {
		scheme, address, _ := strings.Cut(c, ":")
		if !strings.EqualFold(scheme, "mailto") {
			return acme.NewDetailedError(acme.ErrorUnsupportedContactType, "contacts are mailto: only")
		}
		if a, err := mail.ParseAddress(address); err != nil || a.Address != address || strings.ContainsAny(address, "?,") {
			e := acme.NewDetailedError(acme.ErrorInvalidContactType, "a contact is one address")
			e.Type = "urn:ietf:params:acme:error:invalidContact" // smallstep's constant has another name
			return e
		}
	}
	return nil
}

// UpdateExternalAccountKey binds the key and writes the account with it.
func (d acmeDB) UpdateExternalAccountKey(ctx context.Context, _ string, eak *acme.ExternalAccountKey) error {
	v := visitOf(ctx)
	if v.newcomer.ID == "" || v.newcomer.ID != eak.AccountID {
		return acme.NewErrorISE("external account key is bound to no new account")
	}
	k, err := d.store.Key(ctx, eak.ID)
	if err != nil {
		return acme.WrapErrorISE(err, "read external account key")
	}
	acc, now := v.newcomer, d.a.now().UTC().Truncate(time.Microsecond)
	acc.Key, acc.System, acc.Agency, acc.Request, acc.CreatedAt = k.ID, k.System, k.Agency, k.Request, now
	v.owner = acc
	ev, err := d.event(v, "ca.acme_account.created", v.actor(), ledger.Object{Kind: "acme_account", ID: acc.ID}, acc.Request)
	if err != nil {
		return err
	}
	ev.Details["acme_key"] = k.ID
	_, err = d.store.Bind(ctx, acc, now, ev)
	switch {
	case errors.Is(err, acmestore.ErrKey):
		return acme.NewDetailedError(acme.ErrorUnauthorizedType, "the external account key is already bound")
	case errors.Is(err, acmestore.ErrExists):
		return acme.NewDetailedError(acme.ErrorMalformedType, "the account key is already registered")
	case err != nil:
		return acme.WrapErrorISE(err, "record account")
	}
	return nil
}

// GetAccount also notes whose request this is.
func (d acmeDB) GetAccount(ctx context.Context, id string) (*acme.Account, error) {
	acc, err := d.store.Account(ctx, id)
	return d.account(ctx, acc, err)
}

// GetAccountByKeyID finds an account by the thumbprint of its key.
func (d acmeDB) GetAccountByKeyID(ctx context.Context, thumbprint string) (*acme.Account, error) {
	acc, err := d.store.AccountByThumbprint(ctx, thumbprint)
	return d.account(ctx, acc, err)
}

func (d acmeDB) account(ctx context.Context, acc acmestore.Account, err error) (*acme.Account, error) {
	if errors.Is(err, acmestore.ErrNotFound) {
		return nil, acme.ErrNotFound
	}
	if err != nil {
		return nil, acme.WrapErrorISE(err, "read account")
	}
	var key jose.JSONWebKey
	if err := json.Unmarshal(acc.JWK, &key); err != nil {
		return nil, acme.WrapErrorISE(err, "read account key")
	}
	visitOf(ctx).owner = acc
	return &acme.Account{
		ID: acc.ID, Key: &key, Contact: acc.Contact, Status: acme.Status(acc.Status), LocationPrefix: acc.Location,
		ProvisionerID: provisionerID, ProvisionerName: acmeName,
	}, nil
}

// UpdateAccount stores contacts, or the end of the account.
func (d acmeDB) UpdateAccount(ctx context.Context, acc *acme.Account) error {
	if err := contacts(acc.Contact); err != nil {
		return err
	}
	v := visitOf(ctx)
	ev, err := d.event(v, "ca.acme_account.updated", v.actor(), ledger.Object{Kind: "acme_account", ID: acc.ID}, v.owner.Request)
	if err != nil {
		return err
	}
	ev.Details["status"] = string(acc.Status)
	_, err = d.store.UpdateAccount(ctx, acmestore.Account{ID: acc.ID, Contact: acc.Contact, Status: acmestore.Status(acc.Status)}, ev)
	if errors.Is(err, acmestore.ErrState) {
		return acme.NewError(acme.ErrorUnauthorizedType, "account is not active")
	}
	return err
}

// GetExternalAccountKeyByAccountID returns the bound key; it carries no policy
// of names, CreateOrder judges them on the register.
func (d acmeDB) GetExternalAccountKeyByAccountID(ctx context.Context, provisioner, _ string) (*acme.ExternalAccountKey, error) {
	k, err := d.store.Key(ctx, visitOf(ctx).owner.Key)
	if err != nil {
		return nil, acme.WrapErrorISE(err, "read external account key")
	}
	return externalKey(provisioner, k), nil
}

// The rest of the interface is smallstep's administration of keys, which no
// route of ours reaches: keys come from CreateEAB.
var errNotOffered = fmt.Errorf("%w: not offered", ErrConfig)

func (d acmeDB) CreateExternalAccountKey(context.Context, string, string) (*acme.ExternalAccountKey, error) {
	return nil, errNotOffered
}

func (d acmeDB) GetExternalAccountKeys(context.Context, string, string, int) ([]*acme.ExternalAccountKey, string, error) {
	return nil, "", errNotOffered
}

func (d acmeDB) GetExternalAccountKeyByReference(context.Context, string, string) (*acme.ExternalAccountKey, error) {
	return nil, errNotOffered
}

func (d acmeDB) DeleteExternalAccountKey(context.Context, string, string) error { return errNotOffered }
