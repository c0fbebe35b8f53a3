package main

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/json"
	"errors"
	"math/big"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/emmansun/gmsm/sm2"
	"github.com/emmansun/gmsm/smx509"

	"github.com/yinxin-gov/yinxin/internal/app"
	"github.com/yinxin-gov/yinxin/signer/cms/tsp"
	"github.com/yinxin-gov/yinxin/signer/tsa"
)

// timeService is a time-stamp service with a certificate of its own; off makes
// it say that its clock is wrong.
func timeService(t *testing.T, gm bool, rec tsa.Recorder, off error) (srv *httptest.Server, certDER []byte) {
	t.Helper()
	var key crypto.Signer
	var err error
	if gm {
		key, err = sm2.GenerateKey(rand.Reader)
	} else {
		key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	}
	if err != nil {
		t.Fatal(err)
	}
	c := &smx509.Certificate{
		SerialNumber: big.NewInt(8), Subject: pkix.Name{CommonName: "时间戳\u202e"}, KeyUsage: smx509.KeyUsageDigitalSignature,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		ExtraExtensions: []pkix.Extension{{Id: asn1.ObjectIdentifier{2, 5, 29, 37}, Critical: true,
			Value: []byte{0x30, 10, 6, 8, 0x2b, 6, 1, 5, 5, 7, 3, 8}}},
	}
	if certDER, err = smx509.CreateCertificate(rand.Reader, c, c, key.Public(), key); err != nil {
		t.Fatal(err)
	}
	service, err := tsa.New(tsa.Config{
		Key: key, CertDER: certDER, Policy: asn1.ObjectIdentifier{1, 2, 3}, Now: time.Now,
		Synchronised: func() error { return off }, Rand: rand.Reader, Recorder: rec,
	})
	if err != nil {
		t.Fatal(err)
	}
	srv = httptest.NewServer(service)
	t.Cleanup(srv.Close)
	return srv, certDER
}

// A clerk stamps a file and somebody else verifies it, with exit codes and one
// JSON object (design §9); openssl reads what was written.
func TestTimeStampCommands(t *testing.T) {
	for name, gm := range map[string]bool{"sm3": true, "sha256": false} {
		dir := t.TempDir()
		srv, cert := timeService(t, gm, &tokens{}, nil)
		files(t, dir, map[string][]byte{"letter.txt": []byte("letter"), "other.txt": []byte("letteR"), "trust/tsa.crt": cert, "elsewhere/other.crt": otherCert(t)})
		code, out, errs := call(t, dir, "ts", "stamp", "--url", srv.URL, "--digest", name, "letter.txt")
		if code != exitOK || !strings.Contains(out, "letter.txt.tsr") || strings.Contains(out, "\u202e") {
			t.Fatalf("%s: exit %d\n%s%s", name, code, out, errs)
		}
		reply, err := os.ReadFile(filepath.Join(dir, "letter.txt.tsr"))
		if err != nil {
			t.Fatal(err)
		}
		token, err := tsp.ParseResponse(reply)
		if err != nil {
			t.Fatal(err)
		}
		rejection, err := tsp.Rejection(tsp.TimeNotAvailable, "off")
		if err != nil {
			t.Fatal(err)
		}
		files(t, dir, map[string][]byte{"bare.der": token, "cut.der": token[:len(token)-1], "refused.tsr": rejection})
		verify := []string{"ts", "verify", "--json", "--content"}
		for what, c := range map[string]struct {
			args []string
			code int
			hint string
		}{
			"holds":          {[]string{"letter.txt", "--trust", "trust", "letter.txt.tsr"}, exitOK, ""},
			"a bare token":   {[]string{"letter.txt", "--trust", "trust", "bare.der"}, exitOK, ""},
			"another file":   {[]string{"other.txt", "--trust", "trust", "bare.der"}, exitInvalid, ""},
			"no anchor":      {[]string{"letter.txt", "bare.der"}, exitIndeterminate, ""},
			"another anchor": {[]string{"letter.txt", "--trust", "elsewhere", "bare.der"}, exitIndeterminate, ""},
			"cut off":        {[]string{"letter.txt", "cut.der"}, exitUsage, "a time-stamp is needed"},
			"no token":       {[]string{"letter.txt", "refused.tsr"}, exitUsage, "the service refused"},
			"not there":      {[]string{"letter.txt", "gone.tsr"}, exitUsage, "a time-stamp is needed"},
			"no content":     {[]string{"gone.txt", "bare.der"}, exitUsage, "check that the file exists"},
			"a folder":       {[]string{"trust", "bare.der"}, exitUsage, "check that the file exists"},
		} {
			code, out, errs := call(t, dir, append(verify, c.args...)...)
			var got struct {
				Verdict string
				Good    *struct{ Because string }
			}
			if err := json.Unmarshal([]byte(out), &got); code != c.code || (err == nil) != (c.hint == "") || !strings.Contains(errs, c.hint) {
				t.Errorf("%s, %s: exit %d %v\n%s%s", name, what, code, err, out, errs)
			}
			if c.hint == "" && (got.Good == nil || got.Good.Because != "certificate") {
				t.Errorf("%s, %s: %s", name, what, out)
			}
		}
		if code, out, _ := call(t, dir, "ts", "show", "bare.der"); code != exitOK || !strings.Contains(out, "good until: ") {
			t.Errorf("%s: show: exit %d\n%s", name, code, out)
		}
		if tool, err := exec.LookPath("openssl"); err == nil && !gm {
			if code, _, _ := call(t, dir, "ts", "stamp", "--url", srv.URL, "--digest", "sha384", "--out", "o.tsr", "letter.txt"); code != exitOK {
				t.Errorf("sha384: exit %d", code)
			}
			cmd := exec.Command(tool, "ts", "-reply", "-in", "o.tsr", "-text")
			cmd.Dir = dir
			if out, err := cmd.CombinedOutput(); err != nil || !bytes.Contains(out, []byte("Hash Algorithm: sha384")) {
				t.Errorf("%v %s", err, out)
			}
		} else if err != nil && os.Getenv("CI") == "true" {
			t.Error("openssl is not installed")
		}
	}
}

