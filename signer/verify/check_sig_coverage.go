package verify

import (
	"fmt"
)

// checkCoverage: everything that OFD.xml reaches, and OFD.xml, is protected.
// Extra files that nothing reaches are a warning.
func checkCoverage(s *subject) outcome {
	const clause = "GB/T 33190-2016, 18.2.2; GM/T 0099-2020, 7.4"
	for _, f := range s.cov.Unreferenced {
		s.warn(WarnUnreferenced, f)
	}
	if len(s.cov.Uncovered) == 0 {
		return pass(CheckCoverage, clause, fmt.Sprintf("%d", len(s.cov.Covered)))
	}
	return fail(CheckCoverage, clause, ReasonUncovered, list(s.cov.Uncovered), effPartial)
}
