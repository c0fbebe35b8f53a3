package main

import (
	"context"
	"crypto"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/spf13/cobra"

	"github.com/yinxin-gov/yinxin/signer"
	"github.com/yinxin-gov/yinxin/signer/ofd"
	"github.com/yinxin-gov/yinxin/signer/pdf"
	"github.com/yinxin-gov/yinxin/signer/seal"
)

// Limits of what the offline commands read.
const (
	maxDocument    = 512 << 20
	maxCertificate = 64 << 10
)

// signFlags are the options of yinxin sign.
type signFlags struct {
	seal, key, cert, passphrase, out string
	standard, form, keyword, ride    string
	page                             int
	x, y                             float64
	whole, force                     bool
	filter, subFilter, tsaURL, cite  string
	documentType                     string
	placed                           bool // a place of an ordinary stamp was given
}

// signResult is what --json prints.
type signResult struct {
	Out      string    `json:"out"`
	Standard string    `json:"standard"`
	Seal     string    `json:"seal,omitempty"`
	Name     string    `json:"name,omitempty"`
	SignedAt time.Time `json:"signed_at"`
	Document string    `json:"document_sm3"`
	Sealed   string    `json:"sealed_sm3"`
	Cited    int       `json:"cited,omitempty"` // resources that the document quotes; no consent was asked for
	Recorded bool      `json:"recorded"`        // always false here: only the service has a ledger
}

