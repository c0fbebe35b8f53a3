package main

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/emmansun/gmsm/sm3"
	"github.com/spf13/cobra"

	"github.com/yinxin-gov/yinxin/authz/sharing"
	"github.com/yinxin-gov/yinxin/internal/agent"
	"github.com/yinxin-gov/yinxin/internal/api/wire"
	"github.com/yinxin-gov/yinxin/internal/text"
)

// newCatalogueCommand works on the catalogue as the system of a joined folder: it
// reads everything, and writes what its unit provides.
func newCatalogueCommand(u *ui) *cobra.Command {
	c := &cobra.Command{Use: "catalogue", Short: u.words.Get("catalogue.cli.short").Both()}
	c.AddCommand(
		newCatalogueImport(u), newCatalogueExport(u), newCatalogueShow(u), newCatalogueWithhold(u),
		newCatalogueCopies(u), newCatalogueLineage(u), newCatalogueDestroyed(u), newCatalogueRecall(u),
		newCatalogueNotices(u), newCatalogueFollowed(u),
	)
	return c
}

// formatOf is csv or json, by the flag or the name of the file.
func formatOf(flag, file string) (sharing.EntryFormat, error) {
	if flag == "" {
		flag = strings.TrimPrefix(strings.ToLower(filepath.Ext(file)), ".")
	}
	switch f := sharing.EntryFormat(flag); f {
	case sharing.FormatCSV, sharing.FormatJSON:
		return f, nil
	}
	return "", fail(fmt.Errorf("format %q", flag), "catalogue.hint.format")
}

func newCatalogueImport(u *ui) *cobra.Command {
	var f agentFlags
	var why, format string
	var dry bool
	c := &cobra.Command{
		Use: "import FILE", Short: u.words.Get("catalogue.cli.import").Both(), Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if strings.TrimSpace(why) == "" {
				return fail(errors.New("--why is empty"), "catalogue.hint.why")
			}
			as, err := formatOf(format, args[0])
			if err != nil {
				return err
			}
			data, err := readFile(args[0], sharing.MaxEntryFile)
			if err != nil {
				return fail(err, "catalogue.hint.file")
			}
			a, err := f.open()
			if err != nil {
				return err
			}
			defer a.Close()
			media := "text/csv"
			if as == sharing.FormatJSON {
				media = "application/json"
			}
			got, err := a.Import(cmd.Context(), media, data, why, dry)
			if err != nil {
				return hinted(err)
			}
			return u.printImported(got)
		},
	}
	f.bind(u, c.Flags())
	c.Flags().StringVar(&why, "why", "", u.words.Get("catalogue.flag.why").Both())
	c.Flags().StringVar(&format, "format", "", u.words.Get("catalogue.flag.format").Both())
	c.Flags().BoolVar(&dry, "dry-run", false, u.words.Get("catalogue.flag.dry").Both())
	return c
}

func (u *ui) printImported(got wire.Imported) error {
	code := exitOK
	if len(got.Wrong) > 0 {
		code = exitInvalid
	}
	if u.json {
		if err := u.printJSON(got); err != nil {
			return err
		}
		return result(code)
	}
	for _, w := range got.Wrong {
		fmt.Fprintf(u.out, "✗ %d\t%s\t%s %s\n", w.Line, text.Plain(w.Field), text.Plain(w.Zh), text.Plain(w.En))
	}
	key := "catalogue.import.done"
	switch {
	case len(got.Wrong) > 0:
		key = "catalogue.import.wrong"
	case got.DryRun:
		key = "catalogue.import.would"
	}
	u.say(key, "entries", fmt.Sprint(got.Entries), "added", fmt.Sprint(got.Added), "changed", fmt.Sprint(got.Changed), "unchanged", fmt.Sprint(got.Unchanged))
	return result(code)
}

