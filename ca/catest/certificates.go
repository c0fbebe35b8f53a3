package catest

import (
	"bytes"
	"context"
	"encoding/hex"
	"fmt"
	"regexp"
	"slices"
	"time"

	"github.com/emmansun/gmsm/sm3"
	"github.com/emmansun/gmsm/smx509"

	"github.com/yinxin-gov/yinxin/authz/ledger"
	"github.com/yinxin-gov/yinxin/ca"
	"github.com/yinxin-gov/yinxin/ca/status"
)

// Reserve implements ca.Registry: pending rows with their bytes and without a
// signature; a pair comes whole, with its escrowed key.
func (r *Registry) Reserve(_ context.Context, certs []ca.Certificate, key *ca.EscrowedKey, ev ledger.Event) (ledger.Receipt, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if err := r.enter("Reserve"); err != nil {
		return ledger.Receipt{}, err
	}
	return r.reserve(certs, key, ev)
}

// ReserveOnce implements ca.Registry. Its failure is planned with that of Reserve.
func (r *Registry) ReserveOnce(_ context.Context, by ca.OneTime, certs []ca.Certificate, ev ledger.Event) (ledger.Receipt, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if err := r.enter("Reserve"); err != nil {
		return ledger.Receipt{}, err
	}
	if by.ID == "" || by.Expires.IsZero() {
		return ledger.Receipt{}, fmt.Errorf("%w: a one-time token without id or end", ErrInvariant)
	}
	if _, used := r.once[by.ID]; used {
		return ledger.Receipt{}, ca.ErrToken
	}
	rc, err := r.reserve(certs, nil, ev)
	if err == nil {
		r.once[by.ID] = by.Expires
	}
	return rc, err
}

// reserve runs under mu.
func (r *Registry) reserve(certs []ca.Certificate, key *ca.EscrowedKey, ev ledger.Event) (ledger.Receipt, error) {
	if r.ends != nil {
		end := r.ends()
		for _, c := range certs {
			if !end.IsZero() && !c.NotAfter.Before(end) {
				return ledger.Receipt{}, &ca.ClosingError{Until: end}
			}
		}
	}
	fresh := map[[2]string]bool{}
	for _, c := range certs {
		k := [2]string{c.Issuer, c.Serial}
		if _, dup := r.certs[k]; dup || fresh[k] {
			return ledger.Receipt{}, ca.ErrExists
		}
		fresh[k] = true
		if err := reservable(c); err != nil {
			return ledger.Receipt{}, err
		}
	}
	if len(certs) == 0 {
		return ledger.Receipt{}, fmt.Errorf("%w: nothing to reserve", ErrInvariant)
	}
	if key != nil {
		if _, dup := r.keys[key.Pair]; dup {
			return ledger.Receipt{}, ca.ErrExists
		}
		if len(certs) != 2 || certs[0].Pair != key.Pair || certs[1].Pair != key.Pair || len(key.Wrapped) == 0 || key.KEK == "" {
			return ledger.Receipt{}, fmt.Errorf("%w: escrowed key without its pair", ErrInvariant)
		}
	}
	rc, err := r.record(ev)
	if err != nil {
		return rc, err
	}
	certs = r.traced(certs)
	for _, c := range certs {
		k := [2]string{c.Issuer, c.Serial}
		r.certs[k] = c
		r.order = append(r.order, k)
	}
	if key != nil {
		r.keys[key.Pair] = *key
	}
	return rc, nil
}

// traced finds the predecessors that origins do not name, among what was there
// before. It runs under mu.
func (r *Registry) traced(certs []ca.Certificate) []ca.Certificate {
	certs = slices.Clone(certs)
	for i, c := range certs {
		line := c.Line()
		if known := r.lines[c.Origin.Previous]; known != "" {
			line = known
		}
		for _, k := range r.order {
			if old := r.certs[k]; c.Origin.Previous == "" && old.Signed() && r.lines[old.Name()] == line {
				certs[i].Origin.Previous = old.Name()
			}
		}
		r.lines[c.Name()] = line
	}
	return certs
}

func reservable(c ca.Certificate) error {
	sum := sm3.Sum(c.TBS)
	serial := regexp.MustCompile(`^[1-9a-f][0-9a-f]*$`)
	switch {
	case c.State != ca.StatePending || c.DER != nil:
		return fmt.Errorf("%w: a reserved certificate is pending and unsigned", ErrInvariant)
	case len(c.TBS) == 0 || c.TBSSM3 != hex.EncodeToString(sum[:]):
		return fmt.Errorf("%w: to-be-signed bytes and their SM3 differ", ErrInvariant)
	case len(c.Issuer) != 64 || !serial.MatchString(c.Serial):
		return fmt.Errorf("%w: issuer or serial", ErrInvariant)
	case c.Kind != ca.KindService && c.Kind.Paired() != (c.Pair != ""): // the house has pairs as a service
		return fmt.Errorf("%w: pair", ErrInvariant)
	}
	return nil
}

// Activate implements ca.Registry. The signed bytes must be the recorded ones.
func (r *Registry) Activate(_ context.Context, certs []ca.Certificate, ev ledger.Event) (ledger.Receipt, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if err := r.enter("Activate"); err != nil {
		return ledger.Receipt{}, err
	}
	return r.activate(certs, ev, func() {})
}

