package stepca

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/x509"
	"fmt"
	"slices"

	"github.com/smallstep/certificates/authority"
	"github.com/smallstep/certificates/authority/config"
	"github.com/smallstep/certificates/authority/provisioner"
	"github.com/smallstep/certificates/errs"
	"go.step.sm/crypto/jose"

	"github.com/yinxin-gov/yinxin/ca"
)

// start makes the key of our tokens and embeds smallstep.
func (a *Authority) start(ctx context.Context) error {
	all, err := a.issuers.All(ctx)
	if err != nil {
		return err
	}
	if len(all) == 0 {
		return ca.ErrNoIssuer
	}
	a.organization = all[0].Certificate.Subject.CommonName
	if o := all[0].Certificate.Subject.Organization; len(o) > 0 {
		a.organization = o[0]
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), a.rand)
	if err != nil {
		return fmt.Errorf("make token key: %w", err)
	}
	jwk := jose.JSONWebKey{Key: key.Public(), Algorithm: jose.ES256, Use: "sig"}
	sum, err := jwk.Thumbprint(crypto.SHA256)
	if err != nil {
		return fmt.Errorf("name token key: %w", err)
	}
	a.key, a.jwk = key, jwk
	a.jwk.KeyID = fmt.Sprintf("%x", sum)
	a.kid = a.jwk.KeyID
	_, err = a.renewSet(ctx)
	return err
}

// embed builds the smallstep authority around our certificate service and our
// database: no file, no listener, no CRL and no store of its own.
func (a *Authority) embed(roots, middle []*x509.Certificate) (*authority.Authority, error) {
	jwk := a.jwk
	off := true
	life := provisioner.Duration{Duration: a.lifetime}
	least := provisioner.Duration{Duration: minLifetime}
	ra := &registrar{a: a, JWK: &provisioner.JWK{
		// A fixed id: the key is new at each start, the certificates are not.
		ID: provisionerName, Type: "JWK", Name: provisionerName, Key: &jwk,
		Claims: &provisioner.Claims{
			MinTLSDur: &least, DefaultTLSDur: &life, MaxTLSDur: &life,
			DisableSmallstepExtensions: &off,
		},
	}}
	offered := provisioner.List{ra, a.newX5C(ra.Claims, append(slices.Clone(roots), middle...))}
	if a.acme != nil {
		offered = append(offered, &provisioner.ACME{
			ID: provisionerID, Type: "ACME", Name: acmeName, RequireEAB: true,
			Challenges: []provisioner.ACMEChallenge{provisioner.HTTP_01, provisioner.TLS_ALPN_01, provisioner.DNS_01},
			Claims:     ra.Claims,
		})
	}
	step, err := authority.NewEmbedded(
		authority.WithConfig(&config.Config{
			Address: a.cfg.Address, DNSNames: a.cfg.DNSNames, SkipValidation: true,
			AuthorityConfig: &config.AuthConfig{
				Provisioners: offered,
				Backdate:     &provisioner.Duration{Duration: backdate},
			},
		}),
		authority.WithX509RootCerts(roots...),
		authority.WithX509IntermediateCerts(middle...),
		authority.WithX509CAService(&service{a: a}),
		authority.WithDatabase(&database{a: a}),
		authority.WithQuietInit(),
	)
	if err != nil {
		return nil, err
	}
	// smallstep logs a provisioner that does not start and goes on without it.
	for _, o := range offered {
		p, err := step.LoadProvisionerByName(o.GetName())
		if err != nil {
			return nil, fmt.Errorf("start provisioner: %w", err)
		}
		if u, ok := p.(provisioner.Uninitialized); ok {
			return nil, fmt.Errorf("start provisioner: %w", u.Reason)
		}
	}
	return step, nil
}

// registrar is the JWK provisioner of our registration authority (注册机构).
type registrar struct {
	*provisioner.JWK
	a *Authority
}

// AuthorizeSign adds to what JWK checks our rules of a token, and what it opens:
// the certificate service needs that and could not see it otherwise.
func (p *registrar) AuthorizeSign(ctx context.Context, token string) ([]provisioner.SignOption, error) {
	opts, err := p.JWK.AuthorizeSign(ctx, token)
	if err != nil {
		return nil, err
	}
	// JWK verified the signature, with the same key.
	c, err := p.a.read(token)
	if err != nil {
		return nil, errs.UnauthorizedErr(err)
	}
	return append(opts, enrolment{JWK: p.JWK, passage: passage{Request: c.Request, Once: c.once()}}, oneOfEach{}), nil
}

// AuthorizeRevoke always refuses: a system revokes its certificate over mTLS
// with that certificate, an officer in the console. No token does.
func (p *registrar) AuthorizeRevoke(context.Context, string) error {
	return errs.Forbidden("revocation by token is not offered")
}

// enrolment is the registrar acting on one token. smallstep hands the id of
// the last provisioner among the options to the certificate service.
type enrolment struct {
	*provisioner.JWK
	passage
}

// GetID returns what the token opens.
func (e enrolment) GetID() string { return e.id() }
