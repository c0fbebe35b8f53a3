package verify

import (
	"bytes"
	"errors"

	"github.com/emmansun/gmsm/sm3"

	"github.com/yinxin-gov/yinxin/signer/seal"
)

// checkStructureOfValue: the signature has a description and a value, and the
// value is of the form that it claims: an SES_Signature (GB/T 38540, 7.3 a) or a
// GB/T 35275 message.
func checkStructureOfValue(s *subject) outcome {
	const clause = "GB/T 38540-2020, 7.1; GB/T 33190-2016, 18.2"
	switch {
	case s.sig.Broken:
		return fail(CheckSES, clause, ReasonSigXML, s.sig.Path, effAltered)
	case s.sig.ValuePath == "":
		return fail(CheckSES, clause, ReasonValueMissing, s.sig.Path, effAltered)
	case s.form != "":
		return skip(CheckSES, clause, ReasonNotJudged)
	case s.kind == kindCMS:
		return checkMessage(s)
	case s.valueErr != nil:
		return fail(CheckSES, clause, ReasonMalformed, s.sig.ValuePath+": "+s.valueErr.Error(), effAltered)
	}
	if s.ses.Property != "" && s.ses.Property != s.sig.Path {
		if p, _ := s.pkg.Resolve("/OFD.xml", s.ses.Property); p != s.sig.Path {
			s.warn(WarnProperty, s.sig.Path)
		}
	}
	return pass(CheckSES, clause, s.sig.ValuePath)
}

// checkSealSignature: the seal maker signed this seal (GB/T 38540, 6.3).
func checkSealSignature(s *subject) outcome {
	const clause = "GB/T 38540-2020, 6.3"
	if s.ses == nil {
		return skip(CheckSealSig, clause, ReasonNotJudged)
	}
	p, err := s.ses.Seal.MakerProof()
	s.note("maker", p, err)
	return mathematics(CheckSealSig, clause, err)
}

// mathematics turns the result of one SM2 verification into an outcome.
func mathematics(id, clause string, err error) outcome {
	switch {
	case err == nil:
		return pass(id, clause, "")
	case errors.Is(err, errNoCertificate):
		return cannot(id, clause, ReasonNoCert, "")
	case errors.Is(err, seal.ErrUnsupported):
		return cannot(id, clause, ReasonAlgorithm, err.Error())
	case errors.Is(err, seal.ErrSignature):
		return fail(id, clause, ReasonSignature, err.Error(), effAltered)
	}
	return fail(id, clause, ReasonMalformed, err.Error(), effAltered)
}

// checkMaker: the maker's certificate may sign and was valid when the seal was
// made; neither standard names the time, this is the house's rule (reference
// §5.2 f1).
func checkMaker(s *subject) outcome {
	const clause = "GM/T 0031-2014, 6.1.2; GB/T 38540-2020, 6.3"
	if s.ses == nil {
		return skip(CheckMaker, clause, ReasonNotJudged)
	}
	if s.maker == nil {
		return cannot(CheckMaker, clause, ReasonCertBad, "")
	}
	se := s.ses.Seal
	if se.ValidFrom.Before(s.maker.notBefore) {
		s.warn(WarnEarlySeal, s.sig.ValuePath)
	}
	if !s.maker.validAt(se.Created) {
		return fail(CheckMaker, clause, ReasonPeriod, span(se.Created, s.maker.notBefore, s.maker.notAfter), effInvalid)
	}
	if s.maker.full == nil {
		return cannot(CheckMaker, clause, ReasonCertBad, s.maker.subject)
	}
	if o, bad := usage(CheckMaker, clause, s.maker); bad {
		return o
	}
	return pass(CheckMaker, clause, s.maker.subject)
}

// checkMakerChain: the maker's certificate leads to an anchor.
func checkMakerChain(s *subject) outcome {
	const clause = "GM/T 0031-2014, 6.1.2; GB/T 38540-2020, 6.3"
	if s.ses == nil {
		return skip(CheckMakerChain, clause, ReasonNotJudged)
	}
	return s.chain(CheckMakerChain, clause, s.maker, s.ses.Seal.Created)
}

// checkSealPeriod: the seal was in its period at the claimed time of signing.
func checkSealPeriod(s *subject) outcome {
	const clause = "GM/T 0031-2014, 6.2.3 f; GB/T 38540-2020, 7.3"
	if s.ses == nil {
		return skip(CheckSealPeriod, clause, ReasonNotJudged)
	}
	se := s.ses.Seal
	if s.at.IsZero() {
		return cannot(CheckSealPeriod, clause, ReasonNoTime, "")
	}
	detail := span(s.at, se.ValidFrom, se.ValidUntil)
	if !se.ActiveAt(s.at) {
		return fail(CheckSealPeriod, clause, ReasonPeriod, detail, effInvalid)
	}
	return pass(CheckSealPeriod, clause, detail)
}

// checkCertList: the seal names the signer's certificate, or it was used by
// somebody else.
func checkCertList(s *subject) outcome {
	const clause = "GM/T 0031-2014, 6.2.2 c; GB/T 38540-2020, 7.3"
	if s.ses == nil {
		return skip(CheckCertList, clause, ReasonNotJudged)
	}
	if !s.ses.Seal.Lists(s.ses.CertDER) {
		return fail(CheckCertList, clause, ReasonNotListed, s.sig.ValuePath, effInvalid)
	}
	return pass(CheckCertList, clause, "")
}

// checkSealFile: Seal.esl, when the package has one, is the seal that was signed;
// readers that draw from the file would show another picture otherwise.
func checkSealFile(s *subject) outcome {
	const clause = "GB/T 33190-2016, 18.2.3"
	if s.ses == nil {
		return skip(CheckSealFile, clause, ReasonNotJudged)
	}
	if s.sig.SealPath == "" {
		return skip(CheckSealFile, clause, ReasonNoSealFile)
	}
	// By digest: the file was hashed as a covered one already.
	got, err := s.pkg.Digest(s.sig.SealPath)
	if want := sm3.Sum(s.ses.Seal.Raw); err != nil || !bytes.Equal(got, want[:]) {
		return fail(CheckSealFile, clause, ReasonSealDiffers, s.sig.SealPath, effAltered)
	}
	return pass(CheckSealFile, clause, s.sig.SealPath)
}
