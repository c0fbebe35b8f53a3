// Command yinxin is the whole house in one binary: certificate authority,
// seals, decisions, grading records and the access ledger (印信).
//
// A command is thin: it parses, calls a room, and prints. Rules of the surface
// stand at the top of ui.go.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"github.com/yinxin-gov/yinxin/authz/sandbox"
)

func main() {
	if len(os.Args) > 1 && os.Args[1] == sandbox.Command { // not a command for people: see package sandbox
		os.Exit(sandbox.Child(os.Args[2:], os.Stdin, os.Stdout))
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	// The TLCP library prints each failed handshake to os.Stdout; what people and
	// programs read there is ours alone.
	out := os.Stdout
	os.Stdout = os.Stderr
	code := run(ctx, os.Args[1:], os.Stdin, out, os.Stderr)
	stop()
	os.Exit(code)
}
