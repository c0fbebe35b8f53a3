package status

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/big"
	"slices"
	"strconv"
	"time"

	"github.com/emmansun/gmsm/smx509"

	"github.com/yinxin-gov/yinxin/authz/ledger"
	"github.com/yinxin-gov/yinxin/ca/lint/crl"
	"github.com/yinxin-gov/yinxin/ca/profile"
)

// attempts bounds how often a builder starts again because another was faster.
const attempts = 16

// Publish builds, signs and publishes the full or the delta lists of an
// authority now: of its complete scope and of each partition. Full lists take
// in whatever was committed before the call; a delta needs a full list before
// it (ErrNoList).
func (s *Service) Publish(ctx context.Context, issuerID string, delta bool) error {
	i := s.issuer(issuerID)
	if i == nil {
		return fmt.Errorf("%w: %q", ErrUnknownIssuer, issuerID)
	}
	if i.offline() {
		return fmt.Errorf("%w: %q", ErrOffline, issuerID)
	}
	for _, shard := range i.shards {
		if err := again(func() error { return s.build(ctx, i, shard, delta) }); err != nil {
			return err
		}
	}
	return nil
}

// again repeats what lost its number, or its turn, to another builder.
func again(do func() error) error {
	for n := 1; ; n++ {
		err := do()
		if n == attempts || !errors.Is(err, ErrNumber) && !errors.Is(err, ErrOvertaken) {
			return err
		}
	}
}

// build is lint → record → sign → record for one list.
func (s *Service) build(ctx context.Context, i *issuer, shard string, delta bool) error {
	c, err := s.reserve(ctx, i, shard, delta)
	if err != nil {
		return err
	}
	signature, err := i.lists.sign(s.cfg.Rand, c.TBS)
	if err != nil {
		return fmt.Errorf("status: sign list: %w", err)
	}
	_, err = s.publish(ctx, i, c, signature)
	return err
}

// reserve drafts, lints and records the next list of a scope.
//
// The order of reading makes the numbers tell the truth: first the lists up to
// the newest number, then the registry. Whoever records the next number has
// read the registry after the list before it was recorded, so a later number
// never knows less.
func (s *Service) reserve(ctx context.Context, i *issuer, shard string, delta bool) (CRL, error) {
	base, err := s.cfg.Published.PublishedCRL(ctx, i.id, shard, false, 0)
	if err != nil && (delta || !errors.Is(err, ErrNoList)) {
		return CRL{}, fmt.Errorf("status: read full list: %w", err)
	}
	later, err := s.cfg.Lists.CRLsSince(ctx, i.id, shard, base.Number+1)
	if err != nil {
		return CRL{}, fmt.Errorf("status: read lists: %w", err)
	}
	now := s.cfg.Now().UTC().Truncate(time.Second)
	validity := s.cfg.FullValidity
	if i.offline() {
		validity = s.cfg.OfflineValidity
	}
	final, err := s.final(ctx, i)
	if err != nil {
		return CRL{}, err
	}
	c := CRL{Issuer: i.id, Shard: shard, Number: base.Number + 1, ThisUpdate: now, NextUpdate: now.Add(validity.Truncate(time.Second))}
	if final.After(c.NextUpdate) {
		c.NextUpdate = final.UTC().Truncate(time.Second)
	}
	if len(later) > 0 {
		c.Number = later[len(later)-1].Number + 1
	}
	current, err := s.current(ctx, i, shard, now, !final.IsZero())
	if err != nil {
		return CRL{}, err
	}
	entries := current
	if delta {
		c.Base, c.NextUpdate = base.Number, now.Add(s.cfg.DeltaValidity.Truncate(time.Second))
		if entries, err = difference(base, later, current, now); err != nil {
			return CRL{}, err
		}
	}
	if c, err = s.draft(i, c, entries, !final.IsZero()); err != nil {
		return CRL{}, err
	}
	if _, err := s.cfg.Lists.AddCRL(ctx, c, s.event("ca.crl.reserved", c)); err != nil {
		return CRL{}, fmt.Errorf("status: record before signing: %w", err)
	}
	return c, nil
}

// final is zero before the service has ended.
func (s *Service) final(ctx context.Context, i *issuer) (time.Time, error) {
	if s.cfg.Final == nil {
		return time.Time{}, nil
	}
	end, err := s.cfg.Final(ctx, i.id)
	if err != nil {
		return time.Time{}, fmt.Errorf("status: whether the service has ended: %w", err)
	}
	return end, nil
}

// publish records a signature over the recorded bytes, once it verifies.
func (s *Service) publish(ctx context.Context, i *issuer, c CRL, signature []byte) (CRL, error) {
	if err := i.Certificate.CheckSignature(i.lists.algorithm(), c.TBS, signature); err != nil {
		return CRL{}, fmt.Errorf("%w: %w", ErrSignature, err)
	}
	var err error
	if c.DER, err = crl.Assemble(c.TBS, signature); err != nil {
		return CRL{}, err
	}
	c.State = CRLPublished
	if _, err := s.cfg.Lists.PublishCRL(ctx, c, s.event("ca.crl.published", c)); err != nil {
		return CRL{}, fmt.Errorf("status: record after signing: %w", err)
	}
	return c, nil
}

