// Package pdfviewtest gives tests a viewer that starts fast: the real engine,
// compiled once for all test programs of a person.
package pdfviewtest

import (
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"

	"github.com/yinxin-gov/yinxin/signer/pdfview"
)

// New is a viewer with the test's limits; it is closed at the end of the test.
func New(tb testing.TB, cfg pdfview.Config) *pdfview.Viewer {
	tb.Helper()
	dir, err := cache()
	if err != nil {
		tb.Fatalf("compile the engine: %v", err)
	}
	cfg.Cache = dir
	v := pdfview.New(cfg)
	tb.Cleanup(func() {
		if err := v.Close(); err != nil {
			tb.Error(err)
		}
	})
	return v
}

// cache is a private folder. A cache of another version or processor is not read
// but added to.
var cache = sync.OnceValues(func() (string, error) {
	base, err := os.UserCacheDir()
	if err != nil {
		base = os.TempDir()
	}
	dir := filepath.Join(base, "yinxin-tests", "pdfium")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", err
	}
	cmd := exec.Command("go", "run", "github.com/yinxin-gov/yinxin/signer/pdfview/pdfviewtest/warm", dir)
	cmd.Stderr = os.Stderr
	return dir, cmd.Run()
})
