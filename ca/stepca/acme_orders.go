package stepca

import (
	"context"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"slices"
	"time"

	"github.com/smallstep/certificates/acme"

	"github.com/yinxin-gov/yinxin/authz/ledger"
	"github.com/yinxin-gov/yinxin/ca"
	"github.com/yinxin-gov/yinxin/ca/acmestore"
)

// CreateChallenge only names the challenge: CreateOrder writes it.
func (d acmeDB) CreateChallenge(_ context.Context, ch *acme.Challenge) (err error) {
	ch.ID, err = d.newID()
	return err
}

// CreateAuthorization keeps it, with its challenges, for CreateOrder.
func (d acmeDB) CreateAuthorization(ctx context.Context, az *acme.Authorization) (err error) {
	if az.ID, err = d.newID(); err != nil {
		return err
	}
	z := acmestore.Authorization{
		ID: az.ID, Account: az.AccountID, Host: az.Identifier.Value, Token: az.Token, Status: acmestore.Pending, ExpiresAt: az.ExpiresAt,
	}
	for _, ch := range az.Challenges {
		z.Challenges = append(z.Challenges, acmestore.Challenge{
			ID: ch.ID, Authorization: az.ID, Account: ch.AccountID, Host: ch.Value, Type: string(ch.Type), Token: ch.Token, Status: acmestore.Pending,
		})
	}
	v := visitOf(ctx)
	v.proofs = append(v.proofs, z)
	return nil
}

// CreateOrder judges the order and writes it with all that belongs to it, or
// records why not. Until here nothing was written.
func (d acmeDB) CreateOrder(ctx context.Context, o *acme.Order) error {
	v := visitOf(ctx)
	object := ledger.Object{Kind: "acme_account", ID: v.owner.ID}
	hosts, err := d.judge(ctx, v.owner, o)
	if err != nil {
		if err := d.a.refused(ctx, "ca.acme_order.refused", v.actor(), object, err); err != nil {
			return problem(err)
		}
	}
	if o.ID, err = d.newID(); err != nil {
		return err
	}
	object = ledger.Object{Kind: "acme_order", ID: o.ID}
	ev, err := d.event(v, "ca.acme_order.created", v.actor(), object, v.owner.Request)
	if err != nil {
		return err
	}
	ev.Details["acme_account"], ev.Details["hosts"] = v.owner.ID, fmt.Sprint(len(hosts))
	_, err = d.store.AddOrder(ctx, acmestore.Order{
		ID: o.ID, Account: v.owner.ID, Status: acmestore.Pending, Hosts: hosts, Authorizations: o.AuthorizationIDs,
		NotBefore: o.NotBefore, NotAfter: o.NotAfter, ExpiresAt: o.ExpiresAt, CreatedAt: d.a.now(),
	}, v.proofs, ev)
	return err
}

// judge asks all that will be asked again at issue, so that a client learns at
// once what it will not get.
func (d acmeDB) judge(ctx context.Context, owner acmestore.Account, o *acme.Order) ([]string, error) {
	var hosts []string
	for _, id := range o.Identifiers {
		if id.Type != acme.DNS {
			return nil, errKind
		}
		if slices.Contains(hosts, id.Value) {
			return nil, fmt.Errorf("%w: named twice", ca.ErrHost)
		}
		hosts = append(hosts, id.Value)
	}
	r, err := d.a.approved(ctx, owner.Request)
	if err != nil {
		return nil, err
	}
	if _, _, err := d.a.admit(ctx, r, hosts); err != nil {
		return nil, err
	}
	now := d.a.now()
	if o.NotBefore.After(now.Add(backdate)) || o.NotAfter.Before(now.Add(minLifetime)) || o.NotAfter.After(now.Add(d.a.lifetime+backdate)) {
		return nil, fmt.Errorf("%w: begins now, ends within the profile", errPeriod)
	}
	return hosts, nil
}

