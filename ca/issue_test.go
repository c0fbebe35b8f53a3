package ca_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/yinxin-gov/yinxin/ca"
	"github.com/yinxin-gov/yinxin/ca/profile"
)

func sealSpec(t testing.TB) ca.IssueSpec {
	return ca.IssueSpec{
		ID: newID(), Kind: ca.KindSeal, Profile: profile.SM2Seal, Agency: agency, Public: &sm2Key(t).PublicKey,
		Subject: profile.Subject{CommonName: "11010200000001", Organization: "样例区民政局", USCC: agency},
	}
}

// approve signs spec in the name of the RA officer.
func (h *house) approve(spec ca.IssueSpec) {
	h.t.Helper()
	sum, err := ca.SpecDigest(spec)
	if err != nil {
		h.t.Fatal(err)
	}
	h.desk.sign(h.office.ID, spec.ID, sum)
}

func TestSealCertificateHasTheFormOfTheStandard(t *testing.T) {
	h := newHouse(t)
	spec := sealSpec(t)
	h.approve(spec)
	got, err := h.svc.IssueSM2(context.Background(), h.clerk, spec)
	if err != nil {
		t.Fatal(err)
	}
	c := parse(t, got.Certificate.DER)
	if c.Subject.CommonName != "11010200000001" || c.Subject.Organization[0] != agency+"样例区民政局" || c.Subject.Country[0] != "CN" {
		t.Errorf("subject %s", c.Subject)
	}
	if life := c.NotAfter.Sub(c.NotBefore) + time.Second; life != 365*24*time.Hour {
		t.Errorf("valid for %s", life)
	}
	if types := strings.Join(h.eventTypes(2), " "); types != "ca.certificate.reserved ca.certificate.issued" {
		t.Errorf("events: %s", types)
	}
	if details := h.reg.Events()[3].Details; details["approval"] != "approval-"+spec.ID || details["founding"] != "" {
		t.Errorf("details %v", details)
	}
}

func TestIssueNeedsAnApprovalOfExactlyThis(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*ca.IssueSpec)
		want   error
	}{
		"other key":               {func(s *ca.IssueSpec) { s.Public = &sm2Key(t).PublicKey }, ca.ErrNotApproved},
		"other esID":              {func(s *ca.IssueSpec) { s.Subject.CommonName = "11010200000002" }, ca.ErrNotApproved},
		"other unit":              {func(s *ca.IssueSpec) { s.Agency = "11110102000012345K" }, ca.ErrNotApproved},
		"other validity":          {func(s *ca.IssueSpec) { s.Validity = time.Hour }, ca.ErrNotApproved},
		"profile of another kind": {func(s *ca.IssueSpec) { s.Profile = profile.SM2Maker }, ca.ErrInvalid},
		"profile of an authority": {func(s *ca.IssueSpec) { s.Profile = profile.SM2Issuing }, ca.ErrInvalid},
		"kind of a pair":          {func(s *ca.IssueSpec) { s.Kind, s.Profile = ca.KindSM2Enc, profile.SM2Enc }, ca.ErrInvalid},
		"two keys":                {func(s *ca.IssueSpec) { s.CSR = csr(t, sm2Key(t)) }, ca.ErrInvalid},
		"no key":                  {func(s *ca.IssueSpec) { s.Public = nil }, ca.ErrInvalid},
		"no agency":               {func(s *ca.IssueSpec) { s.Agency = "" }, ca.ErrInvalid},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHouse(t)
			spec := sealSpec(t)
			h.approve(spec)
			c.change(&spec)
			if _, err := h.svc.IssueSM2(context.Background(), h.clerk, spec); !errors.Is(err, c.want) {
				t.Errorf("err = %v, want %v", err, c.want)
			}
			if h.key.calls != 0 || len(h.reg.Events()) != 2 {
				t.Errorf("%d signatures, %d events", h.key.calls, len(h.reg.Events()))
			}
		})
	}
	h := newHouse(t)
	spec := sealSpec(t)
	h.approve(spec)
	if _, err := h.svc.IssueSM2(context.Background(), h.office, spec); !errors.Is(err, ca.ErrSelf) {
		t.Errorf("the approver issued: %v", err)
	}
}

