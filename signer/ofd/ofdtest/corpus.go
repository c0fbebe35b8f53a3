// Package ofdtest finds the OFD corpus for tests: files of other vendors, real and
// hostile, which do not belong to this repository (CONTRIBUTING.md).
package ofdtest

import (
	"os"
	"path/filepath"
	"testing"
)

// Corpus is the folder ofd/ of the corpus. Without one the test is skipped, the
// one permitted skip.
func Corpus(tb testing.TB) string {
	tb.Helper()
	dir := Find(tb)
	if dir == "" {
		tb.Skip("SKIPPED: no OFD corpus (YINXIN_CORPUS or ../shared/corpus)")
	}
	return dir
}

// Find is Corpus for a test that has other work too: it answers "" when there is
// no corpus. A YINXIN_CORPUS that names none fails the test, so that CI cannot
// lose the corpus unseen.
func Find(tb testing.TB) string {
	tb.Helper()
	if named := os.Getenv("YINXIN_CORPUS"); named != "" {
		dir := filepath.Join(named, "ofd")
		if _, err := os.Stat(filepath.Join(dir, "CORPUS.tsv")); err != nil {
			tb.Fatalf("YINXIN_CORPUS is set, but: %v", err)
		}
		return dir
	}
	dir := filepath.Join(root(tb), "..", "shared", "corpus", "ofd")
	if _, err := os.Stat(filepath.Join(dir, "CORPUS.tsv")); err != nil {
		return ""
	}
	return dir
}

// root is the folder of go.mod: a test runs in the folder of its package.
func root(tb testing.TB) string {
	tb.Helper()
	dir, err := os.Getwd()
	if err != nil {
		tb.Fatal(err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir
		}
		up := filepath.Dir(dir)
		if up == dir {
			tb.Fatal("no go.mod above the working folder")
		}
		dir = up
	}
}
