package keys_test

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/yinxin-gov/yinxin/internal/keys"
)

// A destroyed key opens no more, not even when its file comes back, its id stays
// taken, and an attempt that broke off is finished by the next.
func TestDestroyGBT39786(t *testing.T) {
	d := cheapDir(t, filepath.Join(t.TempDir(), "keys"))
	p := keys.People{Dir: d, Service: func() ([]byte, error) { return bytes.Repeat([]byte{7}, 32), nil }}
	const id, pin = "person-1", "good-pin-1"
	made, err := p.Create(t.Context(), id, "zhang", pin)
	if err != nil {
		t.Fatal(err)
	}
	file, err := os.ReadFile(d.File(id))
	if err != nil {
		t.Fatal(err)
	}
	gone, err := d.Destroy(t.Context(), id)
	if err != nil || gone.DestroyedAt.IsZero() || gone.SPKISM3 != made.SPKISM3 {
		t.Fatalf("%+v, %v", gone, err)
	}
	if _, err := os.Stat(d.File(id)); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the key file is there: %v", err)
	}
	if err := os.WriteFile(d.File(id), file, 0o600); err != nil { // a backup, or the attempt broke off here
		t.Fatal(err)
	}
	for name, err := range map[string]error{
		"open":       second(p.Open(t.Context(), id, pin)),
		"change PIN": p.ChangePIN(t.Context(), id, pin, "other-pin-2"),
	} {
		if !errors.Is(err, keys.ErrDestroyed) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if again, err := d.Destroy(t.Context(), id); err != nil || !again.DestroyedAt.Equal(gone.DestroyedAt) {
		t.Errorf("again: %+v, %v", again, err)
	}
	if _, err := os.Stat(d.File(id)); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("what was left is there: %v", err)
	}
	if err := second(p.Create(t.Context(), id, "li", pin)); !errors.Is(err, keys.ErrExists) {
		t.Errorf("the id again: %v", err)
	}
	if list, err := d.List(t.Context()); err != nil || len(list) != 1 {
		t.Errorf("%v, %v", list, err)
	}
	if err := second(d.Destroy(t.Context(), "person-2")); !errors.Is(err, keys.ErrNotFound) {
		t.Errorf("nobody's: %v", err)
	}
}

func second[T any](_ T, err error) error { return err }
