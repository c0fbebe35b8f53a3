package app

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/yinxin-gov/yinxin/authz/approval"
	"github.com/yinxin-gov/yinxin/authz/identity"
	"github.com/yinxin-gov/yinxin/authz/ledger"
	"github.com/yinxin-gov/yinxin/authz/sharing"
	"github.com/yinxin-gov/yinxin/ca"
	"github.com/yinxin-gov/yinxin/ca/status"
	"github.com/yinxin-gov/yinxin/signer"
	"github.com/yinxin-gov/yinxin/signer/life"
	"github.com/yinxin-gov/yinxin/signer/ofd"
	"github.com/yinxin-gov/yinxin/signer/verify"
)

// staff are persons of the operating unit with keys and certificates.
type staff struct {
	house  *House
	pins   map[identity.Role]string
	actors map[identity.Role]ledger.Actor
}

func hire(t *testing.T, h *House, roles ...identity.Role) staff {
	t.Helper()
	s := staff{h, map[identity.Role]string{}, map[identity.Role]ledger.Actor{}}
	for _, role := range append([]identity.Role{identity.RoleRAOfficer}, roles...) {
		link, err := h.Invite(bg, identity.Person{Name: "样例" + string(role), Agency: identity.USCC(h.cfg.USCC)}, identity.Post{Role: role, Title: "样例"}, 0)
		ok(t, err)
		s.pins[role] = "of-seals-" + string(role)
		s.actors[role] = h.PersonActor(link.Person, identity.USCC(h.cfg.USCC))
		ok(t, h.MakePersonKey(bg, link.Person, s.pins[role]))
		if role != identity.RoleRAOfficer {
			subject, err := h.PersonOrder(bg, link.Person)
			ok(t, err)
			s.sign(t, identity.RoleRAOfficer, subject, true)
		}
		_, err = h.CertifyPerson(bg, h.service(), link.Person)
		ok(t, err)
	}
	return s
}

func (s staff) sign(t *testing.T, role identity.Role, subject approval.Subject, yes bool) {
	t.Helper()
	_, _, err := s.house.Approve(bg, subject, s.actors[role].ID, s.pins[role], yes, map[bool]string{false: "不同意"}[yes])
	ok(t, err)
}

