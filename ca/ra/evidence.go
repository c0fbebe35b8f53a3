package ra

import (
	"crypto/pbkdf2"
	"encoding/hex"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/emmansun/gmsm/sm3"

	"github.com/yinxin-gov/yinxin/ca"
)

// Shown is a document as an officer writes it down. Personal is the number of a
// personal document in clear: it is hashed with a salt of its own and dropped.
type Shown struct {
	Kind     ca.EvidenceKind
	Number   string
	Digest   string // SM3 of the scan, hex
	Personal string
	Method   ca.EvidenceMethod
	Note     string
}

const (
	maxShown     = 16
	maxNote      = 200
	saltSize     = 16
	personalWork = 100_000 // rounds: identity numbers are few, guessing must not be cheap
)

// taken turns what was shown into what is kept. One document shows that the unit
// exists, under the code that the certificate will carry, and one that it lets
// the applicant act for it (电子签名法 art. 20).
func (s *Service) taken(r ca.Request, shown []Shown) ([]ca.Evidence, error) {
	if len(shown) == 0 || len(shown) > maxShown {
		return nil, fmt.Errorf("%w: 1 to %d documents", ErrEvidence, maxShown)
	}
	kept := make([]ca.Evidence, len(shown))
	for i, d := range shown {
		e, err := s.document(r, d)
		if err != nil {
			return nil, fmt.Errorf("document %d: %w", i+1, err)
		}
		kept[i] = e
	}
	for _, need := range []ca.EvidenceKind{ca.EvidenceUSCC, ca.EvidenceAuthorisation} {
		if !slices.ContainsFunc(kept, func(e ca.Evidence) bool { return e.Kind == need }) {
			return nil, fmt.Errorf("%w: %s", ErrEvidence, need)
		}
	}
	return kept, nil
}

func (s *Service) document(r ca.Request, d Shown) (ca.Evidence, error) {
	e := ca.Evidence{Kind: d.Kind, Number: d.Number, Digest: d.Digest, Method: d.Method, Note: d.Note}
	if !slices.Contains([]ca.EvidenceMethod{ca.MethodOriginal, ca.MethodCopy, ca.MethodRegister, ca.MethodCallBack}, d.Method) {
		return e, fmt.Errorf("%w: how it was checked", ErrEvidence)
	}
	if d.Digest != "" {
		if raw, err := hex.DecodeString(d.Digest); err != nil || len(raw) != sm3.Size || strings.ToLower(d.Digest) != d.Digest {
			return e, fmt.Errorf("%w: the digest of a scan is SM3 in lower-case hex", ErrEvidence)
		}
	}
	if !s.written(d.Note, maxNote) {
		return e, fmt.Errorf("%w: note", ErrEvidence)
	}
	if d.Personal != "" && d.Kind != ca.EvidenceHandler {
		return e, fmt.Errorf("%w: a personal number belongs to the handler's document", ErrEvidence)
	}
	switch d.Kind {
	case ca.EvidenceUSCC:
		// Some codes have 18 digits: it is compared, not searched for persons.
		if d.Number != r.Agency {
			return e, fmt.Errorf("%w: the certificate of the unit is about another code", ErrEvidence)
		}
		return e, nil
	case ca.EvidenceHandler:
		if d.Number != "" || d.Digest != "" {
			return e, fmt.Errorf("%w: of a personal document only the hash of its number is kept", ErrEvidence)
		}
		return s.hashed(e, d.Personal)
	case ca.EvidenceAuthorisation, ca.EvidenceOther:
	default:
		return e, fmt.Errorf("%w: kind %.40q", ErrEvidence, d.Kind)
	}
	if d.Number == "" && d.Digest == "" || !s.written(d.Number, maxText) {
		return e, fmt.Errorf("%w: number of the document or digest of its scan", ErrEvidence)
	}
	return e, nil
}

// hashed keeps of a personal number what can be compared with it and not read.
func (s *Service) hashed(e ca.Evidence, number string) (ca.Evidence, error) {
	number = strings.ToUpper(strings.TrimSpace(number))
	if len(number) < 6 || len(number) > 32 {
		return e, fmt.Errorf("%w: number of the handler's document", ErrEvidence)
	}
	salt := make([]byte, saltSize)
	if _, err := io.ReadFull(s.cfg.Rand, salt); err != nil {
		return e, fmt.Errorf("ra: draw salt: %w", err)
	}
	sum, err := pbkdf2.Key(sm3.New, number, salt, personalWork, sm3.Size)
	if err != nil {
		return e, fmt.Errorf("ra: hash personal number: %w", err)
	}
	e.Salt, e.Digest = hex.EncodeToString(salt), hex.EncodeToString(sum)
	return e, nil
}
