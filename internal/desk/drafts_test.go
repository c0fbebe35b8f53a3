package desk

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"io"
	"io/fs"
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/emmansun/gmsm/sm2"
	"github.com/emmansun/gmsm/smx509"
)

// shelf keeps blobs in memory.
type shelf map[string][]byte

func (s shelf) Put(_ context.Context, name string, data []byte) error {
	s[name] = bytes.Clone(data)
	return nil
}

func (s shelf) Get(_ context.Context, name string) (io.ReadCloser, error) {
	if _, ok := s[name]; !ok {
		return nil, fs.ErrNotExist
	}
	return io.NopCloser(bytes.NewReader(s[name])), nil
}

func (s shelf) Delete(_ context.Context, name string) error {
	delete(s, name)
	return nil
}

func (s shelf) Move(_ context.Context, from, to string) error {
	s[to] = s[from]
	delete(s, from)
	return nil
}

func (s shelf) List(context.Context, string) (map[string]time.Time, error) { return nil, nil }

// newDrafts has a key with so many certificates, newest first.
func newDrafts(t *testing.T, certs int) drafts {
	t.Helper()
	key, err := sm2.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	d := drafts{blobs: shelf{}, key: key}
	for i := range certs {
		tmpl := &smx509.Certificate{SerialNumber: big.NewInt(int64(i + 1)), NotAfter: time.Now().AddDate(1, 0, 0), KeyUsage: smx509.KeyUsageKeyEncipherment}
		der, err := smx509.CreateCertificate(rand.Reader, tmpl, tmpl, key.Public(), key)
		if err != nil {
			t.Fatal(err)
		}
		d.certs = append(d.certs, der)
	}
	return d
}

// What is not an envelope of ours, or was changed, is refused.
func TestDraftsRefuse(t *testing.T) {
	ctx := context.Background()
	d := newDrafts(t, 1)
	if _, err := d.get(ctx, "none", draftAsked); !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	if err := d.put(ctx, "one", draftAsked, draft{Name: "a", Bytes: []byte("document")}); err != nil {
		t.Fatal(err)
	}
	name := draftName("one", draftAsked)
	kept := d.blobs.(shelf)
	raw := kept[name]
	if bytes.Contains(raw, []byte("document")) {
		t.Error("kept in clear")
	}
	for i := 0; i < len(raw); i += 13 {
		kept[name] = bytes.Clone(raw)
		kept[name][i] ^= 1
		if v, err := d.get(ctx, "one", draftAsked); err == nil && string(v.Bytes) != "document" {
			t.Fatalf("byte %d changed: %q", i, v.Bytes)
		} else if err != nil && !errors.Is(err, errDraft) {
			t.Fatalf("byte %d changed: %v", i, err)
		}
	}
	if err := d.put(ctx, "one", draftAsked, draft{Name: strings.Repeat("x", maxDraftHead)}); !errors.Is(err, errDraft) {
		t.Error(err)
	}
}

// A draft that was kept for an older certificate of the key opens.
func TestDraftOfAnOlderCertificate(t *testing.T) {
	ctx := context.Background()
	d := newDrafts(t, 2)
	older := drafts{d.blobs, d.key, d.certs[1:]}
	if err := older.put(ctx, "one", draftPicture, draft{Width: 42, Bytes: []byte("kept before")}); err != nil {
		t.Fatal(err)
	}
	v, err := d.get(ctx, "one", draftPicture)
	if err != nil || string(v.Bytes) != "kept before" || v.Width != 42 {
		t.Errorf("%+v %v", v, err)
	}
}
