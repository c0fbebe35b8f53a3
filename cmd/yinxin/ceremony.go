package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/yinxin-gov/yinxin/ca/ceremony"
	"github.com/yinxin-gov/yinxin/ca/status"
	"github.com/yinxin-gov/yinxin/internal/app"
	"github.com/yinxin-gov/yinxin/internal/keys"
	"github.com/yinxin-gov/yinxin/internal/text"
)

// newCeremony is the offline root: root and sign run in the ceremony room, order
// and import on the house's machine while it does not serve, show anywhere.
func newCeremony(u *ui) *cobra.Command {
	c := &cobra.Command{Use: "ceremony", Short: u.words.Get("ceremony.cli.short").Both()}
	c.AddCommand(newCeremonyRoot(u), newCeremonySign(u), newCeremonyOrder(u), newCeremonyImport(u), newCeremonyShow(u))
	return c
}

// room are the flags of who is there.
type room struct {
	s           app.Session
	passphrases []string
	out         string
}

func (r *room) flags(u *ui, c *cobra.Command) {
	r.s.Work = u.work
	f := c.Flags()
	f.StringVar(&r.s.Dir, "dir", "yinxin-room", u.words.Get("ceremony.cli.dir").Both())
	f.StringVar(&r.s.Place, "place", "", u.words.Get("ceremony.cli.place").Both())
	f.StringVar(&r.s.Operator, "operator", "", u.words.Get("ceremony.cli.operator").Both())
	f.StringArrayVar(&r.s.Witnesses, "witness", nil, u.words.Get("ceremony.cli.witness").Both())
	f.StringArrayVar(&r.passphrases, "passphrase-file", nil, u.words.Get("ceremony.cli.passphrases").Both())
	f.StringVarP(&r.out, "out", "o", "", u.words.Get("ceremony.cli.out").Both())
}

// custodian gives one the n-th passphrase file, or asks at the terminal. While
// roots are made it is asked twice: for the file and when that is read back.
func (r *room) custodian(u *ui, n int, name, file string) app.Custodian {
	c := app.Custodian{Name: name, File: file}
	if n < len(r.passphrases) {
		c.Passphrase = keys.PassphraseFromFile(r.passphrases[n])
		return c
	}
	c.Passphrase = func() ([]byte, error) {
		in, ok := u.in.(*os.File)
		if !ok || !term.IsTerminal(int(in.Fd())) {
			return nil, fmt.Errorf("%w: no terminal to ask for the passphrase of %s", keys.ErrPassphrase, file)
		}
		fmt.Fprintf(u.err, "%s (%s): ", u.words.Get("ceremony.cli.ask").Both(), text.Plain(name+" "+file))
		pass, err := term.ReadPassword(int(in.Fd()))
		fmt.Fprintln(u.err)
		return pass, err
	}
	return c
}

func newCeremonyRoot(u *ui) *cobra.Command {
	var r room
	var organization, cps string
	var need int
	var custodians []string
	c := &cobra.Command{
		Use: "root", Short: u.words.Get("ceremony.cli.root").Both(), Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			var all []app.Custodian
			for i, v := range custodians {
				name, file, ok := strings.Cut(v, "=")
				if !ok {
					return fail(fmt.Errorf("--custodian %s: not NAME=FILE", v), "ceremony.hint.custodian")
				}
				all = append(all, r.custodian(u, i, name, file))
			}
			if err := r.ready(); err != nil {
				return err
			}
			out, err := app.MakeRoots(cmd.Context(), r.s, organization, cps, need, all)
			if err != nil {
				return fail(err, ceremonyHint(err))
			}
			return u.leave(r.out, out)
		},
	}
	r.flags(u, c)
	f := c.Flags()
	f.StringVar(&organization, "organization", "", u.words.Get("cli.init.organization").Both())
	f.StringVar(&cps, "cps", "", u.words.Get("ceremony.cli.cps").Both())
	f.IntVar(&need, "threshold", 3, u.words.Get("ceremony.cli.threshold").Both())
	f.StringArrayVar(&custodians, "custodian", nil, u.words.Get("ceremony.cli.custodian").Both())
	return c
}

