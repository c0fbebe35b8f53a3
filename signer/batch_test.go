package signer_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/yinxin-gov/yinxin/signer"
	"github.com/yinxin-gov/yinxin/signer/signertest"
)

// folder is a Folder in memory.
type folder struct {
	mu     sync.Mutex
	docs   map[string][]byte
	kept   map[string][]byte
	twice  []string
	failed error // of Keep
}

func (f *folder) Open(_ context.Context, path string) ([]byte, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if b, ok := f.docs[path]; ok {
		return b, nil
	}
	return nil, errors.New("no such file")
}

func (f *folder) Keep(_ context.Context, path string, s signer.Sealed) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.failed != nil {
		return f.failed
	}
	if _, ok := f.kept[path]; ok {
		f.twice = append(f.twice, path)
	}
	f.kept[path] = s.Document
	return nil
}

// papers are n documents that differ.
func papers(t testing.TB, n int) (*folder, signer.Manifest) {
	t.Helper()
	f := &folder{docs: map[string][]byte{}, kept: map[string][]byte{}}
	var m signer.Manifest
	for i := range n {
		doc := notice(t)
		doc = append(doc[:len(doc)-2:len(doc)-2], 4, 0, 'n', byte('0'+i/100), byte('0'+i/10%10), byte('0'+i%10)) // zip comment
		path := fmt.Sprintf("通知/%03d.ofd", i)
		f.docs[path] = doc
		m = append(m, signer.Listed{SM3: signer.Digest(doc), Size: int64(len(doc)), Path: path})
	}
	return f, m
}

func (h *house) batch(t testing.TB, m signer.Manifest) signer.Use {
	t.Helper()
	u, _, err := h.RequestBatch(context.Background(), clerk, signer.BatchRequest{Seal: sealID, Title: "一批通知", Manifest: m})
	if err != nil {
		t.Fatal(err)
	}
	h.Approvals.Say(u, "approval-"+u.ID)
	if u, _, err = h.MarkApproved(context.Background(), clerk, u.ID); err != nil {
		t.Fatal(err)
	}
	return u
}

// Eight callers at once seal every document of a batch once, none twice, and
// nothing that was not approved; each has its own two records.
func TestBatchSealsEachDocumentOnce(t *testing.T) {
	h := newHouse(t)
	h.makeSeal(t)
	const n = 12
	f, m := papers(t, n)
	b := h.batch(t, m)
	from := len(h.reg.Events(0))
	foreign := notice(t)
	items, err := h.Items(context.Background(), b.ID)
	if err != nil || len(items) != n {
		t.Fatal(len(items), err)
	}
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			if _, err := h.Seal(context.Background(), clerk, items[i].ID, foreign, signer.Placement{}); err == nil {
				t.Error("a document that is not on the list was sealed")
			}
			if _, err := h.SealBatch(context.Background(), clerk, b.ID, signer.Placement{}, f); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if len(f.kept) != n || len(f.twice) > 0 {
		t.Errorf("%d of %d sealed, twice %v", len(f.kept), n, f.twice)
	}
	counts := map[string]int{}
	for _, kind := range h.reg.Events(from) {
		counts[kind]++
	}
	if counts["signer.document.sealing"] != n || counts["signer.document.sealed"] != n || counts["signer.batch.sealed"] != 1 || len(counts) != 3 {
		t.Errorf("records %v", counts)
	}
	if u, err := h.reg.Use(context.Background(), b.ID); err != nil || u.State != signer.UseSealed {
		t.Errorf("%+v, %v", u, err)
	}
	out, err := h.SealBatch(context.Background(), clerk, b.ID, signer.Placement{}, f)
	if err != nil || out.Before != n || out.Sealed != 0 {
		t.Errorf("again: %+v, %v", out, err)
	}
}

