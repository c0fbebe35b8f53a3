package demo

import (
	"context"
	"encoding/hex"
	"fmt"
	"time"

	"github.com/emmansun/gmsm/sm3"

	"github.com/yinxin-gov/yinxin/authz/approval"
	"github.com/yinxin-gov/yinxin/authz/grading"
	"github.com/yinxin-gov/yinxin/authz/identity"
	"github.com/yinxin-gov/yinxin/authz/ledger"
	"github.com/yinxin-gov/yinxin/authz/level"
	"github.com/yinxin-gov/yinxin/internal/app"
	"github.com/yinxin-gov/yinxin/internal/workday"
)

// Sample division: 110100 is a municipal district level code without a unit of
// its own in these data; every name carries 样例.
const division = "110100"

// Short names of the agencies; keys of the manifest.
const (
	office   = "office"   // information office, runs the house
	provider = "provider" // owns the resource, level 3
	unitA    = "a"        // consumer, level 3
	unitB    = "b"        // consumer, level 2
)

// agency is a sample unit with its people and its system.
type agency struct {
	key       string
	unit      identity.Agency
	leader    person
	clerk     person
	sysadmin  person
	system    identity.System
	grade     level.Grade
	sealID    string
	sealOrder app.SealOrder
}

// person is a sample person with the PIN that only this run knows.
type person struct {
	identity.Person
	pin string
}

// filing is the number of a sample filing certificate (备案证明).
const filing = division + "00001-00001"

// pin is a sample PIN; sample persons have no others.
func pin(role identity.Role) string { return "yangli-" + string(role) + "-2026" }

func (w *walk) sampleUnits() []*agency {
	return []*agency{
		{key: office, unit: identity.Agency{Name: "样例区政务信息办公室", Duties: []string{"information-coordination"}}, grade: level.Grade{S: 3, A: 3},
			system: identity.System{ID: "office-exchange", Name: "样例区信息资源交换平台", Hosts: []string{"exchange.office.yangli.internal"}}},
		{key: provider, unit: identity.Agency{Name: "样例区民政局", Duties: []string{"social-assistance", "civil-registration"}}, grade: level.Grade{S: 3, A: 3},
			system: identity.System{ID: "civil-affairs", Name: "样例民政业务系统", Hosts: []string{"civil.minzheng.yangli.internal"}}},
		{key: unitA, unit: identity.Agency{Name: "样例区人力资源和社会保障局", Duties: []string{"social-assistance", "employment-support"}}, grade: level.Grade{S: 3, A: 3},
			system: identity.System{ID: "social-security", Name: "样例社会保障业务系统", Hosts: []string{"shebao.renshe.yangli.internal"}}},
		{key: unitB, unit: identity.Agency{Name: "样例街道办事处", Kind: identity.KindDispatched, Duties: []string{"social-assistance"}}, grade: level.Grade{S: 2, A: 2},
			system: identity.System{ID: "street-service", Name: "样例街道服务系统", Hosts: []string{"service.jiedao.yangli.internal"}}},
	}
}

