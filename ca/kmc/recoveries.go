package kmc

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/emmansun/gmsm/sm3"

	"github.com/yinxin-gov/yinxin/authz/ledger"
	"github.com/yinxin-gov/yinxin/ca"
)

// Roles by the names that Posts knows.
const (
	roleSysadmin = "agency_sysadmin" // of the unit whose key it is
	roleLeader   = "unit_leader"
	roleRA       = "ra_officer"
	roleKMC      = "kmc_officer"
)

// RecoveryConfig of Recoveries. Fields without another word are required.
type RecoveryConfig struct {
	Centre       *Centre // with a store of keys
	Register     Register
	Certificates Certificates
	Posts        Posts
	Approvers    Approvers
	Receivers    Receivers
	Recorder     Recorder
	House        string // the unit that runs the centre: its officers ask and answer
	Now          func() time.Time
	NewID        func() string

	Need         int           // officers for an owner's recovery; 0: two
	NeedJudicial int           // for a judicial one, more than Need; 0: one more
	Life         time.Duration // of a request and its approvals; 0: seven days
}

// Recoveries hands escrowed keys out again. Safe for concurrent use.
type Recoveries struct{ cfg RecoveryConfig }

// NewRecoveries checks the configuration.
func NewRecoveries(cfg RecoveryConfig) (*Recoveries, error) {
	if cfg.Centre == nil || cfg.Centre.cfg.Keys == nil || cfg.Register == nil || cfg.Certificates == nil || cfg.Posts == nil || cfg.Approvers == nil ||
		cfg.Receivers == nil || cfg.Recorder == nil || cfg.House == "" || cfg.Now == nil || cfg.NewID == nil {
		return nil, errors.New("kmc: recoveries need every part of their configuration")
	}
	if cfg.Need == 0 {
		cfg.Need = 2
	}
	if cfg.NeedJudicial == 0 {
		cfg.NeedJudicial = cfg.Need + 1
	}
	if cfg.Life == 0 {
		cfg.Life = 7 * 24 * time.Hour
	}
	if cfg.Need < 2 || cfg.NeedJudicial <= cfg.Need || cfg.Life < 0 {
		return nil, fmt.Errorf("kmc: %d and %d officers, %s: a recovery takes two, a judicial one more", cfg.Need, cfg.NeedJudicial, cfg.Life)
	}
	return &Recoveries{cfg}, nil
}

// Ask records a request. Of r it reads Kind, EncryptionIssuer, EncryptionSerial,
// Receiver, Reason and the legal document. An owner's request comes from the
// administrator or leader of the unit whose key it is; a judicial one from an
// officer of the house to whom the investigators came, and who does not vote.
func (s *Recoveries) Ask(ctx context.Context, actor ledger.Actor, r Recovery) (Recovery, ledger.Receipt, error) {
	none := ledger.Receipt{}
	now := s.cfg.Now().UTC().Truncate(time.Millisecond)
	r = Recovery{
		ID: s.cfg.NewID(), Kind: r.Kind, EncryptionIssuer: r.EncryptionIssuer, EncryptionSerial: r.EncryptionSerial, Receiver: r.Receiver,
		Document: r.Document, Authority: r.Authority, ScanSM3: r.ScanSM3, Reason: r.Reason,
		Need: s.cfg.Need, AskedBy: actor.ID, AskedAt: now, LapsesAt: now.Add(s.cfg.Life), State: Asked,
	}
	if r.Kind == ForLaw {
		r.Need = s.cfg.NeedJudicial
	}
	if err := r.validate(); err != nil {
		return Recovery{}, none, err
	}
	cert, err := s.cfg.Certificates.Certificate(ctx, r.EncryptionIssuer, r.EncryptionSerial)
	if errors.Is(err, ca.ErrNotFound) || err == nil && (cert.Kind != ca.KindSM2Enc || cert.Pair == "") {
		return Recovery{}, none, fmt.Errorf("%w: no encryption certificate of ours", ErrNotFound)
	}
	if err != nil {
		return Recovery{}, none, fmt.Errorf("kmc: read certificate: %w", err)
	}
	r.Pair, r.Agency, r.System = cert.Pair, cert.Agency, cert.System
	if err := s.mayAsk(ctx, actor, r); err != nil {
		return Recovery{}, none, err
	}
	if !cert.Signed() {
		return Recovery{}, none, ErrUnused
	}
	key, err := s.cfg.Centre.cfg.Keys.Escrowed(ctx, r.Pair)
	if err != nil {
		return Recovery{}, none, fmt.Errorf("kmc: escrowed key: %w", err)
	}
	r.PublicSM3 = key.PublicSM3
	if _, err := s.receiver(ctx, r, now); err != nil {
		return Recovery{}, none, err
	}
	if err := s.unrepeated(ctx, r, now); err != nil {
		return Recovery{}, none, err
	}
	rc, err := s.cfg.Register.AddRecovery(ctx, r, s.event(actor, r, "asked", nil))
	if err != nil {
		return Recovery{}, none, err
	}
	return r, rc, nil
}

// mayAsk: strangers do not even learn whether there is such a key.
func (s *Recoveries) mayAsk(ctx context.Context, actor ledger.Actor, r Recovery) error {
	unit, roles := r.Agency, []string{roleSysadmin, roleLeader}
	if r.Kind == ForLaw {
		unit, roles = s.cfg.House, []string{roleRA, roleKMC}
	}
	yes, err := s.cfg.Posts.Holds(ctx, actor.ID, unit, roles...)
	switch {
	case err != nil:
		return err
	case actor.Kind != "person" || !yes && r.Kind == ForLaw:
		return ErrRole
	case !yes:
		return fmt.Errorf("%w: no encryption certificate of ours", ErrNotFound)
	}
	return nil
}

