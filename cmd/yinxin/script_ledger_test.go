package main

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/rand"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/emmansun/gmsm/sm2"
	"github.com/rogpeppe/go-internal/testscript"

	"github.com/yinxin-gov/yinxin/authz/ledger"
	"github.com/yinxin-gov/yinxin/authz/ledger/ledgertest"
	"github.com/yinxin-gov/yinxin/internal/text"
)

// ledgerSample writes into the script's directory: ledger.jsonl (six entries
// and their checkpoint), short.jsonl (the same key over the first three),
// key.pem, other.pem and the checkpoint of ledger.jsonl.
func ledgerSample(env *testscript.Env) error {
	ctx := context.Background()
	key, err := sm2.GenerateKey(rand.Reader)
	if err != nil {
		return err
	}
	other, err := sm2.GenerateKey(rand.Reader)
	if err != nil {
		return err
	}
	store := ledgertest.NewMemory(env.T().(testing.TB))
	q, err := ledger.New(ctx, ledger.Config{
		Store: store, Now: time.Now, Rand: rand.Reader, Origin: ledgertest.Origin, Signer: key,
	})
	if err != nil {
		return err
	}
	files := map[string][]byte{}
	for i := range 6 {
		if _, err := q.Append(ctx, ledgertest.Event(fmt.Sprint("e-", i))); err != nil {
			return err
		}
		var out bytes.Buffer
		if err := q.Export(ctx, &out); err != nil {
			return err
		}
		name := map[int]string{2: "short.jsonl", 5: "ledger.jsonl"}[i]
		if name != "" {
			files[name] = out.Bytes()
		}
	}
	files["checkpoint"] = q.Head().Checkpoint
	if err := q.Close(ctx); err != nil {
		return err
	}
	for name, pub := range map[string]*ecdsa.PublicKey{"key.pem": &key.PublicKey, "other.pem": &other.PublicKey} {
		if files[name], err = ledger.MarshalKey(pub); err != nil {
			return err
		}
	}
	for name, data := range files {
		if err := os.WriteFile(filepath.Join(env.WorkDir, name), data, 0o600); err != nil {
			return err
		}
	}
	return nil
}

// edit copies an export and flips one bit in the body of entry SEQ:
// `edit FROM TO SEQ`.
func edit(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: edit FROM TO SEQ")
	}
	seq, err := strconv.Atoi(args[2])
	ts.Check(err)
	lines := bytes.SplitAfter([]byte(ts.ReadFile(args[0])), []byte("\n"))
	at := bytes.Index(lines[seq+1], []byte(`"body":"`)) + len(`"body":"`) + 40
	if lines[seq+1][at] == 'A' {
		lines[seq+1][at] = 'B'
	} else {
		lines[seq+1][at] = 'A'
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[1]), bytes.Join(lines, nil), 0o600))
}

// TestLedgerCodesHaveTexts: an auditor never reads a bare code.
func TestLedgerCodesHaveTexts(t *testing.T) {
	words, err := text.Load()
	if err != nil {
		t.Fatal(err)
	}
	for _, code := range ledger.Codes() {
		if !words.Has(code) {
			t.Errorf("no text for %s", code)
		}
	}
}
