package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
	"time"

	"github.com/emmansun/gmsm/sm2"
	"github.com/emmansun/gmsm/sm3"
	"github.com/emmansun/gmsm/smx509"
	"github.com/spf13/cobra"

	"github.com/yinxin-gov/yinxin/internal/text"
)

func newCertShowCommand(u *ui) *cobra.Command {
	return &cobra.Command{
		Use:   "show FILE",
		Short: u.words.Get("cert.show.short").Both(),
		Args:  cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			ders, err := u.readCertificates(args[0])
			if err != nil {
				return err
			}
			report := certReport{File: args[0]}
			for _, der := range ders {
				c, err := smx509.ParseCertificate(der)
				if err != nil {
					return fail(fmt.Errorf("%s: %w", args[0], err), "cert.hint.file")
				}
				report.Certificates = append(report.Certificates, shown(c))
			}
			if u.json {
				return u.printJSON(report)
			}
			for i, c := range report.Certificates {
				if i > 0 {
					fmt.Fprintln(u.out)
				}
				u.printCertificate(c)
			}
			return nil
		},
	}
}

// certReport is the object of cert show --json.
type certReport struct {
	File         string      `json:"file"`
	Certificates []certShown `json:"certificates"`
}

type certShown struct {
	Subject     string    `json:"subject"`
	Issuer      string    `json:"issuer"`
	Serial      string    `json:"serial"` // hex
	NotBefore   time.Time `json:"not_before"`
	NotAfter    time.Time `json:"not_after"`
	Key         string    `json:"key"`       // "SM2", "P-256" or what the library calls it
	Signature   string    `json:"signature"` // algorithm
	CA          bool      `json:"ca"`
	PathLen     *int      `json:"path_len,omitempty"`
	KeyUsage    []string  `json:"key_usage"`
	ExtKeyUsage []string  `json:"extended_key_usage,omitempty"`
	DNSNames    []string  `json:"dns_names,omitempty"`
	KeyID       string    `json:"subject_key_id,omitempty"`
	IssuerKeyID string    `json:"authority_key_id,omitempty"`
	CRL         []string  `json:"crl,omitempty"`
	OCSP        []string  `json:"ocsp,omitempty"`
	IssuerURL   []string  `json:"issuer_url,omitempty"`
	Policies    []string  `json:"policies,omitempty"`
	SM3         string    `json:"sm3"`
	SHA256      string    `json:"sha256"`
}

func shown(c *smx509.Certificate) certShown {
	s3, s2 := sm3.Sum(c.Raw), sha256.Sum256(c.Raw)
	out := certShown{
		Subject: text.Name(c.Subject), Issuer: text.Name(c.Issuer), Serial: c.SerialNumber.Text(16), NotBefore: c.NotBefore, NotAfter: c.NotAfter,
		Key: keyName(c), Signature: c.SignatureAlgorithm.String(), CA: c.IsCA, KeyUsage: usages(c.KeyUsage), ExtKeyUsage: purposes(c.ExtKeyUsage),
		DNSNames: c.DNSNames, KeyID: hex.EncodeToString(c.SubjectKeyId), IssuerKeyID: hex.EncodeToString(c.AuthorityKeyId),
		CRL: c.CRLDistributionPoints, OCSP: c.OCSPServer, IssuerURL: c.IssuingCertificateURL,
		SM3: hex.EncodeToString(s3[:]), SHA256: hex.EncodeToString(s2[:]),
	}
	if c.IsCA && c.MaxPathLen >= 0 {
		out.PathLen = &c.MaxPathLen
	}
	for _, p := range c.Policies {
		out.Policies = append(out.Policies, p.String())
	}
	return out
}

func keyName(c *smx509.Certificate) string {
	if pub, ok := c.PublicKey.(*ecdsa.PublicKey); ok {
		switch pub.Curve {
		case sm2.P256():
			return "SM2"
		case elliptic.P256():
			return "P-256"
		}
	}
	return c.PublicKeyAlgorithm.String()
}

// usages are spelled as in RFC 5280 4.2.1.3.
func usages(k smx509.KeyUsage) []string {
	names := []string{
		"digitalSignature", "contentCommitment", "keyEncipherment", "dataEncipherment", "keyAgreement",
		"keyCertSign", "cRLSign", "encipherOnly", "decipherOnly",
	}
	out := []string{}
	for i, name := range names {
		if k&(1<<i) != 0 {
			out = append(out, name)
		}
	}
	return out
}

func purposes(list []smx509.ExtKeyUsage) []string {
	names := map[smx509.ExtKeyUsage]string{
		smx509.ExtKeyUsageServerAuth: "serverAuth", smx509.ExtKeyUsageClientAuth: "clientAuth", smx509.ExtKeyUsageCodeSigning: "codeSigning",
		smx509.ExtKeyUsageEmailProtection: "emailProtection", smx509.ExtKeyUsageTimeStamping: "timeStamping", smx509.ExtKeyUsageOCSPSigning: "OCSPSigning",
		smx509.ExtKeyUsageAny: "anyExtendedKeyUsage",
	}
	var out []string
	for _, e := range list {
		name, ok := names[e]
		if !ok {
			name = fmt.Sprintf("purpose %d", e)
		}
		out = append(out, name)
	}
	return out
}

func (u *ui) printCertificate(c certShown) {
	line := func(key, value string) {
		if value != "" {
			fmt.Fprintf(u.out, "%s: %s\n", u.words.Get("cert.field."+key).Both(), value)
		}
	}
	list := func(key string, values []string) { line(key, strings.Join(values, ", ")) }
	line("subject", c.Subject)
	line("issuer", c.Issuer)
	line("serial", c.Serial)
	line("validity", c.NotBefore.Format(time.RFC3339)+" – "+c.NotAfter.Format(time.RFC3339))
	line("key", c.Key)
	line("signature", c.Signature)
	if c.CA {
		depth := ""
		if c.PathLen != nil {
			depth = fmt.Sprintf(" (%d)", *c.PathLen)
		}
		line("ca", "✓"+depth)
	}
	list("usage", c.KeyUsage)
	list("purpose", c.ExtKeyUsage)
	list("hosts", c.DNSNames)
	line("key_id", c.KeyID)
	line("issuer_key_id", c.IssuerKeyID)
	list("crl", c.CRL)
	list("ocsp", c.OCSP)
	list("issuer_url", c.IssuerURL)
	list("policies", c.Policies)
	line("sm3", c.SM3)
	line("sha256", c.SHA256)
}
