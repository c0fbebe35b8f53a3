package revocation

import (
	"fmt"
	"slices"

	"github.com/emmansun/gmsm/smx509"
	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"
)

// scope is an issuing distribution point (RFC 5280 5.2.5).
type scope struct {
	point                []string // addresses of a partition; none: the whole
	users, cas, attrs    bool
	someReasons, unnamed bool // unnamed: a point of a form that is not compared
}

func (s *scope) read(value cryptobyte.String) error {
	var seq, point, reasons cryptobyte.String
	var has, indirect bool
	bad := malformed("issuing distribution point")
	if !value.ReadASN1(&seq, asn1.SEQUENCE) || !value.Empty() || !seq.ReadOptionalASN1(&point, &has, tag0.Constructed()) ||
		!implicitBool(&seq, tag1, &s.users) || !implicitBool(&seq, tag2, &s.cas) {
		return bad
	}
	if has {
		s.readPoint(point)
	}
	if !seq.ReadOptionalASN1(&reasons, &s.someReasons, asn1.Tag(3).ContextSpecific()) || !implicitBool(&seq, asn1.Tag(4).ContextSpecific(), &indirect) ||
		!implicitBool(&seq, asn1.Tag(5).ContextSpecific(), &s.attrs) || !seq.Empty() {
		return bad
	}
	if indirect {
		return fmt.Errorf("%w: indirect list", ErrUnsupported)
	}
	return nil
}

// readPoint takes the addresses of a point; any other form of name is one that no
// certificate here is compared with.
func (s *scope) readPoint(point cryptobyte.String) {
	var names cryptobyte.String
	if s.unnamed = !point.ReadASN1(&names, tag0.Constructed()); s.unnamed {
		return
	}
	for !names.Empty() {
		var name cryptobyte.String
		var tag asn1.Tag
		if !names.ReadAnyASN1(&name, &tag) {
			s.unnamed = true
			return
		}
		if tag == asn1.Tag(6).ContextSpecific() {
			s.point = append(s.point, string(name))
		}
	}
	s.unnamed = len(s.point) == 0
}

// covers reports whether silence of the list means anything for a certificate.
func (s *scope) covers(cert *smx509.Certificate) bool {
	if s.unnamed || s.someReasons || s.attrs || s.users && cert.IsCA || s.cas && !cert.IsCA {
		return false
	}
	if len(s.point) == 0 {
		return true
	}
	return slices.ContainsFunc(s.point, func(p string) bool { return slices.Contains(cert.CRLDistributionPoints, p) })
}

func implicitBool(in *cryptobyte.String, tag asn1.Tag, out *bool) bool {
	var v cryptobyte.String
	var has bool
	if !in.ReadOptionalASN1(&v, &has, tag) || has && len(v) != 1 {
		return false
	}
	*out = has && v[0] != 0
	return true
}
