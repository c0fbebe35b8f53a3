package grant_test

import (
	"context"
	"crypto/rand"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"math/big"
	"testing"
	"time"

	"github.com/emmansun/gmsm/sm2"
	"github.com/emmansun/gmsm/smx509"

	"github.com/yinxin-gov/yinxin/authz/approval"
	"github.com/yinxin-gov/yinxin/authz/approval/approvaltest"
	"github.com/yinxin-gov/yinxin/authz/grant"
	"github.com/yinxin-gov/yinxin/authz/grant/granttest"
	"github.com/yinxin-gov/yinxin/authz/identity"
	"github.com/yinxin-gov/yinxin/authz/identity/identitytest"
	"github.com/yinxin-gov/yinxin/authz/ledger"
	"github.com/yinxin-gov/yinxin/authz/level"
	"github.com/yinxin-gov/yinxin/internal/workday"
)

// start is a Wednesday morning in China.
var start = time.Date(2026, 7, 1, 1, 0, 0, 0, time.UTC)

// world is two units and the house (unit 1) with real signatures. Persons are
// called by what they are, and the digit of their unit.
type world struct {
	*grant.Service
	t         *testing.T
	store     *granttest.Memory
	approvals *approval.Service
	answers   *approvaltest.Store
	reg       *identitytest.Register
	people    *identity.Service
	keys      map[string]*sm2.PrivateKey
	ids       map[string]string
	now       time.Time
	n         int
}

func unit(n int) identity.USCC {
	c, err := identity.SampleUSCC("110102", n)
	if err != nil {
		panic(err)
	}
	return c
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{t: t, store: &granttest.Memory{}, answers: &approvaltest.Store{}, reg: identitytest.New(), keys: map[string]*sm2.PrivateKey{}, ids: map[string]string{}, now: start}
	id := func() string { w.n++; return fmt.Sprintf("id-%d", w.n) }
	clock := func() time.Time { return w.now }
	var err error
	w.people, err = identity.New(identity.Config{Register: w.reg, Now: clock, NewID: id})
	w.ok(err)
	w.approvals, err = approval.New(approval.Config{
		Store: w.answers, People: w.reg, CAUnit: unit(1), NewID: id, Now: clock, Trust: func([]byte, time.Time) error { return nil },
		Deputy: func(ctx context.Context, q approval.Subject, person string, at time.Time) (bool, error) {
			return w.Stands(ctx, q, person, at)
		},
	})
	w.ok(err)
	cal, err := workday.Load()
	w.ok(err)
	w.Service, err = grant.New(grant.Config{Store: w.store, People: w.reg, Answers: w.approvals, House: unit(1), Calendar: cal, Now: clock, NewID: id})
	w.ok(err)
	for n := 1; n <= 3; n++ {
		_, _, err := w.people.RegisterAgency(t.Context(), identity.Agency{USCC: unit(n), Name: "样例局", Kind: identity.KindOrgan, District: "110102", Duties: []string{"relief"}}, w.actor("root"))
		w.ok(err)
	}
	_, _, err = w.people.RegisterSystem(t.Context(), identity.System{ID: "civil-b", Name: "系统", Agency: unit(2)}, w.actor("root"))
	w.ok(err)
	for name, role := range map[string]identity.Role{
		"security1": identity.RoleSecurityOfficer, "auditor1": identity.RoleAuditor, "root1": identity.RoleSystemAdmin,
		"leader2": identity.RoleUnitLeader, "second2": identity.RoleUnitLeader, "admin2": identity.RoleAgencySysadmin, "clerk2": identity.RoleClerk,
		"deputy2": identity.RoleRecordsOfficer, "leader3": identity.RoleUnitLeader, "clerk3": identity.RoleClerk,
	} {
		w.hire(name, role)
	}
	return w
}

func (w *world) hire(name string, role identity.Role) {
	w.t.Helper()
	home := unit(int(name[len(name)-1] - '0'))
	p, _, err := w.people.RegisterPerson(w.t.Context(), identity.Person{Name: name, Agency: home}, w.actor("root"))
	w.ok(err)
	w.ids[name] = p.ID
	w.post(name, role)
	key, err := sm2.GenerateKey(rand.Reader)
	w.ok(err)
	tpl := &smx509.Certificate{SerialNumber: big.NewInt(int64(w.n)), Subject: pkix.Name{CommonName: name}, NotBefore: start, NotAfter: start.AddDate(9, 0, 0)}
	der, err := smx509.CreateCertificate(rand.Reader, tpl, tpl, key.Public(), key)
	w.ok(err)
	w.keys[p.ID] = key
	_, err = w.people.SetPersonKey(w.t.Context(), p.ID, "key-"+name, der, w.actor("root"))
	w.ok(err)
}

func (w *world) post(name string, role identity.Role) {
	w.t.Helper()
	_, _, err := w.people.AssignPost(w.t.Context(), identity.Post{Person: w.ids[name], Agency: unit(int(name[len(name)-1] - '0')), Role: role, From: w.now}, w.actor("root"))
	w.ok(err)
}

func (w *world) ok(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) want(err, want error) {
	w.t.Helper()
	if !errors.Is(err, want) {
		w.t.Fatalf("got %v, want %v", err, want)
	}
}

func (w *world) actor(name string) ledger.Actor {
	a := ledger.Actor{Kind: "person", ID: name}
	if id, ok := w.ids[name]; ok {
		a.ID, a.Unit = id, string(unit(int(name[len(name)-1]-'0')))
	}
	return a
}

// sign answers a question with the person's own key.
func (w *world) sign(s approval.Subject, name string, yes bool) error {
	reason := ""
	if !yes {
		reason = "不同意"
	}
	id := w.ids[name]
	_, _, err := w.approvals.Decide(w.t.Context(), approval.Approval{Subject: s, Approved: yes, Reason: reason, Approver: id}, w.keys[id], w.actor(name))
	return err
}

// terms is a grant that the leader would sign.
func (w *world) terms() grant.Grant {
	return grant.Grant{
		Person: w.ids["clerk2"], Role: identity.RoleClerk, Need: "低保复核", Actions: []level.Act{level.Read, level.Copy}, Purposes: []string{"relief"},
		Resources: []string{"low-income"}, Systems: []string{"civil-b"}, Level: 3, From: w.now, Until: w.now.AddDate(0, 6, 0),
	}
}

func (w *world) proposed(g grant.Grant) grant.Grant {
	w.t.Helper()
	g, _, err := w.Propose(w.t.Context(), g, w.actor("admin2"))
	w.ok(err)
	return g
}

// inForce is a grant that was signed.
func (w *world) inForce(g grant.Grant) grant.Grant {
	w.t.Helper()
	g = w.proposed(g)
	by := "leader2"
	if g.Emergency {
		by = "security1"
	}
	w.ok(w.sign(g.Subject(unit(1)), by, true))
	g, _, err := w.Settle(w.t.Context(), g.ID, w.actor(by))
	w.ok(err)
	if g.State != grant.InForce {
		w.t.Fatalf("%+v", g)
	}
	return g
}
