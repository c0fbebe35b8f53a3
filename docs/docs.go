// Package docs holds the pages that the program itself prints: the certification
// practice statement (电子认证业务规则), a template in both languages whose blanks
// the house fills. The page that people read here and the one that the house
// publishes are one file.
package docs

import "embed"

//go:embed zh/cps.md en/cps.md
var files embed.FS

// CPS is the template of the statement.
func CPS() (zh, en string, err error) {
	a, err := files.ReadFile("zh/cps.md")
	if err != nil {
		return "", "", err
	}
	b, err := files.ReadFile("en/cps.md")
	return string(a), string(b), err
}
