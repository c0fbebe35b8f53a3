package keys

import (
	"context"
	"fmt"
	"io"
)

// People keeps the signing keys of persons in a Dir. Each opens with that
// person's PIN and the service's secret together, at the moment of signing;
// close the key when the act is done.
type People struct {
	Dir     *Dir
	Service Passphrase // the service's secret, at least 32 bytes
}

// Create makes the SM2 signing key of a person under id.
func (p People) Create(ctx context.Context, id, person, pin string) (Record, error) {
	salt := make([]byte, saltSize)
	if _, err := io.ReadFull(p.Dir.cfg.Rand, salt); err != nil {
		return Record{}, fmt.Errorf("keys: reading randomness: %w", err)
	}
	pass, err := p.passphrase(pin, salt)
	if err != nil {
		return Record{}, err
	}
	defer clear(pass)
	return p.Dir.Create(ctx, Spec{ID: id, Algorithm: SM2, Purpose: PurposeSign, Owner: person, Passphrase: pass, Salt: salt})
}

// Open returns a person's key; ErrPassphrase for a wrong PIN.
func (p People) Open(ctx context.Context, id, pin string) (Signer, error) {
	rec, err := p.Dir.Record(ctx, id)
	if err != nil {
		return nil, err
	}
	if len(rec.Salt) == 0 {
		return nil, fmt.Errorf("%w: %s is not a person's key", ErrPurpose, id)
	}
	if CheckPIN(pin) != nil {
		return nil, ErrPassphrase // a PIN that could not have been set is a wrong one
	}
	pass, err := p.passphrase(pin, rec.Salt)
	if err != nil {
		return nil, err
	}
	defer clear(pass)
	return p.Dir.Open(ctx, id, pass)
}

// ChangePIN wraps a person's key anew; ErrPassphrase for a wrong old PIN, ErrWeak
// for a new one that may not be set. The key, its record and its salt stay.
func (p People) ChangePIN(ctx context.Context, id, old, pin string) error {
	rec, err := p.Dir.Record(ctx, id)
	if err != nil {
		return err
	}
	if len(rec.Salt) == 0 {
		return fmt.Errorf("%w: %s is not a person's key", ErrPurpose, id)
	}
	if CheckPIN(old) != nil {
		return ErrPassphrase
	}
	was, err := p.passphrase(old, rec.Salt)
	if err != nil {
		return err
	}
	defer clear(was)
	pass, err := p.passphrase(pin, rec.Salt)
	if err != nil {
		return err
	}
	defer clear(pass)
	return p.Dir.rewrap(ctx, id, was, pass)
}

func (p People) passphrase(pin string, salt []byte) ([]byte, error) {
	service, err := p.Service()
	if err != nil {
		return nil, err
	}
	return PersonPassphrase(service, pin, salt, p.Dir.cfg.Work)
}
