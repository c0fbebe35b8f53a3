package report

import (
	"encoding/hex"
	"errors"
	"fmt"

	"github.com/emmansun/gmsm/sm3"

	"github.com/yinxin-gov/yinxin/signer/cms"
	"github.com/yinxin-gov/yinxin/signer/cms/signeddata"
	"github.com/yinxin-gov/yinxin/signer/cms/tsp"
	"github.com/yinxin-gov/yinxin/signer/ofd"
	"github.com/yinxin-gov/yinxin/signer/pdf"
	"github.com/yinxin-gov/yinxin/signer/seal"
)

// Digest is one comparison of the judgement. Expected is "" where the signed
// value binds the bytes without stating a digest, Found where they are missing.
type Digest struct {
	Object    string `json:"object"`    // path in the package, or the signed bytes of a PDF or of a content
	Algorithm string `json:"algorithm"` // object identifier
	Expected  string `json:"expected"`
	Found     string `json:"found"`
}

const oidSM3 = "1.2.156.10197.1.401"

// digests reads the document again, signature by signature. A document whose
// structure does not read has none: its checks say so.
func (in *Input) digests() ([][]Digest, error) {
	switch in.Judged.Format {
	case "ofd":
		pkg, err := ofd.OpenReaderAt(in.Document, in.Size, ofd.Limits{})
		if err != nil {
			return nil, fmt.Errorf("report: reading the document: %w", err)
		}
		var out [][]Digest
		sigs := pkg.Signatures()
		for i := range sigs {
			out = append(out, digestsOFD(pkg, &sigs[i]))
		}
		return out, nil
	case "pdf":
		doc, err := pdf.Open(in.Document, in.Size)
		if err != nil {
			return nil, nil
		}
		sigs, err := doc.Signatures()
		if err != nil {
			return nil, nil
		}
		var out [][]Digest
		for _, s := range sigs {
			d, err := digestPDF(doc, s)
			if err != nil {
				return nil, err
			}
			out = append(out, d)
		}
		return out, nil
	case "cms":
		return in.digestsCMS()
	}
	return nil, nil
}

// digestsCMS are those of the content that each signer states in messageDigest
// (RFC 5652, 11.2), beside what the judgement found.
func (in *Input) digestsCMS() ([][]Digest, error) {
	f, err := signeddata.Open(in.Document, in.Size)
	if errors.Is(err, signeddata.ErrFormat) || errors.Is(err, signeddata.ErrUnsupported) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("report: reading the document: %w", err)
	}
	out := make([][]Digest, min(len(f.Signers), len(in.Judged.Signatures)))
	for i := range out {
		out[i] = []Digest{}
		m, s := f.Signers[i].Message, &in.Judged.Signatures[i]
		if m == nil || m.Direct || s.Material == nil || len(s.Coverage.Covered) == 0 {
			continue // without attributes the value binds the content itself
		}
		out[i] = append(out[i], Digest{
			s.Coverage.Covered[0], m.Digest.OID.String(), hex.EncodeToString(m.MessageDigest()), hex.EncodeToString(s.Material.Content),
		})
	}
	return out, nil
}

func digestsOFD(pkg *ofd.Package, s *ofd.Signature) []Digest {
	out := []Digest{}
	if s.Path != "" {
		out = append(out, Digest{s.Path, oidSM3, statedOFD(pkg, s), found(pkg, s.Path)})
	}
	for i := range s.References {
		r := &s.References[i]
		d := Digest{Object: r.Path, Algorithm: s.CheckMethod, Expected: hex.EncodeToString(r.Value)}
		if d.Object == "" {
			d.Object = r.FileRef
		}
		if s.SM3Check() {
			d.Algorithm = oidSM3
			if r.Found {
				d.Found = found(pkg, r.Path)
			}
		}
		out = append(out, d)
	}
	return out
}

// statedOFD is the digest of Signature.xml that the signed value states.
func statedOFD(pkg *ofd.Package, s *ofd.Signature) string {
	value, err := pkg.Read(s.ValuePath)
	if err != nil {
		return ""
	}
	if ses, err := seal.ParseSignature(value); err == nil {
		return hex.EncodeToString(ses.DataHash)
	}
	if msg, err := cms.Parse(value); err == nil && msg.Digest != nil {
		return hex.EncodeToString(msg.Digest)
	}
	return ""
}

func found(pkg *ofd.Package, path string) string {
	sum, err := pkg.Digest(path)
	if err != nil {
		return "" // missing or damaged: sig.references says which
	}
	return hex.EncodeToString(sum)
}

// digestPDF is the digest over the signed bytes, with the hash that the value
// names.
func digestPDF(doc *pdf.Document, s *pdf.Signature) ([]Digest, error) {
	d := Digest{Object: fmt.Sprint("bytes ", s.Range), Algorithm: oidSM3}
	hash := sm3.New()
	if t, err := tsp.ParseToken(s.Value); err == nil { // a document time-stamp
		hash, d.Algorithm = t.Imprint.Digest.New(), t.Imprint.Digest.OID.String()
		d.Expected = hex.EncodeToString(t.Imprint.Value)
	} else if ses, err := seal.ParseSignature(s.Value); err == nil {
		d.Expected = hex.EncodeToString(ses.DataHash)
	} else if m, err := signeddata.Parse(s.Value); err == nil {
		hash, d.Algorithm = m.Digest.New(), m.Digest.OID.String()
		d.Expected = hex.EncodeToString(m.MessageDigest())
	}
	if s.Range == [4]int64{} {
		return []Digest{}, nil
	}
	if err := doc.Digest(s, hash); err != nil {
		return nil, fmt.Errorf("report: %w", err)
	}
	d.Found = hex.EncodeToString(hash.Sum(nil))
	return []Digest{d}, nil
}
