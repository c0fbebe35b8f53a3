package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/emmansun/gmsm/pkcs"
	"github.com/emmansun/gmsm/pkcs8"
	"github.com/emmansun/gmsm/sm2"
	"github.com/emmansun/gmsm/smx509"

	"github.com/yinxin-gov/yinxin/signer/ofd"
	"github.com/yinxin-gov/yinxin/signer/ofd/ofdtest"
	"github.com/yinxin-gov/yinxin/signer/seal"
	"github.com/yinxin-gov/yinxin/signer/seal/picture"
	"github.com/yinxin-gov/yinxin/signer/verify"
)

const testPassphrase = "correct horse battery"

// desk is a folder with all that yinxin sign needs.
func desk(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	now := time.Now()
	issue := func(name string, serial int64) (*sm2.PrivateKey, []byte) {
		key, err := sm2.GenerateKey(rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		c := &smx509.Certificate{
			SerialNumber: big.NewInt(serial), Subject: pkix.Name{CommonName: name},
			NotBefore: now.Add(-48 * time.Hour), NotAfter: now.Add(1000 * time.Hour), KeyUsage: smx509.KeyUsageDigitalSignature,
		}
		der, err := smx509.CreateCertificate(rand.Reader, c, c, key.Public(), key)
		if err != nil {
			t.Fatal(err)
		}
		return key, der
	}
	maker, makerCert := issue("印章制作系统", 1)
	unit, unitCert := issue("样例区大数据管理局", 2)
	other, otherCert := issue("样例区财政局", 3)
	png, err := picture.Draw(picture.Spec{Unit: "样例区大数据管理局"})
	if err != nil {
		t.Fatal(err)
	}
	spec := seal.Spec{
		ID: "41010012345678", Vendor: "yinxin", Type: 1, Name: "样例区大数据管理局（样章）", Certs: [][]byte{unitCert},
		Created: now.Add(-time.Hour), ValidFrom: now.Add(-24 * time.Hour), ValidUntil: now.Add(900 * time.Hour),
		Picture: seal.Picture{Type: "PNG", Data: png, Width: 42, Height: 42},
	}
	esl, err := seal.Make(spec, maker, makerCert)
	if err != nil {
		t.Fatal(err)
	}
	spec.Layout = seal.LayoutV1
	old, err := seal.Make(spec, maker, makerCert)
	if err != nil {
		t.Fatal(err)
	}
	doc, err := ofd.NewNotice(ofd.Notice{Title: "通知", Body: []string{"内容"}, Issuer: "样例区大数据管理局", Date: now})
	if err != nil {
		t.Fatal(err)
	}
	long, err := ofd.NewNotice(ofd.Notice{Title: "通知", Body: []string{strings.Repeat("内容。", 500)}, Issuer: "样例区大数据管理局", Date: now})
	if err != nil {
		t.Fatal(err)
	}
	encrypt := func(k *sm2.PrivateKey, kdf pkcs.KDFOpts) []byte {
		der, err := pkcs8.MarshalPrivateKey(k, []byte(testPassphrase), pkcs.NewPBESEncrypter(pkcs.SM4CBC, kdf))
		if err != nil {
			t.Fatal(err)
		}
		return pem.EncodeToMemory(&pem.Block{Type: "ENCRYPTED PRIVATE KEY", Bytes: der})
	}
	clearDER, err := smx509.MarshalPKCS8PrivateKey(unit)
	if err != nil {
		t.Fatal(err)
	}
	cheap := pkcs.NewScryptOpts(16, 2, 8, 1)
	// Costly only by its word: 32,768 rounds made it, and it says one more than is
	// opened, in the same three bytes.
	block, _ := pem.Decode(encrypt(unit, pkcs.NewPBKDF2Opts(pkcs.SHA256, 16, 0x8000)))
	made, says := []byte{2, 3, 0, 0x80, 0}, []byte{2, 3, (maxIterations + 1) >> 16, (maxIterations + 1) >> 8 & 0xff, (maxIterations + 1) & 0xff}
	if bytes.Count(block.Bytes, made) != 1 {
		t.Fatal("the rounds do not stand once in the key file")
	}
	block.Bytes = bytes.Replace(block.Bytes, made, says, 1)
	for name, b := range map[string][]byte{
		"unit.pem":    encrypt(unit, cheap),
		"scrypt.pem":  encrypt(unit, pkcs.NewScryptOpts(16, 1<<14, 8, 1)),
		"pbkdf2.pem":  encrypt(unit, pkcs.NewPBKDF2Opts(pkcs.SHA256, 16, 10_000)),
		"costly.pem":  pem.EncodeToMemory(block),
		"other.pem":   encrypt(other, cheap),
		"clear.pem":   pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: clearDER}),
		"unit.crt":    pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: unitCert}),
		"other.crt":   otherCert,
		"unit.esl":    esl,
		"broken.esl":  append(bytes.Clone(esl[:len(esl)-1]), esl[len(esl)-1]^1),
		"notice.ofd":  doc,
		"letter.txt":  []byte("Dear sir"),
		"cut.ofd":     doc[:len(doc)/2],
		"pass.txt":    []byte(testPassphrase + "\n"),
		"wrong.txt":   []byte("wrong\n"),
		"existing":    []byte("keep me"),
		"old.esl":     old,
		"long.ofd":    long,
		"trust/m.crt": makerCert,
		"trust/u.crt": unitCert,
	} {
		name = filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "open.pem"), encrypt(unit, cheap), 0o644); err != nil {
		t.Fatal(err)
	}
	return dir
}

