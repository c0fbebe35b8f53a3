package archive_test

import (
	"archive/zip"
	"bytes"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"io"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/yinxin-gov/yinxin/signer/archive"
	"github.com/yinxin-gov/yinxin/signer/verify"
)

func isError(err, want error) bool { return errors.Is(err, want) }

type entry struct {
	name string
	body []byte
}

func entries(t testing.TB, data []byte) (out []entry) {
	t.Helper()
	r, err := zip.NewReader(bytes.NewReader(data), int64(len(data)))
	must(t, err)
	for _, f := range r.File {
		rc, err := f.Open()
		must(t, err)
		b, err := io.ReadAll(rc)
		must(t, err)
		out = append(out, entry{f.Name, b})
	}
	return out
}

func contents(t testing.TB, data []byte) map[string][]byte {
	out := map[string][]byte{}
	for _, e := range entries(t, data) {
		out[e.name] = e.body
	}
	return out
}

// rezip writes entries stored, with no descriptors, as other programs do.
func rezip(t testing.TB, list []entry) []byte {
	t.Helper()
	var out bytes.Buffer
	zw := zip.NewWriter(&out)
	for _, e := range list {
		w, err := zw.CreateRaw(&zip.FileHeader{Name: e.name, Method: zip.Store, Flags: 0x800, CRC32: crc32.ChecksumIEEE(e.body), CompressedSize64: uint64(len(e.body)), UncompressedSize64: uint64(len(e.body))})
		must(t, err)
		_, err = w.Write(e.body)
		must(t, err)
	}
	must(t, zw.Close())
	return out.Bytes()
}

func change(t testing.TB, data []byte, name string, f func([]byte) []byte) []byte {
	t.Helper()
	list := entries(t, data)
	done := false
	for i := range list {
		if list[i].name == name {
			list[i].body, done = f(bytes.Clone(list[i].body)), true
		}
	}
	if !done {
		t.Fatalf("no %s", name)
	}
	return rezip(t, list)
}

// renewed is a package with one renewal, all parts that a package can have.
func (w *world) renewed() []byte {
	w.t.Helper()
	first, second := w.service(true, start, start.AddDate(5, 0, 0)), w.service(false, start.AddDate(3, 0, 0), start.AddDate(9, 0, 0))
	file := w.pack(w.config(first), w.job())
	w.now = start.AddDate(4, 0, 0)
	_, err := archive.Renew(bg, archive.Renewing{Trust: w.trust(), Status: w.list(nil), Stamper: second, Now: w.clock}, file)
	must(w.t, err)
	return read(w.t, file)
}

