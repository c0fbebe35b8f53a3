package main

import (
	"bufio"
	"context"
	"crypto/subtle"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/yinxin-gov/yinxin/internal/text"
	"github.com/yinxin-gov/yinxin/signer"
)

// Outcomes of a batch before its first signature.
var (
	errManifest = errors.New("another manifest than the approved one")
	errNotAsked = errors.New("nobody approved the manifest")
	errDeclined = errors.New("not approved")
)

// batchResult is what --json prints of a folder.
type batchResult struct {
	Manifest string      `json:"manifest_sm3"` // what was approved
	Files    int         `json:"files"`
	Signed   int         `json:"signed"`
	Recorded bool        `json:"recorded"` // always false here: only the service has a ledger
	Results  []batchLine `json:"results"`
}

// batchLine is one file: signed, or refused with an error.
type batchLine struct {
	File   string      `json:"file"`
	SM3    string      `json:"sm3"`
	Signed *signResult `json:"signed,omitempty"`
	Error  string      `json:"error,omitempty"`
}

// signFolder signs every regular file of a folder with one passphrase and one
// approval: that of the manifest, which names every file by its digest. What
// changes after the approval is refused, one by one.
func (u *ui) signFolder(ctx context.Context, f signFlags, folder string) error {
	if err := apart(folder, f.out); err != nil {
		return fail(err, "sign.hint.batch")
	}
	d, err := openDesk(f)
	if err != nil {
		return err
	}
	root, err := os.OpenRoot(folder)
	if err != nil {
		return fail(err, "sign.hint.input")
	}
	defer root.Close()
	listing := u.progress("sign.progress.list", 0)
	m, err := signer.List(ctx, root.FS(), func(string) { listing.step() })
	listing.done()
	switch {
	case err != nil:
		return fail(err, "sign.hint.input")
	case len(m) == 0:
		return fail(fmt.Errorf("%s: no files", folder), "sign.hint.input")
	}
	if f.manifestOut != "" {
		if err := writeWhole(f.manifestOut, m.Text(), f.force); err != nil {
			return fail(err, "sign.hint.output")
		}
	}
	if err := u.approve(f, m); err != nil {
		return err
	}
	res := d.signAll(ctx, root, m, u.progress("sign.progress.sign", len(m)))
	return u.printBatch(res, d.seal != nil)
}

// apart refuses an output inside the folder that is signed, or around it: a rerun
// would sign its own results.
func apart(folder, out string) error {
	if out == "" {
		return errors.New("--out is missing: the folder for the results")
	}
	from, err := filepath.Abs(folder)
	if err == nil {
		from, err = filepath.EvalSymlinks(from)
	}
	if err != nil {
		return err
	}
	if out, err = filepath.Abs(out); err != nil {
		return err
	}
	rest := "" // of the output, which need not be there yet
	for {
		if there, err := filepath.EvalSymlinks(out); err == nil {
			out = filepath.Join(there, rest)
			break
		}
		rest = filepath.Join(filepath.Base(out), rest)
		if out == filepath.Dir(out) {
			return fmt.Errorf("%s: no such folder", out)
		}
		out = filepath.Dir(out)
	}
	if info, err := os.Stat(out); err == nil && !info.IsDir() {
		return fmt.Errorf("--out %s is no folder", out)
	}
	if within(from, out) || within(out, from) {
		return fmt.Errorf("--out %s and the folder %s lie in one another", out, from)
	}
	return nil
}

func within(dir, path string) bool {
	rel, err := filepath.Rel(dir, path)
	return err == nil && rel != ".." && !strings.HasPrefix(rel, ".."+string(filepath.Separator))
}

// approve lets nothing be signed but the manifest that --manifest names, or that
// a person at a terminal says yes to, or any with --yes.
func (u *ui) approve(f signFlags, m signer.Manifest) error {
	digest := m.Digest()
	what := fmt.Sprintf("manifest SM3 %s of %d files", digest, len(m))
	if f.manifest != "" {
		if subtle.ConstantTimeCompare([]byte(f.manifest), []byte(digest)) == 1 {
			return nil
		}
		return &exitError{code: exitInvalid, err: fmt.Errorf("%w: %s", errManifest, what), hint: "sign.hint.manifest"}
	}
	if f.yes {
		return nil
	}
	if !isTerminal(u.in) {
		return fail(fmt.Errorf("%w: %s", errNotAsked, what), "sign.hint.approve")
	}
	question := u.words.Get("sign.batch.ask").Fill("n", strconv.Itoa(len(m)), "sm3", digest)
	fmt.Fprintf(u.err, "%s: ", question.Both())
	answer, err := bufio.NewReader(io.LimitReader(u.in, 64)).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return fail(err, "sign.hint.approve")
	}
	if strings.TrimSpace(answer) != "yes" {
		return &exitError{code: exitInvalid, err: fmt.Errorf("%w: %s", errDeclined, what), hint: "sign.hint.approve"}
	}
	return nil
}

// signAll signs the files of a manifest in its order. An error of one does not
// stop the others; the end of the context does.
func (d *signingDesk) signAll(ctx context.Context, root *os.Root, m signer.Manifest, bar *progress) batchResult {
	res := batchResult{Manifest: m.Digest(), Files: len(m), Results: make([]batchLine, 0, len(m))}
	for _, l := range m {
		line := batchLine{File: l.Path, SM3: l.SM3}
		if got, err := d.signListed(ctx, root, l); err != nil {
			line.Error = err.Error()
		} else {
			line.Signed = &got
			res.Signed++
		}
		res.Results = append(res.Results, line)
		bar.step()
	}
	bar.done()
	return res
}

// signListed signs one file of a manifest; sub-folders are kept.
func (d *signingDesk) signListed(ctx context.Context, root *os.Root, l signer.Listed) (signResult, error) {
	if err := ctx.Err(); err != nil {
		return signResult{}, err
	}
	out := filepath.Join(d.f.out, filepath.FromSlash(l.Path)) + d.f.suffix()
	if err := free(out, d.f.force); err != nil {
		return signResult{}, err
	}
	file, err := root.Open(filepath.FromSlash(l.Path))
	if err != nil {
		return signResult{}, err
	}
	defer file.Close()
	if info, err := file.Stat(); err != nil {
		return signResult{}, err
	} else if !info.Mode().IsRegular() || info.Size() != l.Size {
		return signResult{}, signer.ErrChanged
	}
	if err := os.MkdirAll(filepath.Dir(out), 0o755); err != nil {
		return signResult{}, err
	}
	return d.sign(ctx, input{file: file, name: l.Path, size: l.Size, sm3: l.SM3}, out)
}

// printBatch ends with exit code 1 when a file was refused.
func (u *ui) printBatch(res batchResult, sealed bool) error {
	code := exitOK
	if res.Signed < res.Files {
		code = exitInvalid
	}
	if u.json {
		if err := u.printJSON(res); err != nil {
			return err
		}
		return result(code)
	}
	for _, l := range res.Results {
		if l.Signed == nil {
			u.say("sign.batch.refused", "file", text.Plain(l.File), "error", text.Plain(l.Error))
		}
	}
	u.say("sign.batch.done", "signed", strconv.Itoa(res.Signed), "n", strconv.Itoa(res.Files))
	u.say("sign.batch.manifest", "sm3", res.Manifest)
	u.madeOffline(sealed)
	return result(code)
}
