package desk

import (
	"context"
	"errors"
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
	// Make makes a key for a unit, and records it. Request is PKCS#10 over it, PEM.
	Make(ctx context.Context, actor ledger.Actor, unit identity.Agency) error
	Request(ctx context.Context, key console.SealKey) ([]byte, error)
}

// ImportKeys implements console.Imports, for who makes seals.
func (d *Service) ImportKeys(ctx context.Context, p console.Person) (out console.ImportList, err error) {
	if err := allowed(d.serves(ctx, p, identity.RoleSealAdministrator)); err != nil {
		return out, err
	}
	all, err := d.cfg.People.Agencies(ctx)
	if err != nil {
		return out, fmt.Errorf("desk: agencies: %w", err)
	}
	for _, a := range all {
		out.Units = append(out.Units, console.Named{ID: string(a.USCC), Name: a.Name})
	}
	out.Keys, err = d.cfg.Imports.Keys(ctx)
	return out, err
}

// maxWaiting bounds the keys that wait for a seal: nobody fills the custody.
const maxWaiting = 50

// MakeImportKey implements console.Imports.
func (d *Service) MakeImportKey(ctx context.Context, p console.Person, unit string) error {
	list, err := d.ImportKeys(ctx, p)
	if err != nil {
		return err
	}
	if len(list.Keys) >= maxWaiting {
		return console.ErrTooMany
	}
	a, err := d.cfg.People.Agency(ctx, identity.USCC(unit))
	if errors.Is(err, identity.ErrNotFound) {
		return fmt.Errorf("%w: unit %.40q", console.ErrForm, unit)
	}
	if err != nil {
		return err
	}
	return d.cfg.Imports.Make(ctx, d.actor(p), a)
}

// RequestOf implements console.Imports.
func (d *Service) RequestOf(ctx context.Context, p console.Person, key string) (console.Paper, error) {
	k, err := d.waiting(ctx, p, key)
	if err != nil {
		return console.Paper{}, err
	}
	csr, err := d.cfg.Imports.Request(ctx, k)
	return console.Paper{Name: k.ID + ".csr", Bytes: csr}, err
}

// waiting returns a key that waits for a seal.
func (d *Service) waiting(ctx context.Context, p console.Person, key string) (console.SealKey, error) {
	list, err := d.ImportKeys(ctx, p)
	if err != nil {
		return console.SealKey{}, err
	}
	for _, k := range list.Keys {
		if k.ID == key {
			return k, nil
		}
	}
	return console.SealKey{}, fmt.Errorf("%w: key %.80q waits for no seal", console.ErrForm, key)
}

// ImportSeal implements console.Imports: with a key that waits for one, and no
// other.
func (d *Service) ImportSeal(ctx context.Context, p console.Person, f console.ImportForm) (string, error) {
	if _, err := d.waiting(ctx, p, f.KeyID); err != nil {
		return "", err
	}
	return d.cfg.Imports.Import(ctx, d.actor(p), f)
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
