package main

import (
	"github.com/spf13/cobra"

	"github.com/yinxin-gov/yinxin/internal/app"
)

// newKeyCommand is the life of keys in custody.
func newKeyCommand(u *ui) *cobra.Command {
	c := &cobra.Command{Use: "key", Short: u.words.Get("kmc.cli.short").Both()}
	c.AddCommand(newKeyRotate(u), newCeremony(u))
	return c
}

// newKeyRotate makes a new key-encryption key for the escrowed keys. It touches
// the data folder only; the house wraps them anew after its next start.
func newKeyRotate(u *ui) *cobra.Command {
	var dir string
	c := &cobra.Command{
		Use: "rotate-kek", Short: u.words.Get("kmc.cli.rotate").Both(), Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			s, err := app.LoadSettings(dir)
			if err != nil {
				return fail(err, startHint(err))
			}
			got, err := app.RotateKEK(cmd.Context(), u.house(s, dir))
			if err != nil {
				return fail(err, startHint(err))
			}
			if u.json {
				return u.printJSON(got)
			}
			u.say("kmc.cli.rotated", "now", got.Now, "former", got.Former)
			return nil
		},
	}
	c.Flags().StringVar(&dir, "dir", "yinxin-data", u.words.Get("cli.serve.dir").Both())
	return c
}
