package main

import (
	"strings"

	"github.com/spf13/cobra"

	"github.com/yinxin-gov/yinxin/internal/agent"
)

// newAgentRecover fetches the encryption keys that were recovered for the system.
func newAgentRecover(u *ui, f *agentFlags) *cobra.Command {
	return &cobra.Command{
		Use: "recover", Short: u.words.Get("kmc.agent.short").Both(), Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			a, err := f.open()
			if err != nil {
				return err
			}
			defer a.Close()
			list, err := a.Recoveries(cmd.Context())
			if err != nil {
				return hinted(err)
			}
			done, waiting := []agent.Recovered{}, []string{}
			for _, r := range list {
				switch r.State {
				case "asked", "checked":
					waiting = append(waiting, r.ID)
				case "approved", "delivered": // one that came and could not be opened is opened now
					if r.State == "delivered" && !a.Kept(r) {
						continue
					}
					got, err := a.Recover(cmd.Context(), r)
					if err != nil {
						return hinted(err)
					}
					done = append(done, got)
				}
			}
			if u.json {
				return u.printJSON(map[string]any{"recovered": done, "waiting": waiting})
			}
			for _, got := range done {
				u.line("", "kmc.agent.done", data("serial", got.Serial), data("file", got.Key))
			}
			if len(waiting) > 0 {
				u.line("", "kmc.agent.waiting", data("ids", strings.Join(waiting, " ")))
			} else if len(done) == 0 {
				u.say("kmc.agent.none")
			}
			return nil
		},
	}
}
