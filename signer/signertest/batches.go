package signertest

import (
	"context"
	"slices"
	"strings"

	"github.com/yinxin-gov/yinxin/authz/ledger"
	"github.com/yinxin-gov/yinxin/signer"
)

var _ signer.Batches = (*Register)(nil)

// AddBatch implements signer.Batches.
func (r *Register) AddBatch(_ context.Context, batch signer.Use, items []signer.Item, ev ledger.Event) (ledger.Receipt, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if batch.State != signer.UseRequested || len(items) == 0 {
		r.t.Errorf("batch %+v of %d", batch, len(items))
	}
	for _, it := range items {
		if it.State != signer.UseListed || it.Batch != batch.ID || it.Seal != batch.Seal || it.Requester != batch.Requester || it.Place != nil {
			r.t.Errorf("item %+v of %+v", it, batch)
		}
	}
	rc, err := r.record(ev, arrows[[2]signer.UseState{"", batch.State}], "seal_use", batch.ID)
	if err != nil {
		return rc, err
	}
	r.uses[batch.ID] = batch
	for _, it := range items {
		r.uses[it.ID], r.sizes[it.ID] = it.Use, it.Size
	}
	return rc, nil
}

// Items implements signer.Batches: in the order of the manifest.
func (r *Register) Items(_ context.Context, batch string) (out []signer.Item, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, u := range r.uses {
		if u.Batch == batch {
			out = append(out, signer.Item{Use: u, Size: r.sizes[u.ID]})
		}
	}
	slices.SortFunc(out, func(a, b signer.Item) int { return strings.Compare(a.Title, b.Title) })
	return out, nil
}

// moveListed moves the items of a batch with the answer to it, and checks that
// none is open when it is closed.
func (r *Register) moveListed(batch signer.Use) {
	for id, u := range r.uses {
		if u.Batch != batch.ID {
			continue
		}
		if batch.State == signer.UseSealed && u.State != signer.UseSealed {
			r.t.Errorf("batch %s is closed, item %s is %s", batch.ID, id, u.State)
		}
		answered := u.State == signer.UseListed && (batch.State == signer.UseApproved || batch.State == signer.UseRefused)
		lapsed := (u.State == signer.UseListed || u.State == signer.UseApproved) && batch.State == signer.UseLapsed
		if answered || lapsed {
			u.State, u.Approval, u.ApprovedAt = batch.State, batch.Approval, batch.ApprovedAt
			r.uses[id] = u
		}
	}
}

// Tamper changes uses, and sizes of items, behind everybody's back.
func (r *Register) Tamper(edit func(uses map[string]signer.Use, sizes map[string]int64)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	edit(r.uses, r.sizes)
}
