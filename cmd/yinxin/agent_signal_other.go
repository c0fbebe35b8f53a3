//go:build !unix

package main

import "os"

// reloadSignals: there are none here; a command reloads.
func reloadSignals() map[string]os.Signal { return nil }
