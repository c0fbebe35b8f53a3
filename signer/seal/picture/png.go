package picture

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/crc32"
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

// png encodes the picture with its resolution, so that it is shown at its true
// size. The encoder of the standard library does not write the pHYs chunk.
func (c *canvas) png() ([]byte, error) {
	var b bytes.Buffer
	enc := png.Encoder{CompressionLevel: png.BestCompression}
	if err := enc.Encode(&b, c.image()); err != nil {
		return nil, fmt.Errorf("picture: encode: %w", err)
	}
	const afterHeader = 8 + 12 + 13 // signature, chunk frame, IHDR
	perMetre := uint32(math.Round(DPI / 0.0254))
	chunk := []byte("\x00\x00\x00\x09pHYs")
	chunk = binary.BigEndian.AppendUint32(chunk, perMetre)
	chunk = binary.BigEndian.AppendUint32(chunk, perMetre)
	chunk = append(chunk, 1) // unit: metre
	chunk = binary.BigEndian.AppendUint32(chunk, crc32.ChecksumIEEE(chunk[4:]))
	raw := b.Bytes()
	out := make([]byte, 0, len(raw)+len(chunk))
	out = append(out, raw[:afterHeader]...)
	out = append(out, chunk...)
	return append(out, raw[afterHeader:]...), nil
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
