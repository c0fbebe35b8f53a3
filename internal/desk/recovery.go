package desk

import (
	"context"
	"encoding/pem"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/emmansun/gmsm/smx509"

	"github.com/yinxin-gov/yinxin/authz/approval"
	"github.com/yinxin-gov/yinxin/authz/identity"
	"github.com/yinxin-gov/yinxin/ca"
	"github.com/yinxin-gov/yinxin/ca/kmc"
	"github.com/yinxin-gov/yinxin/internal/console"
)

// Certificates reads what was issued to a system.
type Certificates interface {
	CertificatesOf(ctx context.Context, system string) ([]ca.Certificate, error)
}

// view is what a person has to do with recoveries.
type view struct{ owner, registers, keeps, audits bool }

// views says who reads what: an owner the requests of the own unit but the
// judicial ones, the officers and auditors of the house all.
func (d *Service) views(ctx context.Context, p console.Person) (v view, err error) {
	if v.owner, err = d.holds(ctx, p, identity.RoleAgencySysadmin, identity.RoleUnitLeader); err != nil {
		return v, err
	}
	for role, into := range map[identity.Role]*bool{identity.RoleRAOfficer: &v.registers, identity.RoleKMCOfficer: &v.keeps, identity.RoleAuditor: &v.audits} {
		if *into, err = d.serves(ctx, p, role); err != nil {
			return v, err
		}
	}
	return v, nil
}

func (v view) all() bool { return v.registers || v.keeps || v.audits }

// Recovering implements console.Recoveries.
func (d *Service) Recovering(ctx context.Context, p console.Person) (out console.RecoveryList, err error) {
	v, err := d.views(ctx, p)
	if err := allowed(v.owner || v.all(), err); err != nil {
		return out, err
	}
	q := kmc.Query{}
	if !v.all() {
		q = kmc.Query{Kind: kmc.ForOwner, Agency: p.Unit}
	}
	list, err := d.cfg.Recoveries.Recoveries(ctx, q)
	if err != nil {
		return out, err
	}
	for _, r := range list {
		l, err := d.recoveryLine(ctx, p, v, r)
		if err != nil {
			return out, err
		}
		out.Requests = append(out.Requests, l)
	}
	out.MayAsk, out.MayAskLegal = v.owner, v.registers || v.keeps
	if v.owner {
		out.Keys, err = d.keysOf(ctx, p.Unit)
	}
	return out, err
}

func (d *Service) recoveryLine(ctx context.Context, p console.Person, v view, r kmc.Recovery) (console.RecoveryLine, error) {
	l := console.RecoveryLine{Recovery: r, Sum: r.Digest()}
	var err error
	if l.By, err = d.name(ctx, r.AskedBy); err != nil {
		return l, err
	}
	if crt, err := smx509.ParseCertificate(r.Receiver); err == nil {
		l.To = crt.Subject.CommonName + " · " + ca.FormatSerial(crt.SerialNumber)
	}
	signed, err := d.cfg.Recoveries.Signed(ctx, r)
	l.Signed, l.Broken = len(signed.Approvals), err != nil
	if err != nil {
		d.cfg.Log.WarnContext(ctx, "answers to a recovery do not verify", "recovery", r.ID, "error", err)
	}
	due := r.State.Open() && r.State != kmc.Approved && d.now().Before(r.LapsesAt) && r.AskedBy != p.ID
	if r.Kind == kmc.ForOwner && r.State == kmc.Asked {
		l.MayAnswer = due && v.registers
	} else {
		l.MayAnswer = due && v.keeps
	}
	l.MayTake = r.Kind == kmc.ForLaw && r.State == kmc.Approved && r.AskedBy == p.ID
	return l, nil
}

