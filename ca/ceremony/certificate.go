package ceremony

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/emmansun/gmsm/smx509"

	"github.com/yinxin-gov/yinxin/ca/lint"
	"github.com/yinxin-gov/yinxin/ca/profile"
	"github.com/yinxin-gov/yinxin/internal/text"
)

// authority: an issuing authority's profile, linted under this root.
func authority(item Item, root *smx509.Certificate, now time.Time) (Act, error) {
	return certificate(item, root, now, profile.SM2Issuing, profile.ECDSAIssuing)
}

// cross: the key of another root at work here, of the same track and name, for no
// longer than that root has given itself. The name is the signer's own: such a
// certificate is self-issued and counts in no path (RFC 4210 4.4, RFC 5280 6.1).
func cross(item Item, root *smx509.Certificate, roots []*smx509.Certificate, now time.Time) (Act, error) {
	a, err := certificate(item, root, now, profile.SM2Cross, profile.ECDSACross)
	if err != nil {
		return Act{}, err
	}
	view, err := lint.ParseTBS(item.TBS)
	if err != nil {
		return Act{}, err
	}
	for _, other := range roots {
		if !bytes.Equal(other.RawSubjectPublicKeyInfo, view.Cert.RawSubjectPublicKeyInfo) {
			continue
		}
		switch {
		case bytes.Equal(other.RawSubjectPublicKeyInfo, root.RawSubjectPublicKeyInfo):
			return Act{}, errors.New("a root does not certify its own key again")
		case !bytes.Equal(view.Cert.RawSubject, other.RawSubject) || !bytes.Equal(view.Cert.RawSubject, root.RawSubject):
			return Act{}, errors.New("both roots and the certificate do not have one name")
		case !bytes.Equal(view.Cert.SubjectKeyId, other.SubjectKeyId):
			return Act{}, errors.New("it does not name the key as the root itself does")
		case view.NotAfter.After(other.NotAfter):
			return Act{}, errors.New("it is valid for longer than the root")
		}
		a.Names = digest(other.Raw)
		return a, nil
	}
	return Act{}, errors.New("the root whose key it certifies is not here")
}

// certificate is one of these profiles, linted under this root and in its time.
func certificate(item Item, root *smx509.Certificate, now time.Time, allowed ...profile.Name) (Act, error) {
	if !slices.Contains(allowed, item.Profile) {
		return Act{}, fmt.Errorf("a root signs no %s of profile %q", item.Kind, item.Profile)
	}
	p, err := profile.Get(item.Profile)
	if err != nil {
		return Act{}, err
	}
	view, err := lint.ParseTBS(item.TBS)
	if err != nil {
		return Act{}, err
	}
	if view.Refused != nil {
		return Act{}, view.Refused
	}
	if err := lint.New().Check(lint.Input{View: view, Profile: &p, Issuer: root, Hosts: []string{}}); err != nil {
		return Act{}, err
	}
	if view.NotBefore.After(now.Add(skew)) || !view.NotAfter.After(now) {
		return Act{}, errors.New("it is out of its period")
	}
	return Act{Subject: text.Name(view.Cert.Subject), From: view.NotBefore, Until: view.NotAfter}, nil
}
