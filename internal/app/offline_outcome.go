package app

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/emmansun/gmsm/smx509"

	"github.com/yinxin-gov/yinxin/authz/ledger"
	"github.com/yinxin-gov/yinxin/ca/ceremony"
)

// readOutcome verifies an outcome against these roots; nil: against its own,
// whose fingerprints somebody has to compare.
func readOutcome(raw []byte, roots []*smx509.Certificate) (ceremony.Outcome, ceremony.Record, []*smx509.Certificate, string, error) {
	out, err := ceremony.ReadOutcome(raw)
	if err == nil && roots == nil {
		roots, err = out.RootCertificates()
	}
	if err != nil {
		return out, ceremony.Record{}, nil, "", err
	}
	rec, sum, err := out.Verify(roots)
	return out, rec, roots, sum, err
}

// keepOutcome keeps the file that the ledger names by its record's digest.
func keepOutcome(cfg Config, raw []byte, sum string) error {
	dir := filepath.Join(cfg.Dir, dirCeremonies)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("%w: %w", ErrFolder, err)
	}
	return writeAtomic(filepath.Join(dir, sum+".json"), raw, 0o600)
}

// importedEvent puts a ceremony on the ledger: what it did by the digest of its
// record, and how many were there. Names stay in the record.
func (h *House) importedEvent(ctx context.Context, rec ceremony.Record, sum string) error {
	details := map[string]string{
		"record": sum, "kind": rec.Kind, "need": fmt.Sprint(rec.Need), "of": fmt.Sprint(rec.Of), "custodians": fmt.Sprint(len(rec.Custodians)),
		"witnesses": fmt.Sprint(len(rec.Witnesses)), "split": rec.Split, "sm2_check": rec.Keys[0].CheckValue, "ecdsa_check": rec.Keys[1].CheckValue,
	}
	for i, d := range rec.Others { // further pairs of roots, when several were at work
		n := fmt.Sprint("_", i+2)
		details["need"+n], details["of"+n], details["custodians"+n], details["split"+n] = fmt.Sprint(d.Need), fmt.Sprint(d.Of), fmt.Sprint(len(d.Custodians)), d.Split
		details["sm2_check"+n], details["ecdsa_check"+n] = rec.Keys[2*i+2].CheckValue, rec.Keys[2*i+3].CheckValue
	}
	if rec.Order != "" {
		details["order"] = rec.Order
	}
	_, err := h.Ledger.Record(ctx, ledger.Event{
		ID: "ceremony:" + sum, Type: "ca.ceremony.imported", Class: ledger.ClassCertificate, Time: h.now(), Actor: h.service(),
		Object: ledger.Object{Kind: "ceremony", ID: sum}, Outcome: ledger.Success, Payload: sum, Details: details,
	})
	// A ceremony is recorded once: brought in again, its entry differs in the time only.
	if err != nil && !errors.Is(err, ledger.ErrDuplicate) && !errors.Is(err, ledger.ErrIDReused) {
		return fmt.Errorf("app: record ceremony: %w", err)
	}
	return nil
}
