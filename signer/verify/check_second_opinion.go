package verify

import (
	"crypto/ecdsa"
	"errors"
	"fmt"
	"strings"

	"github.com/yinxin-gov/yinxin/signer/seal"
)

// SecondOpinion checks an SM2 signature, default user id, with another
// implementation. It gets public data only.
type SecondOpinion interface {
	// VerifySM2 reports whether the DER signature fits the message. An error means
	// that it came to no answer.
	VerifySM2(pub *ecdsa.PublicKey, message, signature []byte) (bool, error)
}

var errNoCertificate = errors.New("no certificate")

// proof is one signature with what the first implementation says of it.
type proof struct {
	seal.Proof
	who   string // "signer", "maker", or the subject of a certificate
	holds bool
}

// note keeps a signature for the second opinion.
func (s *subject) note(who string, p seal.Proof, err error) {
	if s.opt.SecondOpinion != nil && p.Key != nil && (err == nil || errors.Is(err, seal.ErrSignature)) {
		s.proofs = append(s.proofs, proof{p, who, err == nil})
	}
}

// checkSecondOpinion asks another implementation about every SM2 signature that
// was checked here. Whatever they disagree about is indeterminate at best: one
// of the two is wrong, and nobody here can say which.
func checkSecondOpinion(s *subject) outcome {
	const clause = "GM/T 0009-2023"
	if len(s.proofs) == 0 {
		return skip(CheckSecond, clause, ReasonNotJudged)
	}
	var other, silent []string
	for _, p := range s.proofs {
		ok, err := s.opt.SecondOpinion.VerifySM2(p.Key, p.Message, p.Value)
		switch {
		case err != nil && p.holds:
			silent = append(silent, p.who+": "+err.Error())
		case err == nil && ok != p.holds:
			other = append(other, fmt.Sprintf("%s: %t, second %t", p.who, p.holds, ok))
		}
	}
	switch {
	case len(other) > 0:
		return cannot(CheckSecond, clause, ReasonDisagree, strings.Join(other, "; "))
	case len(silent) > 0:
		return cannot(CheckSecond, clause, ReasonNoOpinion, strings.Join(silent, "; "))
	}
	return pass(CheckSecond, clause, fmt.Sprintf("%d/%d", len(s.proofs), len(s.proofs)))
}
