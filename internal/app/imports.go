package app

import (
	"context"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/emmansun/gmsm/smx509"

	"github.com/yinxin-gov/yinxin/authz/identity"
	"github.com/yinxin-gov/yinxin/authz/ledger"
	"github.com/yinxin-gov/yinxin/ca/profile"
	"github.com/yinxin-gov/yinxin/internal/console"
	"github.com/yinxin-gov/yinxin/internal/keys"
	"github.com/yinxin-gov/yinxin/signer"
	"github.com/yinxin-gov/yinxin/signer/life"
	"github.com/yinxin-gov/yinxin/signer/seal"
)

// imports are the keys in custody that wait for a seal of an accredited service.
type imports struct{ h *House }

// Keys lists the keys of units that no seal has and none is made for here.
func (i imports) Keys(ctx context.Context) (out []console.SealKey, err error) {
	all, err := i.h.custody.dir.List(ctx)
	if err != nil {
		return nil, fmt.Errorf("app: keys in custody: %w", err)
	}
	for _, rec := range all {
		number, ofSeal := strings.CutPrefix(rec.ID, sealPrefix)
		if !ofSeal || rec.ID == keyMaker || rec.Algorithm != keys.SM2 || rec.Purpose != keys.PurposeSign {
			continue
		}
		unit, err := i.h.rooms.Identity.Agency(ctx, identity.USCC(rec.Owner))
		if errors.Is(err, identity.ErrNotFound) {
			continue
		}
		if err != nil {
			return nil, err
		}
		free, err := i.free(ctx, rec.ID, number)
		if err != nil {
			return nil, err
		}
		if free {
			out = append(out, console.SealKey{ID: rec.ID, Unit: string(unit.USCC), UnitName: unit.Name, Class: string(rec.Class), SPKISM3: rec.SPKISM3})
		}
	}
	return out, nil
}

// free: no seal has the key but one that its leader refused, and it was not made
// for an application of this number.
func (i imports) free(ctx context.Context, id, number string) (bool, error) {
	taken, err := i.h.Life.Seals(ctx, life.Query{KeyID: id})
	if err != nil || slices.ContainsFunc(taken, func(e signer.Seal) bool { return e.State != signer.SealRefused }) {
		return false, err
	}
	_, err = i.h.rooms.Seals.Seal(ctx, number)
	if errors.Is(err, signer.ErrNotFound) {
		return true, nil
	}
	return false, err
}

// Make implements desk.Imports: recorded first, like everything that is made in
// custody for others.
func (i imports) Make(ctx context.Context, actor ledger.Actor, unit identity.Agency) error {
	id := sealPrefix + newID()
	if _, err := i.h.Ledger.Append(ctx, ledger.Event{
		ID: newID(), Type: "signer.seal.key_making", Class: ledger.ClassSeal, Time: i.h.now(), Actor: actor, Action: "make_key",
		Object: ledger.Object{Kind: "seal_key", ID: id}, Outcome: ledger.Success, Payload: signer.Digest([]byte(id)), Details: map[string]string{"unit": string(unit.USCC)},
	}); err != nil {
		return fmt.Errorf("app: record before a key is made: %w", err)
	}
	_, err := i.h.custody.dir.Create(ctx, keys.Spec{ID: id, Algorithm: keys.SM2, Purpose: keys.PurposeSign, Owner: string(unit.USCC)})
	if err != nil {
		return fmt.Errorf("app: key of seal: %w", err)
	}
	return nil
}

// Request implements desk.Imports (RFC 2986): it names the unit as our own
// certificates do, and proves that the key is in custody.
func (i imports) Request(ctx context.Context, k console.SealKey) ([]byte, error) {
	key, err := i.h.custody.Signer(ctx, k.ID)
	if err != nil {
		return nil, err
	}
	der, err := smx509.CreateCertificateRequest(i.h.cfg.Rand, &smx509.CertificateRequest{SignatureAlgorithm: smx509.SM2WithSM3, Subject: pkix.Name{
		Country: []string{"CN"}, Organization: []string{k.UnitName}, CommonName: k.UnitName,
		ExtraNames: []pkix.AttributeTypeAndValue{{Type: profile.OrganizationIdentifier(), Value: k.Unit}},
	}}, key)
	if err != nil {
		return nil, fmt.Errorf("app: request for key %s: %w", k.ID, err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: der}), nil
}

// Import brings a seal into the house (life.Service.Import) and returns its
// number. Which of the certificates is the signer's, the key says; which service
// is behind it and under which licence, the operator's list of anchors.
func (i imports) Import(ctx context.Context, actor ledger.Actor, f console.ImportForm) (string, error) {
	rec, err := i.h.custody.dir.Record(ctx, f.KeyID)
	if errors.Is(err, keys.ErrNotFound) {
		err = &life.ImportError{Code: life.ImportKey, Err: err}
	}
	if err != nil {
		return "", err
	}
	held, err := rec.Public()
	if err != nil {
		return "", fmt.Errorf("app: key %s: %w", f.KeyID, err)
	}
	parsed, err := seal.ParseSeal(f.Seal)
	if err != nil {
		return "", &life.ImportError{Code: life.ImportSeal, Err: err}
	}
	all := append(slices.Clone(f.Certificates), parsed.Certs...) // a seal may hold them itself
	mine := slices.IndexFunc(all, func(der []byte) bool {
		pub, err := seal.PublicKey(der)
		return err == nil && pub.Equal(held)
	})
	if mine < 0 {
		return "", &life.ImportError{Code: life.ImportKey, Err: fmt.Errorf("no certificate is of key %s", f.KeyID)}
	}
	e, _, err := i.h.Life.Import(ctx, actor, life.ImportSpec{
		Unit: rec.Owner, Kind: f.Kind, Purpose: f.Purpose, SealDER: f.Seal, CertDER: all[mine], Chain: f.Certificates, KeyID: f.KeyID,
		Filing: f.Filing, Authorisation: f.Authorisation,
	})
	return e.ID, err
}