// call runs the command line in the folder.
func call(t *testing.T, dir string, args ...string) (code int, out, errs string) {
	t.Helper()
	t.Chdir(dir)
	var o, e bytes.Buffer
	code = run(context.Background(), args, strings.NewReader(""), &o, &e)
	return code, o.String(), e.String()
}

func names(t *testing.T, dir string) string {
	t.Helper()
	list, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, e := range list {
		out = append(out, e.Name())
	}
	return strings.Join(out, " ")
}

func TestSignThenVerify(t *testing.T) {
	dir := desk(t)
	for i, args := range [][]string{
		{"--key", "scrypt.pem", "--passphrase-file", "pass.txt"},
		{"--key", "pbkdf2.pem", "--passphrase-file", "pass.txt", "--cert", "unit.crt"},
		{"--key", "unit.pem", "--passphrase-file", "pass.txt", "--page", "1", "--x", "20", "--y", "30", "--whole"},
	} {
		out := "sealed" + string(rune('0'+i)) + ".ofd"
		code, text, errs := call(t, dir, append(append([]string{"sign", "--seal", "unit.esl", "--out", out}, args...), "notice.ofd")...)
		if code != exitOK || !strings.Contains(text, out) || !strings.Contains(text, "technical verification only") || errs != "" {
			t.Fatalf("%v: exit %d\n%s%s", args, code, text, errs)
		}
		if code, text, errs := call(t, dir, "verify", "--trust", "trust", out); code != exitOK {
			t.Errorf("%v: verify exits %d\n%s%s", args, code, text, errs)
		}
		if strings.Contains(text+errs, testPassphrase) {
			t.Error("the passphrase is printed")
		}
	}
	// What --whole sealed takes no second seal; the others do.
	again := []string{"sign", "--json", "--seal", "unit.esl", "--key", "unit.pem", "--passphrase-file", "pass.txt", "--out", "twice.ofd"}
	if code, _, errs := call(t, dir, append(again, "sealed2.ofd")...); code != exitUsage || !strings.Contains(errs, "forbids") {
		t.Errorf("protected: exit %d %s", code, errs)
	}
	t.Setenv(passphraseEnv, testPassphrase)
	again = []string{"sign", "--json", "--seal", "unit.esl", "--key", "unit.pem", "--out", "twice.ofd"}
	code, text, errs := call(t, dir, append(again, "sealed0.ofd")...)
	var res signResult
	if err := json.Unmarshal([]byte(text), &res); code != exitOK || err != nil || res.Out != "twice.ofd" || len(res.Sealed) != 64 || res.Recorded {
		t.Errorf("exit %d %v\n%s%s", code, err, text, errs)
	}
	if code, _, _ := call(t, dir, "verify", "--trust", "trust", "twice.ofd"); code != exitOK {
		t.Errorf("two seals: verify exits %d", code)
	}
}

