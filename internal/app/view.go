package app

import (
	"context"
	"encoding/hex"
	"encoding/pem"
	"io"

	"github.com/yinxin-gov/yinxin/authz/identity"
	"github.com/yinxin-gov/yinxin/authz/ledger"
	"github.com/yinxin-gov/yinxin/ca/profile"
	"github.com/yinxin-gov/yinxin/internal/api/wire"
	"github.com/yinxin-gov/yinxin/internal/console"
)

// Anchors are the public certificates of the house.
func (h *House) Anchors(ctx context.Context) wire.Anchors {
	p := func(der []byte) string {
		return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
	}
	// Who joins from now on pins the roots that issue now. While the register cannot
	// be read, what it said last is told.
	set, err := h.Succession.Set(ctx)
	if err != nil {
		set = h.Succession.Known()
	}
	root := func(t profile.Algorithm) []byte { return set.Roots(t)[0].Certificate.Raw }
	issuing := func(t profile.Algorithm) []byte { return set.Issuing(t)[0].Certificate.Raw }
	return wire.Anchors{
		SM2Root: p(root(profile.SM2)), SM2Issuing: p(issuing(profile.SM2)), ECDSARoot: p(root(profile.ECDSA)), ECDSAIssuing: p(issuing(profile.ECDSA)),
		LedgerKey: p(h.LedgerCertificate()), LedgerOrigin: h.cfg.origin(),
		SM2RootSM3: SM3Hex(root(profile.SM2)), ECDSARootSM3: SM3Hex(root(profile.ECDSA)),
		AccessWarning: h.words.Get("notice.internal_ca").Both(),
	}
}

// LedgerHead is the newest head with its signed checkpoint.
func (h *House) LedgerHead(context.Context) (wire.Head, error) {
	hd := h.Ledger.Head()
	return wire.Head{Shard: hd.Shard, Size: hd.Size, Root: hex.EncodeToString(hd.Root), Checkpoint: string(hd.Checkpoint)}, nil
}

// ExportLedger signs a checkpoint over everything and writes the export file.
func (h *House) ExportLedger(ctx context.Context, w io.Writer) error {
	return h.Ledger.Export(ctx, w)
}

// recentLines is how many entries the ledger page shows.
const recentLines = 20

// ledgerPage is what an auditor sees; that he looked is on the ledger too.
func (h *House) ledgerPage(ctx context.Context, p console.Person) (console.Head, error) {
	if !p.Auditor {
		return console.Head{}, console.ErrForbidden
	}
	ev := ledger.Event{
		ID: newID(), Type: "console.ledger.read", Class: ledger.ClassAccess, Time: h.now(), Actor: h.PersonActor(p.ID, identity.USCC(p.Unit)),
		Object: ledger.Object{Kind: "ledger", ID: h.cfg.Name}, Action: "read", Outcome: ledger.Success,
	}
	if _, err := h.Ledger.Append(ctx, ev); err != nil {
		return console.Head{}, err
	}
	hd, err := h.LedgerHead(ctx)
	if err != nil {
		return console.Head{}, err
	}
	from := uint64(0)
	if hd.Size > recentLines {
		from = hd.Size - recentLines
	}
	entries, err := h.store.Ledger().Entries(ctx, hd.Shard, from, hd.Size)
	if err != nil {
		return console.Head{}, err
	}
	out := console.Head{Head: hd}
	for i := len(entries) - 1; i >= 0; i-- {
		l := console.Line{Seq: entries[i].Seq, Type: h.words.Get("console.ledger.redacted").Zh}
		if entries[i].Body != nil {
			e, err := ledger.Decode(entries[i].Body)
			if err != nil {
				return console.Head{}, err
			}
			l = console.Line{Seq: l.Seq, Time: e.Time, Type: e.Type, Object: e.Object.Kind + " " + e.Object.ID, Outcome: e.Outcome, Reasons: e.Reasons}
			if e.Decision != "" {
				l.Outcome = e.Decision
			}
		}
		out.Recent = append(out.Recent, l)
	}
	return out, nil
}
