package keys_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/emmansun/gmsm/pkcs8"
	"github.com/emmansun/gmsm/sm2"

	"github.com/yinxin-gov/yinxin/internal/keys"
	"github.com/yinxin-gov/yinxin/internal/keys/keystest"
)

func clock() time.Time { return time.Date(2026, 7, 1, 9, 0, 0, 0, time.UTC) }

// openDir works as production does, cheapDir without its work.
func openDir(t testing.TB, dir string) *keys.Dir { return dirOf(t, dir, keys.Work{}) }

func cheapDir(t testing.TB, dir string) *keys.Dir { return dirOf(t, dir, keystest.Work()) }

func dirOf(t testing.TB, dir string, w keys.Work) *keys.Dir {
	t.Helper()
	d, err := keys.OpenDir(keys.Config{
		Dir: filepath.Join(dir, "keys"), Rand: rand.Reader, Now: clock, Work: w,
		Passphrase: func() ([]byte, error) { return []byte("service passphrase"), nil },
	})
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestFileBackendConforms(t *testing.T) {
	keystest.Run(t, func(t *testing.T, dir string) keystest.Backend { return cheapDir(t, dir) })
}

func TestSelfTestKnownAnswers(t *testing.T) {
	if err := keys.SelfTest(); err != nil {
		t.Fatal(err)
	}
}

// TestOpenSSLReads is the promise of keys-and-stores 2.1: an operator needs
// nothing of ours to get at the keys that he owns.
func TestOpenSSLReads(t *testing.T) {
	openssl, err := exec.LookPath("openssl")
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("openssl is missing")
		}
		t.Skip("openssl is missing")
	}
	d := openDir(t, t.TempDir())
	for a, want := range map[keys.Algorithm]string{keys.SM2: "SM2", keys.ECDSAP256: "prime256v1"} {
		if _, err := d.Create(t.Context(), keys.Spec{ID: string(a), Algorithm: a, Purpose: keys.PurposeSign}); err != nil {
			t.Fatal(err)
		}
		read := func(pass string) ([]byte, error) {
			cmd := exec.Command(openssl, "pkey", "-in", d.File(string(a)), "-passin", "env:P", "-noout", "-text")
			cmd.Env = append(os.Environ(), "P="+pass)
			return cmd.CombinedOutput()
		}
		out, err := read("service passphrase")
		if err != nil || !bytes.Contains(out, []byte("ASN1 OID: "+want)) {
			t.Errorf("%s: %v\n%s", a, err, out)
		}
		if _, err := read("service passphrasf"); err == nil {
			t.Errorf("%s opens with a wrong passphrase", a)
		}
	}
}

