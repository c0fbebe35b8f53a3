package archive_test

import (
	"archive/zip"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/emmansun/gmsm/smx509"

	"github.com/yinxin-gov/yinxin/signer/archive"
	"github.com/yinxin-gov/yinxin/signer/verify"
)

// X11-12: a signed document exports as a package that verifies offline with the
// package and a trust anchor only, elsewhere, with the same result.
func TestX11_12_PackageVerifiesOffline(t *testing.T) {
	for name, gm := range map[string]bool{"SM2 time-stamps": true, "ECDSA time-stamps": false} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			file := w.pack(w.config(w.service(gm, start, start.AddDate(5, 0, 0))), w.job())
			rep := w.check(read(t, file), nil)
			if rep.Verdict != verify.Valid || rep.ArchivedAt != filed.Format(time.RFC3339) || rep.RenewBy == "" || rep.Verified == nil || rep.Verified.Verdict != verify.Valid {
				t.Fatalf("%s %q %q\n%s", rep.Verdict, rep.ArchivedAt, rep.RenewBy, bad(rep))
			}
			// Every part that an archive asks for is there, and the original is the original.
			r, err := zip.OpenReader(file)
			must(t, err)
			defer r.Close()
			var names []string
			for _, f := range r.File {
				names = append(names, f.Name)
				if f.Name == "document/通知.ofd" {
					rc, err := f.Open()
					must(t, err)
					b, err := io.ReadAll(rc)
					must(t, err)
					if !bytes.Equal(b, w.sealed) {
						t.Error("the original was changed")
					}
				}
			}
			if !slices.IsSorted(names) {
				t.Error("entries are not sorted")
			}
			for _, want := range []string{
				"说明文件-README.txt", "document/通知.ofd", "rendition/0001.svg", "signatures/0001/seal.esl", "signatures/0001/value.der", "signatures/0001/signer.cer",
				"signatures/0001/maker.cer", "revocation/captured.json", "report.json", "report.txt", "metadata.json", "manifest.json", "manifest.p7s", "manifest.tsr",
			} {
				if !slices.Contains(names, want) {
					t.Errorf("no %s in %v", want, names)
				}
			}
			// With no anchor it is indeterminate, with others too.
			if rep := w.check(read(t, file), func(o *archive.Options) { o.Trust = nil }); rep.Verdict != verify.Indeterminate {
				t.Errorf("no anchor: %s\n%s", rep.Verdict, bad(rep))
			}
			other := newWorld(t)
			if rep := w.check(read(t, file), func(o *archive.Options) { o.Trust = other.trust() }); rep.Verdict != verify.Indeterminate {
				t.Errorf("other anchors: %s\n%s", rep.Verdict, bad(rep))
			}
		})
	}
}

// A package in memory is the package in a file, and a time-stamp service that does
// not answer leaves none.
func TestPackageInMemory(t *testing.T) {
	w := newWorld(t)
	cfg := w.config(w.service(true, start, start.AddDate(5, 0, 0)))
	d, err := archive.Prepare(bg, cfg, w.job())
	must(t, err)
	data, rep, err := d.Bytes(bg)
	must(t, err)
	if again := w.check(data, nil); rep.Verdict != verify.Valid || again.Verdict != verify.Valid || again.ArchivedAt != rep.ArchivedAt {
		t.Errorf("%s, read again %s\n%s", rep.Verdict, again.Verdict, bad(again))
	}
	cfg.Stamper = silent{}
	d, err = archive.Prepare(bg, cfg, w.job())
	must(t, err)
	if data, _, err := d.Bytes(bg); !errors.Is(err, archive.ErrStamp) || data != nil {
		t.Errorf("%d bytes, %v", len(data), err)
	}
}

// silent is a time-stamp service that does not answer.
type silent struct{}

func (silent) Stamp(context.Context, []byte) ([]byte, error) { return nil, errors.New("no answer") }

