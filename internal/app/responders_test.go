package app

import (
	"testing"
	"time"

	"golang.org/x/crypto/ocsp"

	"github.com/yinxin-gov/yinxin/ca"
	kept "github.com/yinxin-gov/yinxin/signer/revocation"
)

// Every authority delegates its OCSP answers when somebody first asks, and again
// when two thirds of the responder's life are over; what is answered is believed
// by our own verifier, and on the ECDSA track by another.
func TestOCSPRespondersOfAllAuthorities(t *testing.T) {
	w := newTown(t, 0)
	made := func() int {
		all, err := w.rooms.CA.CertificatesOf(bg, serviceOCSP)
		ok(t, err)
		for _, c := range all {
			if c.State != ca.StateGood || c.Kind != ca.KindService {
				t.Errorf("%+v", c)
			}
		}
		return len(all)
	}
	if n := made(); n != 0 {
		t.Errorf("%d responders before anybody asked", n)
	}
	person, err := w.rooms.Identity.Person(bg, w.officer.ID)
	ok(t, err)
	a := w.anchors
	ask := func(cert, issuer []byte) []byte {
		der, err := kept.Request(cert, issuer)
		ok(t, err)
		return w.CertStatus.Answer(bg, der)
	}
	known := kept.New(w.cfg.Now)
	known.AddIssuers(a.sm2Root.Raw, a.sm2Issuing.Raw)
	for range 3 {
		for _, q := range [][2][]byte{{a.sm2Issuing.Raw, a.sm2Root.Raw}, {person.CertDER, a.sm2Issuing.Raw}} {
			ok(t, known.Add(ask(q[0], q[1])))
			if at, covered, err := known.RevokedAt(bg, q[0]); err != nil || !covered || !at.IsZero() {
				t.Errorf("%s, %t, %v", at, covered, err)
			}
		}
		answer, err := ocsp.ParseResponse(ask(a.ecdsaIssuing.Raw, a.ecdsaRoot.Raw), a.ecdsaRoot)
		ok(t, err)
		if answer.Status != ocsp.Good || answer.Certificate == nil || answer.Certificate.Subject.CommonName == a.ecdsaRoot.Subject.CommonName {
			t.Errorf("%+v", answer)
		}
	}
	if n := made(); n != 3 {
		t.Errorf("%d responders of three authorities", n)
	}
	w.at = w.at.Add(21 * 24 * time.Hour)
	ask(a.ecdsaIssuing.Raw, a.ecdsaRoot.Raw)
	if n := made(); n != 4 {
		t.Errorf("%d responders after two thirds of a life", n)
	}
}
