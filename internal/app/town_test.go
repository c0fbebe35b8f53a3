package app

import (
	"fmt"
	"testing"
	"time"

	"github.com/yinxin-gov/yinxin/authz/approval"
	"github.com/yinxin-gov/yinxin/authz/identity"
	"github.com/yinxin-gov/yinxin/authz/ledger"
	"github.com/yinxin-gov/yinxin/authz/level"
	"github.com/yinxin-gov/yinxin/authz/sharing"
	"github.com/yinxin-gov/yinxin/signer"
	"github.com/yinxin-gov/yinxin/signer/cite"
	"github.com/yinxin-gov/yinxin/signer/life"
	"github.com/yinxin-gov/yinxin/signer/ofd"
)

// office is a unit of the town with a leader, a clerk and a seal.
type office struct {
	unit          identity.USCC
	leader, clerk identity.Person
	seal          string
}

// town is a house with units that seal and share.
type town struct {
	*House
	t       *testing.T
	at      time.Time
	officer identity.Person
	keeper  identity.Person // of seals
	units   []office
}

const townPIN = "pin-of-the-town"

func newTown(t *testing.T, units int) *town {
	t.Helper()
	cfg, ln := config(t, "")
	ok(t, ln.Close())
	w := &town{t: t, at: time.Now().UTC().Truncate(time.Second)}
	cfg.Now = func() time.Time { return w.at }
	h, _, err := Found(bg, cfg, three)
	ok(t, err)
	w.House = h
	t.Cleanup(func() { ok(t, w.House.Close()) })
	own := identity.USCC(h.cfg.USCC)
	w.officer = w.person(own, identity.RoleRAOfficer)
	_, err = h.CertifyPerson(bg, h.service(), w.officer.ID)
	ok(t, err)
	w.keeper = w.person(own, identity.RoleSealAdministrator)
	for i := range units {
		code, err := identity.SampleUSCC("110100", 10+i)
		ok(t, err)
		_, _, err = h.Identity.RegisterAgency(bg, identity.Agency{USCC: code, Name: "样例局" + []string{"甲", "乙", "丙"}[i], Kind: identity.KindOrgan, District: "110100", Duties: []string{"relief"}}, h.service())
		ok(t, err)
		o := office{unit: code, leader: w.certified(code, identity.RoleUnitLeader), clerk: w.certified(code, identity.RoleClerk)}
		w.contact(o.clerk)
		o.seal = w.newSeal(o, 10+i)
		w.units = append(w.units, o)
	}
	return w
}

func (w *town) person(unit identity.USCC, role identity.Role) identity.Person {
	w.t.Helper()
	p, _, err := w.Identity.RegisterPerson(bg, identity.Person{Name: "样例" + string(role), Agency: unit}, w.service())
	ok(w.t, err)
	_, _, err = w.Identity.AssignPost(bg, identity.Post{Person: p.ID, Agency: unit, Role: role, Title: string(role), From: w.at.Add(-time.Minute)}, w.service())
	ok(w.t, err)
	ok(w.t, w.MakePersonKey(bg, p.ID, townPIN))
	return p
}

// contact makes a person the one who answers for shared information in the unit.
func (w *town) contact(p identity.Person) {
	w.t.Helper()
	_, _, err := w.Identity.AssignPost(bg, identity.Post{Person: p.ID, Agency: p.Agency, Role: identity.RoleSharingContact, Title: "样例信息科", From: w.at.Add(-time.Minute)}, w.service())
	ok(w.t, err)
}

func (w *town) certified(unit identity.USCC, role identity.Role) identity.Person {
	w.t.Helper()
	p := w.person(unit, role)
	s, err := w.PersonOrder(bg, p.ID)
	ok(w.t, err)
	w.sign(s, w.officer, true)
	_, err = w.CertifyPerson(bg, w.service(), p.ID)
	ok(w.t, err)
	p, err = w.rooms.Identity.Person(bg, p.ID)
	ok(w.t, err)
	return p
}

