package sidecar

import (
	"errors"
	"fmt"
	"net"
	"os"
	"time"
)

// ErrSocket: the place of the socket cannot be used.
var ErrSocket = errors.New("sidecar: socket")

// socketMode lets the owner and one group ask, nobody else: connecting needs
// the permission to write.
const socketMode os.FileMode = 0o660

// Listen makes the decision socket; group -1 leaves the agent's own. What a run
// before left behind is replaced; a socket that answers, and a file that is no
// socket, are refused. It appears under its name with its permissions set.
func Listen(path string, group int) (net.Listener, error) {
	info, err := os.Lstat(path)
	switch {
	case errors.Is(err, os.ErrNotExist):
	case err != nil:
		return nil, fmt.Errorf("%w: %w", ErrSocket, err)
	case info.Mode().Type() != os.ModeSocket:
		return nil, fmt.Errorf("%w: %s is there and is no socket", ErrSocket, path)
	default:
		if c, err := net.DialTimeout("unix", path, time.Second); err == nil {
			return nil, errors.Join(fmt.Errorf("%w: somebody answers at %s", ErrSocket, path), c.Close())
		}
	}
	tmp := path + ".new"
	if err := os.Remove(tmp); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("%w: %w", ErrSocket, err)
	}
	ln, err := net.ListenUnix("unix", &net.UnixAddr{Name: tmp, Net: "unix"})
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrSocket, err)
	}
	ln.SetUnlinkOnClose(false) // it would take the first name
	err = os.Chmod(tmp, socketMode)
	if err == nil && group >= 0 {
		err = os.Chown(tmp, -1, group)
	}
	if err == nil {
		err = os.Rename(tmp, path)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("%w: %w", ErrSocket, err), ln.Close(), os.Remove(tmp))
	}
	return &socket{ln, path}, nil
}

// socket takes its name away when it closes.
type socket struct {
	*net.UnixListener
	path string
}

func (s *socket) Close() error { return errors.Join(s.UnixListener.Close(), os.Remove(s.path)) }
