package verify

import "github.com/yinxin-gov/yinxin/signer/ofd"

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
