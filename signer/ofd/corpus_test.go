package ofd

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/yinxin-gov/yinxin/signer/ofd/ofdtest"
)

func corpusFiles(tb testing.TB, pattern string) []string {
	tb.Helper()
	files, err := filepath.Glob(filepath.Join(ofdtest.Corpus(tb), pattern))
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
