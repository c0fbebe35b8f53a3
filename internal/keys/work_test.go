package keys_test

import (
	"crypto/rand"
	"encoding/asn1"
	"encoding/pem"
	"errors"
	"os"
	"testing"

	"github.com/yinxin-gov/yinxin/internal/keys"
	"github.com/yinxin-gov/yinxin/internal/keys/keystest"
)

// scryptN is the N that a PBES2 file says it was stretched with.
func scryptN(t *testing.T, file []byte) int {
	t.Helper()
	type kdf struct {
		Salt    []byte
		N, R, P int
		KeyLen  int `asn1:"optional"`
	}
	var info struct {
		Algorithm struct {
			OID    asn1.ObjectIdentifier
			Params struct {
				KDF struct {
					OID    asn1.ObjectIdentifier
					Params kdf
				}
				Cipher asn1.RawValue
			}
		}
		Data []byte
	}
	block, _ := pem.Decode(file)
	if block == nil {
		t.Fatal("no PEM")
	}
	if _, err := asn1.Unmarshal(block.Bytes, &info); err != nil {
		t.Fatal(err)
	}
	return info.Algorithm.Params.KDF.Params.N
}

// Who says nothing about Work gets production's, for keys, shares and PINs; and
// production opens nothing that a test wrote.
func TestWorkOfProduction(t *testing.T) {
	dir := t.TempDir()
	made := map[string]int{}
	for id, d := range map[string]*keys.Dir{"cheap": cheapDir(t, dir), "dear": openDir(t, dir)} {
		if _, err := d.Create(t.Context(), keys.Spec{ID: id, Algorithm: keys.SM2, Purpose: keys.PurposeSign}); err != nil {
			t.Fatal(err)
		}
		raw, err := os.ReadFile(d.File(id))
		if err != nil {
			t.Fatal(err)
		}
		made[id] = scryptN(t, raw)
	}
	_, _, shares := split(t, 2, five)
	for id, w := range map[string]keys.Work{"cheap": keystest.Work(), "dear": {}} {
		file, err := shares[0].Seal([]byte("custodian a"), rand.Reader, w)
		if err != nil {
			t.Fatal(err)
		}
		if got := scryptN(t, file); got != made[id] {
			t.Errorf("a %s share has N = %d, a key %d", id, got, made[id])
		}
		if _, err := keys.OpenShare(file, []byte("custodian a"), keys.Work{}); id == "cheap" != errors.Is(err, keys.ErrRecord) {
			t.Errorf("a %s share: %v", id, err)
		}
	}
	if made["dear"] != 1<<14 || made["cheap"] >= 1<<14 {
		t.Errorf("N: %v", made)
	}
	if _, err := openDir(t, dir).Open(t.Context(), "cheap", nil); !errors.Is(err, keys.ErrRecord) {
		t.Errorf("production opened a key of a test: %v", err)
	}
	pin := func(w keys.Work) string {
		out, err := keys.PersonPassphrase(make([]byte, 32), "yinxin-78", make([]byte, 16), w)
		if err != nil {
			t.Fatal(err)
		}
		return string(out)
	}
	if pin(keys.Work{}) != pin(keys.Work{PIN: 1 << 15}) || pin(keys.Work{}) == pin(keystest.Work()) {
		t.Error("the work of a PIN is not production's")
	}
}
