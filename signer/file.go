package signer

import (
	"context"
	"crypto"
	"encoding/hex"
	"fmt"
	"hash"
	"io"
	"time"

	"github.com/emmansun/gmsm/sm3"

	"github.com/yinxin-gov/yinxin/signer/cms/signeddata"
	"github.com/yinxin-gov/yinxin/signer/cms/tsp"
	"github.com/yinxin-gov/yinxin/signer/verify"
)

// FileSignature is a CMS signature on a file of any kind: GB/T 35275 with an SM2
// certificate, CAdES-B (ETSI EN 319 122-1) with an ECDSA P-256 one, CAdES-T with
// a time-stamp.
type FileSignature struct {
	CertDER    []byte
	Chain      [][]byte  // authorities to carry along
	Time       time.Time // claimed
	Enveloping bool      // the message carries the content (.p7m); else it is detached (.p7s)
	Stamper    Stamper   // nil: no time-stamp
	SM3        string    // of the content that was approved, hex; any other is ErrChanged. Empty: any content
}

// Draft is where a message is written and read again, an empty file of the
// caller's. After an error what stands there is worth nothing.
type Draft interface {
	io.Writer
	io.ReaderAt
}

// FileSigned says what was signed.
type FileSigned struct {
	Document string // SM3 of the content, hex
	Sealed   string // SM3 of the message, hex
}

// SignFile signs a content of any size in constant memory and verifies the
// message as a receiver would. The content is read three times: to be digested,
// to be carried (when enveloping), and by the verifier; one that changes in
// between is refused.
func SignFile(ctx context.Context, out Draft, content io.ReaderAt, size int64, s FileSignature, key crypto.Signer) (FileSigned, error) {
	fail := func(err error) (FileSigned, error) { return FileSigned{}, err }
	if err := lintSigner(s.CertDER, key.Public(), s.Time); err != nil {
		return fail(err)
	}
	spec := signeddata.Spec{CertDER: s.CertDER, Chain: s.Chain, Time: s.Time}
	anchors := [][]byte{s.CertDER}
	spec.Stamp = stamping(ctx, s.Stamper, &anchors)
	document, err := digestFile(ctx, &spec, content, size)
	if err != nil {
		return fail(err)
	}
	if s.SM3 != "" && s.SM3 != document {
		return fail(ErrChanged)
	}
	sum := sm3.New()
	n, err := writeFile(ctx, io.MultiWriter(out, sum), spec, s.Enveloping, content, size, key)
	if err != nil {
		return fail(err)
	}
	opt := verify.Options{Trust: verify.NewTrust(anchors...), Now: func() time.Time { return s.Time }}
	if !s.Enveloping {
		opt.Content, opt.ContentSize = content, size
	}
	if _, err := standing(verify.Reader(ctx, out, n, opt)); err != nil {
		return fail(err)
	}
	return FileSigned{Document: document, Sealed: hex.EncodeToString(sum.Sum(nil))}, nil
}

// digestFile puts the digest of the certificate's track into spec and returns the
// SM3 of the content.
func digestFile(ctx context.Context, spec *signeddata.Spec, content io.ReaderAt, size int64) (string, error) {
	d, err := signeddata.DigestFor(spec.CertDER)
	if err != nil {
		return "", err
	}
	named := sm3.New()
	to, h := io.Writer(named), hash.Hash(named)
	if d.Hash != 0 { // another digest than SM3
		h = d.New()
		to = io.MultiWriter(named, h)
	}
	// One byte more than announced: a file that grew is not the one that was seen.
	n, err := io.Copy(to, untilDone{ctx, io.NewSectionReader(content, 0, size+1)})
	if err != nil {
		return "", fmt.Errorf("signer: read the content: %w", err)
	}
	if n != size {
		return "", fmt.Errorf("%w: its size", ErrChanged)
	}
	spec.Digest = h.Sum(nil)
	return hex.EncodeToString(named.Sum(nil)), nil
}

// writeFile writes the message and returns its size.
func writeFile(ctx context.Context, out io.Writer, spec signeddata.Spec, enveloping bool, content io.ReaderAt, size int64, key crypto.Signer) (int64, error) {
	var head, tail []byte
	var err error
	if enveloping {
		head, tail, err = signeddata.Around(spec, size, key)
	} else {
		head, err = signeddata.Sign(spec, key)
		size = 0
	}
	if err != nil {
		return 0, err
	}
	total := int64(len(head)) + size + int64(len(tail))
	if _, err = out.Write(head); err == nil {
		if _, err = io.Copy(out, untilDone{ctx, io.NewSectionReader(content, 0, size)}); err == nil {
			_, err = out.Write(tail)
		}
	}
	if err != nil {
		return 0, fmt.Errorf("signer: write the message: %w", err)
	}
	return total, nil
}

// stamping asks a time-stamp service, and adds its certificate to the anchors of
// the self-check; nil without a service.
func stamping(ctx context.Context, s Stamper, anchors *[][]byte) func(value []byte) ([]byte, error) {
	if s == nil {
		return nil
	}
	return func(value []byte) ([]byte, error) {
		token, err := s.Stamp(ctx, value)
		if err != nil {
			return nil, fmt.Errorf("%w: %w", ErrStamp, err)
		}
		t, err := tsp.ParseToken(token)
		if err != nil {
			return nil, fmt.Errorf("%w: %w", ErrStamp, err)
		}
		if t.CertDER != nil {
			*anchors = append(*anchors, t.CertDER)
		}
		return token, nil
	}
}
