package ledger_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestX11_31_StrangerVerifies: another implementation, Python and OpenSSL, agrees on
// the golden ledger and on five attacks.
func TestX11_31_StrangerVerifies(t *testing.T) {
	for _, tool := range []string{"python3", "openssl"} {
		if _, err := exec.LookPath(tool); err != nil {
			if os.Getenv("CI") == "true" {
				t.Fatalf("%s is missing", tool)
			}
			t.Skipf("%s is missing", tool)
		}
	}
	g0 := newGolden(t)
	dir := t.TempDir()
	key := filepath.Join(dir, "key.pem")
	if err := os.WriteFile(key, []byte(g0.pem), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name, want string
		edit       func(g *golden)
	}{
		{"golden", "valid: test.yinxin.example/ledger/sm3, 12 entries, 1 erased", func(*golden) {}},
		{"body edited", "invalid: body of 3", func(g *golden) { g.entries[3].Body[20] ^= 1 }},
		{"deleted", "invalid: header of 5", func(g *golden) { g.entries = append(g.entries[:5], g.entries[6:]...); g.count() }},
		{"recomputed", "invalid: root", func(g *golden) {
			g.recommit(3, strings.Replace(string(g.entries[3].Body), "allow", "deny", 1))
			g.rechain()
		}},
		{"other signature", "invalid: signature", func(g *golden) {
			other := g.clone()
			other.entries = other.entries[:11]
			other.resign(t)
			// Size, root and key id of the one, signature of the other.
			sig := other.note[strings.LastIndex(other.note, " ")+1:]
			g.note = g.note[:strings.LastIndex(g.note, " ")+1] + sig
		}},
		{"redirected chain", "invalid: chain at 6", func(g *golden) {
			g.entries[5].Header[20] ^= 1 // low byte of the time
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			g := g0.clone()
			c.edit(g)
			file := filepath.Join(dir, "ledger.jsonl")
			if err := os.WriteFile(file, g.file(), 0o600); err != nil {
				t.Fatal(err)
			}
			out, err := exec.Command("python3", "testdata/verify.py", file, key).CombinedOutput()
			if !strings.HasPrefix(string(out), c.want) || (err == nil) != strings.HasPrefix(c.want, "valid") {
				t.Fatalf("%v: %s, want %s", err, out, c.want)
			}
		})
	}
}
