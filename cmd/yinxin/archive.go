package main

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/emmansun/gmsm/sm3"
	"github.com/spf13/cobra"
	"gopkg.in/yaml.v3"

	"github.com/yinxin-gov/yinxin/authz/ledger"
	"github.com/yinxin-gov/yinxin/signer/archive"
	"github.com/yinxin-gov/yinxin/signer/ofd"
	"github.com/yinxin-gov/yinxin/signer/verify"
)

// newArchiveCommand is the records officer's side: packages are files, and every
// command but the time-stamps of pack and renew works offline.
func newArchiveCommand(u *ui) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "archive",
		Short: u.words.Get("archive.cmd").Both(),
		Args:  cobra.NoArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newArchivePack(u), newArchiveVerify(u), newArchiveCheck(u), newArchiveRenew(u), newArchiveDue(u))
	return cmd
}

// packFlags are the options of yinxin archive pack.
type packFlags struct {
	meta, cert, key, passphrase, digest, status, chain string
	content                                            string
	ledger, ledgerKey, trust, out                      string
	tsa                                                tsaFlags
	force                                              bool
}

// packed is what pack --json prints.
type packed struct {
	Out         string         `json:"out"`
	Document    string         `json:"document"`
	SM3         string         `json:"document_sm3"`
	ManifestSM3 string         `json:"manifest_sm3"`
	ArchivedAt  string         `json:"archived_at"`
	RenewBy     string         `json:"renew_by"`
	Verdict     verify.Verdict `json:"verdict"`
}

func newArchivePack(u *ui) *cobra.Command {
	var f packFlags
	word := func(key string) string { return u.words.Get("archive.flag." + key).Both() }
	cmd := &cobra.Command{
		Use:   "pack --meta META.yaml --cert CERT.pem --key KEY.pem --trust DIR --out PACKAGE.zip FILE",
		Short: u.words.Get("archive.cmd.pack").Both(),
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			res, err := u.pack(cmd.Context(), f, args[0])
			if err != nil {
				return err
			}
			if u.json {
				return u.printJSON(res)
			}
			u.say("archive.packed", "out", res.Out)
			u.say("archive.line.sm3", "sm3", res.SM3)
			u.sayProtection(res.ArchivedAt, res.RenewBy)
			u.say("archive.line.legal")
			return nil
		},
	}
	fs := cmd.Flags()
	fs.StringVar(&f.meta, "meta", "", word("meta"))
	fs.StringVar(&f.cert, "cert", "", word("cert"))
	fs.StringVar(&f.key, "key", "", word("key"))
	fs.StringVar(&f.passphrase, "passphrase-file", "", u.words.Get("sign.flag.passphrase").Both())
	f.tsa.bind(cmd, "tsa-", func(key string) string { return u.words.Get("ts." + key).Both() })
	fs.StringVar(&f.digest, "digest", "sm3", word("digest"))
	fs.StringVar(&f.status, "revocation", "", u.words.Get("verify.flag.revocation").Both())
	fs.StringVar(&f.chain, "chain", "", word("chain"))
	fs.StringVar(&f.content, "content", "", u.words.Get("verify.flag.content").Both())
	fs.StringVar(&f.ledger, "ledger", "", word("ledger"))
	fs.StringVar(&f.ledgerKey, "ledger-key", "", word("ledger_key"))
	fs.StringVar(&f.trust, "trust", "", u.words.Get("verify.flag.trust").Both())
	fs.StringVar(&f.out, "out", "", word("out"))
	fs.BoolVar(&f.force, "force", false, u.words.Get("sign.flag.force").Both())
	require(cmd, "meta", "cert", "key", "trust", "out")
	return cmd
}

// require marks flags that were defined.
func require(cmd *cobra.Command, names ...string) {
	for _, name := range names {
		if err := cmd.MarkFlagRequired(name); err != nil {
			panic(err)
		}
	}
}

