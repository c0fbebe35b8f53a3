package app

import (
	"archive/zip"
	"bytes"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/yinxin-gov/yinxin/authz/ledger"
	"github.com/yinxin-gov/yinxin/signer"
	"github.com/yinxin-gov/yinxin/signer/verify"
)

// askBatch submits documents of these titles and returns the page of the batch
// and its items in the order of the list.
func (o *bureau) askBatch(t *testing.T, want int, place []string, files ...string) (string, []signer.Item) {
	t.Helper()
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	for i, pairs := 0, append([]string{"seal", testSeal, "title", "一批通知"}, place...); i+1 < len(pairs); i += 2 {
		ok(t, w.WriteField(pairs[i], pairs[i+1]))
	}
	for i, name := range files {
		doc := notice(t, fmt.Sprintf("%s %d", name, i))
		if strings.HasPrefix(name, "bad") {
			doc = []byte("no document")
		}
		addFile(t, w, "document", name, doc)
	}
	at := o.clerk.submit("/console/uses", want, w, &b)
	if want != http.StatusSeeOther {
		return "", nil
	}
	items, err := o.h.Signer.Items(bg, filepath.Base(at))
	ok(t, err)
	return at, items
}

// approvedBatch: one answer for many documents, a part of which is sealed, the
// rest later; every one comes back, alone or with all.
func approvedBatch(t *testing.T, o *bureau) {
	before := len(drafts(t, o.h, ""))
	if o.askBatch(t, http.StatusUnprocessableEntity, nil, "a.ofd", "bad.ofd"); len(drafts(t, o.h, "")) != before {
		t.Error("a refused batch left documents")
	}
	o.askBatch(t, http.StatusUnprocessableEntity, []string{"consents", "none"}, "a.ofd", "b.ofd")
	at, items := o.askBatch(t, http.StatusSeeOther, []string{"place", "point", "x", "120.5", "y", "200"}, "../通知.ofd", "通知.ofd", "c\u202e.ofd")
	id := filepath.Base(at)
	if len(items) != 3 || items[0].Title != "c_.ofd" || items[1].Title != "通知 (2).ofd" || items[2].Title != "通知.ofd" {
		t.Fatalf("%+v", items)
	}
	if found := inClear(t, filepath.Join(o.h.cfg.Dir, dirBlobs), "OFD.xml", "PK\x03\x04"); len(found) > 0 {
		t.Errorf("a document stands in clear in %v", found)
	}
	if page := o.clerk.get("/console/uses", http.StatusOK); strings.Contains(page, items[0].ID) || !strings.Contains(page, id) {
		t.Error("the list does not show the batch as one")
	}
	// The leader: the list, a picture of each, each document whole, and the place.
	page := o.leader.get(at, http.StatusOK)
	for _, it := range items {
		if !strings.Contains(page, it.Document) || !strings.Contains(page, it.Title) {
			t.Errorf("%s is not on the list", it.Title)
		}
		if page := o.leader.get("/console/uses/"+it.ID, http.StatusOK); !strings.Contains(page, "data:image/svg") || strings.Contains(page, `name="pin"`) {
			t.Errorf("%s is not shown, or answered by itself", it.Title)
		}
		o.other.get("/console/uses/"+it.ID, http.StatusNotFound)
		o.leader.post("/console/uses/"+it.ID+"/answer", http.StatusConflict, "digest", it.Document, "pin", o.leader.pin, "answer", "yes")
	}
	if strings.Count(page, "data:image/svg") != 3 || !strings.Contains(page, "(120.5, 200) mm") {
		t.Error("the leader does not see every cover, or not the place")
	}
	if list := o.leader.get(at+"/document", http.StatusOK); signer.Digest([]byte(list)) != must(o.h.Signer.Use(bg, id)).Document {
		t.Error("the list is not the one that is signed")
	}
	o.other.get(at, http.StatusNotFound)
	o.leader.post(at+"/answer", http.StatusConflict, "digest", must(o.h.Signer.Use(bg, id)).Document, "pin", o.leader.pin, "answer", "yes") // without the place
	// One document is exchanged: nothing is approved until it is back.
	kept := draftFile(o.h, items[1].ID+".asked")
	was, err := os.ReadFile(kept)
	ok(t, err)
	exchanged, err := os.ReadFile(draftFile(o.h, items[0].ID+".asked"))
	ok(t, err)
	digest := o.leader.digest(page)
	ok(t, os.WriteFile(kept, exchanged, 0o600))
	if page := o.leader.post(at+"/answer", http.StatusConflict, "digest", digest, "pin", o.leader.pin, "answer", "yes"); !strings.Contains(alert(page), items[1].Title) {
		t.Errorf("it is not said which document is another: %s", alert(page))
	}
	ok(t, os.WriteFile(kept, was, 0o600))
	o.leader.post(at+"/answer", http.StatusSeeOther, "digest", digest, "pin", o.leader.pin, "answer", "yes")
	o.leader.post(at+"/seal", http.StatusForbidden)
	o.clerk.get(at+"/sealed", http.StatusGone)
	o.clerk.post("/console/uses/"+items[0].ID+"/seal", http.StatusBadRequest) // an item goes with its batch
	// Sealing fails for one; the others are sealed and fetchable.
	ok(t, os.Rename(kept, kept+".away"))
	if page := o.clerk.post(at+"/seal", http.StatusConflict); !strings.Contains(alert(page), items[1].Title) {
		t.Errorf("it is not said what was not sealed: %s", alert(page))
	}
	why := o.h.words.Get("desk.error.not_kept")
	if page := o.clerk.get(at, http.StatusOK); strings.Count(page, why.Zh) != 1 || strings.Count(page, why.En) != 1 {
		t.Error("the list does not say why one document was not sealed")
	}
	ok(t, o.h.Desk.Sweep(bg)) // the reason stays while the document may still be sealed
	if page := o.clerk.get(at, http.StatusOK); !strings.Contains(page, why.Zh) {
		t.Error("the reason is swept away")
	}
	if got := o.unpacked(t, at); len(got) != 2 || got["通知（盖章）.ofd"] == nil {
		t.Errorf("fetched %d", len(got))
	}
	ok(t, os.Rename(kept+".away", kept))
	o.clerk.post(at+"/seal", http.StatusSeeOther)
	if u := must(o.h.Signer.Use(bg, id)); u.State != signer.UseSealed {
		t.Errorf("the batch is %s", u.State)
	}
	if page := o.clerk.get(at, http.StatusOK); strings.Contains(page, why.Zh) || slices.Contains(drafts(t, o.h, items[1].ID), items[1].ID+".why") {
		t.Error("the reason of before is still shown, or kept")
	}
	got := o.unpacked(t, at)
	for name, doc := range got {
		rep, err := o.h.Verify(bg, doc)
		ok(t, err)
		if len(got) != 3 || rep.Verdict != verify.Valid {
			t.Errorf("%d documents, %s is %s", len(got), name, rep.Verdict)
		}
	}
	if page := o.clerk.get("/console/uses/"+items[1].ID, http.StatusOK); !strings.Contains(page, `class="verdict valid"`) {
		t.Error("the clerk is not shown the verdict of one document")
	}
	o.leader.get(at+"/sealed", http.StatusForbidden)
	o.leader.get("/console/uses/"+items[1].ID+"/sealed", http.StatusForbidden)
}

