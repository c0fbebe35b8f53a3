package peer

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/emmansun/gmsm/smx509"

	"github.com/yinxin-gov/yinxin/authz/ledger"
)

// Posts that look after the register.
const (
	roleSystem = "system_admin"
	roleRA     = "ra_officer"
)

// Propose records an entry for a second person to approve. Of e it reads what
// stands above State but ID, AskedBy and AskedAt.
func (s *Service) Propose(ctx context.Context, actor ledger.Actor, e Entry) (Entry, ledger.Receipt, error) {
	if err := s.may(ctx, actor); err != nil {
		return Entry{}, ledger.Receipt{}, err
	}
	e.ID, e.AskedBy, e.AskedAt, e.State = s.cfg.NewID(), actor.ID, s.now(), Proposed
	e.From, e.Until = e.From.UTC().Truncate(time.Millisecond), e.Until.UTC().Truncate(time.Millisecond)
	e.Approval, e.EndedBy, e.EndReason, e.SettledAt, e.EndedAt = "", "", "", time.Time{}, time.Time{}
	if err := s.sound(ctx, e); err != nil {
		return Entry{}, ledger.Receipt{}, err
	}
	rc, err := s.cfg.Register.AddPeer(ctx, e, s.event("proposed", actor, e, map[string]string{"reason": e.Reason}))
	return e, rc, err
}

// Settle lets the second person's signed answer take effect: in force or refused.
// What was sound when it was proposed has to be so still. The systems are
// registered once they are marked as the domain's; what breaks off in between
// leaves them unknown, and Complete goes on.
func (s *Service) Settle(ctx context.Context, actor ledger.Actor, id string) (Entry, ledger.Receipt, error) {
	e, err := s.cfg.Register.Peer(ctx, id)
	if err != nil {
		return Entry{}, ledger.Receipt{}, err
	}
	if e.State != Proposed {
		return Entry{}, ledger.Receipt{}, fmt.Errorf("%w: %s is %s", ErrState, id, e.State)
	}
	answer, err := s.cfg.Approver.Answer(ctx, e)
	if err != nil {
		return Entry{}, ledger.Receipt{}, err
	}
	e.State, e.Approval, e.SettledAt = Refused, answer.ID, s.now()
	kind := "refused"
	if answer.Yes {
		if err := s.sound(ctx, e); err != nil {
			return Entry{}, ledger.Receipt{}, err
		}
		e.State, kind = InForce, "approved"
	}
	details := map[string]string{"approval": answer.ID}
	if e.Replaces != "" {
		details["replaces"] = e.Replaces
	}
	rc, err := s.cfg.Register.MovePeer(ctx, e, Proposed, s.event(kind, actor, e, details))
	if err != nil || e.State != InForce {
		return e, rc, err
	}
	return e, rc, s.enter(ctx, e)
}

// Withdraw ends a domain, or a proposal, at once. Its systems stay marked.
func (s *Service) Withdraw(ctx context.Context, actor ledger.Actor, id, reason string) (Entry, ledger.Receipt, error) {
	if err := s.may(ctx, actor); err != nil {
		return Entry{}, ledger.Receipt{}, err
	}
	if !line(reason) {
		return Entry{}, ledger.Receipt{}, fmt.Errorf("%w: a reason is needed", ErrInvalid)
	}
	e, err := s.cfg.Register.Peer(ctx, id)
	if err != nil {
		return Entry{}, ledger.Receipt{}, err
	}
	from := e.State
	if from != Proposed && from != InForce {
		return Entry{}, ledger.Receipt{}, fmt.Errorf("%w: %s is %s", ErrState, id, from)
	}
	e.State, e.EndedBy, e.EndReason, e.EndedAt = Withdrawn, actor.ID, reason, s.now()
	rc, err := s.cfg.Register.MovePeer(ctx, e, from, s.event("withdrawn", actor, e, map[string]string{"reason": reason}))
	return e, rc, err
}

// Complete registers the systems of domains in force that are not registered yet.
func (s *Service) Complete(ctx context.Context) error {
	all, err := s.InForce(ctx)
	if err != nil {
		return err
	}
	var errs []error
	for _, e := range all {
		errs = append(errs, s.enter(ctx, e))
	}
	return errors.Join(errs...)
}

func (s *Service) enter(ctx context.Context, e Entry) error {
	for _, sys := range e.Systems {
		_, known, err := s.cfg.Systems.Registered(ctx, sys.ID)
		if err == nil && !known {
			err = s.cfg.Systems.Enter(ctx, s.cfg.Actor, e, sys)
		}
		if err != nil {
			return fmt.Errorf("peer: register system %s: %w", sys.ID, err)
		}
	}
	return nil
}

