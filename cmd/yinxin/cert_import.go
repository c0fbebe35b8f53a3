package main

import (
	"errors"
	"fmt"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/yinxin-gov/yinxin/ca/ra"
	"github.com/yinxin-gov/yinxin/internal/text"
)

// errOnlyDryRun: requests are made by a person, in the console.
var errOnlyDryRun = errors.New("without --dry-run")

// newCertImportCommand checks the form of a file of requests, offline: encoding,
// columns, codes, names. What only the registers know the console's own dry run says.
func newCertImportCommand(u *ui) *cobra.Command {
	var dry bool
	cmd := &cobra.Command{
		Use:   "import FILE.csv --dry-run",
		Short: u.words.Get("cert.import.short").Both(),
		Args:  cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			if !dry {
				return fail(errOnlyDryRun, "cert.hint.import")
			}
			data, err := u.readFile(args[0], ra.MaxImport)
			if err != nil {
				return err
			}
			rows, problems := ra.ParseCSV(data)
			return u.printImport(args[0], rows, problems)
		},
	}
	cmd.Flags().BoolVar(&dry, "dry-run", false, u.words.Get("cert.flag.dry_run").Both())
	return cmd
}

func (u *ui) printImport(file string, rows []ra.Row, problems []ra.Problem) error {
	code := exitOK
	if len(problems) > 0 {
		code = exitInvalid
	}
	if u.json {
		type problem struct {
			ra.Problem
			Zh string `json:"zh"`
			En string `json:"en"`
		}
		out := struct {
			File     string    `json:"file"`
			Requests int       `json:"requests"`
			Problems []problem `json:"problems"`
		}{file, len(rows), []problem{}}
		for _, p := range problems {
			t := u.words.Get("ra.csv." + p.Code)
			out.Problems = append(out.Problems, problem{p, t.Zh, t.En})
		}
		if err := u.printJSON(out); err != nil {
			return err
		}
		return result(code)
	}
	for _, p := range problems {
		at := "—"
		if p.Line > 0 {
			at = strconv.Itoa(p.Line)
		}
		line := fmt.Sprintf("✗ %s\t%s\t%s", at, p.Column, u.words.Get("ra.csv."+p.Code).Both())
		if p.Value != "" {
			line += ": " + text.Plain(p.Value)
		}
		fmt.Fprintln(u.out, line)
	}
	u.say("cert.import.result", "n", strconv.Itoa(len(rows)), "bad", strconv.Itoa(len(problems)))
	return result(code)
}
