package revocation_test

import (
	"encoding/pem"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/emmansun/gmsm/smx509"

	"github.com/yinxin-gov/yinxin/signer/revocation"
)

const opensslConfig = `
[ca]
default_ca = a
[a]
database = index.txt
new_certs_dir = .
certificate = ca.pem
private_key = ca.key
serial = serial
crlnumber = crlnumber
default_md = sha256
default_days = 30
default_crl_days = 7
policy = any
x509_extensions = leaf
crl_extensions = crl
unique_subject = no
[any]
commonName = supplied
[leaf]
basicConstraints = CA:FALSE
authorityKeyIdentifier = keyid
[responder]
basicConstraints = CA:FALSE
extendedKeyUsage = OCSPSigning
noCheck = ignored
[crl]
authorityKeyIdentifier = keyid:always
[req]
distinguished_name = dn
[dn]
[root]
basicConstraints = critical,CA:TRUE
keyUsage = critical,keyCertSign,cRLSign
subjectKeyIdentifier = hash
`

// desk is an authority that OpenSSL runs.
type desk struct {
	t    *testing.T
	dir  string
	tool string
}

func newDesk(t *testing.T) *desk {
	t.Helper()
	tool, err := exec.LookPath("openssl")
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("openssl is not installed")
		}
		t.Skip("openssl is not installed")
	}
	d := &desk{t, t.TempDir(), tool}
	d.write("ca.cnf", strings.ReplaceAll(opensslConfig, "noCheck = ignored\n", ""))
	d.write("index.txt", "")
	d.write("serial", "1000\n")
	d.write("crlnumber", "01\n")
	d.run("ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", "ca.key")
	d.run("req", "-new", "-x509", "-key", "ca.key", "-subj", "/CN=Foreign CA", "-days", "3650", "-config", "ca.cnf", "-extensions", "root", "-out", "ca.pem")
	return d
}

func (d *desk) write(name, text string) {
	d.t.Helper()
	must(d.t, os.WriteFile(filepath.Join(d.dir, name), []byte(text), 0o600))
}

func (d *desk) read(name string) []byte {
	d.t.Helper()
	b, err := os.ReadFile(filepath.Join(d.dir, name))
	must(d.t, err)
	return b
}

func (d *desk) run(args ...string) {
	d.t.Helper()
	cmd := exec.Command(d.tool, args...)
	cmd.Dir = d.dir
	if out, err := cmd.CombinedOutput(); err != nil {
		d.t.Fatalf("openssl %v: %v\n%s", args, err, out)
	}
}

// issue makes name.pem and name.key under the CA.
func (d *desk) issue(name, ext string) *smx509.Certificate {
	d.t.Helper()
	d.run("ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", name+".key")
	d.run("req", "-new", "-key", name+".key", "-subj", "/CN="+name, "-config", "ca.cnf", "-out", name+".csr")
	d.run("ca", "-batch", "-config", "ca.cnf", "-extensions", ext, "-in", name+".csr", "-out", name+".pem", "-notext")
	block, _ := pem.Decode(d.read(name + ".pem"))
	c, err := smx509.ParseCertificate(block.Bytes)
	must(d.t, err)
	return c
}

func (d *desk) set(files ...string) *revocation.Set {
	d.t.Helper()
	s := revocation.New(nil)
	for _, f := range append(files, "ca.pem") {
		must(d.t, s.Add(d.read(f)))
	}
	return s
}

// Lists and OCSP responses as OpenSSL makes them: revoked, on hold, good; signed
// by the authority and by a responder that it certified.
func TestForeignAuthority(t *testing.T) {
	d := newDesk(t)
	fine, ended, onHold := d.issue("fine", "leaf"), d.issue("ended", "leaf"), d.issue("hold", "leaf")
	d.issue("responder", "responder")
	d.run("ca", "-config", "ca.cnf", "-revoke", "ended.pem", "-crl_reason", "keyCompromise")
	d.run("ca", "-config", "ca.cnf", "-revoke", "hold.pem", "-crl_hold", "holdInstructionNone")
	d.run("ca", "-config", "ca.cnf", "-gencrl", "-out", "list.pem")
	ask := func(name, signer, out string) {
		d.run("ocsp", "-index", "index.txt", "-CA", "ca.pem", "-issuer", "ca.pem", "-cert", name+".pem", "-rsigner", signer+".pem", "-rkey", signer+".key",
			"-respout", out, "-ndays", "1")
	}
	for _, signer := range []string{"ca", "responder"} {
		for _, name := range []string{"fine", "ended", "hold"} {
			ask(name, signer, name+"."+signer+".ocsp")
		}
	}
	check := func(what string, s *revocation.Set, c *smx509.Certificate, revoked bool) {
		t.Helper()
		at, known, err := s.RevokedBy(bg, c.Raw, time.Now())
		if err != nil || !known || at.IsZero() == revoked || revoked && time.Since(at).Abs() > time.Hour {
			t.Errorf("%s: %v %v %v", what, at, known, err)
		}
	}
	list := d.set("list.pem")
	check("list", list, fine, false)
	check("list", list, ended, true)
	check("list", list, onHold, true)
	for _, signer := range []string{"ca", "responder"} {
		check(signer, d.set("fine."+signer+".ocsp"), fine, false)
		check(signer, d.set("ended."+signer+".ocsp"), ended, true)
		check(signer, d.set("hold."+signer+".ocsp"), onHold, true)
	}
	// A holder of any certificate of the authority is no responder.
	ask("ended", "fine", "forged.ocsp")
	if at, known, err := d.set("forged.ocsp").RevokedBy(bg, ended.Raw, time.Now()); known || err != nil {
		t.Errorf("forged: %v %v %v", at, known, err)
	}
	// A response about one certificate says nothing of another.
	if at, known, err := d.set("fine.ca.ocsp").RevokedBy(bg, ended.Raw, time.Now()); known || err != nil {
		t.Errorf("another: %v %v %v", at, known, err)
	}
	der := d.read("ended.responder.ocsp")
	for i := 0; i < len(der); i += 3 {
		bad := append([]byte{}, der...)
		bad[i] ^= 4
		s := revocation.New(nil)
		must(t, s.Add(d.read("ca.pem")))
		if s.Add(bad) != nil {
			continue
		}
		if at, known, _ := s.RevokedBy(bg, ended.Raw, time.Now()); known && at.IsZero() {
			t.Fatalf("byte %d makes it good", i)
		}
	}
}