// Every standard and every kind of place, from the command line to the verdict.
func TestSignStandardsAndPlaces(t *testing.T) {
	dir := desk(t)
	key := []string{"--key", "unit.pem", "--passphrase-file", "pass.txt"}
	for name, tc := range map[string]struct {
		args []string
		says string // in the report of verify
	}{
		"v1":      {[]string{"--seal", "old.esl", "--standard", "v1"}, "GM/T 0031-2014"},
		"cms":     {[]string{"--standard", "cms", "--cert", "unit.crt"}, "GB/T 35275-2017"},
		"cms a":   {[]string{"--standard", "cms", "--cert", "unit.crt", "--form", "a", "--whole"}, "GB/T 35275-2017"},
		"keyword": {[]string{"--seal", "unit.esl", "--keyword", "样例区大数据管理局"}, "GB/T 38540-2020"},
		"ride":    {[]string{"--seal", "unit.esl", "--ride", "right"}, "GB/T 38540-2020"},
		"both":    {[]string{"--seal", "unit.esl", "--ride", "left", "--page", "2", "--x", "100", "--y", "100"}, "GB/T 38540-2020"},
	} {
		t.Run(name, func(t *testing.T) {
			args := append(append([]string{"sign", "--force", "--out", "out.ofd"}, key...), tc.args...)
			if code, out, errs := call(t, dir, append(args, "long.ofd")...); code != exitOK {
				t.Fatalf("exit %d\n%s%s", code, out, errs)
			}
			code, out, errs := call(t, dir, "verify", "--second-opinion", "--trust", "trust", "out.ofd")
			if code != exitOK || !strings.Contains(out, tc.says) || strings.Contains(out, "stamp.") {
				t.Errorf("exit %d\n%s%s", code, out, errs)
			}
		})
	}
}

// Bad input: exit 2, one error, a hint, nothing written, no secret shown.
func TestSignRefuses(t *testing.T) {
	dir := desk(t)
	before := names(t, dir)
	base := map[string]string{"--seal": "unit.esl", "--key": "unit.pem", "--passphrase-file": "pass.txt", "--out": "out.ofd"}
	for _, tc := range []struct {
		name, flag, value, file, says string
	}{
		{"wrong passphrase", "--passphrase-file", "wrong.txt", "notice.ofd", "does not open"},
		{"no passphrase", "--passphrase-file", "", "notice.ofd", "no passphrase"},
		{"key in clear", "--key", "clear.pem", "notice.ofd", "ENCRYPTED PRIVATE KEY"},
		{"key that others may read", "--key", "open.pem", "notice.ofd", "others may read"},
		{"key that costs too much to open", "--key", "costly.pem", "notice.ofd", "PBKDF2"},
		{"key of another", "--key", "other.pem", "notice.ofd", "no certificate of the key"},
		{"certificate of another", "--cert", "other.crt", "notice.ofd", "signer key"},
		{"no certificate", "--cert", "letter.txt", "notice.ofd", "letter.txt"},
		{"no seal", "--seal", "letter.txt", "notice.ofd", "malformed"},
		{"broken seal", "--seal", "broken.esl", "notice.ofd", "maker"},
		{"missing seal", "--seal", "none.esl", "notice.ofd", "none.esl"},
		{"no document", "", "", "letter.txt", "not an OFD package"},
		{"cut document", "", "", "cut.ofd", "not an OFD package"},
		{"missing document", "", "", "none.ofd", "none.ofd"},
		{"no such page", "--page", "9", "notice.ofd", "page 9"},
		{"no such edge", "--ride", "middle", "notice.ofd", "edge"},
		{"ride seal on one page", "--ride", "left", "notice.ofd", "two pages"},
		{"text that is not there", "--keyword", "没有", "notice.ofd", "没有"},
		{"no such standard", "--standard", "v9", "notice.ofd", "v9"},
		{"V1 with a V4 seal", "--standard", "v1", "notice.ofd", "V4 seal"},
		{"V4 with a V1 seal", "--seal", "old.esl", "notice.ofd", "V1 seal"},
		{"cms with a seal", "--standard", "cms", "notice.ofd", "no seal"},
		{"form without cms", "--form", "a", "notice.ofd", "--form"},
		{"x without y", "--x", "10", "notice.ofd", "place"},
		{"output exists", "--out", "existing", "notice.ofd", "exists already"},
		{"output folder missing", "--out", "none/out.ofd", "notice.ofd", "none"},
		{"output is a folder", "--out", "trust", "notice.ofd", "regular"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			args := []string{"sign"}
			for f, v := range base {
				if f == tc.flag {
					v = tc.value
				}
				if v != "" {
					args = append(args, f, v)
				}
			}
			if _, known := base[tc.flag]; !known && tc.flag != "" {
				args = append(args, tc.flag, tc.value)
			}
			code, out, errs := call(t, dir, append(args, tc.file)...)
			if code != exitUsage || out != "" || !strings.Contains(errs, tc.says) || !strings.Contains(errs, "提示 / hint: ") {
				t.Errorf("exit %d\n%s%s", code, out, errs)
			}
			if strings.Contains(errs, testPassphrase) || strings.Contains(errs, "sign.hint") {
				t.Errorf("%s", errs)
			}
			if got := names(t, dir); got != before {
				t.Errorf("files left: %s", got)
			}
		})
	}
	if b, _ := os.ReadFile(filepath.Join(dir, "existing")); string(b) != "keep me" {
		t.Error("an existing file was overwritten")
	}
	args := []string{"sign", "--seal", "unit.esl", "--key", "unit.pem", "--passphrase-file", "pass.txt", "--out", "existing", "--force", "notice.ofd"}
	if code, _, errs := call(t, dir, args...); code != exitOK {
		t.Errorf("--force: exit %d %s", code, errs)
	}
}

