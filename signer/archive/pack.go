package archive

import (
	"bytes"
	"context"
	"crypto"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/yinxin-gov/yinxin/internal/text"
	"github.com/yinxin-gov/yinxin/signer/cms"
	"github.com/yinxin-gov/yinxin/signer/cms/tsp"
	"github.com/yinxin-gov/yinxin/signer/revocation"
	"github.com/yinxin-gov/yinxin/signer/seal"
	"github.com/yinxin-gov/yinxin/signer/verify"
)

// Config of packing. Trust, Key, CertDER and Words are required.
type Config struct {
	Trust   *verify.Trust
	Status  *revocation.Set // captured status data; nil: none
	Chain   [][]byte        // authorities between certificates and anchors, DER
	Key     crypto.Signer   // of the archiving unit, SM2; signs messages
	CertDER []byte
	Stamper Stamper // nil: no token, and no proof of time once the certificate has ended
	Words   *text.Catalogue
	Now     func() time.Time // nil: time.Now
}

// Job is one document.
type Job struct {
	Name     string // of the original: its base name is kept
	Document io.ReaderAt
	Size     int64
	Content  *Content // what a detached signature signs; nil for everything else
	Metadata Metadata
	Ledger   *Evidence         // nil: none
	Extra    map[string][]byte // further files by path, such as a detailed report
}

// Content is the file that a detached signature (.p7s) signs.
type Content struct {
	Name string // its base name is kept
	File io.ReaderAt
	Size int64
}

// Draft is a package of which nothing is signed yet.
type Draft struct {
	cfg      Config
	sources  []source
	manifest []byte
	// Report is the verdict on the document, as it will stand in the package.
	Report verify.Report
	// SM3 is that of the document, ManifestSM3 that of the list that will be signed.
	SM3, ManifestSM3 string
}

// Prepare judges the document, collects everything and writes the manifest. It
// refuses metadata that are not complete (ErrMetadata, ErrSecret), a document that
// does not read or is invalid (ErrDocument), and a certificate that may not sign
// (ErrSigner).
func Prepare(ctx context.Context, cfg Config, job Job) (*Draft, error) {
	if cfg.Trust == nil || cfg.Key == nil || cfg.Words == nil {
		return nil, errors.New("archive: trust, key and words are required")
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	now := cfg.Now().UTC().Truncate(time.Second)
	if err := seal.LintSigner(cfg.CertDER, cfg.Key.Public(), now); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrSigner, err)
	}
	meta, err := job.Metadata.marshal()
	if err != nil {
		return nil, err
	}
	if job.Metadata.ReceivedAt.After(now.Add(skew)) {
		return nil, &FieldError{"received_at", "is in the future"}
	}
	d := &Draft{cfg: cfg}
	name := dirDocument + path.Base(job.Name)
	doc, err := newSource(name, func() io.Reader { return io.NewSectionReader(job.Document, 0, job.Size) })
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrDocument, err)
	}
	d.sources, d.SM3 = append(d.sources, doc), doc.SM3
	content := ""
	if c := job.Content; c != nil {
		content = dirDocument + path.Base(c.Name)
		s, err := newSource(content, func() io.Reader { return io.NewSectionReader(c.File, 0, c.Size) })
		if err == nil && content == name {
			err = fmt.Errorf("signature and content have one name: %s", name)
		}
		if err != nil {
			return nil, fmt.Errorf("%w: %w", ErrDocument, err)
		}
		d.sources = append(d.sources, s)
	}
	p, err := collect(job.Document, job.Size)
	if err != nil {
		return nil, err
	}
	k := cfg.keep(p, job.Ledger, now)
	if err := d.judge(ctx, job, k, now); err != nil {
		return nil, err
	}
	files := append(p.files, k.certificates()...)
	status, err := k.statusFiles(ctx)
	if err != nil {
		return nil, err
	}
	files = append(append(files, status...), file{fileMetadata, meta})
	if job.Ledger != nil {
		files = append(files, file{fileSlice, job.Ledger.Slice}, file{fileLedgerCrt, job.Ledger.CertDER})
	}
	reports, err := d.texts(job)
	if err != nil {
		return nil, err
	}
	files = append(files, reports...)
	files = append(files, d.rendition(ctx, job)...)
	for name, b := range job.Extra {
		files = append(files, file{name, b})
	}
	return d, d.list(files, name, content, now)
}

// judge verifies the document as it will be verified again, and refuses one that
// is invalid: an archive is no place for it.
func (d *Draft) judge(ctx context.Context, job Job, k *kept, now time.Time) error {
	opt := verify.Options{File: path.Base(job.Name), Trust: d.cfg.Trust, Now: func() time.Time { return now }, Revocation: k.status, Carried: k.certs}
	if d.cfg.Stamper != nil {
		opt.Proven = now // as the token will say, a moment later
	}
	if job.Content != nil {
		opt.Content, opt.ContentSize = job.Content.File, job.Content.Size
	}
	var err error
	d.Report, err = verify.Reader(ctx, job.Document, job.Size, opt)
	switch {
	case unreadable(err):
		return fmt.Errorf("%w: %w", ErrDocument, err)
	case err != nil:
		return err
	case d.Report.Verdict == verify.Invalid:
		return fmt.Errorf("%w: verdict %s, integrity %s", ErrDocument, d.Report.Verdict, d.Report.Integrity)
	}
	return nil
}

