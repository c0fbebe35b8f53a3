package desk

import (
	"context"
	"errors"
	"io/fs"
	"time"

	"github.com/yinxin-gov/yinxin/internal/console"
	"github.com/yinxin-gov/yinxin/signer"
	"github.com/yinxin-gov/yinxin/signer/ofd"
)

// shownItems is how many documents of a batch one page opens.
const shownItems = 10

// Use implements console.Papers. A document that does not read, or is another
// one, is shown as trouble and can only be refused.
func (d *Service) Use(ctx context.Context, p console.Person, id string, from int) (console.UseView, error) {
	got, err := d.part(ctx, p, id)
	if err != nil {
		return console.UseView{}, err
	}
	lines, err := d.useLines(ctx, []signer.Use{got.use})
	if err != nil {
		return console.UseView{}, err
	}
	u := console.UseView{UseLine: lines[0], Total: len(got.items)}
	if a := got.answer; a.ID != "" {
		u.Answer = &console.Answered{At: a.At, Yes: a.Approved, Reason: a.Reason}
		if u.Answer.By, err = d.name(ctx, a.Approver); err != nil {
			return u, err
		}
	}
	if u.Place, err = d.placeOf(ctx, got); err != nil {
		return u, err
	}
	if u.Total > 0 {
		err = d.showBatch(ctx, p, got, from, &u)
	} else {
		err = d.showPaper(ctx, p, got, &u)
	}
	if err != nil {
		return u, err
	}
	if u.MayDecide = got.leads && !got.asks && u.Answer == nil && got.use.State == signer.UseRequested; u.MayDecide {
		subject, err := d.cfg.Answers.UseSubject(ctx, got.use)
		if err != nil {
			return u, err
		}
		u.Digest = subject.Digest
	}
	return u, nil
}

// showPaper opens the one document of a request, and the sealed one.
func (d *Service) showPaper(ctx context.Context, p console.Person, got part, u *console.UseView) error {
	doc, err := d.shown(ctx, p, got.use, &u.Changed)
	if err != nil {
		return err
	}
	if u.Paper = doc; doc != nil {
		u.Size = len(doc.Bytes)
		if u.Spots, err = d.spots(ctx, got, u.Place, doc); err != nil {
			return err
		}
	}
	u.MaySeal = got.asks && got.use.Batch == "" && doc != nil && (u.State == signer.UseApproved || d.interrupted(got.use) || u.State == signer.UseRequested && u.Answer != nil && u.Answer.Yes)
	if !got.asks || u.State != signer.UseSealed {
		return nil
	}
	switch doc, kind, err := d.sealed(ctx, u.ID); {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return err
	default:
		rep, err := d.cfg.Documents.Verify(ctx, doc.Bytes)
		if err != nil {
			return err
		}
		u.Sealed, u.MayFetch = &rep, true
		return d.opened(ctx, p, u.ID, got.use.Sealed, kind)
	}
}

// showBatch opens a part of the documents.
func (d *Service) showBatch(ctx context.Context, p console.Person, got part, from int, u *console.UseView) error {
	if from >= u.Total {
		from = 0
	}
	u.From = from
	for _, it := range got.items[from:min(from+shownItems, u.Total)] {
		doc, err := d.shown(ctx, p, it.Use, &u.Changed)
		if err != nil {
			return err
		}
		shown := console.UseItem{Item: it, Paper: doc}
		if shown.Why, err = d.why(ctx, it.Use); err != nil {
			return err
		}
		if doc != nil {
			if shown.Spots, err = d.spots(ctx, got, u.Place, doc); err != nil {
				return err
			}
		}
		u.Items = append(u.Items, shown)
	}
	for _, it := range got.items {
		u.Size += int(it.Size)
		if it.State == signer.UseSealed {
			u.Done++
			u.MayFetch = u.MayFetch || got.asks && d.fresh(it.Use)
		}
	}
	u.MaySeal = got.asks && (u.State == signer.UseApproved || u.State == signer.UseRequested && u.Answer != nil && u.Answer.Yes)
	return nil
}

// shown opens a document for a page: nil when it is not kept, or, which changed
// tells, is not what was asked about.
func (d *Service) shown(ctx context.Context, p console.Person, u signer.Use, changed *bool) (*console.Paper, error) {
	doc, err := d.paper(ctx, p, u)
	switch {
	case errors.Is(err, console.ErrNotKept):
		return nil, nil
	case errors.Is(err, signer.ErrChanged), errors.Is(err, errDraft):
		*changed = true
		return nil, nil
	case err != nil:
		return nil, err
	}
	return &console.Paper{Name: doc.Name, Bytes: doc.Bytes}, nil
}

// spots are where the stamp will stand; none on a document that cannot take it any
// more, which sealing will refuse.
func (d *Service) spots(ctx context.Context, got part, place signer.Placement, doc *console.Paper) ([]ofd.Place, error) {
	at, err := d.cfg.Signer.Spots(ctx, got.seal.ID, doc.Bytes, place)
	if errors.Is(err, signer.ErrDocument) {
		return nil, nil
	}
	return at, err
}

// resumeAfter is how long after the first of its two records a sealing counts as
// interrupted. It takes seconds.
const resumeAfter = 2 * time.Minute

func (d *Service) interrupted(u signer.Use) bool {
	return u.State == signer.UseSealing && d.cfg.Now().Sub(u.TakenAt) > resumeAfter
}
