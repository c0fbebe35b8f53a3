package kmc

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"github.com/emmansun/gmsm/sm3"
	"github.com/emmansun/gmsm/smx509"

	"github.com/yinxin-gov/yinxin/authz/ledger"
	"github.com/yinxin-gov/yinxin/ca"
)

// Delivery is a recovered key as it leaves: closed to the receiver.
type Delivery struct {
	Recovery    Recovery
	Certificate []byte // encryption certificate of the pair, DER
	Envelope    []byte // SM2EnvelopedKey (GB/T 35276), DER
	Receipt     ledger.Receipt
}

// Deliver hands out the key of an approved request, once. The owner's is fetched
// by the system itself, a judicial one by the officer who asked. Everything is
// verified anew: the signatures, their number, the time, the receiver. The
// envelope is made first, so that a key that does not open costs no approval, and
// leaves only when its delivery is on record.
func (s *Recoveries) Deliver(ctx context.Context, actor ledger.Actor, id string) (Delivery, error) {
	r, err := s.cfg.Register.Recovery(ctx, id)
	if err != nil {
		return Delivery{}, err
	}
	if err := s.mayTake(ctx, actor, r); err != nil {
		return Delivery{}, err
	}
	now := s.cfg.Now().UTC().Truncate(time.Millisecond)
	if err := s.due(ctx, actor, r, now); err != nil {
		return Delivery{}, err
	}
	to, err := s.receiver(ctx, r, now)
	if err != nil {
		return Delivery{}, err
	}
	out, err := s.closed(ctx, r, to)
	if err != nil {
		// What the database holds is not what was escrowed: the auditor has to see it.
		ev := s.event(actor, r, "failed", nil)
		ev.Outcome = ledger.Failure
		_, lerr := s.cfg.Recorder.Append(context.WithoutCancel(ctx), ev)
		return Delivery{}, errors.Join(err, lerr)
	}
	sum := sm3.Sum(out.Envelope)
	r.State, r.DeliveredAt, r.EnvelopeSM3 = Delivered, now, hex.EncodeToString(sum[:])
	ev := s.event(actor, r, "delivered", map[string]string{"envelope_sm3": r.EnvelopeSM3})
	if out.Receipt, err = s.cfg.Register.MoveRecovery(ctx, r, Approved, ev); err != nil {
		if errors.Is(err, ErrState) {
			err = ErrDelivered
		}
		return Delivery{}, err
	}
	out.Recovery = r
	return out, nil
}

// mayTake tells strangers nothing.
func (s *Recoveries) mayTake(ctx context.Context, actor ledger.Actor, r Recovery) error {
	switch {
	case r.Kind == ForOwner && actor.Kind == "system" && actor.ID == r.System && actor.Unit == r.Agency:
		return nil
	case r.Kind == ForLaw && actor.Kind == "person" && actor.ID == r.AskedBy:
		if yes, err := s.cfg.Posts.Holds(ctx, actor.ID, s.cfg.House, roleRA, roleKMC); err != nil || yes {
			return err
		}
	}
	return ErrNotFound
}

// due says whether the key may go out now.
func (s *Recoveries) due(ctx context.Context, actor ledger.Actor, r Recovery, now time.Time) error {
	switch r.State {
	case Delivered:
		return ErrDelivered
	case Refused:
		return ErrRefused
	case Lapsed:
		return ErrLapsed
	}
	if !now.Before(r.LapsesAt) {
		return errors.Join(ErrLapsed, s.lapse(ctx, actor, r))
	}
	if r.State != Approved {
		return ErrPending
	}
	asks := []func(context.Context, Recovery) (Answer, error){s.cfg.Approvers.Vote}
	if r.Kind == ForOwner {
		asks = append(asks, s.cfg.Approvers.Check)
	}
	for _, ask := range asks {
		a, err := ask(ctx, r)
		switch {
		case err != nil:
			return fmt.Errorf("kmc: answers to the request: %w", err)
		case a.Refusal != "": // somebody refused after there were enough
			return ErrRefused
		case !a.Enough:
			return ErrPending
		}
	}
	return nil
}

// receiver is the public key to which the envelope is made. An owner's has to be
// the signing key of another pair of the same system and unit, good now: the key
// never goes to anybody else, whatever was approved.
func (s *Recoveries) receiver(ctx context.Context, r Recovery, now time.Time) (*ecdsa.PublicKey, error) {
	cert, err := smx509.ParseCertificate(r.Receiver)
	if err != nil {
		return nil, fmt.Errorf("%w: it does not parse", ErrReceiver)
	}
	public, ok := cert.PublicKey.(*ecdsa.PublicKey)
	if !ok || onCurve(public) != nil {
		return nil, fmt.Errorf("%w: not an SM2 key", ErrReceiver)
	}
	if now.Before(cert.NotBefore) || now.After(cert.NotAfter) {
		return nil, fmt.Errorf("%w: out of its period", ErrReceiver)
	}
	if r.Kind == ForLaw {
		if err := s.cfg.Receivers.Known(ctx, r.Receiver, now); err != nil {
			return nil, fmt.Errorf("%w: %w", ErrReceiver, err)
		}
		return public, nil
	}
	all, err := s.cfg.Certificates.CertificatesOf(ctx, r.System)
	if err != nil {
		return nil, fmt.Errorf("kmc: certificates of the system: %w", err)
	}
	for _, c := range all {
		if bytes.Equal(c.DER, r.Receiver) && c.Kind == ca.KindSM2Sign && c.State == ca.StateGood && c.Agency == r.Agency && c.Pair != r.Pair {
			return public, nil
		}
	}
	return nil, fmt.Errorf("%w: not the good signing certificate of another pair of the same system", ErrReceiver)
}

// closed opens the escrowed key and closes it to the receiver.
func (s *Recoveries) closed(ctx context.Context, r Recovery, to *ecdsa.PublicKey) (Delivery, error) {
	cert, err := s.cfg.Certificates.Certificate(ctx, r.EncryptionIssuer, r.EncryptionSerial)
	if err != nil {
		return Delivery{}, fmt.Errorf("kmc: read certificate: %w", err)
	}
	key, err := s.cfg.Centre.cfg.Keys.Escrowed(ctx, r.Pair)
	if err != nil {
		return Delivery{}, fmt.Errorf("kmc: escrowed key: %w", err)
	}
	if key.PublicSM3 != r.PublicSM3 || cert.Pair != r.Pair || !cert.Signed() {
		return Delivery{}, fmt.Errorf("%w: not the key that was asked for", ErrUnwrap)
	}
	envelope, err := s.cfg.Centre.envelope(ctx, key, to)
	if err != nil {
		return Delivery{}, err
	}
	return Delivery{Certificate: cert.DER, Envelope: envelope}, nil
}

// receiverName is how events call the holder of a certificate.
func receiverName(der []byte) string {
	cert, err := smx509.ParseCertificate(der)
	if err != nil {
		return ""
	}
	return ca.FormatSerial(cert.SerialNumber)
}
