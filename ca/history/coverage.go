package history

import (
	"cmp"
	"slices"

	"github.com/yinxin-gov/yinxin/ca"
)

// System is a registered system and the tracks on which it has a certificate in
// force; one for tests connects nobody.
type System struct {
	ID     string `json:"id"`
	Name   string `json:"name"`
	Agency string `json:"agency"`
	ECDSA  bool   `json:"ecdsa"`
	SM2    bool   `json:"sm2"`
}

func (s *System) has(k ca.Kind) {
	s.ECDSA = s.ECDSA || k == ca.KindECDSA
	s.SM2 = s.SM2 || k == ca.KindSM2Sign
}

// Coverage is how many of the registered systems are connected (全部接入,
// 西政发〔2018〕69号 art. 22).
type Coverage struct {
	Registered int      `json:"registered"`
	Connected  int      `json:"connected"` // on one track at least
	Both       int      `json:"both"`      // on both
	Missing    []System `json:"missing"`   // not connected, by id
}

// PerMille is the share of connected systems, rounded down: 1000 means all. Where
// there is no system nothing is missing.
func (c Coverage) PerMille() int {
	if c.Registered == 0 {
		return 1000
	}
	return c.Connected * 1000 / c.Registered
}

func cover(all []System) Coverage {
	out := Coverage{Registered: len(all), Missing: []System{}}
	for _, s := range all {
		switch {
		case s.ECDSA && s.SM2:
			out.Both++
			out.Connected++
		case s.ECDSA || s.SM2:
			out.Connected++
		default:
			out.Missing = append(out.Missing, s)
		}
	}
	slices.SortFunc(out.Missing, func(x, y System) int { return cmp.Compare(x.ID, y.ID) })
	return out
}
