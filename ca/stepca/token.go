package stepca

import (
	"context"
	"fmt"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/yinxin-gov/yinxin/authz/ledger"
	"github.com/yinxin-gov/yinxin/ca"
)

const (
	provisionerName = "yinxin-ra"
	tokenLife       = 5 * time.Minute
	tokenSkew       = time.Minute // what smallstep grants too
)

// claims of a one-time token: those of the step-ca API and our request id.
type claims struct {
	jwt.RegisteredClaims
	SANs    []string `json:"sans"`
	Request string   `json:"request"`
}

// MintToken makes the one-time token that lets the holder send one CSR for the
// hosts of the request. Only the id of r is used: state, approval and hosts are
// read from the registry. The use of one token ends every other with the same
// id, so that an answer may be given again. It refuses with ca.ErrNotApproved,
// ErrStopped or ca.ErrHost.
func (a *Authority) MintToken(ctx context.Context, r ca.Request, id string) (string, error) {
	r, err := a.approved(ctx, r.ID)
	if err != nil {
		return "", err
	}
	if _, _, err := a.admit(ctx, r, r.Hosts); err != nil {
		return "", err
	}
	signed, ev, err := a.DraftToken(r, id)
	if err != nil {
		return "", err
	}
	if _, err := a.recorder.Record(ctx, ev); err != nil {
		return "", fmt.Errorf("stepca: record token: %w", err)
	}
	return signed, nil
}

// DraftToken is MintToken for a caller that read r from the registry and admitted
// it just now (ca.Companion). It hands out the token only when the event is
// recorded.
func (a *Authority) DraftToken(r ca.Request, id string) (string, ledger.Event, error) {
	if id == "" {
		return "", ledger.Event{}, fmt.Errorf("stepca: token without an id: %w", ca.ErrInvalid)
	}
	if err := a.life.Err(); err != nil {
		return "", ledger.Event{}, fmt.Errorf("stepca: closed: %w", err)
	}
	if err := decided(r); err != nil {
		return "", ledger.Event{}, err
	}
	now := a.now()
	t := jwt.NewWithClaims(jwt.SigningMethodES256, claims{
		RegisteredClaims: jwt.RegisteredClaims{
			Issuer: provisionerName, Audience: jwt.ClaimStrings{a.audience}, Subject: r.System,
			ID: id, IssuedAt: jwt.NewNumericDate(now), NotBefore: jwt.NewNumericDate(now),
			ExpiresAt: jwt.NewNumericDate(now.Add(tokenLife)),
		},
		SANs: r.Hosts, Request: r.ID,
	})
	t.Header["kid"] = a.kid
	signed, err := t.SignedString(a.key)
	if err != nil {
		return "", ledger.Event{}, fmt.Errorf("stepca: sign token: %w", err)
	}
	ev, err := newEvent(a.rand, now, "ca.token.minted", systemActor(r), ledger.Object{Kind: "token", ID: id})
	if err != nil {
		return "", ledger.Event{}, err
	}
	ev.Details["certificate_request"], ev.Details["approval"] = r.ID, r.Approval
	return signed, ev, nil
}

// once is what a certificate on these claims uses up.
func (c claims) once() ca.OneTime {
	return ca.OneTime{ID: c.ID, Expires: c.ExpiresAt.Add(2 * tokenSkew)}
}

// verify reads a token that we signed and that has not expired.
func (a *Authority) verify(token string) (claims, error) {
	if _, err := jwt.Parse(token, func(*jwt.Token) (any, error) { return &a.key.PublicKey, nil },
		jwt.WithValidMethods([]string{jwt.SigningMethodES256.Alg()}), jwt.WithoutClaimsValidation()); err != nil {
		return claims{}, fmt.Errorf("stepca: token: %w", err)
	}
	return a.read(token)
}

// read is verify of a token whose signature the caller verified.
func (a *Authority) read(token string) (claims, error) {
	var c claims
	_, _, err := jwt.NewParser().ParseUnverified(token, &c)
	if err == nil {
		err = jwt.NewValidator(jwt.WithIssuer(provisionerName), jwt.WithAudience(a.audience),
			jwt.WithExpirationRequired(), jwt.WithIssuedAt(), jwt.WithLeeway(tokenSkew), jwt.WithTimeFunc(a.now)).Validate(c)
	}
	if err != nil {
		return claims{}, fmt.Errorf("stepca: token: %w", err)
	}
	if c.ID == "" || c.Request == "" {
		return claims{}, fmt.Errorf("stepca: token: %w", jwt.ErrTokenRequiredClaimMissing)
	}
	return c, nil
}
