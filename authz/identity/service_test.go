package identity_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/yinxin-gov/yinxin/authz/identity"
	"github.com/yinxin-gov/yinxin/authz/identity/identitytest"
	"github.com/yinxin-gov/yinxin/authz/ledger"
)

var (
	start = time.Date(2026, 7, 1, 9, 0, 0, 0, time.UTC)
	actor = ledger.Actor{Kind: "person", ID: "admin", Role: string(identity.RoleSystemAdmin)}
)

func sample(t testing.TB, n int) identity.USCC {
	t.Helper()
	c, err := identity.SampleUSCC("110102", n)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func setUp(t testing.TB) (*identity.Service, *identitytest.Register) {
	t.Helper()
	reg := identitytest.New()
	var mu sync.Mutex
	n := 0
	s, err := identity.New(identity.Config{Register: reg, Now: func() time.Time { return start }, NewID: func() string {
		mu.Lock()
		defer mu.Unlock()
		n++
		return fmt.Sprintf("id-%d", n)
	}})
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := s.RegisterAgency(t.Context(), agency(t, 1), actor); err != nil {
		t.Fatal(err)
	}
	return s, reg
}

func agency(t testing.TB, n int) identity.Agency {
	return identity.Agency{USCC: sample(t, n), Name: "样例局", Kind: identity.KindOrgan, District: "110102", Duties: []string{"civil-affairs"}, Sample: true}
}

func person(t testing.TB, s *identity.Service, name string) identity.Person {
	t.Helper()
	p, _, err := s.RegisterPerson(t.Context(), identity.Person{Name: name, Agency: sample(t, 1)}, actor)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestNewRefusesIncompleteConfig(t *testing.T) {
	if _, err := identity.New(identity.Config{}); err == nil {
		t.Error("no error")
	}
}

// Each refusal leaves register and journal as they were.
func TestRegister_RefusesAndWritesNothing(t *testing.T) {
	s, reg := setUp(t)
	p := person(t, s, "张三")
	before := len(reg.Events())
	ctx := t.Context()
	post := func(edit func(*identity.Post)) error {
		q := identity.Post{Person: p.ID, Agency: sample(t, 1), Role: identity.RoleClerk, From: start}
		edit(&q)
		_, _, err := s.AssignPost(ctx, q, actor)
		return err
	}
	ag := func(edit func(*identity.Agency)) error {
		a := agency(t, 2)
		edit(&a)
		_, _, err := s.RegisterAgency(ctx, a, actor)
		return err
	}
	sys := func(edit func(*identity.System)) error {
		y := identity.System{ID: "civil-a", Name: "民政系统", Agency: sample(t, 1), Hosts: []string{"civil-a.example"}}
		edit(&y)
		_, _, err := s.RegisterSystem(ctx, y, actor)
		return err
	}
	per := func(edit func(*identity.Person)) error {
		q := identity.Person{Name: "李四", Agency: sample(t, 1)}
		edit(&q)
		_, _, err := s.RegisterPerson(ctx, q, actor)
		return err
	}
	_, _, noActor := s.RegisterAgency(ctx, agency(t, 2), ledger.Actor{})
	_, keyless := s.SetPersonKey(ctx, p.ID, "", nil, actor)
	_, unknownKey := s.SetPersonKey(ctx, "nobody", "k", []byte{1}, actor)
	for name, c := range map[string]struct{ got, want error }{
		"BJ17-13 wrong check character":     {ag(func(a *identity.Agency) { a.USCC = "91350100M000100Y44" }), identity.ErrUSCC},
		"X11-02 unknown kind":               {ag(func(a *identity.Agency) { a.Kind = "firm" }), identity.ErrInvalid},
		"agency twice":                      {ag(func(a *identity.Agency) { a.USCC = sample(t, 1) }), identity.ErrExists},
		"agency without name":               {ag(func(a *identity.Agency) { a.Name = " \t" }), identity.ErrInvalid},
		"name with a line break":            {ag(func(a *identity.Agency) { a.Name = "a\nb" }), identity.ErrInvalid},
		"division code":                     {ag(func(a *identity.Agency) { a.District = "1101" }), identity.ErrInvalid},
		"unknown parent":                    {ag(func(a *identity.Agency) { a.Parent = sample(t, 9) }), identity.ErrNotFound},
		"own parent":                        {ag(func(a *identity.Agency) { a.Parent = a.USCC }), identity.ErrInvalid},
		"duty twice":                        {ag(func(a *identity.Agency) { a.Duties = []string{"x", "x"} }), identity.ErrInvalid},
		"no actor":                          {noActor, identity.ErrInvalid},
		"person of an unknown agency":       {per(func(p *identity.Person) { p.Agency = sample(t, 9) }), identity.ErrNotFound},
		"BJ17-13 identity number as a name": {per(func(p *identity.Person) { p.Name = "11010519491231002X" }), identity.ErrInvalid},
		"BJ17-13 identity number as an id":  {per(func(p *identity.Person) { p.ID = "p-11010519491231002X" }), identity.ErrInvalid},
		"term ends before it begins":        {post(func(p *identity.Post) { p.Until = p.From }), identity.ErrInvalid},
		"term without beginning":            {post(func(p *identity.Post) { p.From = time.Time{} }), identity.ErrInvalid},
		"unknown role":                      {post(func(p *identity.Post) { p.Role = "king" }), identity.ErrInvalid},
		"post of an unknown person":         {post(func(p *identity.Post) { p.Person = "nobody" }), identity.ErrNotFound},
		"post in an unknown agency":         {post(func(p *identity.Post) { p.Agency = sample(t, 9) }), identity.ErrNotFound},
		"system id in capitals":             {sys(func(y *identity.System) { y.ID = "Civil" }), identity.ErrInvalid},
		"system id too long":                {sys(func(y *identity.System) { y.ID = strings.Repeat("a", 64) }), identity.ErrInvalid},
		"wildcard host":                     {sys(func(y *identity.System) { y.Hosts = []string{"*.example"} }), identity.ErrInvalid},
		"address as host":                   {sys(func(y *identity.System) { y.Hosts = []string{"10.0.0.1"} }), identity.ErrInvalid},
		"host in capitals":                  {sys(func(y *identity.System) { y.Hosts = []string{"A.example"} }), identity.ErrInvalid},
		"host twice":                        {sys(func(y *identity.System) { y.Hosts = []string{"a.example", "a.example"} }), identity.ErrInvalid},
		"host with a dot at the end":        {sys(func(y *identity.System) { y.Hosts = []string{"a.example."} }), identity.ErrInvalid},
		"system of an unknown agency":       {sys(func(y *identity.System) { y.Agency = sample(t, 9) }), identity.ErrNotFound},
		"key without certificate":           {keyless, identity.ErrInvalid},
		"key of an unknown person":          {unknownKey, identity.ErrNotFound},
	} {
		if !errors.Is(c.got, c.want) {
			t.Errorf("%s: got %v, want %v", name, c.got, c.want)
		}
	}
	if n := len(reg.Events()); n != before {
		t.Errorf("refusals left %d events", n-before)
	}
}

func TestRegister_EventsCarryActorAndNoName(t *testing.T) {
	s, reg := setUp(t)
	p := person(t, s, "张三")
	ctx := t.Context()
	if _, _, err := s.AssignPost(ctx, identity.Post{Person: p.ID, Agency: sample(t, 1), Role: identity.RoleUnitLeader, Title: "局长", From: start, Until: start.AddDate(5, 0, 0)}, actor); err != nil {
		t.Fatal(err)
	}
	if _, _, err := s.RegisterSystem(ctx, identity.System{ID: "civil-a", Name: "民政系统", Agency: sample(t, 1), Hosts: []string{"civil-a.example", "localhost"}}, actor); err != nil {
		t.Fatal(err)
	}
	if _, err := s.SetPersonKey(ctx, p.ID, "person-1", []byte{0x30}, actor); err != nil {
		t.Fatal(err)
	}
	want := "identity.agency.registered identity.person.registered identity.post.assigned identity.system.registered identity.person.key_set"
	if got := strings.Join(reg.Types(), " "); got != want {
		t.Errorf("got %s", got)
	}
	for _, ev := range reg.Events() {
		if ev.Actor != actor || ev.Class != ledger.ClassAdmin || !ev.Time.Equal(start) {
			t.Errorf("event %+v", ev)
		}
		if strings.Contains(fmt.Sprint(ev), "张三") {
			t.Errorf("%s holds a person's name", ev.Type)
		}
	}
}

// The law, over random histories: whatever is assigned in whatever order, no
// person holds two incompatible roles at one moment, and HoldsPost agrees with
// the terms.
func TestX11_24a_ThreeAdministratorsAreThreePeople(t *testing.T) {
	roles := []identity.Role{identity.RoleSystemAdmin, identity.RoleSecurityOfficer, identity.RoleAuditor, identity.RoleClerk, identity.RoleSealAdministrator, identity.RoleUnitLeader}
	rng := rand.New(rand.NewPCG(3, 4))
	s, _ := setUp(t)
	var people []string
	for i := range 4 {
		people = append(people, person(t, s, fmt.Sprintf("员%d", i)).ID)
	}
	refused := 0
	for range 400 {
		from := start.AddDate(0, 0, rng.IntN(60))
		post := identity.Post{Person: people[rng.IntN(len(people))], Agency: sample(t, 1), Role: roles[rng.IntN(len(roles))], From: from}
		if rng.IntN(10) > 0 {
			post.Until = from.AddDate(0, 0, 1+rng.IntN(5))
		}
		if _, _, err := s.AssignPost(t.Context(), post, actor); errors.Is(err, identity.ErrIncompatible) {
			refused++
		} else if err != nil {
			t.Fatal(err)
		}
	}
	if refused == 0 {
		t.Fatal("the histories never tried an incompatible post")
	}
	for _, p := range people {
		for day := range 70 {
			at := start.AddDate(0, 0, day)
			var held []identity.Role
			for _, r := range roles {
				ok, err := s.HoldsPost(t.Context(), p, sample(t, 1), r, at)
				if err != nil {
					t.Fatal(err)
				}
				if ok {
					held = append(held, r)
				}
			}
			for i, a := range held {
				for _, b := range held[:i] {
					if identity.Incompatible(a, b) {
						t.Fatalf("%s is %s and %s on day %d", p, a, b, day)
					}
				}
			}
		}
	}

}

func TestIncompatibleIsSymmetricAndIrreflexive(t *testing.T) {
	roles := []identity.Role{identity.RoleAgencySysadmin, identity.RoleClerk, identity.RoleUnitLeader, identity.RoleRAOfficer, identity.RoleSealAdministrator,
		identity.RoleSecurityOfficer, identity.RoleAuditor, identity.RoleSystemAdmin, identity.RoleInformationOffice, identity.RoleSecrecyBureau, identity.RoleRecordsOfficer, identity.RoleKMCOfficer}
	pairs := 0
	for _, a := range roles {
		for _, b := range roles {
			if identity.Incompatible(a, b) != identity.Incompatible(b, a) || a == b && identity.Incompatible(a, b) {
				t.Errorf("%s, %s", a, b)
			}
			if identity.Incompatible(a, b) {
				pairs++
			}
		}
	}
	if pairs != 2*(7+6) {
		t.Errorf("%d pairs", pairs/2)
	}
}

// Two assignments at once: exactly one of an incompatible pair is made.
func TestAssignPost_Race(t *testing.T) {
	s, _ := setUp(t)
	for i := range 20 {
		p := person(t, s, fmt.Sprintf("员%d", i))
		var wg sync.WaitGroup
		errs := make([]error, 2)
		for k, role := range []identity.Role{identity.RoleAuditor, identity.RoleSystemAdmin} {
			wg.Go(func() {
				_, _, errs[k] = s.AssignPost(context.Background(), identity.Post{Person: p.ID, Agency: sample(t, 1), Role: role, From: start}, actor)
			})
		}
		wg.Wait()
		if (errs[0] == nil) == (errs[1] == nil) {
			t.Fatalf("got %v and %v", errs[0], errs[1])
		}
	}
}

func TestX11_24b_PostHeldOnThatDate(t *testing.T) {
	s, reg := setUp(t)
	p := person(t, s, "张三")
	if _, _, err := s.AssignPost(t.Context(), identity.Post{Person: p.ID, Agency: sample(t, 1), Role: identity.RoleUnitLeader, From: start, Until: start.AddDate(1, 0, 0)}, actor); err != nil {
		t.Fatal(err)
	}
	holds := func(who string, unit identity.USCC, role identity.Role, at time.Time) bool {
		t.Helper()
		ok, err := s.HoldsPost(t.Context(), who, unit, role, at)
		if err != nil {
			t.Fatal(err)
		}
		return ok
	}
	unit, leader := sample(t, 1), identity.RoleUnitLeader
	for name, c := range map[string]struct{ got, want bool }{
		"first moment":   {holds(p.ID, unit, leader, start), true},
		"moment before":  {holds(p.ID, unit, leader, start.Add(-1)), false},
		"last moment":    {holds(p.ID, unit, leader, start.AddDate(1, 0, 0).Add(-1)), true},
		"after the term": {holds(p.ID, unit, leader, start.AddDate(1, 0, 0)), false},
		"another unit":   {holds(p.ID, sample(t, 2), leader, start), false},
		"another role":   {holds(p.ID, unit, identity.RoleClerk, start), false},
		"nobody":         {holds("nobody", unit, leader, start), false},
	} {
		if c.got != c.want {
			t.Errorf("%s: %t", name, c.got)
		}
	}
	left := start.AddDate(0, 1, 0)
	if _, err := reg.Leave(t.Context(), p.ID, left, ledger.Event{ID: "left", Type: "identity.person.left", Class: ledger.ClassAdmin, Time: left, Actor: actor, Object: ledger.Object{Kind: "person", ID: p.ID}, Outcome: ledger.Success}); err != nil {
		t.Fatal(err)
	}
	if holds(p.ID, unit, leader, left) || !holds(p.ID, unit, leader, left.Add(-1)) {
		t.Error("a leaver's posts end when he leaves, not before and not later")
	}
	if _, _, err := s.AssignPost(t.Context(), identity.Post{Person: p.ID, Agency: unit, Role: identity.RoleClerk, From: start}, actor); !errors.Is(err, identity.ErrLeft) {
		t.Errorf("a post for a leaver: %v", err)
	}
}

func TestLeavingEndsEveryTermAtOnce(t *testing.T) {
	s, reg := setUp(t)
	ctx, unit, p := t.Context(), sample(t, 1), person(t, s, "张三")
	assign := func(role identity.Role, from, until time.Time) identity.Post {
		post, _, err := s.AssignPost(ctx, identity.Post{Person: p.ID, Agency: unit, Role: role, From: from, Until: until}, actor)
		if err != nil {
			t.Fatal(err)
		}
		return post
	}
	now := assign(identity.RoleClerk, start.AddDate(0, -1, 0), time.Time{})
	assign(identity.RoleRecordsOfficer, start.AddDate(0, -1, 0), start.AddDate(1, 0, 0))
	later := assign(identity.RoleUnitLeader, start.AddDate(0, 1, 0), time.Time{})
	self := ledger.Actor{Kind: "person", ID: p.ID}
	for _, c := range []struct {
		name      string
		got, want error
	}{
		{"own term", third(s.EndPost(ctx, p.ID, now.ID, self)), identity.ErrInvalid},
		{"term not begun", third(s.EndPost(ctx, p.ID, later.ID, actor)), identity.ErrNotFound},
		{"another's term", third(s.EndPost(ctx, "nobody", now.ID, actor)), identity.ErrNotFound},
		{"own leaving", left(s.Leave(ctx, p.ID, self)), identity.ErrInvalid},
		{"leaving of nobody", left(s.Leave(ctx, "nobody", actor)), identity.ErrNotFound},
		{"leaving, by nobody", left(s.Leave(ctx, p.ID, ledger.Actor{})), identity.ErrInvalid},
		{"end of a term", third(s.EndPost(ctx, p.ID, now.ID, actor)), nil},
		{"end of it again", third(s.EndPost(ctx, p.ID, now.ID, actor)), identity.ErrNotFound},
	} {
		if !errors.Is(c.got, c.want) {
			t.Errorf("%s: got %v, want %v", c.name, c.got, c.want)
		}
	}
	if err := left(s.Leave(ctx, p.ID, actor)); err != nil {
		t.Fatal(err)
	}
	posts, err := reg.PostsOf(ctx, p.ID)
	if err != nil {
		t.Fatal(err)
	}
	for _, post := range posts {
		for _, at := range []time.Time{start, start.AddDate(0, 2, 0)} {
			if post.HeldAt(at) {
				t.Errorf("%s is held at %s", post.Role, at)
			}
		}
	}
	if err := left(s.Leave(ctx, p.ID, actor)); !errors.Is(err, identity.ErrLeft) {
		t.Errorf("left again: %v", err)
	}
	if err := third(s.SetPersonKey(ctx, p.ID, "k", []byte{1}, actor)); !errors.Is(err, identity.ErrLeft) {
		t.Errorf("a key for a leaver: %v", err)
	}
}

func left(_ time.Time, _ ledger.Receipt, err error) error { return err }
func third(_ ledger.Receipt, err error) error             { return err }