// An interrupted batch goes on where it stopped; a document that changed, is gone
// or cannot take a seal is refused and stays open, and the others are sealed.
func TestBatchResumes(t *testing.T) {
	h := newHouse(t)
	h.makeSeal(t)
	f, m := papers(t, 6)
	text := []byte("no document")
	m = append(m, signer.Listed{SM3: signer.Digest(text), Size: int64(len(text)), Path: "readme.txt"})
	f.docs["readme.txt"] = text
	b := h.batch(t, m)
	changed := f.docs[m[1].Path]
	f.docs[m[1].Path] = notice(t)
	gone := f.docs[m[2].Path]
	delete(f.docs, m[2].Path)
	f.failed = errors.New("disk full")
	if _, err := h.SealBatch(context.Background(), clerk, b.ID, signer.Placement{}, f); !errors.Is(err, f.failed) {
		t.Fatal(err)
	}
	f.failed = nil
	h.reg.Fail("signer.document.sealed", errors.New("store is down"))
	if _, err := h.SealBatch(context.Background(), clerk, b.ID, signer.Placement{}, f); err == nil || len(f.kept) > 0 {
		t.Fatalf("%v, %d kept", err, len(f.kept))
	}
	h.reg.Fail("signer.document.sealed", nil)
	out, err := h.SealBatch(context.Background(), clerk, b.ID, signer.Placement{}, f)
	if err != nil || out.Before != 1 || out.Sealed != 2 || len(out.Open) != 1 || len(out.Refused) != 3 {
		t.Fatalf("%+v, %v", out, err)
	}
	if r := out.Refused; r[0].Path != "readme.txt" || !errors.Is(r[0].Err, signer.ErrDocument) || !errors.Is(r[1].Err, signer.ErrChanged) || r[2].Path != m[2].Path {
		t.Errorf("%+v", out.Refused)
	}
	items, err := h.Items(context.Background(), b.ID)
	if err != nil {
		t.Fatal(err)
	}
	for _, it := range items {
		if it.Title == out.Open[0] {
			if _, err := h.Reopen(context.Background(), clerk, it.ID, "restart"); err != nil {
				t.Fatal(err)
			}
		}
	}
	f.docs[m[1].Path], f.docs[m[2].Path] = changed, gone
	out, err = h.SealBatch(context.Background(), clerk, b.ID, signer.Placement{}, f)
	if err != nil || out.Before != 3 || out.Sealed != 3 || len(out.Open) != 0 || len(out.Refused) != 1 {
		t.Errorf("%+v, %v", out, err)
	}
}

// The leader's signature is over the list: without it, with another one, or with
// a list that changed in the register nothing is sealed.
func TestBatchNeedsItsApproval(t *testing.T) {
	f, m := papers(t, 3)
	seal := func(h *house, b signer.Use, want error) {
		t.Helper()
		if out, err := h.SealBatch(context.Background(), clerk, b.ID, signer.Placement{}, f); !errors.Is(err, want) || out.Sealed > 0 || len(f.kept) > 0 {
			t.Errorf("%+v, %v", out, err)
		}
	}
	h := newHouse(t)
	h.makeSeal(t)
	b, _, err := h.RequestBatch(context.Background(), clerk, signer.BatchRequest{Seal: sealID, Title: "一批", Manifest: m})
	if err != nil {
		t.Fatal(err)
	}
	seal(h, b, signer.ErrNotApproved)
	if _, _, err := h.MarkApproved(context.Background(), clerk, b.ID); !errors.Is(err, signer.ErrNotApproved) {
		t.Errorf("marked: %v", err)
	}
	for name, tamper := range map[string]func(h *house, id string){
		"document swapped": func(h *house, id string) { h.edit(id, func(u *signer.Use) { u.Document = signer.Digest([]byte("x")) }) },
		"path swapped":     func(h *house, id string) { h.edit(id, func(u *signer.Use) { u.Title = "other" }) },
		"size swapped": func(h *house, id string) {
			h.reg.Tamper(func(_ map[string]signer.Use, sizes map[string]int64) { sizes[id]++ })
		},
		"one added": func(h *house, id string) {
			h.reg.Tamper(func(uses map[string]signer.Use, _ map[string]int64) {
				u := uses[id]
				u.ID, u.Title = "smuggled", "zzz"
				uses[u.ID] = u
			})
		},
		"one removed": func(h *house, id string) {
			h.reg.Tamper(func(uses map[string]signer.Use, _ map[string]int64) { delete(uses, id) })
		},
		"another seal": func(h *house, id string) {
			h.reg.Tamper(func(uses map[string]signer.Use, _ map[string]int64) {
				for id, u := range uses {
					if u.Batch != "" {
						u.Seal = "x"
						uses[id] = u
					}
				}
			})
		},
		"approval gone": func(h *house, _ string) { clear(h.Approvals.Uses) },
	} {
		t.Run(name, func(t *testing.T) {
			h := newHouse(t)
			h.makeSeal(t)
			b := h.batch(t, m)
			items, err := h.Items(context.Background(), b.ID)
			if err != nil {
				t.Fatal(err)
			}
			tamper(h, items[1].ID)
			seal(h, b, signer.ErrNotApproved)
		})
	}
}

func (h *house) edit(id string, change func(*signer.Use)) {
	h.reg.Tamper(func(uses map[string]signer.Use, _ map[string]int64) {
		u := uses[id]
		change(&u)
		uses[id] = u
	})
}