// GetOrder reads an order.
func (d acmeDB) GetOrder(ctx context.Context, id string) (*acme.Order, error) {
	r, err := d.store.Order(ctx, id)
	if err != nil {
		return nil, missing(err, "order")
	}
	o := &acme.Order{
		ID: r.ID, AccountID: r.Account, ProvisionerID: provisionerID, Status: acme.Status(r.Status), ExpiresAt: r.ExpiresAt,
		NotBefore: r.NotBefore, NotAfter: r.NotAfter, Error: stored(r.Problem), AuthorizationIDs: r.Authorizations, CertificateID: r.Certificate,
	}
	for _, h := range r.Hosts {
		o.Identifiers = append(o.Identifiers, acme.Identifier{Type: acme.DNS, Value: h})
	}
	return o, nil
}

// GetOrdersByAccountID lists the open orders of an account.
func (d acmeDB) GetOrdersByAccountID(ctx context.Context, account string) ([]string, error) {
	return d.store.OrdersOf(ctx, account)
}

// UpdateOrder moves an order. Who comes too late gets the order as it is.
func (d acmeDB) UpdateOrder(ctx context.Context, o *acme.Order) error {
	var err error
	switch o.Status {
	case acme.StatusValid:
		return d.finish(ctx, o)
	case acme.StatusReady:
		err = d.store.MoveOrder(ctx, o.ID, acmestore.Pending, acmestore.Ready, nil)
	default:
		err = d.store.MoveOrder(ctx, o.ID, acmestore.Pending, acmestore.Invalid, kept(o.Error))
		if errors.Is(err, acmestore.ErrState) {
			err = d.store.MoveOrder(ctx, o.ID, acmestore.Ready, acmestore.Invalid, kept(o.Error))
		}
	}
	if !errors.Is(err, acmestore.ErrState) {
		return err
	}
	now, err := d.GetOrder(ctx, o.ID)
	if err == nil {
		*o = *now
	}
	return err
}

func (d acmeDB) finish(ctx context.Context, o *acme.Order) error {
	v := visitOf(ctx)
	if v.order != o.ID || v.certificate == "" {
		return acme.NewErrorISE("order was not claimed by this request")
	}
	ev, err := d.event(v, "ca.acme_order.finalized", v.actor(), ledger.Object{Kind: "acme_order", ID: o.ID}, v.owner.Request)
	if err != nil {
		return err
	}
	ev.Details["certificate"], ev.Details["acme_account"] = v.certificate, v.owner.ID
	if _, err := d.store.FinishOrder(ctx, o.ID, v.claim, v.certificate, ev); err != nil {
		return err
	}
	v.order = "" // nothing to release
	return nil
}

// GetAuthorization reads an authorization with its challenges.
func (d acmeDB) GetAuthorization(ctx context.Context, id string) (*acme.Authorization, error) {
	r, err := d.store.Authorization(ctx, id)
	if err != nil {
		return nil, missing(err, "authorization")
	}
	az := &acme.Authorization{
		ID: r.ID, AccountID: r.Account, Token: r.Token, Identifier: acme.Identifier{Type: acme.DNS, Value: r.Host},
		Status: acme.Status(r.Status), ExpiresAt: r.ExpiresAt,
	}
	for _, c := range r.Challenges {
		az.Challenges = append(az.Challenges, challenge(c))
	}
	return az, nil
}

// UpdateAuthorization is left with expiry: answers move an authorization with
// their challenge.
func (d acmeDB) UpdateAuthorization(ctx context.Context, az *acme.Authorization) error {
	if az.Status != acme.StatusInvalid {
		return acme.NewErrorISE("authorization becomes %s without an answer", az.Status)
	}
	err := d.store.EndAuthorization(ctx, az.ID)
	if !errors.Is(err, acmestore.ErrState) {
		return err
	}
	now, err := d.GetAuthorization(ctx, az.ID)
	if err == nil {
		*az = *now
	}
	return err
}

// GetAuthorizationsByAccountID has no caller in the routes that we mount.
func (d acmeDB) GetAuthorizationsByAccountID(context.Context, string) ([]*acme.Authorization, error) {
	return nil, errNotOffered
}

// GetChallenge reads a challenge of an authorization.
func (d acmeDB) GetChallenge(ctx context.Context, id, authorization string) (*acme.Challenge, error) {
	c, err := d.store.Challenge(ctx, id)
	if err == nil && c.Authorization != authorization {
		err = acmestore.ErrNotFound
	}
	if err != nil {
		return nil, missing(err, "challenge")
	}
	return challenge(c), nil
}

