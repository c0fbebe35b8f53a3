package seal

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/emmansun/gmsm/sm3"
	"github.com/emmansun/gmsm/smx509"
)

// ErrLint: what should be signed breaks the profile; nothing was signed.
var ErrLint = errors.New("seal: refused by lint")

// maxPicture bounds the picture, which every sealed document carries twice.
const maxPicture = 1 << 20

func refuse(format string, args ...any) error {
	return fmt.Errorf("%w: "+format, append([]any{ErrLint}, args...)...)
}

// Lint checks a seal before it is recorded and signed: the profile of real
// government seals (reference/ofd-and-seals §6), the seal's period inside the
// maker's and every signer's certificate, the maker's key.
func (s Spec) Lint(maker crypto.PublicKey, makerCertDER []byte) error {
	switch {
	case len(s.ID) != 14 || strings.Trim(s.ID, "0123456789") != "":
		return refuse("esID %q is not 14 digits", s.ID)
	case s.Vendor == "" || len(s.Vendor) > 64 || !isASCII(s.Vendor):
		return refuse("vendor id must be 1 to 64 ASCII characters")
	case s.Type < 1 || s.Type > 99:
		return refuse("property type %d", s.Type)
	case strings.TrimSpace(s.Name) == "" || len(s.Name) > 300 || !utf8.ValidString(s.Name):
		return refuse("seal name must be 1 to 300 bytes of UTF-8")
	case len(s.Certs) == 0 || len(s.Certs) > 64:
		return refuse("certificate list of %d entries, 1 to 64 expected", len(s.Certs))
	case !s.ValidFrom.Before(s.ValidUntil):
		return refuse("the period ends before it starts")
	case s.Created.After(s.ValidUntil):
		return refuse("created after the end of the period")
	case s.Layout != "" && s.Layout != LayoutV4 && s.Layout != LayoutV1:
		return refuse("layout %s is not written", s.Layout)
	case s.Layout == LayoutV1 && !(inUTCTime(s.Created) && inUTCTime(s.ValidFrom) && inUTCTime(s.ValidUntil)):
		return refuse("a date that UTCTime does not hold")
	}
	if err := s.Picture.lint(); err != nil {
		return err
	}
	cert, err := lintCertificate("maker", makerCertDER, maker)
	if err != nil {
		return err
	}
	if err := inside("seal", s.ValidFrom, s.ValidUntil, "maker", cert); err != nil {
		return err
	}
	if err := inside("making", s.Created, s.Created, "maker", cert); err != nil {
		return err
	}
	for i, der := range s.Certs {
		who := "signer " + strconv.Itoa(i+1)
		cert, err := lintCertificate(who, der, nil)
		if err != nil {
			return err
		}
		if err := inside("seal", s.ValidFrom, s.ValidUntil, who, cert); err != nil {
			return err
		}
	}
	return nil
}

func (p Picture) lint() error {
	switch {
	case p.Type != "PNG" || !bytes.HasPrefix(p.Data, []byte("\x89PNG\r\n\x1a\n")):
		return refuse("the picture is not a PNG")
	case len(p.Data) > maxPicture:
		return refuse("the picture has %d bytes, at most %d", len(p.Data), maxPicture)
	case p.Width < 10 || p.Width > 60 || p.Height < 10 || p.Height > 60:
		return refuse("the picture is %d×%d mm, 10 to 60 expected", p.Width, p.Height)
	}
	return nil
}

// lint checks a use of a seal before it is recorded and signed: the seal is a
// genuine seal of the layout that names the certificate, the time lies in both periods,
// and the key is the certificate's.
func (s SignSpec) lint(signer crypto.PublicKey) error {
	e, err := ParseSeal(s.SealDER)
	if err != nil {
		return err
	}
	want := LayoutV4
	if s.Layout != "" {
		want = s.Layout
	}
	if e.Layout != want || want != LayoutV4 && want != LayoutV1 {
		return fmt.Errorf("%w: a %s seal for a %s signature; V4 and, on request, V1 are written", ErrUnsupported, e.Layout, want)
	}
	if err := e.VerifyMaker(); err != nil {
		return err
	}
	cert, err := lintCertificate("signer", s.CertDER, signer)
	if err != nil {
		return err
	}
	at := s.Time.UTC().Truncate(time.Second)
	switch {
	case !e.Lists(s.CertDER):
		return refuse("the seal's certificate list does not hold the signer's certificate")
	case !e.ActiveAt(at):
		return refuse("signing time %s is outside the seal's period %s to %s", stamp(at), stamp(e.ValidFrom), stamp(e.ValidUntil))
	case len(s.DataHash) != sm3.Size:
		return refuse("data hash of %d bytes", len(s.DataHash))
	case !strings.HasPrefix(s.Property, "/") || len(s.Property) > 512 || !isASCII(s.Property):
		return refuse("property info is not an absolute ASCII path")
	}
	if s.Layout == LayoutV1 && !inUTCTime(at) {
		return refuse("signing time %s cannot be written as UTCTime", stamp(at))
	}
	return inside("signing time", at, at, "signer", cert)
}

// inUTCTime reports whether UTCTime has the year: V1 seals write nothing else.
func inUTCTime(t time.Time) bool { return t.UTC().Year() >= 1950 && t.UTC().Year() <= 2049 }

// LintSigner checks a certificate that shall sign without a seal: a signing
// certificate of no authority, in its period at the time, with pub as its key.
func LintSigner(certDER []byte, pub crypto.PublicKey, at time.Time) error {
	cert, err := lintCertificate("signer", certDER, pub)
	if err != nil {
		return err
	}
	at = at.UTC().Truncate(time.Second)
	return inside("signing time", at, at, "signer", cert)
}

// lintCertificate parses a certificate that shall sign and checks that pub, if
// given, is its key.
func lintCertificate(who string, der []byte, pub crypto.PublicKey) (*smx509.Certificate, error) {
	cert, err := smx509.ParseCertificate(der)
	if err != nil {
		return nil, refuse("%s certificate does not parse: %v", who, err)
	}
	own, err := PublicKey(der)
	if err != nil {
		return nil, refuse("%s certificate: %v", who, err)
	}
	if pub != nil {
		if key, ok := pub.(*ecdsa.PublicKey); !ok || !own.Equal(key) {
			return nil, refuse("%s key is not the key of the %s certificate", who, who)
		}
	}
	if cert.IsCA || cert.KeyUsage&smx509.KeyUsageCertSign != 0 {
		return nil, refuse("%s certificate belongs to a certificate authority", who)
	}
	if cert.KeyUsage != 0 && cert.KeyUsage&(smx509.KeyUsageDigitalSignature|smx509.KeyUsageContentCommitment) == 0 {
		return nil, refuse("%s certificate is not for signing", who)
	}
	return cert, nil
}

// inside checks a period against a certificate's, in whole seconds as both are
// written.
func inside(what string, from, until time.Time, who string, cert *smx509.Certificate) error {
	from, until = from.Truncate(time.Second), until.Truncate(time.Second)
	if from.Before(cert.NotBefore) || until.After(cert.NotAfter) {
		return refuse("%s %s to %s is outside the %s certificate's period %s to %s", what,
			stamp(from), stamp(until), who, stamp(cert.NotBefore), stamp(cert.NotAfter))
	}
	return nil
}

func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }

func isASCII(s string) bool {
	for i := range len(s) {
		if s[i] < 0x20 || s[i] > 0x7e {
			return false
		}
	}
	return true
}
