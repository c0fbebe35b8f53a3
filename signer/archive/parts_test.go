package archive_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/pem"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/emmansun/gmsm/sm2"
	"github.com/emmansun/gmsm/sm3"
	"github.com/emmansun/gmsm/smx509"

	"github.com/yinxin-gov/yinxin/authz/ledger"
	"github.com/yinxin-gov/yinxin/authz/ledger/ledgertest"
	"github.com/yinxin-gov/yinxin/signer"
	"github.com/yinxin-gov/yinxin/signer/archive"
	"github.com/yinxin-gov/yinxin/signer/pdf/pdftest"
	"github.com/yinxin-gov/yinxin/signer/verify"
)

// book is a ledger with entries about some documents, signed by a key of the house.
type book struct {
	store *ledgertest.Memory
	key   holder
	note  []byte
}

func (w *world) book(events ...ledger.Event) *book {
	w.t.Helper()
	b := &book{store: ledgertest.NewMemory(w.t), key: w.issue(&w.root, true, nil)}
	q, err := ledger.New(bg, ledger.Config{Store: b.store, Origin: ledgertest.Origin, Signer: b.key.key, Now: w.clock, Rand: rand.Reader})
	must(w.t, err)
	defer q.Close(context.Background())
	for i, e := range events {
		full := ledgertest.Event(fmt.Sprint("b-", i))
		full.Type, full.Payload, full.Details = e.Type, e.Payload, e.Details
		_, err := q.Append(bg, full)
		must(w.t, err)
	}
	b.note, err = q.Checkpoint(bg)
	must(w.t, err)
	return b
}

func (b *book) ledger() archive.Ledger {
	return archive.Ledger{
		Open: func() (archive.Shard, error) {
			return archive.Shard{Entries: ledger.Stored(bg, b.store, 0, 99), Note: b.note}, nil
		}, CertDER: b.key.cert.Raw,
	}
}

func digest(b []byte) string { sum := sm3.Sum(b); return hex.EncodeToString(sum[:]) }

