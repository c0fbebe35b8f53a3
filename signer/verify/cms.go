package verify

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"

	"github.com/yinxin-gov/yinxin/signer/cms/signeddata"
	"github.com/yinxin-gov/yinxin/signer/ofd"
)

// Outcomes of a message that callers branch on, because they have to bring
// something else.
var (
	// ErrNoContent: a detached signature, and Options.Content is not set.
	ErrNoContent = errors.New("verify: detached signature without its content")
	// ErrContent: Options.Content is set, and this file is no detached signature.
	ErrContent = errors.New("verify: content given for a file that is no detached signature")
	// ErrExtract: Options.Extract is set, and this file carries no content.
	ErrExtract = errors.New("verify: the file carries no content to extract")
)

// fileClause is where the checks of a message in a file of its own stand.
const fileClause = "GB/T 35275-2017, 8; RFC 5652, 5; ETSI EN 319 122-1"

// cmsFile judges a SignedData in a file of its own (.p7s, .p7m), which signs a
// file of any kind. The content streams through every digest once.
func cmsFile(ctx context.Context, r io.ReaderAt, size int64, opt *Options) (Report, error) {
	rep := Report{File: opt.File, Format: "cms", Signatures: []Signature{}, Warnings: []Warning{}}
	f, err := signeddata.Open(r, size)
	if err != nil {
		return unreadCMS(rep, err)
	}
	from, err := contentOf(ctx, f, opt)
	if err != nil {
		return Report{}, err
	}
	sums, length, err := f.Sum(from)
	if err != nil {
		return Report{}, fmt.Errorf("reading content: %w", err)
	}
	own := pass(CheckCMS, fileClause, "")
	if !f.Plain() {
		own = unjudged(CheckCMS, fileClause, ReasonContentType, f.Type.String())
	}
	rep.Checks = []Check{own.Check}
	rep.Verdict, rep.Integrity = own.effect.verdict(), own.effect.integrity()
	for i, s := range f.Signers {
		p := &subject{ctx: ctx, opt: opt, now: opt.Now(), sig: &ofd.Signature{ID: strconv.Itoa(i + 1)}}
		j := p.judgeSigner(s, sums[i], length, own)
		rep.Signatures = append(rep.Signatures, j.Signature)
		for _, w := range p.warnings {
			rep.warn(w.Code, w.Path, j.ID)
		}
		rep.Verdict, rep.Integrity = rep.Verdict.join(j.Verdict), rep.Integrity.join(j.integrity)
	}
	if len(f.Signers) == 0 {
		rep.Verdict, rep.Integrity = Indeterminate, Unsigned
	}
	return rep, nil
}

// unreadCMS reports a file that says it is a message and does not read as one:
// a finding about the file, not a mistake of the caller.
func unreadCMS(rep Report, err error) (Report, error) {
	var o outcome
	switch {
	case errors.Is(err, signeddata.ErrUnsupported):
		o = unjudged(CheckCMS, fileClause, ReasonAlgorithm, err.Error())
	case errors.Is(err, signeddata.ErrFormat):
		o = fail(CheckCMS, fileClause, ReasonCMS, err.Error(), effAltered)
	default:
		return Report{}, err
	}
	rep.Checks = []Check{o.Check}
	rep.Verdict, rep.Integrity = o.effect.verdict(), o.effect.integrity()
	return rep, nil
}

// contentOf is what was signed: carried, or brought by the caller. Its bytes go
// to Options.Extract while they are digested, so that what is extracted is what
// was judged.
func contentOf(ctx context.Context, f *signeddata.File, opt *Options) (io.Reader, error) {
	var from io.Reader
	switch {
	case f.Carried && opt.Content != nil:
		return nil, ErrContent
	case f.Carried:
		from = f.Content()
	case opt.Extract != nil:
		return nil, ErrExtract
	case opt.Content == nil:
		return nil, ErrNoContent
	default:
		from = io.NewSectionReader(opt.Content, 0, opt.ContentSize)
	}
	from = untilDone{ctx, from}
	if opt.Extract != nil {
		from = io.TeeReader(from, opt.Extract)
	}
	return from, nil
}

// untilDone stops reading when its context ends: a content may take a minute.
type untilDone struct {
	ctx context.Context
	r   io.Reader
}

func (u untilDone) Read(p []byte) (int, error) {
	if err := u.ctx.Err(); err != nil {
		return 0, err
	}
	return u.r.Read(p)
}

// judgeSigner judges one signer of a message over a content of length bytes.
func (s *subject) judgeSigner(signer signeddata.Signer, sum []byte, length int64, own outcome) judgement {
	desc := Signature{ID: s.sig.ID, Kind: "cms", Coverage: Coverage{Covered: []string{bytesOf(0, length)}, Uncovered: []string{}}}
	list := []outcome{own}
	switch {
	case errors.Is(signer.Err, signeddata.ErrUnsupported):
		list[0] = unjudged(CheckCMS, fileClause, ReasonAlgorithm, signer.Err.Error())
		return conclude(desc, list)
	case signer.Err != nil:
		list[0] = fail(CheckCMS, fileClause, ReasonCMS, signer.Err.Error(), effAltered)
		return conclude(desc, list)
	}
	m := signer.Message
	switch {
	case m.GM:
		desc.Standard = "GB/T 35275-2017"
	case m.Bound():
		desc.Standard = "ETSI EN 319 122-1"
	default:
		desc.Standard = "RFC 5652"
	}
	c := cmsSigner{s, m, m.Time, fileClause, "ETSI EN 319 122-1, 5.3; RFC 3161"}
	holds := (*signeddata.Message).VerifyValue
	if m.Direct {
		holds = func(m *signeddata.Message) error { return m.Verify(sum) }
	}
	s.value = m.Value
	list = append(list, c.value(holds(m)))
	list = append(list, c.judge(&desc)...)
	list = append(list, c.digest(sum, length))
	if s.opt.SecondOpinion != nil {
		list = append(list, checkSecondOpinion(s))
	}
	if s.opt.SelfTest {
		list = append(list, checkSelfTest(list, func() outcome { return c.flipped(holds) }))
	}
	desc.Material = s.material()
	desc.Material.Content = sum
	return conclude(desc, list)
}

// digest: messageDigest is that of the content. Without attributes the value
// itself binds the content.
func (c cmsSigner) digest(sum []byte, length int64) outcome {
	if c.m.Direct {
		return skip(CheckDataHash, c.clause, ReasonByValue)
	}
	if err := c.m.VerifyDigest(sum); err != nil {
		return fail(CheckDataHash, c.clause, ReasonDigestDiffer, bytesOf(0, length)+" actual "+fmt.Sprintf("%x", sum), effAltered)
	}
	return pass(CheckDataHash, c.clause, bytesOf(0, length))
}
