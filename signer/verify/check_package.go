package verify

import (
	"strings"

	"github.com/yinxin-gov/yinxin/signer/ofd"
)

// checkContainer: a zip that two readers can read in two ways proves nothing
// about what either of them shows (reference §5.3 1).
func checkContainer(p *ofd.Package) outcome {
	const clause = "GB/T 33190-2016; GM/T 0099-2020, 7.4"
	faults := p.Faults()
	if len(faults) == 0 {
		return pass(CheckContainer, clause, "")
	}
	return fail(CheckContainer, clause, faults[0].Code, notes(faults), effAltered)
}

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

// checkList: beside signatures that stand, no files of signatures that no list
// names. They are what remains when a later seal was cut out of the list: the
// seals that are left then cover less than was once sealed. Where no signature is
// left at all the document is unsigned, with a warning.
func checkList(orphans []string, signatures int) outcome {
	const clause = "GB/T 33190-2016, 18.1"
	if len(orphans) == 0 || signatures == 0 {
		return pass(CheckList, clause, "")
	}
	return fail(CheckList, clause, ReasonOrphan, strings.Join(orphans[:min(len(orphans), maxEvidence)], "; "), effPartial)
}

// maxEvidence bounds the list of one detail.
const maxEvidence = 20

func notes(list []ofd.Note) string {
	out := make([]string, 0, min(len(list), maxEvidence))
	for _, n := range list {
		if len(out) == maxEvidence {
			break
		}
		out = append(out, n.String())
	}
	return strings.Join(out, "; ")
}

// checkFormat stands only where the signed value is of a kind that cannot be
// judged; digests, references and coverage are checked all the same.
func (s *subject) checkFormat() outcome {
	return cannot(CheckFormat, clauseCMS, s.form, s.sig.ValuePath)
}
