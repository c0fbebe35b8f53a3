package ofd

import (
	"archive/zip"
	"bytes"
	"compress/flate"
	"hash/crc32"
	"path"
	"time"
)

// packer deflates new files one after the other; its zero value is ready. The
// compressor is kept because making one costs more than a small file.
type packer struct {
	w   *flate.Writer
	buf bytes.Buffer
}

// minPacked is the size from which a new file is deflated. The few kilobytes of an
// ordinary seal cost a sixth of the sealing to pack, nearly all of it for making
// the compressor; the description of a document of hundreds of pages is worth it.
const minPacked = 8 << 10

// add writes one new file into zw. Seals and signed values stay
// as they are: they are mostly a PNG, and packing that costs a third of a sealing for two percent
// of its size. Sizes stand in the local header, so that our
// own packages read the same in streaming readers.
func (k *packer) add(zw *zip.Writer, name string, b []byte, at time.Time) error {
	packed, method := b, uint16(zip.Store)
	if ext := path.Ext(name); ext != ".esl" && ext != ".dat" && len(b) >= minPacked {
		var err error
		if packed, method, err = k.deflate(b); err != nil {
			return err
		}
	}
	h := &zip.FileHeader{
		Name: name, Method: method, CRC32: crc32.ChecksumIEEE(b), Flags: utf8Flag,
		CompressedSize64: uint64(len(packed)), UncompressedSize64: uint64(len(b)),
	}
	//lint:ignore SA1019 the plain stamp needs no extra field: the same bytes everywhere
	h.ModifiedDate, h.ModifiedTime = dosTime(at)
	w, err := zw.CreateRaw(h)
	if err != nil {
		return err
	}
	_, err = w.Write(packed)
	return err
}

// deflate packs b, or leaves it when that is not smaller (pictures, signatures).
func (k *packer) deflate(b []byte) ([]byte, uint16, error) {
	k.buf.Reset()
	if k.w == nil {
		w, err := flate.NewWriter(&k.buf, flate.DefaultCompression)
		if err != nil {
			return nil, 0, err
		}
		k.w = w
	} else {
		k.w.Reset(&k.buf)
	}
	if _, err := k.w.Write(b); err != nil {
		return nil, 0, err
	}
	if err := k.w.Close(); err != nil {
		return nil, 0, err
	}
	if k.buf.Len() >= len(b) {
		return b, zip.Store, nil
	}
	return k.buf.Bytes(), zip.Deflate, nil
}

// dosTime is the two-second time of a zip header, in Beijing time as the zip
// tools of the readers show it; nothing before 1980 can be said.
func dosTime(t time.Time) (date, clock uint16) {
	t = t.In(beijing)
	if t.Year() < 1980 || t.Year() > 2107 {
		return 1<<5 | 1, 0
	}
	date = uint16(t.Year()-1980)<<9 | uint16(t.Month())<<5 | uint16(t.Day())
	clock = uint16(t.Hour())<<11 | uint16(t.Minute())<<5 | uint16(t.Second()/2)
	return date, clock
}