func (s *Service) may(ctx context.Context, actor ledger.Actor) error {
	yes, err := s.cfg.Posts.Holds(ctx, actor.ID, s.cfg.House, roleSystem, roleRA)
	if err == nil && (!yes || actor.Kind != "person") {
		err = ErrForbidden
	}
	return err
}

// sound checks an entry by itself and against what else is registered.
func (s *Service) sound(ctx context.Context, e Entry) error {
	now := s.cfg.Now()
	if err := e.validate(now, s.cfg.Actions); err != nil {
		return err
	}
	anchors, issuing, err := e.authorities(now)
	if err != nil {
		return err
	}
	if err := s.foreign(ctx, append(anchors, issuing...)); err != nil {
		return err
	}
	for _, sys := range e.Systems {
		if sys.Sign == nil {
			continue
		}
		for _, half := range []struct {
			der   []byte
			usage smx509.KeyUsage
		}{{sys.Sign, signing}, {sys.Enc, encrypting}} {
			if _, err := e.half(sys, half.der, half.usage, now); err != nil {
				return fmt.Errorf("%w: SM2 certificate of %s: %w", ErrInvalid, sys.ID, err)
			}
		}
	}
	if err := s.apart(ctx, e, append(anchors, issuing...)); err != nil {
		return err
	}
	return s.free(ctx, e)
}

// foreign refuses the keys of the house, under whatever certificate.
func (s *Service) foreign(ctx context.Context, list []*smx509.Certificate) error {
	all, err := s.cfg.Own(ctx)
	if err != nil {
		return fmt.Errorf("peer: own authorities: %w", err)
	}
	for _, der := range all {
		own, err := smx509.ParseCertificate(der)
		if err != nil {
			return fmt.Errorf("peer: own authority: %w", err)
		}
		for _, c := range list {
			if bytes.Equal(own.RawSubjectPublicKeyInfo, c.RawSubjectPublicKeyInfo) {
				return fmt.Errorf("%w: it is the house's own", ErrAuthority)
			}
		}
	}
	return nil
}

// apart refuses an authority that another domain has, proposed or in force: it
// could not be told for whom it vouches.
func (s *Service) apart(ctx context.Context, e Entry, list []*smx509.Certificate) error {
	open, err := s.cfg.Register.Peers(ctx, Proposed, InForce)
	if err != nil {
		return err
	}
	now := ""
	for _, o := range open {
		if o.Domain == e.Domain {
			if o.State == InForce {
				now = o.ID
			}
			continue
		}
		for _, der := range append(o.Anchors[:len(o.Anchors):len(o.Anchors)], o.Issuing...) {
			c, err := smx509.ParseCertificate(der)
			if err != nil {
				return fmt.Errorf("peer: authority of %s: %w", o.Domain, err)
			}
			for _, mine := range list {
				if bytes.Equal(c.RawSubjectPublicKeyInfo, mine.RawSubjectPublicKeyInfo) {
					return fmt.Errorf("%w: domain %s has it", ErrAuthority, o.Domain)
				}
			}
		}
	}
	if now != e.Replaces {
		return fmt.Errorf("%w: the entry of this domain in force is %q", ErrExists, now)
	}
	return nil
}

// free refuses a system that is the house's own or another domain's.
func (s *Service) free(ctx context.Context, e Entry) error {
	for _, sys := range e.Systems {
		unit, known, err := s.cfg.Systems.Registered(ctx, sys.ID)
		if err != nil {
			return err
		}
		domain, err := s.DomainOf(ctx, sys.ID)
		if err != nil {
			return err
		}
		if domain != "" && domain != e.Domain || known && (domain == "" || unit != sys.Unit) {
			return fmt.Errorf("%w: %s", ErrTaken, sys.ID)
		}
	}
	return nil
}

func (s *Service) event(kind string, actor ledger.Actor, e Entry, details map[string]string) ledger.Event {
	var prints []string
	for _, der := range append(e.Anchors[:len(e.Anchors):len(e.Anchors)], e.Issuing...) {
		prints = append(prints, sum(der))
	}
	d := map[string]string{
		"name": e.Name, "operator": e.Operator, "kind": string(e.Kind), "level": strconv.Itoa(int(e.Level)), "until": e.Until.UTC().Format(time.RFC3339),
		"authorities_sm3": strings.Join(prints, ","),
	}
	for k, v := range details {
		d[k] = v
	}
	return ledger.Event{
		ID: s.cfg.NewID(), Type: "ca.peer." + kind, Class: ledger.ClassCertificate, Time: s.now(), Actor: actor,
		Object: ledger.Object{Kind: "peer_domain", ID: e.Domain}, Outcome: ledger.Success, Target: e.ID, Payload: e.Digest(), Details: d,
	}
}
