package agent

import (
	"bytes"
	"context"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"net/http"
	"path/filepath"
	"time"

	"github.com/emmansun/gmsm/smx509"

	"github.com/yinxin-gov/yinxin/internal/api/wire"
)

// maxRoots bounds how many roots of one track a folder holds.
const maxRoots = 8

// LearnRoots asks the house whether it has new roots, and pins those for which a
// pinned root vouches (RFC 4210 4.4): the old root's key signed the new root's
// key. Roots that are pinned stay. It returns the names of those that are new;
// whatever else the house says changes nothing, and is ErrServer when it looks
// like a roll-over and is none.
func (a *Agent) LearnRoots(ctx context.Context) (names []string, err error) {
	var said []wire.RootUpdate
	if err := call(ctx, a.direct, http.MethodGet, a.home.JoinPath(wire.PathRollover).String(), nil, &said); err != nil {
		return nil, err
	}
	next := a.cfg
	for _, u := range said {
		fresh, err := next.newRoot(u)
		if err != nil {
			return nil, err
		}
		if fresh == nil {
			continue
		}
		if err := next.pin(u.Track, fresh); err != nil {
			return nil, err
		}
		names = append(names, fresh.Subject.CommonName+" "+sm3Hex(fresh.Raw))
	}
	if len(names) == 0 {
		return nil, nil
	}
	unlock, err := lock(ctx, a.cfg.Dir)
	if err != nil {
		return nil, err
	}
	defer unlock()
	return names, next.keepRoots()
}

// newRoot checks one roll-over; nil when its root is pinned already.
func (c Config) newRoot(u wire.RootUpdate) (*smx509.Certificate, error) {
	bad := func(why error) error {
		return fmt.Errorf("%w: roll-over of the %.8s roots: %w", ErrServer, u.Track, why)
	}
	fresh, err := smx509.ParseCertificate(u.NewWithNew)
	if err != nil {
		return nil, bad(err)
	}
	link, err := smx509.ParseCertificate(u.NewWithOld)
	if err != nil {
		return nil, bad(err)
	}
	pinned, err := c.pinned(u.Track)
	if err != nil {
		return nil, bad(err)
	}
	var vouching *smx509.Certificate
	for _, p := range pinned {
		if bytes.Equal(p.Raw, fresh.Raw) {
			return nil, nil
		}
		if bytes.Equal(p.RawSubject, link.RawIssuer) && link.CheckSignatureFrom(p) == nil {
			vouching = p
		}
	}
	now := c.now()
	switch {
	case vouching == nil:
		return nil, bad(errors.New("no pinned root signed it"))
	case now.After(vouching.NotAfter) || now.Before(link.NotBefore) || now.After(link.NotAfter) || now.Before(fresh.NotBefore) || now.After(fresh.NotAfter):
		return nil, bad(errors.New("out of its period"))
	case !bytes.Equal(fresh.RawSubjectPublicKeyInfo, link.RawSubjectPublicKeyInfo) || !bytes.Equal(fresh.RawSubject, link.RawSubject):
		return nil, bad(errors.New("the new root is not the one that the old root vouches for"))
	case fresh.CheckSignatureFrom(fresh) != nil:
		return nil, bad(errors.New("the new root does not sign itself"))
	// What the old root signed has to be an authority's certificate, made for a root:
	// an issuing authority has no other below it.
	case !link.IsCA || link.MaxPathLen < 1 || !fresh.IsCA || fresh.KeyUsage&smx509.KeyUsageCertSign == 0:
		return nil, bad(errors.New("no certificate of a root"))
	case fresh.SignatureAlgorithm != vouching.SignatureAlgorithm || fresh.NotAfter.Before(vouching.NotAfter) || fresh.NotBefore.Before(vouching.NotBefore):
		return nil, bad(errors.New("of another track, or older than the root that is pinned"))
	case len(pinned) >= maxRoots:
		return nil, bad(errors.New("too many roots"))
	}
	return fresh, nil
}

// pinned are the roots of a track; the first is the one that was joined with.
func (c Config) pinned(track string) ([]*smx509.Certificate, error) {
	switch track {
	case wire.TrackSM2:
		return append([]*smx509.Certificate{c.SM2Root}, c.SM2Also...), nil
	case wire.TrackECDSA:
		var out []*smx509.Certificate
		for _, r := range append([]*x509.Certificate{c.TLSRoot}, c.TLSAlso...) {
			same, err := smx509.ParseCertificate(r.Raw)
			if err != nil {
				return nil, err
			}
			out = append(out, same)
		}
		return out, nil
	}
	return nil, errors.New("no such track")
}

func (c *Config) pin(track string, fresh *smx509.Certificate) error {
	if track == wire.TrackSM2 {
		c.SM2Also = append(c.SM2Also[:len(c.SM2Also):len(c.SM2Also)], fresh)
		return nil
	}
	same, err := x509.ParseCertificate(fresh.Raw)
	if err != nil {
		return fmt.Errorf("%w: new root: %w", ErrServer, err)
	}
	c.TLSAlso = append(c.TLSAlso[:len(c.TLSAlso):len(c.TLSAlso)], same)
	return nil
}

// keepRoots writes the pinned roots of both tracks, each file whole or not at
// all; the root that was joined with stands first.
func (c Config) keepRoots() error {
	at := filepath.Join(c.Dir, dirHouse)
	tls, sm2 := [][]byte{c.TLSRoot.Raw}, [][]byte{c.SM2Root.Raw}
	for _, r := range c.TLSAlso {
		tls = append(tls, r.Raw)
	}
	for _, r := range c.SM2Also {
		sm2 = append(sm2, r.Raw)
	}
	return errors.Join(writeCerts(filepath.Join(at, fileTLSRoot), tls...), writeCerts(filepath.Join(at, fileSM2Root), sm2...))
}

// authorities are what the house names as its own now: it may have changed its
// issuing authority since this system got its certificates. They are links of a
// chain and no anchors.
func (a *Agent) authorities(ctx context.Context) (out []*smx509.Certificate, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, a.home.JoinPath(wire.PathAuthorities).String(), nil)
	if err != nil {
		return nil, fmt.Errorf("agent: %w", err)
	}
	rest, err := do(a.direct, req, maxAnswer)
	if err != nil {
		return nil, err
	}
	for len(out) < maxAuthorities {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			break
		}
		if c, err := smx509.ParseCertificate(block.Bytes); err == nil && c.IsCA {
			out = append(out, c)
		}
	}
	return out, nil
}

// maxAuthorities bounds what is taken of that list; see the house's own history.
const maxAuthorities = 100

// learnTimeout bounds a look at the house's roots, which stands behind a renewal.
const learnTimeout = time.Minute

// LearnRoots pins new roots of the house and goes on with them.
func (k *Keeper) LearnRoots(ctx context.Context) ([]string, error) {
	ctx, cancel := context.WithTimeout(ctx, learnTimeout)
	defer cancel()
	names, err := k.now().LearnRoots(ctx)
	if err != nil || len(names) == 0 {
		return nil, err
	}
	kept, err := Load(k.cfg.Dir)
	if err != nil {
		return names, err
	}
	k.mu.Lock()
	k.cfg.TLSAlso, k.cfg.SM2Also = kept.TLSAlso, kept.SM2Also
	cfg := k.cfg
	k.mu.Unlock()
	next, err := Open(cfg)
	if err != nil {
		return names, err
	}
	k.mu.Lock()
	was := k.a
	k.a = next
	k.mu.Unlock()
	was.Close()
	return names, nil
}
