package sidecar

import (
	"fmt"
	"net"
	"syscall"
)

// peer says who connected, for the log only: the permissions of the socket
// decide who may.
func peer(c net.Conn) (string, bool) {
	u, ok := c.(*net.UnixConn)
	if !ok {
		return "", false
	}
	raw, err := u.SyscallConn()
	if err != nil {
		return "", false
	}
	var cred *syscall.Ucred
	var serr error
	if err := raw.Control(func(fd uintptr) {
		cred, serr = syscall.GetsockoptUcred(int(fd), syscall.SOL_SOCKET, syscall.SO_PEERCRED)
	}); err != nil || serr != nil {
		return "", false
	}
	return fmt.Sprintf("pid %d uid %d gid %d", cred.Pid, cred.Uid, cred.Gid), true
}
