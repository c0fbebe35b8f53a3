package history

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/yinxin-gov/yinxin/ca"
)

// Figures of a unit, or of all, in a month. Each half of a pair is a certificate.
//
// A certificate is in force from its record until it ends: by revocation, or else
// by its date. A hold does not end it. Hence, for every unit and in total,
//
//	InForce = InForce of the month before + issued - revoked - Expired.
type Figures struct {
	Requests   int       `json:"requests"` // submitted
	Approved   int       `json:"approved"`
	Refused    int       `json:"refused"`
	Withdrawn  int       `json:"withdrawn"`
	Issued     []Issued  `json:"issued"`
	Renewed    int       `json:"renewed"` // of those issued: how many follow another one
	Revoked    []Revoked `json:"revoked"`
	Late       int       `json:"revoked_after_end"` // revoked when they had ended: not in Revoked
	Expired    int       `json:"expired"`
	Held       int       `json:"held"` // holds that began; a pair is held as one
	InForce    int       `json:"in_force"`
	Recoveries int       `json:"recoveries"` // keys handed out again
	// Waited is how long requests took on average from their submission to the first
	// certificate, of those for which it was issued in this month: First.
	Waited time.Duration `json:"waited_ns"`
	First  int           `json:"first_issued"`
}

// Issued counts certificates of a kind that were come by in one way.
type Issued struct {
	Kind    ca.Kind `json:"kind"`
	Way     ca.Way  `json:"way"` // empty: from before ways were recorded
	Count   int     `json:"count"`
	Follows bool    `json:"-"`
}

// Track is that of the certificate's own key and signature.
func (i Issued) Track() string {
	switch i.Kind {
	case ca.KindECDSA, ca.KindECDSATest:
		return "ecdsa"
	case ca.KindCA, ca.KindService:
		return "house"
	}
	return "sm2"
}

// Revoked counts by reason (RFC 5280 5.3.1).
type Revoked struct {
	Reason int  `json:"reason"`
	Count  int  `json:"count"`
	Late   bool `json:"-"`
}

// Name is that of the reason.
func (r Revoked) Name() string { return ca.ReasonName(r.Reason) }

// AllIssued is the sum over kinds and ways.
func (f Figures) AllIssued() (n int) {
	for _, i := range f.Issued {
		n += i.Count
	}
	return n
}

// AllRevoked is the sum over reasons.
func (f Figures) AllRevoked() (n int) {
	for _, r := range f.Revoked {
		n += r.Count
	}
	return n
}

func (f *Figures) issue(n Issued) {
	n.Follows = false
	for i := range f.Issued {
		if f.Issued[i].Kind == n.Kind && f.Issued[i].Way == n.Way {
			f.Issued[i].Count += n.Count
			return
		}
	}
	f.Issued = append(f.Issued, n)
}

func (f *Figures) revoke(n Revoked) {
	for i := range f.Revoked {
		if f.Revoked[i].Reason == n.Reason {
			f.Revoked[i].Count += n.Count
			return
		}
	}
	f.Revoked = append(f.Revoked, n)
}

func (f *Figures) settled(s ca.RequestState) *int {
	switch s {
	case ca.RequestApproved:
		return &f.Approved
	case ca.RequestRefused:
		return &f.Refused
	case ca.RequestWithdrawn:
		return &f.Withdrawn
	}
	return nil
}

// add puts a unit into the total, before it is closed.
func (a *account) add(o *account) {
	for _, n := range o.Issued {
		a.issue(n)
	}
	for _, n := range o.Revoked {
		a.revoke(n)
	}
	for into, n := range map[*int]int{
		&a.Requests: o.Requests, &a.Approved: o.Approved, &a.Refused: o.Refused, &a.Withdrawn: o.Withdrawn, &a.Renewed: o.Renewed, &a.Late: o.Late,
		&a.Expired: o.Expired, &a.Held: o.Held, &a.InForce: o.InForce, &a.Recoveries: o.Recoveries, &a.First: o.First,
	} {
		*into += n
	}
	a.Waited += o.Waited
	a.systems = append(a.systems, o.systems...)
}

// close turns sums into figures: the mean wait, and lists in one order.
func (a *account) close() (Figures, Coverage) {
	f := a.Figures
	if f.First > 0 {
		f.Waited /= time.Duration(f.First)
	}
	f.Issued, f.Revoked = append([]Issued{}, f.Issued...), append([]Revoked{}, f.Revoked...)
	slices.SortFunc(f.Issued, func(x, y Issued) int { return cmp.Or(cmp.Compare(x.Kind, y.Kind), cmp.Compare(x.Way, y.Way)) })
	slices.SortFunc(f.Revoked, func(x, y Revoked) int { return cmp.Compare(x.Reason, y.Reason) })
	return f, cover(a.systems)
}

// Report is a month. Of one that is not over the figures are those until now.
type Report struct {
	Month    Month     `json:"month"`
	At       time.Time `json:"at"` // for which InForce and Coverage hold
	Total    Figures   `json:"total"`
	Coverage Coverage  `json:"coverage"`
	Units    []Unit    `json:"units"` // by code
}

// Unit is a unit's part of a report.
type Unit struct {
	Agency   string   `json:"agency"`
	Figures  Figures  `json:"figures"`
	Coverage Coverage `json:"coverage"`
}

// Monthly counts a month, each time anew.
func (s *Service) Monthly(ctx context.Context, m Month) (Report, error) {
	from, to := m.Bounds()
	now := s.cfg.Now().UTC()
	if from.After(now) {
		return Report{}, fmt.Errorf("%w: %s has not begun", ErrQuery, m)
	}
	if to.After(now) {
		to = now
	}
	b, in := &book{units: map[string]*account{}}, span{from, to}
	for _, count := range []func(context.Context, Counts, span) error{b.certificates, b.requests, b.standing} {
		if err := count(ctx, s.cfg.Counts, in); err != nil {
			return Report{}, fmt.Errorf("history: figures of %s: %w", m, err)
		}
	}
	out := Report{Month: m, At: to}
	var total account
	for agency, a := range b.units {
		total.add(a)
		f, c := a.close()
		out.Units = append(out.Units, Unit{agency, f, c})
	}
	slices.SortFunc(out.Units, func(x, y Unit) int { return cmp.Compare(x.Agency, y.Agency) })
	out.Total, out.Coverage = total.close()
	return out, nil
}
