package store

import (
	"context"
	"fmt"
	"time"

	"github.com/uptrace/bun"

	"github.com/yinxin-gov/yinxin/authz/ledger"
	"github.com/yinxin-gov/yinxin/ca/acmestore"
)

type acmeTextRow struct {
	bun.BaseModel `bun:"table:acme_text"`

	Name      string `bun:"name,pk"`
	Value     string `bun:"value,pk"`
	System    string `bun:"system"`
	ExpiresUS int64  `bun:"expires_us"`
}

func (r acmeTextRow) text() string { return r.Value }

type acmeTextSecretRow struct {
	bun.BaseModel `bun:"table:acme_text_secret"`

	Key  string `bun:"key_id,pk"`
	Hash string `bun:"hash"`
}

// SetText implements acmestore.Texts. Two callers at once may pass the limit by
// one each: it guards room, nothing else.
func (a *ACME) SetText(ctx context.Context, t acmestore.Text, now time.Time, ev ledger.Event) (ledger.Receipt, error) {
	return a.commit(ctx, ev, func(ctx context.Context, tx bun.Tx) error {
		if _, err := changed(ctx, tx, "DELETE FROM acme_text WHERE name = ? AND (value = ? OR expires_us <= ?)", t.Name, t.Value, now.UnixMicro()); err != nil {
			return fmt.Errorf("replacing a text record of %q: %w", t.Name, err)
		}
		n, err := tx.NewSelect().Model((*acmeTextRow)(nil)).Where("name = ?", t.Name).Count(ctx)
		if err != nil {
			return fmt.Errorf("counting the text records of %q: %w", t.Name, err)
		}
		if n >= acmestore.MaxTexts {
			return fmt.Errorf("%w: %q", acmestore.ErrFull, t.Name)
		}
		return insert(ctx, tx, &acmeTextRow{Name: t.Name, Value: t.Value, System: t.System, ExpiresUS: t.ExpiresAt.UnixMicro()},
			acmestore.ErrExists, acmestore.ErrNotFound, "text record of", t.Name)
	})
}

// RemoveText implements acmestore.Texts.
func (a *ACME) RemoveText(ctx context.Context, t acmestore.Text, ev ledger.Event) (ledger.Receipt, error) {
	return a.commit(ctx, ev, func(ctx context.Context, tx bun.Tx) error {
		n, err := changed(ctx, tx, "DELETE FROM acme_text WHERE name = ? AND value = ? AND system = ?", t.Name, t.Value, t.System)
		switch {
		case err != nil:
			return fmt.Errorf("removing a text record of %q: %w", t.Name, err)
		case n != 1:
			return fmt.Errorf("%w: text record of %q", acmestore.ErrNotFound, t.Name)
		}
		return nil
	})
}

// Texts implements acmestore.Texts.
func (a *ACME) Texts(ctx context.Context, name string, now time.Time) ([]string, error) {
	all, err := list(ctx, a.s.r, acmeTextRow.text, "value", "name = ? AND expires_us > ?", name, now.UnixMicro())
	if err != nil {
		return nil, fmt.Errorf("reading the text records of %q: %w", name, err)
	}
	return all, nil
}

// TextsOf implements acmestore.Texts.
func (a *ACME) TextsOf(ctx context.Context, system string, now time.Time) ([]acmestore.Text, error) {
	all, err := list(ctx, a.s.r, func(r acmeTextRow) acmestore.Text {
		return acmestore.Text{Name: r.Name, Value: r.Value, System: r.System, ExpiresAt: time.UnixMicro(r.ExpiresUS).UTC()}
	}, "name, value", "system = ? AND expires_us > ?", system, now.UnixMicro())
	if err != nil {
		return nil, fmt.Errorf("reading the text records of system %q: %w", system, err)
	}
	return all, nil
}

// DropTexts implements acmestore.Texts.
func (a *ACME) DropTexts(ctx context.Context, before time.Time) error {
	return retried(ctx, func() error {
		_, err := changed(ctx, a.s.w, "DELETE FROM acme_text WHERE expires_us < ?", before.UnixMicro())
		return err
	})
}
