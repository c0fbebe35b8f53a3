package app

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/yinxin-gov/yinxin/ca/kmc"
	captured "github.com/yinxin-gov/yinxin/signer/revocation"
	"github.com/yinxin-gov/yinxin/signer/verify"
)

// dirStatus stands in the folder of accredited anchors: authorities between them
// and an investigator's certificate, and captured lists and responses about both.
const dirStatus = "status"

// investigators are known by our own registry, or by an anchor of an accredited
// service, of the folder or registered. Of the latter nobody tells us what was
// revoked: captured lists and OCSP responses have to say of each certificate below
// the anchor that it is not revoked. They are read at each question, which comes
// once in a recovery, so that a new list needs no restart.
type investigators struct {
	own     trust
	anchors func(ctx context.Context) (*verify.Trust, error)
	status  string // folder
	now     func() time.Time
}

// Known implements kmc.Receivers. kmc.ErrUnchecked: nothing current says that the
// certificate, or an authority between it and the anchor, is not revoked.
func (i investigators) Known(ctx context.Context, certDER []byte, at time.Time) error {
	ours := i.own.good(certDER, at)
	if ours == nil {
		return nil
	}
	between, err := certificatesIn(i.status)
	if err != nil {
		return fmt.Errorf("app: authorities of investigators: %w", err)
	}
	anchors, err := i.anchors(ctx)
	if err != nil {
		return err
	}
	path := anchors.Path(certDER, at, between...)
	if len(path) < 2 { // an anchor is no person
		return fmt.Errorf("app: neither ours (%v) nor under a registered anchor", ours)
	}
	said, err := captured.Read(i.status, i.now)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, captured.ErrEmpty) {
		return fmt.Errorf("%w: no data in %s", kmc.ErrUnchecked, i.status)
	}
	if err != nil {
		return fmt.Errorf("%w: %w", kmc.ErrUnchecked, err)
	}
	for n, c := range path {
		said.AddIssuers(c.Raw)
		if n == 0 {
			continue
		}
		below := path[n-1]
		switch gone, known, err := said.RevokedBy(ctx, below.Raw, at); {
		case err != nil:
			return fmt.Errorf("%w: %w", kmc.ErrUnchecked, err)
		case !gone.IsZero():
			return fmt.Errorf("app: %q was revoked on %s", below.Subject, gone.UTC().Format(time.RFC3339))
		case !known:
			return fmt.Errorf("%w: %q", kmc.ErrUnchecked, below.Subject)
		}
	}
	return nil
}

// certificatesIn are those in the files of a folder that may hold some, DER. No
// folder is none.
func certificatesIn(dir string) (out [][]byte, err error) {
	files, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	for _, f := range files {
		switch strings.ToLower(filepath.Ext(f.Name())) {
		case ".pem", ".crt", ".cer", ".der":
		default:
			continue
		}
		info, err := f.Info()
		if err != nil {
			return nil, err
		}
		if info.Size() > maxAuthorities {
			return nil, fmt.Errorf("%s has more than %d bytes", f.Name(), maxAuthorities)
		}
		raw, err := os.ReadFile(filepath.Join(dir, f.Name()))
		if err != nil {
			return nil, err
		}
		out = append(out, verify.Certificates(raw)...)
	}
	return out, nil
}

// maxAuthorities bounds a file of them.
const maxAuthorities = 1 << 20
