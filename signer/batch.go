package signer

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/yinxin-gov/yinxin/authz/ledger"
)

// MaxBatch is how many documents one approval may be for: each seal rebuilds the
// manifest that the leader signed.
const MaxBatch = 1000

// ErrBatch: no batches here, or not a batch.
var ErrBatch = errors.New("signer: not a batch")

// Item is one document of a batch: a use of its own, with its own records and
// its own count, whose approval is that of the batch. Its title is the path.
type Item struct {
	Use
	Size int64 `json:"size"`
}

// Batches keeps batches; see Register for the promises.
type Batches interface {
	// AddBatch takes a use that is requested, and the listed uses of its items.
	AddBatch(ctx context.Context, batch Use, items []Item, ev ledger.Event) (ledger.Receipt, error)
	// Items lists a batch in the order of its manifest; none for another use.
	Items(ctx context.Context, batchID string) ([]Item, error)
}

// BatchRequest asks for one seal on many documents with one approval.
type BatchRequest struct {
	Seal     string // esID
	Title    string
	Type     string    // kind of document (文种), one for all; may be empty
	Purpose  string    // may be empty
	Place    Placement // of the stamp, the same in each document
	Manifest Manifest
}

// RequestBatch records a request whose document is the manifest: the leader signs
// once, for exactly these documents and one place (GB/T 33481). It does not see
// them; each is checked when it is sealed, and before by who has them: Check. The
// bounds of the seal have to leave room for all of them today.
func (s *Service) RequestBatch(ctx context.Context, actor ledger.Actor, req BatchRequest) (Use, ledger.Receipt, error) {
	fail := func(err error) (Use, ledger.Receipt, error) { return Use{}, ledger.Receipt{}, err }
	if s.cfg.Batches == nil {
		return fail(fmt.Errorf("%w: this house keeps none", ErrBatch))
	}
	now := s.now()
	if err := s.typed(req.Type); err != nil {
		return fail(err)
	}
	m, err := req.Manifest.checked()
	if err != nil {
		return fail(err)
	}
	e, err := s.usable(ctx, actor, req.Seal, now, len(m))
	if err != nil {
		return fail(err)
	}
	batch := Use{
		ID: s.cfg.NewID(), Seal: e.ID, Document: m.Digest(), Title: req.Title, Type: req.Type, Purpose: req.Purpose,
		Place: &req.Place, Requester: actor.ID, State: UseRequested, CreatedAt: now,
	}
	items := make([]Item, len(m))
	for i, l := range m {
		u := batch
		u.ID, u.Document, u.Title, u.State, u.Batch, u.Place = s.cfg.NewID(), l.SM3, l.Path, UseListed, batch.ID, nil
		items[i] = Item{Use: u, Size: l.Size}
	}
	ev := s.event("signer.use.requested", now, actor, useObject(batch.ID), batch.Document,
		filled("seal", e.ID, "type", req.Type, "purpose", req.Purpose, "documents", fmt.Sprint(len(items))))
	receipt, err := s.cfg.Batches.AddBatch(ctx, batch, items, ev)
	if err != nil {
		return fail(fmt.Errorf("signer: record the request: %w", err))
	}
	return batch, receipt, nil
}

// Items lists the documents of a batch and where each stands.
func (s *Service) Items(ctx context.Context, batchID string) ([]Item, error) {
	if s.cfg.Batches == nil {
		return nil, fmt.Errorf("%w: this house keeps none", ErrBatch)
	}
	items, err := s.cfg.Batches.Items(ctx, batchID)
	if err != nil {
		return nil, fmt.Errorf("signer: batch %s: %w", batchID, err)
	}
	if len(items) == 0 {
		return nil, fmt.Errorf("%w: %s", ErrBatch, batchID)
	}
	return items, nil
}

// headOf returns the use that was approved for u: itself, or its batch. The
// manifest of the batch is rebuilt from what stands in the register now: a row
// that was added or changed since makes another one than the leader signed.
func (s *Service) headOf(ctx context.Context, u Use) (Use, error) {
	if u.Batch == "" {
		return u, nil
	}
	batch, err := s.cfg.Register.Use(ctx, u.Batch)
	if err != nil {
		return Use{}, fmt.Errorf("signer: batch %s: %w", u.Batch, err)
	}
	items, err := s.Items(ctx, u.Batch)
	if err != nil {
		return Use{}, err
	}
	m := make(Manifest, len(items))
	for i, it := range items {
		m[i] = Listed{SM3: it.Document, Size: it.Size, Path: it.Title}
	}
	if m, err = m.checked(); err != nil || m.Digest() != batch.Document || batch.Seal != u.Seal ||
		!slices.ContainsFunc(items, func(it Item) bool { return it.ID == u.ID && it.Document == u.Document }) {
		return Use{}, fmt.Errorf("%w: the list is not the one of batch %s", ErrNotApproved, u.Batch)
	}
	return batch, nil
}

