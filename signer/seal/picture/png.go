package picture

import (
	"bytes"
	"compress/zlib"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"image"
	"image/png"
	"math"
	"strings"
)

// Limits of an uploaded picture: 60 mm at 1200 dpi, and a file size far above
// what a two-coloured seal needs.
const (
	maxUpload = 2 << 20
	maxPixels = 2835
	minPixels = 120
)

// encode writes the picture as PNG: RGBA, its resolution (so that it is shown at
// its true size), rows unfiltered. The encoder of the standard library writes no
// resolution, and filters rows, which makes a flat picture a third larger; every
// sealed document carries it twice.
func encode(m *image.NRGBA) ([]byte, error) {
	size := m.Bounds().Size()
	var rows bytes.Buffer
	// Level 7 is a quarter of the time of the best, which would save a tenth.
	z, err := zlib.NewWriterLevel(&rows, 7)
	if err != nil {
		return nil, fmt.Errorf("picture: encode: %w", err)
	}
	for y := range size.Y {
		row := m.Pix[y*m.Stride : y*m.Stride+4*size.X]
		if _, err := z.Write(append([]byte{0}, row...)); err != nil {
			return nil, fmt.Errorf("picture: encode: %w", err)
		}
	}
	if err := z.Close(); err != nil {
		return nil, fmt.Errorf("picture: encode: %w", err)
	}
	head := binary.BigEndian.AppendUint32(nil, uint32(size.X))
	head = binary.BigEndian.AppendUint32(head, uint32(size.Y))
	head = append(head, 8, 6, 0, 0, 0) // 8 bits a channel, RGBA, no interlace
	perMetre := uint32(math.Round(DPI / 0.0254))
	phys := binary.BigEndian.AppendUint32(nil, perMetre)
	phys = binary.BigEndian.AppendUint32(phys, perMetre)
	phys = append(phys, 1) // unit: metre

	out := []byte("\x89PNG\r\n\x1a\n")
	out = appendChunk(out, "IHDR", head)
	out = appendChunk(out, "pHYs", phys)
	out = appendChunk(out, "IDAT", rows.Bytes())
	return appendChunk(out, "IEND", nil), nil
}

// appendChunk frames one chunk: length, type, data, checksum.
func appendChunk(out []byte, kind string, data []byte) []byte {
	out = binary.BigEndian.AppendUint32(out, uint32(len(data)))
	start := len(out)
	out = append(append(out, kind...), data...)
	return binary.BigEndian.AppendUint32(out, crc32.ChecksumIEEE(out[start:]))
}

// Accept checks an uploaded production picture: a PNG that decodes, within
// limits, with the number under which the seal's picture was filed. It returns
// the size in pixels.
func Accept(data []byte, filing string) (width, height int, err error) {
	if strings.TrimSpace(filing) == "" {
		return 0, 0, ErrFiling
	}
	if len(data) > maxUpload {
		return 0, 0, fmt.Errorf("%w: %d bytes, at most %d", ErrPicture, len(data), maxUpload)
	}
	// Size first: a small file may announce a picture that fills the memory.
	head, err := png.DecodeConfig(bytes.NewReader(data))
	if err != nil {
		return 0, 0, fmt.Errorf("%w: %v", ErrPicture, err)
	}
	if head.Width < minPixels || head.Height < minPixels || head.Width > maxPixels || head.Height > maxPixels {
		return 0, 0, fmt.Errorf("%w: %d×%d pixels, %d to %d a side expected", ErrPicture, head.Width, head.Height, minPixels, maxPixels)
	}
	if _, err := png.Decode(bytes.NewReader(data)); err != nil {
		return 0, 0, fmt.Errorf("%w: %v", ErrPicture, err)
	}
	return head.Width, head.Height, nil
}
