package status

import (
	"context"
	"errors"
	"slices"
	"time"
)

// Ending is the list that stands in the name of an offline authority: without
// another ceremony nothing comes after it, and from then on whoever checks
// refuses every certificate below that authority.
type Ending struct {
	Issuer string // id
	Name   string // common name
	Number int64
	From   time.Time // both zero: none was published yet
	At     time.Time
}

// Endings are those of every offline authority, the first to end first.
func (s *Service) Endings(ctx context.Context) ([]Ending, error) {
	var out []Ending
	for _, i := range *s.issuers.Load() {
		if !i.offline() {
			continue
		}
		e := Ending{Issuer: i.id, Name: i.Certificate.Subject.CommonName}
		c, err := s.newest(ctx, i.id, "", false)
		switch {
		case err == nil:
			e.Number, e.From, e.At = c.Number, c.ThisUpdate, c.NextUpdate
		case !errors.Is(err, ErrNoList):
			return nil, err
		}
		out = append(out, e)
	}
	slices.SortFunc(out, func(a, b Ending) int { return a.At.Compare(b.At) })
	return out, nil
}
