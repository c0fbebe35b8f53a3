package store

import (
	"context"
	"fmt"
	"time"

	"github.com/uptrace/bun"

	"github.com/yinxin-gov/yinxin/authz/ledger"
	"github.com/yinxin-gov/yinxin/ca"
	"github.com/yinxin-gov/yinxin/ca/history"
	"github.com/yinxin-gov/yinxin/internal/notify"
)

var (
	_ notify.Directory = (*Notify)(nil)
	_ notify.Calendar  = (*Notify)(nil)
)

// HolderOf implements notify.Directory.
func (n *Notify) HolderOf(ctx context.Context, issuer, serial string) (unit, system string, err error) {
	var row struct{ Agency, System string }
	err = n.s.r.NewRaw("SELECT agency, system FROM ca_certificate WHERE issuer = ? AND serial = ?", issuer, serial).Scan(ctx, &row)
	return row.Agency, row.System, found(err, notify.ErrNotFound, "certificate", serial)
}

// maxEndings bounds one answer of Endings.
const maxEndings = 10_000

// Endings implements notify.Calendar for certificates that are good, but those for
// tests and the encryption half of a pair, which ends with the other. One whose
// successor is in force is left out: nobody waits for it.
func (n *Notify) Endings(ctx context.Context, now, from, to time.Time) ([]notify.Ending, error) {
	var rows []struct {
		Issuer, Serial, Agency, System string
		NotBefore, NotAfter            bun.NullTime
	}
	err := n.s.r.NewRaw("SELECT c.issuer, c.serial, c.agency, c.system, c.not_before, c.not_after"+recordTables+
		" WHERE c.der IS NOT NULL AND c.state = ? AND c.not_after > ? AND c.not_after <= ? AND c.kind NOT IN (?) AND NOT "+superseded+
		" ORDER BY c.not_after, c.issuer, c.serial LIMIT ?",
		string(ca.StateGood), at(from), at(to), bun.List(append(history.Tests(), ca.KindSM2Enc)), at(now), at(now), maxEndings).Scan(ctx, &rows)
	if err != nil {
		return nil, fmt.Errorf("reading certificates that end: %w", err)
	}
	out := make([]notify.Ending, len(rows))
	for i, r := range rows {
		out[i] = notify.Ending{
			Kind: notify.CertificateExpiring, Unit: r.Agency, System: r.System, Object: ledger.Object{Kind: "certificate", ID: r.Issuer + ":" + r.Serial},
			From: utc(r.NotBefore), At: utc(r.NotAfter),
		}
	}
	return out, nil
}
