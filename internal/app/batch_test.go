package app

import (
	"context"

	"github.com/yinxin-gov/yinxin/signer"
	"github.com/yinxin-gov/yinxin/signer/verify"
)

// batchInTheHouse: a batch goes through the house: one signature of the leader, one seal and two
// records for each document; the leader of another unit approves nothing here.
func (w *town) batchInTheHouse() {
	t := w.t
	o, other := w.units[0], w.units[1]
	f := &shelf{docs: map[string][]byte{}, kept: map[string][]byte{}}
	var m signer.Manifest
	for _, name := range []string{"a/1.ofd", "a/2.ofd", "b.ofd"} {
		doc := paper(t, name)
		f.docs[name] = doc
		m = append(m, signer.Listed{SM3: signer.Digest(doc), Size: int64(len(doc)), Path: name})
	}
	clerk := w.actor(o.clerk)
	b, _, err := w.Signer.RequestBatch(bg, clerk, signer.BatchRequest{Seal: o.seal, Title: "一批", Manifest: m})
	ok(t, err)
	s, err := w.UseSubject(bg, b)
	ok(t, err)
	if sum, err := b.Approves(); err != nil || s.Digest != sum || b.Document != m.Digest() {
		t.Errorf("the leader signs %s of %s, the manifest is %s", s.Digest, b.Document, m.Digest())
	}
	usurped, _, err := w.Signer.RequestBatch(bg, clerk, signer.BatchRequest{Seal: o.seal, Title: "一批", Manifest: m})
	ok(t, err)
	foreign, err := w.UseSubject(bg, usurped)
	ok(t, err)
	foreign.Unit = other.unit
	w.refusedAnswer(foreign, other.leader)
	_, _, err = w.Signer.MarkApproved(bg, clerk, usurped.ID)
	wantErr(t, err, signer.ErrNotApproved)
	foreign.Unit, foreign.Requester = o.unit, "somebody"
	w.refusedAnswer(foreign, o.leader)
	w.approved(o, usurped) // its own leader still can

	w.approved(o, b)
	before := w.Ledger.Head().Size
	_, err = w.Signer.SealBatch(bg, clerk, b.ID, signer.Placement{Page: 1, X: 10, Y: 10}, f)
	wantErr(t, err, signer.ErrPlace)
	out, err := w.Signer.SealBatch(bg, clerk, b.ID, signer.Placement{}, f)
	ok(t, err)
	if out.Sealed != 3 || len(out.Refused)+len(out.Open) > 0 || len(f.kept) != 3 {
		t.Errorf("%+v", out)
	}
	if n := w.Ledger.Head().Size - before; n != 3*3+1 { // activation, time-stamp and seal of each
		t.Errorf("%d records for three documents and the end of the batch", n)
	}
	for name, doc := range f.kept {
		rep, err := w.Verify(bg, doc)
		ok(t, err)
		u, err := w.rooms.Seals.SealedAs(bg, signer.Digest(doc))
		ok(t, err)
		if rep.Verdict != verify.Valid || u.Title != name || u.Batch != b.ID {
			t.Errorf("%s: %s, %+v", name, rep.Verdict, u)
		}
	}
	out, err = w.Signer.SealBatch(bg, clerk, b.ID, signer.Placement{}, f)
	if err != nil || out.Before != 3 || out.Sealed != 0 {
		t.Errorf("again: %+v, %v", out, err)
	}
}

// shelf is a folder of documents.
type shelf struct{ docs, kept map[string][]byte }

func (f *shelf) Open(_ context.Context, path string) ([]byte, error) { return f.docs[path], nil }

func (f *shelf) Keep(_ context.Context, path string, s signer.Sealed) error {
	f.kept[path] = s.Document
	return nil
}
