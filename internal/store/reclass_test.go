package store_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/yinxin-gov/yinxin/authz/grading"
	"github.com/yinxin-gov/yinxin/authz/level"
	"github.com/yinxin-gov/yinxin/authz/reclass"
	"github.com/yinxin-gov/yinxin/authz/sharing"
	"github.com/yinxin-gov/yinxin/internal/store"
)

func reclassAct(t testing.TB, id string, from, to level.Label) reclass.Act {
	t.Helper()
	return reclass.Act{
		ID: id, Resource: "r-1", Provider: provider, From: from, To: to, Ground: "社会救助暂行办法", Review: "密审-9", Due: day(20), Requester: "p-1", AskedAt: day(4),
		Digest: "ab", State: reclass.Proposed,
	}
}

// X11-30, X14-23b: only a signed act lowers, copies and what was made of them follow,
// what a keeper raised stays, and each keeper is told.
func TestX11_30_ReclassificationSpreads(t *testing.T) {
	onEngines(t, func(t *testing.T, s *store.Store) {
		r := house(t, s)
		high, low := label(t, 2, 2, 1, level.TagPersonal), label(t, 1, 1, 1)
		_, err := r.Grading.AddGrading(bg, record(1, 3, 3), event("system", "civil-a"))
		ok(t, err)
		other := resource(t, "r-2")
		other.Label = label(t, 1, 1, 1)
		_, err = r.Sharing.AddResource(bg, other, event("resource", "r-2"))
		ok(t, err)
		_, err = r.Sharing.AddAgreement(bg, agreement("a-1"), event("agreement", "a-1"))
		ok(t, err)
		add := func(id, resource string, l level.Label, sources ...string) {
			t.Helper()
			h := holding(t, id)
			h.Resource, h.Label, h.Sources, h.Agreement = resource, l, sources, ""
			_, err := r.Sharing.AddHolding(bg, h, event("holding", id))
			ok(t, err)
		}
		raised := label(t, 3, 2, 1, level.TagPersonal)
		add("h-1", "r-1", high)
		add("h-2", "r-1", raised)
		add("h-3", "r-2", high, "h-1") // merged out of both
		add("h-4", "r-2", low)
		labels := func() (out []string) {
			t.Helper()
			for _, id := range []string{"h-1", "h-2", "h-3", "h-4"} {
				h, err := r.Sharing.Holding(bg, id)
				ok(t, err)
				out = append(out, h.Label.String())
			}
			return out
		}
		want := func(all ...level.Label) {
			t.Helper()
			for i, got := range labels() {
				if got != all[i].String() {
					t.Errorf("h-%d is %s, want %s", i+1, got, all[i])
				}
			}
		}

		// A lowering waits; nothing else starts it, and a stale one does nothing.
		down := reclassAct(t, "act-1", high, low)
		early := down
		early.State = reclass.Raised
		_, err = r.Reclass.AddAct(bg, early, event("resource", "r-1"))
		wantErr(t, err, reclass.ErrState)
		early.State = reclass.InForce
		_, err = r.Reclass.AddAct(bg, early, event("resource", "r-1"))
		wantErr(t, err, reclass.ErrState)
		for _, id := range []string{"act-1", "act-2"} {
			down.ID = id
			_, err = r.Reclass.AddAct(bg, down, event("resource", "r-1"))
			ok(t, err)
		}
		_, err = r.Reclass.AddAct(bg, down, event("resource", "r-1"))
		wantErr(t, err, reclass.ErrExists)
		want(high, raised, high, low)
		before := snapshot(t, s)
		settle := func(id string, from, to reclass.State) error {
			a := reclassAct(t, id, low, high) // another act than was signed
			a.State, a.Approval, a.SettledAt = to, "ap-1", day(5)
			_, err := r.Reclass.MoveAct(bg, a, from, event("resource", "r-1"))
			return err
		}
		wantErr(t, settle("act-1", reclass.Raised, reclass.InForce), reclass.ErrState)
		wantErr(t, settle("act-1", reclass.Proposed, reclass.Disputed), reclass.ErrState)
		wantErr(t, settle("ghost", reclass.Proposed, reclass.InForce), reclass.ErrNotFound)
		same(t, s, before)
		ok(t, settle("act-1", reclass.Proposed, reclass.InForce))
		want(low, raised, low, low)
		wantErr(t, settle("act-2", reclass.Proposed, reclass.InForce), reclass.ErrState) // the label is another by now
		if res, err := r.Sharing.Resource(bg, "r-1"); err != nil || res.Label.String() != low.String() || res.SecrecyReview != "密审-9" || res.Name != "低保名单" {
			t.Fatalf("%+v, %v", res, err)
		}
		notices, err := r.Reclass.NoticesOf(bg, "act-1")
		ok(t, err)
		if len(notices) != 2 || notices[0].Holding != "h-1" || notices[1].Holding != "h-3" || notices[0].Kind != reclass.Relabel || notices[0].Before.String() != high.String() || notices[0].After.String() != low.String() {
			t.Fatalf("%+v", notices)
		}

		// Raised above the system's grade: at once, also in what was made of it.
		top := label(t, 4, 4, 4, level.TagPersonal)
		up := reclassAct(t, "act-3", low, top)
		up.State = reclass.Raised
		_, err = r.Reclass.AddAct(bg, up, event("resource", "r-1"))
		ok(t, err)
		want(top, top, top, low)
		ok(t, settle("act-3", reclass.Raised, reclass.Disputed))
		want(top, top, top, low)
		if notices, err = r.Reclass.NoticesTo(bg, consumer); err != nil || len(notices) != 5 || notices[0].Kind != reclass.Remove {
			t.Fatalf("%+v, %v", notices, err)
		}
		tasks := func(id string) (out []string) {
			t.Helper()
			all, err := r.Sharing.CopiesIn(bg, "civil-a", "", 9)
			ok(t, err)
			for _, c := range all {
				for _, one := range c.Tasks {
					if c.ID == id && one.Why == sharing.WhyRelabel && one.By == "act-3" && one.Due == kept(20) {
						out = append(out, one.ID)
					}
				}
			}
			return out
		}
		if got := tasks("h-1"); !slices.Equal(got, []string{"act-3/h-1"}) {
			t.Errorf("tasks of h-1: %v", got)
		}
		done := func(id string) error {
			n := reclass.Notice{ID: id, DoneAt: day(6), DoneBy: "p-2", Evidence: "ef", Note: "已处理"}
			_, err := r.Reclass.Done(bg, n, event("holding", id))
			return err
		}
		wantErr(t, done("ghost"), reclass.ErrNotFound)
		wantErr(t, done("act-3/h-1"), reclass.ErrKept)
		ok(t, done("act-1/h-1"))
		_, err = r.Sharing.EndHolding(bg, sharing.Destruction{
			Holding: "h-2", System: "civil-a", Method: "消磁", At: day(7), RecordedAt: day(7), CertDER: []byte{1}, Signature: []byte{1},
		}, event("holding", "h-2"))
		ok(t, err)
		if n, err := r.Reclass.Notice(bg, "act-3/h-2"); err != nil || n.DoneAt != kept(7) || n.DoneBy != "civil-a" || len(n.Evidence) != 64 || n.Note != "消磁" {
			t.Errorf("the statement answers the notice: %+v, %v", n, err)
		}
		wantErr(t, done("act-3/h-2"), reclass.ErrState)
		if got := tasks("h-1"); len(got) != 1 {
			t.Errorf("the statement is about one copy: %v", got)
		}
		wantErr(t, done("act-1/h-1"), reclass.ErrState)
		_, err = r.Grading.AddGrading(bg, record(2, 4, 4), event("system", "civil-a"))
		ok(t, err)
		ok(t, done("act-3/h-1")) // the system was re-graded
		if got := tasks("h-1"); len(got) != 0 {
			t.Errorf("nothing asks for it any more: %v", got)
		}
		if got := tasks("h-3"); len(got) != 1 {
			t.Errorf("tasks of h-3: %v", got)
		}
		down = reclassAct(t, "act-4", top, low)
		_, err = r.Reclass.AddAct(bg, down, event("resource", "r-1"))
		ok(t, err)
		ok(t, settle("act-4", reclass.Proposed, reclass.InForce))
		if got := tasks("h-3"); len(got) != 0 {
			t.Errorf("it may stay: %v", got)
		}
		if n, err := r.Reclass.Notice(bg, "act-3/h-1"); err != nil || n.DoneAt != kept(6) || n.Evidence != "ef" || n.Note != "已处理" || n.DoneBy != "p-2" {
			t.Fatalf("%+v, %v", n, err)
		}
		if all, err := r.Reclass.ActsOf(bg, provider); err != nil || len(all) != 4 || all[1].ID != "act-3" || all[1].State != reclass.Disputed {
			t.Fatalf("%+v, %v", all, err)
		}
	})
}

