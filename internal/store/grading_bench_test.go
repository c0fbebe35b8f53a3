package store_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/yinxin-gov/yinxin/authz/grading"
	"github.com/yinxin-gov/yinxin/internal/store"
	"github.com/yinxin-gov/yinxin/internal/workday"
)

// The budget of a list, a filter, a due-list and a report over 10,000 objects
// with full history; the ratio to it is printed, never asserted.
const (
	gradedObjects = 10000
	listBudget    = 200 * time.Millisecond
)

// seedGraded makes copies of one certified, assessed object, behind the store's
// back: 10,000 times eleven acts would only measure the disk.
func seedGraded(b *testing.B, s *store.Store, d *desk) {
	b.Helper()
	d.open(b, object("sys-00000"))
	d.run(b, way("sys-00000", grading.Serious, "11010000001-00000")...)
	_, _, err := d.Add(bg, assessed("sys-00000", 1), officer)
	ok(b, err)
	dossier, err := d.Dossier(bg, "sys-00000")
	ok(b, err)
	steps, err := d.rooms.Grading.History(bg, "sys-00000")
	ok(b, err)
	papers, err := d.rooms.Grading.Papers(bg, "sys-00000")
	ok(b, err)
	due, err := d.Due(bg, day(31), 10000, grading.DueFilter{})
	ok(b, err)
	raw := func(v any) string {
		out, err := json.Marshal(v)
		ok(b, err)
		return strings.ReplaceAll(string(out), "'", "''")
	}
	body, stepBody, paperBody := raw(dossier), make([]string, len(steps)), raw(papers[0])
	for i, st := range steps {
		stepBody[i] = raw(st)
	}
	var objects, dossiers, history, paper, limits []string
	flush := func() {
		for _, table := range []struct {
			name string
			rows *[]string
		}{{"grading_object", &objects}, {"grading_dossier", &dossiers}, {"grading_step", &history}, {"grading_paper", &paper}, {"grading_deadline", &limits}} {
			ok(b, s.Exec(bg, "INSERT INTO "+table.name+" VALUES "+strings.Join(*table.rows, ",")))
			*table.rows = (*table.rows)[:0]
		}
	}
	states := []grading.State{grading.StateCertified, grading.StateSubmitted, grading.StatePoliceReview, grading.StateConfirmed}
	for n := 1; n < gradedObjects; n++ {
		id := fmt.Sprintf("sys-%05d", n)
		unit := fmt.Sprintf("1111010299990%03d1L", n%200)
		objects = append(objects, fmt.Sprintf("('%s',8,'低保系统','information_system','%s','%s','%s',%d,'S3A3',3,3,'2029-03-04','[]',%d)",
			id, unit, unit, states[n%len(states)], 1+n%4, n%2))
		dossiers = append(dossiers, fmt.Sprintf("('%s','%s')", id, strings.ReplaceAll(body, "sys-00000", id)))
		for i, st := range stepBody {
			history = append(history, fmt.Sprintf("('%s',%d,'%s')", id, i+2, strings.ReplaceAll(st, "sys-00000", id)))
		}
		paper = append(paper, fmt.Sprintf("('%s-1','%s',8,'%s')", id, id, paperBody))
		for i, l := range due {
			limits = append(limits, fmt.Sprintf("('%s','%s','','%s','','%s',0,'c','p','')", id, l.Rule, unit, l.Due+workday.Date(n%365-i)))
		}
		if n%100 == 0 || n == gradedObjects-1 {
			flush()
		}
	}
}

func BenchmarkGradedObjects(b *testing.B) {
	for name, address := range engines {
		b.Run(name, func(b *testing.B) {
			s := open(b, migrated(b, address(b)))
			d := newDesk(b, s)
			seedGraded(b, s, d)
			g := d.rooms.Grading
			for _, work := range []struct {
				name string
				do   func() (int, error)
				want int
			}{
				{"list", func() (int, error) { l, err := g.Objects(bg, grading.Filter{Limit: gradedObjects}); return len(l), err }, gradedObjects},
				{"page", func() (int, error) {
					l, err := g.Objects(bg, grading.Filter{After: "sys-05000", Limit: 100})
					return len(l), err
				}, 100},
				{"filter", func() (int, error) {
					l, err := g.Objects(bg, grading.Filter{State: grading.StateCertified, Level: 1, Limit: gradedObjects})
					return len(l), err
				}, 2499},
				{"due", func() (int, error) {
					l, err := d.Due(bg, day(31), 0, grading.DueFilter{Limit: gradedObjects})
					return len(l), err
				}, 0},
				{"due in ten years", func() (int, error) {
					l, err := d.Due(bg, day(31), 3650, grading.DueFilter{Limit: gradedObjects})
					return len(l), err
				}, gradedObjects},
				{"due of a unit", func() (int, error) {
					l, err := d.Due(bg, day(31), 3650, grading.DueFilter{Unit: "11110102999900071L", Limit: gradedObjects})
					return len(l), err
				}, 300},
				{"report", func() (int, error) { l, err := g.Totals(bg); return len(l), err }, 201},
				{"one dossier with its history", func() (int, error) {
					_, err := g.Dossier(bg, "sys-00777")
					ok(b, err)
					l, err := g.History(bg, "sys-00777")
					return len(l), err
				}, 6},
			} {
				b.Run(work.name, func(b *testing.B) {
					for b.Loop() {
						if n, err := work.do(); err != nil || n != work.want {
							b.Fatalf("%d rows, want %d: %v", n, work.want, err)
						}
					}
					b.ReportMetric(float64(b.Elapsed())/float64(b.N)/float64(listBudget), "×budget")
				})
			}
		})
	}
}
