package signer

import (
	"fmt"
	"strconv"

	"github.com/yinxin-gov/yinxin/signer/cite"
)

// Domains keep the digest of a use from being one of a document. The first is of
// uses that were requested before the place was part of them.
const (
	useDomain      = "yinxin/seal-use/v1\n"
	useDomainPlace = "yinxin/seal-use/v2\n"
)

// Approves is what the leader's signature is over: SM3 over the line
// "yinxin/seal-use/v2" and the lines "document", with the SM3 of the document or
// of the manifest of a batch, "citations", with cite.Digest where it quotes, and
// "place".
//
// Without a place, in uses of an earlier version, it is the SM3 of the document
// itself, or with citations that over "yinxin/seal-use/v1" and the first two lines.
func (u Use) Approves() (string, error) {
	text := "document " + u.Document + "\n"
	if len(u.Citations) > 0 {
		sum, err := cite.Digest(u.Citations)
		if err != nil {
			return "", fmt.Errorf("%w: %w", ErrCitation, err)
		}
		text += "citations " + sum + "\n"
	}
	switch {
	case u.Place != nil:
		return Digest([]byte(useDomainPlace + text + "place " + u.Place.text() + "\n")), nil
	case len(u.Citations) > 0:
		return Digest([]byte(useDomain + text)), nil
	}
	return u.Document, nil
}

// text is the place as it is approved: one line, another one for each place.
func (p Placement) text() string {
	mm := func(v float64) string { return strconv.FormatFloat(v, 'g', -1, 64) }
	return fmt.Sprintf("page %d x %s y %s keyword %s ride %s", p.Page, mm(p.X), mm(p.Y), strconv.QuoteToASCII(p.Keyword), strconv.QuoteToASCII(string(p.Ride)))
}

// approvedPlace refuses another place than the one that the leader saw.
func (u Use) approvedPlace(p Placement) error {
	if u.Place != nil && *u.Place != p {
		return fmt.Errorf("%w: use %s: %s, approved: %s", ErrPlace, u.ID, p.text(), u.Place.text())
	}
	return nil
}
