package verify

// Material is what the judgement of one signature rested on, for whoever must
// repeat it: signer/report prints it. It stands beside the report, not in it.
// Parts that the signature lacks, or that do not read, are nil.
type Material struct {
	Value  []byte  // the signed value as stored
	Signer []byte  // certificate, DER
	Maker  []byte  // certificate of the seal's maker, DER
	Token  []byte  // time-stamp token
	Chains []Chain // that led to an anchor
	// Content is what a message in a file of its own is judged against: the digest of
	// its content, taken while it streamed by. It may not be at hand again.
	Content []byte
}

// Chain is the way from a certificate to the anchor that vouched for it, both
// included. A certificate that is an anchor itself is a chain of one.
type Chain struct {
	Check string // id of the check that found it
	Certs [][]byte
}

// Anchor is the certificate that vouched in a check, nil when none did.
func (m *Material) Anchor(check string) []byte {
	if m == nil {
		return nil
	}
	for _, c := range m.Chains {
		if c.Check == check && len(c.Certs) > 0 {
			return c.Certs[len(c.Certs)-1]
		}
	}
	return nil
}

func (s *subject) material() *Material {
	m := &Material{Value: s.value, Token: s.tokenDER, Chains: s.chains}
	if s.signer != nil {
		m.Signer = s.signer.der
	}
	if s.maker != nil {
		m.Maker = s.maker.der
	}
	return m
}