func TestSealShow(t *testing.T) {
	corpus := ofdtest.Find(t) // before the working folder changes
	dir := desk(t)
	code, out, errs := call(t, dir, "seal", "show", "--json", "--picture", "seal.png", "unit.esl")
	var v sealView
	if err := json.Unmarshal([]byte(out), &v); code != exitOK || err != nil || v.ID != "41010012345678" || !v.MakerValid ||
		v.Signers != 1 || v.PictureType != "PNG" || v.Width != 42 || !strings.Contains(v.Maker, "印章制作系统") || v.Layout != "V4" {
		t.Errorf("exit %d %v\n%s%s", code, err, out, errs)
	}
	if b, err := os.ReadFile(filepath.Join(dir, "seal.png")); err != nil || !bytes.HasPrefix(b, []byte("\x89PNG")) || len(b) != v.PictureBytes {
		t.Errorf("picture: %v", err)
	}
	if code, out, _ := call(t, dir, "seal", "show", "unit.esl"); code != exitOK || !strings.Contains(out, "样章") || strings.Contains(out, "seal.line") {
		t.Errorf("exit %d\n%s", code, out)
	}
	if code, out, _ := call(t, dir, "seal", "show", "broken.esl"); code != exitInvalid || !strings.Contains(out, "✗") {
		t.Errorf("broken: exit %d\n%s", code, out)
	}
	for _, name := range []string{"user_v1.esl", "user_v4.esl", "user_v5.esl", "user_v5_ts.esl"} {
		if corpus == "" {
			break
		}
		code, out, errs := call(t, dir, "seal", "show", "--json", filepath.Join(corpus, "esl", name))
		var v sealView
		if err := json.Unmarshal([]byte(out), &v); err != nil || code != exitInvalid || !v.MakerValid || v.Verdict != verify.Invalid {
			t.Errorf("%s: exit %d %v\n%s%s", name, code, err, out, errs)
		}
	}
	for _, args := range [][]string{{"letter.txt"}, {"none.esl"}, {"--picture", "existing", "unit.esl"}, {}} {
		if code, out, errs := call(t, dir, append([]string{"seal", "show"}, args...)...); code != exitUsage || out != "" || !strings.Contains(errs, "hint: ") {
			t.Errorf("%v: exit %d\n%s%s", args, code, out, errs)
		}
	}
}
