package grading

// Keys of the catalogue (internal/text) under which the edges find the words
// for what this room returns as codes.

// TextKey of a rule.
func (r Rule) TextKey() string { return "grading.rule." + r.ID }

// TextKey of the rule that a deadline comes from.
func (d Deadline) TextKey() string { return "grading.rule." + d.Rule }

// TextKey of a status.
func (s Status) TextKey() string { return "grading.status." + string(s) }

// TextKey of a state.
func (s State) TextKey() string { return "grading.state." + string(s) }

// WarningKey of a code in Paper.Warnings.
func WarningKey(code string) string { return "grading.warning." + code }

// FlagKey of a code in Summary.Flags.
func FlagKey(code string) string { return "grading.flag." + code }
