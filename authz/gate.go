package authz

import (
	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/yinxin-gov/yinxin/authz/sandbox"
)

// siteMax bounds an officer's module.
const siteMax = 64 << 10

// GateError lists every finding of CheckSite, in order of line.
type GateError = sandbox.GateError

func siteRules() sandbox.Rules {
	return sandbox.Rules{Package: "yinxin.site", Result: "out", Max: siteMax}
}

// CheckSite is the gate before the officers' compiler: see sandbox.Parse. It returns
// a *GateError for a module outside package yinxin.site, one that reads anything but
// input, or lacks the one result `out`.
func CheckSite(file string, src []byte) error {
	_, err := parseSite(file, src)
	return err
}

func parseSite(file string, src []byte) (*ast.Module, error) {
	return sandbox.Parse(file, src, siteRules())
}
