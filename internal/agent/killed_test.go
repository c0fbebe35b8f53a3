package agent

import (
	"bytes"
	"errors"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// killedEnv tells the child of TestEnrol_Killed what to do.
const killedEnv = "YINXIN_TEST_KILLED"

// SIGKILL at the worst moments: the house has made the pair and its answer is not
// read yet, or it signs the second track. A process of its own, without a chance
// to clean up.
func TestEnrol_Killed(t *testing.T) {
	if at := os.Getenv(killedEnv); at != "" {
		cfg, err := Load(filepath.Join(at, "told"))
		if err != nil {
			t.Fatal(err)
		}
		cfg.Dir = filepath.Join(at, "civil-a")
		_, err = Enrol(t.Context(), cfg, token)
		t.Fatalf("it lived: %v", err)
	}
	for name, stand := range map[string]func(h *house, wait func()){
		"before it read the answer": func(h *house, wait func()) { h.early = wait },
		"between the tracks": func(h *house, wait func()) {
			h.sign = func(http.ResponseWriter, *http.Request) bool { wait(); return true }
		},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHouse(t)
			at := t.TempDir()
			told := h.config(filepath.Join(at, "told"))
			h.must(os.Mkdir(told.Dir, 0o700))
			h.must(told.remember())
			child := exec.Command(os.Args[0], "-test.run=^TestEnrol_Killed$")
			child.Env = append(os.Environ(), killedEnv+"="+at)
			asked, gone := make(chan struct{}), make(chan struct{})
			h.set(func() {
				stand(h, func() {
					close(asked)
					<-gone
				})
			})
			out := new(strings.Builder)
			child.Stdout, child.Stderr = out, out
			if err := child.Start(); err != nil {
				t.Fatal(err)
			}
			<-asked
			h.must(child.Process.Kill())
			if err := child.Wait(); err == nil || child.ProcessState.Exited() {
				t.Errorf("%v: %s", err, out)
			}
			close(gone)
			dir := filepath.Join(at, "civil-a")
			if _, err := os.Stat(filepath.Join(dir, FileSignKey)); !errors.Is(err, os.ErrNotExist) {
				t.Errorf("half an enrolment is in force: %v", err)
			}
			h.early, h.sign = nil, nil
			a, err := Enrol(t.Context(), h.config(dir), token)
			if err != nil {
				t.Fatal(err)
			}
			defer a.Close()
			if !a.m.sign.PublicKey.Equal(h.enrolled) || !bytes.Equal(a.signs[0].Raw, h.enrolment.pair.SignCert) {
				t.Error("another pair than the one that was made")
			}
		})
	}
}