// A house from before lineage was kept learns it from what copies name as their
// sources.
func TestX11_30_LineageOfOldCopies(t *testing.T) {
	for name, address := range engines {
		t.Run(name, func(t *testing.T) {
			at := migrated(t, address(t))
			s := open(t, at)
			r := house(t, s)
			other := resource(t, "r-2")
			_, err := r.Sharing.AddResource(bg, other, event("resource", "r-2"))
			ok(t, err)
			for i, id := range []string{"h-1", "h-2", "h-3"} {
				h := holding(t, id)
				h.Agreement, h.Resource = "", []string{"r-1", "r-2", "r-2"}[i]
				if i > 0 {
					h.Sources = []string{fmt.Sprint("h-", i)}
				}
				_, err := r.Sharing.AddHolding(bg, h, event("holding", id))
				ok(t, err)
			}
			made, inside := count(t, s, "sharing_made"), count(t, s, "sharing_lineage")
			if made != 2 || inside != 5 {
				t.Fatalf("%d edges, %d resources in copies", made, inside)
			}
			ok(t, s.Exec(bg, "DELETE FROM sharing_made"))
			ok(t, s.Exec(bg, "DELETE FROM sharing_lineage WHERE holding <> 'h-1' AND resource = 'r-1'"))
			ok(t, s.Exec(bg, "DELETE FROM bun_migrations WHERE name = '0334'"))
			ok(t, s.Close())
			migrated(t, at)
			s = open(t, at)
			if m, i := count(t, s, "sharing_made"), count(t, s, "sharing_lineage"); m != made || i != inside {
				t.Errorf("%d of %d edges, %d of %d resources in copies", m, made, i, inside)
			}
		})
	}
}

