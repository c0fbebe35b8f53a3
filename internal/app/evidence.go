package app

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/yinxin-gov/yinxin/authz/ledger"
	"github.com/yinxin-gov/yinxin/internal/keys"
	"github.com/yinxin-gov/yinxin/signer"
	"github.com/yinxin-gov/yinxin/signer/life"
	"github.com/yinxin-gov/yinxin/signer/report"
	"github.com/yinxin-gov/yinxin/signer/verify"
)

// evidence answers reports from this house's own records: register of seals,
// custody and ledger. It knows documents by the SM3 of the very bytes that a seal
// of this house made, and nothing of others.
type evidence struct {
	seals interface {
		UseSealedAs(ctx context.Context, sm3 string) (signer.Use, error)
		Seal(ctx context.Context, id string) (signer.Seal, error)
		Seals(ctx context.Context, q life.Query) ([]signer.Seal, error)
	}
	ledger interface {
		EntriesByObject(ctx context.Context, object ledger.Object, limit int) ([]ledger.Entry, error)
	}
	keys interface {
		Record(ctx context.Context, id string) (keys.Record, error)
	}
	register string
}

func (h *House) evidence() evidence {
	return evidence{seals: h.rooms.Seals, ledger: h.store.Ledger(), keys: h.custody.dir, register: h.cfg.origin()}
}

// Bounds: seals of this house on one document, entries about one use or seal.
const (
	maxSealsBack = 64
	maxEntries   = 10_000
)

// errDisagree: register and ledger tell different things about one use. Neither
// is evidence then.
var errDisagree = errors.New("app: register of seals and ledger disagree")

// Evidence implements report.Source. A document that was sealed more than once
// is walked back: what the last seal was put on is what the one before made.
func (e evidence) Evidence(ctx context.Context, document string, s verify.Signature) (*report.Evidence, error) {
	for range maxSealsBack {
		u, err := e.seals.UseSealedAs(ctx, document)
		if errors.Is(err, signer.ErrNotFound) {
			return nil, nil
		}
		if err != nil {
			return nil, err
		}
		if u.Seal == s.SealID && u.SealedAt.Truncate(time.Second).Format(time.RFC3339) == s.SignedAt {
			return e.of(ctx, u)
		}
		document = u.Document
	}
	return nil, nil
}

func (e evidence) of(ctx context.Context, u signer.Use) (*report.Evidence, error) {
	s, err := e.seals.Seal(ctx, u.Seal)
	if err != nil {
		return nil, err
	}
	out := &report.Evidence{Register: e.register, Use: u.ID, Approval: u.Approval, Approved: u.Document}
	if out.Custody, out.Key, err = e.key(ctx, s); err != nil {
		return nil, err
	}
	at, err := e.activation(ctx, u, out)
	if err != nil {
		return nil, err
	}
	out.SealState, err = e.sealState(ctx, u.Seal, at)
	return out, err
}

// key: a signing key is never escrowed here (only encryption keys have a centre);
// it is exclusive when no other seal names it.
func (e evidence) key(ctx context.Context, s signer.Seal) (report.Custody, report.KeyUse, error) {
	rec, err := e.keys.Record(ctx, s.KeyID)
	if errors.Is(err, keys.ErrNotFound) {
		return report.CustodyUnknown, "", nil
	}
	if err != nil {
		return "", "", err
	}
	all, err := e.seals.Seals(ctx, life.Query{KeyID: s.KeyID})
	if err != nil {
		return "", "", err
	}
	use := report.KeyExclusive
	if rec.Purpose != keys.PurposeSign || rec.Owner != s.Unit {
		use = report.KeyShared
	}
	for _, o := range all {
		if o.ID != s.ID {
			use = report.KeyShared
		}
	}
	return report.Custody(rec.Class), use, nil
}

// activation finds the record that preceded the signature (design §2 law 4) and
// the one that followed it.
func (e evidence) activation(ctx context.Context, u signer.Use, out *report.Evidence) (at ledger.Entry, err error) {
	entries, err := e.ledger.EntriesByObject(ctx, ledger.Object{Kind: "seal_use", ID: u.ID}, maxEntries)
	if err != nil {
		return at, err
	}
	sealed := false
	for _, entry := range entries {
		ev, err := read(entry)
		if err != nil {
			return at, err
		}
		switch {
		case ev.Outcome != ledger.Success:
		case ev.Type == "signer.document.sealing":
			at = entry
			out.Operator, out.Entry, out.Shard, out.Seq = ev.Actor.ID, entry.ID, entry.Shard, entry.Seq
			if ev.Payload != u.Document || ev.Details["approval"] != u.Approval || ev.Details["seal"] != u.Seal {
				return at, fmt.Errorf("%w: entry %s", errDisagree, entry.ID)
			}
		case ev.Type == "signer.document.sealed":
			if sealed = true; ev.Payload != u.Sealed {
				return at, fmt.Errorf("%w: entry %s", errDisagree, entry.ID)
			}
		}
	}
	if !sealed || out.Entry == "" {
		return at, fmt.Errorf("%w: use %s has no record of its sealing", errDisagree, u.ID)
	}
	return at, nil
}

// sealState is that of a seal when an entry was written. A use is recorded only
// for an active seal; what the ledger says of the seal before it counts more.
func (e evidence) sealState(ctx context.Context, id string, before ledger.Entry) (string, error) {
	entries, err := e.ledger.EntriesByObject(ctx, ledger.Object{Kind: "seal", ID: id}, maxEntries)
	if err != nil {
		return "", err
	}
	state := report.SealActive
	for _, entry := range entries {
		if entry.Shard != before.Shard || entry.Seq >= before.Seq {
			continue
		}
		ev, err := read(entry)
		if err != nil {
			return "", err
		}
		switch to, _ := strings.CutPrefix(ev.Type, "signer.seal."); to {
		case "suspended", "cancelled", "expired":
			state = to
		case "activated", "resumed":
			state = report.SealActive
		}
	}
	return state, nil
}

// read takes an entry that carries its own hashes.
func read(entry ledger.Entry) (ledger.Event, error) {
	if err := intact(entry); err != nil {
		return ledger.Event{}, err
	}
	return ledger.Decode(entry.Body)
}
