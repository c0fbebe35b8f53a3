package main

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/yinxin-gov/yinxin/signer/tsa"
	"github.com/yinxin-gov/yinxin/signer/verify"
)

type tokens struct{ n int }

func (r *tokens) RecordTimeStamp(context.Context, tsa.Issued) error { r.n++; return nil }

func TestSignWithTimeStamp(t *testing.T) {
	dir := desk(t)
	rec := &tokens{}
	srv, der := timeService(t, true, rec, nil)
	sign := []string{"sign", "--seal", "unit.esl", "--key", "unit.pem", "--passphrase-file", "pass.txt", "--out"}
	if code, text, errs := call(t, dir, append(sign, "stamped.ofd", "--tsa-url", srv.URL, "notice.ofd")...); code != exitOK || rec.n != 1 {
		t.Fatalf("exit %d, %d tokens\n%s%s", code, rec.n, text, errs)
	}
	// A token of a service that nobody vouches for keeps the verdict open.
	if code, text, _ := call(t, dir, "verify", "--trust", "trust", "stamped.ofd"); code != exitIndeterminate {
		t.Errorf("unknown service: exit %d\n%s", code, text)
	}
	if err := os.WriteFile(filepath.Join(dir, "trust", "tsa.crt"), der, 0o600); err != nil {
		t.Fatal(err)
	}
	code, text, _ := call(t, dir, "verify", "--json", "--trust", "trust", "stamped.ofd")
	var rep verify.Report
	if err := json.Unmarshal([]byte(text), &rep); err != nil || code != exitOK || rep.Signatures[0].TrustedTime == "" {
		t.Errorf("exit %d %v\n%s", code, err, text)
	}
	// Any file gets its time-stamp as an attribute (ETSI EN 319 122-1, 5.3).
	anyFile := []string{"sign", "--detached", "--cert", "unit.crt", "--key", "unit.pem", "--passphrase-file", "pass.txt", "--tsa-url", srv.URL}
	if code, text, errs := call(t, dir, append(anyFile, "letter.txt")...); code != exitOK || rec.n != 2 {
		t.Fatalf("exit %d, %d tokens\n%s%s", code, rec.n, text, errs)
	}
	code, text, _ = call(t, dir, "verify", "--json", "--trust", "trust", "letter.txt.p7s")
	if err := json.Unmarshal([]byte(text), &rep); err != nil || code != exitOK || rep.Format != "cms" || rep.Signatures[0].TrustedTime == "" {
		t.Errorf("exit %d %v\n%s", code, err, text)
	}
	srv.Close()
	if code, _, errs := call(t, dir, append(anyFile, "--out", "no.p7s", "letter.txt")...); code != exitUsage || !strings.Contains(errs, "time-stamp service gave no usable token") {
		t.Errorf("gone: exit %d %s", code, errs)
	} else if _, err := os.Stat(filepath.Join(dir, "no.p7s")); err == nil {
		t.Error("signed all the same")
	}
	for name, address := range map[string]string{"gone": srv.URL, "no address": "tsa.example", "file": "file:///etc/passwd"} {
		code, _, errs := call(t, dir, append(sign, "no.ofd", "--tsa-url", address, "notice.ofd")...)
		if code != exitUsage || !strings.Contains(errs, "time-stamp service gave no usable token") {
			t.Errorf("%s: exit %d %s", name, code, errs)
		}
		if _, err := os.Stat(filepath.Join(dir, "no.ofd")); err == nil {
			t.Errorf("%s: sealed all the same", name)
		}
	}
}
