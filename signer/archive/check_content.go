package archive

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"path"
	"strings"
	"time"

	"github.com/yinxin-gov/yinxin/signer/verify"
)

// document judges the original again, at the archived time, with the status data
// of that day, and compares the outcome with the archived one (X11-12).
func (j *judge) document() error {
	it := j.c.by[j.man.Document]
	if it == nil {
		return nil
	}
	at := j.opt.Now()
	if !j.archived.IsZero() {
		at = j.archived
	}
	r := j.c.section(it)
	opt := verify.Options{
		File: path.Base(it.name), Trust: j.opt.Trust, Now: func() time.Time { return at }, Revocation: j.status, Proven: j.archived, Carried: j.certs,
	}
	if c := j.c.by[j.man.Content]; c != nil {
		opt.Content, opt.ContentSize = j.c.section(c), c.size
	}
	rep, err := verify.Reader(j.ctx, r, it.size, opt)
	switch {
	case unreadable(err):
		j.found[CheckFormat] = fail(ReasonUnreadable, it.name)
		j.found[CheckDocument] = fail(ReasonUnreadable, it.name)
		return nil
	case err != nil:
		return err
	}
	j.rep.Verified = &rep
	j.found[CheckFormat] = pass(rep.Format)
	detail := string(rep.Verdict) + " " + string(rep.Integrity)
	switch {
	case rep.Verdict == verify.Invalid:
		j.found[CheckDocument] = fail(ReasonDocument, detail)
	case rep.Integrity == verify.Unsigned:
		j.found[CheckDocument] = cannot(ReasonUnsigned, detail)
	case rep.Verdict != verify.Valid:
		j.found[CheckDocument] = cannot(ReasonUnsure, detail)
	default:
		j.found[CheckDocument] = pass(detail)
	}
	j.found[CheckReport] = j.compareReport(&rep)
	j.found[CheckParts], err = j.compareParts(it)
	return err
}

// compareReport: the same verdict and integrity as on the day of archiving. A
// verifier who knows fewer anchors cannot come to it, which is no contradiction.
func (j *judge) compareReport(now *verify.Report) finding {
	b, err := j.c.read(fileReport)
	if err != nil {
		return fail(ReasonMissing, fileReport)
	}
	var then verify.Report
	if err := json.Unmarshal(b, &then); err != nil {
		return fail(ReasonMalformed, fileReport)
	}
	detail := fmt.Sprintf("%s %s, %s %s", then.Verdict, then.Integrity, now.Verdict, now.Integrity)
	switch {
	case then.Integrity != now.Integrity || len(then.Signatures) != len(now.Signatures):
		return fail(ReasonDiffers, detail)
	case then.Verdict == now.Verdict:
		return pass(detail)
	case now.Verdict == verify.Indeterminate:
		return cannot(ReasonDiffers, detail)
	}
	return fail(ReasonDiffers, detail)
}

// compareParts: the parts beside the document are those that are in it.
func (j *judge) compareParts(it *item) (finding, error) {
	p, err := collect(j.c.section(it), it.size)
	if err != nil {
		return finding{}, err
	}
	want := p.files
	for _, der := range unique(p.certs) {
		want = append(want, file{certName(der), der})
	}
	known := map[string]bool{}
	for _, f := range want {
		known[f.path] = true
		b, err := j.c.read(f.path)
		if err != nil {
			return fail(ReasonMissing, f.path), nil
		}
		if !bytes.Equal(b, f.data) {
			return fail(ReasonChanged, f.path), nil
		}
	}
	for i := range j.c.items {
		name := j.c.items[i].name
		if (strings.HasPrefix(name, dirSignatures) || strings.HasPrefix(name, dirStamps)) && !known[name] {
			return fail(ReasonExtra, name), nil
		}
	}
	return pass(fmt.Sprintf("%d", len(want))), nil
}

// description judges what makes the record findable and readable, and whether it
// may be here at all.
func (j *judge) description() error {
	b, err := j.c.read(fileMetadata)
	if err != nil {
		j.found[CheckMetadata] = fail(ReasonMissing, fileMetadata)
	} else {
		m, err := parseMetadata(b)
		switch {
		case errors.Is(err, ErrSecret):
			j.found[CheckSecrecy], j.found[CheckMetadata] = fail(ReasonSecret, fileMetadata), fail(ReasonSecret, fileMetadata)
		case err != nil:
			j.found[CheckMetadata] = fail(ReasonMalformed, strings.TrimPrefix(err.Error(), ErrMetadata.Error()+": "))
		default:
			j.rep.Metadata = &m
			j.found[CheckSecrecy], j.found[CheckMetadata] = pass(m.Secrecy), pass(m.DocNo)
		}
	}
	pages := 0
	for i := range j.c.items {
		if strings.HasPrefix(j.c.items[i].name, dirRendition) {
			pages++
		}
	}
	if j.found[CheckRendition] = pass(fmt.Sprintf("%d", pages)); pages == 0 {
		j.found[CheckRendition] = skipped(ReasonNoRendition, "")
	}
	// Missing status data lower nothing, as everywhere (design §9): they are said.
	if j.found[CheckStatus] = pass(""); len(j.unknown) > 0 {
		j.found[CheckStatus] = skipped(ReasonNoStatus, strings.Join(j.unknown[:min(len(j.unknown), 20)], "; "))
	}
	return nil
}