func TestLintRefusesWhatWasApproved(t *testing.T) {
	for name, change := range map[string]func(*ca.IssueSpec){
		"wrong check digit (GB 32100)":    func(s *ca.IssueSpec) { s.Subject.USCC = "11110102MB1234567A" },
		"resident identity number (PIPL)": func(s *ca.IssueSpec) { s.Subject.CommonName = "110101199003070011" },
	} {
		t.Run(name, func(t *testing.T) {
			h := newHouse(t)
			spec := sealSpec(t)
			change(&spec)
			h.approve(spec)
			if _, err := h.svc.IssueSM2(context.Background(), h.clerk, spec); !errors.Is(err, ca.ErrLint) {
				t.Errorf("err = %v", err)
			}
			if h.key.calls != 0 || len(h.reg.Events()) != 2 {
				t.Errorf("%d signatures, %d events", h.key.calls, len(h.reg.Events()))
			}
		})
	}
}

func TestFoundingIssuesWithoutOfficerAndSaysSo(t *testing.T) {
	h := newHouse(t)
	person := ca.IssueSpec{
		ID: newID(), Kind: ca.KindPerson, Profile: profile.SM2Person, Agency: agency, Person: "p-ra", CSR: csr(t, sm2Key(t)),
		Subject: profile.Subject{CommonName: "注册审核员甲", Organization: "样例区信息办", USCC: agency},
	}
	if _, err := h.svc.IssueSM2(context.Background(), h.clerk, person); !errors.Is(err, ca.ErrNotApproved) {
		t.Fatalf("without approval: %v", err)
	}
	h.cfg.Founding, h.cfg.Approver = true, nil
	founding := must(ca.New(h.cfg))
	got, err := founding.IssueSM2(context.Background(), h.clerk, person)
	if err != nil || got.Certificate.Person != "p-ra" {
		t.Fatalf("%+v, %v", got.Certificate, err)
	}
	if events := h.reg.Events(); events[len(events)-1].Details["founding"] != "true" {
		t.Error("the ledger does not say that nobody approved")
	}
	if _, err := founding.IssueSM2(context.Background(), h.clerk, sealSpec(t)); !errors.Is(err, ca.ErrNotApproved) {
		t.Errorf("seal without approval while founding: %v", err)
	}
	service := ca.IssueSpec{
		Kind: ca.KindService, Profile: profile.SM2Ledger, Agency: agency, System: "ledger", Public: &sm2Key(t).PublicKey,
		Subject: profile.Subject{CommonName: "样例区台账 1", Organization: "样例区信息办"},
	}
	if _, err := h.svc.IssueSM2(context.Background(), h.clerk, service); err != nil {
		t.Errorf("service of the house: %v", err)
	}
}

func TestNewRefusesAnAuthorityThatDoesNotFit(t *testing.T) {
	for name, change := range map[string]func(*house){
		"key of another authority": func(h *house) { h.cfg.SM2Signer = sm2Key(t) },
		"ECDSA authority":          func(h *house) { h.cfg.SM2Issuing, h.cfg.SM2Signer = parse(t, h.boot.ECDSAIssuing), p256Key(t) },
		"other root":               func(h *house) { h.cfg.SM2Root = parse(t, h.boot.ECDSARoot) },
		"no approver":              func(h *house) { h.cfg.Approver = nil },
		"no key centre":            func(h *house) { h.cfg.KMC = nil },
		"after its end":            func(h *house) { h.clock.advance(11 * 365 * 24 * time.Hour) },
		"no practice statement":    func(h *house) { h.cfg.Site.CPS = "" },
	} {
		t.Run(name, func(t *testing.T) {
			h := newHouse(t)
			change(h)
			if _, err := ca.New(h.cfg); err == nil {
				t.Error("started")
			}
		})
	}
}