// Folder gives the documents of a batch and takes the sealed ones.
type Folder interface {
	// Open returns the bytes of a document.
	Open(ctx context.Context, path string) ([]byte, error)
	// Keep takes a sealed one. It is on the ledger already: what is not kept here
	// needs a new request.
	Keep(ctx context.Context, path string, sealed Sealed) error
}

// Outcome is what became of a batch.
type Outcome struct {
	Sealed  int      // by this call
	Before  int      // were sealed already
	Open    []string // in hand elsewhere, or interrupted between their records: Reopen them
	Refused []Refusal
}

// Refusal is a document of a batch that was not sealed, and stays open.
type Refusal struct {
	Path string
	Err  error
}

// SealBatch seals every document of an approved batch that is not sealed yet,
// each once, with its own records before and after; a call that was interrupted
// is made again. A document that cannot be read, changed since the approval or
// cannot take a seal is refused and does not stop the others; anything else
// does. The last one closes the batch.
func (s *Service) SealBatch(ctx context.Context, actor ledger.Actor, batchID string, place Placement, f Folder) (Outcome, error) {
	var out Outcome
	batch, err := s.cfg.Register.Use(ctx, batchID)
	if err != nil {
		return out, fmt.Errorf("signer: use %s: %w", batchID, err)
	}
	items, err := s.Items(ctx, batchID)
	if err != nil {
		return out, err
	}
	for _, it := range items {
		switch it.State {
		case UseSealed:
			out.Before++
			continue
		case UseSealing:
			out.Open = append(out.Open, it.Title)
			continue
		case UseApproved:
		default:
			return out, fmt.Errorf("%w: use %s is %s", ErrNotApproved, it.ID, it.State)
		}
		sealed, refused, err := s.sealItem(ctx, actor, it, place, f)
		switch {
		case err != nil:
			return out, err
		case refused != nil:
			out.Refused = append(out.Refused, Refusal{it.Title, refused})
		case sealed:
			out.Sealed++
		default:
			out.Open = append(out.Open, it.Title)
		}
	}
	return out, s.closeBatch(ctx, actor, batch)
}

// sealItem seals one document. Neither sealed nor refused: another caller has it.
func (s *Service) sealItem(ctx context.Context, actor ledger.Actor, it Item, place Placement, f Folder) (sealed bool, refused, err error) {
	doc, err := f.Open(ctx, it.Title)
	if err != nil {
		return false, err, ctx.Err()
	}
	got, err := s.Seal(ctx, actor, it.ID, doc, place)
	switch {
	case err == nil:
		if err := f.Keep(ctx, it.Title, got); err != nil {
			return false, nil, fmt.Errorf("signer: keep the sealed %.80q: %w", it.Title, err)
		}
		return true, nil, nil
	case errors.Is(err, ErrChanged), errors.Is(err, ErrDocument), errors.Is(err, ErrCitation):
		return false, err, nil
	case errors.Is(err, ErrNotApproved):
		// The guarded move lets one caller through; the others find it taken.
		if now, useErr := s.cfg.Register.Use(ctx, it.ID); useErr == nil && (now.State == UseSealing || now.State == UseSealed) {
			return false, nil, nil
		}
	}
	return false, nil, err
}

// closeBatch records that the last document of a batch was sealed.
func (s *Service) closeBatch(ctx context.Context, actor ledger.Actor, batch Use) error {
	items, err := s.Items(ctx, batch.ID)
	if err != nil {
		return err
	}
	last := time.Time{}
	for _, it := range items {
		if it.State != UseSealed {
			return nil
		}
		if it.SealedAt.After(last) {
			last = it.SealedAt
		}
	}
	if batch, err = s.cfg.Register.Use(ctx, batch.ID); err != nil || batch.State == UseSealed {
		return err
	}
	batch.State, batch.Sealed, batch.SealedAt = UseSealed, batch.Document, last
	_, err = s.cfg.Register.MoveUse(ctx, batch, UseApproved, s.event("signer.batch.sealed", s.now(), actor, useObject(batch.ID), batch.Document,
		filled("seal", batch.Seal, "approval", batch.Approval, "documents", fmt.Sprint(len(items)))))
	if now, useErr := s.cfg.Register.Use(ctx, batch.ID); err != nil && useErr == nil && now.State == UseSealed {
		return nil // another caller closed it
	}
	if err != nil {
		return fmt.Errorf("signer: record the end of the batch: %w", err)
	}
	return nil
}
