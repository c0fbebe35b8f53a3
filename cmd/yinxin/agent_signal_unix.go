//go:build unix

package main

import (
	"os"
	"syscall"
)

// reloadSignals are those that programs read their files again for; none ends a
// program that reloads at all.
func reloadSignals() map[string]os.Signal {
	return map[string]os.Signal{"HUP": syscall.SIGHUP, "USR1": syscall.SIGUSR1, "USR2": syscall.SIGUSR2}
}