// X14-11: the four properties of an archive, each with its result and the checks
// behind it.
func TestX14_11_FourProperties(t *testing.T) {
	w := newWorld(t)
	data := read(t, w.pack(w.config(w.service(true, start, start.AddDate(5, 0, 0))), w.job()))
	expect := func(rep archive.Report, want ...verify.Result) {
		t.Helper()
		if len(rep.Properties) != 4 {
			t.Fatalf("%+v", rep.Properties)
		}
		for i, p := range rep.Properties {
			if p.Property != archive.Properties()[i] || p.Result != want[i] || (p.Result == verify.Pass) != (len(p.Checks) == 0) {
				t.Errorf("%+v, want %s\n%s", p, want[i], bad(rep))
			}
		}
	}
	ok, no, open := verify.Pass, verify.Fail, verify.CannotTell
	expect(w.check(data, nil), ok, ok, ok, ok)
	expect(w.check(change(t, data, "document/通知.ofd", func(b []byte) []byte { return append(b, 0) }), nil), ok, no, ok, ok)
	expect(w.check(change(t, data, "metadata.json", func(b []byte) []byte { return []byte("{}") }), nil), ok, no, no, open)
	expect(w.check(change(t, data, "manifest.p7s", func(b []byte) []byte { b[len(b)-1] ^= 1; return b }), nil), no, ok, ok, open)
	expect(w.check(data, func(o *archive.Options) { o.Now = func() time.Time { return start.AddDate(6, 0, 0) } }), open, ok, ok, open)
	expect(w.check(append(bytes.Clone(data), 0), nil), open, open, open, no)
}

// The same content is the same file but for the signature and the token.
func TestDeterministicContent(t *testing.T) {
	w := newWorld(t)
	cfg := w.config(nil)
	a, b := contents(t, read(t, w.pack(cfg, w.job()))), contents(t, read(t, w.pack(cfg, w.job())))
	for name := range a {
		if name != "manifest.p7s" && !bytes.Equal(a[name], b[name]) {
			t.Errorf("%s differs", name)
		}
	}
	if len(a) != len(b) {
		t.Errorf("%d and %d files", len(a), len(b))
	}
}

// The manifest is what a person without this program needs: both digests, by
// standard tools.
func TestManifestIsPlain(t *testing.T) {
	w := newWorld(t)
	files := contents(t, read(t, w.pack(w.config(nil), w.job())))
	var m struct {
		Files []struct {
			Path   string
			Size   int
			SHA256 string
		}
	}
	must(t, json.Unmarshal(files["manifest.json"], &m))
	if len(m.Files) != len(files)-2 {
		t.Errorf("%d of %d files", len(m.Files), len(files))
	}
	for _, f := range m.Files {
		sum := sha256.Sum256(files[f.Path])
		if f.SHA256 != hex.EncodeToString(sum[:]) || f.Size != len(files[f.Path]) {
			t.Errorf("%s: %+v", f.Path, f)
		}
	}
	for _, want := range []string{"openssl", "{document}", "{title}"} {
		if has := strings.Contains(string(files["说明文件-README.txt"]), want); has != (want == "openssl") {
			t.Errorf("README and %q: %v", want, has)
		}
	}
}

// Without a time-stamp a package holds while the certificate does, and no longer.
func TestWithoutTimeStamp(t *testing.T) {
	w := newWorld(t)
	data := read(t, w.pack(w.config(nil), w.job()))
	if rep := w.check(data, nil); rep.Verdict != verify.Valid || rep.ArchivedAt != "" {
		t.Errorf("%s\n%s", rep.Verdict, bad(rep))
	}
	w.now = start.AddDate(3, 0, 0)
	if rep := w.check(data, nil); rep.Verdict != verify.Indeterminate || !rep.Is(archive.CheckSigner, verify.CannotTell, archive.ReasonUnproven) {
		t.Errorf("%s\n%s", rep.Verdict, bad(rep))
	}
}

// A revocation after the archived time does not hurt, one before it does, and one
// between claim and proof leaves it open (regulations §5.2).
func TestRevocationAndTheArchivedTime(t *testing.T) {
	w := newWorld(t)
	data := read(t, w.pack(w.config(w.service(true, start, start.AddDate(5, 0, 0))), w.job()))
	w.now = filed.AddDate(0, 6, 0)
	later := func(c *smx509.Certificate, at time.Time) archive.Report {
		return w.check(data, func(o *archive.Options) { o.Status = w.list(map[*smx509.Certificate]time.Time{c: at}) })
	}
	for name, c := range map[string]*smx509.Certificate{"signer": w.signer.cert, "keeper": w.keeper.cert, "maker": w.maker.cert} {
		if rep := later(c, filed.AddDate(0, 1, 0)); rep.Verdict != verify.Valid {
			t.Errorf("%s, later: %s\n%s", name, rep.Verdict, bad(rep))
		}
		if rep := later(c, start); rep.Verdict != verify.Invalid {
			t.Errorf("%s, before: %s\n%s", name, rep.Verdict, bad(rep))
		}
	}
	if rep := later(w.signer.cert, filed.Add(-time.Hour)); rep.Verdict != verify.Indeterminate {
		t.Errorf("between claim and proof: %s\n%s", rep.Verdict, bad(rep))
	}
}

