package main

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/yinxin-gov/yinxin/internal/agent"
	"github.com/yinxin-gov/yinxin/internal/api/wire"
	"github.com/yinxin-gov/yinxin/internal/text"
)

// newCertHistoryCommand asks the house, with the mTLS certificate of a joined
// folder, for every certificate of that system. Of other systems it says nothing:
// officers have the console.
func newCertHistoryCommand(u *ui) *cobra.Command {
	var f agentFlags
	cmd := &cobra.Command{
		Use: "history [SYSTEM]", Short: u.words.Get("history.cli.history").Both(), Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return u.certificates(&f, args, func(a *agent.Agent, system, after string) (wire.Certificates, error) {
				return a.Certificates(cmd.Context(), system, after)
			})
		},
	}
	f.bind(u, cmd.Flags())
	return cmd
}

// newCertExpiringCommand asks the same for what ends soon.
func newCertExpiringCommand(u *ui) *cobra.Command {
	var f agentFlags
	var days int
	var superseded bool
	cmd := &cobra.Command{
		Use: "expiring [SYSTEM]", Short: u.words.Get("history.cli.expiring").Both(), Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if days < 1 || days > maxDays {
				return fail(fmt.Errorf("--days %d", days), "history.hint.days")
			}
			return u.certificates(&f, args, func(a *agent.Agent, system, after string) (wire.Certificates, error) {
				return a.Expiring(cmd.Context(), system, days, superseded, after)
			})
		},
	}
	f.bind(u, cmd.Flags())
	cmd.Flags().IntVar(&days, "days", 30, u.words.Get("history.expiring.days").Both())
	cmd.Flags().BoolVar(&superseded, "superseded", false, u.words.Get("history.expiring.superseded").Both())
	return cmd
}

// maxDays is that of the API.
const maxDays = 400

// certificates reads a list to its end and prints it.
func (u *ui) certificates(f *agentFlags, args []string, read func(a *agent.Agent, system, after string) (wire.Certificates, error)) error {
	a, err := f.open()
	if err != nil {
		return err
	}
	defer a.Close()
	system := strings.Join(args, "")
	all := wire.Certificates{Certificates: []wire.Certificate{}}
	for after := ""; ; {
		page, err := read(a, system, after)
		if err != nil {
			return hinted(err)
		}
		all.System = page.System
		all.Certificates = append(all.Certificates, page.Certificates...)
		if page.Next == "" || page.Next == after {
			break
		}
		after = page.Next
	}
	if u.json {
		return u.printJSON(all)
	}
	if len(all.Certificates) == 0 {
		u.say("history.cli.none")
	}
	for _, c := range all.Certificates {
		u.certificate(c)
	}
	return nil
}

func (u *ui) certificate(c wire.Certificate) {
	state := c.State
	if c.Reason != "" {
		state += " (" + c.Reason + ")"
	}
	if c.Superseded {
		state += " (" + u.words.Get("history.expiring.has").Both() + ")"
	}
	row := []string{c.Serial, c.Kind, state, c.NotBefore.UTC().Format(time.RFC3339) + " – " + c.NotAfter.UTC().Format(time.RFC3339)}
	fmt.Fprintln(u.out, text.Plain(strings.Join(row, "  ")))
	for _, l := range [][2]string{{"history.page.way", strings.TrimSpace(c.Way + " " + c.Ref)}, {"history.page.follows", c.Follows}, {"history.page.followed", strings.Join(c.Followed, " ")}} {
		if l[1] != "" {
			fmt.Fprintf(u.out, "  %s: %s\n", u.words.Get(l[0]).Both(), text.Plain(l[1]))
		}
	}
	if r := c.Request; r != nil {
		by := slices.DeleteFunc([]string{r.ID, r.SubmittedBy, r.ReviewedBy, r.DecidedBy}, func(s string) bool { return s == "" })
		fmt.Fprintf(u.out, "  %s: %s\n", u.words.Get("history.page.request").Both(), text.Plain(strings.Join(by, " → ")))
	}
	for _, e := range c.Entries {
		fmt.Fprintln(u.out, "  "+text.Plain(strings.Join([]string{strconv.Itoa(int(e.Shard)) + "/" + strconv.FormatUint(e.Seq, 10), e.At.UTC().Format(time.RFC3339), e.Type, e.Outcome, e.By}, "  ")))
	}
}
