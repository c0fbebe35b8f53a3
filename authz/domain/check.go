package domain

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/yinxin-gov/yinxin/authz/sandbox"
)

// Check runs a bundle's own tests and cases in a child that is ended afterwards. It
// returns every outcome, with *sandbox.GateError when nothing ran, *FailedError when
// one did not come out, or what stopped it. now is the time that cases are asked at.
func Check(ctx context.Context, cfg sandbox.Config, b Bundle, now time.Time) (out []sandbox.Tested, err error) {
	if err := b.Validate(); err != nil {
		return nil, err
	}
	src, err := b.source()
	if err != nil {
		return nil, err
	}
	run, err := sandbox.New(cfg, src)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, run.Close()) }()
	if out, err = run.Test(ctx); err != nil {
		return nil, err
	}
	for _, c := range b.Cases {
		if ctx.Err() != nil {
			return out, fmt.Errorf("%w: all cases together", sandbox.ErrTime)
		}
		t, err := tryCase(ctx, run, b, c, now)
		if err != nil {
			return out, err
		}
		out = append(out, t)
	}
	failed := &FailedError{}
	for _, t := range out {
		if !t.Pass {
			failed.Failed = append(failed.Failed, t)
		}
	}
	if len(failed.Failed) > 0 {
		return out, failed
	}
	return out, nil
}

func tryCase(ctx context.Context, run *sandbox.Runner, b Bundle, c Case, now time.Time) (t sandbox.Tested, err error) {
	t = sandbox.Tested{Name: c.Name}
	q, err := c.question()
	if err != nil {
		return t, err
	}
	in, err := b.input(q, now)
	var no misfit
	if errors.As(err, &no) {
		t.Pass, t.Detail = !c.Allow, string(no)
		return t, nil
	}
	if err != nil {
		return t, err
	}
	results, err := run.Eval(ctx, in)
	switch {
	case errors.Is(err, sandbox.ErrTime), errors.Is(err, sandbox.ErrEval), errors.Is(err, sandbox.ErrSize):
		t.Detail = err.Error()
		return t, nil
	case err != nil:
		return t, fmt.Errorf("case %q: %w", c.Name, err)
	}
	allow, why, ok := verdict(results)
	switch {
	case !ok:
		t.Detail = "allow is neither true nor false"
	case allow != c.Allow:
		t.Detail = fmt.Sprintf("allow is %t, not %t", allow, c.Allow)
		if len(why) > 0 {
			t.Detail += ": " + said(why)
		}
	default:
		t.Pass = true
	}
	return t, nil
}

// Gate judges and compiles the rules of a bundle and its tests, and runs nothing:
// *sandbox.GateError with what it refuses.
func Gate(ctx context.Context, cfg sandbox.Config, b Bundle) (err error) {
	if err := b.Validate(); err != nil {
		return err
	}
	src, err := b.source()
	if err != nil {
		return err
	}
	run, err := sandbox.New(cfg, src)
	if err != nil {
		return err
	}
	return errors.Join(run.Load(ctx), run.Close())
}
