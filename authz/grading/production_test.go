package grading_test

import (
	"errors"
	"testing"
	"time"

	"github.com/yinxin-gov/yinxin/authz/grading"
	"github.com/yinxin-gov/yinxin/authz/level"
	"github.com/yinxin-gov/yinxin/internal/workday"
)

// X11-23: who may have a production certificate, and until when.
func TestX11_23_ProductionUntil(t *testing.T) {
	cal, err := workday.Load()
	if err != nil {
		t.Fatal(err)
	}
	at := time.Date(2026, 1, 20, 4, 0, 0, 0, time.UTC)
	day := func(m time.Month, d int) time.Time { return workday.On(2026, m, d).Start().UTC() }
	lastOf := func(m time.Month, d int) time.Time { return day(m, d).AddDate(0, 0, 1).Add(-time.Second) }
	record := func(lv uint8, s grading.State, edit ...func(*grading.Record)) *grading.Record {
		r := grading.Record{System: "s", Version: 1, Grade: level.Grade{S: lv, A: lv}, State: s, DecidedOn: day(time.January, 15), AssessedOn: day(time.January, 10)}
		for _, f := range edit {
			f(&r)
		}
		return &r
	}
	dossier := func(s grading.State, lv uint8, decided, since workday.Date) *grading.Dossier {
		d := grading.Dossier{State: s, Work: &grading.Grading{Grade: level.Grade{S: lv, A: lv}, DecidedOn: decided}}
		d.Object.OperationSince = since
		return &d
	}
	approved := grading.StateAuthorityApproval
	for name, c := range map[string]struct {
		r    *grading.Record
		d    *grading.Dossier
		want time.Time
		err  error
	}{
		"nothing known":         {nil, nil, time.Time{}, grading.ErrNotOperating},
		"level 1 confirmed":     {record(1, grading.StateConfirmed), nil, time.Time{}, nil},
		"level 2 confirmed":     {record(2, grading.StateConfirmed), nil, time.Time{}, grading.ErrNotOperating},
		"proposed":              {record(2, grading.StateProposed), nil, time.Time{}, grading.ErrNotOperating},
		"retired":               {record(2, grading.StateRetired), nil, time.Time{}, grading.ErrNotOperating},
		"level 2 certified":     {record(2, grading.StateCertified, func(r *grading.Record) { r.ValidUntil = day(time.June, 1) }), nil, lastOf(time.May, 31), nil},
		"filing ended":          {record(2, grading.StateCertified, func(r *grading.Record) { r.ValidUntil = day(time.January, 16) }), nil, time.Time{}, grading.ErrNotOperating},
		"level 3, assessment":   {record(3, grading.StateCertified, func(r *grading.Record) { r.ValidUntil = day(time.January, 1).AddDate(3, 0, 0) }), nil, lastOf(time.January, 10).AddDate(1, 0, 0), nil},
		"filed, within its day": {record(2, grading.StateSubmitted), nil, lastOf(time.February, 14), nil},
		"filed, day has passed": {record(2, grading.StateSubmitted, func(r *grading.Record) { r.DecidedOn = day(time.January, 2).AddDate(0, -2, 0) }), nil, lastOf(time.February, 24), nil},

		"approved, operating before": {nil, dossier(approved, 2, workday.On(2026, 1, 15), workday.On(2025, 1, 1)), lastOf(time.February, 14), nil},
		"approved, filing overdue":   {nil, dossier(approved, 2, workday.On(2025, 12, 1), workday.On(2025, 1, 1)), time.Time{}, grading.ErrNotOperating},
		"approved, to begin":         {nil, dossier(approved, 2, workday.On(2025, 12, 1), 0), lastOf(time.February, 24), nil},
		"expert review only":         {nil, dossier(grading.StateExpertReview, 2, workday.On(2026, 1, 15), 0), time.Time{}, grading.ErrNotOperating},
		"approved, level 1":          {nil, dossier(approved, 1, workday.On(2026, 1, 15), 0), time.Time{}, grading.ErrNotOperating},
	} {
		got, err := grading.ProductionUntil(c.r, c.d, grading.Notice2025(), cal, at)
		if !errors.Is(err, c.err) || (err != nil) != (c.err != nil) || !got.Equal(c.want) {
			t.Errorf("%s: until %s, %v; want %s, %v", name, got, err, c.want, c.err)
		}
	}
}