// unrepeated refuses a form that was sent twice.
func (s *Recoveries) unrepeated(ctx context.Context, r Recovery, now time.Time) error {
	others, err := s.cfg.Register.Recoveries(ctx, Query{Kind: r.Kind, Pair: r.Pair, Open: true})
	if err != nil {
		return err
	}
	for _, o := range others {
		if bytes.Equal(o.Receiver, r.Receiver) && o.Document == r.Document && now.Before(o.LapsesAt) {
			return ErrRepeated
		}
	}
	return nil
}

// Settle moves a request on by what was signed since: whoever signs calls it,
// and it may be called again at any time.
func (s *Recoveries) Settle(ctx context.Context, actor ledger.Actor, id string) (Recovery, error) {
	r, err := s.cfg.Register.Recovery(ctx, id)
	for err == nil && r.State.Open() && r.State != Approved {
		var next Recovery
		if next, err = s.next(ctx, r); err != nil || next.State == r.State {
			break
		}
		details := map[string]string{"approvals": strings.Join(next.Approvals, " "), "check": next.Check, "refusal": next.Refusal}
		if _, err = s.cfg.Register.MoveRecovery(ctx, next, r.State, s.event(actor, next, string(next.State), details)); errors.Is(err, ErrState) {
			next, err = s.cfg.Register.Recovery(ctx, id)
		}
		r = next
	}
	return r, err
}

// next is a request as the signatures over it say.
func (s *Recoveries) next(ctx context.Context, r Recovery) (Recovery, error) {
	now := s.cfg.Now().UTC().Truncate(time.Millisecond)
	if !now.Before(r.LapsesAt) {
		r.State, r.SettledAt = Lapsed, now
		return r, nil
	}
	ask, then := s.cfg.Approvers.Vote, Approved
	if r.Kind == ForOwner && r.State == Asked {
		ask, then = s.cfg.Approvers.Check, Checked
	}
	a, err := ask(ctx, r)
	switch {
	case err != nil:
		return r, fmt.Errorf("kmc: answers to the request: %w", err)
	case a.Refusal != "":
		r.State, r.Refusal, r.SettledAt = Refused, a.Refusal, now
	case a.Enough && then == Checked:
		r.State, r.Check = then, a.Approvals[0]
	case a.Enough:
		r.State, r.Approvals, r.SettledAt = then, a.Approvals, now
	}
	return r, nil
}

// LapseAll ends every request whose time is over.
func (s *Recoveries) LapseAll(ctx context.Context, actor ledger.Actor) error {
	open, err := s.cfg.Register.Recoveries(ctx, Query{Open: true})
	if err != nil {
		return err
	}
	var errs []error
	for _, r := range open {
		if !s.cfg.Now().Before(r.LapsesAt) {
			errs = append(errs, s.lapse(ctx, actor, r))
		}
	}
	return errors.Join(errs...)
}

func (s *Recoveries) lapse(ctx context.Context, actor ledger.Actor, r Recovery) error {
	from := r.State
	r.State, r.SettledAt = Lapsed, s.cfg.Now().UTC().Truncate(time.Millisecond)
	_, err := s.cfg.Register.MoveRecovery(ctx, r, from, s.event(actor, r, "lapsed", nil))
	if errors.Is(err, ErrState) { // it moved on in this moment
		return nil
	}
	return err
}

// Recovery returns one request, or ErrNotFound. Who may see it is decided by the
// caller: the owner of a key is not told of a judicial recovery.
func (s *Recoveries) Recovery(ctx context.Context, id string) (Recovery, error) {
	return s.cfg.Register.Recovery(ctx, id)
}

// Recoveries returns those that fit, newest first; see Recovery.
func (s *Recoveries) Recoveries(ctx context.Context, q Query) ([]Recovery, error) {
	return s.cfg.Register.Recoveries(ctx, q)
}

// event names the request, the key and who receives it.
func (s *Recoveries) event(actor ledger.Actor, r Recovery, verb string, details map[string]string) ledger.Event {
	to := sm3.Sum(r.Receiver)
	all := map[string]string{
		"kind": string(r.Kind), "pair": r.Pair, "public_sm3": r.PublicSM3, "system": r.System, "agency": r.Agency,
		"receiver_cert_sm3": hex.EncodeToString(to[:]), "receiver": receiverName(r.Receiver), "need": strconv.Itoa(r.Need),
		"document": r.Document, "authority": r.Authority, "scan_sm3": r.ScanSM3,
	}
	for k, v := range details {
		all[k] = v
	}
	for k, v := range all {
		if v == "" {
			delete(all, k)
		}
	}
	ev := event(s.cfg.NewID(), "kmc.recovery."+verb, ledger.ClassCertificate, s.cfg.Now(), actor, ledger.Object{Kind: "key_recovery", ID: r.ID}, all)
	ev.Payload = r.Digest()
	return ev
}

// Signed is what the key management officers have signed so far.
func (s *Recoveries) Signed(ctx context.Context, r Recovery) (Answer, error) {
	return s.cfg.Approvers.Vote(ctx, r)
}
