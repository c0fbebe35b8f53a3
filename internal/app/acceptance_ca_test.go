package app

import (
	"crypto/rand"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/emmansun/gmsm/sm2"
	"github.com/emmansun/gmsm/smx509"

	"github.com/yinxin-gov/yinxin/authz/grading"
	"github.com/yinxin-gov/yinxin/authz/identity"
	"github.com/yinxin-gov/yinxin/authz/ledger"
	"github.com/yinxin-gov/yinxin/authz/level"
	"github.com/yinxin-gov/yinxin/ca"
	"github.com/yinxin-gov/yinxin/ca/acmestore"
	"github.com/yinxin-gov/yinxin/ca/lint"
	"github.com/yinxin-gov/yinxin/ca/profile"
	"github.com/yinxin-gov/yinxin/ca/ra"
	"github.com/yinxin-gov/yinxin/internal/api/wire"
	"github.com/yinxin-gov/yinxin/internal/console"
	"github.com/yinxin-gov/yinxin/internal/uscc"
	"github.com/yinxin-gov/yinxin/internal/workday"
)

// registry is a town with the people who stand around a certificate of the
// system civil-b, which nobody has cleared or graded yet.
type registry struct {
	*town
	unit                    identity.USCC
	admin, reviewer, office identity.Person
}

const regHost = "civil-b.gov.internal"

func newRegistry(t *testing.T, offices int) *registry {
	t.Helper()
	w := &registry{town: newTown(t, offices)}
	own := identity.USCC(w.cfg.USCC)
	var err error
	w.unit, err = identity.SampleUSCC("110100", 20)
	ok(t, err)
	_, _, err = w.Identity.RegisterAgency(bg, identity.Agency{USCC: w.unit, Name: "样例民政局", Kind: identity.KindOrgan, District: "110100"}, w.service())
	ok(t, err)
	_, _, err = w.Identity.RegisterSystem(bg, identity.System{ID: "civil-b", Name: "样例系统", Agency: w.unit, Hosts: []string{regHost}}, w.service())
	ok(t, err)
	w.admin, w.office = w.person(w.unit, identity.RoleAgencySysadmin), w.person(own, identity.RoleInformationOffice)
	w.reviewer = w.certified(own, identity.RoleRAOfficer)
	return w
}

// reviewed is a request whose identity check is on record.
func (w *registry) reviewed(p ca.Purpose) ca.Request {
	w.t.Helper()
	r, _, err := w.RA.Submit(bg, w.actor(w.admin), ca.Request{Agency: string(w.unit), System: "civil-b", CommonName: "样例系统", Organization: "样例民政局", Hosts: []string{regHost}, Purpose: p})
	ok(w.t, err)
	r, _, err = w.RA.Review(bg, w.actor(w.reviewer), r.ID, []ra.Shown{
		{Kind: ca.EvidenceUSCC, Number: string(w.unit), Method: ca.MethodRegister}, {Kind: ca.EvidenceAuthorisation, Number: "样例授权书", Method: ca.MethodOriginal},
		{Kind: ca.EvidenceHandler, Personal: handlerNumber, Method: ca.MethodOriginal},
	})
	ok(w.t, err)
	return r
}

const handlerNumber = "11010119900307001X"

// answer is the officer's, through the desk.
func (w *registry) answer(r ca.Request) error {
	return w.Desk.ApproveEnrolment(bg, w.as(w.officer), r.ID, console.Answer{Digest: ca.RequestDigest(r), PIN: townPIN, Yes: true})
}

func (w *registry) record(kind grading.ClearanceKind, by identity.Person, passed bool) error {
	return w.Desk.RecordClearance(bg, w.as(by), grading.Clearance{
		System: "civil-b", Kind: kind, Number: "样例 1 号", Passed: passed, On: workday.Of(w.now()), By: "样例单位", Report: strings.Repeat("ab", 32),
	})
}

func (w *registry) withdraw(kind grading.ClearanceKind, by identity.Person) error {
	all, err := w.Clearances.Of(bg, "civil-b")
	ok(w.t, err)
	last := grading.Clearance{}
	for _, c := range all {
		if c.Kind == kind {
			last = c
		}
	}
	return w.Desk.WithdrawClearance(bg, w.as(by), "civil-b", kind, last.RecordedAt, "记错系统")
}

