// Package leveltest is a bounded world of questions to the sealed guard: small
// enough to ask every one of them, large enough that each component of a label,
// each place and a second source can decide alone. Tests of the guard hold it
// against a statement of the law in plain numbers, tests of the core against the
// guard.
package leveltest

import (
	"runtime"
	"sync"

	"github.com/yinxin-gov/yinxin/authz/level"
)

// Vec is a label in plain numbers: level, S, A, and the marks it bears.
type Vec struct {
	N                [3]int
	Personal, Public bool
}

// World has the values of each dimension. The zero value of a place or a label
// that may be absent stands at index 0.
type World struct {
	Acts   []level.Act
	Vecs   []Vec         // of a source; of a second source and of the result with "none" before
	Labels []level.Label // Vecs as labels
	Grades []*[2]int     // of a place: nil is no place; the last one, without a grade, is for targets only
}

// Point is a question by its indices. Second and Result are 0 for none, else one
// more than the index of a label.
type Point struct{ Act, First, Second, Result, Subject, Target, Carrier, Consent int }

// New returns the world of all acts and one unknown one, two levels, two grades
// for S and A, and three marks.
func New() World {
	w := World{
		Acts: []level.Act{
			level.Read, level.Copy, level.Derive, level.Merge, level.Relabel, level.Forward, level.Store, level.Publish, level.Carry, level.Regrade, "export",
		},
		Grades: []*[2]int{nil, {1, 2}, {2, 1}, {2, 2}, {0, 0}},
	}
	marks := []Vec{{}, {Personal: true}, {Public: true}}
	for n := range 8 {
		for _, v := range marks {
			v.N = [3]int{1 + n&1, 1 + n>>1&1, 1 + n>>2&1}
			l := level.Label{Level: level.Level(v.N[0]), RequiredS: uint8(v.N[1]), RequiredA: uint8(v.N[2])}
			if v.Personal {
				l.Tags = []level.Tag{level.TagPersonal}
			}
			if v.Public {
				l.Tags = []level.Tag{level.TagPublicDisclosure}
			}
			w.Vecs, w.Labels = append(w.Vecs, v), append(w.Labels, l)
		}
	}
	return w
}

// Each calls f for every point, on all processors; f gets a *Question
// of its processor and must not keep it. It returns the number of points.
func (w World) Each(f func(Point, *level.Question)) int {
	type slice struct{ act, first int }
	todo, sizes := make(chan slice), make(chan int)
	var workers sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		workers.Go(func() {
			size := 0
			for s := range todo {
				size += w.part(s.act, s.first, f)
			}
			sizes <- size
		})
	}
	go func() {
		for act := range w.Acts {
			for first := range w.Labels {
				todo <- slice{act, first}
			}
		}
		close(todo)
		workers.Wait()
		close(sizes)
	}()
	total := 0
	for n := range sizes {
		total += n
	}
	return total
}

// part is every point of one act and first source. Consent matters to Publish only.
func (w World) part(act, first int, f func(Point, *level.Question)) (size int) {
	consents := 1
	if w.Acts[act] == level.Publish {
		consents = 2
	}
	p, q := Point{Act: act, First: first}, level.Question{}
	for p.Second = range len(w.Labels) + 1 {
		for p.Result = range len(w.Labels) + 1 {
			for p.Subject = range len(w.Grades) - 1 {
				for p.Target = range w.Grades {
					for p.Carrier = range len(w.Grades) - 1 {
						for p.Consent = range consents {
							q = w.Question(p)
							f(p, &q)
							size++
						}
					}
				}
			}
		}
	}
	return size
}

// Question is what p asks. Re-grading asks about what the system holds and the
// grade of Target.
func (w World) Question(p Point) level.Question {
	q := level.Question{Act: w.Acts[p.Act], Sources: w.Labels[p.First : p.First+1 : p.First+1], Consent: p.Consent == 1}
	if p.Second > 0 {
		q.Sources = []level.Label{w.Labels[p.First], w.Labels[p.Second-1]}
	}
	if p.Result > 0 {
		q.Result = &w.Labels[p.Result-1]
	}
	q.Subject, q.Target = w.place(p.Subject), w.place(p.Target)
	if c := w.place(p.Carrier); c != nil {
		q.Carriers = []level.Place{*c}
	}
	if q.Act == level.Regrade {
		q.Holdings, q.Sources = q.Sources, nil
		if q.Target != nil {
			q.NewGrade = &q.Target.Grade
		}
	}
	return q
}

func (w World) place(i int) *level.Place {
	g := w.Grades[i]
	if g == nil {
		return nil
	}
	return &level.Place{ID: "p", Grade: level.Grade{S: uint8(g[0]), A: uint8(g[1])}}
}
