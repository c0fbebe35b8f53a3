package ofd

import (
	"os"
	"path/filepath"
	"testing"
)

// corpus returns the folder of the development corpus or skips the test; it fails
// when YINXIN_CORPUS promises one that is not there.
func corpus(tb testing.TB) string {
	tb.Helper()
	if dir := os.Getenv("YINXIN_CORPUS"); dir != "" {
		if _, err := os.Stat(filepath.Join(dir, "ofd", "CORPUS.tsv")); err != nil {
			tb.Fatalf("YINXIN_CORPUS is set but: %v", err)
		}
		return filepath.Join(dir, "ofd")
	}
	dir := filepath.Join("..", "..", "..", "shared", "corpus", "ofd")
	if _, err := os.Stat(filepath.Join(dir, "CORPUS.tsv")); err != nil {
		tb.Skip("no OFD corpus beside the repository and YINXIN_CORPUS is not set")
	}
	return dir
}

func corpusFiles(tb testing.TB, pattern string) []string {
	tb.Helper()
	files, err := filepath.Glob(filepath.Join(corpus(tb), pattern))
	if err != nil || len(files) == 0 {
		tb.Fatalf("corpus %s: %d files, %v", pattern, len(files), err)
	}
	return files
}

func read(tb testing.TB, path string) []byte {
	tb.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		tb.Fatal(err)
	}
	return b
}