// Whoever changes, drops, adds or exchanges any file of a package never gets a
// valid one.
func TestX11_12_TamperedPackage(t *testing.T) {
	w := newWorld(t)
	data := w.renewed()
	list := entries(t, data)
	if rep := w.check(rezip(t, list), nil); rep.Verdict != verify.Valid {
		t.Fatalf("packed again by another program: %s\n%s", rep.Verdict, bad(rep))
	}
	judge := func(what string, data []byte) {
		t.Helper()
		rep, err := archive.Verify(bg, bytes.NewReader(data), int64(len(data)), archive.Options{Trust: w.trust(), Now: w.clock})
		if err == nil && rep.Verdict == verify.Valid || err != nil && !isError(err, archive.ErrNotPackage) {
			t.Errorf("%s: %s %v", what, rep.Verdict, err)
		}
	}
	for i := range list {
		name := list[i].name
		with := func(f func(l []entry) []entry) []byte { return rezip(t, f(slices.Clone(list))) }
		for _, at := range []int{0, len(list[i].body) - 1} {
			judge("flip in "+name, with(func(l []entry) []entry { l[i].body = bytes.Clone(l[i].body); l[i].body[at] ^= 1; return l }))
		}
		judge("drop "+name, with(func(l []entry) []entry { return slices.Delete(l, i, i+1) }))
		judge("rename "+name, with(func(l []entry) []entry { l[i].name += "x"; return l }))
		judge("empty "+name, with(func(l []entry) []entry { l[i].body = nil; return l }))
		judge("twice "+name, with(func(l []entry) []entry { return append(l, l[i]) }))
		judge("swap "+name, with(func(l []entry) []entry {
			o := (i + 1) % len(l)
			l[i].body, l[o].body = l[o].body, l[i].body
			return l
		}))
	}
	for _, name := range []string{"x", "document/second.ofd", "renewals/x", "renewals/0003/list.json", "renewals/0001/x", "revocation/x.crl", "manifest.tsr2", "DOCUMENT/通知.ofd"} {
		judge("add "+name, rezip(t, append(slices.Clone(list), entry{name, []byte("x")})))
	}
	// Parts of another package with the same anchors.
	other := contents(t, (&world{t: t, now: w.now, root: w.root, signer: w.signer, maker: w.maker, keeper: w.keeper, words: w.words, serial: 100, sealed: w.seal(w.notice())}).again())
	for i := range list {
		if b, ok := other[list[i].name]; ok && !bytes.Equal(b, list[i].body) {
			l := slices.Clone(list)
			l[i].body = b
			judge("from another package: "+l[i].name, rezip(t, l))
		}
	}
	// Any byte of the file.
	for at := 0; at < len(data); at += 4999 {
		b := bytes.Clone(data)
		b[at] ^= 0x10
		rep, err := archive.Verify(bg, bytes.NewReader(b), int64(len(b)), archive.Options{Trust: w.trust(), Now: w.clock})
		// Days and attributes of the directory are no content: unpacked it is the same.
		if err == nil && rep.Verdict == verify.Valid && !maps.EqualFunc(contents(t, b), contents(t, data), bytes.Equal) {
			t.Errorf("byte %d: valid", at)
		}
	}
}

// A package that was stamped says so in what is signed: without its token it is not
// whole, even while every certificate still holds.
func TestTheTokenIsPledged(t *testing.T) {
	w := newWorld(t)
	list := entries(t, read(t, w.pack(w.config(w.service(true, start, start.AddDate(5, 0, 0))), w.job())))
	for _, stray := range []string{"renewals/x", "renewals/0001/list.tsr", "renewals/0002/list.json"} {
		if rep := w.check(rezip(t, append(slices.Clone(list), entry{stray, []byte("x")})), nil); rep.Verdict != verify.Invalid {
			t.Errorf("%s: %s", stray, rep.Verdict)
		}
	}
	list = slices.DeleteFunc(list, func(e entry) bool { return e.name == "manifest.tsr" })
	if rep := w.check(rezip(t, list), nil); rep.Verdict != verify.Invalid || !rep.Is(archive.CheckFiles, verify.Fail, archive.ReasonMissing) {
		t.Errorf("%s\n%s", rep.Verdict, bad(rep))
	}
}

func (w *world) again() []byte {
	w.now = filed
	return w.renewed()
}

