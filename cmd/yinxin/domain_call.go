package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/yinxin-gov/yinxin/authz/domain"
	"github.com/yinxin-gov/yinxin/internal/agent"
	"github.com/yinxin-gov/yinxin/internal/api/wire"
	"github.com/yinxin-gov/yinxin/internal/text"
)

// domainCall runs one call as the system of the folder, and prints its version.
func (u *ui) domainCall(ctx context.Context, f *agentFlags, do func(context.Context, *agent.Agent) (wire.DomainVersion, error)) error {
	a, err := f.open()
	if err != nil {
		return err
	}
	defer a.Close()
	v, err := do(ctx, a)
	if err != nil {
		return u.refusedDomain(err)
	}
	if u.json {
		return u.printJSON(v)
	}
	u.printVersion(v)
	return nil
}

// refusedDomain shows what the house found in a bundle.
func (u *ui) refusedDomain(err error) error {
	var p *agent.ProblemError
	if errors.As(err, &p) && len(p.Fields) > 0 && !u.json {
		for _, f := range p.Fields {
			fmt.Fprintf(u.err, "✗ %s  %s\n", text.Plain(f.Location), text.Plain(f.Message))
		}
	}
	return hinted(err)
}

func (u *ui) printVersion(v wire.DomainVersion) {
	fmt.Fprintf(u.out, "%s  %s  %s  %s  SM3 %s  %s\n", v.ID, text.Plain(v.Domain), u.words.Get("domain.state."+v.State).Both(), v.AskedAt.UTC().Format(time.RFC3339), v.Digest, text.Plain(v.Name))
}

func newDomainPropose(u *ui, f *agentFlags) *cobra.Command {
	return &cobra.Command{
		Use: "propose DIR", Short: u.words.Get("domain.cmd.propose").Both(), Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			b, err := draftIn(args[0])
			if err != nil {
				return err
			}
			raw, err := b.Canonical()
			if err != nil {
				return fail(err, domainHint(err))
			}
			return u.domainCall(cmd.Context(), f, func(ctx context.Context, a *agent.Agent) (wire.DomainVersion, error) {
				return a.ProposeDomain(ctx, raw)
			})
		},
	}
}

func newDomainRestore(u *ui, f *agentFlags) *cobra.Command {
	return &cobra.Command{
		Use: "restore ID", Short: u.words.Get("domain.cmd.restore").Both(), Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return u.domainCall(cmd.Context(), f, func(ctx context.Context, a *agent.Agent) (wire.DomainVersion, error) {
				return a.RestoreDomain(ctx, args[0])
			})
		},
	}
}

func newDomainWithdraw(u *ui, f *agentFlags) *cobra.Command {
	var reason string
	cmd := &cobra.Command{
		Use: "withdraw ID --reason TEXT", Short: u.words.Get("domain.cmd.withdraw").Both(), Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return u.domainCall(cmd.Context(), f, func(ctx context.Context, a *agent.Agent) (wire.DomainVersion, error) {
				return a.WithdrawDomain(ctx, args[0], reason)
			})
		},
	}
	cmd.Flags().StringVar(&reason, "reason", "", u.words.Get("domain.flag.reason").Both())
	require(cmd, "reason")
	return cmd
}

func newDomainList(u *ui, f *agentFlags) *cobra.Command {
	return &cobra.Command{
		Use: "list", Short: u.words.Get("domain.cmd.list").Both(), Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			a, err := f.open()
			if err != nil {
				return err
			}
			defer a.Close()
			all, err := a.Domains(cmd.Context())
			if err != nil {
				return hinted(err)
			}
			if u.json {
				return u.printJSON(map[string][]wire.DomainVersion{"versions": all})
			}
			for _, v := range all {
				u.printVersion(v)
			}
			if len(all) == 0 {
				u.say("domain.page.none")
			}
			return nil
		},
	}
}

func newDomainExport(u *ui, f *agentFlags) *cobra.Command {
	var out string
	cmd := &cobra.Command{
		Use: "export ID --out FILE", Short: u.words.Get("domain.cmd.export").Both(), Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := free(out, false); err != nil {
				return fail(err, "sign.hint.output")
			}
			a, err := f.open()
			if err != nil {
				return err
			}
			defer a.Close()
			raw, err := a.DomainBundle(cmd.Context(), args[0])
			if err != nil {
				return hinted(err)
			}
			b, err := domain.Parse(raw)
			if err != nil {
				return fail(err, "agent.hint.server")
			}
			return u.exported(out, raw, b.Digest())
		},
	}
	cmd.Flags().StringVar(&out, "out", "", u.words.Get("domain.flag.out").Both())
	require(cmd, "out")
	return cmd
}

func (u *ui) exported(out string, raw json.RawMessage, digest string) error {
	if err := writeMode(out, raw, 0o644, false); err != nil {
		return fail(err, "sign.hint.output")
	}
	if u.json {
		return u.printJSON(map[string]string{"out": out, "digest_sm3": digest})
	}
	u.say("domain.packed", "out", out, "digest", digest)
	return nil
}
