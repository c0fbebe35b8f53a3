package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/yinxin-gov/yinxin/signer/cms/signeddata"
	"github.com/yinxin-gov/yinxin/signer/cms/tsp"
)

// maxStamp bounds a file with a time-stamp.
const maxStamp = 1 << 20

// newTSCommand is the client's side of time-stamps: ask for one, judge one, look
// at one. It needs no house and no store.
func newTSCommand(u *ui) *cobra.Command {
	c := &cobra.Command{Use: "ts", Short: u.words.Get("ts.command").Both()}
	c.AddCommand(newTSStampCommand(u), newTSVerifyCommand(u), newTSShowCommand(u))
	return c
}

// tsStamped is what `ts stamp --json` prints.
type tsStamped struct {
	Out string `json:"out"`
	tokenShown
}

// newTSStampCommand asks a service for a time-stamp on a file.
func newTSStampCommand(u *ui) *cobra.Command {
	var service tsaFlags
	var digest, out string
	var force bool
	word := func(key string) string { return u.words.Get("ts." + key).Both() }
	c := &cobra.Command{
		Use:   "stamp --url URL FILE",
		Short: word("stamp.command"),
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if out == "" {
				out = args[0] + ".tsr"
			}
			if err := free(out, force); err != nil {
				return fail(err, "sign.hint.output")
			}
			d, err := digestNamed(digest)
			if err != nil {
				return fail(err, "ts.hint.digest")
			}
			token, err := stampFile(cmd.Context(), service, d, args[0])
			if err != nil {
				return err
			}
			// The form that openssl ts reads; the status says no more than that
			// there is a token.
			reply, err := tsp.Granted(token.der)
			if err != nil {
				return err
			}
			if err := writeWhole(out, reply, force); err != nil {
				return fail(err, "sign.hint.output")
			}
			if u.json {
				return u.printJSON(tsStamped{out, token.show()})
			}
			u.line("", "ts.done", data("out", out))
			u.printToken(token.show())
			return nil
		},
	}
	fs := c.Flags()
	service.bind(c, "", word)
	fs.StringVar(&digest, "digest", "sm3", word("flag.digest"))
	fs.StringVar(&out, "out", "", word("flag.out"))
	fs.BoolVar(&force, "force", false, u.words.Get("sign.flag.force").Both())
	if err := c.MarkFlagRequired("url"); err != nil {
		panic(err) // a flag that is defined above
	}
	return c
}

func stampFile(ctx context.Context, service tsaFlags, d signeddata.Digest, name string) (token, error) {
	client, err := service.client(d)
	if err != nil {
		return token{}, fail(err, stampHint(err))
	}
	sum, err := digestFile(name, d)
	if err != nil {
		return token{}, fail(err, "sign.hint.input")
	}
	der, err := client.StampImprint(ctx, tsp.Imprint{Digest: d, Value: sum})
	if err != nil {
		return token{}, fail(err, stampHint(err))
	}
	return parseStamp(name, der)
}

// digestNamed finds a digest by the name that people write.
func digestNamed(name string) (signeddata.Digest, error) {
	for oid, n := range digestNames() {
		if n == name {
			return signeddata.DigestOf(oidOf(oid))
		}
	}
	return signeddata.Digest{}, fmt.Errorf("digest %q", name)
}

// digestFile reads a file once, whatever its size.
func digestFile(name string, d signeddata.Digest) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() {
		return nil, errors.Join(err, fmt.Errorf("%s: not a regular file", name))
	}
	h := d.New()
	if _, err := io.Copy(h, f); err != nil {
		return nil, err
	}
	return h.Sum(nil), nil
}

// printToken shows a time-stamp to people.
func (u *ui) printToken(s tokenShown) {
	field := func(key, value string) {
		if value != "" {
			u.line("  ", "ts.line."+key, data("value", value))
		}
	}
	field("time", s.Time.Format(time.RFC3339))
	field("accuracy", s.Accuracy)
	field("service", s.Service)
	field("digest", s.Digest)
	field("imprint", s.Imprint)
	field("policy", s.Policy)
	field("serial", s.Serial)
	field("nonce", s.Nonce)
	field("signature", s.Signature)
	field("certificates", strconv.Itoa(s.Certificates))
	if s.Good == nil {
		u.line("  ", "ts.line.good_unknown")
		return
	}
	u.line("  ", "ts.line.good", data("until", s.Good.Until.Format(time.RFC3339)), word("end", "ts.end."+string(s.Good.End)), data("detail", s.Good.Detail))
}
