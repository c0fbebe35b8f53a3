package verify

import (
	"crypto/ecdsa"
	"errors"
	"time"

	"github.com/emmansun/gmsm/sm2"
	"github.com/emmansun/gmsm/smx509"

	"github.com/yinxin-gov/yinxin/signer/cms/signeddata"
	"github.com/yinxin-gov/yinxin/signer/seal"
)

// cmsSigner is one signer of a SignedData, in a PDF or in a file of its own.
type cmsSigner struct {
	*subject
	m           *signeddata.Message
	at          time.Time // claimed
	clause      string    // of the format that the message stands in
	tokenClause string
}

// judge runs the checks that need no content, and fills who signed and when.
func (c cmsSigner) judge(desc *Signature) []outcome {
	if c.m.CertDER != nil {
		c.signer, _ = readCertificate(c.m.CertDER) // one that does not read is a finding below
	}
	if c.signer != nil {
		desc.Signer = c.signer.subject
	}
	if !c.at.IsZero() {
		desc.SignedAt = stamp(c.at)
	}
	token := c.judgeToken(c.tokenClause, c.m.TimeStamp, c.m.Value, c.at)
	if !c.trusted.IsZero() {
		desc.TrustedTime = stamp(c.trusted)
	}
	return []outcome{c.certificate(), c.anchored(), c.usable(), c.period(), c.time(), token, c.revoked()}
}

// value: the signature over the signed attributes, or over the content. err is
// what the mathematics say.
func (c cmsSigner) value(err error) outcome {
	c.noteValue(err)
	switch {
	case err == nil:
		return pass(CheckValue, c.clause, "")
	case errors.Is(err, signeddata.ErrUnsupported):
		return unjudged(CheckValue, c.clause, ReasonAlgorithm, err.Error())
	case errors.Is(err, signeddata.ErrSignature):
		return fail(CheckValue, c.clause, ReasonSignature, err.Error(), effAltered)
	case errors.Is(err, signeddata.ErrCertificate):
		reason := ReasonCertBad
		if c.m.CertDER == nil {
			reason = ReasonNoCert
		}
		return unjudged(CheckValue, c.clause, reason, err.Error())
	}
	return fail(CheckValue, c.clause, ReasonCMS, err.Error(), effAltered)
}

// flipped is the check that accepted the value, with another value. holds are the
// mathematics of a message.
func (c cmsSigner) flipped(holds func(*signeddata.Message) error) outcome {
	m := *c.m
	m.Value = flip(m.Value)
	other := cmsSigner{&subject{opt: &Options{}}, &m, c.at, c.clause, c.tokenClause}
	return other.value(holds(&m))
}

// noteValue keeps an SM2 signature over attributes for the second opinion. One
// over a content that streamed by is not there to be shown.
func (c cmsSigner) noteValue(err error) {
	signed, bad := c.m.SignedAttributes()
	cert, unread := smx509.ParseCertificate(c.m.CertDER)
	if bad != nil || unread != nil || signed == nil {
		return
	}
	// ErrSignature itself is the verdict on the value; wrapped, it is about
	// something else that does not fit.
	if key, ok := cert.PublicKey.(*ecdsa.PublicKey); ok && key.Curve == sm2.P256() {
		if err == signeddata.ErrSignature {
			err = seal.ErrSignature
		}
		value, raw := signeddata.SM2Value(c.m.Value)
		if raw {
			c.warn("ses."+seal.WarnRawSignature, c.sig.ValuePath)
		}
		c.note("signer", seal.Proof{Key: key, Message: signed, Value: value}, err)
	}
}

func (c cmsSigner) certificate() outcome {
	const clause = "RFC 5280"
	switch {
	case c.m.CertDER == nil:
		return cannot(CheckCertForm, clause, ReasonNoCert, "")
	case c.signer == nil:
		return fail(CheckCertForm, clause, ReasonCertBad, "", effInvalid)
	case c.signer.full == nil:
		return cannot(CheckCertForm, clause, ReasonCertBad, c.signer.subject)
	}
	return pass(CheckCertForm, clause, c.signer.subject)
}

func (c cmsSigner) anchored() outcome {
	return c.chain(CheckChain, "RFC 5280, 6; GB/T 20518-2018", c.signer, c.at, c.m.Certs...)
}

func (c cmsSigner) usable() outcome {
	const clause = "RFC 5280, 4.2.1.3"
	if c.signer == nil || c.signer.full == nil {
		return skip(CheckUsage, clause, ReasonNotJudged)
	}
	if full := c.signer.full; full.KeyUsage == 0 && !full.IsCA && !c.m.GM {
		return pass(CheckUsage, clause, "") // no key usage, no restriction; GB/T 20518 wants one
	}
	if o, bad := usage(CheckUsage, clause, c.signer); bad {
		return o
	}
	return pass(CheckUsage, clause, "")
}

func (c cmsSigner) period() outcome {
	const clause = "RFC 5280, 4.1.2.5"
	switch {
	case c.signer == nil:
		return skip(CheckCertPeriod, clause, ReasonNotJudged)
	case c.at.IsZero():
		return cannot(CheckCertPeriod, clause, ReasonNoTime, "")
	case !c.signer.validAt(c.at):
		return fail(CheckCertPeriod, clause, ReasonPeriod, span(c.at, c.signer.notBefore, c.signer.notAfter), effInvalid)
	}
	return pass(CheckCertPeriod, clause, span(c.at, c.signer.notBefore, c.signer.notAfter))
}

func (c cmsSigner) time() outcome {
	switch {
	case c.at.IsZero():
		return cannot(CheckTime, c.clause, ReasonNoTime, "")
	case c.at.After(c.now.Add(skew)):
		return fail(CheckTime, c.clause, ReasonFuture, stamp(c.at)+" after "+stamp(c.now), effInvalid)
	}
	if c.trusted.IsZero() {
		c.warn(WarnClaimedTime, "")
	}
	return pass(CheckTime, c.clause, stamp(c.at))
}

func (c cmsSigner) revoked() outcome {
	const clause = "RFC 5280, 6.3"
	if c.signer == nil {
		return skip(CheckRevocation, clause, ReasonNotJudged)
	}
	return c.revocation(clause, c.at, c.signer.der)
}