// 档案法实施条例 art. 39: the process is in the package, as entries of the ledger with
// their proofs, those about this document and no others.
func TestLedgerEvidence(t *testing.T) {
	w := newWorld(t)
	sealed, before := digest(w.sealed), digest([]byte("before"))
	b := w.book(ledger.Event{Type: "signer.use.requested", Payload: before}, ledger.Event{Type: "test.thing.done", Payload: digest([]byte("other"))},
		ledger.Event{Type: "signer.document.sealed", Payload: sealed, Details: map[string]string{"document_sm3": before}}, ledger.Event{Type: "exchange.transfer.sent", Payload: sealed})
	ev, err := b.ledger().Cut(sealed)
	must(t, err)
	if n := bytes.Count(ev.Slice, []byte(`{"path":`)); n != 3 {
		t.Errorf("%d entries", n)
	}
	job := w.job()
	job.Ledger = ev
	data := read(t, w.pack(w.config(w.service(true, start, years(5))), job))
	if rep := w.check(data, nil); rep.Verdict != verify.Valid || !rep.Is(archive.CheckLedger, verify.Pass, "") {
		t.Errorf("%s\n%s", rep.Verdict, bad(rep))
	}
	if _, err := b.ledger().Cut(digest([]byte("nowhere"))); !isError(err, archive.ErrNoEntry) {
		t.Errorf("no entry: %v", err)
	}
	// A slice about another document, or signed by a stranger, is found when the
	// package is made: nothing is written.
	about, err := b.ledger().Cut(digest([]byte("other")))
	must(t, err)
	stranger := w.book(ledger.Event{Type: "test.thing.done", Payload: sealed})
	strange, err := stranger.ledger().Cut(sealed)
	must(t, err)
	for name, ev := range map[string]*archive.Evidence{"another document": about, "another key": {Slice: strange.Slice, CertDER: ev.CertDER}} {
		job.Ledger = ev
		d, err := archive.Prepare(bg, w.config(nil), job)
		must(t, err)
		out := filepath.Join(t.TempDir(), "x.zip")
		if _, err := d.Write(bg, out); !isError(err, archive.ErrInvalid) || !strings.Contains(err.Error(), archive.CheckLedger) {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := os.Stat(out); err == nil {
			t.Errorf("%s: written", name)
		}
	}
	// A ledger key that no anchor vouches for leaves it open; one given beside decides.
	alone := newWorld(t)
	foreign := alone.book(ledger.Event{Type: "test.thing.done", Payload: sealed})
	job.Ledger, err = foreign.ledger().Cut(sealed)
	must(t, err)
	data = read(t, w.pack(w.config(nil), job))
	if rep := w.check(data, nil); rep.Verdict != verify.Indeterminate || !rep.Is(archive.CheckLedger, verify.CannotTell, archive.ReasonUntrusted) {
		t.Errorf("%s\n%s", rep.Verdict, bad(rep))
	}
	rep := w.check(data, func(o *archive.Options) {
		o.LedgerKeys = append(o.LedgerKeys, &foreign.key.key.(*sm2.PrivateKey).PublicKey)
	})
	if rep.Verdict != verify.Valid {
		t.Errorf("%s\n%s", rep.Verdict, bad(rep))
	}
}

// A PDF with PAdES signature and its time-stamp goes the same way.
func TestPackPDF(t *testing.T) {
	w := newWorld(t)
	by := w.issue(&w.root, false, nil)
	service := w.service(false, start, years(5))
	w.now = signed
	doc, err := signer.SignPDF(bg, pdftest.Letter(pdftest.Options{}), signer.PDFSignature{CertDER: by.cert.Raw, Time: signed, Name: "Data Bureau", Stamper: service}, by.key)
	must(t, err)
	w.now = filed
	job := w.job()
	job.Name, job.Document, job.Size = "letter.pdf", bytes.NewReader(doc), int64(len(doc))
	data := read(t, w.pack(w.config(service), job))
	rep := w.check(data, nil)
	if rep.Verdict != verify.Valid || rep.Document != "document/letter.pdf" || !rep.Is(archive.CheckRendition, verify.Skipped, archive.ReasonNoRendition) {
		t.Errorf("%s\n%s", rep.Verdict, bad(rep))
	}
	files := contents(t, data)
	for _, want := range []string{"signatures/0001/value.der", "signatures/0001/signer.cer", "timestamps/0001.tst"} {
		if files[want] == nil {
			t.Errorf("no %s", want)
		}
	}
	// Parts beside the document that are not those in it are a finding, even where
	// the archiving unit itself signed them.
	job.Extra = map[string][]byte{"signatures/0001/extra.der": {1}}
	d, err := archive.Prepare(bg, w.config(nil), job)
	must(t, err)
	if _, err := d.Write(bg, filepath.Join(t.TempDir(), "x.zip")); !isError(err, archive.ErrInvalid) {
		t.Errorf("extra part: %v", err)
	}
	job.Extra = map[string][]byte{"report/detailed.json": []byte("{}")}
	if rep := w.check(read(t, w.pack(w.config(nil), job)), nil); rep.Verdict != verify.Valid {
		t.Errorf("further file: %s\n%s", rep.Verdict, bad(rep))
	}
	for _, name := range []string{"manifest.json", "renewals/0001/list.json", "document/b.pdf", "../x", "report.json"} {
		job.Extra = map[string][]byte{name: {1}}
		if _, err := archive.Prepare(bg, w.config(nil), job); err == nil {
			t.Errorf("%s is taken", name)
		}
	}
}

// What the README inside a package says is done with OpenSSL, which knows nothing of
// this house: digests, and the token over the signature.
func TestReadmeWithStandardTools(t *testing.T) {
	tool, err := exec.LookPath("openssl")
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("openssl is not installed")
		}
		t.Skip("openssl is not installed")
	}
	w := newWorld(t)
	cfg := w.config(nil)
	root := w.root
	w.root = w.issue(nil, false, func(c *smx509.Certificate) {
		c.IsCA, c.BasicConstraintsValid, c.KeyUsage, c.NotAfter = true, true, smx509.KeyUsageCertSign, years(60)
	})
	cfg.Stamper, cfg.Trust = w.service(false, start, years(5)), verify.NewTrust(root.cert.Raw, w.root.cert.Raw)
	files := contents(t, read(t, w.pack(cfg, w.job())))
	dir := t.TempDir()
	must(t, os.WriteFile(filepath.Join(dir, "anchors.pem"), pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: w.root.cert.Raw}), 0o600))
	for _, name := range []string{"manifest.json", "manifest.p7s", "manifest.tsr"} {
		must(t, os.WriteFile(filepath.Join(dir, name), files[name], 0o600))
	}
	run := func(args ...string) string {
		cmd := exec.Command(tool, args...)
		cmd.Dir = dir
		out, err := cmd.CombinedOutput()
		if err != nil {
			return err.Error() + string(out)
		}
		return string(out)
	}
	if out := run("dgst", "-sm3", "manifest.json"); !strings.Contains(out, digest(files["manifest.json"])) {
		t.Error(out)
	}
	verifyToken := []string{"ts", "-verify", "-token_in", "-in", "manifest.tsr", "-data", "manifest.p7s", "-CAfile", "anchors.pem", "-attime", fmt.Sprint(filed.Unix())}
	if out := run(verifyToken...); !strings.Contains(out, "Verification: OK") {
		t.Error(out)
	}
	must(t, os.WriteFile(filepath.Join(dir, "manifest.p7s"), append(files["manifest.p7s"], 0), 0o600))
	if out := run(verifyToken...); strings.Contains(out, "Verification: OK") {
		t.Error("a changed signature has the token")
	}
}
