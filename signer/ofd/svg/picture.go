package svg

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"image"
	"image/gif"
	"image/jpeg"
	"image/png"
	"strings"

	"golang.org/x/image/bmp"

	"github.com/yinxin-gov/yinxin/signer/ofd"
)

var (
	errKind = errors.New("svg: not a picture that is drawn")
	errSize = errors.New("svg: picture too large")
)

// picture draws an ImageObject: its resource fills the unit square of object
// space (GB/T 33190, 10).
func (s *sheet) picture(u *unit, opacity string) {
	if u.el.Attr("CTM") == "" {
		u.ctm = matrix{u.box.W, 0, 0, u.box.H, 0, 0}
	}
	if u.el.Attr("ImageMask") != "" {
		s.warn(WarnImage, u.id()) // drawn without its mask
	}
	id := ""
	if it, ok := s.res.find(u.el.Attr("ResourceID"), "MultiMedia"); ok {
		id = s.mediaPicture(it)
	} else {
		s.warn(WarnResource, u.id())
	}
	square := u.place().bounds(ofd.Box{W: 1, H: 1})
	if id == "" {
		s.placeholder(square, u.id())
		return
	}
	end := s.clipTo(u, square, 0.01)
	s.put(`<use href="#`, id, `"`, u.place().attr(), opacity, "/>", end)
}

func (s *sheet) mediaPicture(it item) string {
	file, found := s.media(it, "MediaFile")
	if !found {
		s.warn(WarnImage, it.el.Find("MediaFile").Text())
		return ""
	}
	id, known := s.images[file]
	if known {
		return id
	}
	size := s.pkg.Size(file)
	if s.mediaBytes += size; size > maxImage || s.mediaBytes > maxMedia {
		s.warn(WarnImageLimit, file)
	} else if data, err := s.pkg.Read(file); err != nil {
		s.warn(WarnImage, file)
	} else {
		id = s.image(data, file)
	}
	s.images[file] = id
	return id
}

// image defines a picture as a unit square and returns its id; the same bytes
// are defined once. "" when it cannot be drawn.
func (d *drawing) image(data []byte, place string) string {
	sum := sha256.Sum256(data) // a key in memory, no security rests on it
	if id, known := d.pictures[string(sum[:])]; known {
		return id
	}
	id := ""
	mime, out, err := d.still(data)
	switch {
	case errors.Is(err, errSize):
		d.warn(WarnImageLimit, place)
	case err != nil:
		d.warn(WarnImage, place)
	default:
		id = d.id()
		d.define("<image", attr("id", id), ` width="1" height="1" preserveAspectRatio="none" href="data:`, mime, ";base64,",
			base64.StdEncoding.EncodeToString(out), `"/>`)
	}
	d.pictures[string(sum[:])] = id
	return id
}

// still returns a picture that browsers show and that does not move: PNG and JPEG
// as they are, BMP and the first picture of GIF and animated PNG as PNG. The bytes
// say what it is, never a name.
func (d *drawing) still(data []byte) (mime string, out []byte, err error) {
	size := image.Config{}
	decode := bmp.Decode
	switch {
	case bytes.HasPrefix(data, []byte("\x89PNG\r\n\x1a\n")):
		mime, decode = "image/png", png.Decode
		size, err = png.DecodeConfig(bytes.NewReader(data))
	case bytes.HasPrefix(data, []byte("\xff\xd8\xff")):
		mime, decode = "image/jpeg", jpeg.Decode
		size, err = jpeg.DecodeConfig(bytes.NewReader(data))
	case bytes.HasPrefix(data, []byte("GIF8")):
		decode = gif.Decode
		size, err = gif.DecodeConfig(bytes.NewReader(data))
	case bytes.HasPrefix(data, []byte("BM")):
		size, err = bmp.DecodeConfig(bytes.NewReader(data))
	default:
		return "", nil, errKind
	}
	if err != nil {
		return "", nil, err
	}
	px := int64(size.Width) * int64(size.Height)
	if px <= 0 || px > maxPixels || d.pixels+px > maxAllPixels || len(data) > maxImage {
		return "", nil, errSize
	}
	d.pixels += px
	moves := mime == "image/png" && bytes.Contains(data, []byte("acTL"))
	if mime == "" || moves {
		if px > maxDecoded {
			return "", nil, errSize
		}
		m, err := decode(bytes.NewReader(data))
		if err != nil {
			return "", nil, err
		}
		var b bytes.Buffer
		if err := png.Encode(&b, m); err != nil {
			return "", nil, err
		}
		mime, data = "image/png", b.Bytes()
	}
	if d.imageBytes += int64(len(data)); d.imageBytes > maxImages {
		d.imageBytes -= int64(len(data))
		return "", nil, errSize
	}
	return mime, data, nil
}

// placeholder marks where something was not drawn.
func (d *drawing) placeholder(b ofd.Box, what string) {
	if b.W <= 0 || b.H <= 0 {
		return
	}
	words := strings.TrimSpace(d.labels.Picture + " " + what)
	size := min(3.5, b.H/2, b.W/float64(len([]rune(words))+1))
	d.put(`<g class="placeholder"><rect`, rect(b), ` fill="#f2f2f2" stroke="#8c8c8c" stroke-width="0.2" stroke-dasharray="1 1"/>`,
		"<text", attr("x", num(b.X+size/2)), attr("y", num(b.Y+size*1.2)), attr("font-size", num(size)),
		` font-family="sans-serif" fill="#595959">`, escape(words), "</text></g>")
}
