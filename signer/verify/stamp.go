package verify

import "math"

// warnStamps remarks on stamps that show something else than a seal in its place:
// one that is drawn larger than the seal is, or over the stamp of an earlier
// signature. The standards forbid neither.
func (s *subject) warnStamps() {
	size := false
	for i := range s.sig.Stamps {
		st := &s.sig.Stamps[i]
		size = size || s.ses != nil && (apart(st.Boundary.W, s.ses.Seal.Picture.Width) || apart(st.Boundary.H, s.ses.Seal.Picture.Height))
	}
	if size {
		s.warn(WarnStampSize, s.sig.Path)
	}
	if s.overEarlier() {
		s.warn(WarnStampOver, s.sig.Path)
	}
}

// overEarlier looks at a bounded number of pairs: a real document has a few dozen.
func (s *subject) overEarlier() bool {
	left := 100_000
	for i := range s.all {
		o := &s.all[i]
		if o == s.sig {
			break // those behind this one are later
		}
		for k := range o.Stamps {
			for n := range s.sig.Stamps {
				a, b := &o.Stamps[k], &s.sig.Stamps[n]
				if o.Body == s.sig.Body && a.PageRef == b.PageRef && a.Visible().Meets(b.Visible()) {
					return true
				}
				if left--; left == 0 {
					return false
				}
			}
		}
	}
	return false
}

// apart reports whether a stamp differs from the size of its seal by more than a
// tenth; some makers store no size.
func apart(drawn float64, seal int) bool {
	return seal > 0 && math.Abs(drawn/float64(seal)-1) > 0.1
}
