package app

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"time"

	"github.com/emmansun/gmsm/smx509"

	"github.com/yinxin-gov/yinxin/authz/approval"
	"github.com/yinxin-gov/yinxin/authz/identity"
	"github.com/yinxin-gov/yinxin/authz/ledger"
	"github.com/yinxin-gov/yinxin/ca"
	"github.com/yinxin-gov/yinxin/ca/kmc"
	"github.com/yinxin-gov/yinxin/internal/api/wire"
)

// KeySettings are those of the key management centre.
type KeySettings struct {
	Pool     int `yaml:"key_pool,omitempty" koanf:"key_pool"`                   // spare encryption keys; 0: made on the spot
	Officers int `yaml:"recovery_officers,omitempty" koanf:"recovery_officers"` // who approve an owner's recovery; 0: two
	Judicial int `yaml:"recovery_judicial,omitempty" koanf:"recovery_judicial"` // … a judicial one, more than those; 0: one more
	Days     int `yaml:"recovery_days,omitempty" koanf:"recovery_days"`         // life of a request and its approvals; 0: seven
}

const (
	maxKeyPool      = 100_000
	maxOfficers     = 20
	maxRecoveryDays = 90
)

func (k KeySettings) validate() error {
	for name, v := range map[string]struct{ value, most int }{
		"key_pool": {k.Pool, maxKeyPool}, "recovery_officers": {k.Officers, maxOfficers}, "recovery_judicial": {k.Judicial, maxOfficers}, "recovery_days": {k.Days, maxRecoveryDays},
	} {
		if v.value < 0 || v.value > v.most {
			return fmt.Errorf("%w: %s %d is not 0 to %d", ErrConfig, name, v.value, v.most)
		}
	}
	if k.Officers == 1 || k.Judicial != 0 && k.Judicial <= max(k.Officers, 2) {
		return fmt.Errorf("%w: a recovery takes two officers, a judicial one more than an owner's", ErrConfig)
	}
	return nil
}

// openKMC builds the key management centre and what hands keys out again.
func (h *House) openKMC() (err error) {
	h.KMC, err = h.custody.centre(h.cfg, kmc.Config{Keys: h.rooms.KMC, PoolSize: h.cfg.Keys.Pool, NewID: newID, Actor: h.service(), Log: h.cfg.Log})
	if err != nil {
		return err
	}
	h.Recoveries, err = kmc.NewRecoveries(kmc.RecoveryConfig{
		Centre: h.KMC, Register: h.rooms.KMC, Certificates: h.rooms.CA, Posts: posts{h}, Approvers: recoveryApprovers{h.Approvals, identity.USCC(h.cfg.USCC)},
		Receivers: investigators{trust{h.rooms.CA, h.sm2()}, h.accredited, filepath.Join(h.anchors.dir, dirAccredited, dirStatus), h.cfg.Now}, Recorder: h.Ledger, House: h.cfg.USCC,
		Now: h.cfg.Now, NewID: newID, Need: h.cfg.Keys.Officers, NeedJudicial: h.cfg.Keys.Judicial, Life: time.Duration(h.cfg.Keys.Days) * 24 * time.Hour,
	})
	return err
}

// lapseEvery is how often requests are looked at whose time may be over.
const lapseEvery = time.Hour