func TestRequestBatchRefuses(t *testing.T) {
	h := newHouse(t)
	h.makeSeal(t)
	_, good := papers(t, 2)
	many := make(signer.Manifest, signer.MaxBatch+1)
	for i := range many {
		many[i] = signer.Listed{SM3: good[0].SM3, Path: fmt.Sprint(i)}
	}
	a := good[0].SM3
	one := func(l signer.Listed) signer.Manifest { return signer.Manifest{good[0], l} }
	for name, m := range map[string]signer.Manifest{
		"empty": nil, "too many": many, "twice": append(slices.Clone(good), good[0]),
		"digest": one(signer.Listed{SM3: "AB", Path: "x"}), "upper case": one(signer.Listed{SM3: strings.ToUpper(a), Path: "x"}),
		"size": one(signer.Listed{SM3: a, Size: -1, Path: "x"}), "no path": one(signer.Listed{SM3: a}), "absolute": one(signer.Listed{SM3: a, Path: "/x"}),
		"parent": one(signer.Listed{SM3: a, Path: "../x"}), "inner parent": one(signer.Listed{SM3: a, Path: "a/../x"}), "here": one(signer.Listed{SM3: a, Path: "."}),
		"slash": one(signer.Listed{SM3: a, Path: "x/"}), "backslash": one(signer.Listed{SM3: a, Path: `a\x`}), "quote": one(signer.Listed{SM3: a, Path: `a"x`}),
		"line feed": one(signer.Listed{SM3: a, Path: "a\nb"}), "direction": one(signer.Listed{SM3: a, Path: "a\u202eb"}), "not UTF-8": one(signer.Listed{SM3: a, Path: "\xff"}),
		"long": one(signer.Listed{SM3: a, Path: strings.Repeat("x", 801)}),
	} {
		if _, _, err := h.RequestBatch(context.Background(), clerk, signer.BatchRequest{Seal: sealID, Manifest: m}); !errors.Is(err, signer.ErrManifest) {
			t.Errorf("%s: %v", name, err)
		}
	}
	stranger := clerk
	stranger.Unit = "x"
	if _, _, err := h.RequestBatch(context.Background(), stranger, signer.BatchRequest{Seal: sealID, Manifest: good}); !errors.Is(err, signer.ErrUnit) {
		t.Errorf("another unit: %v", err)
	}
	u := h.approve(t, notice(t))
	if _, err := h.SealBatch(context.Background(), clerk, u.ID, signer.Placement{}, &folder{}); !errors.Is(err, signer.ErrBatch) {
		t.Errorf("not a batch: %v", err)
	}
}

// Each document of a batch counts for the quota of the seal; the batch does not.
func TestBatchCountsItsDocuments(t *testing.T) {
	h := newHouse(t)
	h.makeSeal(t)
	f, m := papers(t, 4)
	b := h.batch(t, m)
	ctx := context.Background()
	if _, _, err := h.Life.AskAuthorise(ctx, signertest.Keeper, sealID, signer.Authorisation{Total: 3}, "限量"); err != nil {
		t.Fatal(err)
	}
	h.Answer(t, sealID, true)
	if _, _, err := h.Life.Settle(ctx, signertest.Keeper, sealID); err != nil {
		t.Fatal(err)
	}
	out, err := h.SealBatch(ctx, clerk, b.ID, signer.Placement{}, f)
	if !errors.Is(err, signer.ErrQuota) || out.Sealed != 3 || len(f.kept) != 3 {
		t.Errorf("%+v, %v", out, err)
	}
}

// Bounds of a seal are asked for the whole batch when it is requested: no leader
// signs for documents of which some can never be sealed.
func TestBatchIsRefusedWhenItsDocumentsDoNotFit(t *testing.T) {
	for name, a := range map[string]signer.Authorisation{"in all": {Total: 3}, "a day": {Quota: 3, Per: signer.PerDay}} {
		h := newHouse(t)
		h.makeSeal(t)
		ctx := context.Background()
		if _, _, err := h.Life.AskAuthorise(ctx, signertest.Keeper, sealID, a, "限量"); err != nil {
			t.Fatal(err)
		}
		h.Answer(t, sealID, true)
		if _, _, err := h.Life.Settle(ctx, signertest.Keeper, sealID); err != nil {
			t.Fatal(err)
		}
		_, four := papers(t, 4)
		if u, _, err := h.RequestBatch(ctx, clerk, signer.BatchRequest{Seal: sealID, Manifest: four}); !errors.Is(err, signer.ErrQuota) || u.ID != "" {
			t.Errorf("%s: four of three: %v", name, err)
		}
		_, three := papers(t, 3)
		if _, _, err := h.RequestBatch(ctx, clerk, signer.BatchRequest{Seal: sealID, Manifest: three}); err != nil {
			t.Errorf("%s: three of three: %v", name, err)
		}
	}
}
