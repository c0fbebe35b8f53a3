package desk

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"github.com/yinxin-gov/yinxin/authz/identity"
	"github.com/yinxin-gov/yinxin/internal/console"
	"github.com/yinxin-gov/yinxin/signer"
)

// PutSeal implements console.Papers: the requester seals what was approved.
func (d *Service) PutSeal(ctx context.Context, p console.Person, id string) error {
	got, err := d.part(ctx, p, id)
	if err != nil {
		return err
	}
	switch {
	case !got.asks:
		return console.ErrForbidden
	case got.use.Batch != "": // sealed with its batch
		return console.ErrForm
	}
	if err := allowed(d.holds(ctx, p, identity.RoleClerk)); err != nil {
		return err
	}
	if got.use.State == signer.UseRequested { // signed, and not recorded yet
		if _, _, err := d.cfg.Signer.MarkApproved(ctx, d.actor(p), id); err != nil {
			return err
		}
	}
	if len(got.items) > 0 {
		return d.sealBatch(ctx, p, got)
	}
	if err := d.resume(ctx, p, got.use); err != nil {
		return err
	}
	doc, err := d.paper(ctx, p, got.use)
	if err != nil {
		return err
	}
	place, err := d.placeOf(ctx, got)
	if err != nil {
		return err
	}
	out, err := d.cfg.Signer.Seal(ctx, d.actor(p), id, doc.Bytes, place)
	if errors.Is(err, signer.ErrLapsed) {
		return errors.Join(err, d.forget(ctx, id, draftAsked, string(signer.UseLapsed), d.actor(p)))
	}
	if err != nil {
		return err
	}
	return d.keepSealed(ctx, p, id, doc.Name, out)
}

// keepSealed takes the sealed document. It is on the ledger and counted: it must
// not be lost because the browser went away.
func (d *Service) keepSealed(ctx context.Context, p console.Person, id, name string, out signer.Sealed) error {
	ctx = context.WithoutCancel(ctx)
	if err := d.drafts.put(ctx, id, draftSealed, draft{Name: sealedName(name), Bytes: out.Document}); err != nil {
		return err
	}
	return d.forget(ctx, id, draftAsked, string(signer.UseSealed), d.actor(p))
}

// resume puts a sealing that was interrupted between its two records back, which
// is on the ledger. Whoever still is at it finds it taken: of two only one can
// write the second record.
func (d *Service) resume(ctx context.Context, p console.Person, u signer.Use) error {
	switch {
	case u.State != signer.UseSealing:
		return nil
	case !d.interrupted(u):
		return console.ErrSealing
	}
	_, err := d.cfg.Signer.Reopen(ctx, d.actor(p), u.ID, "interrupted")
	return err
}

// sealBatch seals what is not sealed yet of an approved batch.
func (d *Service) sealBatch(ctx context.Context, p console.Person, got part) error {
	f := folder{d, p, map[string]signer.Use{}}
	for _, it := range got.items {
		f.uses[it.Title] = it.Use
		if d.interrupted(it.Use) {
			if err := d.resume(ctx, p, it.Use); err != nil {
				return err
			}
		}
	}
	place, err := d.placeOf(ctx, got)
	if err != nil {
		return err
	}
	out, err := d.cfg.Signer.SealBatch(ctx, d.actor(p), got.use.ID, place, f)
	for _, r := range out.Refused { // what the page says of it until it is sealed
		why := draft{Bytes: []byte(console.Reason(r.Err))}
		err = errors.Join(err, d.drafts.put(context.WithoutCancel(ctx), f.uses[r.Path].ID, draftWhy, why))
	}
	switch {
	case err != nil && out.Sealed > 0:
		return fmt.Errorf("%w: %d sealed: %w", console.ErrPartly, out.Sealed, err)
	case err != nil:
		return err
	case len(out.Refused) > 0:
		first := out.Refused[0]
		return &console.PaperError{Name: first.Path, Err: fmt.Errorf("%w: %d sealed, %d refused, the first: %w", console.ErrPartly, out.Sealed, len(out.Refused), first.Err)}
	case len(out.Open) > 0 && out.Sealed == 0:
		return &console.PaperError{Name: out.Open[0], Err: console.ErrSealing}
	}
	return nil
}

// why is the key of the text that says why a document of a batch was not sealed
// when that was last tried; empty when it was not refused.
func (d *Service) why(ctx context.Context, u signer.Use) (string, error) {
	if u.State != signer.UseApproved {
		return "", nil
	}
	got, err := d.drafts.get(ctx, u.ID, draftWhy)
	if key := string(got.Bytes); err == nil && d.cfg.Words.Has(key) {
		return key, nil
	}
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, errDraft) {
		err = nil
	}
	return "", err
}

// folder gives the signer the kept documents of a batch, and keeps the sealed ones.
type folder struct {
	d    *Service
	p    console.Person
	uses map[string]signer.Use // by title
}

func (f folder) Open(ctx context.Context, title string) ([]byte, error) {
	doc, err := f.d.paper(ctx, f.p, f.uses[title])
	return doc.Bytes, err
}

func (f folder) Keep(ctx context.Context, title string, out signer.Sealed) error {
	id := f.uses[title].ID
	if err := f.d.keepSealed(ctx, f.p, id, title, out); err != nil {
		return err
	}
	return f.d.drafts.drop(context.WithoutCancel(ctx), id, draftWhy)
}
