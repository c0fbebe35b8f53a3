package archive

import (
	"context"
	"crypto/ecdsa"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/yinxin-gov/yinxin/signer/revocation"
	"github.com/yinxin-gov/yinxin/signer/verify"
)

// Options of one verification. Zero values: no anchor, the time of the machine, no
// data but those of the package.
type Options struct {
	File       string
	Trust      *verify.Trust
	Now        func() time.Time
	Status     *revocation.Set    // lists and responses fetched later than the package
	LedgerKeys []*ecdsa.PublicKey // trusted beside the ledger certificate of the package
	Retired    Retired
}

// judge is one verification.
type judge struct {
	ctx      context.Context
	opt      *Options
	c        *container
	man      *manifest
	rep      *Report
	found    map[string]finding
	status   *revocation.Set
	certs    [][]byte // every certificate of the package
	chain    []link
	broken   bool      // the chain of tokens does not reach until now
	archived time.Time // of the first token, when the chain reaches until now
	unknown  []string  // certificates without status data
}

// Verify judges a package offline. The error is for what is no package at all
// (ErrNotPackage), for limits (ErrLimit) and for a reader that fails.
func Verify(ctx context.Context, r io.ReaderAt, size int64, opt Options) (Report, error) {
	if opt.Now == nil {
		opt.Now = time.Now
	}
	rep := Report{File: opt.File, Format: fmt.Sprintf("%s/%d", manifestKind, formatVersion)}
	j := &judge{ctx: ctx, opt: &opt, rep: &rep, found: map[string]finding{}}
	if err := j.open(r, size); err != nil {
		return Report{}, err
	}
	if j.c != nil {
		if err := j.run(); err != nil {
			return Report{}, err
		}
	}
	rep.conclude(j.found)
	return rep, nil
}

// open reads the container and hashes every file.
func (j *judge) open(r io.ReaderAt, size int64) error {
	c, err := openContainer(r, size)
	if err == nil && c.by[fileManifest] == nil {
		return fmt.Errorf("%w: no %s", ErrNotPackage, fileManifest)
	}
	if err == nil {
		err = c.digest()
	}
	var f *faultError
	switch {
	case errors.As(err, &f):
		j.found[CheckContainer] = fail(f.code, f.path)
		return nil
	case err != nil:
		return err
	}
	j.c = c
	j.found[CheckContainer] = pass(fmt.Sprintf("%d", len(c.items)))
	return j.ctx.Err()
}

// run makes the checks in an order in which each finds what it needs.
func (j *judge) run() error {
	if j.found[CheckManifest] = j.manifest(); j.man == nil {
		return nil
	}
	j.found[CheckFiles] = j.files()
	j.collectStatus()
	if err := j.tokens(); err != nil {
		return err
	}
	signer, err := j.signature()
	if err != nil {
		return err
	}
	if err := j.signer(signer); err != nil {
		return err
	}
	if err := j.document(); err != nil {
		return err
	}
	if err := j.description(); err != nil {
		return err
	}
	return j.ledger()
}

func (j *judge) manifest() finding {
	b, err := j.c.read(fileManifest)
	if err != nil {
		return fail(ReasonMalformed, fileManifest)
	}
	m, err := parseManifest(b, manifestKind)
	if err != nil || !m.holds(m.Document) || m.Content != "" && (!m.holds(m.Content) || m.Content == m.Document) {
		return fail(ReasonMalformed, fileManifest)
	}
	j.man, j.rep.Document = m, m.Document
	if i := j.c.by[m.Document]; i != nil {
		j.rep.SM3 = i.digest.SM3
	}
	return pass(fmt.Sprintf("%d", len(m.Files)))
}

// holds reports whether a document is in the list.
func (m *manifest) holds(document string) bool {
	return isDocument(document) && slices.ContainsFunc(m.Files, func(f listed) bool { return f.Path == document })
}

// files holds the package against the signed list: nothing changed, nothing
// missing, nothing beside it.
func (j *judge) files() finding {
	var have []listed
	for i := range j.c.items {
		it := &j.c.items[i]
		switch {
		case it.name == fileManifest || it.name == fileSignature || it.name == fileStamp && j.man.Stamped:
		case strings.HasPrefix(it.name, dirRenewals): // the renewals answer for theirs
		default:
			have = append(have, *it.digest)
		}
	}
	if j.c.by[fileSignature] == nil {
		return fail(ReasonMissing, fileSignature)
	}
	if j.man.Stamped && j.c.by[fileStamp] == nil {
		return fail(ReasonMissing, fileStamp)
	}
	if f := compare(j.man.Files, have); f != nil {
		return *f
	}
	return pass(fmt.Sprintf("%d/%d", len(have), len(have)))
}

// compare names what two lists do not agree on; nil when they do.
func compare(want, have []listed) *finding {
	known := make(map[string]*listed, len(have))
	for i := range have {
		known[have[i].Path] = &have[i]
	}
	var wrong []string
	reason := ""
	say := func(why, path string) {
		if reason == "" {
			reason = why
		}
		if len(wrong) < 20 {
			wrong = append(wrong, path)
		}
	}
	for i := range want {
		got := known[want[i].Path]
		delete(known, want[i].Path)
		switch {
		case got == nil:
			say(ReasonMissing, want[i].Path)
		case *got != want[i]:
			say(ReasonChanged, want[i].Path)
		}
	}
	for i := range have {
		if known[have[i].Path] != nil {
			say(ReasonExtra, have[i].Path)
		}
	}
	if reason == "" {
		return nil
	}
	f := fail(reason, strings.Join(wrong, "; "))
	return &f
}

// collectStatus reads certificates and status data of the package and of its
// renewals. What does not read vouches for nothing; the digests already say whether
// it is what was archived.
func (j *judge) collectStatus() {
	j.status = revocation.New(j.opt.Now)
	for i := range j.c.items {
		name := j.c.items[i].name
		if at := strings.Index(name, dirRenewals); at == 0 && len(name) > len(dirRenewals)+5 {
			name = name[len(dirRenewals)+5:] // renewals/0001/ holds the same folders
		}
		cert := strings.HasPrefix(name, dirCerts)
		if !cert && (!strings.HasPrefix(name, dirStatus) || name == fileCaptured) {
			continue
		}
		b, err := j.c.read(j.c.items[i].name)
		if err != nil {
			continue
		}
		if cert {
			j.certs = append(j.certs, b)
		} else {
			_ = j.status.Add(b) // unreadable data say nothing, and nothing is known by them
		}
	}
	if j.opt.Status != nil {
		j.status.Join(j.opt.Status)
	}
	j.status.AddIssuers(j.certs...)
	j.status.AddIssuers(j.opt.Trust.Anchors()...)
}
