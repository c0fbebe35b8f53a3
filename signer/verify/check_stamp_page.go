package verify

import (
	"math"

	"github.com/yinxin-gov/yinxin/signer/ofd"
)

// checkStamp: every stamp stands on a page that exists and can be seen there; a
// seal off its page is a signature that the reader of the paper does not know of.
func checkStamp(s *subject) outcome {
	const clause = "GB/T 33190-2016, 18.2.3"
	if s.sig.Broken || s.ses == nil && s.sig.Type == ofd.TypeSign {
		return skip(CheckStamp, clause, ReasonNotJudged)
	}
	if len(s.sig.Stamps) == 0 {
		return skip(CheckStamp, clause, ReasonNoStamp)
	}
	pages, twice := map[string]ofd.Box{}, map[string]bool{}
	for _, pg := range s.pkg.Bodies[s.sig.Body].Pages { // ids count within one document
		if pg.Path == "" {
			continue // listed, and not there
		}
		_, had := pages[pg.ID]
		twice[pg.ID] = twice[pg.ID] || had
		pages[pg.ID] = ofd.Box{W: pg.Box.W, H: pg.Box.H} // page space starts at the box
	}
	var shown, whole float64
	for i := range s.sig.Stamps {
		st := &s.sig.Stamps[i]
		page, ok := pages[st.PageRef]
		if !ok {
			return fail(CheckStamp, clause, ReasonStampPage, st.PageRef, effInvalid)
		}
		if twice[st.PageRef] {
			return cannot(CheckStamp, clause, ReasonStampTwice, st.PageRef)
		}
		if st.Clip != nil {
			shown, whole = shown+st.Clip.W*st.Clip.H, st.Boundary.W*st.Boundary.H
		}
		if st.Malformed || !st.Visible().Meets(page) {
			return fail(CheckStamp, clause, ReasonStampOff, st.PageRef+": "+st.Boundary.String(), effInvalid)
		}
	}
	s.warnStamps()
	// The slices of a ride seal (骑缝章) make whole seals; two per cent are rounding.
	if whole > 0 && math.Abs(shown/whole-math.Round(shown/whole)) > 0.02 {
		s.warn(WarnSlices, s.sig.Path)
	}
	return pass(CheckStamp, clause, "")
}
