package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/yinxin-gov/yinxin/internal/agent"
	"github.com/yinxin-gov/yinxin/internal/api/wire"
	"github.com/yinxin-gov/yinxin/internal/text"
)

// timeLayout of what people read.
const timeLayout = "2006-01-02T15:04:05Z07:00"

func newCatalogueCopies(u *ui) *cobra.Command {
	var f agentFlags
	c := &cobra.Command{
		Use: "copies [RESOURCE]", Short: u.words.Get("catalogue.cli.copies").Both(), Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			a, err := f.open()
			if err != nil {
				return err
			}
			defer a.Close()
			all, err := everyCopy(cmd, a, strings.Join(args, ""))
			if err != nil {
				return hinted(err)
			}
			if u.json {
				return u.printJSON(wire.Copies{Copies: all})
			}
			if len(all) == 0 {
				u.say("catalogue.copies.none")
			}
			for _, c := range all {
				u.printCopy(c)
			}
			return nil
		},
	}
	f.bind(u, c.Flags())
	return c
}

func everyCopy(cmd *cobra.Command, a *agent.Agent, resource string) ([]wire.Copy, error) {
	all := []wire.Copy{}
	for after := ""; ; {
		page, err := a.Copies(cmd.Context(), resource, after)
		if err != nil {
			return nil, err
		}
		all = append(all, page.Copies...)
		if page.Next == "" || page.Next == after {
			return all, nil
		}
		after = page.Next
	}
}

func (u *ui) printCopy(c wire.Copy) {
	state := ""
	switch {
	case !c.Ended.IsZero():
		state = u.words.Get("catalogue.copies.ended").Both() + " " + c.Ended.UTC().Format(timeLayout)
	case c.Overdue:
		state = u.words.Get("catalogue.copies.overdue").Both()
	}
	due := "—"
	if !c.Due.IsZero() {
		due = c.Due.UTC().Format(timeLayout)
	}
	fmt.Fprintln(u.out, text.Plain(strings.TrimSpace(strings.Join([]string{c.ID, c.System, c.Resource, c.Label.String(), due, state}, "  "))))
}

func newCatalogueLineage(u *ui) *cobra.Command {
	var f agentFlags
	c := &cobra.Command{
		Use: "lineage COPY", Short: u.words.Get("catalogue.cli.lineage").Both(), Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			a, err := f.open()
			if err != nil {
				return err
			}
			defer a.Close()
			got, err := a.Lineage(cmd.Context(), args[0])
			if err != nil {
				return hinted(err)
			}
			if u.json {
				return u.printJSON(got)
			}
			for _, c := range got.Copies {
				u.printCopy(c)
			}
			for _, m := range got.Made {
				fmt.Fprintln(u.out, text.Plain(m.From+" → "+m.To))
			}
			return nil
		},
	}
	f.bind(u, c.Flags())
	return c
}

func newCatalogueDestroyed(u *ui) *cobra.Command {
	var f agentFlags
	var method string
	c := &cobra.Command{
		Use: "destroyed COPY", Short: u.words.Get("catalogue.cli.destroyed").Both(), Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if strings.TrimSpace(method) == "" {
				return fail(errors.New("--method is empty"), "catalogue.hint.method")
			}
			a, err := f.open()
			if err != nil {
				return err
			}
			defer a.Close()
			// The statement names what was destroyed; this system knows it by the register.
			all, err := everyCopy(cmd, a, "")
			if err != nil {
				return hinted(err)
			}
			i := slices.IndexFunc(all, func(c wire.Copy) bool { return c.ID == args[0] })
			if i < 0 {
				return fail(fmt.Errorf("no copy %q", args[0]), "catalogue.hint.copy")
			}
			got, err := a.Destroyed(cmd.Context(), all[i], method, time.Now())
			if err != nil {
				return hinted(err)
			}
			if u.json {
				return u.printJSON(got)
			}
			u.say("catalogue.destroyed.done", "copy", got.ID, "evidence", got.Evidence)
			return nil
		},
	}
	f.bind(u, c.Flags())
	c.Flags().StringVar(&method, "method", "", u.words.Get("catalogue.flag.method").Both())
	return c
}

func newCatalogueRecall(u *ui) *cobra.Command {
	var f agentFlags
	var due, note string
	c := &cobra.Command{
		Use: "recall COPY", Short: u.words.Get("catalogue.cli.recall").Both(), Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			when, err := time.Parse(time.RFC3339, due)
			if err != nil || strings.TrimSpace(note) == "" {
				return fail(errors.New("--due and --note"), "catalogue.hint.due")
			}
			a, err := f.open()
			if err != nil {
				return err
			}
			defer a.Close()
			got, err := a.Recall(cmd.Context(), args[0], wire.RecallRequest{Due: when, Note: note})
			if err != nil {
				return hinted(err)
			}
			if u.json {
				return u.printJSON(got)
			}
			u.say("catalogue.recall.done", "copy", args[0], "due", got.Due.UTC().Format(timeLayout))
			return nil
		},
	}
	f.bind(u, c.Flags())
	c.Flags().StringVar(&due, "due", "", u.words.Get("catalogue.flag.due").Both())
	c.Flags().StringVar(&note, "note", "", u.words.Get("catalogue.flag.note").Both())
	return c
}
