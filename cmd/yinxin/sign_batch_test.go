package main

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/yinxin-gov/yinxin/signer"
)

// What changes between the approval and its turn is refused and named, as is
// what vanished or became a link; the rest is signed.
func TestBatchRefusesWhatChangedAfterApproval(t *testing.T) {
	dir := desk(t)
	t.Chdir(dir)
	write := func(name, content string) {
		t.Helper()
		if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"good", "longer", "other", "gone", "link", "folder"} {
		write("in/"+name, name)
	}
	write("outside", "link")
	notice, err := os.ReadFile("notice.ofd")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range []signFlags{
		{key: "unit.pem", passphrase: "pass.txt", cert: "unit.crt", standard: "cms", detached: true, out: "p7s"},
		{key: "unit.pem", passphrase: "pass.txt", seal: "unit.esl", standard: "v4", out: "sealed"},
	} {
		write("in/good", string(notice)) // one that can be sealed too
		d, err := openDesk(f)
		if err != nil {
			t.Fatal(err)
		}
		root, err := os.OpenRoot("in")
		if err != nil {
			t.Fatal(err)
		}
		m, err := signer.List(context.Background(), root.FS(), nil)
		if err != nil || len(m) != 6 {
			t.Fatal(m, err)
		}
		write("in/longer", "longer than before")
		write("in/other", "rehto")
		write("in/late", "came later")
		for _, name := range []string{"gone", "link", "folder"} {
			if err := os.Remove("in/" + name); err != nil {
				t.Fatal(err)
			}
		}
		if err := os.Symlink("../outside", "in/link"); err != nil {
			t.Fatal(err)
		}
		write("in/folder/x", "x")
		var bar bytes.Buffer
		res := d.signAll(context.Background(), root, m, &progress{out: &bar, label: "signing", total: len(m), last: -1})
		for _, l := range res.Results {
			if (l.Signed != nil) != (l.File == "good") || (l.Error == "") != (l.File == "good") {
				t.Errorf("%s: %+v", f.out, l)
			}
		}
		if res.Signed != 1 || res.Files != 6 || res.Manifest != m.Digest() {
			t.Errorf("%+v", res)
		}
		if got := names(t, f.out); strings.TrimSuffix(got, ".p7s") != "good" {
			t.Errorf("%s holds %s", f.out, got)
		}
		if s := bar.String(); !strings.Contains(s, "] 100% 6/6") || strings.Count(s, "\r") != 6 || !strings.HasSuffix(s, "\n") {
			t.Errorf("%q", s)
		}
		// An interrupted batch names what it did not reach.
		ctx, stop := context.WithCancel(context.Background())
		stop()
		if res := d.signAll(ctx, root, m, nil); res.Signed != 0 || len(res.Results) != 6 || !strings.Contains(res.Results[0].Error, "cancel") {
			t.Errorf("%+v", res)
		}
		if err := root.Close(); err != nil {
			t.Fatal(err)
		}
		if err := os.RemoveAll("in"); err != nil {
			t.Fatal(err)
		}
		for _, name := range []string{"longer", "other", "gone", "link", "folder"} {
			write("in/"+name, name)
		}
	}
}
