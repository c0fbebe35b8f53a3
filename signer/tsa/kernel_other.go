//go:build !linux

package tsa

import (
	"errors"
	"time"
)

// Kernel cannot tell on this system.
func Kernel(time.Duration) error {
	return errors.New("tsa: this system does not say whether its clock is synchronised")
}