// What cannot be stamped is said in one line with a hint, and leaves no file.
func TestTimeStampRefusals(t *testing.T) {
	dir := t.TempDir()
	off, _ := timeService(t, true, &tokens{}, errors.New("off"))
	good, _ := timeService(t, true, &tokens{}, nil)
	files(t, dir, map[string][]byte{"letter.txt": []byte("letter"), "there.tsr": nil, "auth": []byte("nobody\n"), "open": []byte("a:b\n"), "ca.pem": []byte("junk")})
	if err := os.Chmod(filepath.Join(dir, "open"), 0o644); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		args []string
		hint string
	}{
		"a clock that is off":     {[]string{"--url", off.URL, "letter.txt"}, "the service refused"},
		"nobody there":            {[]string{"--url", "http://127.0.0.1:1/", "letter.txt"}, "gave no usable token"},
		"password in the address": {[]string{"--url", "http://u:hush@127.0.0.1:1/", "letter.txt"}, "no password in an address"},
		"no address":              {[]string{"--url", "tsa.example", "letter.txt"}, "gave no usable token"},
		"password over http":      {[]string{"--url", good.URL, "--auth-file", "auth", "letter.txt"}, "no password in an address"},
		"open to others":          {[]string{"--url", good.URL, "--auth-file", "open", "letter.txt"}, "no password in an address"},
		"no roots":                {[]string{"--url", good.URL, "--cacert", "ca.pem", "letter.txt"}, "--cacert"},
		"another digest":          {[]string{"--url", good.URL, "--digest", "sha1", "letter.txt"}, "sm3, sha256"},
		"output exists":           {[]string{"--url", good.URL, "--out", "there.tsr", "letter.txt"}, "--force"},
		"no file":                 {[]string{"--url", good.URL, "gone.txt"}, "check that the file exists"},
	} {
		code, out, errs := call(t, dir, append([]string{"ts", "stamp"}, c.args...)...)
		if code != exitUsage || out != "" || !strings.Contains(errs, c.hint) || strings.Count(errs, "\n") != 2 || strings.Contains(errs, "hush") {
			t.Errorf("%s: exit %d\n%s%s", name, code, out, errs)
		}
	}
	if left, err := filepath.Glob(filepath.Join(dir, "*.txt.tsr")); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

// init writes what the operator says about the clock.
func TestInitClock(t *testing.T) {
	dir := t.TempDir()
	init := []string{"init", "--dir", "house", "--organization", "样例单位", "--uscc", "11110100999900011P", "--name", "x", "--system-admin", "甲", "--security-officer", "乙", "--auditor", "丙"}
	if code, _, errs := call(t, dir, append(init, "--clock", "mine")...); code != exitUsage || !strings.Contains(errs, "hint") {
		t.Errorf("exit %d %s", code, errs)
	}
	if code, _, errs := call(t, dir, append(init, "--clock", app.ClockTrusted)...); code != exitOK {
		t.Fatalf("exit %d %s", code, errs)
	}
	if s, err := app.LoadSettings(filepath.Join(dir, "house")); err != nil || s.Clock != app.ClockTrusted {
		t.Errorf("%q, %v", s.Clock, err)
	}
}

func otherCert(t *testing.T) []byte {
	t.Helper()
	_, der := timeService(t, true, &tokens{}, nil)
	return der
}

// files writes some, readable by the owner only.
func files(t *testing.T, dir string, content map[string][]byte) {
	t.Helper()
	for name, b := range content {
		name = filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}
