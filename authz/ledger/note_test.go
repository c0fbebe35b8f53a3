package ledger_test

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/asn1"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"io"
	"math/big"
	"strings"
	"testing"

	"github.com/emmansun/gmsm/sm2"
	"github.com/emmansun/gmsm/smx509"

	"github.com/yinxin-gov/yinxin/authz/ledger"
	"github.com/yinxin-gov/yinxin/authz/ledger/ledgertest"
)

func signed(t testing.TB) (*sm2.PrivateKey, []byte) {
	t.Helper()
	key := ledgertest.NewKey(t)
	n := ledger.Note{Origin: ledgertest.Origin, Size: 12, Root: ledger.LeafHash([]byte("x"))}
	text, err := ledger.SignNote(rand.Reader, n, key)
	if err != nil {
		t.Fatal(err)
	}
	return key, text
}

func TestNote(t *testing.T) {
	key, text := signed(t)
	n, err := ledger.ParseNote(text)
	if err != nil || n.Size != 12 || n.Name() != "test.yinxin.example" || !bytes.Equal(n.Marshal(), text) {
		t.Fatalf("%+v, %v", n, err)
	}
	if err := n.Verify(&key.PublicKey); err != nil {
		t.Fatal(err)
	}
	if err := n.Verify(&ledgertest.NewKey(t).PublicKey); !errors.Is(err, ledger.ErrSignature) {
		t.Fatalf("another key: %v", err)
	}
	n.Size++
	if err := n.Verify(&key.PublicKey); !errors.Is(err, ledger.ErrSignature) {
		t.Fatalf("another size: %v", err)
	}
}