func newCatalogueExport(u *ui) *cobra.Command {
	var f agentFlags
	var query, provider, format string
	c := &cobra.Command{
		Use: "export", Short: u.words.Get("catalogue.cli.export").Both(), Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			as, err := formatOf(format, "")
			if err != nil {
				return err
			}
			a, err := f.open()
			if err != nil {
				return err
			}
			defer a.Close()
			all, err := everyEntry(cmd, a, query, provider)
			if err != nil {
				return hinted(err)
			}
			if as == sharing.FormatJSON || u.json {
				return u.printJSON(all)
			}
			// The fields of both are one form: what is exported is what is imported.
			raw, err := json.Marshal(all)
			if err != nil {
				return err
			}
			var entries []sharing.Entry
			if err := json.Unmarshal(raw, &entries); err != nil {
				return err
			}
			return sharing.WriteCSV(u.out, entries)
		},
	}
	f.bind(u, c.Flags())
	c.Flags().StringVar(&query, "query", "", u.words.Get("catalogue.flag.query").Both())
	c.Flags().StringVar(&provider, "provider", "", u.words.Get("catalogue.flag.provider").Both())
	c.Flags().StringVar(&format, "format", "csv", u.words.Get("catalogue.flag.format").Both())
	return c
}

func everyEntry(cmd *cobra.Command, a *agent.Agent, query, provider string) ([]wire.Entry, error) {
	all := []wire.Entry{}
	for after := ""; ; {
		page, err := a.Entries(cmd.Context(), query, provider, after)
		if err != nil {
			return nil, err
		}
		all = append(all, page.Entries...)
		if page.Next == "" || page.Next == after {
			return all, nil
		}
		after = page.Next
	}
}

func newCatalogueShow(u *ui) *cobra.Command {
	var f agentFlags
	c := &cobra.Command{
		Use: "show RESOURCE", Short: u.words.Get("catalogue.cli.show").Both(), Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			a, err := f.open()
			if err != nil {
				return err
			}
			defer a.Close()
			e, err := a.Entry(cmd.Context(), args[0])
			if err != nil {
				return hinted(err)
			}
			if u.json {
				return u.printJSON(e)
			}
			for _, l := range [][2]string{
				{"id", e.ID}, {"code", e.Code}, {"name", e.Name}, {"provider", e.Provider}, {"category", e.Category}, {"summary", e.Summary}, {"format", e.Format},
				{"items", strings.Join(e.Items, "|")}, {"regime", e.Regime}, {"share_type", e.ShareType}, {"conditions", e.Conditions}, {"manner", e.Manner}, {"open", e.Open},
				{"cycle", e.Cycle}, {"published", e.Published}, {"related", strings.Join(e.Related, "|")}, {"system", e.System}, {"contact", e.Contact}, {"label", e.Label.String()},
				{"secrecy_review", e.SecrecyReview}, {"basis", e.Basis}, {"approval", e.Approval}, {"filing", e.Filing}, {"defect_notice", e.DefectNotice},
			} {
				if l[1] != "" {
					fmt.Fprintf(u.out, "%-15s %s\n", l[0], text.Plain(l[1]))
				}
			}
			for _, h := range e.Changes {
				fmt.Fprintf(u.out, "  %d  %s  %s  %s  %s\n", h.Revision, h.At.UTC().Format(timeLayout), text.Plain(h.By), text.Plain(h.Unit), text.Plain(h.Why))
			}
			return nil
		},
	}
	f.bind(u, c.Flags())
	return c
}

// newCatalogueWithhold sends the digest of the statement, never the statement: it may
// say more than the catalogue may hold.
func newCatalogueWithhold(u *ui) *cobra.Command {
	var f agentFlags
	var why, statement string
	c := &cobra.Command{
		Use: "withhold NAME", Short: u.words.Get("catalogue.cli.withhold").Both(), Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if strings.TrimSpace(why) == "" {
				return fail(errors.New("--why is empty"), "catalogue.hint.why")
			}
			data, err := readFile(statement, sharing.MaxEntryFile)
			if err != nil {
				return fail(err, "catalogue.hint.file")
			}
			a, err := f.open()
			if err != nil {
				return err
			}
			defer a.Close()
			sum := sm3.Sum(data)
			got, err := a.Withhold(cmd.Context(), wire.WithheldRequest{Name: args[0], Reason: why, Statement: hex.EncodeToString(sum[:])})
			if err != nil {
				return hinted(err)
			}
			if u.json {
				return u.printJSON(got)
			}
			u.say("catalogue.withheld.done", "id", got.ID)
			return nil
		},
	}
	f.bind(u, c.Flags())
	c.Flags().StringVar(&why, "why", "", u.words.Get("catalogue.flag.why").Both())
	c.Flags().StringVar(&statement, "statement", "", u.words.Get("catalogue.flag.statement").Both())
	return c
}
