package verify

import (
	"bytes"
	"context"
	"encoding/pem"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// OpenSSL's messages are judged: ECDSA and RSA, detached and enveloping, DER and
// PEM, streamed (BER), CAdES, signer named by key, without attributes, by two
// signers, cms and smime.
func TestCMSFileFromOpenSSL(t *testing.T) {
	dir, ssl := openssl(t)
	content := bytes.Repeat([]byte("0123456789abcdef"), 2000)
	write(t, dir, "content", content)
	var certs [][]byte
	for name, alg := range map[string][]string{"ec": {"-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"}, "rsa": {"-newkey", "rsa:2048"}} {
		ssl(append([]string{"req", "-x509", "-nodes", "-keyout", name + ".key", "-out", name + ".pem", "-subj", "/CN=" + name, "-days", "30",
			"-addext", "basicConstraints=critical,CA:FALSE", "-addext", "keyUsage=digitalSignature"}, alg...)...)
		b, err := os.ReadFile(filepath.Join(dir, name+".pem"))
		if err != nil {
			t.Fatal(err)
		}
		block, _ := pem.Decode(b)
		certs = append(certs, block.Bytes)
	}
	trust := NewTrust(certs...)
	for name, c := range map[string]struct {
		args     []string
		signers  int
		standard string
		verdict  Verdict
	}{
		"detached":       {[]string{"-outform", "DER"}, 1, "RFC 5652", Valid},
		"nodetach":       {[]string{"-nodetach", "-outform", "DER"}, 1, "RFC 5652", Valid},
		"stream":         {[]string{"-nodetach", "-stream", "-outform", "DER"}, 1, "RFC 5652", Valid},
		"stream PEM":     {[]string{"-nodetach", "-stream", "-outform", "PEM"}, 1, "RFC 5652", Valid},
		"PEM detached":   {[]string{"-outform", "PEM"}, 1, "RFC 5652", Valid},
		"cades":          {[]string{"-cades", "-outform", "DER"}, 1, "ETSI EN 319 122-1", Valid},
		"SHA-512":        {[]string{"-md", "sha512", "-outform", "DER"}, 1, "RFC 5652", Valid},
		"key id":         {[]string{"-keyid", "-outform", "DER"}, 1, "RFC 5652", Valid},
		"no attributes":  {[]string{"-noattr", "-nodetach", "-outform", "DER"}, 1, "RFC 5652", Indeterminate}, // no time is claimed
		"no certificate": {[]string{"-nocerts", "-outform", "DER"}, 1, "RFC 5652", Indeterminate},
		"SHA-1":          {[]string{"-md", "sha1", "-outform", "DER"}, 1, "", Indeterminate},
	} {
		for _, who := range []string{"ec", "rsa"} {
			for _, tool := range []string{"cms", "smime"} {
				if tool == "smime" && (strings.Contains(strings.Join(c.args, " "), "-cades") || strings.Contains(name, "key id")) {
					continue
				}
				ssl(append([]string{tool, "-sign", "-binary", "-in", "content", "-signer", who + ".pem", "-inkey", who + ".key", "-out", "m"}, c.args...)...)
				got, err := os.ReadFile(filepath.Join(dir, "m"))
				if err != nil {
					t.Fatal(err)
				}
				var brought []byte
				if !slices.Contains(c.args, "-nodetach") {
					brought = content
				}
				rep := judgeNow(t, got, brought, trust)
				if rep.Verdict != c.verdict || len(rep.Signatures) != c.signers || rep.Signatures[0].Standard != c.standard {
					t.Errorf("%s %s %s\n%s", tool, who, name, dump(rep))
				}
				if rep.Integrity != Intact && !slices.Contains([]string{"no certificate", "SHA-1"}, name) {
					t.Errorf("%s %s %s: %s", tool, who, name, rep.Integrity)
				}
				if brought != nil {
					if rep := judgeNow(t, got, append([]byte("x"), content...), trust); rep.Verdict == Valid {
						t.Errorf("%s %s, other content\n%s", who, name, dump(rep))
					}
				}
			}
		}
	}
	ssl("cms", "-sign", "-binary", "-nodetach", "-in", "content", "-signer", "ec.pem", "-inkey", "ec.key", "-signer", "rsa.pem", "-inkey", "rsa.key", "-outform", "DER", "-out", "m")
	two, err := os.ReadFile(filepath.Join(dir, "m"))
	if err != nil {
		t.Fatal(err)
	}
	if rep := judgeNow(t, two, nil, trust); rep.Verdict != Valid || len(rep.Signatures) != 2 {
		t.Error(dump(rep))
	}
}

func judgeNow(t *testing.T, data, content []byte, trust *Trust) Report {
	t.Helper()
	opt := Options{Trust: trust, Content: nil}
	if content != nil {
		opt.Content, opt.ContentSize = bytes.NewReader(content), int64(len(content))
	}
	rep, err := Document(context.Background(), data, opt)
	if err != nil {
		t.Fatal(err)
	}
	return rep
}

// openssl finds the tool and runs it in a folder of the test.
func openssl(t *testing.T) (dir string, run func(args ...string)) {
	t.Helper()
	tool, err := exec.LookPath("openssl")
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("openssl is not installed")
		}
		t.Skip("openssl is not installed")
	}
	dir = t.TempDir()
	return dir, func(args ...string) {
		t.Helper()
		cmd := exec.Command(tool, args...)
		cmd.Dir = dir
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("openssl %v: %v\n%s", args, err, out)
		}
	}
}

func write(t *testing.T, dir, name string, b []byte) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, name), b, 0o600); err != nil {
		t.Fatal(err)
	}
}