// Containers that two readers could read in two ways, or that are bombs.
func TestHostileContainers(t *testing.T) {
	w := newWorld(t)
	data := read(t, w.pack(w.config(nil), w.job()))
	list := entries(t, data)
	deflated := func() []byte {
		var out bytes.Buffer
		zw := zip.NewWriter(&out)
		for _, e := range list {
			f, err := zw.Create(e.name)
			must(t, err)
			_, err = f.Write(e.body)
			must(t, err)
		}
		must(t, zw.Close())
		return out.Bytes()
	}
	add := func(name string) []byte { return rezip(t, append(slices.Clone(list), entry{name, nil})) }
	edit := func(find string, at int, v byte) []byte {
		b := bytes.Clone(data)
		b[bytes.LastIndex(b, []byte(find))+at] = v
		return b
	}
	for name, c := range map[string]struct {
		data   []byte
		reason string
	}{
		"deflated":                 {deflated(), archive.ReasonForm},
		"bytes behind":             {append(bytes.Clone(data), 0), archive.ReasonForm},
		"cut off":                  {data[:len(data)-30], archive.ReasonForm},
		"traversal":                {add("../x"), archive.ReasonName},
		"inner traversal":          {add("document/../../x"), archive.ReasonName},
		"absolute":                 {add("/etc/x"), archive.ReasonName},
		"drive":                    {add("C:x"), archive.ReasonName},
		"backslash":                {add(`document\x`), archive.ReasonName},
		"control character":        {add("a\x07b"), archive.ReasonName},
		"direction mark":           {add("a\u202eb"), archive.ReasonName},
		"folder entry":             {add("folder/"), archive.ReasonName},
		"file that is a folder":    {add("document"), archive.ReasonName},
		"not NFC":                  {add("e\u0301"), archive.ReasonName},
		"duplicate":                {add("metadata.json"), archive.ReasonDuplicate},
		"duplicate by case":        {add("Metadata.JSON"), archive.ReasonDuplicate},
		"duplicate by width":       {add("ｍetadata.json"), archive.ReasonDuplicate},
		"encrypted in directory":   {edit("PK\x01\x02", 8, 1), archive.ReasonForm},
		"encrypted in header":      {edit("PK\x03\x04", 6, 1), archive.ReasonForm},
		"other size in directory":  {edit("PK\x01\x02", 24, 1), archive.ReasonForm},
		"other sizes in directory": {twice(data, 20, 24), archive.ReasonForm},
		"hidden before directory":  {hidden(data), archive.ReasonForm},
		"symbolic link":            {link(data), archive.ReasonForm},
		"other offset":             {edit("PK\x01\x02", 42, 0), archive.ReasonForm},
		"fewer entries than there": {edit("PK\x05\x06", 8, 1), archive.ReasonForm},
		"second disk":              {edit("PK\x05\x06", 4, 1), archive.ReasonForm},
		"checksum":                 {edit("PK\x01\x02", 16, 1), archive.ReasonForm},
	} {
		t.Run(name, func(t *testing.T) {
			rep := w.check(c.data, nil)
			if rep.Verdict != verify.Invalid || !rep.Is(archive.CheckContainer, verify.Fail, c.reason) {
				t.Errorf("%s\n%s", rep.Verdict, bad(rep))
			}
		})
	}
	for name, b := range map[string][]byte{"nothing": nil, "text": []byte("a text that is long enough to be a zip end"), "another zip": rezip(t, []entry{{"a", []byte("b")}}), "document": w.sealed[:200]} {
		if _, err := archive.Verify(bg, bytes.NewReader(b), int64(len(b)), archive.Options{}); err != nil && !isError(err, archive.ErrNotPackage) {
			t.Errorf("%s: %v", name, err)
		} else if err == nil && name != "document" {
			t.Errorf("%s is a package", name)
		}
	}
	if _, err := archive.Verify(bg, strings.NewReader(""), 2<<30, archive.Options{}); !isError(err, archive.ErrLimit) {
		t.Errorf("2 GB: %v", err)
	}
}

// twice changes two bytes of the last record.
func twice(data []byte, at ...int) []byte {
	b := bytes.Clone(data)
	for _, i := range at {
		b[bytes.LastIndex(b, []byte("PK\x01\x02"))+i] ^= 1
	}
	return b
}

// hidden puts bytes between the last entry and the directory.
func hidden(data []byte) []byte {
	end := len(data) - 22
	at := binary.LittleEndian.Uint32(data[end+16:])
	b := append(bytes.Clone(data[:at]), "hidden"...)
	b = append(b, data[at:]...)
	binary.LittleEndian.PutUint32(b[end+6+16:], at+6)
	return b
}

// link makes the last record one of a symbolic link.
func link(data []byte) []byte {
	b := bytes.Clone(data)
	at := bytes.LastIndex(b, []byte("PK\x01\x02"))
	b[at+5], b[at+41] = 3, 0xa0
	return b
}

// FuzzVerify: no bytes make it panic, and nothing but the package is valid.
func FuzzVerify(f *testing.F) {
	w := newWorld(f)
	data := read(f, w.pack(w.config(nil), w.job()))
	f.Add(rezip(f, []entry{{"manifest.json", []byte("{}")}}))
	f.Add(data[:2000])
	f.Fuzz(func(t *testing.T, b []byte) {
		rep, err := archive.Verify(bg, bytes.NewReader(b), int64(len(b)), archive.Options{Trust: w.trust(), Now: w.clock})
		if err == nil && rep.Verdict == verify.Valid && !bytes.Equal(b, data) {
			t.Fatalf("%+v", rep)
		}
	})
}
