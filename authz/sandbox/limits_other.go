//go:build !linux

package sandbox

import (
	"os"
	"syscall"
	"time"
)

// supported refuses: without a bound of memory nothing of others is evaluated.
func supported() error { return ErrPlatform }

const self = "" // never reached: see supported

func alone() *syscall.SysProcAttr { return nil }

func killGroup(p *os.Process) { _ = p.Kill() } // as self

func confine(uint64, uint64) error { return ErrPlatform }

func spent() time.Duration { return 0 }
