package verify

import (
	"archive/zip"
	"bytes"
	"compress/flate"
	"encoding/binary"
	"fmt"
	"strings"
	"testing"
)

// stampsOn is a second record with many stamps over the one of the first: each
// could be compared with each.
func stampsOn(tb testing.TB, w *world, sealed []byte) []byte {
	const second = "Doc_0/Signs/Sign_1/Signature.xml"
	many := func(b []byte) []byte {
		return bytes.Replace(b, []byte("</ofd:SignedInfo>"), []byte(strings.Repeat(`<ofd:StampAnnot PageRef="5" Boundary="120 200 42 42"/>`, 40_000)+"</ofd:SignedInfo>"), 1)
	}
	twice := edit(tb, w.put(sealed, false), second, many)
	return edit(tb, twice, "Doc_0/Signs/Sign_0/Signature.xml", many)
}

// manyStamps is a list of many signatures with many stamps each, all of which
// would be kept.
func manyStamps(tb testing.TB, w *world, sealed []byte) []byte {
	for i := 1; i < 12; i++ {
		sealed = w.put(sealed, false)
	}
	for i := range 12 {
		sealed = edit(tb, sealed, fmt.Sprintf("Doc_0/Signs/Sign_%d/Signature.xml", i), func(b []byte) []byte {
			return bytes.Replace(b, []byte("</ofd:SignedInfo>"), []byte(strings.Repeat(`<ofd:StampAnnot/>`, 40_000)+"</ofd:SignedInfo>"), 1)
		})
	}
	return sealed
}

// revisions appends many small ones.
func revisions(tb testing.TB, doc []byte, n int) []byte {
	for range n {
		doc = revise(tb, doc, "90 0 obj\nnull\nendobj\n")
	}
	return doc
}

// addRaw rewrites a package with one more entry, made by write.
func addRaw(tb testing.TB, data []byte, write func(*zip.Writer) error) []byte {
	tb.Helper()
	var out bytes.Buffer
	zw := zip.NewWriter(&out)
	for _, f := range unzip(tb, data) {
		e, err := zw.Create(f.name)
		if err == nil {
			_, err = e.Write(f.body)
		}
		if err != nil {
			tb.Fatal(err)
		}
	}
	if err := write(zw); err != nil {
		tb.Fatal(err)
	}
	if err := zw.Close(); err != nil {
		tb.Fatal(err)
	}
	return out.Bytes()
}

// stored writes an entry without compression, so that no ratio is met first.
func stored(name, body string) func(*zip.Writer) error {
	return func(zw *zip.Writer) error {
		e, err := zw.CreateHeader(&zip.FileHeader{Name: name, Method: zip.Store})
		if err != nil {
			return err
		}
		_, err = e.Write([]byte(body))
		return err
	}
}

// zeros writes an entry that inflates to real zero bytes and declares another
// size. After the first two the deflated blocks of a megabyte are all alike, so
// that a gigabyte is written by repeating one. The checksum is not right: nobody
// gets as far.
func zeros(zw *zip.Writer, name string, real, declared int64) error {
	var packed bytes.Buffer
	fw, err := flate.NewWriter(&packed, flate.BestSpeed)
	if err != nil {
		return err
	}
	block, ends := make([]byte, 1<<20), [2]int{}
	for i := range ends {
		if _, err := fw.Write(block); err != nil {
			return err
		}
		if err := fw.Flush(); err != nil {
			return err
		}
		ends[i] = packed.Len()
	}
	body := append(bytes.Clone(packed.Bytes()), bytes.Repeat(packed.Bytes()[ends[0]:ends[1]], int(real>>20)-2)...)
	body = append(body, 0x03, 0x00) // an empty last block
	e, err := zw.CreateRaw(&zip.FileHeader{Name: name, Method: zip.Deflate, CompressedSize64: uint64(len(body)), UncompressedSize64: uint64(declared)})
	if err != nil {
		return err
	}
	_, err = e.Write(body)
	return err
}

// lie puts a page in that declares 1 kB and inflates to a gigabyte.
func lie(tb testing.TB, data []byte) []byte {
	const page = "Doc_0/Pages/Page_0/Content.xml"
	return addRaw(tb, drop(tb, data, page), func(zw *zip.Writer) error { return zeros(zw, page, 1<<30, 1<<10) })
}

// declare writes another inflated size into the last record of the directory and
// its local header; stored also calls it not compressed, of that size.
func declare(tb testing.TB, data []byte, size uint32, stored bool) []byte {
	tb.Helper()
	out := bytes.Clone(data)
	c := bytes.LastIndex(out, []byte("PK\x01\x02"))
	local := int(binary.LittleEndian.Uint32(out[c+42:]))
	for _, at := range []int{c + 20, local + 18} { // compressed size, then inflated size
		binary.LittleEndian.PutUint32(out[at+4:], size)
		if stored {
			binary.LittleEndian.PutUint32(out[at:], size)
		}
	}
	return out
}

// declare64 is declare with 8 GB, in the extra field that zip64 has for it.
func declare64(tb testing.TB, data []byte) []byte {
	tb.Helper()
	extra := []byte{1, 0, 16, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0}
	out := withExtra(tb, data, "Doc_0/a.bin", extra)
	c := bytes.LastIndex(out, []byte("PK\x01\x02"))
	local := int(binary.LittleEndian.Uint32(out[c+42:]))
	binary.LittleEndian.PutUint32(out[c+24:], 0xffffffff)
	binary.LittleEndian.PutUint32(out[local+22:], 0xffffffff)
	return out
}

func directorySize(data []byte, size uint32) []byte {
	out := bytes.Clone(data)
	binary.LittleEndian.PutUint32(out[bytes.LastIndex(out, []byte("PK\x05\x06"))+12:], size)
	return out
}

// million is a zip of a million empty entries. With lie its end record declares
// five; otherwise as zip64 has it.
func million(lie bool) []byte {
	const n = 1_000_000
	var locals, directory bytes.Buffer
	locals.Grow(n * 37)
	directory.Grow(n * 53)
	local, central := make([]byte, 37), make([]byte, 53)
	binary.LittleEndian.PutUint32(local, 0x04034b50)
	binary.LittleEndian.PutUint16(local[26:], 7)
	binary.LittleEndian.PutUint32(central, 0x02014b50)
	binary.LittleEndian.PutUint16(central[28:], 7)
	for i := range n {
		name := fmt.Sprintf("%07d", i)
		copy(local[30:], name)
		copy(central[46:], name)
		binary.LittleEndian.PutUint32(central[42:], uint32(i*len(local)))
		locals.Write(local)
		directory.Write(central)
	}
	end := make([]byte, 22)
	binary.LittleEndian.PutUint32(end, 0x06054b50)
	count := uint16(0xffff)
	if lie {
		count = 5
	}
	binary.LittleEndian.PutUint16(end[8:], count)
	binary.LittleEndian.PutUint16(end[10:], count)
	binary.LittleEndian.PutUint32(end[12:], uint32(directory.Len()))
	binary.LittleEndian.PutUint32(end[16:], uint32(locals.Len()))
	return append(append(locals.Bytes(), directory.Bytes()...), end...)
}
