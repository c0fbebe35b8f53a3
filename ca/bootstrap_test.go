package ca_test

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/emmansun/gmsm/sm2"
	"github.com/emmansun/gmsm/smx509"
	"github.com/google/uuid"

	"github.com/yinxin-gov/yinxin/authz/ledger"
	"github.com/yinxin-gov/yinxin/ca"
	"github.com/yinxin-gov/yinxin/ca/catest"
	"github.com/yinxin-gov/yinxin/ca/profile"
)

const (
	agency = "11110102MB1234567M"
	distID = "distid:1234567812345678"
)

// counter counts the calls of a private key, so that a test can say "it was
// not used".
type counter struct {
	crypto.Signer
	calls int
	err   error
}

func (c *counter) Sign(r io.Reader, msg []byte, opts crypto.SignerOpts) ([]byte, error) {
	c.calls++
	if c.err != nil {
		return nil, c.err
	}
	return c.Signer.Sign(r, msg, opts)
}

func site() profile.Site {
	return profile.Site{
		CPS: "http://ca.gov.internal/cps", CRL: "http://ca.gov.internal/crl/{issuer}.crl",
		OCSP: "http://ca.gov.internal/ocsp", Issuers: "http://ca.gov.internal/issuers/{issuer}.cer",
	}
}

func newID() string { return uuid.Must(uuid.NewV7()).String() }

func sm2Key(t testing.TB) *sm2.PrivateKey {
	t.Helper()
	k, err := sm2.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func p256Key(t testing.TB) *ecdsa.PrivateKey {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func bootstrapConfig(t testing.TB, reg ca.Registry) ca.BootstrapConfig {
	return ca.BootstrapConfig{
		Organization: "样例区信息办", Agency: agency, Site: site(),
		SM2Root: sm2Key(t), SM2Issuing: sm2Key(t), ECDSARoot: p256Key(t), ECDSAIssuing: p256Key(t),
		Registry: reg, Actor: ledger.Actor{Kind: "service", ID: "init"}, Now: time.Now, Rand: rand.Reader, NewID: newID,
	}
}

func TestBootstrapMakesTwoChainsRFC5280(t *testing.T) {
	reg := catest.New()
	a, err := ca.Bootstrap(context.Background(), bootstrapConfig(t, reg))
	if err != nil {
		t.Fatal(err)
	}
	for _, pair := range [][2][]byte{{a.SM2Root, a.SM2Issuing}, {a.ECDSARoot, a.ECDSAIssuing}} {
		root, issuing := parse(t, pair[0]), parse(t, pair[1])
		if err := issuing.CheckSignatureFrom(root); err != nil {
			t.Error(err)
		}
		if root.MaxPathLen != 1 || issuing.MaxPathLen != 0 || !issuing.MaxPathLenZero || !issuing.IsCA {
			t.Errorf("path lengths %d, %d", root.MaxPathLen, issuing.MaxPathLen)
		}
		row, err := reg.Certificate(context.Background(), ca.IssuerID(root), ca.FormatSerial(issuing.SerialNumber))
		if err != nil || row.State != ca.StateGood || row.Kind != ca.KindCA {
			t.Errorf("row of the issuing authority: %+v, %v", row, err)
		}
	}
	if n := strings.Count(string(a.Trust()), "BEGIN CERTIFICATE"); n != 2 {
		t.Errorf("%d anchors", n)
	}
	var types []string
	for _, ev := range reg.Events() {
		types = append(types, ev.Type)
	}
	if got := strings.Join(types, " "); got != "ca.authority.reserved ca.authority.created" {
		t.Errorf("events: %s", got)
	}
}

func TestOpenSSLVerifiesEachLinkOfBothChains(t *testing.T) {
	needOpenSSL(t)
	a, err := ca.Bootstrap(context.Background(), bootstrapConfig(t, catest.New()))
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	sm2Root := write(t, dir, "sm2root.pem", ca.PEM(a.SM2Root))
	sm2Issuing := write(t, dir, "sm2issuing.pem", ca.PEM(a.SM2Issuing))
	root := write(t, dir, "root.pem", ca.PEM(a.ECDSARoot))
	issuing := write(t, dir, "issuing.pem", ca.PEM(a.ECDSAIssuing))
	openssl(t, "verify", "-vfyopt", distID, "-CAfile", sm2Root, sm2Issuing)
	openssl(t, "verify", "-x509_strict", "-CAfile", root, issuing)
}

func TestBootstrapRefusesWithoutSigning(t *testing.T) {
	for name, break_ := range map[string]func(*ca.BootstrapConfig){
		"one key for two authorities": func(c *ca.BootstrapConfig) { c.SM2Issuing = c.SM2Root },
		"P-256 key on the SM2 track":  func(c *ca.BootstrapConfig) { c.SM2Issuing = p256Key(t) },
		"no CPS (电子签名法 art. 19)":      func(c *ca.BootstrapConfig) { c.Site.CPS = "" },
		"no organization":             func(c *ca.BootstrapConfig) { c.Organization = "" },
		"personal number in a name":   func(c *ca.BootstrapConfig) { c.Names[1] = "110101199003070011" },
	} {
		t.Run(name, func(t *testing.T) {
			reg := catest.New()
			cfg := bootstrapConfig(t, reg)
			key := &counter{Signer: cfg.SM2Root}
			cfg.SM2Root = key
			break_(&cfg)
			if _, err := ca.Bootstrap(context.Background(), cfg); err == nil {
				t.Fatal("accepted")
			}
			if key.calls != 0 || len(reg.Events()) != 0 {
				t.Errorf("%d signatures, %d events", key.calls, len(reg.Events()))
			}
		})
	}
}

func TestBootstrapSignsNothingThatWasNotRecorded(t *testing.T) {
	reg := catest.New()
	broken := errors.New("disk full")
	reg.FailNext("Reserve", broken)
	cfg := bootstrapConfig(t, reg)
	key := &counter{Signer: cfg.SM2Root}
	cfg.SM2Root = key
	if _, err := ca.Bootstrap(context.Background(), cfg); !errors.Is(err, broken) {
		t.Fatalf("err = %v", err)
	}
	if key.calls != 0 {
		t.Errorf("root key was used %d times", key.calls)
	}
}

func parse(t testing.TB, der []byte) *smx509.Certificate {
	t.Helper()
	c, err := smx509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// needOpenSSL skips where the outside judge is missing; with CI=true that is a
// failure.
func needOpenSSL(t testing.TB) {
	t.Helper()
	if _, err := exec.LookPath("openssl"); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("openssl is missing")
		}
		t.Skip("openssl is missing")
	}
}

func openssl(t testing.TB, args ...string) string {
	t.Helper()
	out, err := exec.Command("openssl", args...).CombinedOutput()
	if err != nil {
		t.Fatalf("openssl %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return string(out)
}

func write(t testing.TB, dir, name string, data []byte) string {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}
