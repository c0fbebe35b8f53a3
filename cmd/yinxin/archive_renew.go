package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/yinxin-gov/yinxin/internal/text"
	"github.com/yinxin-gov/yinxin/signer"
	"github.com/yinxin-gov/yinxin/signer/archive"
	"github.com/yinxin-gov/yinxin/signer/verify"
)

func newArchiveRenew(u *ui) *cobra.Command {
	var f judgeFlags
	var tsa tsaFlags
	var digest, chain string
	cmd := &cobra.Command{
		Use:   "renew --tsa-url URL --trust DIR PACKAGE.zip",
		Short: u.words.Get("archive.cmd.renew").Both(),
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			opt, err := f.options()
			if err != nil {
				return err
			}
			cfg := archive.Renewing{Trust: opt.Trust, Status: opt.Status, Retired: opt.Retired}
			if chain != "" {
				more, err := verify.ReadTrust(chain)
				if err != nil {
					return fail(err, "archive.hint.chain")
				}
				cfg.Chain = more.Anchors()
			}
			if cfg.Stamper, err = tsa.archiving(digest); err != nil {
				return err
			}
			return u.renew(cmd.Context(), cfg, args[0])
		},
	}
	f.add(u, cmd)
	tsa.bind(cmd, "tsa-", func(key string) string { return u.words.Get("ts." + key).Both() })
	cmd.Flags().StringVar(&digest, "digest", "sm3", u.words.Get("archive.flag.digest").Both())
	cmd.Flags().StringVar(&chain, "chain", "", u.words.Get("archive.flag.chain").Both())
	require(cmd, "tsa-url", "trust")
	return cmd
}

func (u *ui) renew(ctx context.Context, cfg archive.Renewing, name string) error {
	rep, err := archive.Renew(ctx, cfg, name)
	switch {
	case errors.Is(err, archive.ErrInvalid):
		return &exitError{code: exitInvalid, err: fmt.Errorf("%s: %w", name, err), hint: "archive.hint.invalid"}
	case err != nil:
		return fail(fmt.Errorf("%s: %w", name, err), archiveHint(err))
	}
	if u.json {
		if err := u.printJSON(rep); err != nil {
			return err
		}
	} else {
		u.say("archive.renewed", "n", fmt.Sprint(rep.Renewals))
		u.sayVerdict(rep)
	}
	return result(packageCode(rep.Verdict))
}

// archiving is the service for packages; --digest names its imprint.
func (f tsaFlags) archiving(digest string) (signer.Stamper, error) {
	d, err := digestNamed(digest)
	if err != nil {
		return nil, fail(err, "ts.hint.digest")
	}
	c, err := f.client(d)
	if err != nil {
		return nil, fail(err, stampHint(err))
	}
	return c, nil
}

// due is one line of archive due.
type due struct {
	File    string `json:"file"`
	RenewBy string `json:"renew_by"` // "" when no token holds
	Days    int    `json:"days"`
	Due     bool   `json:"due"`
}

func newArchiveDue(u *ui) *cobra.Command {
	var f judgeFlags
	var all bool
	cmd := &cobra.Command{
		Use:   "due --trust DIR [FOLDER]",
		Short: u.words.Get("archive.cmd.due").Both(),
		Args:  cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			opt, err := f.options()
			if err != nil {
				return err
			}
			dir := "."
			if len(args) == 1 {
				dir = args[0]
			}
			list, err := duePackages(cmd.Context(), dir, opt, time.Now(), all)
			if err != nil {
				return fail(err, archiveHint(err))
			}
			if u.json {
				return u.printJSON(map[string]any{"packages": list})
			}
			for _, d := range list {
				key := "archive.due"
				switch {
				case d.RenewBy == "":
					key = "archive.due_none"
				case d.Days < 0:
					key = "archive.due_over"
				case !d.Due:
					key = "archive.due_later"
				}
				u.line("", key, data("file", d.File), data("until", d.RenewBy), data("days", fmt.Sprint(d.Days)))
			}
			if len(list) == 0 {
				u.say("archive.due_empty", "dir", text.Plain(dir))
			}
			return nil
		},
	}
	f.add(u, cmd)
	cmd.Flags().BoolVar(&all, "all", false, u.words.Get("archive.flag.all").Both())
	require(cmd, "trust")
	return cmd
}

// duePackages reads the tokens of every package of a folder, the most urgent first.
// A zip that is no package is passed over; one that cannot be read is an error, for
// it may be a package that nobody renews.
func duePackages(ctx context.Context, dir string, opt archive.Options, now time.Time, all bool) ([]due, error) {
	files, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	list := []due{}
	for _, e := range files {
		name := filepath.Join(dir, e.Name())
		if e.IsDir() || !strings.EqualFold(filepath.Ext(name), ".zip") {
			continue
		}
		until, err := untilOf(ctx, name, opt)
		switch {
		case errors.Is(err, archive.ErrNotPackage):
			continue
		case err != nil:
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		d := due{File: name, Due: archive.Due(until, now)}
		if !until.IsZero() {
			d.RenewBy, d.Days = until.UTC().Format(time.RFC3339), int(until.Sub(now).Hours()/24)
			if until.Before(now) {
				d.Days = min(d.Days, -1)
			}
		}
		if d.Due || all {
			list = append(list, d)
		}
	}
	slices.SortStableFunc(list, func(a, b due) int { return cmp.Compare(a.RenewBy, b.RenewBy) })
	return list, nil
}

func untilOf(ctx context.Context, name string, opt archive.Options) (time.Time, error) {
	f, size, err := openUpTo(name, archive.MaxPackage)
	if err != nil {
		return time.Time{}, err
	}
	defer f.Close() // read only
	return archive.Until(ctx, f, size, opt)
}