// ready looks at what can be known before anybody types a passphrase.
func (r *room) ready() error {
	if r.out == "" {
		return fail(errors.New("--out is missing"), "ceremony.hint.out")
	}
	if err := free(r.out, false); err != nil {
		return fail(err, "ceremony.hint.out")
	}
	return nil
}

// leave writes what leaves the room and says what to print and keep.
func (u *ui) leave(path string, out ceremony.Outcome) error {
	raw, err := out.Encode()
	if err != nil {
		return err
	}
	if err := writeWhole(path, raw, false); err != nil {
		return fail(err, "ceremony.hint.out")
	}
	return u.show(out)
}

func newCeremonySign(u *ui) *cobra.Command {
	var r room
	var order, sum string
	var shares []string
	c := &cobra.Command{
		Use: "sign", Short: u.words.Get("ceremony.cli.sign").Both(), Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			raw, err := readFile(order, ceremony.MaxSize)
			if err != nil {
				return fail(err, "ceremony.hint.order")
			}
			acts, is, err := app.ReviewOrder(r.s, raw)
			if err != nil {
				return fail(err, ceremonyHint(err))
			}
			if len(shares) == 0 { // only look
				if u.json {
					return u.printJSON(map[string]any{"order_sm3": is, "acts": acts})
				}
				u.say("ceremony.cli.review", "sm3", is)
				u.acts(acts)
				return nil
			}
			if err := r.ready(); err != nil {
				return err
			}
			var all []app.Custodian
			for i, file := range shares {
				all = append(all, r.custodian(u, i, "", file))
			}
			out, err := app.SignOrder(cmd.Context(), r.s, raw, sum, all)
			if err != nil {
				return fail(err, ceremonyHint(err))
			}
			return u.leave(r.out, out)
		},
	}
	r.flags(u, c)
	f := c.Flags()
	f.StringVar(&order, "order", "", u.words.Get("ceremony.cli.order_file").Both())
	f.StringVar(&sum, "order-sm3", "", u.words.Get("ceremony.cli.order_sm3").Both())
	f.StringArrayVar(&r.s.Others, "also", nil, u.words.Get("ceremony.cli.also").Both())
	f.StringArrayVar(&shares, "share", nil, u.words.Get("ceremony.cli.share").Both())
	return c
}

func newCeremonyOrder(u *ui) *cobra.Command {
	var dir, out string
	c := &cobra.Command{
		Use: "order", Short: u.words.Get("ceremony.cli.order").Both(), Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := (&room{out: out}).ready(); err != nil {
				return err
			}
			return u.onHouse(cmd.Context(), dir, func(ctx context.Context, cfg app.Config) error {
				raw, err := app.OrderLists(ctx, cfg)
				if err != nil {
					return err
				}
				return u.ordered(out, raw)
			})
		},
	}
	c.Flags().StringVar(&dir, "dir", "yinxin-data", u.words.Get("cli.serve.dir").Both())
	c.Flags().StringVarP(&out, "out", "o", "", u.words.Get("ceremony.cli.out").Both())
	return c
}

// ordered writes an order and prints its SM3, which the people in the room
// compare.
func (u *ui) ordered(path string, raw []byte) error {
	if err := writeWhole(path, raw, false); err != nil {
		return fail(err, "ceremony.hint.out")
	}
	if u.json {
		return u.printJSON(map[string]string{"order": path, "order_sm3": app.SM3Hex(raw)})
	}
	u.say("ceremony.cli.ordered", "file", path, "sm3", app.SM3Hex(raw))
	return nil
}

func newCeremonyImport(u *ui) *cobra.Command {
	var dir string
	c := &cobra.Command{
		Use: "import FILE", Short: u.words.Get("ceremony.cli.import").Both(), Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			raw, err := readFile(args[0], 2*ceremony.MaxSize)
			if err != nil {
				return fail(err, "ceremony.hint.order")
			}
			return u.onHouse(cmd.Context(), dir, func(ctx context.Context, cfg app.Config) error {
				got, err := app.ImportCeremony(ctx, cfg, raw)
				if err != nil {
					return err
				}
				if u.json {
					return u.printJSON(got)
				}
				u.say("ceremony.cli.imported", "lists", fmt.Sprint(got.Lists))
				if got.Generation > 0 {
					u.say("succession.cli.imported", "number", fmt.Sprint(got.Generation))
				}
				return nil
			})
		},
	}
	c.Flags().StringVar(&dir, "dir", "yinxin-data", u.words.Get("cli.serve.dir").Both())
	return c
}

