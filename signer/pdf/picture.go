package pdf

import (
	"bytes"
	"compress/zlib"
	"fmt"
	"image"
	"image/color"
	_ "image/gif"  // seal pictures of other makers
	_ "image/jpeg" // likewise
	_ "image/png"
	"strconv"
)

const maxPixels = 16 << 20

// picture writes the picture of a seal and returns it. Its transparency becomes a
// soft mask, so that the text under the seal stays to be read.
func (u *update) picture(data []byte) (Ref, error) {
	cfg, _, err := image.DecodeConfig(bytes.NewReader(data))
	if err != nil {
		return Ref{}, fmt.Errorf("%w: picture of the seal: %v", ErrUnsupported, err)
	}
	if cfg.Width < 1 || cfg.Height < 1 || cfg.Width > maxPixels/cfg.Height {
		return Ref{}, fmt.Errorf("%w: picture of %d×%d", ErrLimit, cfg.Width, cfg.Height)
	}
	img, _, err := image.Decode(bytes.NewReader(data))
	if err != nil {
		return Ref{}, fmt.Errorf("%w: picture of the seal: %v", ErrUnsupported, err)
	}
	rgb, alpha := planes(img)
	size := func(space Name) *Dict {
		d := &Dict{}
		d.set("Type", Name("XObject"))
		d.set("Subtype", Name("Image"))
		d.set("Width", Int(cfg.Width))
		d.set("Height", Int(cfg.Height))
		d.set("ColorSpace", space)
		d.set("BitsPerComponent", Int(8))
		d.set("Filter", Name("FlateDecode"))
		return d
	}
	mask, pic := u.alloc(), u.alloc()
	packed, err := deflate(alpha)
	if err != nil {
		return Ref{}, err
	}
	u.putStream(mask, size("DeviceGray"), packed)
	if packed, err = deflate(rgb); err != nil {
		return Ref{}, err
	}
	u.putStream(pic, size("DeviceRGB").with("SMask", mask), packed)
	return pic, nil
}

// appearance writes the form (12.5.5) of one stamp: the whole picture in w × h
// units, of which its box shows a part.
func (u *update) appearance(pic Ref, w, h float64, part Box, rotate int) Ref {
	names := &Dict{}
	names.set("Seal", pic)
	resources := &Dict{}
	resources.set("XObject", names)
	d := &Dict{}
	d.set("Type", Name("XObject"))
	d.set("Subtype", Name("Form"))
	d.set("BBox", part.array())
	if m := upright(rotate); m != nil {
		d.set("Matrix", m)
	}
	d.set("Resources", resources)
	form := u.alloc()
	u.putStream(form, d, fmt.Appendf(nil, "q %s 0 0 %s 0 0 cm /Seal Do Q", decimal(w), decimal(h)))
	return form
}

// upright turns the picture against the rotation of its page; where it lands is
// decided by the rectangle alone.
func upright(rotate int) Array {
	switch rotate {
	case 90:
		return Array{Int(0), Int(1), Int(-1), Int(0), Int(0), Int(0)}
	case 180:
		return Array{Int(-1), Int(0), Int(0), Int(-1), Int(0), Int(0)}
	case 270:
		return Array{Int(0), Int(-1), Int(1), Int(0), Int(0), Int(0)}
	}
	return nil
}

// planes separates colours and transparency.
func planes(img image.Image) (rgb, alpha []byte) {
	b := img.Bounds()
	rgb, alpha = make([]byte, 0, 3*b.Dx()*b.Dy()), make([]byte, 0, b.Dx()*b.Dy())
	if n, ok := img.(*image.NRGBA); ok { // what most seals are
		for y := b.Min.Y; y < b.Max.Y; y++ {
			row := n.Pix[n.PixOffset(b.Min.X, y):n.PixOffset(b.Max.X, y)]
			for ; len(row) > 0; row = row[4:] {
				rgb, alpha = append(rgb, row[:3]...), append(alpha, row[3])
			}
		}
		return rgb, alpha
	}
	for y := b.Min.Y; y < b.Max.Y; y++ {
		for x := b.Min.X; x < b.Max.X; x++ {
			c := color.NRGBAModel.Convert(img.At(x, y)).(color.NRGBA)
			rgb, alpha = append(rgb, c.R, c.G, c.B), append(alpha, c.A)
		}
	}
	return rgb, alpha
}

func deflate(b []byte) ([]byte, error) {
	var out bytes.Buffer
	w := zlib.NewWriter(&out)
	if _, err := w.Write(b); err != nil {
		return nil, fmt.Errorf("pdf: compress picture: %w", err)
	}
	if err := w.Close(); err != nil {
		return nil, fmt.Errorf("pdf: compress picture: %w", err)
	}
	return out.Bytes(), nil
}

func decimal(f float64) Real { return Real(strconv.FormatFloat(f, 'f', 3, 64)) }
