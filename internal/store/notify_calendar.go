package store

import (
	"context"
	"fmt"
	"time"

	"github.com/uptrace/bun"

	"github.com/yinxin-gov/yinxin/authz/ledger"
	"github.com/yinxin-gov/yinxin/ca"
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
// holder has a later one of the same kind was replaced: nobody waits for it.
func (n *Notify) Endings(ctx context.Context, from, to time.Time) ([]notify.Ending, error) {
	var rows []struct {
		Issuer, Serial, Agency, System string
		NotBefore, NotAfter            bun.NullTime
	}
	silent := []ca.Kind{ca.KindSM2Enc, ca.KindECDSATest, ca.KindSM2SignTest, ca.KindSM2EncTest}
	err := n.s.r.NewRaw(`SELECT c.issuer, c.serial, c.agency, c.system, c.not_before, c.not_after FROM ca_certificate c
		WHERE c.der IS NOT NULL AND c.not_after > ? AND c.not_after <= ? AND c.state = ? AND c.kind NOT IN (?)
		AND NOT EXISTS (SELECT 1 FROM ca_certificate l WHERE l.system = c.system AND l.agency = c.agency AND l.person = c.person
			AND l.kind = c.kind AND l.issuer = c.issuer AND l.state = c.state AND l.not_after > c.not_after)
		ORDER BY c.not_after, c.issuer, c.serial LIMIT ?`,
		at(from), at(to), string(ca.StateGood), bun.List(silent), maxEndings).Scan(ctx, &rows)
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
