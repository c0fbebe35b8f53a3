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
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}
