package verify

// checkList: beside signatures that stand, no files of signatures that no list
// names. They are what remains when a later seal was cut out of the list: the
// seals that are left then cover less than was once sealed. Where no signature is
// left at all the document is unsigned, with a warning.
func checkList(orphans []string, signatures int) outcome {
	const clause = "GB/T 33190-2016, 18.1"
	if len(orphans) == 0 || signatures == 0 {
		return pass(CheckList, clause, "")
	}
	return fail(CheckList, clause, ReasonOrphan, list(orphans), effPartial)
}
