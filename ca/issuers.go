package ca

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"errors"
	"fmt"
	"time"

	"github.com/emmansun/gmsm/smx509"
)

// Issuer is an issuing authority of the house with what stands above it.
type Issuer struct {
	Certificate *smx509.Certificate
	Signer      crypto.Signer // its key, from custody; nil for one that issues no more
	Above       [][]byte      // DER, from the root that signed it upwards
}

// Issuers knows the issuing authorities of one track. One is current; those
// before it issue nothing more, and stand behind what they issued until it ends.
type Issuers interface {
	// Current is who issues now, with its key: what any node switched to last.
	// ErrNoIssuer when this node cannot use its key.
	Current(ctx context.Context) (Issuer, error)
	// All are the current one, first, and those before it.
	All(ctx context.Context) ([]Issuer, error)
}

// ErrNoIssuer: nothing can be issued here. A node without the key of the current
// authority does not issue from the one before it.
var ErrNoIssuer = errors.New("ca: the issuing authority cannot be used here")

// ID names it in the registry.
func (i Issuer) ID() string { return IssuerID(i.Certificate) }

// Chain is what stands above its certificates: itself, its root, and what leads
// from there to an earlier root (DER).
func (i Issuer) Chain() [][]byte { return append([][]byte{i.Certificate.Raw}, i.Above...) }

// Named reports whether a certificate names it as its issuer, by name and key
// (RFC 5280 4.1.2.4, 4.2.1.1). That it signed it is for the caller to check, or
// for the registry to know.
func (i Issuer) Named(rawIssuer, authorityKeyID []byte) bool {
	return bytes.Equal(rawIssuer, i.Certificate.RawSubject) && bytes.Equal(authorityKeyID, i.Certificate.SubjectKeyId)
}

// Usable refuses an authority that does not fit: another key, out of its period.
func (i Issuer) Usable(now time.Time) error {
	if i.Certificate == nil || i.Signer == nil {
		return fmt.Errorf("%w: no certificate or no key", ErrNoIssuer)
	}
	public, ok := i.Signer.Public().(*ecdsa.PublicKey)
	if !ok || !public.Equal(i.Certificate.PublicKey) {
		return fmt.Errorf("%w: the signer does not hold the key of the issuing certificate", ErrNoIssuer)
	}
	if now.Before(i.Certificate.NotBefore) || now.After(i.Certificate.NotAfter) {
		return fmt.Errorf("%w: the issuing certificate is out of its period", ErrNoIssuer)
	}
	return nil
}

// IssuerNamed finds the one that a certificate names; ErrNotFound for a
// certificate of nobody here.
func IssuerNamed(ctx context.Context, from Issuers, rawIssuer, authorityKeyID []byte) (Issuer, error) {
	all, err := from.All(ctx)
	if err != nil {
		return Issuer{}, err
	}
	for _, i := range all {
		if i.Named(rawIssuer, authorityKeyID) {
			return i, nil
		}
	}
	return Issuer{}, fmt.Errorf("%w: not of an authority of this house", ErrNotFound)
}

// BySerial is the row of a certificate of any of them. Serials are 127 random
// bits: two authorities never share one.
func BySerial(ctx context.Context, registry Registry, from Issuers, serial string) (Certificate, error) {
	all, err := from.All(ctx)
	if err != nil {
		return Certificate{}, err
	}
	for _, i := range all {
		c, err := registry.Certificate(ctx, i.ID(), serial)
		if !errors.Is(err, ErrNotFound) {
			return c, err
		}
	}
	return Certificate{}, fmt.Errorf("%w: serial %s", ErrNotFound, serial)
}

// Sole is the authority of a house that has had no other.
func Sole(certificate, root *smx509.Certificate, signer crypto.Signer) Issuers {
	return sole{Certificate: certificate, Signer: signer, Above: [][]byte{root.Raw}}
}

type sole Issuer

func (s sole) Current(context.Context) (Issuer, error) { return Issuer(s), nil }

func (s sole) All(context.Context) ([]Issuer, error) { return []Issuer{Issuer(s)}, nil }
