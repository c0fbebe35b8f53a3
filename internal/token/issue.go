package token

import (
	"cmp"
	"context"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/emmansun/gmsm/sm3"
	"github.com/golang-jwt/jwt/v5"

	"github.com/yinxin-gov/yinxin/authz/ledger"
	"github.com/yinxin-gov/yinxin/internal/api/wire"
)

// headerType is "typ" of RFC 9068 2.1.
const headerType = "at+jwt"

// Order is what a client asks for. The zero value is a token for the house's own
// interfaces, ES256, for DefaultLife.
type Order struct {
	Audience  string // "": the house; else wire.SystemAudience of a registered system
	Scope     []string
	Algorithm string
	Life      time.Duration
}

// claims are those of RFC 9068 2.2 and RFC 8705 3.1.
type claims struct {
	jwt.RegisteredClaims
	ClientID string       `json:"client_id"`
	Scope    string       `json:"scope,omitempty"`
	Confirm  confirmation `json:"cnf"`
}

type confirmation struct {
	X5T string `json:"x5t#S256"`
}

// Issue signs a token for c and records it; only then anybody gets it.
func (s *Service) Issue(ctx context.Context, c Client, o Order) (string, Grant, error) {
	o, err := s.check(ctx, o)
	if err != nil {
		return "", Grant{}, err
	}
	k, signer, err := s.signer(ctx, o.Algorithm)
	if err != nil {
		return "", Grant{}, err
	}
	now := s.now().Truncate(time.Second)
	g := Grant{
		ID: s.cfg.NewID(), System: c.System, Unit: c.Unit, Audience: o.Audience, Scope: o.Scope, Issuer: c.Issuer, Serial: c.Serial,
		KID: k.KID, IssuedAt: now, ExpiresAt: now.Add(o.Life),
	}
	t := jwt.NewWithClaims(custodyMethod{o.Algorithm}, claims{
		RegisteredClaims: jwt.RegisteredClaims{
			Issuer: s.cfg.Issuer, Subject: c.System, Audience: jwt.ClaimStrings{o.Audience}, ID: g.ID,
			IssuedAt: jwt.NewNumericDate(now), NotBefore: jwt.NewNumericDate(now), ExpiresAt: jwt.NewNumericDate(g.ExpiresAt),
		},
		ClientID: c.System, Scope: strings.Join(o.Scope, " "), Confirm: confirmation{base64.RawURLEncoding.EncodeToString(c.Thumbprint[:])},
	})
	t.Header["typ"], t.Header["kid"] = headerType, k.KID
	signed, err := t.SignedString(signer)
	if err != nil {
		return "", Grant{}, fmt.Errorf("token: sign: %w", err)
	}
	ev := s.event("token.access.issued", c.actor(""), ledger.Object{Kind: "token", ID: g.ID})
	sum := sm3.Sum([]byte(signed))
	ev.Payload = hex.EncodeToString(sum[:])
	ev.Details["audience"], ev.Details["scope"], ev.Details["kid"] = o.Audience, strings.Join(o.Scope, " "), k.KID
	ev.Details["expires"] = g.ExpiresAt.Format(time.RFC3339)
	if _, err := s.cfg.Store.AddGrant(ctx, g, ev); err != nil {
		return "", Grant{}, fmt.Errorf("token: record: %w", err)
	}
	return signed, g, nil
}

// check fills what the zero value stands for. Another system's scopes are not
// the house's to give: what a caller may do there its decision says.
func (s *Service) check(ctx context.Context, o Order) (Order, error) {
	o.Audience, o.Algorithm, o.Life = cmp.Or(o.Audience, s.cfg.Issuer), cmp.Or(o.Algorithm, ES256), cmp.Or(o.Life, DefaultLife)
	if o.Algorithm != ES256 && o.Algorithm != SM2 {
		return o, fmt.Errorf("%w: algorithm is neither %s nor %s", ErrRequest, ES256, SM2)
	}
	if o.Life < MinLife || o.Life > MaxLife {
		return o, fmt.Errorf("%w: life is not %s to %s", ErrRequest, MinLife, MaxLife)
	}
	if o.Audience == s.cfg.Issuer {
		if len(o.Scope) == 0 {
			o.Scope = Scopes()
		}
		for _, scope := range o.Scope {
			if !slices.Contains(Scopes(), scope) {
				return o, fmt.Errorf("%w: unknown scope", ErrScope)
			}
		}
		o.Scope = slices.Compact(slices.Sorted(slices.Values(o.Scope)))
		return o, nil
	}
	system, ok := strings.CutPrefix(o.Audience, wire.AudiencePrefix)
	if !ok {
		return o, ErrAudience
	}
	switch known, err := s.cfg.Register.System(ctx, system); {
	case err != nil:
		return o, fmt.Errorf("%w: %w", ErrUnknown, err)
	case !known:
		return o, ErrAudience
	case len(o.Scope) > 0:
		return o, fmt.Errorf("%w: of another system", ErrScope)
	}
	return o, nil
}
