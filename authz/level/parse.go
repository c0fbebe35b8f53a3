package level

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// labelForm takes any text for tags: Validate knows the marks of a state secret, also in
// Chinese, from what has no form.
var labelForm = regexp.MustCompile(`^L(\d)/S(\d)A(\d)(?:\[([^\[\]]{1,1000})\])?$`)

// Parse reads the short form of Label.String ("L3/S3A3[personal]"). It returns
// ErrStateSecret or ErrInvalid for anything that is not a valid label.
func Parse(s string) (Label, error) {
	m := labelForm.FindStringSubmatch(s)
	if m == nil {
		return Label{}, fmt.Errorf("%w: %.80q", ErrInvalid, s)
	}
	var n [3]uint8
	for i := range n {
		v, err := strconv.ParseUint(m[i+1], 10, 8)
		if err != nil {
			return Label{}, fmt.Errorf("%w: %w", ErrInvalid, err)
		}
		n[i] = uint8(v)
	}
	var tags []Tag
	if m[4] != "" {
		for t := range strings.SplitSeq(m[4], ",") {
			tags = append(tags, Tag(t))
		}
	}
	return New(Level(n[0]), n[1], n[2], tags...)
}
