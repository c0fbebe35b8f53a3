package level

import (
	"os"
	"testing"
)

// The bounded world: every question over a small set of labels and grades,
// against an invariant stated in plain numbers and bit masks, without Label,
// Join or Dominates. The check runs both ways: nothing unlawful is permitted,
// nothing lawful is refused. The short world has 1.0 M questions; with
// YINXIN_SOAK=1 the world grows to 26.1 M.
func TestExhaustiveBoundedWorld(t *testing.T) {
	levels, reqs, masks := 2, 2, 2
	if os.Getenv("YINXIN_SOAK") != "" {
		levels, reqs, masks = 3, 2, 4
	}
	w := newWorld(levels, reqs, masks)
	asked, permitted := w.run(t)
	t.Logf("%d questions, %d permitted, 0 violations", asked, permitted)
	if permitted == 0 || permitted == asked {
		t.Fatal("the world does not separate")
	}
}

// vec is a label in plain numbers: level, S, A, restrictive mask, public.
type vec struct {
	n      [3]int
	mask   int
	public bool
}

type world struct {
	vecs   []vec
	labels []Label
	grades [][2]int
}

func newWorld(levels, reqs, masks int) world {
	w := world{grades: [][2]int{{0, 0}, {1, 1}, {1, 2}, {2, 1}, {2, 2}, {2, 0}}}
	tags := []Tag{TagPersonal, TagSensitive}
	for lv := 1; lv <= levels; lv++ {
		for s := 1; s <= reqs; s++ {
			for a := 1; a <= reqs; a++ {
				for m := range masks {
					v := vec{[3]int{lv, s, a}, m, m == 1}
					l := Label{Level: Level(lv), RequiredS: uint8(s), RequiredA: uint8(a)}
					for i, tag := range tags {
						if m&(1<<i) != 0 {
							l.Tags = append(l.Tags, tag)
						}
					}
					if v.public {
						l.Tags = append(l.Tags, TagPublicDisclosure)
					}
					l.Tags = normalise(l.Tags)
					w.vecs, w.labels = append(w.vecs, v), append(w.labels, l)
				}
			}
		}
	}
	return w
}

func (w world) run(t *testing.T) (asked, permitted int) {
	acts := []Act{Read, Copy, Derive, Merge, Relabel, Forward, Store, Publish, Carry, Regrade, "export"}
	for _, act := range acts {
		for i := range w.vecs {
			for j := range w.vecs {
				for r := -1; r < len(w.vecs); r++ {
					for g := -1; g < len(w.grades); g++ {
						for side := range 3 {
							asked++
							q, want := w.ask(act, i, j, r, g, side)
							got := len(Check(q)) == 0
							if got != want {
								t.Fatalf("%+v: permitted %v, lawful %v: %v", q, got, want, Check(q))
							}
							if got {
								permitted++
							}
						}
					}
				}
			}
		}
	}
	return asked, permitted
}

// ask builds one question and says whether the law permits it. side chooses
// who has grade g: subject, target or a carrier; the other two are strong.
func (w world) ask(act Act, i, j, r, g, side int) (Question, bool) {
	strong := Place{Grade: Grade{5, 5}}
	q := Question{Act: act, Sources: []Label{w.labels[i], w.labels[j]}, Subject: &strong, Target: &strong, Carriers: []Place{strong}}
	have := [3][2]int{{5, 5}, {5, 5}, {5, 5}} // subject, target, carrier
	absent := [3]bool{}
	if g < 0 {
		absent[side] = true
	} else {
		have[side] = w.grades[g]
	}
	place := func(k int) *Place {
		if absent[k] {
			return nil
		}
		return &Place{Grade: Grade{uint8(have[k][0]), uint8(have[k][1])}}
	}
	q.Subject, q.Target, q.Carriers = place(0), place(1), nil
	if p := place(2); p != nil {
		q.Carriers = []Place{*p}
	}
	if r >= 0 {
		q.Result = &w.labels[r]
	}
	if act == Regrade {
		q.NewGrade, q.Holdings, q.Sources = nil, q.Sources, nil
		if g >= 0 {
			q.NewGrade = &Grade{uint8(w.grades[g][0]), uint8(w.grades[g][1])}
		}
		return q, g >= 0 && holds(w.grades[g], w.need(i, j, -1))
	}
	return q, w.lawful(act, i, j, r, have, absent)
}

func (w world) lawful(act Act, i, j, r int, have [3][2]int, absent [3]bool) bool {
	src, end := w.need(i, j, -1), w.need(i, j, r)
	if act == "export" {
		return false
	}
	if r >= 0 { // the result is at least both sources in every component
		for k := range 3 {
			if w.vecs[r].n[k] < src.n[k] {
				return false
			}
		}
		if w.vecs[r].mask|src.mask != w.vecs[r].mask {
			return false
		}
	}
	if act == Relabel && r < 0 || act == Carry && absent[0] {
		return false
	}
	writes := act == Copy || act == Derive || act == Merge || act == Forward || act == Store
	if writes && absent[1] {
		return false
	}
	if act == Publish && !src.public {
		return false
	}
	if !absent[0] && !holds(have[0], src) || !absent[2] && !holds(have[2], end) {
		return false
	}
	return act == Publish || absent[1] || holds(have[1], end)
}

// need is the component-wise maximum of i, j and, unless negative, r.
func (w world) need(i, j, r int) vec {
	out := vec{w.vecs[i].n, w.vecs[i].mask | w.vecs[j].mask, w.vecs[i].public && w.vecs[j].public}
	for k := range 3 {
		if w.vecs[j].n[k] > out.n[k] {
			out.n[k] = w.vecs[j].n[k]
		}
		if r >= 0 && w.vecs[r].n[k] > out.n[k] {
			out.n[k] = w.vecs[r].n[k]
		}
	}
	return out
}

func holds(g [2]int, v vec) bool {
	return g[0] > 0 && g[1] > 0 && g[0] >= v.n[1] && g[1] >= v.n[2]
}
