// Command compliance writes docs/compliance.md: every duty of the five
// regulations and every system that they name, with the tests that show it.
//
// A duty is a row of rows.tsv, under the id that reasons, ledger entries and
// tests use. A test proves a row by its name: TestX14_26c_Seals is of X14-26c,
// TestX11_25_BJ17_28_Items of two. The state of a row is not typed in: with a test
// and nothing left to do it is tested, with both it is partly done, without a
// test it is open, and a row with neither is an error. A named system
// (systems.tsv) stands by the rows it needs and those of the surfaces
// (surfaces.tsv) that it uses. The test of this package refuses a test that
// names no row and a page that is not what this command writes.
package main

import (
	"fmt"
	"os"
	"path/filepath"
)

//go:generate go run .

const page = "docs/compliance.md"

func main() {
	if err := run("."); err != nil {
		fmt.Fprintln(os.Stderr, "compliance:", err)
		os.Exit(1)
	}
}

func run(from string) error {
	root, err := moduleRoot(from)
	if err != nil {
		return err
	}
	text, err := generate(root)
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(root, page), text, 0o644)
}

// moduleRoot is the nearest folder above that holds go.mod.
func moduleRoot(from string) (string, error) {
	dir, err := filepath.Abs(from)
	if err != nil {
		return "", err
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir, nil
		}
		up := filepath.Dir(dir)
		if up == dir {
			return "", fmt.Errorf("no go.mod above %s", from)
		}
		dir = up
	}
}

// generate is the page for the module at root.
func generate(root string) ([]byte, error) {
	t, err := loadTables()
	if err != nil {
		return nil, err
	}
	tests, err := findTests(root)
	if err != nil {
		return nil, err
	}
	if err := t.settle(tests); err != nil {
		return nil, err
	}
	return t.page(), nil
}
