package app

import (
	"bytes"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/yinxin-gov/yinxin/authz/ledger"
	"github.com/yinxin-gov/yinxin/signer/archive"
	"github.com/yinxin-gov/yinxin/signer/verify"
)

// archivedUse: X11-12 from the console. Who asked for the seal and a records
// officer get a package that verifies with the root alone; nobody else does, and
// no copy of the document stays in the house.
func archivedUse(t *testing.T, o *bureau) {
	const page = "/console/archive"
	use := o.ask(t, "归档的通知")
	o.leader.answers(use, use+"/answer", http.StatusSeeOther, true)
	o.clerk.post(use+"/seal", http.StatusSeeOther)
	_, doc, _ := o.clerk.do(http.MethodGet, use+"/sealed", "", nil)
	files := map[string][]byte{"document": []byte(doc)}
	form := []string{"doc_no", "样信办〔2026〕1号", "title", "归档的通知", "creator", "样例区政务信息办公室", "secrecy", "非涉密", "retention", "permanent"}
	for _, party := range []string{"unit", "sender", "recipient"} {
		form = append(form, party+".name", "样例区政务信息办公室", party+".uscc", o.h.cfg.USCC)
	}
	now := time.Now().In(time.FixedZone("UTC+8", 8*3600))
	form = append(form, "date", now.Format("2006-01-02"), "sent_at", now.Format("2006-01-02T15:04"), "received_at", now.Format("2006-01-02T15:04"))

	if shown := o.clerk.get(page, http.StatusOK); !strings.Contains(shown, o.h.cfg.USCC) || !strings.Contains(shown, "样例") {
		t.Error("the form does not begin with the unit")
	}
	o.keeper.get(page, http.StatusForbidden)
	o.keeper.several(page, http.StatusForbidden, files, form...)
	o.leader.several(page, http.StatusForbidden, files, form...)
	colleague := o.hire(o.h.cfg.USCC, "样例同事", "clerk", "pin-of-colleague")
	colleague.several(page, http.StatusForbidden, files, form...)
	stranger := o.hire(o.unit, "样例外单位档案员", "records_officer", "pin-of-stranger")
	stranger.several(page, http.StatusForbidden, files, form...)
	o.clerk.several(page, http.StatusUnprocessableEntity, map[string][]byte{"document": notice(t, "没有盖章")}, form...)
	o.clerk.several(page, http.StatusUnprocessableEntity, files, append([]string{"secrecy", "秘密"}, form...)...)
	if n := o.recorded(t, "signer.document.archiv"); n != 0 {
		t.Errorf("refused orders left %d entries", n)
	}

	officer := o.hire(o.h.cfg.USCC, "样例档案员", "records_officer", "pin-of-records")
	for _, c := range []*counter{o.clerk, officer} {
		packed := []byte(c.several(page, http.StatusOK, files, form...))
		rep, err := archive.Verify(bg, bytes.NewReader(packed), int64(len(packed)), archive.Options{Trust: verify.NewTrust(o.h.anchors.sm2Root.Raw)})
		if err != nil || rep.Verdict != verify.Valid || !rep.Is(archive.CheckLedger, verify.Pass, "") {
			t.Fatalf("%s, %v: %+v", rep.Verdict, err, rep.Checks)
		}
	}
	if n := o.recorded(t, "signer.document.archiv"); n != 4 { // announced and done, twice
		t.Errorf("%d entries", n)
	}
	if found := inClear(t, o.h.cfg.Dir, "PK\x03\x04"); len(found) > 0 {
		t.Errorf("a package or document stands in clear in %v", found)
	}
}

// recorded counts the ledger's entries of types that begin so.
func (o *bureau) recorded(t *testing.T, kind string) (n int) {
	t.Helper()
	var export bytes.Buffer
	ok(t, o.h.ExportLedger(bg, &export))
	ok(t, ledger.Walk(&export, func(e ledger.Entry, _ ledger.Header) error {
		if e.Body == nil {
			return nil
		}
		ev, err := ledger.Decode(e.Body)
		if strings.HasPrefix(ev.Type, kind) {
			n++
		}
		return err
	}))
	return n
}
