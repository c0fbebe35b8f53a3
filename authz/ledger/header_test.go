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
	want := "01" + "01020304" + "00000005" + "000000000006" + "019b76daa87b" + "03"
	if len(raw) != ledger.HeaderSize || hex.EncodeToString(raw[:22]) != want || raw[22] != 0 || raw[54] != 32 || raw[86] != 64 {
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
const leafOfSample = "61f5e0a4f5b0140d71737768542617ebc94c99c9470b881065468f207eb1d6aa"

func TestHeaderRefuses(t *testing.T) {
	h := sampleHeader()
	raw := h.Append(nil)
	for name, edit := range map[string]func(b []byte) []byte{
		"empty":      func([]byte) []byte { return nil },
		"short":      func(b []byte) []byte { return b[:ledger.HeaderSize-1] },
		"long":       func(b []byte) []byte { return append(b, 0) },
		"version 0":  func(b []byte) []byte { b[0] = 0; return b },
		"class 0":    func(b []byte) []byte { b[21] = 0; return b },
		"class 7":    func(b []byte) []byte { b[21] = 7; return b },
		"year 10000": func(b []byte) []byte { copy(b[15:], "\xe6\x77\xd2\x1f\xdc\x00"); return b },
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
