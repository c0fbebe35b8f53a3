package app

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/yinxin-gov/yinxin/authz/ledger"
	"github.com/yinxin-gov/yinxin/internal/keys"
	"github.com/yinxin-gov/yinxin/signer"
	"github.com/yinxin-gov/yinxin/signer/life"
	"github.com/yinxin-gov/yinxin/signer/report"
	"github.com/yinxin-gov/yinxin/signer/verify"
)

// records are a register, a ledger and a custody with one use of one seal.
type records struct {
	t      *testing.T
	use    signer.Use
	seals  []signer.Seal
	key    keys.Record
	keyErr error
	events []ledger.Event
	spoil  func([]ledger.Entry)
}

func newRecords(t *testing.T) *records {
	sealed := time.Date(2026, 3, 1, 8, 0, 0, 5e8, time.UTC)
	r := &records{
		t:     t,
		use:   signer.Use{ID: "u1", Seal: "11010200000001", Document: hex64("a"), Sealed: hex64("b"), State: signer.UseSealed, Approval: "ap", SealedAt: sealed},
		seals: []signer.Seal{{ID: "11010200000001", Unit: "unit", KeyID: "seal-11010200000001"}},
		key:   keys.Record{Purpose: keys.PurposeSign, Class: keys.ClassSoftwareFile, Owner: "unit"},
	}
	r.events = []ledger.Event{
		r.event("signer.seal.made", "seal", "11010200000001", hex64("c")), r.event("signer.use.approved", "seal_use", "u1", r.use.Document),
		r.event("signer.document.sealing", "seal_use", "u1", r.use.Document), r.event("signer.document.sealed", "seal_use", "u1", r.use.Sealed),
		r.event("signer.seal.suspended", "seal", "11010200000001", hex64("c")),
	}
	return r
}

func hex64(s string) (out string) {
	for range 64 {
		out += s
	}
	return out
}

func (r *records) event(kind, object, id, payload string) ledger.Event {
	return ledger.Event{
		ID: kind + id, Type: kind, Class: ledger.ClassSeal, Time: r.use.SealedAt, Actor: ledger.Actor{Kind: "person", ID: "clerk"},
		Object: ledger.Object{Kind: object, ID: id}, Outcome: ledger.Success, Payload: payload, Details: map[string]string{"seal": r.use.Seal, "approval": r.use.Approval},
	}
}

func (r *records) UseSealedAs(_ context.Context, sm3 string) (signer.Use, error) {
	if sm3 != r.use.Sealed {
		return signer.Use{}, signer.ErrNotFound
	}
	return r.use, nil
}

func (r *records) Seal(_ context.Context, id string) (signer.Seal, error) {
	for _, s := range r.seals {
		if s.ID == id {
			return s, nil
		}
	}
	return signer.Seal{}, signer.ErrNotFound
}

func (r *records) Seals(_ context.Context, q life.Query) (out []signer.Seal, _ error) {
	for _, s := range r.seals {
		if s.KeyID == q.KeyID {
			out = append(out, s)
		}
	}
	return out, nil
}

func (r *records) Record(context.Context, string) (keys.Record, error) { return r.key, r.keyErr }

// EntriesByObject makes entries that carry their own hashes, as a ledger does.
func (r *records) EntriesByObject(_ context.Context, o ledger.Object, _ int) (out []ledger.Entry, err error) {
	for i, ev := range r.events {
		if ev.Object != o {
			continue
		}
		body, err := ledger.Encode(ev)
		ok(r.t, err)
		h := ledger.Header{Seq: uint64(i), Time: ev.Time.UnixMilli(), Class: ev.Class, Commit: ledger.BodyCommit(make([]byte, 32), body)}
		raw := h.Append(nil)
		leaf := ledger.LeafHash(raw)
		out = append(out, ledger.Entry{ID: ev.ID, Seq: uint64(i), Leaf: leaf[:], Header: raw, Salt: make([]byte, 32), Body: body})
	}
	if r.spoil != nil {
		r.spoil(out)
	}
	return out, nil
}

func (r *records) ask(document string) (*report.Evidence, error) {
	e := evidence{seals: r, ledger: r, keys: r, register: "yangli/ledger/sm3"}
	return e.Evidence(bg, document, verify.Signature{SealID: r.use.Seal, SignedAt: "2026-03-01T08:00:00Z"})
}

// What the house says of one use, and when it says nothing: evidence that
// register and ledger do not share is none.
func TestEvidence(t *testing.T) {
	var corrupt *ledger.CorruptError
	for name, tc := range map[string]struct {
		change func(*records)
		check  func(*report.Evidence) bool
		err    func(error) bool
	}{
		"as recorded": {func(*records) {}, func(e *report.Evidence) bool {
			return e.Operator == "clerk" && e.Use == "u1" && e.Approval == "ap" && e.Seq == 2 && e.Entry != "" && e.Custody == report.CustodySoftware &&
				e.Key == report.KeyExclusive && e.SealState == report.SealActive // suspended only later
		}, nil},
		"key of another seal too": {func(r *records) { r.seals = append(r.seals, signer.Seal{ID: "x", KeyID: r.seals[0].KeyID}) },
			func(e *report.Evidence) bool { return e.Key == report.KeyShared }, nil},
		"key of another owner":  {func(r *records) { r.key.Owner = "other" }, func(e *report.Evidence) bool { return e.Key == report.KeyShared }, nil},
		"key for encryption":    {func(r *records) { r.key.Purpose = keys.PurposeEncrypt }, func(e *report.Evidence) bool { return e.Key == report.KeyShared }, nil},
		"key not in custody":    {func(r *records) { r.keyErr = keys.ErrNotFound }, func(e *report.Evidence) bool { return e.Custody == report.CustodyUnknown && e.Key == "" }, nil},
		"custody does not read": {func(r *records) { r.keyErr = keys.ErrMode }, nil, func(err error) bool { return errors.Is(err, keys.ErrMode) }},
		"suspended before": {func(r *records) { r.events[1].Type, r.events[1].Object = "signer.seal.suspended", r.events[0].Object },
			func(e *report.Evidence) bool { return e.SealState == "suspended" }, nil},
		"another time":       {func(r *records) { r.use.SealedAt = r.use.SealedAt.Add(time.Second) }, func(e *report.Evidence) bool { return e == nil }, nil},
		"other bytes":        {func(r *records) { r.use.Sealed = hex64("d") }, func(e *report.Evidence) bool { return e == nil }, nil},
		"approval differs":   {func(r *records) { r.use.Approval = "forged" }, nil, func(err error) bool { return errors.Is(err, errDisagree) }},
		"document differs":   {func(r *records) { r.use.Document = hex64("d") }, nil, func(err error) bool { return errors.Is(err, errDisagree) }},
		"no sealing record":  {func(r *records) { r.events = r.events[:2] }, nil, func(err error) bool { return errors.Is(err, errDisagree) }},
		"never sealed":       {func(r *records) { r.events[3].Outcome = ledger.Failure }, nil, func(err error) bool { return errors.Is(err, errDisagree) }},
		"body was exchanged": {func(r *records) { r.spoil = func(es []ledger.Entry) { es[0].Body = es[len(es)-1].Body } }, nil, func(err error) bool { return errors.As(err, &corrupt) }},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRecords(t)
			document := r.use.Sealed
			tc.change(r)
			e, err := r.ask(document)
			if tc.err != nil {
				if !tc.err(err) {
					t.Errorf("%+v, %v", e, err)
				}
				return
			}
			if err != nil || !tc.check(e) {
				t.Errorf("%+v, %v", e, err)
			}
		})
	}
}
