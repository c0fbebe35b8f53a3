package main

import (
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// test is a test function whose name says which rows it proves.
type test struct {
	room, name string
	rows       []string
}

var (
	part  = regexp.MustCompile(`^(?:Test)?(X11|X14|XA18|BJ17|BJ05)$`)
	rest  = regexp.MustCompile(`^\d{1,2}[a-f]?$`)
	looks = regexp.MustCompile(`(X11|X14|XA18|BJ17|BJ05)_?\d`)
)

// findTests reads every test file below root. A name in which an id cannot be
// read is an error: nobody would miss the test that the page lacks.
func findTests(root string) ([]test, error) {
	var found []test
	var errs []error
	files := token.NewFileSet()
	err := filepath.WalkDir(root, func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && (d.Name() == "testdata" || d.Name() != "." && strings.HasPrefix(d.Name(), ".")) {
			return fs.SkipDir
		}
		if d.IsDir() || !strings.HasSuffix(p, "_test.go") {
			return nil
		}
		rel, err := filepath.Rel(root, p)
		if err != nil {
			return err
		}
		f, err := parser.ParseFile(files, p, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		for _, decl := range f.Decls {
			fn, is := decl.(*ast.FuncDecl)
			if !is || fn.Recv != nil || !strings.HasPrefix(fn.Name.Name, "Test") || !looks.MatchString(fn.Name.Name) {
				continue
			}
			t := test{room: path.Dir(filepath.ToSlash(rel)), name: fn.Name.Name}
			if t.rows = rowsOf(t.name); len(t.rows) == 0 {
				errs = append(errs, fmt.Errorf("%s: %s: an id in a name stands between underscores: TestX14_26c_…", rel, t.name))
				continue
			}
			found = append(found, t)
		}
		return nil
	})
	slices.SortFunc(found, func(a, b test) int { return strings.Compare(a.room+" "+a.name, b.room+" "+b.name) })
	return found, errors.Join(append(errs, err)...)
}

// rowsOf are the ids in a test's name, parts of it between underscores.
func rowsOf(name string) (ids []string) {
	parts := strings.Split(name, "_")
	for i, p := range parts[:len(parts)-1] {
		if m := part.FindStringSubmatch(p); m != nil && rest.MatchString(parts[i+1]) {
			ids = append(ids, m[1]+"-"+parts[i+1])
		}
	}
	if len(ids) != len(looks.FindAllString(name, -1)) {
		return nil
	}
	return ids
}
