// Package policies is the readable law: the core Rego (core/*.rego, one rule a
// clause), the officers' default (site/default.rego), the one table of reason
// codes (reasons.yaml) and the cases that a security officer can read
// (cases/*.yaml). It holds text only; authz parses and evaluates it. Nothing
// here can permit alone: a decision is the AND of the sealed Go guard, the core
// and the site rules (design law 2).
package policies

import "embed"

//go:embed core/*.rego site/*.rego reasons.yaml cases/*.yaml
var files embed.FS

// Files returns the whole tree. It is part of the program and never changes
// while it runs.
func Files() embed.FS { return files }
