package desk

import (
	"archive/zip"
	"bytes"
	"context"
	"errors"
	"fmt"
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
	head   signer.Use // what the leader answers: the use itself, or of an item its batch
	seal   signer.Seal
	items  []signer.Item // of a batch
	asks   bool          // the requester
	leads  bool          // leader of the seal's unit
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
	out := part{use: u, head: u, seal: e, asks: u.Requester == p.ID}
	if e.Unit == p.Unit {
		if out.leads, err = d.holds(ctx, p, identity.RoleUnitLeader); err != nil {
			return part{}, err
		}
	}
	if !out.asks && !out.leads {
		return part{}, signer.ErrNotFound
	}
	if u.Batch != "" {
		out.head, err = d.cfg.Signer.Use(ctx, u.Batch)
	} else if out.items, err = d.cfg.Signer.Items(ctx, id); errors.Is(err, signer.ErrBatch) {
		err = nil
	}
	if err != nil {
		return part{}, err
	}
	out.answer, err = d.cfg.Approvals.ApprovalOf(ctx, approval.KindSealUse, out.head.ID)
	if errors.Is(err, approval.ErrNotFound) {
		err = nil
	}
	return out, err
}

// paper is the kept document of a request, and records who opened it.
func (d *Service) paper(ctx context.Context, p console.Person, u signer.Use) (draft, error) {
	doc, err := d.kept(ctx, u)
	if err != nil {
		return draft{}, err
	}
	return doc, d.opened(ctx, p, u.ID, u.Document, draftAsked)
}

// kept is the document of a request, exactly the bytes that were asked about.
func (d *Service) kept(ctx context.Context, u signer.Use) (draft, error) {
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
	return doc, nil
}

func (d *Service) opened(ctx context.Context, p console.Person, use, sum, kind string) error {
	_, err := d.cfg.Ledger.Append(ctx, ledger.Event{
		ID: d.cfg.NewID(), Type: "desk.document.opened", Class: ledger.ClassAccess, Time: d.now(), Actor: d.actor(p), Action: "read",
		Object: ledger.Object{Kind: "seal_use", ID: use}, Outcome: ledger.Success, Payload: sum, Details: map[string]string{"kept": kind},
	})
	return err
}

// placeOf is where the stamp goes: as it was approved, or, of a request made before
// places were approved, as the desk kept it.
func (d *Service) placeOf(ctx context.Context, got part) (signer.Placement, error) {
	if got.head.Place != nil {
		return *got.head.Place, nil
	}
	doc, err := d.drafts.get(ctx, got.use.ID, draftAsked)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, errDraft) {
		err = nil
	}
	return doc.Place, err
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

// Paper implements console.Papers. Of a batch it is the manifest: the list whose
// SM3 is signed.
func (d *Service) Paper(ctx context.Context, p console.Person, id string) (console.Paper, error) {
	got, err := d.part(ctx, p, id)
	if err != nil {
		return console.Paper{}, err
	}
	if len(got.items) > 0 {
		return console.Paper{Name: got.use.Title + ".txt", Bytes: manifestOf(got.items).Text()}, nil
	}
	doc, err := d.paper(ctx, p, got.use)
	return console.Paper{Name: doc.Name, Bytes: doc.Bytes}, err
}

// sealedName tells the sealed file from the one that was uploaded.
func sealedName(name string) string {
	ext := path.Ext(name)
	return strings.TrimSuffix(name, ext) + "（盖章）" + ext
}

// Fetch implements console.Papers. From now on a document is kept one more day.
func (d *Service) Fetch(ctx context.Context, p console.Person, id string) (console.Paper, error) {
	got, err := d.part(ctx, p, id)
	if err != nil {
		return console.Paper{}, err
	}
	if !got.asks {
		return console.Paper{}, console.ErrForbidden
	}
	if len(got.items) > 0 {
		return d.fetchAll(ctx, p, got)
	}
	return d.fetch(ctx, p, got.use)
}

// fetchAll packs what is sealed of a batch, and still kept, into one ZIP file.
func (d *Service) fetchAll(ctx context.Context, p console.Person, got part) (console.Paper, error) {
	var b bytes.Buffer
	z, n := zip.NewWriter(&b), 0
	for _, it := range got.items {
		if it.State != signer.UseSealed {
			continue
		}
		doc, err := d.fetch(ctx, p, it.Use)
		if errors.Is(err, console.ErrNotKept) {
			continue
		}
		if err != nil {
			return console.Paper{}, err
		}
		w, err := z.CreateHeader(&zip.FileHeader{Name: doc.Name, Method: zip.Store, Modified: it.SealedAt})
		if err == nil {
			_, err = w.Write(doc.Bytes)
		}
		if err != nil {
			return console.Paper{}, fmt.Errorf("desk: pack the documents: %w", err)
		}
		n++
	}
	if n == 0 {
		return console.Paper{}, console.ErrNotKept
	}
	if err := z.Close(); err != nil {
		return console.Paper{}, fmt.Errorf("desk: pack the documents: %w", err)
	}
	return console.Paper{Name: got.use.Title + ".zip", Bytes: b.Bytes()}, nil
}

func (d *Service) fetch(ctx context.Context, p console.Person, u signer.Use) (console.Paper, error) {
	doc, kind, err := d.sealed(ctx, u.ID)
	if errors.Is(err, fs.ErrNotExist) {
		return console.Paper{}, console.ErrNotKept
	}
	if err != nil {
		return console.Paper{}, err
	}
	if signer.Digest(doc.Bytes) != u.Sealed {
		return console.Paper{}, signer.ErrChanged
	}
	if err := d.opened(ctx, p, u.ID, u.Sealed, kind); err != nil {
		return console.Paper{}, err
	}
	if kind == draftSealed {
		if err := d.drafts.rename(ctx, u.ID, draftSealed, u.ID, draftFetched); err != nil {
			return console.Paper{}, err
		}
	}
	return console.Paper{Name: doc.Name, Bytes: doc.Bytes}, nil
}
