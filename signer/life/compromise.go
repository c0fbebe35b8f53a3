package life

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/yinxin-gov/yinxin/authz/ledger"
	"github.com/yinxin-gov/yinxin/signer"
)

// ErrElsewhere: the certificate was issued by somebody else, who must be told.
var ErrElsewhere = errors.New("life: another service issued the certificate")

// Report says that a key may be in wrong hands (电子签名法 art. 15).
type Report struct {
	Seal   string // a seal of the key, or
	KeyID  string // the key itself
	Since  time.Time
	Reason string
}

// Compromise is what became of a report. There is one for each key; a second
// report of an earlier moment widens it.
type Compromise struct {
	ID           string        `json:"id"`
	KeyID        string        `json:"key_id"`
	Since        time.Time     `json:"since"`
	Reason       string        `json:"reason"`
	Reporter     string        `json:"reporter"`
	At           time.Time     `json:"at"`
	Revision     int64         `json:"revision"`
	Seals        []string      `json:"seals"`        // that it stopped, or that had stopped before
	Certificates []Certificate `json:"certificates"` // of the key
	Uses         []string      `json:"uses"`         // ids of what was sealed since
	Done         bool          `json:"done"`         // revoked, listed, notices recorded
}

// Certificate of a compromised key. Revocation is "" (not asked yet), "revoked"
// or "elsewhere".
type Certificate struct {
	SM3        string `json:"sm3"`
	Revocation string `json:"revocation"`
}

// Outcomes of asking for a revocation.
const (
	Revoked          = "revoked"
	RevokedElsewhere = "elsewhere" // its issuer must be told: we cannot
)

// Stop is what a report does to one seal of the key.
type Stop struct {
	Seal signer.Seal
	Step Step
}

// Reports is the store of compromises and notices.
type Reports interface {
	// PutCompromise writes a report over the one of revision c.Revision-1 (none
	// for 1) and stops its seals, in one transaction; ErrConflict when the report
	// or a seal has changed.
	PutCompromise(ctx context.Context, c Compromise, stops []Stop, ev ledger.Event) (ledger.Receipt, error)
	// AddNotices writes a report as above, and notices.
	AddNotices(ctx context.Context, c Compromise, ns []Notice, ev ledger.Event) (ledger.Receipt, error)
	// MoveNotice writes n over the notice in state from; ErrConflict.
	MoveNotice(ctx context.Context, n Notice, from NoticeState, ev ledger.Event) (ledger.Receipt, error)
	Compromise(ctx context.Context, keyID string) (Compromise, error) // signer.ErrNotFound
	// CompromisedSince is the moment for a certificate by its SM3, zero for none.
	CompromisedSince(ctx context.Context, certSM3 string) (time.Time, error)
	Compromises(ctx context.Context) ([]Compromise, error)        // newest first
	Notices(ctx context.Context, q NoticeQuery) ([]Notice, error) // newest first
}

// Revoker asks whoever issued a certificate to revoke it: reason keyCompromise,
// not trusted since. ErrElsewhere when that is not us. A certificate that is
// revoked already is no error.
type Revoker interface {
	Revoke(ctx context.Context, actor ledger.Actor, certDER []byte, since time.Time) error
}

// Uses finds what was sealed; package signer's register is one.
type Uses interface {
	Uses(ctx context.Context, q signer.UseQuery) ([]signer.Use, error)
}

// ReportCompromise stops every seal of a key at once, asks for the revocation of
// its certificates, lists what was sealed since and who relied on it, and
// records one notice for each unit concerned. It may be called again with the
// same report: what is missing is done, nothing is done twice. Signatures before
// Since stay good where a trusted time proves them.
func (s *Service) ReportCompromise(ctx context.Context, actor ledger.Actor, r Report) (Compromise, ledger.Receipt, error) {
	fail := func(err error) (Compromise, ledger.Receipt, error) { return Compromise{}, ledger.Receipt{}, err }
	if s.cfg.Reports == nil {
		return fail(errors.New("life: this house keeps no reports of compromise"))
	}
	r.Since = r.Since.UTC().Truncate(time.Millisecond)
	switch {
	case !words(r.Reason):
		return fail(ErrReason)
	case r.Since.IsZero() || r.Since.After(s.now()) || (r.Seal == "") == (r.KeyID == ""):
		return fail(fmt.Errorf("%w: a report names a seal or a key, and a moment that is past", signer.ErrInvalid))
	}
	c, seals, receipt, err := s.stopSeals(ctx, actor, r)
	if err != nil {
		return fail(err)
	}
	if c.Done {
		return c, receipt, nil
	}
	if err := s.revokeAll(ctx, actor, &c, seals); err != nil {
		return c, receipt, err // stopped and recorded; the same report again goes on here
	}
	c, err = s.tell(ctx, actor, c)
	return c, receipt, err
}

