package desk

import (
	"context"
	"errors"
	"io/fs"
	"path"
	"strings"

	"github.com/yinxin-gov/yinxin/authz/approval"
	"github.com/yinxin-gov/yinxin/authz/identity"
	"github.com/yinxin-gov/yinxin/authz/ledger"
	"github.com/yinxin-gov/yinxin/internal/console"
	"github.com/yinxin-gov/yinxin/signer"
)

// part is what a person has to do with a request.
type part struct {
	use    signer.Use
	seal   signer.Seal
	asks   bool // the requester
	leads  bool // leader of the seal's unit
	answer approval.Approval
}

// part returns a request to those who have a part in it; to everybody else there
// is no such request.
func (d *Service) part(ctx context.Context, p console.Person, id string) (part, error) {
	u, err := d.cfg.Signer.Use(ctx, id)
	if err != nil {
		return part{}, err
	}
	e, err := d.cfg.Life.Seal(ctx, u.Seal)
	if err != nil {
		return part{}, err
	}
	out := part{use: u, seal: e, asks: u.Requester == p.ID}
	if e.Unit == p.Unit {
		if out.leads, err = d.holds(ctx, p, identity.RoleUnitLeader); err != nil {
			return part{}, err
		}
	}
	if !out.asks && !out.leads {
		return part{}, signer.ErrNotFound
	}
	out.answer, err = d.cfg.Approvals.ApprovalOf(ctx, approval.KindSealUse, id)
	if errors.Is(err, approval.ErrNotFound) {
		err = nil
	}
	return out, err
}

// paper is the kept document of a request, exactly the bytes that were asked
// about, and records who opened it.
func (d *Service) paper(ctx context.Context, p console.Person, u signer.Use) (draft, error) {
	doc, err := d.drafts.get(ctx, u.ID, draftAsked)
	if errors.Is(err, fs.ErrNotExist) {
		return draft{}, console.ErrNotKept
	}
	if err != nil {
		return draft{}, err
	}
	if signer.Digest(doc.Bytes) != u.Document {
		return draft{}, signer.ErrChanged
	}
	return doc, d.opened(ctx, p, u.ID, u.Document, draftAsked)
}

func (d *Service) opened(ctx context.Context, p console.Person, use, sum, kind string) error {
	_, err := d.cfg.Ledger.Append(ctx, ledger.Event{
		ID: d.cfg.NewID(), Type: "desk.document.opened", Class: ledger.ClassAccess, Time: d.now(), Actor: d.actor(p), Action: "read",
		Object: ledger.Object{Kind: "seal_use", ID: use}, Outcome: ledger.Success, Payload: sum, Details: map[string]string{"kept": kind},
	})
	return err
}

// Use implements console.Papers. A document that does not read, or is another
// one, is shown as trouble and can only be refused.
func (d *Service) Use(ctx context.Context, p console.Person, id string) (console.UseView, error) {
	got, err := d.part(ctx, p, id)
	if err != nil {
		return console.UseView{}, err
	}
	lines, err := d.useLines(ctx, []signer.Use{got.use})
	if err != nil {
		return console.UseView{}, err
	}
	u := console.UseView{UseLine: lines[0]}
	if a := got.answer; a.ID != "" {
		u.Answer = &console.Answered{At: a.At, Yes: a.Approved, Reason: a.Reason}
		if u.Answer.By, err = d.name(ctx, a.Approver); err != nil {
			return u, err
		}
	}
	switch doc, err := d.paper(ctx, p, got.use); {
	case err == nil:
		u.Paper, u.Size = &console.Paper{Name: doc.Name, Bytes: doc.Bytes}, len(doc.Bytes)
		u.Place = place(got.use, doc)
	case errors.Is(err, signer.ErrChanged), errors.Is(err, errDraft):
		u.Changed = true
	case !errors.Is(err, console.ErrNotKept):
		return u, err
	}
	if u.MayDecide = got.leads && !got.asks && u.Answer == nil && u.State == signer.UseRequested; u.MayDecide {
		subject, err := d.cfg.Answers.UseSubject(ctx, got.use)
		if err != nil {
			return u, err
		}
		u.Digest = subject.Digest
	}
	u.MaySeal = got.asks && u.Paper != nil && (u.State == signer.UseApproved || u.State == signer.UseRequested && u.Answer != nil && u.Answer.Yes)
	if !got.asks || u.State != signer.UseSealed {
		return u, nil
	}
	switch doc, kind, err := d.sealed(ctx, id); {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return u, err
	default:
		rep, err := d.cfg.Documents.Verify(ctx, doc.Bytes)
		if err != nil {
			return u, err
		}
		u.Sealed, u.MayFetch = &rep, true
		return u, d.opened(ctx, p, id, got.use.Sealed, kind)
	}
	return u, nil
}

