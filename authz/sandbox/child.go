package sandbox

import (
	"context"
	"errors"
	"io"
	"os"
	"runtime"
	"runtime/debug"
	"strconv"
)

// Command is the first argument of a child: main calls Child when it sees it, before
// anything else.
const Command = "sandbox-child"

// maxStack ends a recursion long before the memory limit does.
const maxStack = 64 << 20

// Child is the whole life of a child process: it confines itself, then answers
// frames on in until that ends. args are what stands behind Command. It returns the
// exit code.
func Child(args []string, in io.Reader, out io.Writer) int {
	if err := childLimits(args); err != nil {
		_, _ = io.WriteString(os.Stderr, "sandbox: "+err.Error()+"\n") // the parent reads it
		return 2
	}
	var e *evaluator
	for {
		var q question
		if err := readFrame(in, &q, maxToChild); err != nil {
			if errors.Is(err, io.EOF) { // the parent is done
				return 0
			}
			return 2
		}
		a := answer{Failed: "no source"}
		switch {
		case q.Source != nil && e == nil:
			e, a = loaded(q)
		case e == nil:
		case q.Test:
			a = answer{Tests: e.test(context.Background())}
		default:
			a = e.eval(context.Background(), q.Input)
		}
		a.Used = spent()
		if err := writeFrame(out, a, maxFromChild); err != nil {
			return 2
		}
	}
}

var errArguments = errors.New("arguments are no limits")

func childLimits(args []string) error {
	if len(args) != 2 {
		return errArguments
	}
	memory, err := strconv.ParseUint(args[0], 10, 40)
	if err != nil {
		return errArguments
	}
	cpu, err := strconv.ParseUint(args[1], 10, 32)
	if err != nil {
		return errArguments
	}
	runtime.GOMAXPROCS(1)
	debug.SetMaxStack(maxStack)
	debug.SetMemoryLimit(int64(memory / 4 * 3)) // collect before the kernel says no
	return confine(memory, cpu)
}

// loaded is a compiled source, or why there is none.
func loaded(q question) (*evaluator, answer) {
	e, err := compile(context.Background(), *q.Source, q.Eval)
	var gate *GateError
	switch {
	case errors.As(err, &gate):
		return nil, answer{Gate: gate.Findings}
	case err != nil:
		return nil, answer{Failed: "source"}
	}
	return e, answer{}
}
