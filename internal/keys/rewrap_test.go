package keys_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/yinxin-gov/yinxin/internal/keys"
)

// A changed PIN opens the same key, the old one does not, and a refused change
// leaves the file as it was.
func TestChangePIN(t *testing.T) {
	dir := t.TempDir()
	d := cheapDir(t, filepath.Join(dir, "keys"))
	p := keys.People{Dir: d, Service: func() ([]byte, error) { return bytes.Repeat([]byte{7}, 32), nil }}
	const id, old, pin = "person-1", "old-pin-1", "new-pin-2"
	rec, err := p.Create(t.Context(), id, "zhang", old)
	if err != nil {
		t.Fatal(err)
	}
	file, err := os.ReadFile(d.File(id))
	if err != nil {
		t.Fatal(err)
	}
	thief := keys.People{Dir: d, Service: func() ([]byte, error) { return bytes.Repeat([]byte{8}, 32), nil }}
	for name, c := range map[string]struct {
		who      keys.People
		id       string
		old, pin string
		want     error
	}{
		"a wrong PIN":       {p, id, "wrong-pin-1", pin, keys.ErrPassphrase},
		"a weak wrong PIN":  {p, id, "1", pin, keys.ErrPassphrase},
		"a weak new PIN":    {p, id, old, "12345678", keys.ErrWeak},
		"another service":   {thief, id, old, pin, keys.ErrPassphrase},
		"nobody":            {p, "person-2", old, pin, keys.ErrNotFound},
		"outside of folder": {p, "../person-1", old, pin, keys.ErrNotFound},
	} {
		if err := c.who.ChangePIN(t.Context(), c.id, c.old, c.pin); !errors.Is(err, c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if now, err := os.ReadFile(d.File(id)); err != nil || !bytes.Equal(now, file) {
		t.Fatal("a refused change wrote the key")
	}
	if err := p.ChangePIN(t.Context(), id, old, pin); err != nil {
		t.Fatal(err)
	}
	if _, err := p.Open(t.Context(), id, old); !errors.Is(err, keys.ErrPassphrase) {
		t.Errorf("the old PIN: %v", err)
	}
	k, err := p.Open(t.Context(), id, pin)
	if err != nil {
		t.Fatal(err)
	}
	defer k.Close()
	if again, err := d.Record(t.Context(), id); err != nil || again.SPKISM3 != rec.SPKISM3 {
		t.Error("it is another key")
	}
	st, err := os.Stat(d.File(id))
	if err != nil || st.Mode().Perm() != 0o600 {
		t.Error(st.Mode(), err)
	}
	entries, err := os.ReadDir(filepath.Join(dir, "keys"))
	if err != nil || len(entries) != 1 {
		t.Errorf("left behind: %v", entries)
	}
}
