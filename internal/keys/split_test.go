package keys_test

import (
	"bytes"
	"crypto/rand"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"testing/iotest"

	"github.com/yinxin-gov/yinxin/internal/keys"
	"github.com/yinxin-gov/yinxin/internal/keys/keystest"
)

var five = []string{"甲", "乙", "丙", "丁", "戊"}

func split(t testing.TB, need int, names []string) ([]byte, keys.Split, []keys.Share) {
	t.Helper()
	secret, s, shares, err := keys.NewSplit(rand.Reader, need, names)
	if err != nil {
		t.Fatal(err)
	}
	return secret, s, shares
}

// Every set of at least m shares, in any order, restores the secret; every
// smaller one is refused (密钥分管).
func TestEverySubsetOfASplit(t *testing.T) {
	for need := 2; need <= 5; need++ {
		secret, s, shares := split(t, need, five)
		for mask := range 1 << len(five) {
			var some []keys.Share
			for i := range five {
				if mask&(1<<i) != 0 {
					some = append([]keys.Share{shares[i]}, some...)
				}
			}
			got, err := s.Join(some)
			if len(some) < need {
				if !errors.Is(err, keys.ErrShares) || got != nil {
					t.Fatalf("%d of %d: %v", len(some), need, err)
				}
				continue
			}
			if err != nil || !bytes.Equal(got, secret) {
				t.Fatalf("%d of %d: %v", len(some), need, err)
			}
		}
	}
}

func TestSharesOfAnotherSplitAreNamed(t *testing.T) {
	_, s, shares := split(t, 3, five)
	_, _, foreign := split(t, 3, five)
	relabelled := foreign[1]
	relabelled.Split = s.ID() // says that it is ours; the commitment knows better
	renumbered := shares[1]
	renumbered.Number, renumbered.Custodian = 3, "丙"
	renamed := shares[1]
	renamed.Custodian = "丙"
	beyond := shares[1]
	beyond.Number = 6
	for name, bad := range map[string]keys.Share{
		"foreign": foreign[1], "relabelled": relabelled, "renumbered": renumbered, "renamed": renamed, "beyond": beyond, "twice": shares[0], "empty": {},
	} {
		if _, err := s.Join([]keys.Share{shares[0], bad, shares[4]}); !errors.Is(err, keys.ErrShares) {
			t.Errorf("%s: %v", name, err)
		}
	}
	loose := s
	loose.Need = 2 // two shares would do
	if _, err := loose.Join(shares[:2]); !errors.Is(err, keys.ErrShares) {
		t.Errorf("a split with a lower threshold: %v", err)
	}
}

func TestSplitRefuses(t *testing.T) {
	many := make([]string, keys.MaxCustodians+1)
	for i := range many {
		many[i] = string(rune('a' + i))
	}
	for name, c := range map[string]struct {
		need  int
		names []string
	}{
		"one is enough": {1, five}, "more than there are": {6, five}, "nobody": {2, nil}, "too many": {2, many},
		"one person twice": {2, []string{"甲", "乙", "甲"}}, "no name": {2, []string{"甲", ""}},
	} {
		if _, _, _, err := keys.NewSplit(rand.Reader, c.need, c.names); !errors.Is(err, keys.ErrSplit) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, _, _, err := keys.NewSplit(iotest.ErrReader(errors.New("dry")), 2, five); err == nil {
		t.Error("a split without randomness")
	}
}

func TestShareFile(t *testing.T) {
	secret, s, shares := split(t, 2, five)
	dir := t.TempDir()
	var read []keys.Share
	for i, name := range []string{"a", "b"} {
		path, pass := filepath.Join(dir, name), []byte("custodian "+name)
		if err := keys.WriteShare(path, shares[i], pass, rand.Reader, keystest.Work()); err != nil {
			t.Fatal(err)
		}
		if err := keys.WriteShare(path, shares[i], pass, rand.Reader, keystest.Work()); err == nil {
			t.Error("a share was overwritten")
		}
		got, err := keys.ReadShare(path, pass, keystest.Work())
		if err != nil {
			t.Fatal(err)
		}
		read = append(read, got)
		if _, err := keys.ReadShare(path, []byte("custodian x"), keystest.Work()); !errors.Is(err, keys.ErrPassphrase) {
			t.Errorf("wrong passphrase: %v", err)
		}
		if _, err := keys.ReadShare(path, nil, keystest.Work()); !errors.Is(err, keys.ErrPassphrase) {
			t.Errorf("no passphrase: %v", err)
		}
	}
	if got, err := s.Join(read); err != nil || !bytes.Equal(got, secret) {
		t.Fatalf("%v", err)
	}
	path := filepath.Join(dir, "a")
	file, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	// The last byte of the ciphertext: authentication notices what CBC would not.
	spoilt := bytes.Clone(file)
	i := bytes.Index(spoilt, []byte("\n-----END")) - 6
	spoilt[i] ^= 1
	if _, err := keys.OpenShare(spoilt, []byte("custodian a"), keystest.Work()); err == nil {
		t.Error("a changed share opens")
	}
	if err := os.Chmod(path, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := keys.ReadShare(path, []byte("custodian a"), keystest.Work()); !errors.Is(err, keys.ErrMode) {
		t.Errorf("others may read it: %v", err)
	}
	if err := keys.WriteShare(filepath.Join(dir, "c"), shares[2], []byte("short"), rand.Reader, keystest.Work()); !errors.Is(err, keys.ErrWeak) {
		t.Errorf("short passphrase: %v", err)
	}
	if _, err := os.Stat(filepath.Join(dir, "c")); err == nil {
		t.Error("something was written")
	}
}

// A root key whose passphrase is the shared secret opens with m custodians.
func TestKeyUnderSharedSecret(t *testing.T) {
	secret, s, shares := split(t, 3, five)
	d := cheapDir(t, t.TempDir())
	if _, err := d.Create(t.Context(), keys.Spec{ID: "sm2-root", Algorithm: keys.SM2, Purpose: keys.PurposeSign, Passphrase: secret}); err != nil {
		t.Fatal(err)
	}
	joined, err := s.Join(shares[2:])
	if err != nil {
		t.Fatal(err)
	}
	k, err := d.Open(t.Context(), "sm2-root", joined)
	if err != nil {
		t.Fatal(err)
	}
	if err := k.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := d.Open(t.Context(), "sm2-root", nil); !errors.Is(err, keys.ErrPassphrase) {
		t.Errorf("the folder's own passphrase: %v", err)
	}
}

func FuzzOpenShare(f *testing.F) {
	_, _, shares := split(f, 2, five)
	file, err := shares[0].Seal([]byte("custodian a"), rand.Reader, keystest.Work())
	if err != nil {
		f.Fatal(err)
	}
	f.Add(file)
	f.Add([]byte("-----BEGIN YINXIN CUSTODIAN SHARE-----\nMAA=\n-----END YINXIN CUSTODIAN SHARE-----\n"))
	f.Fuzz(func(t *testing.T, file []byte) {
		if _, err := keys.OpenShare(file, []byte("another one"), keystest.Work()); err == nil {
			t.Error("opened under another passphrase")
		}
	})
}