// stopSeals records the report and stops every seal of the key, in one
// transaction.
func (s *Service) stopSeals(ctx context.Context, actor ledger.Actor, r Report) (Compromise, []signer.Seal, ledger.Receipt, error) {
	fail := func(err error) (Compromise, []signer.Seal, ledger.Receipt, error) {
		return Compromise{}, nil, ledger.Receipt{}, err
	}
	if r.Seal != "" {
		e, err := s.cfg.Register.Seal(ctx, r.Seal)
		if err != nil {
			return fail(fmt.Errorf("life: seal %s: %w", r.Seal, err))
		}
		if r.KeyID = e.KeyID; r.KeyID == "" {
			return fail(&signer.StateError{Seal: e.ID, From: e.State, To: signer.SealSuspended})
		}
	}
	for try := 0; ; try++ {
		seals, err := s.cfg.Lists.Seals(ctx, Query{KeyID: r.KeyID})
		if err != nil {
			return fail(fmt.Errorf("life: seals of key %s: %w", r.KeyID, err))
		}
		if len(seals) == 0 {
			return fail(fmt.Errorf("life: key %s: %w", r.KeyID, signer.ErrNotFound))
		}
		rule, _ := RuleOf(ActCompromise)
		for _, e := range seals {
			if err := s.may(ctx, rule, actor, e.Unit); err != nil {
				return fail(err)
			}
		}
		c, err := s.cfg.Reports.Compromise(ctx, r.KeyID)
		switch {
		case errors.Is(err, signer.ErrNotFound):
			c = Compromise{ID: s.cfg.NewID(), KeyID: r.KeyID, Reporter: actor.ID, At: s.now()}
		case err != nil:
			return fail(fmt.Errorf("life: report about key %s: %w", r.KeyID, err))
		case !r.Since.Before(c.Since):
			return c, seals, ledger.Receipt{}, nil // known, and it reaches as far
		}
		c.Since, c.Reason, c.Done, c.Revision = r.Since, r.Reason, false, c.Revision+1
		ch := change{rule: rule, actor: actor, at: s.now(), reason: r.Reason, ref: c.ID, details: map[string]string{"key": r.KeyID, "since": r.Since.Format(time.RFC3339), "seals": strconv.Itoa(len(seals))}}
		ev := s.event(ch, seals[0])
		stops := make([]Stop, len(seals))
		for i, e := range seals {
			if stops[i], err = stopped(e, ch, c, ev.ID); err != nil {
				return fail(err)
			}
			c.note(e)
		}
		receipt, err := s.cfg.Reports.PutCompromise(ctx, c, stops, ev)
		if errors.Is(err, ErrConflict) && try < maxTries {
			continue
		}
		if err != nil {
			return fail(fmt.Errorf("life: record the report: %w", err))
		}
		return c, seals, receipt, nil
	}
}

// stopped is a seal after a report about its key: never to be used again.
func stopped(e signer.Seal, ch change, c Compromise, event string) (Stop, error) {
	act := ActCompromise
	switch e.State {
	case signer.SealActive:
		act = ActSuspend
	case signer.SealApplied, signer.SealMade, signer.SealFiled: // of those applied for, an imported one has a key
		act = ActCancel
	}
	rule, err := ruleOf(act, e)
	if err != nil {
		return Stop{}, err
	}
	step := Step{Seal: e.ID, Revision: e.Revision + 1, Act: act, From: e.State, To: e.State, Actor: ch.actor.ID, Reason: ch.reason, Ref: c.ID, At: ch.at, Event: event}
	if rule.To != "" {
		step.To = rule.To
	}
	e.State, e.Revision, e.CompromisedAt, e.Ask = step.To, step.Revision, c.Since, nil
	return Stop{e, step}, nil
}

func (c *Compromise) note(e signer.Seal) {
	if !slices.Contains(c.Seals, e.ID) {
		c.Seals = append(c.Seals, e.ID)
	}
	sum := signer.Digest(e.CertDER)
	if !slices.ContainsFunc(c.Certificates, func(k Certificate) bool { return k.SM3 == sum }) {
		c.Certificates = append(c.Certificates, Certificate{SM3: sum})
	}
}

// revokeAll asks for the revocation of each certificate of the key.
func (s *Service) revokeAll(ctx context.Context, actor ledger.Actor, c *Compromise, seals []signer.Seal) error {
	for i := range c.Certificates {
		k := &c.Certificates[i]
		at := slices.IndexFunc(seals, func(e signer.Seal) bool { return signer.Digest(e.CertDER) == k.SM3 })
		if at < 0 {
			continue
		}
		switch err := s.cfg.Revoker.Revoke(ctx, actor, seals[at].CertDER, c.Since); {
		case err == nil:
			k.Revocation = Revoked
		case errors.Is(err, ErrElsewhere):
			k.Revocation = RevokedElsewhere
		default:
			return fmt.Errorf("life: revoke the certificate of key %s: %w", c.KeyID, err)
		}
	}
	return nil
}

// sound refuses a key that was reported.
func (s *Service) sound(ctx context.Context, keyID string) error {
	if s.cfg.Reports == nil {
		return nil
	}
	switch c, err := s.cfg.Reports.Compromise(ctx, keyID); {
	case errors.Is(err, signer.ErrNotFound):
		return nil
	case err != nil:
		return fmt.Errorf("life: report about key %s: %w", keyID, err)
	default:
		return fmt.Errorf("%w: key %s, since %s", ErrCompromised, keyID, c.Since.Format(time.RFC3339))
	}
}

// Compromises lists the reports, newest first.
func (s *Service) Compromises(ctx context.Context) ([]Compromise, error) {
	if s.cfg.Reports == nil {
		return nil, nil
	}
	out, err := s.cfg.Reports.Compromises(ctx)
	if err != nil {
		return nil, fmt.Errorf("life: list reports: %w", err)
	}
	return out, nil
}

// CompromisedSince says from when on a certificate's key is not trusted; zero
// when nothing was reported. Verifiers ask it beside the issuer's lists, which
// know the moment of revocation and, of a foreign issuer, nothing at all.
func (s *Service) CompromisedSince(ctx context.Context, certDER []byte) (time.Time, error) {
	if s.cfg.Reports == nil {
		return time.Time{}, nil
	}
	since, err := s.cfg.Reports.CompromisedSince(ctx, signer.Digest(certDER))
	if err != nil {
		return time.Time{}, fmt.Errorf("life: report about a certificate: %w", err)
	}
	return since, nil
}
