package pdf

import (
	"bytes"
	"compress/zlib"
	"fmt"
	"io"
)

// decode returns the data of an object or cross-reference stream. A length
// inside the file may be indirect only where the objects are known.
func (d *Document) decode(st *Stream, resolve bool) ([]byte, error) {
	length := st.Dict.Get("Length")
	if resolve {
		length = d.Resolve(length)
	}
	n, ok := length.(Int)
	if !ok {
		return nil, fmt.Errorf("%w: stream without a length", ErrFormat)
	}
	raw, err := d.s.slice(st.Offset, int64(n))
	if err != nil {
		return nil, err
	}
	end := d.lexer(st.Offset + int64(n))
	end.skip()
	if !d.s.has(end.pos, "endstream") {
		return nil, fmt.Errorf("%w: length of the stream at %d", ErrFormat, st.Offset)
	}
	filter := st.Dict.Get("Filter")
	parms := st.Dict.Get("DecodeParms")
	if a, ok := filter.(Array); ok {
		switch len(a) {
		case 0:
			filter = nil
		case 1:
			filter = a[0]
			if p, ok := parms.(Array); ok && len(p) == 1 {
				parms = p[0]
			}
		default:
			return nil, fmt.Errorf("%w: more than one filter on a stream of objects", ErrUnsupported)
		}
	}
	switch filter {
	case nil:
		return raw, d.spend(len(raw))
	case Name("FlateDecode"):
	default:
		return nil, fmt.Errorf("%w: filter of a stream of objects", ErrUnsupported)
	}
	zr, err := zlib.NewReader(bytes.NewReader(raw))
	if err != nil {
		return nil, fmt.Errorf("%w: stream at %d: %v", ErrFormat, st.Offset, err)
	}
	out, err := io.ReadAll(io.LimitReader(zr, maxInflated-d.spent.inflated+1))
	if err != nil {
		return nil, fmt.Errorf("%w: stream at %d: %v", ErrFormat, st.Offset, err)
	}
	if err := d.spend(len(out)); err != nil {
		return nil, err
	}
	p, _ := parms.(*Dict)
	return unpredict(out, p)
}

func (d *Document) spend(n int) error {
	if d.spent.inflated += int64(n); d.spent.inflated > maxInflated {
		d.spent.over = true
		return fmt.Errorf("%w: streams of objects over %d bytes", ErrLimit, maxInflated)
	}
	return nil
}

// unpredict undoes the PNG filters (7.4.4.4) that cross-reference streams use.
func unpredict(data []byte, parms *Dict) ([]byte, error) {
	predictor, _ := parms.Get("Predictor").(Int)
	if predictor <= 1 {
		return data, nil
	}
	columns, ok := parms.Get("Columns").(Int)
	if !ok {
		columns = 1
	}
	for _, k := range []Name{"Colors", "BitsPerComponent"} {
		if v := parms.Get(k); v != nil && !(k == "Colors" && v == Int(1)) && !(k == "BitsPerComponent" && v == Int(8)) {
			return nil, fmt.Errorf("%w: predictor with %s", ErrUnsupported, k)
		}
	}
	if predictor < 10 || predictor > 15 || columns < 1 || columns > 1<<16 {
		return nil, fmt.Errorf("%w: predictor %d", ErrUnsupported, predictor)
	}
	row := int(columns) + 1
	if len(data)%row != 0 {
		return nil, fmt.Errorf("%w: rows of a predicted stream", ErrFormat)
	}
	out := make([]byte, 0, len(data)/row*int(columns))
	above := make([]byte, columns)
	for ; len(data) > 0; data = data[row:] {
		line := append([]byte(nil), data[1:row]...)
		for i := range line {
			var left, up, corner byte
			up = above[i]
			if i > 0 {
				left, corner = line[i-1], above[i-1]
			}
			switch data[0] {
			case 0:
			case 1:
				line[i] += left
			case 2:
				line[i] += up
			case 3:
				line[i] += byte((int(left) + int(up)) / 2)
			case 4:
				line[i] += paeth(left, up, corner)
			default:
				return nil, fmt.Errorf("%w: row filter %d", ErrFormat, data[0])
			}
		}
		out, above = append(out, line...), line
	}
	return out, nil
}

func paeth(a, b, c byte) byte {
	p := int(a) + int(b) - int(c)
	pa, pb, pc := abs(p-int(a)), abs(p-int(b)), abs(p-int(c))
	switch {
	case pa <= pb && pa <= pc:
		return a
	case pb <= pc:
		return b
	}
	return c
}

func abs(n int) int {
	if n < 0 {
		return -n
	}
	return n
}
