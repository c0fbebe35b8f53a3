package stepca

import (
	"context"
	"crypto/x509"
	"encoding/base64"
	"fmt"

	"github.com/golang-jwt/jwt/v5"
	"github.com/smallstep/certificates/authority/provisioner"
	"github.com/smallstep/certificates/errs"

	"github.com/yinxin-gov/yinxin/ca"
)

// x5cName is the provisioner's: step ca certificate … --provisioner x5c.
const x5cName = "x5c"

// maxX5CLife bounds a token that a client signs for itself.
const maxX5CLife = 2 * tokenLife

// x5c lets the holder of a certificate have another one, for a further machine
// of the same system: a token signed with the key of the first (RFC 7515 4.1.6).
//
// The first must be an mTLS certificate of a system in our registry, in its
// period and good at that moment; certificates of the house's services may not.
// It opens the request that it was issued on and no other: the same system, hence
// the same agency, and the hosts approved then. What it gives does not outlive it.
type x5c struct {
	*provisioner.X5C
	a *Authority
}

func (a *Authority) newX5C(claims *provisioner.Claims, authorities []*x509.Certificate) *x5c {
	var roots []byte
	for _, c := range authorities {
		roots = append(roots, ca.PEM(c.Raw)...)
	}
	return &x5c{a: a, X5C: &provisioner.X5C{
		ID: x5cName, Type: "X5C", Name: x5cName, Roots: roots, Claims: claims,
	}}
}

// AuthorizeSign adds the request of the certificate to what X5C checks.
func (p *x5c) AuthorizeSign(ctx context.Context, token string) ([]provisioner.SignOption, error) {
	opts, err := p.X5C.AuthorizeSign(ctx, token)
	if err != nil {
		return nil, err
	}
	c, row, err := p.a.verifyX5C(ctx, token)
	if err != nil {
		return nil, errs.UnauthorizedErr(err)
	}
	// The client chose the id: beside the serial of its certificate it uses up
	// nobody else's.
	once := c.once()
	once.ID = row.Serial + ":" + once.ID
	return append(opts, x5cEnrolment{X5C: p.X5C, passage: passage{Request: row.Request, Shown: row.Name(), Once: once}}, oneOfEach{}), nil
}

// AuthorizeRevoke refuses, as that of registrar does.
func (p *x5c) AuthorizeRevoke(context.Context, string) error {
	return errs.Forbidden("revocation by token is not offered")
}

// x5cEnrolment is to X5C what enrolment is to our own tokens.
type x5cEnrolment struct {
	*provisioner.X5C
	passage
}

// GetID returns what the token opens.
func (e x5cEnrolment) GetID() string { return e.id() }

// verifyX5C reads a token that the holder of one of our certificates signed. It
// refuses with ErrPeer, ca.ErrRevoked, ca.ErrState, or an error of package jwt.
func (a *Authority) verifyX5C(ctx context.Context, token string) (claims, ca.Certificate, error) {
	var c claims
	var leaf *x509.Certificate
	now := a.now()
	_, err := jwt.ParseWithClaims(token, &c, func(t *jwt.Token) (any, error) {
		chain, _ := t.Header["x5c"].([]any)
		if len(chain) == 0 {
			return nil, ErrPeer
		}
		text, _ := chain[0].(string)
		der, err := base64.StdEncoding.DecodeString(text)
		if err != nil {
			return nil, ErrPeer
		}
		if leaf, err = x509.ParseCertificate(der); err != nil {
			return nil, ErrPeer
		}
		if err := a.signedBy(ctx, leaf); err != nil || now.Before(leaf.NotBefore) || now.After(leaf.NotAfter) {
			return nil, ErrPeer
		}
		return leaf.PublicKey, nil
	}, jwt.WithValidMethods([]string{jwt.SigningMethodES256.Alg()}),
		jwt.WithIssuer(x5cName), jwt.WithAudience(a.audience+"#x5c/"+x5cName),
		jwt.WithExpirationRequired(), jwt.WithIssuedAt(), jwt.WithLeeway(tokenSkew), jwt.WithTimeFunc(a.now))
	if err != nil {
		return claims{}, ca.Certificate{}, fmt.Errorf("stepca: token: %w", err)
	}
	if c.ID == "" || c.ExpiresAt.After(now.Add(maxX5CLife)) {
		return claims{}, ca.Certificate{}, fmt.Errorf("stepca: token without id or for too long: %w", jwt.ErrTokenInvalidClaims)
	}
	row, err := a.Peer(ctx, leaf)
	if err != nil {
		return claims{}, row, err
	}
	r, err := a.registry.Request(ctx, row.Request)
	if err == nil && (r.System != row.System || r.Agency != row.Agency) {
		err = ErrPeer
	}
	return c, row, err
}
