package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/yinxin-gov/yinxin/internal/app"
	"github.com/yinxin-gov/yinxin/internal/store"
)

// newStoreCommand is what the refusals of the store tell an operator to run.
func newStoreCommand(u *ui) *cobra.Command {
	var dir, db string
	address := func() (store.Config, error) {
		s, err := app.LoadSettings(dir)
		if err != nil {
			return store.Config{}, err
		}
		if db != "" {
			s.DB = db
		}
		return store.Config{URL: app.Config{Settings: s, Dir: dir}.Store()}, app.CheckDB(db)
	}
	c := &cobra.Command{Use: "store", Short: u.words.Get("cli.store").Both()}
	migrate := &cobra.Command{
		Use: "migrate", Short: u.words.Get("cli.store.migrate").Both(), Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := address()
			if err != nil {
				return fail(err, startHint(err))
			}
			applied, err := store.Migrate(cmd.Context(), cfg)
			if err != nil {
				return fail(err, startHint(err))
			}
			if u.json {
				return u.printJSON(map[string]any{"applied": append([]string{}, applied...)})
			}
			u.say("cli.store.done", "n", fmt.Sprint(len(applied)))
			return nil
		},
	}
	unlock := &cobra.Command{
		Use: "unlock", Short: u.words.Get("cli.store.unlock").Both(), Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := address()
			if err != nil {
				return fail(err, startHint(err))
			}
			if err := store.Unlock(cmd.Context(), cfg); err != nil {
				return fail(err, startHint(err))
			}
			u.say("cli.store.unlocked")
			return nil
		},
	}
	for _, sub := range []*cobra.Command{migrate, unlock} {
		sub.Flags().StringVar(&dir, "dir", "yinxin-data", u.words.Get("cli.serve.dir").Both())
		sub.Flags().StringVar(&db, "db", "", u.words.Get("cli.init.db").Both())
		c.AddCommand(sub)
	}
	return c
}
