package main

import (
	"crypto/ecdsa"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/yinxin-gov/yinxin/authz/ledger"
)

// newLedgerCommand is the auditor's side of the ledger: files and public keys,
// no server and no store.
func newLedgerCommand(u *ui) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "ledger",
		Short: u.words.Get("ledger.cmd").Both(),
		Args:  cobra.NoArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newLedgerVerify(u), newLedgerShow(u))
	return cmd
}

func newLedgerVerify(u *ui) *cobra.Command {
	var keys, remembered []string
	var origin string
	cmd := &cobra.Command{
		Use:   "verify FILE",
		Short: u.words.Get("ledger.cmd.verify").Both(),
		Args:  cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			policy, err := ledgerPolicy(keys, remembered, origin)
			if err != nil {
				return fail(err, "ledger.hint.key")
			}
			f, err := os.Open(args[0])
			if err != nil {
				return fail(err, "ledger.hint.file")
			}
			defer f.Close()
			report, err := ledger.Verify(f, policy)
			if err != nil {
				return fail(err, "ledger.hint.file")
			}
			if u.json {
				err = u.printJSON(report)
			} else {
				u.sayReport(report)
			}
			if err != nil {
				return err
			}
			return result(map[ledger.Verdict]int{
				ledger.Valid: exitOK, ledger.Invalid: exitInvalid, ledger.Indeterminate: exitIndeterminate,
			}[report.Verdict])
		},
	}
	cmd.Flags().StringArrayVar(&keys, "key", nil, u.words.Get("ledger.flag.key").Both())
	cmd.Flags().StringArrayVar(&remembered, "checkpoint", nil, u.words.Get("ledger.flag.checkpoint").Both())
	cmd.Flags().StringVar(&origin, "origin", "", u.words.Get("ledger.flag.origin").Both())
	return cmd
}

// ledgerPolicy reads what the auditor trusts and remembers.
func ledgerPolicy(keys, remembered []string, origin string) (ledger.Policy, error) {
	p := ledger.Policy{Origin: origin}
	for _, name := range keys {
		text, err := os.ReadFile(name)
		if err != nil {
			return p, err
		}
		var key *ecdsa.PublicKey
		if key, err = ledger.ParseKey(text); err != nil {
			return p, fmt.Errorf("%s: %w", name, err)
		}
		p.Keys = append(p.Keys, key)
	}
	for _, name := range remembered {
		text, err := os.ReadFile(name)
		if err != nil {
			return p, err
		}
		if _, err := ledger.ParseNote(text); err != nil {
			return p, fmt.Errorf("%s: %w", name, err)
		}
		p.Remembered = append(p.Remembered, text)
	}
	return p, nil
}

// sayReport prints a report for people: the verdict, the first bad entry, then
// each finding.
func (u *ui) sayReport(r *ledger.Report) {
	u.say("ledger.verdict."+string(r.Verdict), "origin", r.Origin, "entries", strconv.FormatUint(r.Entries, 10))
	if r.FirstBadSeq != nil {
		u.say("ledger.first_bad", "seq", strconv.FormatUint(*r.FirstBadSeq, 10))
	}
	for _, f := range r.Findings {
		at := ""
		if f.Seq != nil {
			at = " seq=" + strconv.FormatUint(*f.Seq, 10)
		}
		if f.Detail != "" {
			at += " (" + f.Detail + ")"
		}
		fmt.Fprintf(u.out, "  %s%s: %s\n", f.Code, at, u.words.Get(f.Code).Both())
	}
	if left := r.Faults; left > uint64(len(r.Findings)) {
		u.say("ledger.more", "n", strconv.FormatUint(left-uint64(len(r.Findings)), 10))
	}
	if r.Redacted > 0 {
		u.say("ledger.redacted_count", "n", strconv.FormatUint(r.Redacted, 10))
	}
	if r.KeySM3 != "" {
		u.say("ledger.signed_by", "key", r.KeySM3)
	}
}

// entryShown is one entry of `ledger show --json`.
type entryShown struct {
	Seq   uint64        `json:"seq"`
	Time  string        `json:"time"`
	ID    string        `json:"id"`
	Event *ledger.Event `json:"event"` // null once erased
}

func newLedgerShow(u *ui) *cobra.Command {
	return &cobra.Command{
		Use:   "show FILE",
		Short: u.words.Get("ledger.cmd.show").Both(),
		Args:  cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			f, err := os.Open(args[0])
			if err != nil {
				return fail(err, "ledger.hint.file")
			}
			defer f.Close()
			list := []entryShown{}
			err = ledger.Walk(f, func(e ledger.Entry, h ledger.Header) error {
				s := entryShown{Seq: h.Seq, Time: h.When().Format("2006-01-02T15:04:05.000Z"), ID: e.ID}
				if e.Body != nil {
					ev, err := ledger.Decode(e.Body)
					if err != nil {
						return fmt.Errorf("seq %d: %w", h.Seq, err)
					}
					s.Event = &ev
				}
				if u.json {
					list = append(list, s)
				} else {
					u.sayEntry(s)
				}
				return nil
			})
			if errors.Is(err, ledger.ErrExport) || errors.Is(err, ledger.ErrInvalidEvent) {
				return &exitError{code: exitInvalid, err: err, hint: "ledger.hint.verify"}
			}
			if err != nil {
				return fail(err, "ledger.hint.file")
			}
			if u.json {
				return u.printJSON(map[string]any{"entries": list})
			}
			return nil
		},
	}
}

// sayEntry prints seq, time, type, actor, object and outcome in columns.
func (u *ui) sayEntry(s entryShown) {
	if s.Event == nil {
		fmt.Fprintf(u.out, "%d\t%s\t%s\n", s.Seq, s.Time, u.words.Get("ledger.erased").Both())
		return
	}
	e := s.Event
	outcome := strings.Trim(e.Outcome+" "+e.Decision, " ")
	fmt.Fprintf(u.out, "%d\t%s\t%s\t%s:%s\t%s:%s\t%s\n",
		s.Seq, s.Time, e.Type, e.Actor.Kind, e.Actor.ID, e.Object.Kind, e.Object.ID, outcome)
}
