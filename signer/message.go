package signer

import (
	"crypto"
	"fmt"
	"time"

	"github.com/emmansun/gmsm/sm3"

	"github.com/yinxin-gov/yinxin/signer/cms"
	"github.com/yinxin-gov/yinxin/signer/ofd"
	"github.com/yinxin-gov/yinxin/signer/seal"
)

// Standard is the form of what is signed.
type Standard string

// Standards. V4 is the one to use; V1 is written where a receiver reads nothing
// newer, CMS where a signature without a picture is wanted.
const (
	StandardV4  Standard = "v4"  // seal, GB/T 38540-2020
	StandardV1  Standard = "v1"  // seal, GM/T 0031-2014; needs a seal of that layout
	StandardCMS Standard = "cms" // Type="Sign", GB/T 35275 SignedData; no seal
)

// draft is a signed value that passed its lint and is not signed yet.
type draft interface {
	Sign(key crypto.Signer) ([]byte, error)
}

// prepareValue lints what shall be signed, without signing it.
func (j Job) prepareValue(doc pending, pub crypto.PublicKey) (draft, error) {
	switch j.Standard {
	case StandardCMS:
		if err := seal.LintSigner(j.CertDER, pub, j.Time); err != nil {
			return nil, err
		}
		described, ok := doc.(*ofd.Pending)
		if !ok {
			return nil, fmt.Errorf("%w: %q signs the description of an OFD; see SignPDF", ErrStandard, j.Standard)
		}
		return message{j, described.SignatureXML()}, nil
	case "", StandardV4, StandardV1:
		spec := seal.SignSpec{
			SealDER: j.SealDER, CertDER: j.CertDER, Time: j.Time,
			DataHash: doc.DataHash(), Property: doc.Property(),
		}
		if j.Standard == StandardV1 {
			spec.Layout = seal.LayoutV1
		}
		return seal.Prepare(spec, pub)
	}
	return nil, fmt.Errorf("%w: standard %q", ErrStandard, j.Standard)
}

// message is a GB/T 35275 signature over Signature.xml (GM/T 0099-2020, 7.2.2).
type message struct {
	job Job
	xml []byte
}

// Sign writes form (b), detached with attributes, which most readers accept; on
// request form (a), whose content is SM3(Signature.xml).
func (m message) Sign(key crypto.Signer) ([]byte, error) {
	if m.job.Content {
		sum := sm3.Sum(m.xml)
		return cms.SignContent(sum[:], key, m.job.CertDER)
	}
	return cms.SignDetached(m.xml, m.job.Time.UTC().Truncate(time.Second), key, m.job.CertDER)
}
