package keys_test

import (
	"bytes"
	"crypto/rand"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/yinxin-gov/yinxin/internal/keys"
	"github.com/yinxin-gov/yinxin/internal/keys/keystest"
)

func TestPassphraseSources(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "p")
	if err := keys.CreateSecretFile(file, rand.Reader); err != nil {
		t.Fatal(err)
	}
	first, err := keys.PassphraseFromFile(file)()
	if err != nil || len(first) != 43 {
		t.Fatalf("%d bytes, %v", len(first), err)
	}
	if err := keys.CreateSecretFile(file, rand.Reader); !errors.Is(err, keys.ErrExists) {
		t.Errorf("overwrote: %v", err)
	}
	for name, c := range map[string]struct {
		text string
		mode os.FileMode
		want error
	}{
		"group readable": {"long enough", 0o640, keys.ErrMode},
		"short":          {"abc1234", 0o600, keys.ErrWeak},
		"two lines":      {"long enough\nand more\n", 0o600, keys.ErrSpec},
		"a book":         {strings.Repeat("x", 2000), 0o600, keys.ErrSpec},
	} {
		p := filepath.Join(t.TempDir(), "p")
		if err := os.WriteFile(p, []byte(c.text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(p, c.mode); err != nil {
			t.Fatal(err)
		}
		if _, err := keys.PassphraseFromFile(p)(); !errors.Is(err, c.want) {
			t.Errorf("%s: %v", name, err)
		} else if strings.Contains(err.Error(), c.text) {
			t.Errorf("%s: the error holds the passphrase", name)
		}
	}
	if _, err := keys.PassphraseFromFile(filepath.Join(dir, "absent"))(); !errors.Is(err, keys.ErrNotFound) {
		t.Errorf("absent: %v", err)
	}
	t.Setenv("YINXIN_TEST_PASSPHRASE", "from the environment")
	if b, err := keys.PassphraseFromEnv("YINXIN_TEST_PASSPHRASE")(); err != nil || string(b) != "from the environment" {
		t.Errorf("environment: %q, %v", b, err)
	}
	if _, err := keys.PassphraseFromEnv("YINXIN_TEST_ABSENT")(); !errors.Is(err, keys.ErrNotFound) {
		t.Errorf("environment: %v", err)
	}
}

// TestPersonPassphraseNeedsBoth is design law 5: neither the service's secret
// nor the PIN opens a person's key alone.
func TestPersonPassphraseNeedsBoth(t *testing.T) {
	service, salt := bytes.Repeat([]byte{1}, 32), bytes.Repeat([]byte{2}, 16)
	derive := func(service []byte, pin string, salt []byte) string {
		t.Helper()
		b, err := keys.PersonPassphrase(service, pin, salt, keystest.Work())
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	base := derive(service, "yinxin-78", salt)
	if base != derive(service, "yinxin-78", salt) {
		t.Error("not a function of its inputs")
	}
	for name, other := range map[string]string{
		"another service secret": derive(bytes.Repeat([]byte{3}, 32), "yinxin-78", salt),
		"a longer secret":        derive(bytes.Repeat([]byte{1}, 33), "yinxin-78", salt),
		"another PIN":            derive(service, "yinxin-79", salt),
		"another salt":           derive(service, "yinxin-78", bytes.Repeat([]byte{4}, 16)),
	} {
		if other == base {
			t.Errorf("%s makes no difference", name)
		}
	}
	for name, c := range map[string]struct {
		service []byte
		pin     string
		salt    []byte
		want    error
	}{
		"PIN of 7":            {service, "yin-567", salt, keys.ErrWeak},
		"PIN of digits":       {service, "12345678", salt, keys.ErrWeak},
		"PIN of letters":      {service, "mimamima", salt, keys.ErrWeak},
		"PIN like a novel":    {service, strings.Repeat("a1", 40), salt, keys.ErrWeak},
		"PIN that is no text": {service, "yinxin7\xff", salt, keys.ErrWeak},
		"short secret":        {service[:31], "yinxin-78", salt, keys.ErrWeak},
		"short salt":          {service, "yinxin-78", salt[:15], keys.ErrSpec},
	} {
		if _, err := keys.PersonPassphrase(c.service, c.pin, c.salt, keystest.Work()); !errors.Is(err, c.want) {
			t.Errorf("%s: %v", name, err)
		} else if strings.Contains(err.Error(), c.pin) {
			t.Errorf("%s: the error holds the PIN", name)
		}
	}
}

func TestPersonKeyOpensWithPINAndService(t *testing.T) {
	d := cheapDir(t, t.TempDir())
	secret := bytes.Repeat([]byte{9}, 32)
	p := keys.People{Dir: d, Service: func() ([]byte, error) { return secret, nil }}
	if _, err := p.Create(t.Context(), "person-1", "0197-person", "8-digit-pin"); err != nil {
		t.Fatal(err)
	}
	k, err := p.Open(t.Context(), "person-1", "8-digit-pin")
	if err != nil {
		t.Fatal(err)
	}
	k.Close()
	for _, pin := range []string{"8-digit-pim", "short", ""} {
		if _, err := p.Open(t.Context(), "person-1", pin); !errors.Is(err, keys.ErrPassphrase) {
			t.Errorf("PIN %q: %v", pin, err)
		}
	}
	thief := keys.People{Dir: d, Service: func() ([]byte, error) { return bytes.Repeat([]byte{8}, 32), nil }}
	if _, err := thief.Open(t.Context(), "person-1", "8-digit-pin"); !errors.Is(err, keys.ErrPassphrase) {
		t.Errorf("PIN without the secret: %v", err)
	}
	if _, err := d.Open(t.Context(), "person-1", nil); !errors.Is(err, keys.ErrPassphrase) {
		t.Errorf("service passphrase without the PIN: %v", err)
	}
	if _, err := d.Create(t.Context(), keys.Spec{ID: "service", Algorithm: keys.SM2, Purpose: keys.PurposeSign}); err != nil {
		t.Fatal(err)
	}
	if _, err := p.Open(t.Context(), "service", "8-digit-pin"); !errors.Is(err, keys.ErrPurpose) {
		t.Errorf("a service key by PIN: %v", err)
	}
}
