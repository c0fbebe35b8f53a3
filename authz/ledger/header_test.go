package ledger_test

import (
	"bytes"
	"encoding/hex"
	"testing"

	"github.com/yinxin-gov/yinxin/authz/ledger"
)

func sampleHeader() ledger.Header {
	h := ledger.Header{Shard: 0x01020304, Epoch: 5, Seq: 6, Time: 1767225600123, Class: ledger.ClassSeal}
	for i := range h.Prev {
		h.Prev[i], h.Commit[i], h.Policy[i] = byte(i), byte(i+32), byte(i+64)
	}
	return h
}

// TestHeaderLayout pins the bytes: they are hashed, so they may never change.
func TestHeaderLayout(t *testing.T) {
	h := sampleHeader()
	raw := h.Append(nil)
	want := "01" + "01020304" + "0000000000000005" + "0000000000000006" + "0000019b76daa87b" + "03"
	if len(raw) != ledger.HeaderSize || hex.EncodeToString(raw[:30]) != want || raw[30] != 0 || raw[62] != 32 || raw[94] != 64 {
		t.Fatalf("%x", raw)
	}
	back, err := ledger.ParseHeader(raw)
	if err != nil || back != h {
		t.Fatalf("%+v, %v", back, err)
	}
	leaf := ledger.LeafHash(raw)
	if got := hex.EncodeToString(leaf[:]); got != leafOfSample {
		t.Fatalf("leaf %s", got)
	}
}

// leafOfSample is from Python: hashlib.new("sm3", b"\0" + header).
const leafOfSample = "21fa47f35cf5a1a80cd0e5e62829670c82da6dfda83f6d7505c377e79640782f"

func TestHeaderRefuses(t *testing.T) {
	h := sampleHeader()
	raw := h.Append(nil)
	for name, edit := range map[string]func(b []byte) []byte{
		"empty":         func([]byte) []byte { return nil },
		"short":         func(b []byte) []byte { return b[:ledger.HeaderSize-1] },
		"long":          func(b []byte) []byte { return append(b, 0) },
		"version 0":     func(b []byte) []byte { b[0] = 0; return b },
		"class 0":       func(b []byte) []byte { b[29] = 0; return b },
		"class 7":       func(b []byte) []byte { b[29] = 7; return b },
		"negative time": func(b []byte) []byte { b[21] = 0x80; return b },
		"year 10000":    func(b []byte) []byte { copy(b[21:], "\x00\x00\xe6\x77\xd2\x1f\xdc\x00"); return b },
	} {
		if _, err := ledger.ParseHeader(edit(bytes.Clone(raw))); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

func FuzzHeader(f *testing.F) {
	h := sampleHeader()
	f.Add(h.Append(nil))
	f.Add([]byte{1})
	f.Fuzz(func(t *testing.T, b []byte) {
		h, err := ledger.ParseHeader(b)
		if err == nil && !bytes.Equal(h.Append(nil), b) {
			t.Fatalf("%x is read as %+v", b, h)
		}
	})
}
