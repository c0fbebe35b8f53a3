package main

import (
	"context"
	"crypto"
	"errors"
	"fmt"
	"math"
	"net/http"
	"net/url"
	"time"

	"github.com/spf13/cobra"

	"github.com/yinxin-gov/yinxin/signer"
	"github.com/yinxin-gov/yinxin/signer/cms/signeddata"
	"github.com/yinxin-gov/yinxin/signer/ofd"
	"github.com/yinxin-gov/yinxin/signer/seal"
	"github.com/yinxin-gov/yinxin/signer/tsa"
)

// Limits of what the offline commands read.
const (
	maxDocument    = 512 << 20
	maxCertificate = 64 << 10
)

// stampTimeout is how long a time-stamp service may take.
const stampTimeout = 20 * time.Second

// signFlags are the options of yinxin sign.
type signFlags struct {
	seal, key, cert, passphrase, out string
	page                             int
	x, y                             float64
	whole, force                     bool
	filter, subFilter, tsaURL        string
}

// signResult is what --json prints.
type signResult struct {
	Out      string    `json:"out"`
	Seal     string    `json:"seal"`
	Name     string    `json:"name"`
	SignedAt time.Time `json:"signed_at"`
	Document string    `json:"document_sm3"`
	Sealed   string    `json:"sealed_sm3"`
	Recorded bool      `json:"recorded"` // always false here: only the service has a ledger
}

// newSignCommand seals a file offline, with a key of the caller's own. The
// service seals with approval and record; this is for pilots and tests, and
// says so.
func newSignCommand(u *ui) *cobra.Command {
	var f signFlags
	word := func(key string) string { return u.words.Get("sign." + key).Both() }
	cmd := &cobra.Command{
		Use:   "sign --seal SEAL.esl --key KEY.pem --out OUT FILE.ofd|FILE.pdf",
		Short: word("command"),
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			placed := cmd.Flags().Changed("x") || cmd.Flags().Changed("y")
			if placed && (!cmd.Flags().Changed("x") || !cmd.Flags().Changed("y") || !onPaper(f.x) || !onPaper(f.y)) {
				return fail(fmt.Errorf("place %g, %g", f.x, f.y), "sign.hint.place")
			}
			res, err := signFile(cmd.Context(), f, args[0])
			if err != nil {
				return err
			}
			if u.json {
				return u.printJSON(res)
			}
			u.say("sign.done", "out", res.Out)
			u.say("sign.line.seal", "id", printable(res.Seal), "name", printable(res.Name))
			u.say("sign.line.digest", "sm3", res.Sealed)
			u.say("sign.line.offline")
			u.say("sign.line.effect")
			return nil
		},
	}
	fs := cmd.Flags()
	fs.StringVar(&f.seal, "seal", "", word("flag.seal"))
	fs.StringVar(&f.key, "key", "", word("flag.key"))
	fs.StringVar(&f.cert, "cert", "", word("flag.cert"))
	fs.StringVar(&f.passphrase, "passphrase-file", "", word("flag.passphrase"))
	fs.IntVar(&f.page, "page", 0, word("flag.page"))
	fs.Float64Var(&f.x, "x", 0, word("flag.x"))
	fs.Float64Var(&f.y, "y", 0, word("flag.y"))
	fs.BoolVar(&f.whole, "whole", false, word("flag.whole"))
	fs.StringVar(&f.filter, "pdf-filter", "", word("flag.filter"))
	fs.StringVar(&f.subFilter, "pdf-subfilter", "", word("flag.subfilter"))
	fs.StringVar(&f.tsaURL, "tsa-url", "", word("flag.tsa"))
	fs.StringVar(&f.out, "out", "", word("flag.out"))
	fs.BoolVar(&f.force, "force", false, word("flag.force"))
	for _, name := range []string{"seal", "key", "out"} {
		if err := cmd.MarkFlagRequired(name); err != nil {
			panic(err) // a flag that is defined above
		}
	}
	return cmd
}

func onPaper(mm float64) bool { return mm >= 0 && mm < 5000 && !math.IsNaN(mm) }

// signFile seals one file. It asks for the output first, so that nobody types
// a passphrase for nothing, and writes it last, whole or not at all.
func signFile(ctx context.Context, f signFlags, name string) (signResult, error) {
	if err := free(f.out, f.force); err != nil {
		return signResult{}, fail(err, "sign.hint.output")
	}
	doc, err := readFile(name, maxDocument)
	if err != nil {
		return signResult{}, fail(err, "sign.hint.input")
	}
	sealDER, err := readFile(f.seal, seal.MaxSize)
	if err != nil {
		return signResult{}, fail(err, "sign.hint.input")
	}
	e, err := seal.ParseSeal(sealDER)
	if err != nil {
		return signResult{}, fail(fmt.Errorf("%s: %w", f.seal, err), "sign.hint.seal")
	}
	key, err := openKey(f.key, f.passphrase)
	if err != nil {
		return signResult{}, err
	}
	certDER, err := signerCertificate(f.cert, e, key.Public())
	if err != nil {
		return signResult{}, err
	}
	job := signer.Job{
		SealDER: sealDER, CertDER: certDER, Time: time.Now(), Whole: f.whole,
		Placement: signer.Placement{Page: f.page, X: f.x, Y: f.y},
		Provider:  ofd.Provider{Name: "yinxin", Version: version},
		PDF:       signer.PDFNames{Filter: f.filter, SubFilter: f.subFilter},
	}
	if f.tsaURL != "" {
		if job.Stamper, err = timeStamps(f.tsaURL, certDER); err != nil {
			return signResult{}, fail(err, "sign.hint.tsa")
		}
	}
	out, err := sealDocument(ctx, doc, job, key)
	if err != nil {
		return signResult{}, fail(fmt.Errorf("%s: %w", name, err), signHint(err))
	}
	if err := writeWhole(f.out, out, f.force); err != nil {
		return signResult{}, fail(err, "sign.hint.output")
	}
	return signResult{
		Out: f.out, Seal: e.ID, Name: e.Name, SignedAt: job.Time.UTC().Truncate(time.Second),
		Document: signer.Digest(doc), Sealed: signer.Digest(out),
	}, nil
}

func sealDocument(ctx context.Context, doc []byte, job signer.Job, key crypto.Signer) ([]byte, error) {
	if err := signer.Sealable(ctx, doc, job); err != nil {
		return nil, err
	}
	p, err := signer.Prepare(doc, job, key.Public())
	if err != nil {
		return nil, err
	}
	return p.Sign(ctx, key)
}

// timeStamps is the time-stamp service at an address, asked with the digest of the
// signer's own algorithm.
func timeStamps(address string, certDER []byte) (signer.Stamper, error) {
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return nil, fmt.Errorf("--tsa-url %q is no http or https address", address)
	}
	digest, err := signeddata.DigestFor(certDER)
	if err != nil {
		return nil, err
	}
	return tsa.Client{URL: address, HTTP: &http.Client{Timeout: stampTimeout}, Digest: digest}, nil
}

// signHint says what to do about an error of sealing.
func signHint(err error) string {
	switch {
	case errors.Is(err, signer.ErrStamp):
		return "sign.hint.tsa"
	case errors.Is(err, signer.ErrDocument):
		return "sign.hint.document"
	case errors.Is(err, seal.ErrLint):
		return "sign.hint.lint"
	}
	return "sign.hint.seal"
}
