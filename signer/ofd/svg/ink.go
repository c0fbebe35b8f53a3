package svg

import (
	"bytes"
	"crypto/sha256"
	"image"
	"image/color"
	"image/png"
)

// maxInk is the size of a seal's picture whose white is taken out: 60 mm at 600
// dots per inch are half of it.
const maxInk = 4_000_000

// sealImage is image for the picture of a seal, which many pages and slices show.
func (d *drawing) sealImage(data []byte) string {
	sum := sha256.Sum256(data)
	key := "seal " + string(sum[:])
	id, known := d.pictures[key]
	if !known {
		id = d.image(d.ink(data), "seal")
		d.pictures[key] = id
	}
	return id
}

// ink takes the white out of the picture of a seal that has no transparency: on
// paper a seal is ink, and the text below it can be read. On white the result
// looks as the picture does. A picture that has transparency, or cannot be drawn,
// is returned as it is.
func (d *drawing) ink(data []byte) []byte {
	size, _, err := image.DecodeConfig(bytes.NewReader(data))
	if err != nil || len(data) > maxImage || size.Width <= 0 || size.Height <= 0 {
		return data
	}
	if px := int64(size.Width) * int64(size.Height); px > maxInk || d.pixels+px > maxAllPixels {
		return data
	}
	m, _, err := image.Decode(bytes.NewReader(data))
	if err != nil {
		return data
	}
	if o, ok := m.(interface{ Opaque() bool }); !ok || !o.Opaque() {
		return data
	}
	b := m.Bounds()
	out := image.NewNRGBA(image.Rect(0, 0, b.Dx(), b.Dy()))
	for y := range b.Dy() {
		for x := range b.Dx() {
			c := color.RGBAModel.Convert(m.At(b.Min.X+x, b.Min.Y+y)).(color.RGBA)
			out.SetNRGBA(x, y, unmixed(c))
		}
	}
	var buf bytes.Buffer
	if err := png.Encode(&buf, out); err != nil {
		return data
	}
	return buf.Bytes()
}

// unmixed is the most transparent colour that gives c on white.
func unmixed(c color.RGBA) color.NRGBA {
	a := 255 - int(min(c.R, c.G, c.B))
	if a == 0 {
		return color.NRGBA{}
	}
	part := func(v uint8) uint8 { return uint8((255*(int(v)-255+a) + a/2) / a) }
	return color.NRGBA{R: part(c.R), G: part(c.G), B: part(c.B), A: uint8(a)}
}
