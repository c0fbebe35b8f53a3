package main

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"os"

	"github.com/spf13/cobra"

	"github.com/yinxin-gov/yinxin/authz/ledger"
	"github.com/yinxin-gov/yinxin/internal/app"
	"github.com/yinxin-gov/yinxin/internal/keys"
	"github.com/yinxin-gov/yinxin/internal/store"
	"github.com/yinxin-gov/yinxin/signer/tsa"
)

func newServeCommand(u *ui) *cobra.Command {
	var dir, db, listen string
	c := &cobra.Command{
		Use:   "serve",
		Short: u.words.Get("cli.serve").Both(),
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			s, err := app.LoadSettings(dir)
			if err != nil {
				return fail(err, startHint(err))
			}
			if db != "" {
				if err := app.CheckDB(db); err != nil {
					return fail(err, startHint(err))
				}
				s.DB = db
			}
			if listen != "" {
				s.Listen = listen
			}
			// Listen first: a taken port is found before anything is opened.
			ls, err := listeners(s)
			if err != nil {
				return fail(err, "cli.hint.listen")
			}
			cfg := u.house(s, dir)
			cfg.Log = slog.New(slog.NewTextHandler(u.err, nil))
			h, err := app.Open(cmd.Context(), cfg)
			if err != nil {
				return fail(errors.Join(err, ls.Close()), startHint(err))
			}
			fmt.Fprintln(u.out, u.words.Get("cli.serving").Fill("url", "https://"+s.Public).Both())
			return errors.Join(h.ServeAll(cmd.Context(), ls), h.Close())
		},
	}
	c.Flags().StringVar(&dir, "dir", "yinxin-data", u.words.Get("cli.serve.dir").Both())
	c.Flags().StringVar(&db, "db", "", u.words.Get("cli.init.db").Both())
	c.Flags().StringVar(&listen, "listen", "", u.words.Get("cli.init.listen").Both())
	return c
}

// listeners takes every port that the settings name, or none.
func listeners(s app.Settings) (l app.Listeners, err error) {
	for _, p := range []struct {
		at      *net.Listener
		address string
	}{{&l.HTTPS, s.Listen}, {&l.Plain, s.Plain}, {&l.TLCP, s.TLCP}} {
		if p.address == "" {
			continue
		}
		if *p.at, err = net.Listen("tcp", p.address); err != nil {
			*p.at = nil
			return app.Listeners{}, errors.Join(err, l.Close())
		}
	}
	return l, nil
}

// startHint says what to do when a house does not open.
func startHint(err error) string {
	var corrupt *ledger.CorruptError
	var network *net.OpError
	switch {
	case errors.Is(err, app.ErrNotInitialised):
		return "cli.hint.init_first"
	case errors.Is(err, app.ErrAwaiting):
		return "ceremony.hint.awaiting"
	case errors.Is(err, app.ErrBrokeOff):
		return "cli.hint.broke_off"
	case errors.Is(err, app.ErrInitialised):
		return "cli.hint.initialised"
	case errors.Is(err, app.ErrAdministrators):
		return "cli.hint.administrators"
	case errors.Is(err, app.ErrPassword):
		return "cli.hint.db_password"
	case errors.Is(err, app.ErrConfig):
		return "cli.hint.config"
	case errors.Is(err, app.ErrFolder), errors.Is(err, os.ErrPermission):
		return "cli.hint.folder"
	case errors.Is(err, keys.ErrPassphrase):
		return "cli.hint.passphrase"
	case errors.Is(err, keys.ErrNotFound), errors.Is(err, fs.ErrNotExist):
		return "cli.hint.missing"
	case errors.Is(err, keys.ErrMode):
		return "cli.hint.mode"
	case errors.Is(err, tsa.ErrClock):
		return "cli.hint.clock"
	case errors.As(err, &corrupt):
		return "cli.hint.ledger"
	case errors.Is(err, store.ErrSchema):
		return "cli.hint.schema"
	case errors.Is(err, store.ErrLocked):
		return "cli.hint.locked"
	case errors.As(err, &network):
		return "cli.hint.store"
	case errors.Is(err, store.ErrURL):
		return "cli.hint.db"
	}
	return "cli.hint.help"
}
