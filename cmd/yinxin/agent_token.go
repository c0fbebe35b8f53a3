package main

import (
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/yinxin-gov/yinxin/internal/agent"
)

// newAgentToken draws an access token for programs of this machine: alone on
// standard output, for nobody to read on a terminal by chance.
func newAgentToken(u *ui, f *agentFlags) *cobra.Command {
	var o agent.TokenOrder
	cmd := &cobra.Command{
		Use: "token", Short: u.words.Get("agent.token.short").Both(), Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if o.Life < 0 || o.Life%time.Second != 0 {
				return fail(errors.New("--lifetime is a number of seconds"), "agent.hint.access_token")
			}
			a, err := f.open()
			if err != nil {
				return err
			}
			defer a.Close()
			t, err := a.Token(cmd.Context(), o)
			var no *agent.ProblemError
			if errors.As(err, &no) {
				return fail(err, "agent.hint.access_token")
			}
			if err != nil {
				return hinted(err)
			}
			if u.json {
				return u.printJSON(t)
			}
			fmt.Fprintln(u.out, t.Token)
			return nil
		},
	}
	cmd.Flags().StringVar(&o.Audience, "audience", "", u.words.Get("agent.flag.audience").Both())
	cmd.Flags().StringSliceVar(&o.Scope, "scope", nil, u.words.Get("agent.flag.scope").Both())
	cmd.Flags().StringVar(&o.Algorithm, "alg", "", u.words.Get("agent.flag.alg").Both())
	cmd.Flags().DurationVar(&o.Life, "lifetime", 0, u.words.Get("agent.flag.lifetime").Both())
	return cmd
}