// current is what a full list says: held and revoked certificates of the scope
// that are not over for longer than the margin; a final one, all of them.
func (s *Service) current(ctx context.Context, i *issuer, shard string, now time.Time, final bool) ([]smx509.RevocationListEntry, error) {
	margin := s.cfg.ExpiredMargin
	if i.offline() {
		margin = max(margin, s.cfg.OfflineValidity)
	}
	since := now.Add(-margin)
	if final {
		since = time.Time{}
	}
	rows, err := s.cfg.Registry.Revoked(ctx, i.id, since)
	if err != nil {
		return nil, fmt.Errorf("status: read revoked certificates: %w", err)
	}
	entries := make([]smx509.RevocationListEntry, 0, len(rows))
	for _, r := range rows {
		serial, ok := new(big.Int).SetString(r.Serial, 16)
		if !ok {
			return nil, fmt.Errorf("status: serial %q of the registry is no number", r.Serial)
		}
		if shard == "" || shard == profile.Shard(serial, s.cfg.Site.Shards) {
			e := entry(serial, r.Reason, r.RevokedAt, now)
			if !r.InvalidAt.IsZero() {
				x, err := crl.InvalidityDate(r.InvalidAt)
				if err != nil {
					return nil, err
				}
				e.ExtraExtensions = append(e.ExtraExtensions, x)
			}
			entries = append(entries, e)
		}
	}
	return entries, nil
}

// difference is what a delta says over its base (RFC 5280 5.2.4). It is
// computed from the lists themselves, not from times of change: clocks of nodes
// differ, and a transaction commits later than the time that it writes.
//
// A certificate is named when base and registry disagree about it, and again
// whenever any list since the base named it: a relying party may have joined
// that list to the base. One that was held in any of them and is not listed now
// leaves with removeFromCRL. One that was revoked for good and is not listed is
// over; it stays where it is.
func difference(base CRL, later []CRL, current []smx509.RevocationListEntry, now time.Time) ([]smx509.RevocationListEntry, error) {
	view, err := crl.Parse(base.DER)
	if err != nil {
		return nil, fmt.Errorf("status: read full list %d: %w", base.Number, err)
	}
	type said struct {
		reason  int
		invalid string // invalidityDate as encoded, which may be added later
	}
	inBase, held, named := make(map[string]said, len(view.Entries)), map[string]crl.Entry{}, map[string]bool{}
	note := func(e crl.Entry, key string) {
		if e.Reason == crl.ReasonHold || e.Reason == crl.ReasonRemove {
			held[key] = e
		}
	}
	for _, e := range view.Entries {
		key := string(e.Serial.Bytes())
		inBase[key] = said{e.Reason, string(e.Invalidity())}
		note(e, key)
	}
	for _, c := range later {
		if c.State == CRLVoid {
			continue // nobody ever saw it
		}
		if view, err = readList(c); err != nil {
			return nil, err
		}
		for _, e := range view.Entries {
			key := string(e.Serial.Bytes())
			named[key] = true
			note(e, key)
		}
	}
	var out []smx509.RevocationListEntry
	for _, e := range current {
		key := string(e.SerialNumber.Bytes())
		delete(held, key)
		now := said{reason: e.ReasonCode}
		if len(e.ExtraExtensions) > 0 {
			now.invalid = string(e.ExtraExtensions[0].Value)
		}
		if base, listed := inBase[key]; !listed || base != now || named[key] {
			out = append(out, e)
		}
	}
	for _, key := range slices.Sorted(maps.Keys(held)) {
		out = append(out, entry(held[key].Serial, crl.ReasonRemove, held[key].At, now))
	}
	return out, nil
}

// readList reads a list, signed or still pending: its builder may yet publish it.
func readList(c CRL) (*crl.View, error) {
	read, raw := crl.Parse, c.DER
	if c.State == CRLPending {
		read, raw = crl.ParseTBS, c.TBS
	}
	view, err := read(raw)
	if err != nil {
		return nil, fmt.Errorf("status: read list %d: %w", c.Number, err)
	}
	return view, nil
}

func (s *Service) event(kind string, c CRL) ledger.Event {
	details := map[string]string{
		"number": strconv.FormatInt(c.Number, 10), "entries": strconv.Itoa(c.Entries),
		"this_update": c.ThisUpdate.Format(time.RFC3339), "next_update": c.NextUpdate.Format(time.RFC3339),
	}
	id := c.Issuer
	if c.Shard != "" {
		id += ":" + c.Shard
		details["shard"] = c.Shard
	}
	if c.Delta() {
		details["base"] = strconv.FormatInt(c.Base, 10)
	}
	return ledger.Event{
		ID: s.cfg.NewID(), Type: kind, Class: ledger.ClassCertificate, Time: s.cfg.Now().UTC().Truncate(time.Millisecond),
		Actor: s.cfg.Actor, Object: ledger.Object{Kind: "crl", ID: id + ":" + strconv.FormatInt(c.Number, 10)},
		Outcome: ledger.Success, Payload: c.TBSSM3, Details: details,
	}
}
