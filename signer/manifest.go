package signer

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/emmansun/gmsm/sm3"
)

// Manifest is what is approved when many files are signed at once: each file by
// digest, size and path, sorted by path.
type Manifest []Listed

// Listed is one file of a batch. Path is relative, with slashes.
type Listed struct {
	Path string
	Size int64
	SM3  string // hex
}

// List reads every regular file under a folder. Links are not followed, other
// special files are left out. progress, when set, is told each file as it is read.
func List(ctx context.Context, folder fs.FS, progress func(path string)) (Manifest, error) {
	var m Manifest
	err := fs.WalkDir(folder, ".", func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case ctx.Err() != nil:
			return ctx.Err()
		case !d.Type().IsRegular():
			return nil
		}
		if progress != nil {
			progress(path)
		}
		l, err := list(ctx, folder, path)
		m = append(m, l)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("signer: list the files: %w", err)
	}
	slices.SortFunc(m, func(a, b Listed) int { return strings.Compare(a.Path, b.Path) })
	return m, nil
}

func list(ctx context.Context, folder fs.FS, path string) (l Listed, err error) {
	f, err := folder.Open(path)
	if err != nil {
		return l, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	h := sm3.New()
	l.Path = path
	l.Size, err = io.Copy(h, untilDone{ctx, f})
	l.SM3 = hex.EncodeToString(h.Sum(nil))
	return l, err
}

// Text is the manifest as it is approved: a line "sm3  size  path" for each file.
// A path with a control character, a quote, a backslash or bytes that are no
// UTF-8 is quoted as in Go, so that no two lists of files have the same text.
func (m Manifest) Text() []byte {
	var b bytes.Buffer
	for _, l := range m {
		path := l.Path
		if !utf8.ValidString(path) || strings.ContainsFunc(path, func(r rune) bool { return r == '"' || r == '\\' || !unicode.IsPrint(r) }) {
			path = strconv.QuoteToASCII(path)
		}
		fmt.Fprintf(&b, "%s  %d  %s\n", l.SM3, l.Size, path)
	}
	return b.Bytes()
}

// Digest is the SM3 of the text, hex: what an approval names.
func (m Manifest) Digest() string { return Digest(m.Text()) }

// untilDone stops reading when its context ends.
type untilDone struct {
	ctx context.Context
	io.Reader
}

func (u untilDone) Read(p []byte) (int, error) {
	if err := u.ctx.Err(); err != nil {
		return 0, err
	}
	return u.Reader.Read(p)
}