// keysOf are the certificates that a request of a unit can name.
func (d *Service) keysOf(ctx context.Context, unit string) (out []console.KeyLine, err error) {
	systems, err := d.cfg.People.Systems(ctx)
	if err != nil {
		return nil, fmt.Errorf("desk: systems: %w", err)
	}
	for _, s := range systems {
		if string(s.Agency) != unit {
			continue
		}
		all, err := d.cfg.Certificates.CertificatesOf(ctx, s.ID)
		if err != nil {
			return nil, fmt.Errorf("desk: certificates of %s: %w", s.ID, err)
		}
		for _, c := range all {
			l := console.KeyLine{System: s.ID, Key: c.Issuer + ":" + c.Serial, Encrypts: c.Kind == ca.KindSM2Enc, Serial: c.Serial, NotBefore: c.NotBefore.Format("2006-01-02")}
			if c.Kind == ca.KindSM2Enc && c.Signed() || c.Kind == ca.KindSM2Sign && c.State == ca.StateGood {
				out = append(out, l)
			}
		}
	}
	return out, nil
}

// AskRecovery implements console.Recoveries. What may be asked is decided by
// kmc.Recoveries.
func (d *Service) AskRecovery(ctx context.Context, p console.Person, f console.RecoveryForm) error {
	issuer, serial, ok := strings.Cut(f.Key, ":")
	if !ok {
		return console.ErrForm
	}
	r := kmc.Recovery{Kind: kmc.ForOwner, EncryptionIssuer: issuer, EncryptionSerial: serial, Reason: f.Reason}
	if f.Judicial {
		block, rest := pem.Decode([]byte(f.Receiver))
		if block == nil || block.Type != "CERTIFICATE" || len(strings.TrimSpace(string(rest))) > 0 {
			return console.ErrForm
		}
		r.Kind, r.Receiver, r.Document, r.Authority, r.ScanSM3 = kmc.ForLaw, block.Bytes, f.Document, f.Authority, f.ScanSM3
	} else {
		var err error
		if r.Receiver, err = d.receiver(ctx, p, f); err != nil {
			return err
		}
	}
	_, _, err := d.cfg.Recoveries.Ask(ctx, d.actor(p), r)
	return err
}

// receiver is the new signing certificate that an owner chose.
func (d *Service) receiver(ctx context.Context, p console.Person, f console.RecoveryForm) ([]byte, error) {
	keys, err := d.keysOf(ctx, p.Unit)
	if err != nil {
		return nil, err
	}
	i := slices.IndexFunc(keys, func(k console.KeyLine) bool { return !k.Encrypts && k.Serial == f.Receiver })
	if i < 0 {
		return nil, kmc.ErrReceiver
	}
	all, err := d.cfg.Certificates.CertificatesOf(ctx, keys[i].System)
	if err != nil {
		return nil, err
	}
	for _, c := range all {
		if c.Serial == f.Receiver && c.Kind == ca.KindSM2Sign {
			return c.DER, nil
		}
	}
	return nil, kmc.ErrReceiver
}

// AnswerRecovery implements console.Recoveries.
func (d *Service) AnswerRecovery(ctx context.Context, p console.Person, id string, a console.Answer) error {
	v, err := d.views(ctx, p)
	if err := allowed(v.registers || v.keeps, err); err != nil {
		return err
	}
	r, err := d.cfg.Recoveries.Recovery(ctx, id)
	if err != nil {
		return err
	}
	s := d.cfg.Answers.RecoverySubject(r)
	switch {
	case !r.State.Open() || r.State == kmc.Approved:
		return console.ErrAnswered
	case a.Digest != s.Digest:
		return approval.ErrInvalid
	}
	return d.sign(ctx, p, s, a, func() error {
		_, err := d.cfg.Recoveries.Settle(context.WithoutCancel(ctx), d.actor(p), id)
		return err
	})
}

// TakeRecovered implements console.Recoveries.
func (d *Service) TakeRecovered(ctx context.Context, p console.Person, id string) (console.Paper, error) {
	out, err := d.cfg.Recoveries.Deliver(ctx, d.actor(p), id)
	if errors.Is(err, kmc.ErrNotFound) {
		return console.Paper{}, kmc.ErrNotFound
	}
	return console.Paper{Name: "key-" + out.Recovery.EncryptionSerial + ".enveloped.der", Bytes: out.Envelope}, err
}