// pack asks for everything that can be missing before it opens the key.
func (u *ui) pack(ctx context.Context, f packFlags, name string) (packed, error) {
	if err := free(f.out, f.force); err != nil {
		return packed{}, fail(err, "sign.hint.output")
	}
	if (f.ledger == "") != (f.ledgerKey == "") {
		return packed{}, fail(errors.New("--ledger and --ledger-key go together"), "archive.hint.ledger")
	}
	doc, size, err := openUpTo(name, maxDocument)
	if err != nil {
		return packed{}, err
	}
	defer doc.Close() // read only
	job := archive.Job{Name: name, Document: doc, Size: size}
	if beside, ok := contentBeside(name); f.content == "" && ok {
		f.content = beside
	}
	if f.content != "" {
		c, size, err := openUpTo(f.content, maxDocument)
		if err != nil {
			return packed{}, err
		}
		defer c.Close() // read only
		job.Content = &archive.Content{Name: f.content, File: c, Size: size}
	}
	if job.Metadata, err = readMetadata(f.meta); err != nil {
		return packed{}, fail(err, "archive.hint.meta")
	}
	if err := job.Metadata.Validate(); err != nil {
		return packed{}, fail(err, archiveHint(err))
	}
	cfg := archive.Config{Words: u.words}
	if cfg.Trust, err = verify.ReadTrust(f.trust); err != nil {
		return packed{}, fail(err, "verify.hint.trust")
	}
	if f.tsa.url != "" {
		if cfg.Stamper, err = f.tsa.archiving(f.digest); err != nil {
			return packed{}, err
		}
	}
	if f.status != "" {
		if cfg.Status, err = statusData(f.status, cfg.Trust); err != nil {
			return packed{}, err
		}
	}
	if f.chain != "" {
		chain, err := verify.ReadTrust(f.chain)
		if err != nil {
			return packed{}, fail(err, "archive.hint.chain")
		}
		cfg.Chain = chain.Anchors()
	}
	if f.ledger != "" {
		sum := sm3.New()
		if _, err := io.Copy(sum, io.NewSectionReader(doc, 0, size)); err != nil {
			return packed{}, fail(err, "verify.hint.file")
		}
		if job.Ledger, err = cutLedger(f.ledger, f.ledgerKey, hex.EncodeToString(sum.Sum(nil))); err != nil {
			return packed{}, fail(err, "archive.hint.ledger")
		}
	}
	if cfg.Key, err = openKey(f.key, f.passphrase); err != nil {
		return packed{}, err
	}
	if cfg.CertDER, err = readCertificate(f.cert); err != nil {
		return packed{}, err
	}
	draft, err := archive.Prepare(ctx, cfg, job)
	if err != nil {
		return packed{}, fail(err, archiveHint(err))
	}
	rep, err := draft.Write(ctx, f.out)
	if err != nil {
		return packed{}, fail(err, archiveHint(err))
	}
	return packed{f.out, rep.Document, draft.SM3, draft.ManifestSM3, rep.ArchivedAt, rep.RenewBy, rep.Verdict}, nil
}

// openUpTo opens a regular file that is read piece by piece.
func openUpTo(name string, limit int64) (*os.File, int64, error) {
	f, size, err := openRegular(name)
	if err == nil && size > limit {
		err = errors.Join(fmt.Errorf("%s: more than %d bytes", name, limit), f.Close())
	}
	if err != nil {
		return nil, 0, fail(err, "verify.hint.file")
	}
	return f, size, nil
}

// maxMetadata bounds META.yaml.
const maxMetadata = 64 << 10

// readMetadata reads META.yaml; a field that is not known is a mistake, not a
// remark.
func readMetadata(name string) (m archive.Metadata, err error) {
	b, err := readFile(name, maxMetadata)
	if err != nil {
		return m, err
	}
	dec := yaml.NewDecoder(bytes.NewReader(b))
	dec.KnownFields(true)
	if err := dec.Decode(&m); err != nil {
		return m, fmt.Errorf("%s: %w", name, err)
	}
	if err := dec.Decode(&struct{}{}); !errors.Is(err, io.EOF) {
		return m, fmt.Errorf("%s: more than one document", name)
	}
	return m, nil
}

// cutLedger takes the entries about a document out of an export.
func cutLedger(export, key, sum string) (*archive.Evidence, error) {
	cert, err := readCertificate(key)
	if err != nil {
		return nil, err
	}
	return archive.Ledger{CertDER: cert, Open: func() (archive.Shard, error) {
		f, err := os.Open(export)
		if err != nil {
			return archive.Shard{}, err
		}
		s := archive.Shard{Close: f.Close}
		if s.Entries, s.Number, s.Note, err = ledger.Exported(f); err != nil {
			return archive.Shard{}, errors.Join(fmt.Errorf("%s: %w", export, err), f.Close())
		}
		return s, nil
	}}.Cut(sum)
}

// archiveHint says what to do about an error of packing or renewing.
func archiveHint(err error) string {
	switch {
	case errors.Is(err, verify.ErrNoContent), errors.Is(err, verify.ErrContent):
		return "verify.hint.content"
	case errors.Is(err, archive.ErrSecret):
		return "archive.hint.secret"
	case errors.Is(err, archive.ErrMetadata):
		return "archive.hint.meta"
	case errors.Is(err, archive.ErrDocument), errors.Is(err, ofd.ErrNotPackage):
		return "archive.hint.document"
	case errors.Is(err, archive.ErrSigner):
		return "archive.hint.cert"
	case errors.Is(err, archive.ErrStamp):
		return "archive.hint.tsa"
	case errors.Is(err, archive.ErrNotPackage), errors.Is(err, archive.ErrLimit):
		return "archive.hint.package"
	case errors.Is(err, archive.ErrInvalid):
		return "archive.hint.invalid"
	}
	return "verify.hint.file"
}
