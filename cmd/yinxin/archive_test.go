package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/json"
	"fmt"
	"math/big"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/emmansun/gmsm/sm2"
	"github.com/emmansun/gmsm/smx509"

	"github.com/yinxin-gov/yinxin/authz/ledger"
	"github.com/yinxin-gov/yinxin/authz/ledger/ledgertest"
	"github.com/yinxin-gov/yinxin/internal/text"
	"github.com/yinxin-gov/yinxin/signer/archive"
	"github.com/yinxin-gov/yinxin/signer/tsa"
	"github.com/yinxin-gov/yinxin/signer/verify"
)

// Every code that a report of a package can hold has words in both languages.
func TestArchiveWordsAreComplete(t *testing.T) {
	words, err := text.Load()
	if err != nil {
		t.Fatal(err)
	}
	var properties []string
	for _, p := range archive.Properties() {
		properties = append(properties, string(p))
	}
	for prefix, codes := range map[string][]string{"archive.check.": archive.Checks(), "archive.reason.": archive.Reasons(), "archive.property.": properties} {
		for _, c := range codes {
			if !words.Has(prefix + c) {
				t.Errorf("no words for %s%s", prefix, c)
			}
		}
		for _, k := range words.Keys(prefix) {
			if !slices.Contains(codes, strings.TrimPrefix(k, prefix)) {
				t.Errorf("words for %s, which no report holds", k)
			}
		}
	}
}

const sampleMeta = `doc_no: 样数发〔2024〕1号
title: 通知
creator: 样例区大数据管理局
date: 2024-03-01
secrecy: 非涉密
retention: 30
unit: {name: 样例区大数据管理局, uscc: 11110102MB1234567M}
sender: {name: 样例区大数据管理局, uscc: 11110102MB1234567M}
recipient: {name: 样例区大数据管理局, uscc: 11110102MB1234567M}
sent_at: 2024-03-01T09:00:00+08:00
received_at: 2024-03-01T09:05:00+08:00
`