func (w *registry) graded(until time.Time) {
	w.t.Helper()
	_, _, err := w.Grading.Register(bg, grading.Record{
		System: "civil-b", Version: 1, Grade: level.Grade{S: 2, A: 2}, Reason: "样例定级", State: grading.StateCertified, BuildingUnit: w.unit,
		Filing: "11010026002-00001", DecidedOn: w.at.AddDate(0, -2, 0), AssessedOn: w.at.AddDate(0, -1, 0), ValidUntil: until, Sample: true,
	}, w.actor(w.person(w.unit, identity.RoleUnitLeader)))
	ok(w.t, err)
}

// enrol draws the token and turns it into the pair.
func (w *registry) enrol(r ca.Request) ([]ca.Certificate, error) {
	w.t.Helper()
	dec, err := w.Desk.DrawToken(bg, w.as(w.admin), r.ID)
	ok(w.t, err)
	key, err := sm2.GenerateKey(rand.Reader)
	ok(w.t, err)
	csr, err := smx509.CreateCertificateRequest(rand.Reader, &smx509.CertificateRequest{DNSNames: []string{regHost}}, key)
	ok(w.t, err)
	out, err := w.CA.EnrolSM2(bg, dec.Token, csr)
	if err != nil {
		return nil, err
	}
	all, err := w.rooms.CA.CertificatesOf(bg, "civil-b")
	ok(w.t, err)
	return slices.DeleteFunc(all, func(c ca.Certificate) bool { return c.Pair != out.Pair }), nil
}

// stopped: the officer's answer is refused, and leaves nothing.
func (w *registry) stopped(r ca.Request, want error) {
	w.t.Helper()
	before := w.Ledger.Head().Size
	if err := w.answer(r); !errors.Is(err, want) {
		w.t.Errorf("the officer's answer: %v, want %v", err, want)
	}
	if after := w.Ledger.Head().Size; after != before {
		w.t.Errorf("a refused answer left %d entries", after-before)
	}
}

// production counts the certificates that the system can use in production.
func (w *registry) production() (n int) {
	w.t.Helper()
	all, err := w.rooms.CA.CertificatesOf(bg, "civil-b")
	ok(w.t, err)
	for _, c := range all {
		if c.Kind == ca.KindSM2Sign || c.Kind == ca.KindSM2Enc || c.Kind == ca.KindECDSA {
			n++
		}
	}
	return n
}

// 市政办发〔2018〕69号 art. 17: what is not accepted is not put to use. Test
// certificates are allowed.
func TestXA18_17_NoProductionCertificateWithoutAcceptance(t *testing.T) {
	w := newRegistry(t, 0)
	w.graded(w.at.AddDate(1, 0, 0))
	ok(t, w.record(grading.ClearanceReview, w.office, true))
	r := w.reviewed(ca.PurposeProduction)
	w.stopped(r, grading.ErrNotCleared)
	if err := w.record(grading.ClearanceAcceptance, w.office, true); !errors.Is(err, grading.ErrRole) {
		t.Errorf("recorded by the information office: %v", err)
	}
	ok(t, w.record(grading.ClearanceAcceptance, w.officer, false))
	w.stopped(r, grading.ErrNotCleared)

	test := w.reviewed(ca.PurposeTest)
	ok(t, w.answer(test))
	got, err := w.enrol(test)
	ok(t, err)
	if len(got) != 2 || w.production() != 0 {
		t.Errorf("%d test certificates, %d of production", len(got), w.production())
	}
	w.at = w.at.Add(time.Second)
	ok(t, w.record(grading.ClearanceAcceptance, w.officer, true))
	ok(t, w.answer(r))
	w.at = w.at.Add(time.Second)
	if err := w.withdraw(grading.ClearanceAcceptance, w.office); !errors.Is(err, grading.ErrRole) {
		t.Errorf("withdrawn by the information office: %v", err)
	}
	ok(t, w.withdraw(grading.ClearanceAcceptance, w.officer))
	if err := w.withdraw(grading.ClearanceAcceptance, w.officer); !errors.Is(err, console.ErrAnswered) {
		t.Errorf("withdrawn twice: %v", err)
	}
	// The approval stands; nothing is issued on it.
	if _, err := w.enrol(r); !errors.Is(err, grading.ErrNotCleared) || w.production() != 0 {
		t.Errorf("after the withdrawal: %v, %d certificates", err, w.production())
	}
	list, err := w.Desk.Clearances(bg, w.as(w.officer), "civil-b")
	ok(t, err)
	if len(list.Rows) != 3 || list.Rows[0].Why != "记错系统" || list.Rows[0].MayWithdraw || list.Rows[1].MayWithdraw || !list.Rows[2].MayWithdraw || list.Standings[0].Cleared() || !list.Standings[1].Cleared() {
		t.Errorf("%+v", list)
	}
	w.at = w.at.Add(time.Second)
	ok(t, w.record(grading.ClearanceAcceptance, w.officer, true))
	_, err = w.enrol(r)
	ok(t, err)
	if w.production() != 2 {
		t.Errorf("%d certificates of production", w.production())
	}
}

