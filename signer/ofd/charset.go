package ofd

import (
	"bytes"
	"fmt"
	"io"
	"strings"

	"golang.org/x/text/encoding/simplifiedchinese"
	"golang.org/x/text/encoding/unicode"
)

// decoded brings a file with a byte order mark to UTF-8 without one. The mark
// outweighs what the declaration says (XML 1.0, appendix F).
func decoded(b []byte) (utf8 []byte, marked bool, err error) {
	if len(b) >= 2 && (b[0] == 0xfe && b[1] == 0xff || b[0] == 0xff && b[1] == 0xfe) {
		out, err := unicode.UTF16(unicode.BigEndian, unicode.ExpectBOM).NewDecoder().Bytes(b)
		if err != nil {
			return nil, true, fmt.Errorf("%w: UTF-16: %w", ErrXML, err)
		}
		return out, true, nil
	}
	out := bytes.TrimPrefix(b, []byte("\ufeff"))
	return out, len(out) < len(b), nil
}

// charset reads the encodings beside UTF-8 that Chinese producers declare. What
// calls itself UTF-16 without a mark is UTF-8: programs exist that declare the
// encoding of their strings in memory.
func charset(label string, in io.Reader) (io.Reader, error) {
	switch strings.ToLower(label) {
	case "gbk", "gb2312":
		return simplifiedchinese.GBK.NewDecoder().Reader(in), nil
	case "gb18030":
		return simplifiedchinese.GB18030.NewDecoder().Reader(in), nil
	case "utf8", "us-ascii", "ascii", "utf-16", "utf-16le", "utf-16be", "unicode":
		return in, nil
	}
	return nil, fmt.Errorf("encoding %q", label)
}
