package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/yinxin-gov/yinxin/internal/demo"
)

func newDemoCommand(u *ui) *cobra.Command {
	cfg := demo.Config{Out: u.out, Words: u.words, Work: u.work}
	serve := true
	c := &cobra.Command{
		Use:   "demo",
		Short: u.words.Get("cli.demo").Both(),
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if !serve && !cmd.Flags().Changed("listen") {
				cfg.Listen = "127.0.0.1:0" // nobody will dial it after the walk
			}
			cfg.Program, cfg.Stops = program(os.Args[0]), !serve
			d, err := demo.Run(cmd.Context(), cfg)
			switch {
			case errors.Is(err, demo.ErrListen):
				return fail(err, "cli.hint.listen")
			case errors.Is(err, demo.ErrFolder):
				return fail(err, "cli.hint.demo_folder")
			case errors.Is(err, demo.ErrDocument):
				return fail(err, "cli.hint.demo_document")
			case err != nil && !errors.Is(err, demo.ErrWalk):
				return fail(err, startHint(err))
			case err != nil:
				return &exitError{code: exitInvalid, err: err, hint: "cli.hint.demo"}
			}
			if serve {
				fmt.Fprintf(u.out, "\n%s\n", u.words.Get("cli.serving").Fill("url", d.Manifest.URL).Both())
				err = d.Wait(cmd.Context())
			}
			return errors.Join(err, d.Close())
		},
	}
	f := c.Flags()
	f.StringVar(&cfg.Dir, "dir", "yinxin-data", u.words.Get("cli.demo.dir").Both())
	f.StringVar(&cfg.Doc, "doc", "", u.words.Get("cli.demo.doc").Both())
	f.StringVar(&cfg.Listen, "listen", "127.0.0.1:8443", u.words.Get("cli.demo.listen").Both())
	f.BoolVar(&serve, "serve", true, u.words.Get("cli.demo.serve").Both())
	f.BoolVar(&cfg.Reset, "reset", false, u.words.Get("cli.demo.reset").Both())
	return c
}

// program is how the printed commands call this program: as it was called, but
// for `go run`, whose binary is gone afterwards.
func program(arg0 string) string {
	if strings.Contains(filepath.ToSlash(arg0), "/go-build") {
		return ""
	}
	return arg0
}
