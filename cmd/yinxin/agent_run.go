package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"slices"

	"github.com/spf13/cobra"

	"github.com/yinxin-gov/yinxin/internal/agent"
	"github.com/yinxin-gov/yinxin/internal/agent/sidecar"
)

// runFlags are those of `agent run`.
type runFlags struct {
	socket, socketGroup       string
	pidFile, signal           string
	command                   []string
	once, force, keepKey, dbg bool
}

// newAgentRun is the sidecar: see internal/agent/sidecar.
func newAgentRun(u *ui, f *agentFlags) *cobra.Command {
	var r runFlags
	cmd := &cobra.Command{
		Use: "run [-- PROGRAM ARGUMENT…]", Short: u.words.Get("agent.run.short").Both(),
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 && cmd.ArgsLenAtDash() != 0 {
				return fail(fmt.Errorf("%q: what reloads stands after --", args[0]), "agent.hint.reload")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			r.command = args
			if err := r.check(); err != nil {
				return fail(err, "agent.hint.run")
			}
			reload, err := r.reload()
			if err != nil {
				return fail(err, "agent.hint.reload")
			}
			cfg, err := f.joined()
			if err != nil {
				return err
			}
			k, err := agent.Keep(cfg, r.keepKey)
			if err != nil {
				return hinted(err)
			}
			defer k.Close()
			level := slog.LevelInfo
			if r.dbg {
				level = slog.LevelDebug
			}
			log := slog.New(slog.NewTextHandler(u.err, &slog.HandlerOptions{Level: level}))
			s, err := sidecar.New(sidecar.Config{
				System: k, Reload: reload, Status: statusFile(f.dir), Log: log, Draw: rand.Float64, Notify: sidecar.Manager(os.Getenv, os.Getpid()), Closing: k.Closing,
			})
			if err != nil {
				return fail(err, "agent.hint.run")
			}
			if r.once {
				return r.oneStep(cmd.Context(), u, s, f.dir)
			}
			return r.serve(cmd.Context(), u, s, sidecar.Decisions{House: k, Words: u.words, Log: log})
		},
	}
	for _, flag := range []struct {
		into        *string
		name, value string
	}{{&r.socket, "socket", ""}, {&r.socketGroup, "socket-group", ""}, {&r.pidFile, "reload-pid", ""}, {&r.signal, "reload-signal", "HUP"}} {
		cmd.Flags().StringVar(flag.into, flag.name, flag.value, u.words.Get("agent.flag."+flag.name).Both())
	}
	for _, flag := range []struct {
		into *bool
		name string
	}{{&r.once, "once"}, {&r.force, "force"}, {&r.keepKey, "keep-key"}, {&r.dbg, "debug"}} {
		cmd.Flags().BoolVar(flag.into, flag.name, false, u.words.Get("agent.flag."+flag.name).Both())
	}
	return cmd
}

func statusFile(dir string) sidecar.File { return sidecar.File(filepath.Join(dir, "status.json")) }

func (r runFlags) check() error {
	switch {
	case r.pidFile != "" && len(r.command) > 0:
		return errors.New("--reload-pid and a program after -- exclude one another")
	case r.force && !r.once:
		return errors.New("--force needs --once")
	case r.once && r.socket != "":
		return errors.New("--once and --socket exclude one another")
	case r.socketGroup != "" && r.socket == "":
		return errors.New("--socket-group needs --socket")
	}
	return nil
}

// reload is how the served program is told of new files; nil: it is not.
func (r runFlags) reload() (func(context.Context) error, error) {
	switch {
	case len(r.command) > 0:
		if !filepath.IsAbs(r.command[0]) || slices.Contains(r.command, "") {
			return nil, errors.New("the program after -- is named by its whole path, and no argument is empty")
		}
		return sidecar.Command(r.command), nil
	case r.pidFile != "":
		sig, ok := reloadSignals()[r.signal]
		if !ok {
			return nil, fmt.Errorf("--reload-signal %q: not one of HUP, USR1, USR2", r.signal)
		}
		return sidecar.Signal(r.pidFile, sig), nil
	}
	return nil, nil
}

// oneStep does what is due now, for cron and for a hand: exit 1 when something
// stays undone.
func (r runFlags) oneStep(ctx context.Context, u *ui, s *sidecar.Sidecar, dir string) error {
	step := func(ctx context.Context) error {
		_, err := s.Step(ctx)
		return err
	}
	if r.force {
		step = s.Force
	}
	if err := step(ctx); err != nil {
		return hinted(err)
	}
	if err := s.Failures(); err != nil {
		return &exitError{code: exitInvalid, err: err, hint: "agent.hint.status"}
	}
	if u.json {
		st, err := statusFile(dir).Read()
		if err != nil {
			return fail(err, "agent.hint.files")
		}
		return u.printJSON(st)
	}
	u.say("agent.run.done")
	return nil
}

// serve renews and answers on the socket until the process is told to end. When
// one of the two ends, so does the other.
func (r runFlags) serve(ctx context.Context, u *ui, s *sidecar.Sidecar, d sidecar.Decisions) error {
	if r.socket == "" {
		return s.Run(ctx)
	}
	group := -1
	var err error
	if r.socketGroup != "" {
		if group, err = lookupGroup(r.socketGroup); err != nil {
			return fail(fmt.Errorf("--socket-group: %w", err), "agent.hint.socket")
		}
	}
	var ln net.Listener
	if ln, err = sidecar.Listen(r.socket, group); err != nil {
		return fail(err, "agent.hint.socket")
	}
	fmt.Fprintln(u.out, u.words.Get("agent.run.socket").Fill("socket", r.socket).Both())
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	served := make(chan error, 1)
	go func() {
		defer stop()
		served <- d.Serve(ctx, ln)
	}()
	err = s.Run(ctx)
	stop()
	return errors.Join(err, <-served)
}