// place is where the stamp goes: as it was approved, or, of a request made before
// places were approved, as the desk kept it.
func place(u signer.Use, doc draft) signer.Placement {
	if u.Place != nil {
		return *u.Place
	}
	return doc.Place
}

// sealed is the kept sealed document and as what it is kept.
func (d *Service) sealed(ctx context.Context, id string) (doc draft, kind string, err error) {
	for _, kind = range []string{draftSealed, draftFetched} {
		if doc, err = d.drafts.get(ctx, id, kind); !errors.Is(err, fs.ErrNotExist) {
			break
		}
	}
	return doc, kind, err
}

// Paper implements console.Papers.
func (d *Service) Paper(ctx context.Context, p console.Person, id string) (console.Paper, error) {
	got, err := d.part(ctx, p, id)
	if err != nil {
		return console.Paper{}, err
	}
	doc, err := d.paper(ctx, p, got.use)
	return console.Paper{Name: doc.Name, Bytes: doc.Bytes}, err
}

// PutSeal implements console.Papers: the requester seals what was approved.
func (d *Service) PutSeal(ctx context.Context, p console.Person, id string) error {
	got, err := d.part(ctx, p, id)
	if err != nil {
		return err
	}
	if !got.asks {
		return console.ErrForbidden
	}
	if err := allowed(d.holds(ctx, p, identity.RoleClerk)); err != nil {
		return err
	}
	doc, err := d.paper(ctx, p, got.use)
	if err != nil {
		return err
	}
	if got.use.State == signer.UseRequested { // signed, and not recorded yet
		if _, _, err := d.cfg.Signer.MarkApproved(ctx, d.actor(p), id); err != nil {
			return err
		}
	}
	out, err := d.cfg.Signer.Seal(ctx, d.actor(p), id, doc.Bytes, place(got.use, doc))
	if errors.Is(err, signer.ErrLapsed) {
		return errors.Join(err, d.forget(ctx, id, draftAsked, string(signer.UseLapsed), d.actor(p)))
	}
	if err != nil {
		return err
	}
	ctx = context.WithoutCancel(ctx) // sealed and counted: it must not be lost now
	if err := d.drafts.put(ctx, id, draftSealed, draft{Name: sealedName(doc.Name), Bytes: out.Document}); err != nil {
		return err
	}
	return d.forget(ctx, id, draftAsked, string(signer.UseSealed), d.actor(p))
}

// sealedName tells the sealed file from the one that was uploaded.
func sealedName(name string) string {
	ext := path.Ext(name)
	return strings.TrimSuffix(name, ext) + "（盖章）" + ext
}

// Fetch implements console.Papers. From now on the document is kept one more day.
func (d *Service) Fetch(ctx context.Context, p console.Person, id string) (console.Paper, error) {
	got, err := d.part(ctx, p, id)
	if err != nil {
		return console.Paper{}, err
	}
	if !got.asks {
		return console.Paper{}, console.ErrForbidden
	}
	doc, kind, err := d.sealed(ctx, id)
	if errors.Is(err, fs.ErrNotExist) {
		return console.Paper{}, console.ErrNotKept
	}
	if err != nil {
		return console.Paper{}, err
	}
	if signer.Digest(doc.Bytes) != got.use.Sealed {
		return console.Paper{}, signer.ErrChanged
	}
	if err := d.opened(ctx, p, id, got.use.Sealed, kind); err != nil {
		return console.Paper{}, err
	}
	if kind == draftSealed {
		if err := d.drafts.rename(ctx, id, draftSealed, id, draftFetched); err != nil {
			return console.Paper{}, err
		}
	}
	return console.Paper{Name: doc.Name, Bytes: doc.Bytes}, nil
}
