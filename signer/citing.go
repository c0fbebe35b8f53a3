package signer

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/yinxin-gov/yinxin/signer/cite"
	"github.com/yinxin-gov/yinxin/signer/ofd"
	"github.com/yinxin-gov/yinxin/signer/pdf"
	"github.com/yinxin-gov/yinxin/signer/verify"
)

// ErrCitation: a document quotes a shared resource without its provider's
// consent, or says so in another form than every reader finds (matrix BJ17-19b;
// 京政发〔2017〕37号 art. 19).
var ErrCitation = errors.New("signer: citation without the provider's consent (BJ17-19b)")

// Consents says whether a provider's consent covers a citation in a document,
// named by its SM3, now.
type Consents interface {
	// Covered returns ErrCitation with the reason when none does.
	Covered(ctx context.Context, c cite.Citation, document string, now time.Time) error
}

// cited is what a document that is being prepared quotes.
type cited struct {
	list    []cite.Citation
	carried bool // the document came with them
	sealed  bool // … and an earlier signature covers them
}

// quote finds out what the document quotes: what it came with, or what the job
// adds. Two lists cannot be told apart by a reader, so it is one or the other.
func (j Job) quote(carried []cite.Citation, malformed error, sealed bool) (cited, error) {
	switch {
	case malformed != nil:
		return cited{}, fmt.Errorf("%w: in the document: %w", ErrCitation, malformed)
	case len(carried) == 0:
		return cited{list: j.Citations}, nil
	case len(j.Citations) > 0 && !slices.Equal(j.Citations, carried):
		return cited{}, fmt.Errorf("%w: the document comes with other citations", ErrCitation)
	}
	return cited{list: carried, carried: true, sealed: sealed}, nil
}

// quoteOFD returns what has to be written into the package.
func (j Job) quoteOFD(pkg *ofd.Package) (cited, []ofd.CustomData, error) {
	var carried []cite.Citation
	var malformed error
	for _, b := range pkg.Bodies {
		list, err := verify.CitationsOf(b)
		carried, malformed = append(carried, list...), errors.Join(malformed, err)
	}
	c, err := j.quote(carried, malformed, len(pkg.Signatures()) > 0)
	if err != nil || c.carried {
		return c, nil, err
	}
	texts, err := cite.Encode(c.list)
	if err != nil {
		return cited{}, nil, fmt.Errorf("%w: %w", ErrCitation, err)
	}
	var add []ofd.CustomData
	for i, s := range texts {
		add = append(add, ofd.CustomData{Name: cite.OFDName(i), Value: s})
	}
	return c, add, nil
}

// quotePDF is quoteOFD for the document information of a PDF.
func (j Job) quotePDF(d *pdf.Document) (cited, []pdf.Info, error) {
	carried, malformed := verify.CitationsOfPDF(d)
	sigs, err := d.Signatures()
	if err != nil {
		return cited{}, nil, fmt.Errorf("%w: %w", ErrDocument, err)
	}
	c, err := j.quote(carried, malformed, len(sigs) > 0)
	if err != nil || c.carried || len(c.list) == 0 {
		return c, nil, err
	}
	entry, err := cite.ToPDF(c.list)
	if err != nil {
		return cited{}, nil, fmt.Errorf("%w: %w", ErrCitation, err)
	}
	return c, []pdf.Info{{Key: cite.PDFKey, Value: entry}}, nil
}

// consented refuses a document that quotes a resource without consent. The
// consent is that of the unit which seals; only a document that another unit
// sealed before, with its citations, is quoted by that unit (联合行文).
func (s *Service) consented(ctx context.Context, c cited, unit, document string, now time.Time) error {
	for _, one := range c.list {
		switch {
		case s.cfg.Consents == nil:
			return fmt.Errorf("%w: no register of consents", ErrCitation)
		case one.Consumer != unit && !c.sealed:
			return fmt.Errorf("%w: consent %.80q is another unit's", ErrCitation, one.Consent)
		}
		if err := s.cfg.Consents.Covered(ctx, one, document, now); err != nil {
			return fmt.Errorf("signer: citation of %.80q: %w", one.Resource, err)
		}
	}
	return nil
}

// consentsOf are the numbers of the consents, as the ledger names them.
func consentsOf(list []cite.Citation) string {
	ids := make([]string, len(list))
	for i, c := range list {
		ids[i] = c.Consent
	}
	return strings.Join(ids, " ")
}
