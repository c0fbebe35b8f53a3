package demo

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/yinxin-gov/yinxin/internal/keys/keystest"
	"github.com/yinxin-gov/yinxin/internal/text"
)

var bg = context.Background()

// told is what a program would print or log, kept.
type told struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *told) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

func (l *told) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}

// running is one demo that serves, for all tests that only look at one.
type running struct {
	*Demo
	walk *walk
	dir  string
	out  string // transcript
	log  *told
	bin  string // the built program
}

// shared runs the demo once for the package.
var shared = sync.OnceValues(func() (*running, error) {
	dir, err := os.MkdirTemp("", "yinxin-demo")
	if err != nil {
		return nil, err
	}
	r, err := start(dir, "")
	if err != nil {
		return nil, err
	}
	// Where `go test` runs there is a go command.
	r.bin = filepath.Join(dir, "bin", "yinxin")
	if out, err := exec.Command("go", "build", "-o", r.bin, "../../cmd/yinxin").CombinedOutput(); err != nil {
		return nil, fmt.Errorf("%w: %s", err, out)
	}
	return r, nil
})

// TestMain ends the shared demo; its folder is removed when all is well.
func TestMain(m *testing.M) {
	code := m.Run()
	if sharedUsed {
		if r, err := shared(); err == nil {
			if err := r.Close(); err != nil {
				fmt.Fprintln(os.Stderr, err)
				code = 1
			}
			_ = os.RemoveAll(filepath.Dir(r.dir))
		}
	}
	os.Exit(code)
}

var sharedUsed bool // a run of other tests only must not start a demo to end it

func demo(t *testing.T) *running {
	t.Helper()
	sharedUsed = true
	r, err := shared()
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// start runs a demo below dir.
func start(dir, doc string) (*running, error) {
	words, err := text.Load()
	if err != nil {
		return nil, err
	}
	var out told
	r := &running{dir: filepath.Join(dir, "yinxin-data"), log: &told{}}
	r.walk = newWalk(Config{
		Dir: r.dir, Doc: doc, Listen: "127.0.0.1:0", Out: &out, Words: words, Work: keystest.Work(),
		Log: slog.New(slog.NewTextHandler(r.log, &slog.HandlerOptions{Level: slog.LevelDebug - 4})),
	})
	if r.Demo, err = r.walk.run(bg); err != nil {
		return nil, fmt.Errorf("%w\n%s", err, out.String())
	}
	r.out = out.String()
	return r, nil
}

// sh runs a line as a person would, and returns stdout.
func sh(t *testing.T, line string) string {
	t.Helper()
	var errs bytes.Buffer
	c := exec.Command("sh", "-c", line)
	c.Stderr = &errs
	out, err := c.Output()
	if err != nil {
		t.Fatalf("%s\n%v: %s%s", line, err, errs.String(), out)
	}
	return string(out)
}

func ok(tb testing.TB, err error) {
	tb.Helper()
	if err != nil {
		tb.Fatal(err)
	}
}

// needs skips loudly without a program; under CI=true that is a failure.
func needs(t *testing.T, program string) {
	t.Helper()
	if _, err := exec.LookPath(program); err == nil {
		return
	}
	if os.Getenv("CI") == "true" {
		t.Fatalf("no %s, and CI=true forbids to skip", program)
	}
	t.Skipf("SKIPPED, NO %s: run deploy/testing/install-servers.sh", program)
}

func lines(s string) []string { return strings.Split(strings.TrimRight(s, "\n"), "\n") }
