package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/yinxin-gov/yinxin/internal/api/wire"
	"github.com/yinxin-gov/yinxin/internal/text"
)

const maxSent = 64 << 20 // of a document, see internal/exchange

// newAgentCommand is the side of an agency's system (业务系统).
func newAgentCommand(u *ui) *cobra.Command {
	var f agentFlags
	cmd := &cobra.Command{Use: "agent", Short: u.words.Get("agent.short").Both()}
	f.bind(u, cmd.PersistentFlags())
	cmd.PersistentFlags().StringVar(&f.system, "system", "", u.words.Get("agent.flag.system").Both())
	calls := []*cobra.Command{newAgentRun(u, &f), newAgentInbox(u, &f), newAgentFetch(u, &f), newAgentSend(u, &f), newAgentDecide(u, &f), newAgentRecover(u, &f)}
	for _, call := range calls {
		call.Flags().StringVar(&f.tlcp, "tlcp", "", u.words.Get("agent.flag.tlcp").Both())
	}
	cmd.AddCommand(append(calls, newAgentJoin(u, &f), newAgentStatus(u, &f), newAgentToken(u, &f))...)
	return cmd
}

func newAgentInbox(u *ui, f *agentFlags) *cobra.Command {
	return &cobra.Command{
		Use: "inbox", Short: u.words.Get("agent.inbox.short").Both(), Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			a, err := f.open()
			if err != nil {
				return err
			}
			defer a.Close()
			list, err := a.Inbox(cmd.Context())
			if err != nil {
				return hinted(err)
			}
			if u.json {
				return u.printJSON(map[string][]wire.Transfer{"transfers": list})
			}
			if len(list) == 0 {
				u.say("agent.inbox.empty")
			}
			for _, t := range list {
				row := []string{t.ID, t.SentAt.UTC().Format(time.RFC3339), t.State, t.Label.String(), t.From, t.Name}
				fmt.Fprintln(u.out, text.Plain(strings.Join(row, "  ")))
			}
			return nil
		},
	}
}

func newAgentFetch(u *ui, f *agentFlags) *cobra.Command {
	var out string
	var noReceipt bool
	cmd := &cobra.Command{
		Use: "fetch ID", Short: u.words.Get("agent.fetch.short").Both(), Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			// A fetch is on record: what cannot be written is refused before.
			if err := writableOutput(out); err != nil {
				return fail(err, "agent.hint.out")
			}
			a, err := f.open()
			if err != nil {
				return err
			}
			defer a.Close()
			d, err := a.Fetch(cmd.Context(), args[0])
			if err != nil {
				return u.refused(err)
			}
			if err := writeMode(out, d.Document, 0o600, false); err != nil {
				return fail(err, "agent.hint.out")
			}
			t := wire.Transfer{ID: d.Header.Transfer, State: "fetched"}
			if !noReceipt {
				if t, err = a.Confirm(cmd.Context(), d); err != nil {
					return hinted(fmt.Errorf("%s is written, but the receipt: %w", out, err))
				}
			}
			if u.json {
				return u.printJSON(map[string]any{"file": out, "header": d.Header, "state": t.State, "holding": t.Holding})
			}
			u.line("", "agent.fetch.done", data("file", out), data("name", d.Header.Name), data("label", d.Header.Label.String()), data("decision", d.Header.Decision))
			if t.Holding != "" {
				u.line("", "agent.fetch.confirmed", data("holding", t.Holding))
			}
			return nil
		},
	}
	cmd.Flags().StringVar(&out, "out", "", u.words.Get("agent.flag.out").Both())
	cmd.Flags().BoolVar(&noReceipt, "no-receipt", false, u.words.Get("agent.flag.no-receipt").Both())
	return cmd
}

func writableOutput(out string) error {
	if out == "" {
		return errors.New("--out is required")
	}
	if err := free(out, false); err != nil {
		return err
	}
	info, err := os.Stat(filepath.Dir(out))
	if err == nil && !info.IsDir() {
		err = fmt.Errorf("%s: not a folder", filepath.Dir(out))
	}
	return err
}