// TestSealLivesInTheHouse walks a seal through the real rooms: posts, signed
// approvals, the authority, the store, the ledger, and the verifier after its
// key was reported.
func TestSealLivesInTheHouse(t *testing.T) {
	cfg, ln := config(t, "")
	ok(t, ln.Close())
	cfg.ExcludedTypes = []ExcludedType{{Code: "land_transfer", Clause: "样例条例 art. 8", Zh: "土地权属的文书", En: "documents on titles to land"}}
	_, err := Init(bg, cfg, three)
	ok(t, err)
	h, err := Open(bg, cfg)
	ok(t, err)
	defer func() { ok(t, h.Close()) }()
	const leader, clerk, keeper, ra = identity.RoleUnitLeader, identity.RoleClerk, identity.RoleSealAdministrator, identity.RoleRAOfficer
	s := hire(t, h, leader, clerk, keeper, identity.RoleSharingContact)
	unit := identity.USCC(cfg.USCC)
	order := SealOrder{ID: "11010000000001", Unit: unit, Name: "样例区政务信息办公室（样章）", Authorisation: signer.Authorisation{Total: 1}}

	if _, _, err := h.ApplySeal(bg, s.actors[ra], order); !errors.Is(err, life.ErrRole) {
		t.Fatalf("an RA officer applied: %v", err)
	}
	subject, _, err := h.ApplySeal(bg, s.actors[clerk], order)
	ok(t, err)
	_, _, err = h.MakeSeal(bg, s.actors[keeper], order)
	wantErr(t, err, signer.ErrSealState)
	_, _, err = h.Life.Settle(bg, s.actors[clerk], order.ID)
	wantErr(t, err, signer.ErrNotApproved)
	_, _, err = h.Approve(bg, subject, s.actors[clerk].ID, s.pins[clerk], true, "")
	wantErr(t, err, approval.ErrSelf)
	other := subject
	other.Requester = "somebody"
	_, _, err = h.Approve(bg, other, s.actors[leader].ID, s.pins[leader], true, "")
	wantErr(t, err, approval.ErrInvalid)
	s.sign(t, leader, subject, true)
	_, _, err = h.Life.Settle(bg, s.actors[clerk], order.ID)
	ok(t, err)
	certificate, err := h.PrepareSeal(bg, order)
	ok(t, err)
	_, _, err = h.MakeSeal(bg, s.actors[keeper], order)
	wantErr(t, err, ca.ErrNotApproved)
	s.sign(t, ra, certificate, true)
	made, _, err := h.MakeSeal(bg, s.actors[keeper], order)
	ok(t, err)
	if made.CustodyClass != "software-file" || made.State != signer.SealMade {
		t.Errorf("%+v", made.Life)
	}
	_, _, err = h.Life.File(bg, s.actors[keeper], order.ID, life.Filing{})
	ok(t, err)
	_, _, err = h.Life.Activate(bg, s.actors[keeper], order.ID)
	ok(t, err)

	doc, err := ofd.NewNotice(ofd.Notice{Title: "通知", DocNo: "样信办〔2026〕1号", Body: []string{"各单位："}, Issuer: "样例区政务信息办公室", Date: h.now()})
	ok(t, err)
	ask := func() signer.Use {
		u, _, err := h.Signer.RequestUse(bg, s.actors[clerk], signer.UseRequest{Seal: order.ID, Document: doc, Title: "通知"})
		ok(t, err)
		return u
	}
	_, _, err = h.Signer.RequestUse(bg, s.actors[clerk], signer.UseRequest{Seal: order.ID, Document: doc, Title: "通知", Type: "land_transfer"})
	wantErr(t, err, signer.ErrExcluded)
	useOf := func(u signer.Use) approval.Subject {
		subject, err := h.UseSubject(bg, u)
		ok(t, err)
		return subject
	}
	refused := ask()
	s.sign(t, leader, useOf(refused), false)
	_, _, err = h.Signer.MarkApproved(bg, s.actors[clerk], refused.ID)
	wantErr(t, err, signer.ErrRefused)
	u := ask()
	s.sign(t, leader, useOf(u), true)
	_, _, err = h.Signer.MarkApproved(bg, s.actors[clerk], u.ID)
	ok(t, err)
	got, err := h.Signer.Seal(bg, s.actors[clerk], u.ID, doc, signer.Placement{})
	ok(t, err)
	verdict := func(want verify.Verdict) {
		t.Helper()
		if rep, err := h.Verify(bg, got.Document); err != nil || rep.Verdict != want {
			t.Errorf("%s, want %s (%v)", rep.Verdict, want, err)
		}
	}
	verdict(verify.Valid)
	_, err = h.SealAgreement(bg, s.actors[clerk], sharing.Agreement{ID: "a-1", Digest: strings.Repeat("0", 64)}, order.ID)
	wantErr(t, err, signer.ErrQuota)
	_, _, err = h.Signer.RequestUse(bg, s.actors[clerk], signer.UseRequest{Seal: order.ID, Document: doc})
	wantErr(t, err, signer.ErrQuota)

	// Suspended at once; back only with the leader's signature, and a no is kept.
	_, _, err = h.Life.Suspend(bg, s.actors[keeper], order.ID, "遗失")
	ok(t, err)
	for _, yes := range []bool{false, true} {
		e, _, err := h.Life.AskResume(bg, s.actors[keeper], order.ID, "找回")
		ok(t, err)
		s.sign(t, leader, h.SealSubject(e), yes)
		e, _, err = h.Life.Settle(bg, s.actors[keeper], order.ID)
		ok(t, err)
		if (e.State == signer.SealActive) != yes {
			t.Errorf("answered %v, it is %s", yes, e.State)
		}
	}

	// 电子签名法 art. 15. The revocation is of today; the report of an earlier hour
	// is what counts.
	since := got.Use.SealedAt.Add(-time.Second)
	c, _, err := h.Life.ReportCompromise(bg, s.actors[leader], life.Report{Seal: order.ID, Since: since, Reason: "疑似泄露"})
	ok(t, err)
	if !c.Done || !slices.Equal(c.Uses, []string{u.ID}) || c.Certificates[0].Revocation != life.Revoked {
		t.Errorf("%+v", c)
	}
	verdict(verify.Invalid)
	// Strangers read it from the list (RFC 5280 5.3.2).
	gone, err := h.rooms.CA.Revoked(bg, ca.IssuerID(h.anchors.sm2Issuing), time.Now())
	ok(t, err)
	if !slices.ContainsFunc(gone, func(s status.Standing) bool { return s.InvalidAt.Equal(since.Truncate(time.Second)) }) {
		t.Errorf("%+v", gone)
	}
	steps, err := h.Life.Steps(bg, order.ID)
	ok(t, err)
	if len(steps) != 11 || steps[10].Act != life.ActSuspend || steps[10].Ref != c.ID {
		t.Errorf("%+v", steps)
	}
	_, err = h.SealAgreement(bg, s.actors[clerk], sharing.Agreement{ID: "a-1", Digest: strings.Repeat("0", 64)}, order.ID)
	if err == nil {
		t.Error("a suspended seal went on an agreement")
	}
}

// Anchors of accredited services are read at the start, and one that does not
// read stops it.
func TestAccreditedAnchors(t *testing.T) {
	cfg, ln := config(t, "")
	ok(t, ln.Close())
	_, err := Init(bg, cfg, three)
	ok(t, err)
	dir := filepath.Join(cfg.Dir, dirAnchors, dirAccredited)
	ok(t, os.Mkdir(dir, 0o700))
	raw, err := os.ReadFile(filepath.Join(cfg.Dir, dirAnchors, fileSM2Root))
	ok(t, err)
	ok(t, os.WriteFile(filepath.Join(dir, "a.crt"), raw, 0o600))
	h, err := Open(bg, cfg)
	ok(t, err)
	if len(h.anchors.accredited.Anchors()) != 1 {
		t.Errorf("%d anchors", len(h.anchors.accredited.Anchors()))
	}
	ok(t, h.Close())
	ok(t, os.WriteFile(filepath.Join(dir, "b.crt"), []byte("no certificate"), 0o600))
	if h, err := Open(bg, cfg); err == nil {
		ok(t, h.Close())
		t.Error("started with an anchor that does not read")
	}
}