func (u *ui) onHouse(ctx context.Context, dir string, do func(context.Context, app.Config) error) error {
	s, err := app.LoadSettings(dir)
	if err == nil {
		err = do(ctx, u.house(s, dir))
	}
	var hinted *exitError
	if err == nil || errors.As(err, &hinted) {
		return err
	}
	return fail(err, ceremonyHint(err))
}

func newCeremonyShow(u *ui) *cobra.Command {
	return &cobra.Command{
		Use: "show FILE", Short: u.words.Get("ceremony.cli.show").Both(), Args: cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			raw, err := readFile(args[0], 2*ceremony.MaxSize)
			if err != nil {
				return fail(err, "ceremony.hint.order")
			}
			out, err := ceremony.ReadOutcome(raw)
			if err != nil {
				return fail(err, ceremonyHint(err))
			}
			return u.show(out)
		},
	}
}

// show prints a record that both of its roots signed. Whether these are the right
// roots the reader sees by their digests.
func (u *ui) show(out ceremony.Outcome) error {
	roots, err := out.RootCertificates()
	if err != nil {
		return fail(err, ceremonyHint(err))
	}
	rec, sum, err := out.Verify(roots)
	if err != nil {
		return fail(err, ceremonyHint(err))
	}
	if u.json {
		return u.printJSON(map[string]any{"record_sm3": sum, "record": rec})
	}
	u.say("ceremony.cli.record", "kind", rec.Kind, "sm3", sum, "organization", text.Plain(rec.Organization), "place", text.Plain(rec.Place), "ended", rec.EndedAt.Format(time.RFC3339))
	u.say("ceremony.cli.people", "operator", text.Plain(rec.Operator), "witnesses", text.Plain(strings.Join(rec.Witnesses, ", ")))
	for _, d := range append([]ceremony.Division{rec.Division}, rec.Others...) {
		for _, p := range d.Custodians {
			u.say("ceremony.cli.present", "number", fmt.Sprint(p.Number), "name", text.Plain(p.Name), "need", fmt.Sprint(d.Need), "of", fmt.Sprint(d.Of))
		}
	}
	for _, k := range rec.Keys {
		u.say("ceremony.cli.key", "root", text.Plain(k.Root), "sm3", k.SM3, "check", k.CheckValue)
	}
	u.acts(rec.Acts)
	for _, s := range rec.Script {
		fmt.Fprintf(u.out, "  %s  %s\n", s.At.Format(time.RFC3339), text.Plain(s.What))
	}
	return nil
}

func (u *ui) acts(acts []ceremony.Act) {
	for _, a := range acts {
		// Roots of one house have one name: the digests tell them apart.
		if a.Names != "" {
			u.say("ceremony.cli.cross", "signer", a.Root, "root", a.Names)
		}
		u.say("ceremony.cli.act", "kind", a.Kind, "issuer", text.Plain(a.Issuer), "subject", text.Plain(a.Subject),
			"from", a.From.Format(time.DateOnly), "until", a.Until.Format(time.DateOnly), "sm3", a.TBSSM3)
	}
}

func ceremonyHint(err error) string {
	switch {
	case errors.Is(err, ceremony.ErrOrder):
		return "ceremony.hint.order"
	case errors.Is(err, ceremony.ErrRecord), errors.Is(err, status.ErrOvertaken), errors.Is(err, status.ErrSignature):
		return "ceremony.hint.record"
	case errors.Is(err, keys.ErrShares), errors.Is(err, keys.ErrSplit):
		return "ceremony.hint.shares"
	case errors.Is(err, app.ErrRoom):
		return "ceremony.hint.room"
	case errors.Is(err, app.ErrServing):
		return "ceremony.hint.serving"
	case errors.Is(err, status.ErrOnline):
		return "ceremony.hint.online"
	}
	return startHint(err)
}