// stampServer is a time-stamp service on loopback whose certificate lives for a time
// from now; its certificate becomes an anchor of the desk.
func stampServer(t *testing.T, dir, name string, life time.Duration) string {
	t.Helper()
	key, err := sm2.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := &smx509.Certificate{
		SerialNumber: big.NewInt(9), Subject: pkix.Name{CommonName: name}, KeyUsage: smx509.KeyUsageDigitalSignature,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(life),
		ExtraExtensions: []pkix.Extension{{Id: asn1.ObjectIdentifier{2, 5, 29, 37}, Critical: true, Value: []byte{0x30, 10, 6, 8, 0x2b, 6, 1, 5, 5, 7, 3, 8}}},
	}
	der, err := smx509.CreateCertificate(rand.Reader, c, c, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	service, err := tsa.New(tsa.Config{
		Key: key, CertDER: der, Policy: asn1.ObjectIdentifier{1, 2, 3}, Now: time.Now, Synchronised: func() error { return nil }, Rand: rand.Reader, Recorder: &tokens{},
	})
	if err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewServer(service)
	t.Cleanup(srv.Close)
	if err := os.WriteFile(filepath.Join(dir, "trust", name+".crt"), der, 0o600); err != nil {
		t.Fatal(err)
	}
	return srv.URL
}

// The records officer's day: pack, verify, check, see what is due, renew; with the
// exit codes of design §9.
func TestX11_12_ArchiveCommands(t *testing.T) {
	dir := desk(t)
	write := func(name, body string) {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(body), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("meta.yaml", sampleMeta)
	if code, text, errs := call(t, dir, "sign", "--seal", "unit.esl", "--key", "unit.pem", "--passphrase-file", "pass.txt", "--out", "sealed.ofd", "notice.ofd"); code != exitOK {
		t.Fatalf("sign: %d %s%s", code, text, errs)
	}
	short, long := stampServer(t, dir, "short", 100*24*time.Hour), stampServer(t, dir, "long", 3000*24*time.Hour)
	pack := []string{"archive", "pack", "--meta", "meta.yaml", "--cert", "unit.crt", "--key", "unit.pem", "--passphrase-file", "pass.txt", "--trust", "trust"}
	out := func(name string, more ...string) []string {
		return append(append(append(slices.Clone(pack), "--out", name), more...), "sealed.ofd")
	}
	if code, text, errs := call(t, dir, out("p.zip", "--tsa-url", short)...); code != exitOK || !strings.Contains(text, "p.zip") {
		t.Fatalf("pack: %d %s%s", code, text, errs)
	}
	code, text, _ := call(t, dir, "archive", "verify", "--json", "--trust", "trust", "p.zip")
	var rep archive.Report
	if err := json.Unmarshal([]byte(text), &rep); err != nil || code != exitOK || rep.Verdict != verify.Valid || rep.ArchivedAt == "" || rep.Metadata.Retention != archive.Years30 {
		t.Fatalf("verify: %d %v\n%s", code, err, text)
	}
	if code, text, _ := call(t, dir, "archive", "check", "--trust", "trust", "p.zip"); code != exitOK || !strings.Contains(text, "真实性 / authenticity: 通过 / pass") {
		t.Errorf("check: %d\n%s", code, text)
	}
	if code, _, _ := call(t, dir, "archive", "verify", "p.zip"); code != exitIndeterminate {
		t.Errorf("without anchors: %d", code)
	}
	if code, text, _ := call(t, dir, "archive", "verify", "--trust", "trust", "--retired", "sm2=2020-01-01", "p.zip"); code != exitIndeterminate || !strings.Contains(text, "renewed") {
		t.Errorf("retired: %d\n%s", code, text)
	}
	write("other.zip", "no package, but long enough to be one")
	dues := func(args ...string) []due {
		t.Helper()
		code, text, errs := call(t, dir, append([]string{"archive", "due", "--json", "--trust", "trust"}, args...)...)
		var got struct{ Packages []due }
		if err := json.Unmarshal([]byte(text), &got); err != nil || code != exitOK {
			t.Fatalf("due: %d %v\n%s%s", code, err, text, errs)
		}
		return got.Packages
	}
	if d := dues("."); len(d) != 1 || !d[0].Due || d[0].Days < 98 || d[0].Days > 100 {
		t.Errorf("due: %+v", d)
	}
	if code, text, errs := call(t, dir, "archive", "renew", "--tsa-url", long, "--trust", "trust", "p.zip"); code != exitOK || !strings.Contains(text, "1") {
		t.Fatalf("renew: %d %s%s", code, text, errs)
	}
	if d := dues("."); len(d) != 0 {
		t.Errorf("due after renewal: %+v", d)
	}
	if d := dues("--all", "."); len(d) != 1 || d[0].Due || d[0].Days < 2900 {
		t.Errorf("all: %+v", d)
	}
	if code, text, _ := call(t, dir, "archive", "verify", "--trust", "trust", "p.zip"); code != exitOK {
		t.Errorf("renewed: %d\n%s", code, text)
	}
	ledgerFile(t, dir, rep.SM3)
	if code, text, errs := call(t, dir, out("l.zip", "--ledger", "ledger.jsonl", "--ledger-key", "trust/ledger.crt", "--chain", "trust")...); code != exitOK {
		t.Fatalf("with a ledger: %d %s%s", code, text, errs)
	}
	code, text, _ = call(t, dir, "archive", "verify", "--json", "--trust", "trust", "--ledger-key", "trust/ledger.pem", "l.zip")
	if code != exitUsage {
		t.Errorf("no such key: %d\n%s", code, text)
	}
	code, text, _ = call(t, dir, "archive", "verify", "--json", "--trust", "trust", "l.zip")
	var second archive.Report
	if err := json.Unmarshal([]byte(text), &second); err != nil || code != exitOK || !second.Is(archive.CheckLedger, verify.Pass, "") {
		t.Errorf("with a ledger: %d %v\n%s", code, err, text)
	}
	ledgerFile(t, dir, strings.Repeat("1", 64))
	if code, _, errs := call(t, dir, out("x.zip", "--ledger", "ledger.jsonl", "--ledger-key", "trust/ledger.crt")...); code != exitUsage || !strings.Contains(errs, "no ledger entry") {
		t.Errorf("nothing about it: %d %s", code, errs)
	}
	// Tampered: invalid, and never renewed.
	whole, err := os.ReadFile(filepath.Join(dir, "p.zip"))
	if err != nil {
		t.Fatal(err)
	}
	write("bad.zip", strings.Replace(string(whole), "样数发〔2024〕1号", "样数发〔2024〕2号", 1))
	if code, _, _ := call(t, dir, "archive", "verify", "--trust", "trust", "bad.zip"); code != exitInvalid {
		t.Errorf("tampered: %d", code)
	}
	if code, _, errs := call(t, dir, "archive", "renew", "--tsa-url", long, "--trust", "trust", "bad.zip"); code != exitInvalid || !strings.Contains(errs, "提示") {
		t.Errorf("renew a bad one: %d %s", code, errs)
	}
	for name, c := range map[string]struct {
		args []string
		want string
	}{
		"exists":            {out("p.zip"), "--force"},
		"no package":        {[]string{"archive", "verify", "other.zip"}, "归档包"},
		"no file":           {[]string{"archive", "verify", "nowhere.zip"}, "提示"},
		"ledger alone":      {out("x.zip", "--ledger", "meta.yaml"), "--ledger-key"},
		"no such algorithm": {[]string{"archive", "verify", "--retired", "md5=2020-01-01", "p.zip"}, "sha256=2040-01-01"},
		"no such digest":    {out("x.zip", "--tsa-url", long, "--digest", "md5"), "--digest"},
		"wrong certificate": {append(out("x.zip"), "--cert", "other.crt"), "SM2"},
		"bad service":       {out("x.zip", "--tsa-url", "file:///etc/passwd"), "--tsa-url"},
	} {
		code, text, errs := call(t, dir, c.args...)
		if code != exitUsage || text != "" || !strings.Contains(errs, c.want) {
			t.Errorf("%s: %d %q %s", name, code, text, errs)
		}
		if _, err := os.Stat(filepath.Join(dir, "x.zip")); err == nil {
			t.Errorf("%s: written all the same", name)
		}
	}
	// A detached signature goes with the file beside it, or with --content.
	write("list.txt", "共享数据清单")
	if code, text, errs := call(t, dir, "sign", "--detached", "--cert", "unit.crt", "--key", "unit.pem", "--passphrase-file", "pass.txt", "list.txt"); code != exitOK {
		t.Fatalf("sign: %d %s%s", code, text, errs)
	}
	beside := append(slices.Clone(pack), "--out", "c.zip", "list.txt.p7s")
	if code, text, errs := call(t, dir, beside...); code != exitOK {
		t.Errorf("detached: %d %s%s", code, text, errs)
	}
	if code, text, _ := call(t, dir, "archive", "verify", "--trust", "trust", "c.zip"); code != exitOK {
		t.Errorf("detached: %d\n%s", code, text)
	}
	if err := os.Rename(filepath.Join(dir, "list.txt"), filepath.Join(dir, "moved.txt")); err != nil {
		t.Fatal(err)
	}
	if code, text, errs := call(t, dir, append(beside, "--force")...); code != exitUsage || text != "" || !strings.Contains(errs, "--content") {
		t.Errorf("without its content: %d %s%s", code, text, errs)
	}
	if code, text, errs := call(t, dir, append(beside, "--force", "--content", "moved.txt")...); code != exitOK {
		t.Errorf("--content: %d %s%s", code, text, errs)
	}
	for name, c := range map[string]struct{ from, to, want string }{
		"unknown field": {"title:", "titel:", "docs/zh/archive.md"}, "no title": {"title: 通知", "title: ''", "docs/zh/archive.md"},
		"state secret": {"非涉密", "机密", "国家秘密"}, "bad retention": {"retention: 30", "retention: 15", "permanent"},
	} {
		write("meta.yaml", strings.Replace(sampleMeta, c.from, c.to, 1))
		if code, _, errs := call(t, dir, out("x.zip")...); code != exitUsage || !strings.Contains(errs, c.want) {
			t.Errorf("%s: %d %s", name, code, errs)
		}
	}
}

// ledgerFile writes an export with one entry about a document, and the certificate
// of its key as an anchor.
func ledgerFile(t *testing.T, dir, sm3 string) {
	t.Helper()
	key := ledgertest.NewKey(t)
	q, err := ledger.New(context.Background(), ledger.Config{Store: ledgertest.NewMemory(t), Origin: ledgertest.Origin, Signer: key, Now: time.Now, Rand: rand.Reader})
	if err != nil {
		t.Fatal(err)
	}
	defer q.Close(context.Background())
	for i, payload := range []string{sm3, strings.Repeat("0", 64)} {
		e := ledgertest.Event(fmt.Sprint("a-", i))
		e.Payload = payload
		if _, err := q.Append(context.Background(), e); err != nil {
			t.Fatal(err)
		}
	}
	var out bytes.Buffer
	if err := q.Export(context.Background(), &out); err != nil {
		t.Fatal(err)
	}
	c := &smx509.Certificate{
		SerialNumber: big.NewInt(10), Subject: pkix.Name{CommonName: "台账"}, KeyUsage: smx509.KeyUsageDigitalSignature,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	der, err := smx509.CreateCertificate(rand.Reader, c, c, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	for name, b := range map[string][]byte{"ledger.jsonl": out.Bytes(), "trust/ledger.crt": der} {
		if err := os.WriteFile(filepath.Join(dir, name), b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// yinxin verify --revocation: captured lists decide offline.
func TestVerifyWithRevocationData(t *testing.T) {
	dir := desk(t)
	if code, text, errs := call(t, dir, "sign", "--seal", "unit.esl", "--key", "unit.pem", "--passphrase-file", "pass.txt", "--out", "sealed.ofd", "notice.ofd"); code != exitOK {
		t.Fatalf("sign: %d %s%s", code, text, errs)
	}
	status := filepath.Join(dir, "status")
	if err := os.Mkdir(status, 0o700); err != nil {
		t.Fatal(err)
	}
	if code, _, errs := call(t, dir, "verify", "--revocation", "status", "--trust", "trust", "sealed.ofd"); code != exitUsage || !strings.Contains(errs, ".crl") {
		t.Errorf("empty folder: %d %s", code, errs)
	}
	key, err := sm2.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	ca := &smx509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "CA"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: smx509.KeyUsageCertSign | smx509.KeyUsageCRLSign, SubjectKeyId: []byte{1},
	}
	list, err := smx509.CreateRevocationList(rand.Reader, &smx509.RevocationList{Number: big.NewInt(1), ThisUpdate: time.Now().Add(-time.Minute), NextUpdate: time.Now().Add(time.Hour)}, ca, key)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(status, "a.crl"), list, 0o600); err != nil {
		t.Fatal(err)
	}
	// A list of somebody else says nothing: valid, with the warning.
	code, text, _ := call(t, dir, "verify", "--json", "--revocation", "status", "--trust", "trust", "sealed.ofd")
	if code != exitOK || !strings.Contains(text, verify.WarnNoRevocation) {
		t.Errorf("%d\n%s", code, text)
	}
}
