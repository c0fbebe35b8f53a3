package app

import (
	"context"
	"time"

	"github.com/yinxin-gov/yinxin/authz/ledger"
	"github.com/yinxin-gov/yinxin/ca"
	"github.com/yinxin-gov/yinxin/ca/history"
	"github.com/yinxin-gov/yinxin/internal/api"
	"github.com/yinxin-gov/yinxin/internal/api/wire"
)

// openHistory builds what tells of certificates.
func (h *House) openHistory() (err error) {
	h.History, err = history.New(history.Config{
		Trails: h.rooms.CA, Rooms: h.rooms.CA, Recoveries: h.rooms.KMC, Ledger: h.store.Ledger(), Ends: h.rooms.CA, Counts: h.rooms.CA, Now: h.cfg.Now,
	})
	return err
}

// historian tells systems of what is their own.
type historian struct{ history *history.Service }

// CertificatesOf implements api.Historian.
func (h historian) CertificatesOf(ctx context.Context, actor ledger.Actor, system, after string, limit int) (out wire.Certificates, err error) {
	if actor.ID != system {
		return out, api.ErrCertificate
	}
	q := history.Query{System: system, Limit: limit}
	if q.After, err = history.ParseCursor(after); err != nil {
		return out, err
	}
	page, err := h.history.Of(ctx, q)
	if err != nil {
		return out, err
	}
	out = wire.Certificates{System: system, Certificates: make([]wire.Certificate, len(page.Entries)), Next: page.Next.String()}
	for i, e := range page.Entries {
		out.Certificates[i] = wireEntry(e)
	}
	return out, nil
}

// Expiring implements api.Historian.
func (h historian) Expiring(ctx context.Context, actor ledger.Actor, system string, days int, superseded bool, after string) (out wire.Certificates, err error) {
	if actor.ID != system {
		return out, api.ErrCertificate
	}
	q := history.ExpiringQuery{System: system, Days: days, Superseded: superseded}
	if q.After, err = history.ParseCursor(after); err != nil {
		return out, err
	}
	page, err := h.history.Ending(ctx, q)
	if err != nil {
		return out, err
	}
	out = wire.Certificates{System: system, Certificates: make([]wire.Certificate, len(page.Entries)), Next: page.Next.String()}
	for i, e := range page.Entries {
		out.Certificates[i] = wireEntry(history.Entry{Record: e.Record})
		out.Certificates[i].Superseded = e.Superseded
	}
	return out, nil
}

func wireEntry(e history.Entry) wire.Certificate {
	out := wire.Certificate{
		Issuer: e.Issuer, Serial: e.Serial, Kind: string(e.Kind), Half: e.Half, Subject: e.Subject, Names: e.Origin.Names, State: "unsigned",
		NotBefore: e.NotBefore, NotAfter: e.NotAfter, StoppedAt: moment(e.RevokedAt), Way: string(e.Origin.Way), Ref: e.Origin.Ref, Follows: e.Origin.Previous, Followed: e.Followed,
	}
	if e.Issued {
		out.State = string(e.State)
	}
	if e.Issued && e.State == ca.StateRevoked {
		out.Reason = ca.ReasonName(e.Reason)
	}
	if r := e.Request; r != nil {
		out.Request = &wire.CertificateRequest{ID: r.ID, SubmittedBy: r.SubmittedBy, ReviewedBy: r.ReviewedBy, DecidedBy: r.DecidedBy, Approval: r.Approval}
		for _, v := range r.Evidence {
			if v.Digest != "" && v.Salt == "" { // a salted one is of a person's number
				out.Request.Evidence = append(out.Request.Evidence, v.Digest)
			}
		}
	}
	for _, x := range e.Holds {
		hold := wire.CertificateHold{ID: x.ID, By: x.HeldBy, At: x.HeldAt}
		if x.State == ca.SuspensionLifted {
			hold.LiftedAt = moment(x.AnsweredAt)
		}
		out.Holds = append(out.Holds, hold)
	}
	for _, a := range e.Acts {
		out.Entries = append(out.Entries, wire.CertificateEntry{Shard: a.Shard, Seq: a.Seq, ID: a.Entry, Type: a.Type, At: a.At, By: a.By, Outcome: a.Outcome})
	}
	return out
}

func moment(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}
