package archive_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/yinxin-gov/yinxin/signer/archive"
	"github.com/yinxin-gov/yinxin/signer/cite"
	"github.com/yinxin-gov/yinxin/signer/cms/signeddata"
	"github.com/yinxin-gov/yinxin/signer/verify"
)

// message signs a file of any kind, with a time-stamp of the day.
func (w *world) message(content []byte, detached bool) []byte {
	w.t.Helper()
	service := w.service(true, start, years(5))
	now := w.now
	defer func() { w.now = now }()
	w.now = signed
	d, err := signeddata.DigestFor(w.signer.cert.Raw)
	must(w.t, err)
	spec := signeddata.Spec{CertDER: w.signer.cert.Raw, Time: signed, Digest: d.Of(content), Stamp: func(value []byte) ([]byte, error) { return service.Stamp(bg, value) }}
	if !detached {
		spec.Content = content
	}
	der, err := signeddata.Sign(spec, w.signer.key)
	must(w.t, err)
	return der
}

// GB/T 35275, RFC 5652: a signature of any file is archived with what it signs, and
// judged again with it twenty years later.
func TestPackCMS(t *testing.T) {
	w := newWorld(t)
	content := []byte("共享数据清单\n")
	job := func(message []byte, name string, c *archive.Content) archive.Job {
		j := w.job()
		j.Name, j.Document, j.Size, j.Content = name, bytes.NewReader(message), int64(len(message)), c
		return j
	}
	beside := func(b []byte, name string) *archive.Content {
		return &archive.Content{Name: name, File: bytes.NewReader(b), Size: int64(len(b))}
	}
	detached := w.message(content, true)
	for name, j := range map[string]archive.Job{
		"detached": job(detached, "list.docx.p7s", beside(content, "list.docx")), "carried": job(w.message(content, false), "list.p7m", nil),
	} {
		t.Run(name, func(t *testing.T) {
			w.now = filed
			file := w.pack(w.config(w.service(true, start, years(5))), j)
			w.now = years(4)
			w.renew(file, w.service(true, years(3), years(8)), nil)
			w.now = years(6) // every certificate of the day has ended
			data := read(t, file)
			rep := w.check(data, nil)
			if rep.Verdict != verify.Valid || rep.Verified.Verdict != verify.Valid || rep.Verified.Format != "cms" || rep.Document != "document/"+j.Name {
				t.Fatalf("%s\n%s", rep.Verdict, bad(rep))
			}
			files := contents(t, data)
			for _, want := range []string{"signatures/0001/signer.cer", "timestamps/0001.tst"} {
				if files[want] == nil {
					t.Errorf("no %s", want)
				}
			}
			if name != "detached" {
				return
			}
			if !bytes.Equal(files["document/list.docx"], content) {
				t.Error("the content is not in the package")
			}
			if rep := w.check(change(t, data, "document/list.docx", func(b []byte) []byte { return append(b, '!') }), nil); rep.Verdict != verify.Invalid ||
				!rep.Is(archive.CheckFiles, verify.Fail, archive.ReasonChanged) || !rep.Is(archive.CheckDocument, verify.Fail, archive.ReasonDocument) {
				t.Errorf("another content: %s\n%s", rep.Verdict, bad(rep))
			}
		})
	}
	w.now = filed
	for name, tc := range map[string]struct {
		job  archive.Job
		want error
	}{
		"no content":            {job(detached, "list.p7s", nil), verify.ErrNoContent},
		"another content":       {job(detached, "list.p7s", beside([]byte("x"), "x.txt")), archive.ErrDocument},
		"content beside an OFD": {func() archive.Job { j := w.job(); j.Content = beside(content, "x.txt"); return j }(), archive.ErrDocument},
		"content beside a .p7m": {job(w.message(content, false), "list.p7m", beside(content, "x.txt")), verify.ErrContent},
		"one name for both":     {job(detached, "a/list.p7s", beside(content, "b/list.p7s")), archive.ErrDocument},
	} {
		if _, err := archive.Prepare(bg, w.config(nil), tc.job); !isError(err, tc.want) || !isError(err, archive.ErrDocument) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// BJ17-19b, 京政发〔2017〕37号 art. 19: the package of a document that cites keeps
// source, provider and consent, in the reports and in words.
func TestBJ17_19b_CitationsInPackage(t *testing.T) {
	w := newWorld(t)
	quote := cite.Citation{
		Consent: "consent-1", Consumer: "11110102000000002B", Note: "表 1", Provider: "11110102000000001A", ProviderName: "样例区民政局", Resource: "res-1", Title: "低保名单",
	}
	doc := w.seal(w.notice(), quote)
	job := w.job()
	job.Document, job.Size = bytes.NewReader(doc), int64(len(doc))
	data := read(t, w.pack(w.config(w.service(true, start, years(5))), job))
	rep := w.check(data, nil)
	if rep.Verdict != verify.Valid || len(rep.Verified.Citations) != 1 || rep.Verified.Citations[0].Citation != quote {
		t.Errorf("%s %+v\n%s", rep.Verdict, rep.Verified.Citations, bad(rep))
	}
	files := contents(t, data)
	for _, name := range []string{"report.json", "report.txt"} {
		for _, want := range []string{"低保名单", "样例区民政局", "consent-1", "表 1"} {
			if !strings.Contains(string(files[name]), want) {
				t.Errorf("no %s in %s", want, name)
			}
		}
	}
}
