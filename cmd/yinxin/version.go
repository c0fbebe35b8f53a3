package main

import (
	"fmt"
	"runtime/debug"

	"github.com/spf13/cobra"
)

// version is the release; the Makefile sets it.
var version = "0.1.0-dev"

func newVersionCommand(u *ui) *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: u.words.Get("cli.version").Both(),
		Args:  cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			goVersion := ""
			if bi, ok := debug.ReadBuildInfo(); ok {
				goVersion = bi.GoVersion
			}
			if u.json {
				return u.printJSON(map[string]string{"version": version, "go": goVersion})
			}
			_, err := fmt.Fprintf(u.out, "yinxin %s %s\n", version, goVersion)
			return err
		},
	}
}