// found makes the house and its founders: the operating unit and three
// administrators by one-time links.
func (w *walk) found(ctx context.Context) error {
	units := w.sampleUnits()
	for i, a := range units {
		a.system.Addresses = map[string]string{}
		for _, h := range a.system.Hosts {
			a.system.Addresses[h] = "127.0.0.1" // where a visitor's ACME client answers
		}
		code, err := identity.SampleUSCC(division, i+1)
		if err != nil {
			return err
		}
		a.unit.USCC = code
		a.unit.District, a.unit.Sample = division, true
		if a.unit.Kind == "" {
			a.unit.Kind = identity.KindOrgan
		}
		a.system.Agency, a.system.Sample = a.unit.USCC, true
		w.agencies[a.key] = a
	}
	op := w.agencies[office]
	cfg := app.Config{
		Settings: app.Settings{
			Name: "yangli", Organization: op.unit.Name, USCC: string(op.unit.USCC), Division: division, Duties: op.unit.Duties,
			Listen: w.listen, Public: w.public, Plain: w.listenPlain, Names: []string{"localhost"}, Clock: app.ClockTrusted, Sample: true,
		},
		Dir: w.path("server"), Now: w.cfg.Now, Log: w.cfg.Log, Work: w.cfg.Work,
	}
	h, made, err := app.Found(ctx, cfg, []app.Administrator{
		{Role: identity.RoleSystemAdmin, Name: "样例系统管理员"}, {Role: identity.RoleSecurityOfficer, Name: "样例安全管理员"}, {Role: identity.RoleAuditor, Name: "样例审计员"},
	})
	if err != nil {
		return err
	}
	w.house = h
	w.tell.line(w.cfg.Words.Get("demo.title").Both())
	w.tell.head("demo.chapter.house")
	w.tell.plain(true, "demo.house.roots", "sm2", made.SM2RootSM3, "ecdsa", made.ECDSARootSM3)
	w.tell.plain(true, "demo.house.admins", "n", fmt.Sprint(len(made.Links)))
	for _, l := range made.Links {
		if l.Role == identity.RoleAuditor {
			w.auditor = l.Person
		}
	}
	return nil
}

// people registers the agencies and their persons. The first one certified is
// the RA officer; from then on every certificate needs that officer's signature.
func (w *walk) people(ctx context.Context) error {
	w.tell.head("demo.chapter.people")
	actor := ledger.Actor{Kind: "service", ID: "demo", Unit: string(w.agencies[office].unit.USCC)}
	ra, err := w.member(ctx, w.agencies[office], identity.RoleRAOfficer, "样例注册审核员")
	if err != nil {
		return err
	}
	rc, err := w.house.CertifyPerson(ctx, actor, ra.ID)
	if err != nil {
		return err
	}
	w.ra = ra
	w.tell.done(rc, "demo.people.ra")
	for _, key := range []string{office, provider, unitA, unitB} {
		a := w.agencies[key]
		if key != office {
			if _, _, err := w.house.Identity.RegisterAgency(ctx, a.unit, actor); err != nil {
				return err
			}
		}
		for _, m := range []struct {
			into *person
			role identity.Role
			name string
		}{
			{&a.leader, identity.RoleUnitLeader, "样例主管领导"}, {&a.clerk, identity.RoleClerk, "样例经办人"}, {&a.sysadmin, identity.RoleAgencySysadmin, "样例系统管理人员"},
		} {
			if *m.into, err = w.member(ctx, a, m.role, m.name); err != nil {
				return err
			}
			if rc, err = w.certify(ctx, m.into.ID); err != nil {
				return err
			}
		}
		contact := identity.Post{Person: a.clerk.ID, Agency: a.unit.USCC, Role: identity.RoleSharingContact, Title: "样例信息科", From: w.now().UTC().Add(-time.Minute)}
		if _, _, err := w.house.Identity.AssignPost(ctx, contact, actor); err != nil {
			return err
		}
		w.tell.done(rc, "demo.people.agency", "name", a.unit.Name, "uscc", string(a.unit.USCC))
	}
	op := w.agencies[office]
	post := identity.Post{Person: op.leader.ID, Agency: op.unit.USCC, Role: identity.RoleInformationOffice, Title: w.cfg.Words.Get("role.information_office").Zh, From: w.now().UTC().Add(-time.Minute)}
	if _, _, err := w.house.Identity.AssignPost(ctx, post, actor); err != nil {
		return err
	}
	if w.sealAdmin, err = w.member(ctx, w.agencies[office], identity.RoleSealAdministrator, "样例印章管理员"); err != nil {
		return err
	}
	_, err = w.certify(ctx, w.sealAdmin.ID)
	return err
}

