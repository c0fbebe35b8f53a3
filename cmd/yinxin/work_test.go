package main

import (
	"bytes"
	"path/filepath"
	"strings"
	"testing"
)

// The program that people run does not open keys that cost nothing: main calls
// run, and no flag or setting stands between the two.
func TestWorkIsProductions(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "house")
	args := []string{"init", "--dir", dir, "--organization", "样例单位", "--uscc", "11110100999900011P", "--name", "x", "--system-admin", "甲", "--security-officer", "乙", "--auditor", "丙"}
	var out, errw bytes.Buffer
	if code := cheap(t.Context(), args, nil, &out, &errw); code != exitOK {
		t.Fatalf("%d %s", code, errw.String())
	}
	rotate := []string{"key", "rotate-kek", "--dir", dir}
	if code := run(t.Context(), rotate, nil, &out, &errw); code != exitUsage || !strings.Contains(errw.String(), "scrypt parameters outside the limits") {
		t.Errorf("%d %s", code, errw.String())
	}
	if code := cheap(t.Context(), rotate, nil, &out, &errw); code != exitOK {
		t.Errorf("%d %s", code, errw.String())
	}
}