// newSeal makes the unit's seal and walks it until it may be used.
func (w *town) newSeal(o office, n int) string {
	w.t.Helper()
	order := SealOrder{ID: fmt.Sprintf("110100%08d", n), Unit: o.unit, Name: "样章"}
	applied, _, err := w.ApplySeal(bg, w.actor(o.clerk), order)
	ok(w.t, err)
	w.sign(applied, o.leader, true)
	_, _, err = w.Life.Settle(bg, w.actor(o.clerk), order.ID)
	ok(w.t, err)
	s, err := w.PrepareSeal(bg, order)
	ok(w.t, err)
	w.sign(s, w.officer, true)
	keeper := w.actor(w.keeper)
	_, _, err = w.MakeSeal(bg, keeper, order)
	ok(w.t, err)
	_, _, err = w.Life.File(bg, keeper, order.ID, life.Filing{})
	ok(w.t, err)
	_, _, err = w.Life.Activate(bg, keeper, order.ID)
	ok(w.t, err)
	return order.ID
}

func (w *town) sign(s approval.Subject, p identity.Person, yes bool) {
	w.t.Helper()
	reason := ""
	if !yes {
		reason = "不同意"
	}
	_, _, err := w.Approve(bg, s, p.ID, townPIN, yes, reason)
	ok(w.t, err)
}

// refusedAnswer: nobody asked that leader, so that his answer takes nobody's place.
func (w *town) refusedAnswer(s approval.Subject, p identity.Person) {
	w.t.Helper()
	_, _, err := w.Approve(bg, s, p.ID, townPIN, true, "")
	wantErr(w.t, err, approval.ErrInvalid)
}

func (w *town) actor(p identity.Person) ledger.Actor { return w.PersonActor(p.ID, p.Agency) }

func (w *town) resource(id string, provider office) {
	w.t.Helper()
	_, _, err := w.Sharing.RegisterResource(bg, sharing.Resource{
		ID: id, Name: "样例" + id, Provider: provider.unit, Label: level.Label{Level: 1, RequiredS: 1, RequiredA: 1}, ShareType: sharing.ShareUnconditional,
		Regime: sharing.RegimeBeijing2017, Items: []string{"x"}, SecrecyReview: "保审1",
	}, w.actor(provider.clerk))
	ok(w.t, err)
}

func (w *town) asked(resource, document string, by office) sharing.Consent {
	w.t.Helper()
	c, _, err := w.Consents.Ask(bg, sharing.Consent{
		Resource: resource, Title: "年度报告", Purpose: "引用统计", Document: document, NotBefore: w.at, NotAfter: w.at.Add(time.Hour),
	}, w.actor(by.clerk))
	ok(w.t, err)
	return c
}

func (w *town) consent(resource, document string, by, provider office) sharing.Consent {
	w.t.Helper()
	c := w.asked(resource, document, by)
	w.sign(w.ConsentSubject(c), provider.leader, true)
	c, _, err := w.Consents.Decide(bg, c.ID, w.actor(by.clerk))
	ok(w.t, err)
	return c
}

func (w *town) cite(c sharing.Consent) cite.Citation {
	w.t.Helper()
	got, err := w.Cite(bg, c.ID, "表 1")
	ok(w.t, err)
	return got
}

func (w *town) request(o office, doc []byte, list ...cite.Citation) (signer.Use, error) {
	u, _, err := w.Signer.RequestUse(bg, w.actor(o.clerk), signer.UseRequest{Seal: o.seal, Document: doc, Title: "年度报告", Citations: list})
	return u, err
}

func (w *town) approved(o office, u signer.Use) signer.Use {
	w.t.Helper()
	s, err := w.UseSubject(bg, u)
	ok(w.t, err)
	w.sign(s, o.leader, true)
	u, _, err = w.Signer.MarkApproved(bg, w.actor(o.clerk), u.ID)
	ok(w.t, err)
	return u
}

func (w *town) sealed(o office, doc []byte, list ...cite.Citation) []byte {
	w.t.Helper()
	u, err := w.request(o, doc, list...)
	ok(w.t, err)
	got, err := w.Signer.Seal(bg, w.actor(o.clerk), w.approved(o, u).ID, doc, signer.Placement{})
	ok(w.t, err)
	return got.Document
}

func paper(t *testing.T, title string) []byte {
	t.Helper()
	doc, err := ofd.NewNotice(ofd.Notice{Title: title, Issuer: "样例局", Body: []string{"各单位："}, Date: time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC)})
	ok(t, err)
	return doc
}
