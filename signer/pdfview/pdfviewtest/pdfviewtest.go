// Package pdfviewtest gives tests a viewer that starts fast: the real engine,
// compiled once for all test programs of a person.
package pdfviewtest

import (
	"errors"
	"os"
	"os/exec"
	"sync"
	"testing"

	"github.com/yinxin-gov/yinxin/signer/pdfview"
)

// New is a viewer with the test's limits; it is closed at the end of the test.
func New(tb testing.TB, cfg pdfview.Config) *pdfview.Viewer {
	tb.Helper()
	Warm(tb)
	cfg.Cache = pdfview.UserCache()
	v := pdfview.New(cfg)
	tb.Cleanup(func() {
		if err := v.Close(); err != nil {
			tb.Error(err)
		}
	})
	return v
}

// cache is the person's own, as the commands use it. A cache of another version or
// processor is not read but added to.
var cache = sync.OnceValues(func() (string, error) {
	dir := pdfview.UserCache()
	if dir == "" {
		return "", errors.New("no private folder for a cache: is HOME set?")
	}
	cmd := exec.Command("go", "run", "github.com/yinxin-gov/yinxin/signer/pdfview/pdfviewtest/warm", dir)
	cmd.Stderr = os.Stderr
	return dir, cmd.Run()
})

// Warm prepares the cache for commands that use it themselves.
func Warm(tb testing.TB) {
	tb.Helper()
	if _, err := cache(); err != nil {
		tb.Fatalf("compile the engine: %v", err)
	}
}
