package lint

// validityUntil: it ends with what lets the system operate: the day on which its
// grading has to be filed, or on which its filing or assessment ends.
func validityUntil() Lint {
	return Lint{ID: "validity.until", Clause: "西政办发〔2011〕8号 art. 23; 公通字〔2007〕43号 art. 14, 15", Effective: date(2011, 1, 1), Check: func(in Input) Finding {
		if in.Until.IsZero() {
			return na("no bound given")
		}
		if in.View.NotAfter.After(in.Until) {
			return fail("ends on " + in.View.NotAfter.UTC().Format("2006-01-02") + ", after what lets the system operate")
		}
		return pass()
	}}
}
