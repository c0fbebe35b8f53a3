package signer

import (
	"fmt"
	"slices"
	"time"
)

// Authorisation says how far a seal may be used (用印授权). The zero value sets no
// bound: anybody of the unit may ask, and each use waits for the leader anyway.
type Authorisation struct {
	Users []User    `json:"users,omitempty"` // who may ask (用印人); empty: everybody of the unit
	From  time.Time `json:"from,omitzero"`   // zero: no bound
	Until time.Time `json:"until,omitzero"`  // zero: no bound
	Hours Hours     `json:"hours,omitzero"`
	Total int       `json:"total,omitempty"` // uses in all since Since; 0: no bound
	Quota int       `json:"quota,omitempty"` // uses in each Per; 0: no bound
	Per   Period    `json:"per,omitempty"`
	Since time.Time `json:"since,omitzero"` // when it took effect
}

// User may ask for a seal while From <= t < Until; zero is no bound.
type User struct {
	Person string    `json:"person"`
	From   time.Time `json:"from,omitzero"`
	Until  time.Time `json:"until,omitzero"`
}

// Hours is a part of the day in minutes after midnight, UTC+8, From <= t < Until.
// The zero value is the whole day.
type Hours struct {
	From  int `json:"from"`
	Until int `json:"until"`
}

// Period is a calendar period in UTC+8.
type Period string

// Periods of a quota.
const (
	PerDay   Period = "day"
	PerMonth Period = "month"
	PerYear  Period = "year"
)

// Taken are the uses already counted: in all since the authorisation took
// effect, and in the current period.
type Taken struct{ All, Window int }

// maxUsers bounds the list of one seal.
const maxUsers = 500

// china is the zone in which the law counts days; it has had no summer time
// since 1991.
func china() *time.Location { return time.FixedZone("UTC+8", 8*3600) }

// Validate refuses an authorisation that cannot be meant.
func (a Authorisation) Validate() error {
	bad := func(format string, args ...any) error {
		return fmt.Errorf("%w: authorisation: "+format, append([]any{ErrInvalid}, args...)...)
	}
	switch {
	case len(a.Users) > maxUsers:
		return bad("%d users, at most %d", len(a.Users), maxUsers)
	case ends(a.From, a.Until):
		return bad("it ends before it starts")
	case a.Total < 0 || a.Quota < 0:
		return bad("a negative number of uses")
	case (a.Quota > 0) != (a.Per != ""):
		return bad("a number of uses needs its period, and a period its number")
	case a.Per != "" && a.Per != PerDay && a.Per != PerMonth && a.Per != PerYear:
		return bad("period %q", a.Per)
	case a.Hours != (Hours{}) && (a.Hours.From < 0 || a.Hours.Until > 24*60 || a.Hours.From >= a.Hours.Until):
		return bad("hours from minute %d until %d", a.Hours.From, a.Hours.Until)
	}
	for i, u := range a.Users {
		if u.Person == "" || ends(u.From, u.Until) {
			return bad("user %d without a name, or whose time ends before it starts", i+1)
		}
		if slices.ContainsFunc(a.Users[:i], func(v User) bool { return v.Person == u.Person }) {
			return bad("user %d stands twice", i+1)
		}
	}
	return nil
}

func ends(from, until time.Time) bool { return !until.IsZero() && !from.Before(until) }

func covers(t, from, until time.Time) bool {
	return !t.Before(from) && (until.IsZero() || t.Before(until))
}

// window is the start of the period of a quota.
func (a Authorisation) window(at time.Time) time.Time {
	y, m, d := at.In(china()).Date()
	switch a.Per {
	case PerYear:
		m, d = 1, 1
	case PerMonth:
		d = 1
	}
	return time.Date(y, m, d, 0, 0, 0, 0, china())
}

// Counted are the moments since which Taken is counted at a time.
func (s Seal) Counted(at time.Time) (all, window time.Time) {
	return s.Authorisation.Since, s.Authorisation.window(at)
}

// Admit says whether a person may use the seal now: its state, its period, its
// authorisation and its quota. Nothing else decides (GB/T 33481; 电子印章管理办法
// art. 21). The store asks it again inside the transaction that counts the use.
func (s Seal) Admit(person string, at time.Time, taken Taken) error {
	a := s.Authorisation
	switch {
	case s.State != SealActive:
		return &StateError{Seal: s.ID, From: s.State, To: SealActive}
	case at.After(s.ValidUntil):
		return &StateError{Seal: s.ID, From: SealExpired, To: SealActive}
	case at.Before(s.ValidFrom):
		return fmt.Errorf("%w: the period of seal %s starts on %s", ErrSealState, s.ID, s.ValidFrom.Format(time.RFC3339))
	case person != "" && person == s.Maker:
		return fmt.Errorf("%w: the maker of seal %s never uses it", ErrUser, s.ID)
	}
	if i := slices.IndexFunc(a.Users, func(u User) bool { return u.Person == person }); len(a.Users) > 0 &&
		(i < 0 || !covers(at, a.Users[i].From, a.Users[i].Until)) {
		return fmt.Errorf("%w: not on the list of seal %s at this time", ErrUser, s.ID)
	}
	if !covers(at, a.From, a.Until) {
		return fmt.Errorf("%w: seal %s is authorised from %s until %s", ErrHours, s.ID, date(a.From), date(a.Until))
	}
	if h := a.Hours; h != (Hours{}) {
		local := at.In(china())
		if m := local.Hour()*60 + local.Minute(); m < h.From || m >= h.Until {
			return fmt.Errorf("%w: seal %s is used from %02d:%02d until %02d:%02d", ErrHours, s.ID, h.From/60, h.From%60, h.Until/60, h.Until%60)
		}
	}
	if a.Total > 0 && taken.All >= a.Total {
		return fmt.Errorf("%w: %d of %d for seal %s", ErrQuota, taken.All, a.Total, s.ID)
	}
	if a.Quota > 0 && taken.Window >= a.Quota {
		return fmt.Errorf("%w: %d of %d this %s for seal %s", ErrQuota, taken.Window, a.Quota, a.Per, s.ID)
	}
	return nil
}

func date(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return t.In(china()).Format(time.DateTime)
}
