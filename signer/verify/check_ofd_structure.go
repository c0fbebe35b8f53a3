package verify

import "github.com/yinxin-gov/yinxin/signer/ofd"

// checkStructure: the tree under OFD.xml reads, without DTD and within limits.
// What does not read may hold references that nobody followed, so coverage would
// be a guess.
func checkStructure(p *ofd.Package) outcome {
	const clause = "GB/T 33190-2016"
	var broken, large []ofd.Note
	for _, n := range p.Problems() {
		switch n.Code {
		case ofd.ProblemMissing: // a warning: many producers name files that never existed
		case ofd.ProblemLimit:
			large = append(large, n)
		default:
			broken = append(broken, n)
		}
	}
	switch {
	case len(broken) > 0:
		return fail(CheckTree, clause, broken[0].Code, notes(broken), effAltered)
	case len(large) > 0:
		o := cannot(CheckTree, clause, large[0].Code, notes(large))
		o.effect = effPartial
		return o
	}
	return pass(CheckTree, clause, "")
}