// 北京市 2005 年 17 号 sec. 3: a project whose security review is not on record
// gets no production certificate.
func TestBJ05_3b_NoProductionCertificateWithoutReview(t *testing.T) {
	w := newRegistry(t, 0)
	w.graded(w.at.AddDate(1, 0, 0))
	ok(t, w.record(grading.ClearanceAcceptance, w.officer, true))
	r := w.reviewed(ca.PurposeProduction)
	w.stopped(r, grading.ErrNotCleared)
	if err := w.record(grading.ClearanceReview, w.officer, true); !errors.Is(err, grading.ErrRole) {
		t.Errorf("recorded by the RA officer: %v", err)
	}
	if err := w.record(grading.ClearanceReview, w.admin, true); !errors.Is(err, grading.ErrRole) {
		t.Errorf("recorded by the agency itself: %v", err)
	}
	ok(t, w.record(grading.ClearanceReview, w.office, true))
	queue, err := w.Desk.EnrolmentQueue(bg, w.as(w.officer))
	ok(t, err)
	if len(queue) != 1 || len(queue[0].Standings) != 2 || !queue[0].Standings[0].Cleared() || !queue[0].Standings[1].Cleared() {
		t.Errorf("the officer sees %+v", queue)
	}
	ok(t, w.answer(r))
	w.at = w.at.Add(time.Second)
	ok(t, w.record(grading.ClearanceReview, w.office, false)) // a later review failed
	if _, err := w.enrol(r); !errors.Is(err, grading.ErrNotCleared) || w.production() != 0 {
		t.Errorf("after a failed review: %v", err)
	}
}

// 西政办发〔2011〕8号 art. 23: no certificate for operating before the building
// unit has graded the system, and none that outlives its filing.
func TestX11_23_NoProductionCertificateWithoutGrading(t *testing.T) {
	w := newRegistry(t, 0)
	ok(t, w.record(grading.ClearanceAcceptance, w.officer, true))
	ok(t, w.record(grading.ClearanceReview, w.office, true))
	r := w.reviewed(ca.PurposeProduction)
	w.stopped(r, grading.ErrNotOperating)
	w.graded(w.at.AddDate(0, 0, 100))
	ok(t, w.answer(r))
	got, err := w.enrol(r)
	ok(t, err)
	for _, c := range got {
		if end := w.at.AddDate(0, 0, 101); c.NotAfter.After(end) {
			t.Errorf("the %s certificate ends on %s, the filing on %s", c.Kind, c.NotAfter, end)
		}
	}
	if len(got) != 2 {
		t.Errorf("%d certificates", len(got))
	}
}

