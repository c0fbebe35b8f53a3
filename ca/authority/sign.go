package authority

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/emmansun/gmsm/smx509"

	"github.com/yinxin-gov/yinxin/authz/ledger"
	"github.com/yinxin-gov/yinxin/ca"
	"github.com/yinxin-gov/yinxin/ca/lint"
)

// signing makes the certificate of a recorded draft.
type signing func(ctx context.Context, m Member, d *ca.Draft) ([]byte, error)

// offline: a root signs the generation whose key is in a ceremony room.
func (s *Service) offline(g Generation) bool {
	return slices.ContainsFunc(g.Members, func(m Member) bool { return m.By == "" })
}

func (s *Service) online(ctx context.Context, m Member, d *ca.Draft) ([]byte, error) {
	key, err := s.cfg.Keys.Signer(ctx, m.By)
	if err != nil {
		return nil, fmt.Errorf("authority: key %s: %w", m.By, err)
	}
	return d.Sign(s.cfg.Rand, key)
}

// Awaited is the generation that waits for offline roots, and what they have to
// sign of it, for the order of a ceremony.
func (s *Service) Awaited(ctx context.Context) (Generation, []Member, error) {
	all, err := s.Generations(ctx)
	if err != nil {
		return Generation{}, nil, err
	}
	for _, g := range all {
		if g.State == Recorded && s.offline(g) {
			return g, slices.DeleteFunc(slices.Clone(g.Members), func(m Member) bool { return m.DER != nil }), nil
		}
	}
	return Generation{}, nil, nil
}

// Import takes what a ceremony signed, over exactly the recorded bytes. signed
// gives the signature over some bytes by a root. record is the digest of the
// ceremony's record, for the ledger.
func (s *Service) Import(ctx context.Context, actor ledger.Actor, signed func(root *smx509.Certificate, tbs []byte) ([]byte, error), record string) (Generation, error) {
	g, members, err := s.Awaited(ctx)
	if err != nil || len(members) == 0 {
		return g, err
	}
	return s.sign(ctx, actor, g, func(_ context.Context, m Member, d *ca.Draft) ([]byte, error) {
		if m.DER != nil { // a root, which its own ceremony signed
			return m.DER, nil
		}
		signature, err := signed(d.Issuer, m.TBS)
		if err != nil {
			return nil, err
		}
		der, err := lint.Assemble(m.TBS, signature)
		if err != nil {
			return nil, err
		}
		cert, err := smx509.ParseCertificate(der)
		if err != nil {
			return nil, fmt.Errorf("authority: read signed certificate: %w", err)
		}
		if err := cert.CheckSignatureFrom(d.Issuer); err != nil {
			return nil, fmt.Errorf("authority: the ceremony's signature does not verify: %w", err)
		}
		return der, nil
	}, record)
}

