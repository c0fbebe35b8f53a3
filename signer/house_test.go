package signer_test

import (
	"crypto"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/yinxin-gov/yinxin/signer"
	"github.com/yinxin-gov/yinxin/signer/life"
	"github.com/yinxin-gov/yinxin/signer/ofd/ofdtest"
	"github.com/yinxin-gov/yinxin/signer/signertest"
)

const (
	unit   = signertest.Unit
	sealID = signertest.SealID
)

var (
	now   = signertest.Start()
	clerk = signertest.Clerk
	admin = signertest.Admin
)

// broken is a custody that fails when asked to sign.
type broken struct{ crypto.Signer }

func (broken) Sign(io.Reader, []byte, crypto.SignerOpts) ([]byte, error) {
	return nil, errors.New("token pulled out")
}

// house is a signer room whose seals live.
type house struct {
	*signertest.House
	reg                 *signertest.Register
	keys                signertest.Keys
	makerCert, unitCert []byte
	consents            *consents
}

func newHouse(t testing.TB, options ...signertest.Option) *house {
	t.Helper()
	given := &consents{}
	h := signertest.NewHouse(t, append(options, func(c *signer.Config, _ *life.Config) { c.Consents = given })...)
	return &house{h, h.Register, h.Keys, h.MakerCert, h.UnitCert, given}
}

func (h *house) makeSeal(t testing.TB) signer.Seal {
	t.Helper()
	return h.To(t, signer.SealActive)
}

func (h *house) approve(t testing.TB, doc []byte) signer.Use {
	t.Helper()
	return h.Approve(t, doc)
}

func notice(t testing.TB) []byte {
	t.Helper()
	return signertest.Notice(t)
}

// documents are a generated notice and every unsealed file of the corpus.
func documents(t testing.TB) map[string][]byte {
	t.Helper()
	docs := map[string][]byte{"notice": notice(t)}
	dir := ofdtest.Find(t)
	if dir == "" {
		return docs
	}
	names, err := filepath.Glob(filepath.Join(dir, "plain", "*.ofd"))
	if err != nil || len(names) == 0 {
		t.Fatalf("no plain documents in the corpus (%v)", err)
	}
	for _, n := range names {
		b, err := os.ReadFile(n)
		if err != nil {
			t.Fatal(err)
		}
		docs[filepath.Base(n)] = b
	}
	return docs
}
