package app

import (
	"context"
	"errors"
	"fmt"

	"github.com/emmansun/gmsm/smx509"

	"github.com/yinxin-gov/yinxin/ca/authority"
	"github.com/yinxin-gov/yinxin/ca/ceremony"
	"github.com/yinxin-gov/yinxin/ca/status"
)

// New roots of a house with offline roots are made in a room of their own, brought
// here with the change that asks for them, and sign together with the old ones.

// NewRoots verifies the ceremony that made new roots for this house, keeps its
// record and returns them, SM2 first. They count for nothing yet: whether they fit
// is the succession's to say, and whether they are those of the room the room sees
// when it is asked to certify them.
func (h *House) NewRoots(ctx context.Context, raw []byte) ([]*smx509.Certificate, error) {
	if !h.cfg.OfflineRoot {
		return nil, fmt.Errorf("%w: this house makes its roots itself", authority.ErrInvalid)
	}
	_, rec, roots, sum, err := readOutcome(raw, nil)
	if err == nil && (rec.Kind != ceremony.RecordRoot || rec.Organization != h.cfg.Organization || len(roots) != 2) {
		err = fmt.Errorf("%w: it made no roots for %q", ceremony.ErrRecord, h.cfg.Organization)
	}
	if err != nil {
		return nil, err
	}
	return roots, errors.Join(keepOutcome(h.cfg, raw, sum), h.importedEvent(ctx, rec, sum))
}

// rootsAtWork are the roots that an outcome names, when they are the house's:
// pairs of one generation, and those of the generation that waits for its roots
// only beside an older pair.
func (h *House) rootsAtWork(ctx context.Context, raw []byte, awaited authority.Generation) ([]*smx509.Certificate, error) {
	out, err := ceremony.ReadOutcome(raw)
	if err != nil {
		return nil, err
	}
	roots, err := out.RootCertificates()
	if err != nil {
		return nil, err
	}
	set, err := h.Succession.Set(ctx)
	if err != nil {
		return nil, err
	}
	of := map[string]int{}
	for _, a := range set.All() {
		if a.Kind == authority.Root {
			of[string(a.Certificate.Raw)] = a.Generation
		}
	}
	for _, m := range awaited.Members {
		if m.Kind == authority.Root {
			of[string(m.DER)] = awaited.Number
		}
	}
	for i := 0; i < len(roots); i += 2 {
		sm2, ecdsa := of[string(roots[i].Raw)], of[string(roots[i+1].Raw)]
		if sm2 == 0 || sm2 != ecdsa || i == 0 && sm2 == awaited.Number {
			return nil, fmt.Errorf("%w: it is of other roots than those of this house", ceremony.ErrRecord)
		}
	}
	return roots, nil
}

// listAwaited lets the status service keep lists of the new roots of a generation
// that waits for them: certificates name the lists from the first one on.
func (h *House) listAwaited(g authority.Generation) error {
	for _, m := range g.Members {
		if m.Kind != authority.Root {
			continue
		}
		root, err := smx509.ParseCertificate(m.DER)
		if err != nil {
			return fmt.Errorf("app: new root: %w", err)
		}
		if err := h.CertStatus.Add(status.Authority{Certificate: root, Offline: true}); err != nil && !errors.Is(err, status.ErrKnown) {
			return err
		}
	}
	return nil
}