// runKMC keeps the pool filled, wraps keys anew, and lets requests lapse until
// ctx ends.
func (h *House) runKMC(ctx context.Context) {
	var both sync.WaitGroup
	defer both.Wait()
	both.Go(func() {
		if err := h.KMC.Run(ctx); !errors.Is(err, context.Canceled) {
			h.cfg.Log.ErrorContext(ctx, "escrowed keys are not cared for any more", "error", err)
		}
	})
	tick := time.NewTicker(lapseEvery)
	defer tick.Stop()
	for {
		if err := h.Recoveries.LapseAll(ctx, h.service()); err != nil && ctx.Err() == nil {
			h.cfg.Log.ErrorContext(ctx, "requests to recover keys do not lapse", "error", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// recoveryApprovers verifies the signatures over a request to recover a key.
type recoveryApprovers struct {
	approvals *approval.Service
	unit      identity.USCC // that runs the house
}

// check is what the registration officer signs.
func (a recoveryApprovers) check(r kmc.Recovery) approval.Subject {
	return approval.Subject{Kind: approval.KindCertificate, ID: r.ID, Digest: r.Digest(), Unit: a.unit, Requester: r.AskedBy}
}

// vote is what each key management officer signs.
func (a recoveryApprovers) vote(r kmc.Recovery) approval.Subject {
	s := a.check(r)
	s.Kind = approval.KindRecovery
	if r.Kind == kmc.ForLaw {
		s.Kind = approval.KindJudicial
	}
	return s
}

// Check implements kmc.Approvers.
func (a recoveryApprovers) Check(ctx context.Context, r kmc.Recovery) (kmc.Answer, error) {
	want := a.check(r)
	got, err := a.approvals.Verified(ctx, want.Kind, want.ID, want.Digest)
	switch {
	case errors.Is(err, approval.ErrNotFound):
		return kmc.Answer{}, nil
	case errors.Is(err, approval.ErrRefused) && got.Subject == want:
		return kmc.Answer{Refusal: got.ID}, nil
	case err != nil:
		return kmc.Answer{}, err
	case got.Subject != want || got.At.Before(r.AskedAt) || !got.At.Before(r.LapsesAt):
		return kmc.Answer{}, fmt.Errorf("%w: the check is about another request", approval.ErrInvalid)
	}
	return kmc.Answer{Approvals: []string{got.ID}, Enough: true}, nil
}

// Vote implements kmc.Approvers.
func (a recoveryApprovers) Vote(ctx context.Context, r kmc.Recovery) (kmc.Answer, error) {
	got, err := a.approvals.Quorum(ctx, approval.Quorum{Subject: a.vote(r), Need: r.Need, From: r.AskedAt, Until: r.LapsesAt})
	if errors.Is(err, approval.ErrRefused) {
		return kmc.Answer{Refusal: got[0].ID}, nil
	}
	if err != nil && !errors.Is(err, approval.ErrQuorum) {
		return kmc.Answer{}, err
	}
	out := kmc.Answer{Enough: err == nil}
	for _, g := range got {
		out.Approvals = append(out.Approvals, g.ID)
	}
	return out, nil
}

// RecoverySubject is what a request waits for: the registration officer's answer,
// then those of key management officers.
func (h *House) RecoverySubject(r kmc.Recovery) approval.Subject {
	a := recoveryApprovers{unit: identity.USCC(h.cfg.USCC)}
	if r.Kind == kmc.ForOwner && r.State == kmc.Asked {
		return a.check(r)
	}
	return a.vote(r)
}

// RecoveriesOf lists what the system may come for, or came for: its owner's
// requests. Judicial ones are none of its business.
func (h *House) RecoveriesOf(ctx context.Context, actor ledger.Actor) ([]wire.Recovery, error) {
	all, err := h.Recoveries.Recoveries(ctx, kmc.Query{Kind: kmc.ForOwner, System: actor.ID, Agency: actor.Unit})
	if err != nil {
		return nil, err
	}
	out := make([]wire.Recovery, len(all))
	for i, r := range all {
		crt, err := smx509.ParseCertificate(r.Receiver)
		if err != nil {
			return nil, fmt.Errorf("app: receiver of recovery %s: %w", r.ID, err)
		}
		out[i] = wire.Recovery{ID: r.ID, State: string(r.State), Pair: r.Pair, EncSerial: r.EncryptionSerial, Receiver: ca.FormatSerial(crt.SerialNumber), AskedAt: r.AskedAt, LapsesAt: r.LapsesAt}
	}
	return out, nil
}

// RecoverKey hands the key of an approved request to the system itself, once.
func (h *House) RecoverKey(ctx context.Context, actor ledger.Actor, id string) (wire.RecoveredKey, error) {
	d, err := h.Recoveries.Deliver(ctx, actor, id)
	if err != nil {
		return wire.RecoveredKey{}, err
	}
	_, by, err := certificateOf(ctx, h.sm2(), d.Certificate)
	if err != nil {
		return wire.RecoveredKey{}, err
	}
	return wire.RecoveredKey{ID: d.Recovery.ID, Pair: d.Recovery.Pair, EncCert: d.Certificate, EnvelopedKey: d.Envelope, Chain: by.Chain(), Receipt: d.Receipt}, nil
}