func must(u signer.Use, err error) signer.Use {
	if err != nil {
		panic(err)
	}
	return u
}

// unpacked fetches what is sealed of a batch.
func (o *bureau) unpacked(t *testing.T, at string) map[string][]byte {
	t.Helper()
	code, got, head := o.clerk.do(http.MethodGet, at+"/sealed", "", nil)
	z, err := zip.NewReader(strings.NewReader(got), int64(len(got)))
	if code != http.StatusOK || err != nil || !strings.Contains(head.Get("Content-Disposition"), ".zip") {
		t.Fatalf("%d %v %v", code, head, err)
	}
	out := map[string][]byte{}
	for _, f := range z.File {
		r, err := f.Open()
		ok(t, err)
		out[f.Name], err = io.ReadAll(r)
		ok(t, err)
	}
	return out
}

func refusedBatch(t *testing.T, o *bureau) {
	at, items := o.askBatch(t, http.StatusSeeOther, nil, "x.ofd", "y.ofd")
	o.leader.answers(at, at+"/answer", http.StatusSeeOther, false)
	for _, it := range items {
		if u := must(o.h.Signer.Use(bg, it.ID)); u.State != signer.UseRefused || len(drafts(t, o.h, it.ID)) > 0 {
			t.Errorf("%s is %s, or kept", it.Title, u.State)
		}
	}
	o.clerk.post(at+"/seal", http.StatusConflict)
}

// interruptedSealing: the house went down between the two records. The clerk goes
// on from the page, once it is sure that nobody is at it any more.
func interruptedSealing(t *testing.T, o *bureau) {
	for _, batch := range []bool{false, true} {
		at, id := "", ""
		if batch {
			var items []signer.Item
			at, items = o.askBatch(t, http.StatusSeeOther, nil, "p.ofd", "q.ofd")
			id = items[0].ID
		} else {
			at = o.ask(t, "会中断的文件")
			id = filepath.Base(at)
		}
		o.leader.answers(at, at+"/answer", http.StatusSeeOther, true)
		taken := func(ago time.Duration) {
			u := must(o.h.Signer.Use(bg, id))
			u.State, u.TakenAt = signer.UseSealing, o.h.now().Add(-ago)
			_, err := o.h.rooms.Seals.MoveUse(bg, u, signer.UseApproved, ledger.Event{
				ID: newID(), Type: "signer.document.sealing", Class: ledger.ClassSeal, Time: o.h.now(), Actor: o.h.service(),
				Object: ledger.Object{Kind: "seal_use", ID: id}, Outcome: ledger.Success, Payload: u.Document,
			})
			ok(t, err)
		}
		taken(0)
		o.clerk.post(at+"/seal", map[bool]int{false: http.StatusConflict, true: http.StatusSeeOther}[batch]) // the others of a batch go on
		if u := must(o.h.Signer.Use(bg, id)); u.State != signer.UseSealing {
			t.Fatalf("a sealing that may be under way became %s", u.State)
		}
		_, err := o.h.Signer.Reopen(bg, o.h.service(), id, "test")
		ok(t, err)
		taken(3 * time.Minute)
		if page := o.clerk.get(at, http.StatusOK); !strings.Contains(page, "继续盖章") {
			t.Error("the page does not offer to go on")
		}
		o.clerk.post(at+"/seal", http.StatusSeeOther)
		if u := must(o.h.Signer.Use(bg, id)); u.State != signer.UseSealed {
			t.Errorf("it is %s", u.State)
		}
	}
}
