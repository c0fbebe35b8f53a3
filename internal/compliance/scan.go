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
	names = regexp.MustCompile(`^Test((?:(?:X11|X14|XA18|BJ17|BJ05)_\d{1,2}[a-f]?_)+)[A-Z]`)
	each  = regexp.MustCompile(`(X11|X14|XA18|BJ17|BJ05)_(\d{1,2}[a-f]?)_`)
	looks = regexp.MustCompile(`(X11|X14|XA18|BJ17|BJ05)_?\d`)
)

// findTests reads every test file below root. A name that holds an id in
// another form is an error: nobody would miss the test that the page lacks.
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
				errs = append(errs, fmt.Errorf("%s: %s: an id of a row stands first and ends with _: TestX14_26c_…", rel, t.name))
				continue
			}
			found = append(found, t)
		}
		return nil
	})
	slices.SortFunc(found, func(a, b test) int { return strings.Compare(a.room+" "+a.name, b.room+" "+b.name) })
	return found, errors.Join(append(errs, err)...)
}

// rowsOf are the ids at the head of a test's name.
func rowsOf(name string) (ids []string) {
	head := names.FindStringSubmatch(name)
	if head == nil || looks.MatchString(strings.TrimPrefix(name, "Test"+head[1])) {
		return nil
	}
	for _, m := range each.FindAllStringSubmatch(head[1], -1) {
		ids = append(ids, m[1]+"-"+m[2])
	}
	return ids
}
