package app

import (
	"encoding/pem"
	"errors"
	"testing"
	"time"

	"github.com/emmansun/gmsm/smx509"

	"github.com/yinxin-gov/yinxin/authz/approval"
	"github.com/yinxin-gov/yinxin/authz/identity"
	"github.com/yinxin-gov/yinxin/ca/anchor"
	"github.com/yinxin-gov/yinxin/internal/console"
	"github.com/yinxin-gov/yinxin/signer/life"
)

// 商用密码管理条例 art. 24, 30: the root of an accredited service counts once a
// second officer signed it, for verification and for importing seals, and for
// neither from the moment at which it is withdrawn.
func TestRegisteredAnchors(t *testing.T) {
	w := newTown(t, 0)
	own := identity.USCC(w.cfg.USCC)
	person := func(p identity.Person) console.Person { return console.Person{ID: p.ID, Unit: string(own)} }
	admin, clerk, leader := w.certified(own, identity.RoleSystemAdmin), w.certified(own, identity.RoleClerk), w.certified(own, identity.RoleUnitLeader)
	service := newCertifier(t)
	entry := anchor.Anchor{
		DER: service.root.Raw, Service: "样例电子认证服务", Licence: "样例0001", URL: "https://ca.example/", From: w.at.AddDate(-1, 0, 0), Until: w.at.AddDate(1, 0, 0), Reason: "样例",
	}
	refused := func(err, want error) { t.Helper(); wantErr(t, err, want) }
	refused(w.Desk.ProposeAnchor(bg, person(clerk), entry), anchor.ErrForbidden)
	_, err := w.Desk.Anchored(bg, person(clerk))
	refused(err, console.ErrForbidden)
	// Law 7: no licence makes the house's own root an accredited one.
	self := entry
	self.DER = w.anchors.sm2Root.Raw
	refused(w.Desk.ProposeAnchor(bg, person(admin), self), anchor.ErrCertificate)

	ok(t, w.Desk.ProposeAnchor(bg, person(admin), entry))
	refused(w.Desk.ProposeAnchor(bg, person(w.officer), entry), anchor.ErrExists)
	list, err := w.Desk.Anchored(bg, person(w.officer))
	ok(t, err)
	line := list.Entries[0]
	if !line.MayAnswer || !line.MayEnd || line.Subject != "CN=样例电子政务CA" || line.By != admin.Name || len(line.SHA256()) != 64 {
		t.Errorf("%+v", line)
	}

	im := imports{w.House}
	keeper := w.actor(w.keeper)
	unit, err := w.rooms.Identity.Agency(bg, own)
	ok(t, err)
	sealed := func(id string) console.ImportForm {
		t.Helper()
		ok(t, im.Make(bg, keeper, unit))
		keys, err := im.Keys(bg)
		ok(t, err)
		k := keys[len(keys)-1]
		raw, err := im.Request(bg, k)
		ok(t, err)
		block, _ := pem.Decode(raw)
		csr, err := smx509.ParseCertificateRequest(block.Bytes)
		ok(t, err)
		return console.ImportForm{KeyID: k.ID, Kind: life.KindStatutory, Purpose: "对外行文", Filing: "样备〔2026〕7号", Seal: service.seal(id, service.unit("样例区政务信息办公室", string(own), csr.PublicKey))}
	}
	form := sealed("41010000000078")
	trusted := func(want bool) {
		t.Helper()
		now, err := w.trustNow(bg)
		ok(t, err)
		if got := len(now.Licences(service.root.Raw)) == 1; got != want {
			t.Errorf("trusted: %v", got)
		}
	}
	coded := func(err error, code string) {
		t.Helper()
		var why *life.ImportError
		if !errors.As(err, &why) || why.Code != code {
			t.Errorf("got %v, want %s", err, code)
		}
	}
	_, err = im.Import(bg, keeper, form)
	coded(err, life.ImportAnchors)
	trusted(false)

	answer := console.Answer{Digest: line.Sum, PIN: townPIN, Yes: true}
	refused(w.Desk.AnswerAnchor(bg, person(admin), line.ID, answer), console.ErrForbidden)
	changed := answer
	changed.Digest = SM3Hex([]byte("another"))
	refused(w.Desk.AnswerAnchor(bg, person(w.officer), line.ID, changed), approval.ErrInvalid)
	ok(t, w.Desk.AnswerAnchor(bg, person(w.officer), line.ID, answer))
	refused(w.Desk.AnswerAnchor(bg, person(w.officer), line.ID, answer), console.ErrAnswered)
	trusted(true)
	number, err := im.Import(bg, keeper, form)
	ok(t, err)

	ok(t, w.Desk.WithdrawAnchor(bg, person(w.officer), line.ID, "样例机构资质被撤销"))
	trusted(false)
	_, err = im.Import(bg, keeper, sealed("41010000000079"))
	coded(err, life.ImportAnchors)
	// The leader's yes to what was imported before comes too late.
	e, err := w.rooms.Seals.Seal(bg, number)
	ok(t, err)
	w.sign(w.SealSubject(e), leader, true)
	_, _, err = w.Life.Settle(bg, keeper, number)
	coded(err, life.ImportAccreditation)

	// Who proposes does not approve, officer or not.
	entry.Until = entry.Until.Add(time.Hour)
	ok(t, w.Desk.ProposeAnchor(bg, person(w.officer), entry))
	list, err = w.Desk.Anchored(bg, person(w.officer))
	ok(t, err)
	if line = list.Entries[0]; line.State != anchor.Proposed || line.MayAnswer {
		t.Errorf("%+v", line)
	}
	refused(w.Desk.AnswerAnchor(bg, person(w.officer), line.ID, console.Answer{Digest: line.Sum, PIN: townPIN, Yes: true}), approval.ErrSelf)
}
