//go:build !unix

package agent

import "context"

// lock does nothing where there is no flock: one process a folder is the
// operator's duty there.
func lock(context.Context, string) (unlock func(), err error) { return func() {}, nil }
