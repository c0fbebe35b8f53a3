package status_test

import (
	"context"
	"crypto"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/emmansun/gmsm/smx509"

	"github.com/yinxin-gov/yinxin/ca/catest"
	"github.com/yinxin-gov/yinxin/ca/profile"
	"github.com/yinxin-gov/yinxin/ca/status"
	"github.com/yinxin-gov/yinxin/ca/status/statustest"
)

// maker makes responders, counts, and fails when told to.
type maker struct {
	h       *statustest.House
	mu      sync.Mutex
	made    []*smx509.Certificate
	tries   int
	failing error
	slow    chan struct{} // not nil: waits for it
}

func (m *maker) make(_ context.Context, issuer string) (*smx509.Certificate, crypto.Signer, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.tries++
	if m.slow != nil {
		<-m.slow
	}
	if m.failing != nil {
		return nil, nil, m.failing
	}
	for under, p := range map[profile.Name]profile.Name{profile.SM2Root: profile.SM2OCSP, profile.SM2Issuing: profile.SM2OCSP, profile.ECDSARoot: profile.ECDSAOCSP, profile.ECDSAIssuing: profile.ECDSAOCSP} {
		if m.h.Authorities[under].ID == issuer {
			c, k := m.h.Issue(p, under)
			m.made = append(m.made, c)
			return c, k, nil
		}
	}
	return nil, nil, errors.New("unknown")
}

func TestRespondersRenewThemselvesRFC6960Section4222(t *testing.T) {
	for issuing, leaf := range tracks {
		h := statustest.New(t, catest.New())
		m := &maker{h: h}
		s := h.Service(func(c *status.Config) { c.Delegate = m.make })
		a := h.Authorities[issuing]
		cert, _ := h.Issue(leaf, issuing)
		signedBy := func(want *smx509.Certificate, tries int) {
			t.Helper()
			d, b := openResponse(t, s.Answer(bg, requestOf([]extension{nonce(16)}, withSM3(a.Cert, cert.SerialNumber))), want)
			if answerOf(d) != "good" || (want != a.Cert) != (len(b.Certs) == 1) || m.tries != tries {
				t.Errorf("%s, %d certificates, %d tries, want %d", answerOf(d), len(b.Certs), m.tries, tries)
			}
		}
		m.failing = errors.New("down")
		signedBy(a.Cert, 1) // an authority that has no responder signs itself
		signedBy(a.Cert, 1) // and does not try at each question
		h.Clock.Advance(time.Minute)
		m.failing = nil
		before := len(a.Key.Signed())
		der := s.Answer(bg, requestOf([]extension{nonce(16)}, withSM3(a.Cert, cert.SerialNumber)))
		d, _ := openResponse(t, der, m.made[0])
		if answerOf(d) != "good" || len(a.Key.Signed()) != before+1 { // the responder's certificate
			t.Errorf("%s, %d signatures of the authority", answerOf(d), len(a.Key.Signed())-before)
		}
		first := m.made[0]
		life := first.NotAfter.Sub(first.NotBefore)
		h.Clock.Advance(first.NotBefore.Add(life*2/3).Sub(h.Clock.Now()) - time.Second)
		signedBy(first, 2)
		m.failing = errors.New("down")
		h.Clock.Advance(time.Second)
		signedBy(first, 3) // renewal fails: the old one serves
		m.failing = nil
		h.Clock.Advance(time.Hour)
		s.Answer(bg, requestOf([]extension{nonce(16)}, withSM3(a.Cert, cert.SerialNumber)))
		signedBy(m.made[1], 4)
	}
}

// While one request waits for a responder, others are answered.
func TestNobodyWaitsForAnothersResponder(t *testing.T) {
	h := statustest.New(t, catest.New())
	m := &maker{h: h, slow: make(chan struct{})}
	s := h.Service(func(c *status.Config) { c.Delegate = m.make })
	a := h.Authorities[profile.ECDSAIssuing]
	cert, _ := h.Issue(profile.ECDSALeaf, profile.ECDSAIssuing)
	request := requestOf([]extension{nonce(16)}, withSM3(a.Cert, cert.SerialNumber))
	waiting := make(chan []byte)
	go func() { waiting <- s.Answer(bg, request) }()
	for m.mu.TryLock() { // until it is in the maker
		m.mu.Unlock()
		time.Sleep(time.Millisecond)
	}
	openResponse(t, s.Answer(bg, request), a.Cert)
	close(m.slow)
	der := <-waiting
	openResponse(t, der, m.made[0])
}

func TestResponderMustFitTheAuthority(t *testing.T) {
	h := statustest.New(t, catest.New())
	a := h.Authorities[profile.ECDSAIssuing]
	cert, _ := h.Issue(profile.ECDSALeaf, profile.ECDSAIssuing)
	leaf, leafKey := h.Issue(profile.ECDSALeaf, profile.ECDSAIssuing)
	stranger, strangerKey := h.Issue(profile.ECDSAOCSP, profile.ECDSARoot)
	fits, _ := h.Issue(profile.ECDSAOCSP, profile.ECDSAIssuing)
	for name, bad := range map[string]struct {
		cert *smx509.Certificate
		key  crypto.Signer
	}{"not for OCSP": {leaf, leafKey}, "of another authority": {stranger, strangerKey}, "key of another": {fits, leafKey}, "nothing": {}} {
		s := h.Service(func(c *status.Config) {
			c.Delegate = func(context.Context, string) (*smx509.Certificate, crypto.Signer, error) {
				return bad.cert, bad.key, nil
			}
		})
		t.Run(name, func(t *testing.T) {
			openResponse(t, s.Answer(bg, requestOf(nil, withSM3(a.Cert, cert.SerialNumber))), a.Cert)
		})
	}
}