// activate runs under mu.
func (r *Registry) activate(certs []ca.Certificate, ev ledger.Event, also func()) (ledger.Receipt, error) {
	for _, c := range certs {
		old, ok := r.certs[[2]string{c.Issuer, c.Serial}]
		if !ok {
			return ledger.Receipt{}, ca.ErrNotFound
		}
		if old.State != ca.StatePending {
			return ledger.Receipt{}, ca.ErrState
		}
		cert, err := smx509.ParseCertificate(c.DER)
		if err != nil {
			return ledger.Receipt{}, fmt.Errorf("%w: %w", ErrInvariant, err)
		}
		if !bytes.Equal(cert.RawTBSCertificate, old.TBS) {
			return ledger.Receipt{}, fmt.Errorf("%w: signed other bytes than recorded", ErrInvariant)
		}
	}
	rc, err := r.record(ev)
	if err != nil {
		return rc, err
	}
	for _, c := range certs {
		k := [2]string{c.Issuer, c.Serial}
		old := r.certs[k]
		old.State, old.DER = ca.StateGood, bytes.Clone(c.DER)
		r.certs[k] = old
	}
	also()
	return rc, nil
}

// Invalidate implements ca.Registry.
func (r *Registry) Invalidate(_ context.Context, issuer, serial string, from time.Time, ev ledger.Event) (ledger.Receipt, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if err := r.enter("Invalidate"); err != nil {
		return ledger.Receipt{}, err
	}
	k := [2]string{issuer, serial}
	c, ok := r.certs[k]
	have, dated := r.invalid[k]
	switch {
	case !ok:
		return ledger.Receipt{}, ca.ErrNotFound
	case c.State != ca.StateRevoked:
		return ledger.Receipt{}, ca.ErrState
	case from.IsZero():
		return ledger.Receipt{}, fmt.Errorf("%w: no date", ErrInvariant)
	case dated && !from.Before(have):
		return ledger.Receipt{}, ca.ErrExists
	}
	rc, err := r.record(ev)
	if err == nil {
		r.invalid[k] = from
		r.changes = append(r.changes, status.Key{Issuer: issuer, Serial: serial})
	}
	return rc, err
}

// SetState implements ca.Registry.
func (r *Registry) SetState(_ context.Context, issuer, serial string, s ca.State, reason int, at time.Time, ev ledger.Event) (ledger.Receipt, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if err := r.enter("SetState"); err != nil {
		return ledger.Receipt{}, err
	}
	return r.move(issuer, serial, s, reason, at, ev, func() {})
}

// move changes a certificate and the other half of its pair, both or none, and
// then what else belongs to the act. It runs under mu.
func (r *Registry) move(issuer, serial string, s ca.State, reason int, at time.Time, ev ledger.Event, also func()) (ledger.Receipt, error) {
	named, ok := r.certs[[2]string{issuer, serial}]
	if !ok {
		return ledger.Receipt{}, ca.ErrNotFound
	}
	var moves [][2]string
	for _, k := range r.order {
		c := r.certs[k]
		if k != [2]string{issuer, serial} && (named.Pair == "" || c.Pair != named.Pair) {
			continue
		}
		legal := c.State == ca.StateGood && (s == ca.StateHold || s == ca.StateRevoked) ||
			c.State == ca.StateHold && (s == ca.StateGood || s == ca.StateRevoked)
		switch {
		case c.State == ca.StateRevoked:
			return ledger.Receipt{}, ca.ErrRevoked
		case !legal:
			return ledger.Receipt{}, ca.ErrState
		}
		moves = append(moves, k)
	}
	rc, err := r.record(ev)
	if err != nil {
		return rc, err
	}
	for _, k := range moves {
		c := r.certs[k]
		c.State, c.Reason, c.RevokedAt = s, reason, at
		if s == ca.StateGood {
			c.Reason, c.RevokedAt = 0, time.Time{}
		}
		r.certs[k] = c
		r.changes = append(r.changes, status.Key{Issuer: k[0], Serial: k[1]})
	}
	also()
	return rc, nil
}

// Certificate implements ca.Registry.
func (r *Registry) Certificate(_ context.Context, issuer, serial string) (ca.Certificate, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	c, ok := r.certs[[2]string{issuer, serial}]
	if !ok {
		return ca.Certificate{}, ca.ErrNotFound
	}
	return c, nil
}

// CertificatesOfPerson implements ca.Persons.
func (r *Registry) CertificatesOfPerson(_ context.Context, person string) ([]ca.Certificate, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	var out []ca.Certificate
	for _, k := range r.order {
		if c := r.certs[k]; c.Person == person && person != "" {
			out = append(out, c)
		}
	}
	return out, nil
}

// CertificatesOf implements ca.Registry.
func (r *Registry) CertificatesOf(_ context.Context, system string) ([]ca.Certificate, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	var out []ca.Certificate
	for _, k := range r.order {
		if c := r.certs[k]; c.System == system {
			out = append(out, c)
		}
	}
	return out, nil
}
