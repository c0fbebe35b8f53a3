package verify

import "math"

// warnStamps remarks on stamps that show something else than a seal in its place:
// one that is drawn larger than the seal is, or over the stamp of an earlier
// signature. The standards forbid neither.
func (s *subject) warnStamps() {
	left := 100_000 // pairs: a real document has a few dozen
	for i := range s.sig.Stamps {
		st := &s.sig.Stamps[i]
		if pic := s.ses; pic != nil && (apart(st.Boundary.W, pic.Seal.Picture.Width) || apart(st.Boundary.H, pic.Seal.Picture.Height)) {
			s.warn(WarnStampSize, s.sig.Path)
		}
		for j := range s.all {
			o := &s.all[j]
			if o == s.sig {
				break // those behind it are later
			}
			for k := range o.Stamps {
				if left--; left < 0 {
					return
				}
				if p := &o.Stamps[k]; o.Body == s.sig.Body && p.PageRef == st.PageRef && st.Visible().Meets(p.Visible()) {
					s.warn(WarnStampOver, s.sig.Path)
				}
			}
		}
	}
}

// apart reports whether a stamp differs from the size of its seal by more than a
// tenth; some makers store no size.
func apart(drawn float64, seal int) bool {
	return seal > 0 && math.Abs(drawn/float64(seal)-1) > 0.1
}
