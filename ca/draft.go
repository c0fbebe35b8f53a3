package ca

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"math/big"
	"time"

	"github.com/emmansun/gmsm/sm2"
	"github.com/emmansun/gmsm/sm3"
	"github.com/emmansun/gmsm/smx509"

	"github.com/yinxin-gov/yinxin/ca/lint"
	"github.com/yinxin-gov/yinxin/ca/profile"
	"github.com/yinxin-gov/yinxin/internal/text"
)

// Draft is a certificate that is complete but for its signature. Sign signs the
// bytes of TBS and nothing else, so that what was linted and recorded is, byte
// for byte, what is signed (design law 4). It serves both tracks.
type Draft struct {
	TBS     []byte
	Profile profile.Profile
	View    *lint.View // View.Cert has no valid signature
	Issuer  *smx509.Certificate

	until time.Time // Fields.NotAfter, for the lint
}

// errCaptured stops the library after it built the to-be-signed bytes.
var errCaptured = errors.New("ca: to-be-signed bytes taken")

// capture stands in for the issuer's key while a draft is built: it takes the
// bytes and signs nothing.
type capture struct {
	public crypto.PublicKey
	tbs    []byte
}

func (c *capture) Public() crypto.PublicKey { return c.public }

func (c *capture) Sign(io.Reader, []byte, crypto.SignerOpts) ([]byte, error) {
	return nil, errCaptured
}

// SignMessage is what the library calls, for SM2 and ECDSA alike, with the
// message itself.
func (c *capture) SignMessage(_ io.Reader, msg []byte, _ crypto.SignerOpts) ([]byte, error) {
	c.tbs = bytes.Clone(msg)
	return nil, errCaptured
}

// NewDraft builds what would be signed; no key is touched. An issuer of nil
// makes a self-signed draft.
func NewDraft(p profile.Profile, site profile.Site, f profile.Fields) (*Draft, error) {
	template, err := p.Template(site, f)
	if err != nil {
		return nil, err
	}
	issuer := f.Issuer
	parent, key := issuer, &capture{public: f.Public}
	if issuer == nil {
		parent = template
	} else {
		key.public = issuer.PublicKey
	}
	if _, err := smx509.CreateCertificate(nil, template, parent, f.Public, key); !errors.Is(err, errCaptured) {
		if err == nil {
			err = errors.New("library signed without the key")
		}
		return nil, fmt.Errorf("ca: build certificate: %w", err)
	}
	view, err := lint.ParseTBS(key.tbs)
	if err != nil {
		return nil, fmt.Errorf("ca: read back certificate: %w", err)
	}
	if issuer == nil {
		issuer = view.Cert
	}
	return &Draft{TBS: key.tbs, Profile: p, View: view, Issuer: issuer, until: f.NotAfter}, nil
}

// Lint refuses a draft that breaks a rule; hosts are the registered ones of the
// system, nil where the profile has none.
func (d *Draft) Lint(l *lint.Linter, hosts []string) error {
	if hosts == nil {
		hosts = []string{} // nothing registered is known, not unknown
	}
	in := lint.Input{View: d.View, Profile: &d.Profile, Issuer: d.Issuer, Hosts: hosts, Until: d.until}
	if err := l.Check(in); err != nil {
		return fmt.Errorf("%w: %w", ErrLint, err)
	}
	return nil
}

// Row is the draft as the registry keeps it before signing.
func (d *Draft) Row(kind Kind) Certificate {
	c := d.View.Cert
	sum := sm3.Sum(d.TBS)
	return Certificate{
		Issuer:    IssuerID(d.Issuer),
		Serial:    FormatSerial(c.SerialNumber),
		Kind:      kind,
		Subject:   text.Name(c.Subject),
		TBSSM3:    hex.EncodeToString(sum[:]),
		TBS:       d.TBS,
		State:     StatePending,
		NotBefore: c.NotBefore,
		NotAfter:  c.NotAfter,
		Origin:    Origin{Names: c.DNSNames},
	}
}

// Sign signs the recorded bytes and checks the result with the issuer's public
// key before anybody gets it. This is the one check of a certificate's signature:
// over the finished certificate, whatever made the signature; a key in custody
// that has a check of its own leaves it out. Call it after the row is recorded,
// never before.
func (d *Draft) Sign(rand io.Reader, signer crypto.Signer) ([]byte, error) {
	public, ok := signer.Public().(*ecdsa.PublicKey)
	if issuer, isEC := d.Issuer.PublicKey.(*ecdsa.PublicKey); !ok || !isEC || !public.Equal(issuer) {
		return nil, errors.New("ca: signer does not hold the issuer's key")
	}
	var opts crypto.SignerOpts = crypto.SHA256
	if d.Profile.Algorithm == profile.SM2 {
		opts = sm2.DefaultSM2SignerOpts
	}
	if custody, ok := signer.(interface{ Unverified() crypto.Signer }); ok {
		signer = custody.Unverified()
	}
	signature, err := crypto.SignMessage(signer, rand, d.TBS, opts)
	if err != nil {
		return nil, fmt.Errorf("ca: sign certificate: %w", err)
	}
	der, err := lint.Assemble(d.TBS, signature)
	if err != nil {
		return nil, err
	}
	cert, err := smx509.ParseCertificate(der)
	if err != nil {
		return nil, fmt.Errorf("ca: read back signed certificate: %w", err)
	}
	if err := cert.CheckSignatureFrom(d.Issuer); err != nil {
		return nil, fmt.Errorf("ca: signer returned a signature that does not verify: %w", err)
	}
	return der, nil
}

// IssuerID names an issuing certificate: Certificate.Issuer.
func IssuerID(issuer *smx509.Certificate) string {
	return profile.IssuerID(issuer.RawSubject, issuer.RawSubjectPublicKeyInfo)
}

// FormatSerial is the one spelling of a serial: lower-case hex without leading
// zeros.
func FormatSerial(n *big.Int) string { return n.Text(16) }

// NewSerial draws 127 random bits (RFC 5280 4.1.2.2). The top bit is set: a
// serial always has its full length, so that no lint can refuse it by chance.
func NewSerial(rand io.Reader) (*big.Int, error) {
	raw := make([]byte, 16)
	if _, err := io.ReadFull(rand, raw); err != nil {
		return nil, fmt.Errorf("ca: draw serial: %w", err)
	}
	raw[0] = raw[0]&0x7f | 0x40
	return new(big.Int).SetBytes(raw), nil
}
