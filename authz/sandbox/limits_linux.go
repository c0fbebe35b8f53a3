package sandbox

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"
)

func supported() error { return nil }

// self is the very program that runs, also after its file was replaced by a newer one.
const self = "/proc/self/exe"

// alone: a process group of its own, which dies with the thread that made it.
func alone() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}

func killGroup(p *os.Process) {
	_ = syscall.Kill(-p.Pid, syscall.SIGKILL) // gone already is what we want
}

// Of a child that needs three pipes and what the runtime opens.
const (
	maxFiles  = 16
	arenas    = 256 << 20 // address space that the runtime reserves ahead, and no memory
	childNice = 10        // others' policies never outrun the house
)

// closeInherited closes what the parent's own parent left open: Go closes what it
// opened itself, no more. The runtime's own files stay.
func closeInherited() error {
	fds, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return err
	}
	for _, e := range fds {
		fd, err := strconv.Atoi(e.Name())
		if err != nil || fd <= 2 {
			continue
		}
		to, err := os.Readlink("/proc/self/fd/" + e.Name())
		if err != nil || strings.HasPrefix(to, "anon_inode:") || strings.HasPrefix(to, "/sys/") {
			continue // gone again, or of the runtime
		}
		if err := syscall.Close(fd); err != nil {
			return fmt.Errorf("closing %s: %w", to, err)
		}
	}
	return nil
}

// confine sets the limits of this process, which are over what it takes already:
// RLIMIT_DATA is what bounds the memory of a Go program (writable mappings);
// RLIMIT_AS alone would count what the runtime merely reserves.
func confine(memory uint64, cpuSeconds uint64) error {
	if err := closeInherited(); err != nil {
		return err
	}
	data, err := mapped("VmData:")
	if err != nil {
		return err
	}
	space, err := mapped("VmSize:")
	if err != nil {
		return err
	}
	for _, l := range []struct {
		what  int
		limit uint64
	}{
		{syscall.RLIMIT_CORE, 0}, {syscall.RLIMIT_FSIZE, 0}, {syscall.RLIMIT_NOFILE, maxFiles},
		{syscall.RLIMIT_CPU, cpuSeconds}, {syscall.RLIMIT_DATA, data + memory}, {syscall.RLIMIT_AS, space + memory + arenas},
	} {
		if err := syscall.Setrlimit(l.what, &syscall.Rlimit{Cur: l.limit, Max: l.limit}); err != nil {
			return fmt.Errorf("limit %d: %w", l.what, err)
		}
	}
	return syscall.Setpriority(syscall.PRIO_PROCESS, 0, childNice)
}

// mapped reads a size of this process, in bytes.
func mapped(name string) (size uint64, err error) {
	f, err := os.Open("/proc/self/status")
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	for s := bufio.NewScanner(f); s.Scan(); {
		if rest, is := strings.CutPrefix(s.Text(), name); is {
			kb, err := strconv.ParseUint(strings.TrimSpace(strings.TrimSuffix(rest, "kB")), 10, 54)
			return kb << 10, err
		}
	}
	return 0, fmt.Errorf("no %s in the status of the process", name)
}

// spent is the processor time of this process.
func spent() time.Duration {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
