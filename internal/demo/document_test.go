package demo

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/yinxin-gov/yinxin/internal/api/wire"
	"github.com/yinxin-gov/yinxin/internal/text"
	"github.com/yinxin-gov/yinxin/signer/ofd/ofdtest"
	"github.com/yinxin-gov/yinxin/signer/verify"
)

// TestEveryPlainDocument: whatever unsealed document somebody brings is sealed,
// sent over mTLS, opened by the receiver and verified there.
func TestEveryPlainDocument(t *testing.T) {
	names, err := filepath.Glob(filepath.Join(ofdtest.Corpus(t), "plain", "*.ofd"))
	ok(t, err)
	if len(names) < 10 {
		t.Fatalf("%d plain documents in the corpus", len(names))
	}
	d := demo(t)
	for _, name := range names {
		t.Run(filepath.Base(name), func(t *testing.T) {
			doc, err := os.ReadFile(name)
			ok(t, err)
			var out told
			w := *d.walk
			w.tell = teller{out: &out, words: w.cfg.Words}
			sealed, err := w.useSeal(bg, w.agencies[provider], doc, filepath.Base(name))
			ok(t, err)
			sent, err := w.agents[provider].Send(bg, wire.SendRequest{To: w.agencies[unitA].system.ID, Resource: resNotice, Purpose: purposeAssist, Name: filepath.Base(name), Document: sealed})
			ok(t, err)
			got, err := w.agents[unitA].Fetch(bg, sent.ID)
			ok(t, err)
			_, err = w.agents[unitA].Confirm(bg, got)
			ok(t, err)
			rep, err := verify.Document(bg, got.Document, verify.Options{Trust: w.house.Trust(), Now: w.now})
			ok(t, err)
			if rep.Verdict != verify.Valid || rep.Integrity != verify.Intact || !bytes.Equal(got.Document, sealed) {
				t.Errorf("received: %s, %s", rep.Verdict, rep.Integrity)
			}
		})
	}
}

// TestWholeDemoWithDocument: the program itself, --doc through the whole walk,
// for three of them; and --reset over what it left.
func TestWholeDemoWithDocument(t *testing.T) {
	bin := quote(demo(t).bin)
	for _, name := range []string{"helloworld.ofd", "gen04_with_image.ofd", "gen12_attachment.ofd"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel() // most of a walk is waiting for an agreement to end
			doc, dir := filepath.Join(ofdtest.Corpus(t), "plain", name), filepath.Join(t.TempDir(), "d e m o")
			out := sh(t, bin+" demo --serve=false --dir "+quote(dir)+" --doc "+quote(doc))
			if !strings.Contains(out, name) || !strings.Contains(out, " serve --dir ") {
				t.Errorf("transcript:\n%s", out)
			}
			want, err := os.ReadFile(doc)
			ok(t, err)
			plain, err := os.ReadFile(filepath.Join(dir, "out", "notice.ofd"))
			ok(t, err)
			if !bytes.Equal(plain, want) {
				t.Error("the walk was about another document")
			}
			all := lines(out)
			sh(t, strings.TrimSpace(all[len(all)-2])) // as printed, with a folder that must be quoted
			sh(t, strings.TrimSpace(all[len(all)-1]))
		})
	}
}

// TestRefusedBeforeAnythingIsMade: bad input leaves no folder behind.
func TestRefusedBeforeAnythingIsMade(t *testing.T) {
	words, err := text.Load()
	ok(t, err)
	dir := t.TempDir()
	write := func(name string, data []byte) string {
		p := filepath.Join(dir, name)
		ok(t, os.WriteFile(p, data, 0o600))
		return p
	}
	used := filepath.Join(dir, "used")
	ok(t, os.Mkdir(used, 0o700))
	ok(t, os.WriteFile(filepath.Join(used, "somebody's"), nil, 0o600))
	big := write("big.ofd", nil)
	ok(t, os.Truncate(big, maxDocument+1))
	for name, tc := range map[string]struct {
		cfg  Config
		want error
	}{
		"not an OFD":      {Config{Doc: write("letter.ofd", []byte("dear all"))}, ErrDocument},
		"truncated":       {Config{Doc: write("cut.ofd", truncated(t))}, ErrDocument},
		"already sealed":  {Config{Doc: filepath.Join(demo(t).dir, demo(t).Manifest.Samples.Sealed)}, ErrDocument},
		"too large":       {Config{Doc: big}, ErrDocument},
		"a folder":        {Config{Doc: dir}, ErrDocument},
		"no such file":    {Config{Doc: filepath.Join(dir, "none.ofd")}, ErrDocument},
		"a taken port":    {Config{Listen: demo(t).Manifest.Server.Listen}, ErrListen},
		"a folder in use": {Config{Dir: used, Reset: true}, ErrFolder},
		"below a file":    {Config{Dir: filepath.Join(big, "x")}, ErrFolder},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := tc.cfg
			cfg.Words, cfg.Out = words, &told{}
			if cfg.Dir == "" {
				cfg.Dir = filepath.Join(dir, "new")
			}
			if cfg.Listen == "" {
				cfg.Listen = "127.0.0.1:0"
			}
			if _, err := Run(bg, cfg); !errors.Is(err, tc.want) {
				t.Fatalf("got error %v, want %v", err, tc.want)
			}
			if _, err := os.Stat(filepath.Join(dir, "new")); !errors.Is(err, os.ErrNotExist) {
				t.Errorf("a folder is left: %v", err)
			}
			left, err := os.ReadDir(used)
			ok(t, err)
			if len(left) != 1 {
				t.Errorf("the folder in use holds %d files", len(left))
			}
		})
	}
}

func truncated(t *testing.T) []byte {
	raw, err := os.ReadFile(filepath.Join(demo(t).dir, demo(t).Manifest.Samples.Plain))
	ok(t, err)
	return raw[:len(raw)/2]
}