func TestModesArePrivate(t *testing.T) {
	dir := t.TempDir()
	d := openDir(t, dir)
	if _, err := d.Create(t.Context(), keys.Spec{ID: "k", Algorithm: keys.SM2, Purpose: keys.PurposeSign}); err != nil {
		t.Fatal(err)
	}
	record := filepath.Join(filepath.Dir(d.File("k")), "record.json")
	for path, want := range map[string]os.FileMode{d.File("k"): 0o600, record: 0o600, filepath.Dir(d.File("k")): 0o700, filepath.Join(dir, "keys"): 0o700} {
		st, err := os.Stat(path)
		if err != nil || st.Mode().Perm() != want {
			t.Errorf("%s: mode %v, want %v (%v)", path, st.Mode().Perm(), want, err)
		}
	}
	for _, path := range []string{d.File("k"), record} {
		if err := os.Chmod(path, 0o640); err != nil {
			t.Fatal(err)
		}
		if _, err := d.Open(t.Context(), "k", nil); !errors.Is(err, keys.ErrMode) {
			t.Errorf("%s readable by the group: %v", path, err)
		}
		if err := os.Chmod(path, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chmod(filepath.Join(dir, "keys"), 0o755); err != nil {
		t.Fatal(err)
	}
	if _, err := keys.OpenDir(keys.Config{Dir: filepath.Join(dir, "keys"), Rand: rand.Reader, Now: clock}); !errors.Is(err, keys.ErrMode) {
		t.Errorf("open folder: %v", err)
	}
}

// TestNothingHalfWritten fails the creation at each step that can fail.
func TestNothingHalfWritten(t *testing.T) {
	dir := t.TempDir()
	if _, err := keys.OpenDir(keys.Config{Dir: filepath.Join(dir, "keys"), Now: clock}); !errors.Is(err, keys.ErrSpec) {
		t.Errorf("no randomness: %v", err)
	}
	boom := errors.New("no passphrase today")
	d, err := keys.OpenDir(keys.Config{Dir: filepath.Join(dir, "keys"), Rand: rand.Reader, Now: clock, Passphrase: func() ([]byte, error) { return nil, boom }})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := d.Create(t.Context(), keys.Spec{ID: "k", Algorithm: keys.SM2, Purpose: keys.PurposeSign}); !errors.Is(err, boom) {
		t.Errorf("got %v", err)
	}
	entries, err := os.ReadDir(filepath.Join(dir, "keys"))
	if err != nil || len(entries) != 0 {
		t.Errorf("left behind: %v %v", entries, err)
	}
	if recs, err := d.List(t.Context()); err != nil || len(recs) != 0 {
		t.Errorf("lists %v, %v", recs, err)
	}
	blocked := filepath.Join(dir, "file")
	if err := os.WriteFile(blocked, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := keys.OpenDir(keys.Config{Dir: filepath.Join(blocked, "keys"), Rand: rand.Reader, Now: clock}); err == nil {
		t.Error("a folder under a file")
	}
}

func TestSwappedKeyFileIsRefused(t *testing.T) {
	d := openDir(t, t.TempDir())
	for _, id := range []string{"a", "b"} {
		if _, err := d.Create(t.Context(), keys.Spec{ID: id, Algorithm: keys.SM2, Purpose: keys.PurposeSign}); err != nil {
			t.Fatal(err)
		}
	}
	b, err := os.ReadFile(d.File("b"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(d.File("a"), b, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := d.Open(t.Context(), "a", nil); !errors.Is(err, keys.ErrRecord) {
		t.Errorf("got %v", err)
	}
}

// TestForeignFilesAreCapped: what is too large, weakly encrypted, in clear, or
// expensive to open is refused before a passphrase is tried.
func TestForeignFilesAreCapped(t *testing.T) {
	d := openDir(t, t.TempDir())
	if _, err := d.Create(t.Context(), keys.Spec{ID: "k", Algorithm: keys.SM2, Purpose: keys.PurposeSign}); err != nil {
		t.Fatal(err)
	}
	key, err := sm2.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	encode := func(typ string, der []byte, err error) []byte {
		if err != nil {
			t.Fatal(err)
		}
		return pem.EncodeToMemory(&pem.Block{Type: typ, Bytes: der})
	}
	pass := []byte("service passphrase")
	clear, err1 := pkcs8.MarshalPrivateKey(key, nil, nil)
	weak, err2 := pkcs8.MarshalPrivateKey(key, pass, nil) // the library's default: PBKDF2 with 2,048 rounds
	good, err := os.ReadFile(d.File("k"))
	if err != nil {
		t.Fatal(err)
	}
	costly := bytes.Replace(pemDER(t, good), []byte{2, 2, 0x40, 0}, []byte{2, 2, 0x7f, 0}, 1) // N
	for name, file := range map[string][]byte{
		"in clear":            encode("PRIVATE KEY", clear, err1),
		"clear, wrong label":  encode("ENCRYPTED PRIVATE KEY", clear, err1),
		"weak derivation":     encode("ENCRYPTED PRIVATE KEY", weak, err2),
		"odd cost":            encode("ENCRYPTED PRIVATE KEY", bytes.Replace(pemDER(t, good), []byte{2, 1, 8}, []byte{2, 1, 0x7f}, 1), nil),
		"two blocks":          append(bytes.Clone(good), good...),
		"empty":               {},
		"not PEM":             []byte("hello"),
		"truncated":           encode("ENCRYPTED PRIVATE KEY", pemDER(t, good)[:100], nil),
		"larger than allowed": bytes.Repeat([]byte("x"), 20<<10),
	} {
		if err := os.WriteFile(d.File("k"), file, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := d.Open(t.Context(), "k", nil); !errors.Is(err, keys.ErrRecord) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := os.WriteFile(d.File("k"), encode("ENCRYPTED PRIVATE KEY", costly, nil), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := d.Open(t.Context(), "k", nil); !errors.Is(err, keys.ErrPassphrase) {
		t.Errorf("N that is no power of two: %v", err)
	}
}

func pemDER(t *testing.T, b []byte) []byte {
	t.Helper()
	block, _ := pem.Decode(b)
	if block == nil {
		t.Fatal("not PEM")
	}
	return block.Bytes
}

func TestListAndRecord(t *testing.T) {
	d := openDir(t, t.TempDir())
	for _, id := range []string{"b", "a"} {
		if _, err := d.Create(t.Context(), keys.Spec{ID: id, Algorithm: keys.SM2, Purpose: keys.PurposeEncrypt, Owner: "u"}); err != nil {
			t.Fatal(err)
		}
	}
	recs, err := d.List(t.Context())
	if err != nil || len(recs) != 2 || recs[0].ID != "a" || recs[1].ID != "b" || recs[0].Owner != "u" || !recs[0].CreatedAt.Equal(clock()) {
		t.Errorf("got %+v, %v", recs, err)
	}
	if _, err := d.Record(t.Context(), "../a"); !errors.Is(err, keys.ErrNotFound) {
		t.Errorf("path as id: %v", err)
	}
	if err := os.WriteFile(filepath.Join(filepath.Dir(d.File("a")), "record.json"), []byte(`{"id":"b"}`), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := d.List(t.Context()); !errors.Is(err, keys.ErrRecord) {
		t.Errorf("changed record: %v", err)
	}
}

func FuzzOpen(f *testing.F) {
	d := openDir(f, f.TempDir())
	if _, err := d.Create(context.Background(), keys.Spec{ID: "k", Algorithm: keys.SM2, Purpose: keys.PurposeSign}); err != nil {
		f.Fatal(err)
	}
	good, err := os.ReadFile(d.File("k"))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	f.Add([]byte("-----BEGIN ENCRYPTED PRIVATE KEY-----\nMAA=\n-----END ENCRYPTED PRIVATE KEY-----\n"))
	f.Fuzz(func(t *testing.T, file []byte) {
		if err := os.WriteFile(d.File("k"), file, 0o600); err != nil {
			t.Fatal(err)
		}
		k, err := d.Open(context.Background(), "k", nil)
		switch {
		case err == nil:
			if k.Close() != nil {
				t.Error("close")
			}
		case !errors.Is(err, keys.ErrRecord) && !errors.Is(err, keys.ErrPassphrase):
			t.Errorf("an outcome nobody knows: %v", err)
		}
	})
}

func ExampleOpenDir() {
	tmp, err := os.MkdirTemp("", "keys")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(tmp)
	if err := keys.CreateSecretFile(filepath.Join(tmp, "passphrase"), rand.Reader); err != nil {
		panic(err)
	}
	dir, err := keys.OpenDir(keys.Config{
		Dir: filepath.Join(tmp, "keys"), Rand: rand.Reader, Now: time.Now,
		Passphrase: keys.PassphraseFromFile(filepath.Join(tmp, "passphrase")),
	})
	if err != nil {
		panic(err)
	}
	ctx := context.Background()
	if _, err := dir.Create(ctx, keys.Spec{ID: "ledger", Algorithm: keys.SM2, Purpose: keys.PurposeSign}); err != nil {
		panic(err)
	}
	key, err := dir.Open(ctx, "ledger", nil)
	if err != nil {
		panic(err)
	}
	defer key.Close()
	sig, err := key.Sign(rand.Reader, []byte("checkpoint"), sm2.DefaultSM2SignerOpts)
	fmt.Println(key, strings.HasPrefix(fmt.Sprintf("%x", sig), "30"), err)
	// Output: key ledger (sm2, sign) true <nil>
}
