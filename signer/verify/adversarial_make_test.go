package verify

import (
	"archive/zip"
	"bytes"
	"compress/flate"
	"encoding/binary"
	"fmt"
	"strings"
	"sync"
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
	for i := 1; i < 6; i++ {
		sealed = w.put(sealed, false)
	}
	for i := range 6 {
		sealed = edit(tb, sealed, fmt.Sprintf("Doc_0/Signs/Sign_%d/Signature.xml", i), func(b []byte) []byte {
			return bytes.Replace(b, []byte("</ofd:SignedInfo>"), []byte(strings.Repeat(`<ofd:StampAnnot/>`, 20_000)+"</ofd:SignedInfo>"), 1)
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

// zeroBlocks are the first megabyte of zeros, deflated, and each that follows:
// from the second on they are all alike, so that a gigabyte is written by
// repeating one.
var zeroBlocks = sync.OnceValue(func() (blocks [2][]byte) {
	var packed bytes.Buffer
	fw, err := flate.NewWriter(&packed, flate.BestSpeed)
	if err != nil {
		panic(err) // the level is a constant
	}
	for i := range blocks {
		from := packed.Len()
		if _, err := fw.Write(make([]byte, 1<<20)); err != nil {
			panic(err) // a buffer does not fail
		}
		if err := fw.Flush(); err != nil {
			panic(err)
		}
		blocks[i] = bytes.Clone(packed.Bytes()[from:])
	}
	return blocks
})

// zeros writes an entry that inflates to real zero bytes and declares another
// size. The checksum is not right: nobody gets as far.
func zeros(zw *zip.Writer, name string, real, declared int64) error {
	blocks := zeroBlocks()
	body := append(bytes.Clone(blocks[0]), bytes.Repeat(blocks[1], int(real>>20)-1)...)
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
	out := bytes.Clone(millionEntries())
	count := uint16(0xffff)
	if lie {
		count = 5
	}
	binary.LittleEndian.PutUint16(out[len(out)-14:], count)
	binary.LittleEndian.PutUint16(out[len(out)-12:], count)
	return out
}

var millionEntries = sync.OnceValue(func() []byte {
	const n, localSize, centralSize = 1_000_000, 37, 53
	le := binary.LittleEndian
	out := make([]byte, n*(localSize+centralSize)+22)
	for i := range n {
		local, central := out[i*localSize:], out[n*localSize+i*centralSize:]
		le.PutUint32(local, 0x04034b50)
		le.PutUint16(local[26:], 7)
		le.PutUint32(central, 0x02014b50)
		le.PutUint16(central[28:], 7)
		le.PutUint32(central[42:], uint32(i*localSize))
		for k, rest := 6, i; k >= 0; k, rest = k-1, rest/10 { // seven digits
			local[30+k], central[46+k] = byte('0'+rest%10), byte('0'+rest%10)
		}
	}
	end := out[n*(localSize+centralSize):]
	le.PutUint32(end, 0x06054b50)
	le.PutUint32(end[12:], n*centralSize)
	le.PutUint32(end[16:], n*localSize)
	return out
})
