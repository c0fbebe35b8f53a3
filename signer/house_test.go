package signer_test

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"io"
	"math/big"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/emmansun/gmsm/sm2"
	"github.com/emmansun/gmsm/smx509"

	"github.com/yinxin-gov/yinxin/authz/ledger"
	"github.com/yinxin-gov/yinxin/signer"
	"github.com/yinxin-gov/yinxin/signer/ofd"
	"github.com/yinxin-gov/yinxin/signer/ofd/ofdtest"
	"github.com/yinxin-gov/yinxin/signer/seal"
	"github.com/yinxin-gov/yinxin/signer/seal/picture"
)

const unit = "11410100MB1234567X"

var (
	now   = time.Date(2026, 6, 1, 2, 0, 0, 0, time.UTC)
	clerk = ledger.Actor{Kind: "person", ID: "clerk", Unit: unit, Role: "clerk"}
	admin = ledger.Actor{Kind: "person", ID: "seal-admin"}
)

type keys map[string]crypto.Signer

func (k keys) Signer(_ context.Context, id string) (crypto.Signer, error) {
	if s, ok := k[id]; ok {
		return s, nil
	}
	return nil, errors.New("no such key")
}

// broken is a custody that fails when asked to sign.
type broken struct{ crypto.Signer }

func (broken) Sign(io.Reader, []byte, crypto.SignerOpts) ([]byte, error) {
	return nil, errors.New("token pulled out")
}

// house is a signer room with a seal in it.
type house struct {
	*signer.Service
	reg       *register
	approved  approver
	consents  *consents
	keys      keys
	now       time.Time
	makerCert []byte
	unitCert  []byte
}

func certificate(t testing.TB, key *sm2.PrivateKey, name string) []byte {
	t.Helper()
	c := &smx509.Certificate{
		SerialNumber: big.NewInt(int64(len(name)) + 1000), Subject: pkix.Name{CommonName: name},
		NotBefore: now.AddDate(0, -1, 0), NotAfter: now.AddDate(1, 1, 0),
		KeyUsage: smx509.KeyUsageDigitalSignature | smx509.KeyUsageContentCommitment,
	}
	der, err := smx509.CreateCertificate(rand.Reader, c, c, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

func newHouse(t testing.TB) *house {
	t.Helper()
	h := &house{reg: newRegister(t), approved: approver{}, consents: &consents{}, keys: keys{}, now: now}
	for _, id := range []string{"maker", "unit"} {
		k, err := sm2.GenerateKey(rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		h.keys[id] = k
		if id == "maker" {
			h.makerCert = certificate(t, k, "印章制作系统")
		} else {
			h.unitCert = certificate(t, k, "样例区大数据管理局")
		}
	}
	var n atomic.Int64
	s, err := signer.New(signer.Config{
		Register: h.reg, Approver: h.approved, Recorder: h.reg, Keys: h.keys, Now: func() time.Time { return h.now },
		NewID:    func() string { return fmt.Sprintf("id-%d", n.Add(1)) },
		Provider: ofd.Provider{Name: "yinxin", Version: "test"}, Consents: h.consents, Batches: h.reg,
	})
	if err != nil {
		t.Fatal(err)
	}
	h.Service = s
	return h
}

// drawn is one picture for all tests.
var drawn = sync.OnceValues(func() ([]byte, error) {
	return picture.Draw(picture.Spec{Unit: "样例区大数据管理局"})
})

const sealID = "41010012345678"

func (h *house) spec(t testing.TB) signer.SealSpec {
	t.Helper()
	png, err := drawn()
	if err != nil {
		t.Fatal(err)
	}
	return signer.SealSpec{
		ID: sealID, Unit: unit, Name: "样例区大数据管理局（样章）", CertDER: h.unitCert, KeyID: "unit",
		ValidFrom: now.AddDate(0, 0, -1), ValidUntil: now.AddDate(1, 0, 0), Drawn: true,
		Picture: seal.Picture{Type: "PNG", Data: png, Width: 42, Height: 42},
	}
}

func (h *house) makeSeal(t testing.TB) signer.Seal {
	t.Helper()
	s, _, err := h.MakeSeal(context.Background(), admin, h.spec(t), signer.Maker{KeyID: "maker", CertDER: h.makerCert})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// approve requests a use, lets the leader sign, and marks it.
func (h *house) approve(t testing.TB, doc []byte) signer.Use {
	t.Helper()
	u, _, err := h.RequestUse(context.Background(), clerk, signer.UseRequest{Seal: sealID, Document: doc, Title: "通知"})
	if err != nil {
		t.Fatal(err)
	}
	h.approved[u.ID+" "+u.Document] = "approval-" + u.ID
	if u, _, err = h.MarkApproved(context.Background(), clerk, u.ID); err != nil {
		t.Fatal(err)
	}
	return u
}

func notice(t testing.TB) []byte {
	t.Helper()
	doc, err := ofd.NewNotice(ofd.Notice{
		Title: "关于启用电子印章的通知", DocNo: "样数发〔2026〕1号", Body: []string{"各单位：", "自即日起启用电子印章。"},
		Issuer: "样例区大数据管理局", Date: now,
	})
	if err != nil {
		t.Fatal(err)
	}
	return doc
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
