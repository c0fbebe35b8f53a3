package verify

import "github.com/emmansun/gmsm/smx509"

// checkUsage: the signer's certificate is for signing.
func checkUsage(s *subject) outcome {
	const clause = "GM/T 0031-2014, 6.2.3 c; GB/T 20518-2018"
	if !s.judged() || s.signer == nil || s.signer.full == nil {
		return skip(CheckUsage, clause, ReasonNotJudged)
	}
	if o, bad := usage(CheckUsage, clause, s.signer); bad {
		return o
	}
	if s.signer.full.KeyUsage&smx509.KeyUsageCertSign != 0 {
		s.warn(WarnKeyCertSign, s.sig.ValuePath)
	}
	return pass(CheckUsage, clause, "")
}

// usage refuses authorities and certificates that are not for signing.
func usage(id, clause string, c *certificate) (outcome, bool) {
	switch {
	case c.full.IsCA:
		return fail(id, clause, ReasonCertIsCA, c.subject, effInvalid), true
	case !c.signs():
		return fail(id, clause, ReasonCertUsage, c.subject, effInvalid), true
	}
	return outcome{}, false
}