// TestNoteRefuses: attacks 23 and 28.
func TestNoteRefuses(t *testing.T) {
	_, raw := signed(t)
	text := string(raw)
	blob := text[strings.LastIndex(text, " ")+1 : len(text)-1]
	for name, bad := range map[string]string{
		"empty":                "",
		"CRLF":                 strings.ReplaceAll(text, "\n", "\r\n"),
		"one CR":               strings.Replace(text, "\n12\n", "\n12\r\n", 1),
		"no blank line":        strings.Replace(text, "\n\n", "\n", 1),
		"two blank lines":      strings.Replace(text, "\n\n", "\n\n\n", 1),
		"no last line end":     text[:len(text)-1],
		"extension line":       strings.Replace(text, "\n\n", "\nmore\n\n", 1),
		"two signature lines":  text + text[strings.Index(text, "\u2014"):],
		"two checkpoints":      text + text,
		"text before":          "x\n" + text,
		"byte order mark":      "\ufeff" + text,
		"size with zero":       strings.Replace(text, "\n12\n", "\n012\n", 1),
		"size with plus":       strings.Replace(text, "\n12\n", "\n+12\n", 1),
		"size negative":        strings.Replace(text, "\n12\n", "\n-12\n", 1),
		"size 2^63":            strings.Replace(text, "\n12\n", "\n9223372036854775808\n", 1),
		"origin of SHA-256":    strings.Replace(text, "/ledger/sm3", "/ledger/sha256", 1),
		"origin with a space":  strings.Replace(text, "test.", "te st.", 1),
		"control character":    strings.Replace(text, "test.", "test\x00.", 1),
		"name of another":      strings.Replace(text, "\u2014 test.", "\u2014 best.", 1),
		"hyphen for a dash":    strings.Replace(text, "\u2014", "-", 1),
		"two spaces":           strings.Replace(text, "\u2014 ", "\u2014  ", 1),
		"base64 without end":   strings.Replace(text, blob, strings.TrimRight(blob, "=")+"", 1)[:len(text)-2] + "\n",
		"base64 with line end": strings.Replace(text, blob, blob[:8]+"\n"+blob[8:], 1),
		"base64 with CR":       strings.Replace(text, blob, blob[:8]+"\r"+blob[8:], 1),
		"root too short":       strings.Replace(text, strings.Split(text, "\n")[2], "AAAA", 1),
		"no signature":         strings.Replace(text, blob, "AAAAAA==", 1),
		"very long":            text + strings.Repeat(" ", 1<<13),
	} {
		if _, err := ledger.ParseNote([]byte(bad)); !errors.Is(err, ledger.ErrNote) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestSignatureEncoding: attack 27, one encoding of a signature.
func TestSignatureEncoding(t *testing.T) {
	key, text := signed(t)
	n, err := ledger.ParseNote(text)
	if err != nil {
		t.Fatal(err)
	}
	var rs struct{ R, S *big.Int }
	if _, err := asn1.Unmarshal(n.Signature, &rs); err != nil {
		t.Fatal(err)
	}
	der := func(r, s *big.Int) []byte {
		b, err := asn1.Marshal(struct{ R, S *big.Int }{r, s})
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	order := sm2.P256().Params().N
	long := append([]byte{0x30, 0x81, n.Signature[1]}, n.Signature[2:]...) // long form of a short length
	for name, sig := range map[string][]byte{
		"r + n":    der(new(big.Int).Add(rs.R, order), rs.S),
		"s + n":    der(rs.R, new(big.Int).Add(rs.S, order)),
		"r = 0":    der(new(big.Int), rs.S),
		"s < 0":    der(rs.R, new(big.Int).Neg(rs.S)),
		"trailing": append(bytes.Clone(n.Signature), 0),
		"cut":      n.Signature[:len(n.Signature)-1],
		"BER":      long,
		"raw r||s": append(rs.R.FillBytes(make([]byte, 32)), rs.S.FillBytes(make([]byte, 32))...),
	} {
		bad := n
		bad.Signature = sig
		if _, err := ledger.ParseNote(bad.Marshal()); !errors.Is(err, ledger.ErrNote) {
			t.Errorf("%s: parsed, %v", name, err)
		}
		if err := bad.Verify(&key.PublicKey); !errors.Is(err, ledger.ErrSignature) {
			t.Errorf("%s: verified, %v", name, err)
		}
	}
	// Signed with another user id: another ZA.
	sig, err := key.Sign(rand.Reader, n.Text(), sm2.NewSM2SignerOption(true, []byte("other@id")))
	if err != nil {
		t.Fatal(err)
	}
	n.Signature = sig
	if err := n.Verify(&key.PublicKey); !errors.Is(err, ledger.ErrSignature) {
		t.Fatalf("other user id: %v", err)
	}
}

// brokenSigner answers with a signature over something else, as a token with a
// wrong driver does.
type brokenSigner struct{ crypto.Signer }

func (b brokenSigner) Sign(r io.Reader, m []byte, o crypto.SignerOpts) ([]byte, error) {
	return b.Signer.Sign(r, append(bytes.Clone(m), 'x'), o)
}

func TestSignNoteRefuses(t *testing.T) {
	key := ledgertest.NewKey(t)
	n := ledger.Note{Origin: ledgertest.Origin, Size: 1}
	if _, err := ledger.SignNote(rand.Reader, n, brokenSigner{key}); !errors.Is(err, ledger.ErrSignature) {
		t.Fatalf("a broken token: %v", err)
	}
	p256, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := ledger.SignNote(rand.Reader, n, p256); !errors.Is(err, ledger.ErrKey) {
		t.Fatalf("a key on another curve: %v", err)
	}
	for _, origin := range []string{"", "/ledger/sm3", "a/ledger", "a b/ledger/sm3", "a+b/ledger/sm3", "印/ledger/sm3", strings.Repeat("a", 300) + "/ledger/sm3"} {
		n.Origin = origin
		if _, err := ledger.SignNote(rand.Reader, n, key); !errors.Is(err, ledger.ErrNote) {
			t.Errorf("origin %q: %v", origin, err)
		}
	}
}

func TestParseKey(t *testing.T) {
	key := ledgertest.NewKey(t)
	text, err := ledger.MarshalKey(&key.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	back, err := ledger.ParseKey(text)
	if err != nil || !back.Equal(&key.PublicKey) {
		t.Fatal(err)
	}
	tmpl := &smx509.Certificate{SerialNumber: big.NewInt(7)}
	cert, err := smx509.CreateCertificate(rand.Reader, tmpl, tmpl, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	back, err = ledger.ParseKey(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert}))
	if err != nil || !back.Equal(&key.PublicKey) {
		t.Fatalf("certificate: %v", err)
	}
	block, _ := pem.Decode(text)
	compressed := bytes.Clone(block.Bytes[:len(block.Bytes)-64])
	compressed[len(compressed)-1] = 2 | byte(key.Y.Bit(0))
	compressed = append(compressed, key.X.FillBytes(make([]byte, 32))...)
	compressed[1] -= 32
	compressed[bytes.Index(compressed, []byte{0x03, 0x42})+1] -= 32
	p256, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	other, err := smx509.MarshalPKIXPublicKey(&p256.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	off := bytes.Clone(block.Bytes)
	off[len(off)-1] ^= 1
	for name, bad := range map[string][]byte{
		"nothing": nil, "no PEM": []byte("key"),
		"a private key": pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: block.Bytes}),
		"compressed":    pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: compressed}),
		"off the curve": pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: off}),
		"P-256":         pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: other}),
		"trailing DER":  pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: append(bytes.Clone(block.Bytes), 0)}),
	} {
		if _, err := ledger.ParseKey(bad); !errors.Is(err, ledger.ErrKey) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func FuzzNote(f *testing.F) {
	_, text := signed(f)
	f.Add(text)
	f.Add([]byte("a/ledger/sm3\n0\n" + base64.StdEncoding.EncodeToString(make([]byte, 32)) + "\n\n\u2014 a AAAAADAGAgEBAgEB\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		n, err := ledger.ParseNote(b)
		if err == nil && !bytes.Equal(n.Marshal(), b) {
			t.Fatalf("%q is not the one form", b)
		}
	})
}

// FuzzExport: nothing but the golden file is ever valid, and nothing crashes.
func FuzzExport(f *testing.F) {
	g := newGolden(f)
	file := g.file()
	f.Add(file)
	f.Add(file[:len(file)/2])
	f.Add([]byte("{}\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		r := verify(t, b, g.policy())
		if r.Verdict != ledger.Invalid && !bytes.Equal(b, file) {
			t.Fatalf("%s: %q", r.Verdict, b)
		}
		_ = ledger.Walk(bytes.NewReader(b), func(ledger.Entry, ledger.Header) error { return nil })
	})
}
