package main

import (
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/yinxin-gov/yinxin/internal/app"
)

// newKeySuccession shows the house's own authorities: which generation issues,
// and which one waits for what. It reads the store; the house may be serving.
func newKeySuccession(u *ui) *cobra.Command {
	var dir string
	c := &cobra.Command{
		Use: "succession", Short: u.words.Get("succession.cli.short").Both(), Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			s, err := app.LoadSettings(dir)
			if err != nil {
				return fail(err, startHint(err))
			}
			all, err := app.Succession(cmd.Context(), app.Config{Settings: s, Dir: dir})
			if err != nil {
				return fail(err, startHint(err))
			}
			if u.json {
				return u.printJSON(map[string]any{"generations": all})
			}
			for _, g := range all {
				state := u.words.Get("succession.state." + g.State).Both()
				fmt.Fprintf(u.out, "G%d  %s  %s\n", g.Number, state, g.Since.Format(time.RFC3339))
				for _, a := range g.Authorities {
					fmt.Fprintf(u.out, "  %-6s %-13s %s\n         SM3 %s\n         %s – %s\n", a.Track, a.Kind, a.Subject, a.SM3, a.From.Format(time.DateOnly), a.Until.Format(time.DateOnly))
				}
			}
			return nil
		},
	}
	c.Flags().StringVar(&dir, "dir", "yinxin-data", u.words.Get("cli.serve.dir").Both())
	return c
}
