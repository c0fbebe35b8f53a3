package sandbox

import (
	"os"
	"strings"
	"syscall"
	"testing"
)

// The child is alone: no environment, no file but its pipes, its own group, its
// limits, and it ends when the parent closes its pipe.
func TestChildIsConfined(t *testing.T) {
	t.Setenv("YINXIN_SECRET", "1")
	r := runner(t, Config{}, source(head))
	if err := r.Load(t.Context()); err != nil {
		t.Fatal(err)
	}
	pid := r.child.cmd.Process.Pid
	dir := "/proc/" + itoa(pid)
	if env, err := os.ReadFile(dir + "/environ"); err != nil || len(env) != 0 {
		t.Errorf("environment %q %v", env, err)
	}
	if group, err := syscall.Getpgid(pid); err != nil || group != pid {
		t.Errorf("group %d of %d, %v", group, pid, err)
	}
	limits, err := os.ReadFile(dir + "/limits")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"Max cpu time", "Max data size", "Max address space", "Max file size", "Max core file size", "Max open files"} {
		_, line, _ := strings.Cut(string(limits), name)
		line, _, _ = strings.Cut(line, "\n")
		if f := strings.Fields(line); len(f) < 2 || f[0] == "unlimited" || f[0] != f[1] {
			t.Errorf("%s:%s", name, line)
		}
	}
	fds, err := os.ReadDir(dir + "/fd")
	if err != nil {
		t.Fatal(err)
	}
	for _, fd := range fds {
		if to, err := os.Readlink(dir + "/fd/" + fd.Name()); err == nil && !strings.HasPrefix(to, "pipe:") && !strings.HasPrefix(to, "anon_inode:") && !strings.HasPrefix(to, "/sys/fs/cgroup/") {
			t.Errorf("open: %s", to)
		}
	}
	if err := r.child.in.Close(); err != nil {
		t.Fatal(err)
	}
	<-r.child.done
}
