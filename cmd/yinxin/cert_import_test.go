package main

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestCertImportChecksTheForm(t *testing.T) {
	dir := t.TempDir()
	const head = "agency,system,common_name,organization,hosts\n"
	const good = "11110102MB1234567M,civil-a,民政,样例区民政局,a.gov.internal;b.gov.internal\n"
	for name, c := range map[string]struct {
		file string
		args []string
		code int
		want string
	}{
		"good":       {head + good, []string{"--dry-run"}, exitOK, "1 requests read, 0 problems"},
		"bad":        {head + strings.Replace(good, "567M", "567A", 1), []string{"--dry-run"}, exitInvalid, "✗ 2\tagency\t"},
		"no text":    {"\xff\xfe\x00", []string{"--dry-run"}, exitInvalid, "GB18030"},
		"no dry run": {head + good, nil, exitUsage, "--dry-run"},
		"too large":  {strings.Repeat("x", 1<<20+1), []string{"--dry-run"}, exitUsage, ""},
	} {
		path := filepath.Join(dir, strings.ReplaceAll(name, " ", "-")+".csv")
		if err := os.WriteFile(path, []byte(c.file), 0o600); err != nil {
			t.Fatal(err)
		}
		var out, errs bytes.Buffer
		code := run(context.Background(), append([]string{"cert", "import", path}, c.args...), nil, &out, &errs)
		if code != c.code || !strings.Contains(out.String()+errs.String(), c.want) {
			t.Errorf("%s: %d\n%s%s", name, code, out.String(), errs.String())
		}
		if c.code == exitUsage {
			continue
		}
		out.Reset()
		if again := run(context.Background(), append([]string{"--json", "cert", "import", path}, c.args...), nil, &out, &errs); again != code || !json.Valid(out.Bytes()) {
			t.Errorf("%s --json: %d %s", name, again, out.String())
		}
	}
}
