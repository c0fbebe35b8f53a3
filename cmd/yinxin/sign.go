package main

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"github.com/yinxin-gov/yinxin/internal/text"
	"github.com/yinxin-gov/yinxin/signer"
)

// newSignCommand seals or signs offline, with a key of the caller's own. The
// service seals with approval and record; this is for pilots and tests, and says
// so.
func newSignCommand(u *ui) *cobra.Command {
	var f signFlags
	word := func(key string) string { return u.words.Get("sign." + key).Both() }
	cmd := &cobra.Command{
		Use:   "sign {--seal SEAL.esl | --standard cms|pades --cert CERT.pem} --key KEY.pem [--detached|--enveloping] [--out OUT] FILE|FOLDER",
		Short: word("command"),
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := f.check(cmd.Flags().Changed); err != nil {
				return err
			}
			if info, err := os.Stat(args[0]); err == nil && info.IsDir() {
				return u.signFolder(cmd.Context(), f, args[0])
			}
			if f.yes || f.manifest != "" || f.manifestOut != "" {
				return fail(errors.New("--yes and --manifest are for a folder"), "sign.hint.batch")
			}
			return u.signOne(cmd.Context(), f, args[0])
		},
	}
	fs := cmd.Flags()
	fs.StringVar(&f.seal, "seal", "", word("flag.seal"))
	fs.StringVar(&f.key, "key", "", word("flag.key"))
	fs.StringVar(&f.cert, "cert", "", word("flag.cert"))
	fs.StringVar(&f.chain, "chain", "", word("flag.chain"))
	fs.StringVar(&f.passphrase, "passphrase-file", "", word("flag.passphrase"))
	fs.IntVar(&f.page, "page", 0, word("flag.page"))
	fs.Float64Var(&f.x, "x", 0, word("flag.x"))
	fs.Float64Var(&f.y, "y", 0, word("flag.y"))
	fs.StringVar(&f.keyword, "keyword", "", word("flag.keyword"))
	fs.StringVar(&f.ride, "ride", "", word("flag.ride"))
	fs.StringVar(&f.standard, "standard", string(signer.StandardV4), word("flag.standard"))
	fs.StringVar(&f.form, "form", "b", word("flag.form"))
	fs.BoolVar(&f.detached, "detached", false, word("flag.detached"))
	fs.BoolVar(&f.enveloping, "enveloping", false, word("flag.enveloping"))
	fs.BoolVar(&f.whole, "whole", false, word("flag.whole"))
	fs.StringVar(&f.filter, "pdf-filter", "", word("flag.filter"))
	fs.StringVar(&f.subFilter, "pdf-subfilter", "", word("flag.subfilter"))
	f.tsa.bind(cmd, "tsa-", func(key string) string { return u.words.Get("ts." + key).Both() })
	fs.StringVar(&f.cite, "cite", "", word("flag.cite"))
	fs.StringVar(&f.documentType, "type", "", word("flag.type"))
	fs.StringVar(&f.out, "out", "", word("flag.out"))
	fs.BoolVar(&f.force, "force", false, word("flag.force"))
	fs.StringVar(&f.manifest, "manifest", "", word("flag.manifest"))
	fs.StringVar(&f.manifestOut, "manifest-out", "", word("flag.manifest_out"))
	fs.BoolVar(&f.yes, "yes", false, word("flag.yes"))
	if err := cmd.MarkFlagRequired("key"); err != nil {
		panic(err) // a flag that is defined above
	}
	return cmd
}

// signOne signs one file. It asks for the output first, so that nobody types a
// passphrase for nothing, and writes it last, whole or not at all.
func (u *ui) signOne(ctx context.Context, f signFlags, name string) error {
	if f.out == "" {
		if f.suffix() == "" {
			return fail(errors.New("--out is missing"), "sign.hint.output")
		}
		f.out = name + f.suffix()
	}
	if err := free(f.out, f.force); err != nil {
		return fail(err, "sign.hint.output")
	}
	in, size, err := openRegular(name)
	if err != nil {
		return fail(err, "sign.hint.input")
	}
	defer in.Close()
	d, err := openDesk(f)
	if err != nil {
		return err
	}
	res, err := d.sign(ctx, input{file: in, name: name, size: size}, f.out)
	if err != nil {
		return err
	}
	if u.json {
		return u.printJSON(res)
	}
	if res.Seal != "" {
		u.say("sign.done", "out", text.Plain(res.Out))
		u.say("sign.line.seal", "id", text.Plain(res.Seal), "name", text.Plain(res.Name))
		u.say("sign.line.digest", "sm3", res.Sealed)
	} else {
		u.say("sign.done_file", "out", text.Plain(res.Out))
		u.say("sign.line.digest_file", "sm3", res.Sealed)
	}
	if res.Cited > 0 {
		u.say("sign.line.cited", "n", fmt.Sprint(res.Cited))
	}
	u.madeOffline(res.Seal != "")
	return nil
}

// madeOffline says what the result is worth.
func (u *ui) madeOffline(sealed bool) {
	u.say(map[bool]string{true: "sign.line.offline", false: "sign.line.offline_file"}[sealed])
	u.say("sign.line.effect")
}