// newSignCommand seals a file offline, with a key of the caller's own. The
// service seals with approval and record; this is for pilots and tests, and
// says so.
func newSignCommand(u *ui) *cobra.Command {
	var f signFlags
	word := func(key string) string { return u.words.Get("sign." + key).Both() }
	cmd := &cobra.Command{
		Use:   "sign {--seal SEAL.esl | --standard cms --cert CERT.pem} --key KEY.pem --out OUT FILE.ofd|FILE.pdf",
		Short: word("command"),
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := f.check(cmd.Flags().Changed); err != nil {
				return err
			}
			res, err := signFile(cmd.Context(), f, args[0])
			if err != nil {
				return err
			}
			if u.json {
				return u.printJSON(res)
			}
			u.say("sign.done", "out", res.Out)
			if res.Seal != "" {
				u.say("sign.line.seal", "id", printable(res.Seal), "name", printable(res.Name))
			}
			u.say("sign.line.digest", "sm3", res.Sealed)
			if res.Cited > 0 {
				u.say("sign.line.cited", "n", fmt.Sprint(res.Cited))
			}
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
	fs.StringVar(&f.keyword, "keyword", "", word("flag.keyword"))
	fs.StringVar(&f.ride, "ride", "", word("flag.ride"))
	fs.StringVar(&f.standard, "standard", string(signer.StandardV4), word("flag.standard"))
	fs.StringVar(&f.form, "form", "b", word("flag.form"))
	fs.BoolVar(&f.whole, "whole", false, word("flag.whole"))
	fs.StringVar(&f.filter, "pdf-filter", "", word("flag.filter"))
	fs.StringVar(&f.subFilter, "pdf-subfilter", "", word("flag.subfilter"))
	fs.StringVar(&f.tsaURL, "tsa-url", "", word("flag.tsa"))
	fs.StringVar(&f.cite, "cite", "", word("flag.cite"))
	fs.StringVar(&f.documentType, "type", "", word("flag.type"))
	fs.StringVar(&f.out, "out", "", word("flag.out"))
	fs.BoolVar(&f.force, "force", false, word("flag.force"))
	for _, name := range []string{"key", "out"} {
		if err := cmd.MarkFlagRequired(name); err != nil {
			panic(err) // a flag that is defined above
		}
	}
	return cmd
}

// check refuses flags that do not fit together, before anything is read.
func (f *signFlags) check(changed func(string) bool) error {
	bad := func(hint, format string, args ...any) error { return fail(fmt.Errorf(format, args...), hint) }
	switch err := signer.CheckType(f.documentType, signer.Exclusions()); {
	case errors.Is(err, signer.ErrExcluded): // denied by law, not a mistake of usage
		return &exitError{code: exitInvalid, err: err, hint: "sign.hint.type"}
	case err != nil:
		return fail(err, "sign.hint.type")
	}
	at := changed("x") || changed("y")
	f.placed = at || changed("page") || changed("keyword")
	switch signer.Standard(f.standard) {
	case signer.StandardV4, signer.StandardV1:
		if f.seal == "" {
			return bad("sign.hint.standard", "--standard %s needs --seal", f.standard)
		}
		if changed("form") {
			return bad("sign.hint.standard", "--form is for --standard cms")
		}
	case signer.StandardCMS:
		if f.seal != "" || f.cert == "" || f.placed || changed("ride") || f.form != "a" && f.form != "b" {
			return bad("sign.hint.standard", "--standard cms takes --cert and --form a or b, no seal and no place")
		}
	default:
		return bad("sign.hint.standard", "standard %q", f.standard)
	}
	if at && (!changed("x") || !changed("y") || !onPaper(f.x) || !onPaper(f.y) || f.keyword != "") {
		return bad("sign.hint.place", "place %g, %g", f.x, f.y)
	}
	switch signer.Edge(f.ride) {
	case "", signer.EdgeLeft, signer.EdgeRight, signer.EdgeTop, signer.EdgeBottom:
		return nil
	}
	return bad("sign.hint.place", "edge %q", f.ride)
}

// job is what the flags ask for. A ride seal stands alone unless a place for an
// ordinary stamp is given too.
func (f *signFlags) job() signer.Job {
	j := signer.Job{
		Standard: signer.Standard(f.standard), Time: time.Now(), Whole: f.whole, Content: f.form == "a",
		Placement: signer.Placement{Page: f.page, X: f.x, Y: f.y, Keyword: f.keyword},
		Provider:  ofd.Provider{Name: "yinxin", Version: version},
		PDF:       signer.PDFNames{Filter: f.filter, SubFilter: f.subFilter},
	}
	if ride := (signer.Placement{Ride: signer.Edge(f.ride)}); f.ride != "" && f.placed {
		j.Also = []signer.Placement{ride}
	} else if f.ride != "" {
		j.Placement = ride
	}
	return j
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
	var e *seal.Seal
	job := f.job()
	if job.Standard != signer.StandardCMS {
		if job.SealDER, err = readFile(f.seal, seal.MaxSize); err != nil {
			return signResult{}, fail(err, "sign.hint.input")
		}
		if e, err = seal.ParseSeal(job.SealDER); err != nil {
			return signResult{}, fail(fmt.Errorf("%s: %w", f.seal, err), "sign.hint.seal")
		}
	}
	key, err := openKey(f.key, f.passphrase)
	if err != nil {
		return signResult{}, err
	}
	if job.CertDER, err = signerCertificate(f.cert, e, key.Public()); err != nil {
		return signResult{}, err
	}
	if f.tsaURL != "" {
		if job.Stamper, err = timeStamps(f.tsaURL, job.CertDER); err != nil {
			return signResult{}, fail(err, "sign.hint.tsa")
		}
	}
	if f.cite != "" {
		if job.Citations, err = readCitations(f.cite); err != nil {
			return signResult{}, fail(err, "sign.hint.cite")
		}
	}
	out, err := sealDocument(ctx, doc, job, key)
	if err != nil {
		return signResult{}, fail(fmt.Errorf("%s: %w", name, err), signHint(err))
	}
	if err := writeWhole(f.out, out, f.force); err != nil {
		return signResult{}, fail(err, "sign.hint.output")
	}
	res := signResult{
		Out: f.out, Standard: f.standard, SignedAt: job.Time.UTC().Truncate(time.Second),
		Document: signer.Digest(doc), Sealed: signer.Digest(out), Cited: len(job.Citations),
	}
	if e != nil {
		res.Seal, res.Name = e.ID, e.Name
	}
	return res, nil
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

// signHint says what to do about an error of sealing.
func signHint(err error) string {
	switch {
	case errors.Is(err, signer.ErrStamp):
		return "sign.hint.tsa"
	case errors.Is(err, signer.ErrCitation), errors.Is(err, ofd.ErrCustom), errors.Is(err, pdf.ErrInfo):
		return "sign.hint.cite"
	case errors.Is(err, signer.ErrStandard):
		return "sign.hint.standard"
	case errors.Is(err, signer.ErrDocument):
		return "sign.hint.document"
	case errors.Is(err, seal.ErrUnsupported):
		return "sign.hint.standard"
	case errors.Is(err, seal.ErrLint):
		return "sign.hint.lint"
	}
	return "sign.hint.seal"
}
