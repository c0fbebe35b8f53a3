package store_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/yinxin-gov/yinxin/authz/identity"
	"github.com/yinxin-gov/yinxin/authz/ledger"
	"github.com/yinxin-gov/yinxin/authz/sharing"
	"github.com/yinxin-gov/yinxin/internal/store"
	"github.com/yinxin-gov/yinxin/internal/workday"
)

func violation(id, resource string) sharing.Violation {
	return sharing.Violation{
		ID: id, Ground: sharing.GroundMisuse, Unit: consumer, Provider: provider, Resource: resource, Evidence: strings.Repeat("a", 64), Note: "擅自扩大使用范围",
		Due: workday.On(2026, 3, 20), RecordedBy: "p-1", By: provider, RecordedAt: kept(5), State: sharing.ViolationRecorded,
	}
}

// One person records and suspends at once, also for the memory of decisions;
// use is resumed when a second person has signed, and only then.
func TestBJ17_33_ViolationSuspendsUntilTwoSettleIt(t *testing.T) {
	onEngines(t, func(t *testing.T, s *store.Store) {
		k := newKeeper(t, s)
		for id, role := range map[string]identity.Role{"p-1": identity.RoleClerk, "p-2": identity.RoleInformationOffice} {
			_, err := k.rooms.Identity.AddPost(bg, post("post-"+id, id, role), event("post", id))
			ok(t, err)
		}
		answer, answered := false, sharing.ErrNotFound
		svc, err := sharing.NewViolations(sharing.ViolationsConfig{
			Store: k.rooms.Sharing, Catalogue: k.rooms.Sharing, Directory: k.rooms.Identity, Posts: k.rooms.Identity, Unit: provider,
			Settled: func(context.Context, sharing.Violation) (string, bool, error) { return "ap-1", answer, answered },
			Now:     func() time.Time { return k.now }, NewID: func() string { return uuid.Must(uuid.NewV7()).String() },
		})
		ok(t, err)
		clerk := ledger.Actor{Kind: "person", ID: "p-1", Unit: string(provider)}
		office := ledger.Actor{Kind: "person", ID: "p-2", Unit: string(provider)}
		stranger := ledger.Actor{Kind: "person", ID: "p-3", Unit: string(consumer)}
		good := violation("", "r-1")
		bad := func(change func(*sharing.Violation)) sharing.Violation {
			v := good
			change(&v)
			return v
		}
		before := snapshot(t, s)
		for name, c := range map[string]struct {
			actor ledger.Actor
			v     sharing.Violation
			want  error
		}{
			"a stranger":         {stranger, good, sharing.ErrNotProvider},
			"for everybody":      {clerk, bad(func(v *sharing.Violation) { v.Provider, v.Resource = "", "" }), sharing.ErrNotProvider},
			"of another ground":  {clerk, bad(func(v *sharing.Violation) { v.Ground = "rude" }), sharing.ErrInvalid},
			"without evidence":   {clerk, bad(func(v *sharing.Violation) { v.Evidence = "" }), sharing.ErrInvalid},
			"due before today":   {clerk, bad(func(v *sharing.Violation) { v.Due = workday.On(2026, 3, 1) }), sharing.ErrInvalid},
			"against itself":     {clerk, bad(func(v *sharing.Violation) { v.Unit = provider }), sharing.ErrInvalid},
			"no such resource":   {clerk, bad(func(v *sharing.Violation) { v.Resource = "r-9" }), sharing.ErrNotFound},
			"of a unit not here": {clerk, bad(func(v *sharing.Violation) { v.Unit = "11110102000000009X" }), identity.ErrNotFound},
		} {
			if _, _, err := svc.Record(bg, c.actor, c.v); !errors.Is(err, c.want) {
				t.Errorf("%s: %v", name, err)
			}
		}
		same(t, s, before)
		if st := k.standing(t, "r-1"); st.Violation != "" {
			t.Errorf("before: %+v", st)
		}
		v, _, err := svc.Record(bg, clerk, good)
		ok(t, err)
		if st := k.standing(t, "r-1"); st.Violation != v.ID {
			t.Errorf("recorded: %+v", st)
		}
		if !v.OverdueAt(kept(21)) || v.OverdueAt(kept(20)) {
			t.Error("overdue after the last day")
		}
		_, _, err = svc.Settle(bg, clerk, v.ID)
		wantErr(t, err, sharing.ErrViolation)
		_, _, err = svc.Ask(bg, clerk, v.ID, "")
		wantErr(t, err, sharing.ErrInvalid)
		_, _, err = svc.Ask(bg, stranger, v.ID, "已整改")
		wantErr(t, err, sharing.ErrNotProvider)
		_, _, err = svc.Ask(bg, clerk, v.ID, "已整改")
		ok(t, err)
		_, _, err = svc.Settle(bg, office, v.ID)
		wantErr(t, err, sharing.ErrNotFound) // nobody has signed
		answered = nil
		v, _, err = svc.Settle(bg, office, v.ID) // signed: no
		ok(t, err)
		if st := k.standing(t, "r-1"); st.Violation != v.ID || v.State != sharing.ViolationRecorded {
			t.Errorf("refused: %+v, %+v", st, v)
		}
		v, _, err = svc.Ask(bg, clerk, v.ID, "已复核")
		if err != nil || v.Round != 2 {
			t.Errorf("asked again: %+v, %v", v, err)
		}
		answer = true
		_, _, err = svc.Settle(bg, office, v.ID)
		ok(t, err)
		if st := k.standing(t, "r-1"); st.Violation != "" {
			t.Errorf("settled: %+v", st)
		}
		// The information office suspends everywhere; a breach in providing suspends no use.
		_, _, err = svc.Record(bg, office, bad(func(v *sharing.Violation) { v.Ground = sharing.GroundQuality }))
		ok(t, err)
		if st := k.standing(t, "r-1"); st.Violation != "" {
			t.Errorf("quality: %+v", st)
		}
		wide, _, err := svc.Record(bg, office, bad(func(v *sharing.Violation) { v.Provider, v.Resource = "", "" }))
		ok(t, err)
		if st := k.standing(t, "r-1"); st.Violation != wide.ID {
			t.Errorf("everywhere: %+v", st)
		}
		if all, err := svc.Of(bg, consumer); err != nil || len(all) != 3 {
			t.Errorf("%d, %v", len(all), err)
		}

		// What is overdue goes to the leading group, once; it stays suspended.
		house := ledger.Actor{Kind: "service", ID: "house"}
		k.now = kept(20)
		if late, err := svc.Overdue(bg, house); err != nil || len(late) != 0 {
			t.Errorf("on the last day: %+v, %v", late, err)
		}
		k.now = kept(21)
		late, err := svc.Overdue(bg, house)
		if err != nil || len(late) != 2 {
			t.Errorf("overdue: %+v, %v", late, err)
		}
		again, err := svc.Overdue(bg, house)
		if err != nil || len(again) != 0 {
			t.Errorf("told twice: %+v, %v", again, err)
		}
		if told, err := svc.Violation(bg, wide.ID); err != nil || !told.EscalatedAt.Equal(kept(21).Truncate(time.Millisecond)) || k.standing(t, "r-1").Violation != wide.ID {
			t.Errorf("%+v, %v", told, err)
		}
		before = snapshot(t, s)
		for _, id := range []string{v.ID, wide.ID} { // settled, told
			_, err = k.rooms.Sharing.EscalateViolation(bg, id, kept(22), event("violation", id))
			wantErr(t, err, sharing.ErrViolation)
		}
		same(t, s, before)
	})
}