// member registers a person with a post and makes the person's key.
func (w *walk) member(ctx context.Context, a *agency, role identity.Role, name string) (person, error) {
	actor := ledger.Actor{Kind: "service", ID: "demo", Unit: string(a.unit.USCC)}
	p, _, err := w.house.Identity.RegisterPerson(ctx, identity.Person{Name: name, Agency: a.unit.USCC}, actor)
	if err != nil {
		return person{}, err
	}
	post := identity.Post{Person: p.ID, Agency: a.unit.USCC, Role: role, Title: w.cfg.Words.Get("role." + string(role)).Zh, From: w.now().UTC().Add(-time.Minute)}
	if _, _, err := w.house.Identity.AssignPost(ctx, post, actor); err != nil {
		return person{}, err
	}
	return person{p, pin(role)}, w.house.MakePersonKey(ctx, p.ID, pin(role))
}

// certify has the RA officer sign for a person's certificate and issues it.
func (w *walk) certify(ctx context.Context, id string) (ledger.Receipt, error) {
	subject, err := w.house.PersonOrder(ctx, id)
	if err != nil {
		return ledger.Receipt{}, err
	}
	if err := w.raApproves(ctx, subject); err != nil {
		return ledger.Receipt{}, err
	}
	return w.house.CertifyPerson(ctx, w.house.PersonActor(id, ""), id)
}

// raApproves signs with the RA officer's own key.
func (w *walk) raApproves(ctx context.Context, s approval.Subject) error {
	_, _, err := w.house.Approve(ctx, s, w.ra.ID, w.ra.pin, true, "")
	return err
}

// systems registers the information systems and their gradings.
func (w *walk) systems(ctx context.Context) error {
	w.tell.head("demo.chapter.systems")
	for _, key := range []string{office, provider, unitA, unitB} {
		a := w.agencies[key]
		admin := w.house.PersonActor(a.sysadmin.ID, a.unit.USCC)
		if _, _, err := w.house.Identity.RegisterSystem(ctx, a.system, admin); err != nil {
			return err
		}
		if err := w.clear(ctx, a); err != nil {
			return err
		}
		rc, err := w.grade(ctx, a)
		if err != nil {
			return err
		}
		w.tell.done(rc, "demo.systems.graded", "system", a.system.Name, "id", a.system.ID, "grade", a.grade.String(), "level", fmt.Sprint(a.grade.Level()))
	}
	return nil
}

// clear records what a production certificate needs beside the grading: the
// acceptance, by the RA officer, and the security review, by the information office.
func (w *walk) clear(ctx context.Context, a *agency) error {
	op := w.agencies[office]
	sum := sm3.Sum([]byte("样例" + a.system.ID))
	for _, c := range []struct {
		kind grading.ClearanceKind
		by   string // person
	}{{grading.ClearanceAcceptance, w.ra.ID}, {grading.ClearanceReview, op.leader.ID}} {
		_, _, err := w.house.Clearances.Record(ctx, w.house.PersonActor(c.by, op.unit.USCC), grading.Clearance{
			System: a.system.ID, Kind: c.kind, Number: "样例记录", Passed: true, On: workday.Of(w.now().AddDate(0, -2, 0)), By: op.unit.Name, Report: hex.EncodeToString(sum[:]),
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func (w *walk) grade(ctx context.Context, a *agency) (ledger.Receipt, error) {
	now := w.now().UTC()
	_, rc, err := w.house.Grading.Register(ctx, grading.Record{
		System: a.system.ID, Version: 1, Grade: a.grade, Reason: "样例定级", State: grading.StateCertified, BuildingUnit: a.unit.USCC,
		Filing: filing, DecidedOn: now.AddDate(0, -2, 0), AssessedOn: now.AddDate(0, -1, 0), ValidUntil: now.AddDate(2, 0, 0), Sample: true,
	}, w.house.PersonActor(a.leader.ID, a.unit.USCC))
	return rc, err
}
