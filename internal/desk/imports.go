package desk

import (
	"context"
	"fmt"
	"time"

	"github.com/emmansun/gmsm/smx509"

	"github.com/yinxin-gov/yinxin/authz/identity"
	"github.com/yinxin-gov/yinxin/authz/ledger"
	"github.com/yinxin-gov/yinxin/internal/console"
	"github.com/yinxin-gov/yinxin/internal/text"
	"github.com/yinxin-gov/yinxin/signer"
	"github.com/yinxin-gov/yinxin/signer/seal"
)

// Imports bring seals of accredited services to keys in custody.
type Imports interface {
	// Keys are those that wait for a seal.
	Keys(ctx context.Context) ([]console.SealKey, error)
	// Import returns the number of the seal. The room of seals decides once more.
	Import(ctx context.Context, actor ledger.Actor, f console.ImportForm) (string, error)
}

// ImportKeys implements console.Imports, for who makes seals.
func (d *Service) ImportKeys(ctx context.Context, p console.Person) ([]console.SealKey, error) {
	if err := allowed(d.serves(ctx, p, identity.RoleSealAdministrator)); err != nil {
		return nil, err
	}
	return d.cfg.Imports.Keys(ctx)
}

// ImportSeal implements console.Imports: with a key that waits for one, and no
// other.
func (d *Service) ImportSeal(ctx context.Context, p console.Person, f console.ImportForm) (string, error) {
	keys, err := d.ImportKeys(ctx, p)
	if err != nil {
		return "", err
	}
	for _, k := range keys {
		if k.ID == f.KeyID {
			return d.cfg.Imports.Import(ctx, d.actor(p), f)
		}
	}
	return "", fmt.Errorf("%w: key %.80q waits for no seal", console.ErrForm, f.KeyID)
}

// foreign is what an imported seal and its certificates say.
func foreign(e signer.Seal) (*console.Foreign, error) {
	if e.Accreditation == nil {
		return nil, nil
	}
	got, err := seal.ParseSeal(e.DER)
	if err != nil {
		return nil, fmt.Errorf("desk: seal %s: %w", e.ID, err)
	}
	cert, err := smx509.ParseCertificate(e.CertDER)
	if err != nil {
		return nil, fmt.Errorf("desk: certificate of seal %s: %w", e.ID, err)
	}
	maker, err := smx509.ParseCertificate(got.MakerCertDER)
	if err != nil {
		return nil, fmt.Errorf("desk: maker of seal %s: %w", e.ID, err)
	}
	return &console.Foreign{
		Maker: text.Name(maker.Subject), Signer: text.Name(cert.Subject), Issuer: text.Name(cert.Issuer), Certificate: signer.Digest(e.CertDER),
		CertFrom: cert.NotBefore.Format(time.RFC3339), CertUntil: cert.NotAfter.Format(time.RFC3339), Layout: got.Layout, Vendor: got.Vendor, SM3: signer.Digest(e.DER),
	}, nil
}