// Over random sequences of acts no copy is ever labelled lower than what the
// provider's signed acts say about anything in it, and nothing but an act that took
// effect changes what the catalogue says.
func TestX11_30_NoCopyIsEverLower(t *testing.T) {
	s := open(t, migrated(t, engines["sqlite"](t)))
	r := house(t, s)
	_, err := r.Grading.AddGrading(bg, record(1, 3, 3), event("system", "civil-a"))
	ok(t, err)
	rng := rand.New(rand.NewPCG(11, 30))
	random := func() level.Label {
		tags := []level.Tag{level.TagPersonal, level.TagSensitive, level.TagPublicDisclosure}
		rng.Shuffle(len(tags), func(i, j int) { tags[i], tags[j] = tags[j], tags[i] })
		return label(t, level.Level(1+rng.IntN(4)), uint8(1+rng.IntN(4)), uint8(1+rng.IntN(4)), tags[:rng.IntN(3)]...)
	}
	signed := map[string]level.Label{} // what the acts say
	var resources []string
	for i := range 4 {
		res := resource(t, fmt.Sprintf("p-%d", i))
		res.Label = random()
		_, err := r.Sharing.AddResource(bg, res, event("resource", res.ID))
		ok(t, err)
		signed[res.ID], resources = res.Label, append(resources, res.ID)
	}
	inside := map[string][]string{} // resources in a copy
	var copies []string
	var waiting []reclass.Act
	lowered, followed, refused := 0, 0, 0
	for step := range 400 {
		switch id := fmt.Sprintf("x-%d", step); rng.IntN(5) {
		case 0:
			h := holding(t, id)
			h.Resource, h.Agreement = resources[rng.IntN(len(resources))], ""
			in := []string{h.Resource}
			for range rng.IntN(3) {
				if len(copies) > 0 {
					c := copies[rng.IntN(len(copies))]
					if !slices.Contains(h.Sources, c) {
						h.Sources, in = append(h.Sources, c), append(in, inside[c]...)
					}
				}
			}
			floor := []level.Label{signed[h.Resource]}
			for _, c := range h.Sources {
				src, err := r.Sharing.Holding(bg, c)
				ok(t, err)
				floor = append(floor, src.Label)
			}
			h.Label = level.Join(floor...)
			if rng.IntN(4) == 0 {
				h.Label = level.Join(h.Label, random())
			}
			_, err := r.Sharing.AddHolding(bg, h, event("holding", id))
			if errors.Is(err, grading.ErrBelowHoldings) {
				continue
			}
			ok(t, err)
			copies, inside[id] = append(copies, id), in
		case 1, 2:
			a := reclassAct(t, id, level.Label{}, random())
			a.Resource = resources[rng.IntN(len(resources))]
			if a.From = signed[a.Resource]; a.From.String() == a.To.String() {
				continue
			}
			if a.Raises() {
				a.State = reclass.Raised
			}
			_, err := r.Reclass.AddAct(bg, a, event("resource", a.Resource))
			ok(t, err)
			if a.State == reclass.Raised {
				signed[a.Resource] = a.To
			} else {
				waiting = append(waiting, a)
			}
		default:
			if len(waiting) == 0 {
				continue
			}
			i := rng.IntN(len(waiting))
			a := waiting[i]
			waiting = slices.Delete(waiting, i, i+1)
			a.State = []reclass.State{reclass.InForce, reclass.InForce, reclass.Refused}[rng.IntN(3)]
			a.SettledAt = day(5)
			_, err := r.Reclass.MoveAct(bg, a, reclass.Proposed, event("resource", a.Resource))
			switch {
			case errors.Is(err, reclass.ErrState) && signed[a.Resource].String() != a.From.String():
				refused++
			case err != nil:
				t.Fatal(err)
			case a.State == reclass.InForce:
				signed[a.Resource] = a.To
				lowered++
			}
		}
		for id, want := range signed {
			if got, err := r.Sharing.Resource(bg, id); err != nil || got.Label.String() != want.String() {
				t.Fatalf("step %d: %s is %s, the acts say %s: %v", step, id, got.Label, want, err)
			}
		}
		for _, id := range copies {
			h, err := r.Sharing.Holding(bg, id)
			ok(t, err)
			for _, res := range inside[id] {
				if below(h.Label, signed[res]) {
					t.Fatalf("step %d: %s is %s, the acts say %s of %s in it", step, id, h.Label, signed[res], res)
				}
				if h.Label.String() == signed[res].String() {
					followed++
				}
			}
		}
	}
	t.Logf("%d copies, %d lowerings, %d stale ones refused", len(copies), lowered, refused)
	if len(copies) < 20 || lowered < 20 || followed == 0 || refused == 0 {
		t.Error("the sequences do not reach the law")
	}
}

// below is the order in plain numbers.
func below(a, b level.Label) bool {
	if a.Level < b.Level || a.RequiredS < b.RequiredS || a.RequiredA < b.RequiredA {
		return true
	}
	for _, tag := range b.Tags {
		if tag != level.TagPublicDisclosure && !slices.Contains(a.Tags, tag) {
			return true
		}
	}
	return slices.Contains(a.Tags, level.TagPublicDisclosure) && !slices.Contains(b.Tags, level.TagPublicDisclosure)
}
