package main

import (
	"encoding/hex"
	"errors"
	"fmt"
	"strings"

	"github.com/emmansun/gmsm/sm3"
	"github.com/spf13/cobra"

	"github.com/yinxin-gov/yinxin/internal/api/wire"
	"github.com/yinxin-gov/yinxin/internal/text"
)

// maxProof bounds the record whose digest is reported.
const maxProof = 64 << 20

func newCatalogueNotices(u *ui) *cobra.Command {
	var f agentFlags
	c := &cobra.Command{
		Use: "notices", Short: u.words.Get("reclass.cli.notices").Both(), Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			a, err := f.open()
			if err != nil {
				return err
			}
			defer a.Close()
			all := []wire.Notice{}
			for after := ""; ; {
				page, err := a.Notices(cmd.Context(), after)
				if err != nil {
					return hinted(err)
				}
				all = append(all, page.Notices...)
				if page.Next == "" || page.Next == after {
					break
				}
				after = page.Next
			}
			if u.json {
				return u.printJSON(wire.Notices{Notices: all})
			}
			if len(all) == 0 {
				u.say("reclass.cli.none")
			}
			for _, n := range all {
				u.printNotice(n)
			}
			return nil
		},
	}
	f.bind(u, c.Flags())
	return c
}

func (u *ui) printNotice(n wire.Notice) {
	state := ""
	switch {
	case !n.Done.IsZero():
		state = u.words.Get("reclass.done").Both() + " " + n.Done.UTC().Format(timeLayout)
	case n.Overdue:
		state = u.words.Get("reclass.overdue").Both()
	}
	fmt.Fprintln(u.out, text.Plain(strings.TrimSpace(strings.Join([]string{n.ID, n.Kind, n.Before.String() + " → " + n.After.String(), n.Due.UTC().Format(timeLayout), state}, "  "))))
}

func newCatalogueFollowed(u *ui) *cobra.Command {
	var f agentFlags
	var proof, note string
	c := &cobra.Command{
		Use: "followed NOTICE", Short: u.words.Get("reclass.cli.followed").Both(), Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			act, holding, found := strings.Cut(args[0], "/")
			if !found || proof == "" || strings.TrimSpace(note) == "" {
				return fail(errors.New("NOTICE, --evidence and --note"), "reclass.hint.followed")
			}
			data, err := readFile(proof, maxProof)
			if err != nil {
				return fail(err, "reclass.hint.followed")
			}
			a, err := f.open()
			if err != nil {
				return err
			}
			defer a.Close()
			sum := sm3.Sum(data)
			got, err := a.Followed(cmd.Context(), act, holding, wire.FollowRequest{Evidence: hex.EncodeToString(sum[:]), Note: note})
			if err != nil {
				return hinted(err)
			}
			if u.json {
				return u.printJSON(got)
			}
			u.say("reclass.cli.done", "notice", got.ID, "evidence", got.Evidence)
			return nil
		},
	}
	f.bind(u, c.Flags())
	c.Flags().StringVar(&proof, "evidence", "", u.words.Get("reclass.flag.evidence").Both())
	c.Flags().StringVar(&note, "note", "", u.words.Get("catalogue.flag.note").Both())
	return c
}
