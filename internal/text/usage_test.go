package text

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// keyForm is how a key looks: room.thing.detail.
var keyForm = regexp.MustCompile(`^[a-z_]+(\.[A-Za-z0-9_-]+)+$`)

// speakers are the functions that take keys; the names are house rules.
var speakers = map[string]bool{
	"Get": true, "say": true, "line": true, "fail": true, "word": true, "t": true,
	"head": true, "done": true, "plain": true, "refused": true,
}

// usage is what the program says: keys that it certainly asks the catalogue
// for, and every literal, which may be a key or the beginning of one.
type usage struct {
	keys     map[string]string // key → where
	literals map[string]bool
}

// walk reads every Go file and page of the repository but tests.
func walk(t *testing.T, root string) usage {
	t.Helper()
	u := usage{keys: map[string]string{}, literals: map[string]bool{}}
	files := 0
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && (d.Name() == "testdata" || strings.HasPrefix(d.Name(), ".") && path != root):
			return filepath.SkipDir
		case strings.HasSuffix(path, ".html"):
			raw, err := os.ReadFile(path)
			for _, m := range regexp.MustCompile(`"([^"]+)"`).FindAllStringSubmatch(string(raw), -1) {
				u.literals[m[1]] = true
			}
			return err
		case d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go"):
			return nil
		}
		files++
		f, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		ast.Inspect(f, func(n ast.Node) bool { u.see(path, n); return true })
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if files < 50 {
		t.Fatalf("only %d files under %s", files, root)
	}
	return u
}

func (u usage) see(path string, n ast.Node) {
	if lit, ok := n.(*ast.BasicLit); ok {
		s, is := literal(lit)
		if is {
			u.literals[s] = true
		}
		if is && keyForm.MatchString(s) && strings.Contains(s, ".hint.") { // hints also stand in tables
			u.keys[s] = path
		}
		return
	}
	call, ok := n.(*ast.CallExpr)
	if !ok {
		return
	}
	name := ""
	switch f := call.Fun.(type) {
	case *ast.Ident:
		name = f.Name
	case *ast.SelectorExpr:
		name = f.Sel.Name
	}
	if !speakers[name] {
		return
	}
	for _, arg := range call.Args {
		if s, ok := literal(arg); ok && keyForm.MatchString(s) {
			u.keys[s] = path
		}
	}
}

func literal(e ast.Node) (string, bool) {
	lit, ok := e.(*ast.BasicLit)
	if !ok || lit.Kind != token.STRING {
		return "", false
	}
	s, err := strconv.Unquote(lit.Value)
	return s, err == nil
}

// spaces are the first parts of all keys.
func (c *Catalogue) spaces() map[string]bool {
	out := map[string]bool{}
	for _, k := range c.Keys("") {
		first, _, _ := strings.Cut(k, ".")
		out[first] = true
	}
	return out
}

// Every text that the program asks for exists; a missing one would be shown as
// its key.
func TestEveryKeyInUseHasText(t *testing.T) {
	c, err := Load()
	if err != nil {
		t.Fatal(err)
	}
	spaces, seen := c.spaces(), 0
	for key, path := range walk(t, "../..").keys {
		if first, _, _ := strings.Cut(key, "."); !spaces[first] {
			continue // an HTTP header, a file name
		}
		seen++
		if !c.Has(key) {
			t.Errorf("%s: no text for %q", path, key)
		}
	}
	if seen < 100 {
		t.Fatalf("only %d keys found: the walk is wrong", seen)
	}
}

// No text is left over. A key counts as used when it stands somewhere, or a
// literal that ends in a dot or underscore begins it ("verify.check." + id).
func TestEveryTextIsUsed(t *testing.T) {
	c, err := Load()
	if err != nil {
		t.Fatal(err)
	}
	u := walk(t, "../..")
	for _, key := range c.Keys("") {
		used := u.literals[key]
		for i := 1; i < len(key) && !used; i++ {
			used = (key[i-1] == '.' || key[i-1] == '_') && u.literals[key[:i]]
		}
		if !used {
			t.Errorf("%q is never used", key)
		}
	}
}

// Both languages name the same placeholders.
func TestPlaceholdersAgree(t *testing.T) {
	c, err := Load()
	if err != nil {
		t.Fatal(err)
	}
	hole := regexp.MustCompile(`\{[a-z_0-9]+\}`)
	for _, key := range c.Keys("") {
		x := c.Get(key)
		zh := map[string]bool{}
		for _, h := range hole.FindAllString(x.Zh, -1) {
			zh[h] = true
		}
		for _, h := range hole.FindAllString(x.En, -1) {
			if !zh[h] {
				t.Errorf("%s: %s stands in English only", key, h)
			}
		}
	}
}
