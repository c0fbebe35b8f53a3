package verify

import "time"

// checkChain: the signer's certificate leads to an anchor, at signing time.
func checkChain(s *subject) outcome {
	const clause = "GM/T 0031-2014, 6.2.3 c; GB/T 38540-2020, 7.3"
	if !s.judged() {
		return skip(CheckChain, clause, ReasonNotJudged)
	}
	var carried [][]byte
	if s.msg != nil {
		carried = s.msg.Certs
	}
	return s.chain(CheckChain, clause, s.signer, s.at, carried...)
}

// chain judges a chain at the time at which the certificate was used; whether the
// certificate itself was in its period then is another check. Without an anchor
// the mathematics may hold, but nobody vouches for the name.
func (s *subject) chain(id, clause string, c *certificate, at time.Time, carried ...[]byte) outcome {
	switch {
	case s.opt.Trust == nil:
		return cannot(id, clause, ReasonNoAnchor, "")
	case c == nil:
		return cannot(id, clause, ReasonCertBad, "")
	}
	if !c.validAt(at) {
		at = c.notAfter // the period is judged apart; the chain still tells who vouched
	}
	path, links := c.chains(s.opt.Trust, at, append(carried[:len(carried):len(carried)], s.opt.Carried...)...)
	for _, l := range links {
		s.note(l.who, l.Proof, nil)
	}
	if path == nil {
		if _, domain := s.opt.Trust.foreign(c.der, at); domain != "" {
			return cannot(id, clause, ReasonDomain, c.subject+" · "+domain)
		}
		return cannot(id, clause, ReasonUntrusted, c.subject)
	}
	s.chains = append(s.chains, Chain{id, path})
	if domain := s.opt.Trust.domainOf(path[len(path)-1]); domain != "" {
		return pass(id, clause, c.subject+" · "+domain)
	}
	return pass(id, clause, c.subject)
}