func TestWhatIsNotPacked(t *testing.T) {
	w := newWorld(t)
	dir := t.TempDir()
	try := func(name string, want error, change func(*archive.Config, *archive.Job)) {
		t.Helper()
		cfg, job := w.config(nil), w.job()
		change(&cfg, &job)
		d, err := archive.Prepare(bg, cfg, job)
		if err == nil {
			_, err = d.Write(bg, filepath.Join(dir, "out.zip"))
		}
		if want == nil && err != nil || want != nil && !isError(err, want) {
			t.Errorf("%s: %v, want %v", name, err, want)
		}
		if left, _ := os.ReadDir(dir); want != nil && len(left) > 0 {
			t.Errorf("%s left %v", name, left)
		}
	}
	meta := func(change func(*archive.Metadata)) func(*archive.Config, *archive.Job) {
		return func(_ *archive.Config, j *archive.Job) { change(&j.Metadata) }
	}
	for field, f := range map[string]func(*archive.Metadata){
		"doc_no": func(m *archive.Metadata) { m.DocNo = " " }, "title": func(m *archive.Metadata) { m.Title = "a\x1b[2Jb" },
		"creator": func(m *archive.Metadata) { m.Creator = strings.Repeat("长", 501) }, "date": func(m *archive.Metadata) { m.Date = "2026-02-30" },
		"secrecy": func(m *archive.Metadata) { m.Secrecy = "" }, "retention": func(m *archive.Metadata) { m.Retention = "20" },
		"unit.uscc": func(m *archive.Metadata) { m.Unit.USCC = "11110102MB1234567N" }, "sender.name": func(m *archive.Metadata) { m.Sender.Name = "" },
		"recipient.uscc": func(m *archive.Metadata) { m.Recipient.USCC = "" }, "sent_at": func(m *archive.Metadata) { m.SentAt = time.Time{} },
		"received_at": func(m *archive.Metadata) { m.ReceivedAt = m.SentAt.Add(-1) }, "received_at: is in the future": func(m *archive.Metadata) { m.ReceivedAt = filed.AddDate(1, 0, 0) },
	} {
		m := metadata()
		f(&m)
		try(field, archive.ErrMetadata, meta(f))
		_, err := archive.Prepare(bg, w.config(nil), archive.Job{Name: "a.ofd", Document: bytes.NewReader(w.sealed), Size: int64(len(w.sealed)), Metadata: m})
		if err == nil || !strings.Contains(err.Error(), field) {
			t.Errorf("%s is not named: %v", field, err)
		}
	}
	for name, f := range map[string]func(*archive.Metadata){
		"level": func(m *archive.Metadata) { m.Secrecy = "机密" }, "mark in the title": func(m *archive.Metadata) { m.Title = "通知 秘密★10年" },
	} {
		try(name, archive.ErrSecret, meta(f))
	}
	try("a word that is no mark", nil, meta(func(m *archive.Metadata) { m.Title = "商业秘密保护办法" }))
	must(t, os.Remove(filepath.Join(dir, "out.zip")))
	forged := change(t, w.sealed, "Doc_0/Pages/Page_0/Content.xml", func(b []byte) []byte { return append(b, ' ') })
	try("forged document", archive.ErrDocument, func(_ *archive.Config, j *archive.Job) {
		j.Document, j.Size = bytes.NewReader(forged), int64(len(forged))
	})
	try("no document", archive.ErrDocument, func(_ *archive.Config, j *archive.Job) { j.Document, j.Size = strings.NewReader("text"), 4 })
	try("another key", archive.ErrSigner, func(c *archive.Config, _ *archive.Job) { c.Key = w.signer.key })
	try("an authority", archive.ErrSigner, func(c *archive.Config, _ *archive.Job) { c.Key, c.CertDER = w.root.key, w.root.cert.Raw })
	try("a name that hides", archive.ErrDocument, func(_ *archive.Config, j *archive.Job) { j.Name = "a\u202egnp.ofd" })
	try("ended service", archive.ErrStamp, func(c *archive.Config, _ *archive.Job) { c.Stamper = w.service(true, start.AddDate(-2, 0, 0), start) })
}