// 西政办发〔2011〕8号 art. 2: every subject of a certificate is one registered agency.
func TestX11_02_NoCertificateForAnUnregisteredAgency(t *testing.T) {
	w := newRegistry(t, 0)
	ghost, err := identity.SampleUSCC("110100", 99)
	ok(t, err)
	if _, _, err := w.Identity.RegisterSystem(bg, identity.System{ID: "ghost", Name: "x", Agency: ghost, Hosts: []string{"ghost.gov.internal"}}, w.service()); !errors.Is(err, identity.ErrNotFound) {
		t.Errorf("a system of nobody: %v", err)
	}
	ask := ca.Request{Agency: string(ghost), System: "civil-b", CommonName: "x", Organization: "样例民政局", Hosts: []string{regHost}}
	if _, _, err := w.RA.Submit(bg, w.actor(w.admin), ask); !errors.Is(err, ra.ErrApplicant) {
		t.Errorf("asked for an unregistered agency: %v", err)
	}
	ask.Agency, ask.Organization = string(w.unit), "没有登记的单位"
	if _, _, err := w.RA.Submit(bg, w.actor(w.admin), ask); !errors.Is(err, ca.ErrInvalid) {
		t.Errorf("asked under another name: %v", err)
	}
	if _, _, err := w.Identity.RegisterPerson(bg, identity.Person{Name: "某人", Agency: ghost}, w.service()); !errors.Is(err, identity.ErrNotFound) {
		t.Errorf("a person of nobody: %v", err)
	}
	w.graded(w.at.AddDate(1, 0, 0))
	ok(t, w.record(grading.ClearanceAcceptance, w.officer, true))
	ok(t, w.record(grading.ClearanceReview, w.office, true))
	r := w.reviewed(ca.PurposeProduction)
	ok(t, w.answer(r))
	_, err = w.enrol(r)
	ok(t, err)

	// Every certificate on record: O and code are those of one agency.
	seen := 0
	for _, of := range []string{"civil-b", keyDrafts} {
		all, err := w.rooms.CA.CertificatesOf(bg, of)
		ok(t, err)
		for _, c := range all {
			crt, err := smx509.ParseCertificate(c.DER)
			ok(t, err)
			a, err := w.rooms.Identity.Agency(bg, identity.USCC(c.Agency))
			ok(t, err)
			if o := crt.Subject.Organization; len(o) != 1 || o[0] != a.Name {
				t.Errorf("%s: O is %v, the agency is %s", c.Subject, o, a.Name)
			}
			for _, n := range crt.Subject.Names {
				if n.Type.Equal(profile.OrganizationIdentifier()) && n.Value != string(a.USCC) {
					t.Errorf("%s: code %v, the agency's is %s", c.Subject, n.Value, a.USCC)
				}
			}
			seen++
		}
	}
	if seen < 3 {
		t.Errorf("only %d certificates were looked at", seen)
	}
}

// 京政发〔2017〕37号 art. 13: codes with a wrong check digit are refused; of a
// personal number only a salted hash is kept, and none stands in a certificate.
func TestBJ17_13_CodesAreCheckedAndPersonalNumbersHidden(t *testing.T) {
	w := newRegistry(t, 0)
	wrong := []byte(w.unit)
	wrong[17] = "0123456789"[(wrong[17]+1)%10]
	if uscc.Valid(string(wrong)) {
		t.Fatal("the wrong code is right")
	}
	if _, _, err := w.Identity.RegisterAgency(bg, identity.Agency{USCC: identity.USCC(wrong), Name: "x", Kind: identity.KindOrgan, District: "110100"}, w.service()); !errors.Is(err, identity.ErrUSCC) {
		t.Errorf("registered: %v", err)
	}
	file := []byte("agency,system,common_name,organization,hosts\n" + string(wrong) + ",civil-b,x,样例民政局," + regHost + "\n")
	plan, err := w.Desk.PlanEnrolments(bg, w.as(w.admin), file)
	ok(t, err)
	if len(plan.Bad) != 1 || plan.Bad[0].Column != "agency" || plan.Bad[0].Code != "uscc" {
		t.Errorf("%+v", plan.Bad)
	}
	key, err := sm2.GenerateKey(rand.Reader)
	ok(t, err)
	spec := ca.IssueSpec{
		ID: "seal-x", Kind: ca.KindSeal, Profile: profile.SM2Seal, Public: &key.PublicKey, Agency: string(w.unit),
		Subject: profile.Subject{CommonName: "11010000000077", Organization: "样例民政局", USCC: string(wrong)},
	}
	if _, err := w.CA.IssueSM2(bg, w.service(), spec); err == nil {
		t.Error("a certificate with a wrong code was issued")
	}
	for _, name := range []string{"张三 " + handlerNumber, handlerNumber} {
		r := ca.Request{Agency: string(w.unit), System: "civil-b", CommonName: name, Organization: "样例民政局", Hosts: []string{regHost}, Purpose: ca.PurposeTest}
		if _, _, err := w.RA.Submit(bg, w.actor(w.admin), r); !errors.Is(err, ca.ErrInvalid) {
			t.Errorf("CN %s: %v", name, err)
		}
	}
	r := w.reviewed(ca.PurposeTest)
	ok(t, w.answer(r))
	got, err := w.enrol(r)
	ok(t, err)
	if len(got) != 2 {
		t.Errorf("%d certificates", len(got))
	}
	for _, c := range got {
		if lint.PersonalNumber().Match(c.DER) {
			t.Errorf("%s holds a personal number", c.Subject)
		}
	}
	kept, err := w.RA.Request(bg, r.ID)
	ok(t, err)
	if e := kept.Evidence[2]; e.Number != "" || e.Salt == "" || len(e.Digest) != 64 {
		t.Errorf("%+v", e)
	}
	if found := inClear(t, w.cfg.Dir, handlerNumber); len(found) > 0 {
		t.Errorf("the number stands in %v", found)
	}
}

