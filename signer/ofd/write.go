package ofd

import (
	"archive/zip"
	"bytes"
	"fmt"
	"io"
)

// utf8Flag marks names as UTF-8 (APPNOTE 4.4.4 bit 11).
const utf8Flag = 0x800

// Finish writes the package with the signed value (SES_Signature, DER). Existing
// entries come first in their order, with their compressed bytes as they were;
// changed ones take their old place; new ones follow. Equal input gives equal
// bytes.
func (q *Pending) Finish(signedValue []byte) ([]byte, error) {
	if len(signedValue) == 0 {
		return nil, fmt.Errorf("%w: empty signed value", ErrUnsound)
	}
	var out bytes.Buffer
	out.Grow(int(q.pkg.size) + len(signedValue) + 16<<10)
	zw := zip.NewWriter(&out)
	var pack packer
	for i := range q.pkg.entries {
		e := &q.pkg.entries[i]
		var err error
		if b, ok := q.changed["/"+e.name]; ok {
			err = pack.add(zw, e.name, b, q.time)
		} else {
			err = q.pkg.copyRaw(zw, e)
		}
		if err != nil {
			return nil, fmt.Errorf("writing %s: %w", e.name, err)
		}
	}
	for _, f := range q.order {
		if err := pack.add(zw, f[1:], q.changed[f], q.time); err != nil {
			return nil, fmt.Errorf("writing %s: %w", f, err)
		}
	}
	if err := pack.add(zw, q.valuePath[1:], signedValue, q.time); err != nil {
		return nil, fmt.Errorf("writing signed value: %w", err)
	}
	if err := zw.Close(); err != nil {
		return nil, fmt.Errorf("closing package: %w", err)
	}
	return out.Bytes(), nil
}

// copyRaw copies an entry without inflating it.
func (p *Package) copyRaw(zw *zip.Writer, e *entry) error {
	h := &zip.FileHeader{
		Name: e.name, Method: e.method, CRC32: e.crc, Flags: utf8Flag,
		CompressedSize64: uint64(e.csize), UncompressedSize64: uint64(e.usize),
	}
	//lint:ignore SA1019 the stored stamp, as it is
	h.ModifiedDate, h.ModifiedTime = e.date, e.clock
	w, err := zw.CreateRaw(h)
	if err != nil {
		return err
	}
	_, err = io.CopyBuffer(w, io.NewSectionReader(p.r, e.data, e.csize), p.buffer())
	return err
}
