package main

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/emmansun/gmsm/sm2"
	"github.com/google/uuid"

	"github.com/yinxin-gov/yinxin/authz/ledger"
	"github.com/yinxin-gov/yinxin/ca"
	"github.com/yinxin-gov/yinxin/ca/catest"
	"github.com/yinxin-gov/yinxin/ca/lint"
	"github.com/yinxin-gov/yinxin/ca/lint/crl"
	"github.com/yinxin-gov/yinxin/ca/profile"
	"github.com/yinxin-gov/yinxin/internal/text"
)

// command runs yinxin as a person would.
func command(t *testing.T, in string, args ...string) (code int, out, errs string) {
	t.Helper()
	var o, e bytes.Buffer
	code = run(context.Background(), args, strings.NewReader(in), &o, &e)
	return code, o.String(), e.String()
}

func authorities(t *testing.T) ca.Authorities {
	t.Helper()
	var keys [2]*sm2.PrivateKey
	var classic [2]*ecdsa.PrivateKey
	for i := range keys {
		var err error
		if keys[i], err = sm2.GenerateKey(rand.Reader); err != nil {
			t.Fatal(err)
		}
		if classic[i], err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
			t.Fatal(err)
		}
	}
	a, err := ca.Bootstrap(context.Background(), ca.BootstrapConfig{
		Organization: "样例区信息办", Agency: "11110102MB1234567M",
		Site:    profile.Site{CPS: "http://ca.gov/cps", CRL: "http://ca.gov/{issuer}.crl", Issuers: "http://ca.gov/{issuer}.cer"},
		SM2Root: keys[0], SM2Issuing: keys[1], ECDSARoot: classic[0], ECDSAIssuing: classic[1],
		Registry: catest.New(), Actor: ledger.Actor{Kind: "service", ID: "test"}, Now: time.Now, Rand: rand.Reader,
		NewID: func() string { return uuid.Must(uuid.NewV7()).String() },
	})
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func file(t *testing.T, data []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "cert")
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestCertLintPassesBothTracks(t *testing.T) {
	a := authorities(t)
	for name, c := range map[string]struct {
		data    []byte
		profile string
		zlint   bool // reads it too
	}{
		"SM2 chain, PEM":    {ca.PEM(a.SM2Issuing, a.SM2Root), "sm2-issuing", false},
		"ECDSA chain, PEM":  {ca.PEM(a.ECDSAIssuing, a.ECDSARoot), "ecdsa-issuing", true},
		"SM2 root, DER":     {a.SM2Root, "sm2-root", false},
		"ECDSA, no profile": {a.ECDSAIssuing, "", true},
	} {
		args := []string{"cert", "lint", "--json", file(t, c.data)}
		if c.profile != "" {
			args = append(args, "--profile", c.profile)
		}
		code, out, errs := command(t, "", args...)
		var report lintReport
		if err := json.Unmarshal([]byte(out), &report); err != nil || code != exitOK || report.Result != lint.Pass || len(report.Checks) < len(lint.All()) {
			t.Errorf("%s: exit %d, %v\n%s%s", name, code, err, out, errs)
		}
		if zlint := len(report.Checks) - len(lint.All()); c.zlint != (zlint > 100) || !c.zlint && zlint != 0 {
			t.Errorf("%s: %d checks of zlint", name, zlint)
		}
		if strings.Contains(name, "chain") && strings.Contains(out, "no issuer given") {
			t.Errorf("%s: the issuer behind it was not used", name)
		}
	}
}

func TestCertLintRefuses(t *testing.T) {
	a := authorities(t)
	code, out, _ := command(t, "", "cert", "lint", "--profile", "sm2-seal", file(t, a.SM2Issuing))
	if code != exitInvalid || !strings.Contains(out, "✗ constraints.ca") || !strings.Contains(out, "不通过") {
		t.Errorf("exit %d\n%s", code, out)
	}
	code, out, _ = command(t, "", "cert", "lint", "--issuer", file(t, a.ECDSARoot), file(t, a.SM2Issuing))
	if code != exitInvalid || !strings.Contains(out, "✗ aki.matches") {
		t.Errorf("foreign issuer: exit %d\n%s", code, out)
	}
}

func TestCertBadInputIsUsageWithHint(t *testing.T) {
	good := file(t, authorities(t).SM2Root)
	for name, args := range map[string][]string{
		"missing file":    {"cert", "show", filepath.Join(t.TempDir(), "none")},
		"text":            {"cert", "show", file(t, []byte("hello"))},
		"cut off":         {"cert", "lint", file(t, []byte{0x30, 0x82, 1})},
		"empty":           {"cert", "lint", file(t, nil)},
		"too large":       {"cert", "lint", file(t, make([]byte, maxCertFile+1))},
		"unknown profile": {"cert", "lint", "--profile", "sm9", good},
		"issuer is text":  {"cert", "lint", "--issuer", file(t, []byte("hello")), good},
		"no file named":   {"cert", "lint"},
		"a folder":        {"cert", "show", t.TempDir()},
	} {
		code, out, errs := command(t, "", args...)
		if code != exitUsage || out != "" || !strings.Contains(errs, "提示") {
			t.Errorf("%s: exit %d, %q, %q", name, code, out, errs)
		}
	}
}

func TestCertShow(t *testing.T) {
	a := authorities(t)
	code, out, errs := command(t, string(ca.PEM(a.SM2Issuing, a.ECDSARoot)), "cert", "show", "--json", "-")
	var report certReport
	if err := json.Unmarshal([]byte(out), &report); err != nil || code != exitOK || len(report.Certificates) != 2 {
		t.Fatalf("exit %d, %v: %s", code, err, errs)
	}
	first, second := report.Certificates[0], report.Certificates[1]
	serial, ok := new(big.Int).SetString(first.Serial, 16)
	if !ok || serial.BitLen() != 127 || first.Key != "SM2" || first.Signature != "SM2-SM3" || first.PathLen == nil || *first.PathLen != 0 {
		t.Errorf("SM2: %+v", first)
	}
	if second.Key != "P-256" || *second.PathLen != 1 || len(second.KeyUsage) != 2 || len(second.Policies) != 1 || second.Policies[0] != profile.DefaultPolicyOID {
		t.Errorf("ECDSA: %+v", second)
	}
	if code, out, _ := command(t, "", "cert", "show", file(t, a.SM2Issuing)); code != exitOK || !strings.Contains(out, "SM3 指纹 / SM3 fingerprint: "+first.SM3) {
		t.Errorf("exit %d\n%s", code, out)
	}
}

func TestEveryLintHasAText(t *testing.T) {
	words, err := text.Load()
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range lint.All() {
		if !words.Has("cert.check." + l.ID) {
			t.Errorf("no text for %s", l.ID)
		}
	}
	for _, l := range crl.All() {
		if !words.Has("cert.check." + l.ID) {
			t.Errorf("no text for %s", l.ID)
		}
	}
	hint := words.Get("cert.hint.profile").En
	for _, p := range profile.All() {
		if !strings.Contains(hint, string(p.Name)) {
			t.Errorf("hint does not name %s", p.Name)
		}
	}
}