// An administrator serves the ACME clients of the own agency: the key of a
// request once, TXT records of own systems (RFC 8555 7.3.4, 8.4).
func TestAdministratorServesACMEClients(t *testing.T) {
	w := newRegistry(t, 0)
	r := w.reviewed(ca.PurposeTest)
	draw := func(by identity.Person) (wire.ACMEKeyAnswer, error) { return w.Desk.DrawACMEKey(bg, w.as(by), r.ID) }
	if _, err := draw(w.admin); !errors.Is(err, ca.ErrState) {
		t.Errorf("before the approval: %v", err)
	}
	ok(t, w.answer(r))
	colleague := w.person(w.unit, identity.RoleAgencySysadmin)
	stranger := w.person(identity.USCC(w.cfg.USCC), identity.RoleAgencySysadmin)
	for by, want := range map[*identity.Person]error{&colleague: ra.ErrApplicant, &stranger: ca.ErrNotFound, &w.officer: console.ErrForbidden} {
		if _, err := draw(*by); !errors.Is(err, want) {
			t.Errorf("%s: %v, want %v", by.Name, err, want)
		}
	}
	list, err := w.Desk.ACME(bg, w.as(w.admin))
	ok(t, err)
	if len(list.Requests) != 1 || list.Requests[0].ID != r.ID {
		t.Errorf("%+v", list)
	}
	key, err := draw(w.admin)
	ok(t, err)
	if key.KID == "" || key.HMAC == "" || key.TextPassword == "" || !strings.HasSuffix(key.Directory, "/acme/acme/directory") {
		t.Errorf("%+v", key)
	}
	if found := inClear(t, w.cfg.Dir, key.HMAC, key.TextPassword); len(found) > 0 {
		t.Errorf("the key stands in %v", found)
	}
	if _, err := draw(w.admin); !errors.Is(err, console.ErrDrawn) {
		t.Errorf("drawn twice: %v", err)
	}

	record := acmestore.Text{Name: acmestore.TextPrefix + regHost, Value: "v", System: "civil-b", ExpiresAt: w.at.Add(time.Hour)}
	_, err = w.rooms.ACME.SetText(bg, record, w.at, ledger.Event{
		ID: newID(), Type: "ca.acme_text.set", Class: ledger.ClassCertificate, Time: w.now(), Actor: w.service(), Object: ledger.Object{Kind: "host", ID: regHost}, Outcome: ledger.Success,
	})
	ok(t, err)
	if list, err = w.Desk.ACME(bg, w.as(w.admin)); err != nil || len(list.Texts) != 1 || list.Texts[0].Value != "v" {
		t.Errorf("%+v, %v", list.Texts, err)
	}
	if other, err := w.Desk.ACME(bg, w.as(stranger)); err != nil || len(other.Texts)+len(other.Requests) != 0 {
		t.Errorf("another agency sees %+v, %v", other, err)
	}
	if err := w.Desk.DropText(bg, w.as(stranger), record); !errors.Is(err, acmestore.ErrNotFound) {
		t.Errorf("removed by another agency: %v", err)
	}
	ok(t, w.Desk.DropText(bg, w.as(w.admin), record))
	if err := w.Desk.DropText(bg, w.as(w.admin), record); !errors.Is(err, acmestore.ErrNotFound) {
		t.Errorf("removed twice: %v", err)
	}
	w.at = w.at.Add(73 * time.Hour)
	if _, err := draw(w.admin); !errors.Is(err, ra.ErrEnded) {
		t.Errorf("after the approval ran out: %v", err)
	}
}