// unreadable: a finding about the document, not about reading it. A detached
// signature without its content, and a content beside anything else, are too.
func unreadable(err error) bool {
	for _, e := range []error{verify.ErrNotDocument, verify.ErrLimit, verify.ErrNoContent, verify.ErrContent} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

// list writes the manifest over all files.
func (d *Draft) list(files []file, document, content string, now time.Time) error {
	for _, f := range files {
		switch {
		case f.path == fileManifest, f.path == fileSignature, f.path == fileStamp, strings.HasPrefix(f.path, dirRenewals), strings.HasPrefix(f.path, dirDocument):
			return fmt.Errorf("archive: %s is not for further files", f.path)
		}
		s, err := fromBytes(f.path, f.data)
		if err != nil {
			return err
		}
		d.sources = append(d.sources, s)
	}
	sortSources(d.sources)
	m := manifest{Kind: manifestKind, Version: formatVersion, Created: stamp(now), Document: document, Content: content, Stamped: d.cfg.Stamper != nil}
	for _, s := range d.sources {
		m.Files = append(m.Files, s.listed)
	}
	b, err := m.marshal()
	if err != nil {
		return err
	}
	if _, err := parseManifest(b, manifestKind); err != nil { // two files of one name
		return err
	}
	s, err := fromBytes(fileManifest, b)
	d.manifest, d.ManifestSM3, d.sources = b, s.SM3, append(d.sources, s)
	return err
}

// Write signs the manifest, has it stamped, and puts the package in its place when
// it verifies: whole or not at all. An existing file is replaced.
func (d *Draft) Write(ctx context.Context, out string) (Report, error) {
	list, err := d.signed(ctx)
	if err != nil {
		return Report{}, err
	}
	return place(ctx, out, list, d.options(out))
}

// Bytes is Write into memory: nothing of the document touches a disk.
func (d *Draft) Bytes(ctx context.Context) ([]byte, Report, error) {
	list, err := d.signed(ctx)
	if err != nil {
		return nil, Report{}, err
	}
	size := 0
	for _, s := range list {
		size += int(s.Size) + 2*(len(s.Path)+64)
	}
	b := bytes.NewBuffer(make([]byte, 0, size+64))
	if err := writeContainer(b, list); err != nil {
		return nil, Report{}, err
	}
	rep, err := readBack(ctx, bytes.NewReader(b.Bytes()), int64(b.Len()), d.options(""))
	if err != nil {
		return nil, rep, err
	}
	return b.Bytes(), rep, nil
}

func (d *Draft) options(file string) Options {
	return Options{File: file, Trust: d.cfg.Trust, Now: d.cfg.Now, Status: d.cfg.Status}
}

// signed is the whole list of files, the signature and the token among them.
func (d *Draft) signed(ctx context.Context) ([]source, error) {
	signature, err := cms.SignDetached(d.manifest, d.cfg.Now(), d.cfg.Key, d.cfg.CertDER)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrSigner, err)
	}
	s, err := fromBytes(fileSignature, signature)
	if err != nil {
		return nil, err
	}
	list := append(slices.Clone(d.sources), s)
	if d.cfg.Stamper == nil {
		return list, nil
	}
	if s, err = stamped(ctx, d.cfg.Stamper, fileStamp, signature); err != nil {
		return nil, err
	}
	return append(list, s), nil
}

// stamped asks for a token and refuses one that is not over value.
func stamped(ctx context.Context, by Stamper, name string, value []byte) (source, error) {
	der, err := by.Stamp(ctx, value)
	if err != nil {
		return source{}, fmt.Errorf("%w: %w", ErrStamp, err)
	}
	t, err := tsp.ParseToken(der)
	if err == nil {
		err = t.Verify(value)
	}
	if err != nil {
		return source{}, fmt.Errorf("%w: %w", ErrStamp, err)
	}
	return fromBytes(name, der)
}

// place writes a package and verifies it before anybody can take it for one.
func place(ctx context.Context, out string, list []source, opt Options) (rep Report, err error) {
	err = replace(out, list, func(f *os.File) error {
		info, err := f.Stat()
		if err != nil {
			return fmt.Errorf("archive: reading back: %w", err)
		}
		rep, err = readBack(ctx, f, info.Size(), opt)
		return err
	})
	return rep, err
}

// readBack verifies a package that was just made.
func readBack(ctx context.Context, r io.ReaderAt, size int64, opt Options) (Report, error) {
	rep, err := Verify(ctx, r, size, opt)
	if err != nil {
		return rep, fmt.Errorf("archive: reading back: %w", err)
	}
	for _, c := range rep.Checks {
		if c.Result == verify.Fail {
			return rep, fmt.Errorf("%w: %s: %s %s", ErrInvalid, c.ID, c.Reason, c.Detail)
		}
	}
	return rep, nil
}
