package app

import (
	"bytes"
	"cmp"
	"context"
	"crypto/ecdsa"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/emmansun/gmsm/smx509"

	"github.com/yinxin-gov/yinxin/ca"
	"github.com/yinxin-gov/yinxin/ca/profile"
)

// ownKey is one of the keys that a house certifies when it is founded.
type ownKey struct {
	id, file, name string
	kind           ca.Kind
	profile        profile.Name
}

func ownKeys() []ownKey {
	return []ownKey{
		{keyLedger, fileLedgerCert, "台账检查点签名", ca.KindService, profile.SM2Ledger},
		{keyExchange, fileExchangeCert, "交换服务签名", ca.KindService, profile.SM2Exchange},
		{keyMaker, fileMakerCert, "制章系统", ca.KindMaker, profile.SM2Maker},
	}
}

// ownCertificates keeps the certificates of those keys fresh: each is followed by
// another one for the same key once two thirds of its life are over, and when
// another authority issues. The registry decides which one is in force, and the
// file in the anchors folder follows it, so that every node comes to the same one.
// What was signed before carries the certificate of its time, which stays what it
// was to its own end.
type ownCertificates struct {
	house *House
	keys  []ownKey

	mu     sync.Mutex
	rows   map[string]ca.Certificate // guarded by mu; in force, by key
	looked time.Time                 // guarded by mu: when the registry was asked
	under  string                    // guarded by mu: who issued then
}

// openOwn refuses a house whose keys have no certificate: founding made them.
func (h *House) openOwn(ctx context.Context) error {
	o := &ownCertificates{house: h, keys: ownKeys(), rows: map[string]ca.Certificate{}}
	for _, k := range o.keys {
		row, err := o.newest(ctx, k)
		if err != nil {
			return err
		}
		o.rows[k.id] = row
	}
	h.own = o
	if err := o.keep(ctx); err != nil { // what is there serves until its end
		h.cfg.Log.ErrorContext(ctx, "certificates of the house's own keys do not renew", "error", err)
	}
	return nil
}

// keep does what is due, at most once in a while unless another authority issues
// since.
func (o *ownCertificates) keep(ctx context.Context) error {
	set, err := o.house.Succession.Set(ctx)
	if err != nil {
		return err
	}
	issuer, now := set.Issuing(profile.SM2)[0], o.house.cfg.Now()
	o.mu.Lock()
	wait := o.under == issuer.ID() && now.Sub(o.looked).Abs() < quiet
	o.looked, o.under = now, issuer.ID()
	o.mu.Unlock()
	if wait {
		return nil
	}
	end, err := o.house.Closing.Horizon(ctx)
	if err != nil {
		return err
	}
	if end.IsZero() || end.After(issuer.Certificate.NotAfter) {
		end = issuer.Certificate.NotAfter
	}
	var errs []error
	for _, k := range o.keys {
		errs = append(errs, o.follow(ctx, k, issuer.ID(), end))
	}
	return errors.Join(errs...)
}

// follow takes what the registry says is in force, after a follower was made if one
// is due: issuer issues now, and gives nothing that lives beyond end.
func (o *ownCertificates) follow(ctx context.Context, k ownKey, issuer string, end time.Time) error {
	row, err := o.newest(ctx, k)
	if err != nil {
		return err
	}
	var failed error
	if o.due(row, issuer, end) {
		_, err := o.house.CA.RenewOwn(ctx, o.house.service(), row, k.profile)
		switch {
		case errors.Is(err, ca.ErrClosing): // a service that ends goes on with what it has
		case err != nil:
			failed = fmt.Errorf("app: renew the certificate of %s, good until %s: %w", k.id, row.NotAfter.UTC().Format(time.RFC3339), err)
		default: // of two that nodes made at once, one is in force
			if row, err = o.newest(ctx, k); err != nil {
				return err
			}
		}
	}
	o.mu.Lock()
	o.rows[k.id] = row
	o.mu.Unlock()
	dir := o.house.cfg.Dir
	if have, err := readDER(dir, k.file); err != nil || !bytes.Equal(have, row.DER) {
		failed = errors.Join(failed, saveCert(dir, k.file, row.DER))
	}
	return failed
}

// due: two thirds of its life are over, and a follower would live longer; or the
// authority that issued it has retired.
func (o *ownCertificates) due(row ca.Certificate, issuer string, end time.Time) bool {
	if row.Issuer != issuer {
		return true
	}
	late := row.NotBefore.Add(row.NotAfter.Sub(row.NotBefore) * 2 / 3)
	return !o.house.cfg.Now().Before(late) && row.NotAfter.Add(quiet).Before(end)
}

// newest is the last certificate that was signed for the key that this node holds.
// Its issuer's signature is checked: others than the house may write to a store.
func (o *ownCertificates) newest(ctx context.Context, k ownKey) (ca.Certificate, error) {
	public, err := ecPublic(o.house.custody.signer(k.id))
	if err != nil {
		return ca.Certificate{}, err
	}
	last, err := k.newest(ctx, o.house.rooms.CA, public)
	if err != nil {
		return ca.Certificate{}, err
	}
	if last.DER == nil {
		return ca.Certificate{}, fmt.Errorf("%w: none for the key %s", ca.ErrNotFound, k.id)
	}
	crt, by, err := certificateOf(ctx, o.house.sm2(), last.DER)
	if err == nil {
		err = crt.CheckSignatureFrom(by.Certificate)
	}
	if err != nil {
		return ca.Certificate{}, fmt.Errorf("app: certificate of %s: %w", k.id, err)
	}
	return last, nil
}

// newest finds it among the rows; without one it is empty. The serial decides
// between two of the same second.
func (k ownKey) newest(ctx context.Context, registry ca.Registry, public *ecdsa.PublicKey) (last ca.Certificate, err error) {
	all, err := registry.CertificatesOf(ctx, k.id)
	if err != nil {
		return last, fmt.Errorf("app: certificates of %s: %w", k.id, err)
	}
	for _, c := range all {
		if c.Kind != k.kind || c.DER == nil || cmp.Or(c.NotBefore.Compare(last.NotBefore), cmp.Compare(c.Serial, last.Serial)) < 0 {
			continue
		}
		if crt, err := smx509.ParseCertificate(c.DER); err == nil && public.Equal(crt.PublicKey) {
			last = c
		}
	}
	return last, nil
}

// der is the certificate of a key, whatever became of it since the last look.
func (o *ownCertificates) der(id string) []byte {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.rows[id].DER
}

// inForce is the certificate that a key signs with now. One that was withdrawn is
// refused at once: no other is made for its key.
func (o *ownCertificates) inForce(ctx context.Context, id string) ([]byte, error) {
	o.mu.Lock()
	row := o.rows[id]
	o.mu.Unlock()
	now, err := o.house.rooms.CA.Certificate(ctx, row.Issuer, row.Serial)
	if err != nil {
		return nil, fmt.Errorf("app: certificate of %s: %w", id, err)
	}
	if now.State != ca.StateGood {
		return nil, fmt.Errorf("app: certificate of %s: %w: %s", id, ca.ErrState, now.State)
	}
	return row.DER, nil
}

// signing is inForce for one key, for rooms that sign with it.
func (o *ownCertificates) signing(id string) func(context.Context) ([]byte, error) {
	return func(ctx context.Context) ([]byte, error) { return o.inForce(ctx, id) }
}