// Resume finishes what a process left: a generation that is recorded and not
// signed though its roots are here, and one that was given up and whose
// certificates are good still. It may run on any node at any time.
func (s *Service) Resume(ctx context.Context, actor ledger.Actor) error {
	all, err := s.cfg.Register.Generations(ctx)
	if err != nil {
		return fmt.Errorf("authority: read register: %w", err)
	}
	for _, g := range all {
		switch {
		case g.State == Recorded && !s.offline(g):
			_, err = s.sign(ctx, actor, g, s.online, "")
			if errors.Is(err, ErrState) { // another node was faster
				err = nil
			}
		case g.State == Refused || g.State == Withdrawn:
			err = s.revokeGivenUp(ctx, g)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// signAttempts bounds how often a loser looks what the winner has done; three
// records can be lost, one after the other.
const signAttempts = 8

// sign brings a recorded generation to Prepared. Another node, or the timer of
// this one, may be at it too: registry and register decide who records what, and
// the loser goes on from there.
func (s *Service) sign(ctx context.Context, actor ledger.Actor, g Generation, by signing, ceremony string) (Generation, error) {
	for n := 1; ; n++ {
		done, err := s.signOnce(ctx, actor, g, by, ceremony)
		if n == signAttempts || !errors.Is(err, ErrState) && !errors.Is(err, ca.ErrState) && !errors.Is(err, ca.ErrExists) {
			return done, err
		}
		now, gone := s.Generation(ctx, g.Number)
		switch {
		case gone != nil:
			return Generation{}, errors.Join(err, gone)
		case now.State == Prepared:
			return now, nil
		case now.State != Recorded:
			return Generation{}, fmt.Errorf("%w: %d is %s", ErrState, g.Number, now.State)
		}
	}
}

// signOnce is lint → record → sign → record for a recorded generation. It may be
// repeated from any point: what the registry has as good is not signed again.
func (s *Service) signOnce(ctx context.Context, actor ledger.Actor, g Generation, by signing, ceremony string) (Generation, error) {
	g.Members = slices.Clone(g.Members)
	signers, err := s.signers(ctx, g)
	if err != nil {
		return Generation{}, err
	}
	var drafts []*ca.Draft
	var rows, missing, pending []ca.Certificate
	for _, m := range g.Members {
		d, err := s.redraft(m, signers)
		if err != nil {
			return Generation{}, err
		}
		drafts = append(drafts, d)
		row, err := s.cfg.Registry.Certificate(ctx, m.Issuer, m.Serial)
		switch want := s.row(d, s.now()); {
		case errors.Is(err, ca.ErrNotFound):
			row = want
			missing = append(missing, row)
		case err != nil:
			return Generation{}, fmt.Errorf("authority: read certificate: %w", err)
		case row.TBSSM3 != want.TBSSM3:
			return Generation{}, fmt.Errorf("%w: %s was recorded otherwise", ErrState, m.Serial)
		}
		rows = append(rows, row)
	}
	if len(missing) > 0 {
		if _, err := s.cfg.Registry.Reserve(ctx, missing, nil, s.event("reserved", actor, g, nil)); err != nil {
			return Generation{}, fmt.Errorf("authority: record before signing: %w", err)
		}
	}
	for i := range rows {
		switch rows[i].State {
		case ca.StateGood:
		case ca.StatePending:
			if rows[i].DER, err = by(ctx, g.Members[i], drafts[i]); err != nil {
				return Generation{}, err
			}
			rows[i].State = ca.StateGood
			pending = append(pending, rows[i])
		default:
			return Generation{}, fmt.Errorf("%w: certificate %s is %s", ErrState, rows[i].Serial, rows[i].State)
		}
		g.Members[i].DER = rows[i].DER
	}
	details := map[string]string{}
	if ceremony != "" {
		details["ceremony"] = ceremony
	}
	if len(pending) > 0 {
		if _, err := s.cfg.Registry.Activate(ctx, pending, s.event("signed", actor, g, details)); err != nil {
			return Generation{}, fmt.Errorf("authority: record after signing: %w", err)
		}
	}
	g.State = Prepared
	if _, err := s.cfg.Register.MoveGeneration(ctx, g, Recorded, s.event("ready", actor, g, details)); err != nil {
		return Generation{}, err
	}
	return g, nil
}

// signers are the roots of the house, and those of the generation itself by
// their drafts.
func (s *Service) signers(ctx context.Context, g Generation) (map[string]*smx509.Certificate, error) {
	set, err := s.Set(ctx)
	if err != nil {
		return nil, err
	}
	out := map[string]*smx509.Certificate{}
	for _, a := range set.all {
		if a.Kind == Root {
			out[a.ID()] = a.Certificate
		}
	}
	for _, m := range g.Members {
		if m.Kind != Root {
			continue
		}
		root, err := rootOf(m)
		if err != nil {
			return nil, err
		}
		out[m.Issuer] = root
	}
	return out, nil
}

// rootOf is the certificate of a new root, by its draft while it is not signed.
func rootOf(m Member) (*smx509.Certificate, error) {
	view, err := lint.ParseTBS(m.TBS)
	if err != nil {
		return nil, fmt.Errorf("authority: read recorded root: %w", err)
	}
	if m.DER == nil {
		return view.Cert, nil
	}
	root, err := smx509.ParseCertificate(m.DER)
	if err != nil {
		return nil, fmt.Errorf("authority: read recorded root: %w", err)
	}
	return root, nil
}

// revokeGivenUp revokes what was signed for a generation that never counts.
func (s *Service) revokeGivenUp(ctx context.Context, g Generation) error {
	if g.State != Refused && g.State != Withdrawn {
		return nil
	}
	for _, m := range g.Members {
		row, err := s.cfg.Registry.Certificate(ctx, m.Issuer, m.Serial)
		switch {
		case errors.Is(err, ca.ErrNotFound):
			continue
		case err != nil:
			return fmt.Errorf("authority: read certificate: %w", err)
		case row.State != ca.StateGood || !bytes.Equal(row.TBS, m.TBS) && len(row.TBS) > 0:
			continue
		}
		ev := s.event("revoked", ledger.Actor{Kind: "service", ID: "ca"}, g, map[string]string{"serial": m.Serial})
		_, err = s.cfg.Registry.SetState(ctx, m.Issuer, m.Serial, ca.StateRevoked, ca.ReasonCessationOfOperation, s.now().Truncate(time.Microsecond), ev)
		if err != nil && !errors.Is(err, ca.ErrRevoked) {
			return fmt.Errorf("authority: revoke: %w", err)
		}
	}
	return nil
}