func challenge(c acmestore.Challenge) *acme.Challenge {
	return &acme.Challenge{
		ID: c.ID, AccountID: c.Account, AuthorizationID: c.Authorization, Value: c.Host, Type: acme.ChallengeType(c.Type),
		Status: acme.Status(c.Status), Token: c.Token, ValidatedAt: c.Validated, Error: stored(c.Problem),
	}
}

// UpdateChallenge stores an answer. A probe that failed is final (RFC 8555
// 8.2 leaves it to the server): the client hears why at once and orders anew,
// instead of polling until it gives up.
func (d acmeDB) UpdateChallenge(ctx context.Context, ch *acme.Challenge) error {
	if ch.Error != nil {
		ch.Status = acme.StatusInvalid
		explain(ch.Error)
	}
	err := d.store.AnswerChallenge(ctx, acmestore.Challenge{
		ID: ch.ID, Authorization: ch.AuthorizationID, Status: acmestore.Status(ch.Status), Validated: ch.ValidatedAt, Problem: kept(ch.Error),
	})
	if !errors.Is(err, acmestore.ErrState) {
		return err
	}
	now, err := d.GetChallenge(ctx, ch.ID, ch.AuthorizationID)
	if err == nil {
		*ch = *now
	}
	return err
}

// CreateCertificate notes which certificate was made: the registry has it.
func (d acmeDB) CreateCertificate(ctx context.Context, cert *acme.Certificate) error {
	cert.ID = ca.FormatSerial(cert.Leaf.SerialNumber)
	visitOf(ctx).certificate = cert.ID
	return nil
}

// GetCertificate reads a certificate of the registry by its serial in hex.
func (d acmeDB) GetCertificate(ctx context.Context, id string) (*acme.Certificate, error) {
	row, err := d.a.row(ctx, id)
	if err != nil || !leafKind(row.Kind) || row.DER == nil {
		return nil, missing(err, "certificate")
	}
	leaf, err := x509.ParseCertificate(row.DER)
	if err != nil {
		return nil, acme.WrapErrorISE(err, "read certificate")
	}
	cert := &acme.Certificate{ID: id, Leaf: leaf}
	if cert.Intermediates, err = d.a.above(ctx, leaf); err != nil {
		return nil, acme.WrapErrorISE(err, "read chain of certificate")
	}
	// One that was issued by token belongs to no account; its own key may still
	// revoke it (RFC 8555 7.6).
	o, err := d.store.OrderOfCertificate(ctx, id)
	if err != nil && !errors.Is(err, acmestore.ErrNotFound) {
		return nil, acme.WrapErrorISE(err, "read order of certificate")
	}
	cert.AccountID, cert.OrderID = o.Account, o.ID
	return cert, nil
}

// GetCertificateBySerial does so by the serial in decimal.
func (d acmeDB) GetCertificateBySerial(ctx context.Context, serial string) (*acme.Certificate, error) {
	n, ok := new(big.Int).SetString(serial, 10)
	if !ok || n.Sign() <= 0 {
		return nil, missing(nil, "certificate")
	}
	return d.GetCertificate(ctx, ca.FormatSerial(n))
}

// claimOrder lets this request, and no other, issue on the order.
func (s *acmeServer) claimOrder(ctx context.Context, id string) error {
	now := s.a.now().UTC().Truncate(time.Microsecond)
	until := now.Add(claimLife)
	if err := s.store.ClaimOrder(ctx, id, now, until); err != nil {
		if errors.Is(err, acmestore.ErrState) {
			return acme.NewDetailedError(acme.ErrorOrderNotReadyType, "the order is being finalized")
		}
		return acme.WrapErrorISE(err, "claim order")
	}
	v := visitOf(ctx)
	v.order, v.claim = id, until
	return nil
}

func kept(e *acme.Error) []byte {
	if e == nil {
		return nil
	}
	raw, err := json.Marshal(e)
	if err != nil {
		return nil // three strings and a list of strings always encode
	}
	return raw
}

func stored(raw []byte) *acme.Error {
	var e acme.Error
	if len(raw) == 0 || json.Unmarshal(raw, &e) != nil {
		return nil
	}
	return &e
}
