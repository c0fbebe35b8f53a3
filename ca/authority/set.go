package authority

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"slices"

	"github.com/emmansun/gmsm/smx509"

	"github.com/yinxin-gov/yinxin/ca"
	"github.com/yinxin-gov/yinxin/ca/profile"
)

// Authority is a certificate of an authority with its place in the succession.
type Authority struct {
	Member
	Generation  int
	State       State
	Certificate *smx509.Certificate
	TLS         *x509.Certificate // the same as crypto/tls takes it; nil on the SM2 track
}

// ID is that of the authority that it certifies: of certificates for one name
// and key there is one id.
func (a Authority) ID() string { return ca.IssuerID(a.Certificate) }

// Set is every authority of the house at one time. It is not changed after it
// was made.
type Set struct {
	generations []Generation
	all         []Authority // newest generation first
}

func newSet(generations []Generation) (*Set, error) {
	s := &Set{generations: generations}
	for _, g := range slices.Backward(generations) {
		if !g.State.Counts() {
			continue
		}
		for _, m := range g.Members {
			cert, err := smx509.ParseCertificate(m.DER)
			if err != nil {
				return nil, fmt.Errorf("authority: certificate of generation %d: %w", g.Number, err)
			}
			a := Authority{Member: m, Generation: g.Number, State: g.State, Certificate: cert}
			if m.Track == profile.ECDSA {
				if a.TLS, err = x509.ParseCertificate(m.DER); err != nil {
					return nil, fmt.Errorf("authority: certificate of generation %d: %w", g.Number, err)
				}
			}
			s.all = append(s.all, a)
		}
	}
	for _, track := range []profile.Algorithm{profile.SM2, profile.ECDSA} {
		if _, err := s.current(track); err != nil {
			return nil, err
		}
	}
	return s, nil
}

func (s *Set) standings() []Standing {
	out := make([]Standing, len(s.generations))
	for i, g := range s.generations {
		out[i] = Standing{g.Number, g.State}
	}
	return out
}

// All are the certificates of every generation, the newest first.
func (s *Set) All() []Authority { return slices.Clone(s.all) }

// Generations are all of them by number, also those that were given up.
func (s *Set) Generations() []Generation { return slices.Clone(s.generations) }

// of lists authorities of a kind on a track, the current one first.
func (s *Set) of(track profile.Algorithm, kind Kind) []Authority {
	var first, rest []Authority
	for _, a := range s.all {
		switch {
		case a.Track != track || a.Kind != kind:
		case a.State == Current:
			first = append(first, a)
		default:
			rest = append(rest, a)
		}
	}
	return append(first, rest...)
}

// Roots and Issuing are those of a track. The current issuing authority is the
// first; of roots it is the one above it.
func (s *Set) Roots(track profile.Algorithm) []Authority {
	roots := s.of(track, Root)
	if cur, err := s.current(track); err == nil {
		slices.SortStableFunc(roots, func(a, b Authority) int { return -boolCompare(a.ID() == cur.Issuer, b.ID() == cur.Issuer) })
	}
	return roots
}

func boolCompare(a, b bool) int {
	switch {
	case a == b:
		return 0
	case a:
		return 1
	}
	return -1
}

// Issuing authorities of a track, the current one first.
func (s *Set) Issuing(track profile.Algorithm) []Authority { return s.of(track, Issuing) }

func (s *Set) current(track profile.Algorithm) (Authority, error) {
	all := s.of(track, Issuing)
	if len(all) == 0 || all[0].State != Current {
		return Authority{}, fmt.Errorf("%w: no current %s authority", ca.ErrNoIssuer, track)
	}
	return all[0], nil
}

func (s *Set) root(id string) (Authority, bool) {
	i := slices.IndexFunc(s.all, func(a Authority) bool { return a.Kind == Root && a.ID() == id })
	if i < 0 {
		return Authority{}, false
	}
	return s.all[i], true
}

// above is what stands over an issuing authority: its root, and certificates by
// which the holders of another root get to it (RFC 4210 4.4).
func (s *Set) above(a Authority) (out [][]byte) {
	if r, ok := s.root(a.Issuer); ok {
		out = append(out, r.Certificate.Raw)
	}
	// Some verifiers take the first way that they find and count as RFC 5280 does,
	// some try every way and count self-issued certificates too.
	for _, kinds := range [][]Kind{{NewWithOld, OldWithNew}, {Bridge}} {
		for _, b := range s.all {
			if slices.Contains(kinds, b.Kind) && (b.ID() == a.Issuer || b.ID() == a.ID()) {
				out = append(out, b.Certificate.Raw)
			}
		}
	}
	return out
}

// Set is what stands now: it asks the register whether anything changed, so that
// a change counts on every node with the next question.
func (s *Service) Set(ctx context.Context) (*Set, error) {
	now, err := s.cfg.Register.Standings(ctx)
	if err != nil {
		return nil, fmt.Errorf("authority: read register: %w", err)
	}
	last := s.Known()
	if last != nil && slices.Equal(last.standings(), s.orFounding(now)) {
		return last, nil
	}
	all, err := s.cfg.Register.Generations(ctx)
	if err != nil {
		return nil, fmt.Errorf("authority: read register: %w", err)
	}
	if len(all) == 0 {
		all = []Generation{s.cfg.Founding}
	}
	set, err := newSet(all)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	s.last = set
	s.mu.Unlock()
	return set, nil
}

func (s *Service) orFounding(now []Standing) []Standing {
	if len(now) == 0 {
		return []Standing{{s.cfg.Founding.Number, s.cfg.Founding.State}}
	}
	return now
}

// Known is the set that was read last, for what must be said without a question
// that can fail; nil before the first look.
func (s *Service) Known() *Set {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.last
}

// seen is the set that was read last: what may be recognised does not need the
// newest word, because a generation is known long before it issues.
func (s *Service) seen(ctx context.Context) (*Set, error) {
	if last := s.Known(); last != nil {
		return last, nil
	}
	return s.Set(ctx)
}

// Track is one track as the rooms that issue know it.
func (s *Service) Track(track profile.Algorithm) ca.Issuers { return issuers{s, track} }

type issuers struct {
	s     *Service
	track profile.Algorithm
}

// Current implements ca.Issuers.
func (i issuers) Current(ctx context.Context) (ca.Issuer, error) {
	set, err := i.s.Set(ctx)
	if err != nil {
		return ca.Issuer{}, err
	}
	a, err := set.current(i.track)
	if err != nil {
		return ca.Issuer{}, err
	}
	key, err := i.s.cfg.Keys.Signer(ctx, a.Key)
	if err != nil {
		return ca.Issuer{}, errors.Join(fmt.Errorf("%w: key of generation %d", ca.ErrNoIssuer, a.Generation), err)
	}
	return ca.Issuer{Certificate: a.Certificate, Signer: key, Above: set.above(a)}, nil
}

// All implements ca.Issuers.
func (i issuers) All(ctx context.Context) (out []ca.Issuer, err error) {
	set, err := i.s.seen(ctx)
	if err != nil {
		return nil, err
	}
	for _, a := range set.Issuing(i.track) {
		out = append(out, ca.Issuer{Certificate: a.Certificate, Above: set.above(a)})
	}
	return out, nil
}
