package signer_test

import (
	"bytes"
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
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/emmansun/gmsm/sm2"
	"github.com/emmansun/gmsm/smx509"

	"github.com/yinxin-gov/yinxin/authz/ledger"
	"github.com/yinxin-gov/yinxin/signer"
	"github.com/yinxin-gov/yinxin/signer/ofd"
	"github.com/yinxin-gov/yinxin/signer/seal"
	"github.com/yinxin-gov/yinxin/signer/seal/picture"
	"github.com/yinxin-gov/yinxin/signer/verify"
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
	h := &house{reg: newRegister(t), approved: approver{}, keys: keys{}, now: now}
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
		Register: h.reg, Approver: h.approved, Keys: h.keys, Now: func() time.Time { return h.now },
		NewID:    func() string { return fmt.Sprintf("id-%d", n.Add(1)) },
		Provider: ofd.Provider{Name: "yinxin", Version: "test"},
	})
	if err != nil {
		t.Fatal(err)
	}
	h.Service = s
	return h
}

const sealID = "41010012345678"

func (h *house) spec(t testing.TB) signer.SealSpec {
	t.Helper()
	png, err := picture.Draw(picture.Spec{Unit: "样例区大数据管理局"})
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
	u, _, err := h.RequestUse(context.Background(), clerk, sealID, doc, "通知")
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
	dir, named := os.LookupEnv("YINXIN_CORPUS")
	if !named {
		dir = filepath.Join("..", "..", "shared", "corpus")
	}
	names, err := filepath.Glob(filepath.Join(dir, "ofd", "plain", "*.ofd"))
	if err != nil || named && len(names) == 0 {
		t.Fatalf("YINXIN_CORPUS: no plain documents (%v)", err)
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

// The main job of this room, on every document at hand: the sealed document
// verifies, and the record of the sealing stands before that of the sealed one.
func TestSealEveryDocument(t *testing.T) {
	h := newHouse(t)
	h.makeSeal(t)
	for name, doc := range documents(t) {
		t.Run(name, func(t *testing.T) {
			u := h.approve(t, doc)
			n := len(h.reg.events)
			got, err := h.Seal(context.Background(), clerk, u.ID, doc, signer.Placement{})
			if err != nil {
				t.Fatal(err)
			}
			if want := []string{"signer.document.sealing", "signer.document.sealed"}; !slices.Equal(h.reg.types(n), want) {
				t.Errorf("records %v, want %v", h.reg.types(n), want)
			}
			if got.Use.State != signer.UseSealed || got.Use.Sealed != signer.Digest(got.Document) || got.Receipt.Seq != got.Sealing.Seq+1 {
				t.Errorf("%+v", got.Use)
			}
			rep, err := verify.Document(context.Background(), got.Document, verify.Options{
				Trust: verify.NewTrust(h.unitCert, h.makerCert), Now: func() time.Time { return now }})
			if err != nil {
				t.Fatal(err)
			}
			if rep.Verdict != verify.Valid || rep.Integrity != verify.Intact || len(rep.Signatures) != 1 {
				t.Errorf("%s %s, %d signatures: %+v", rep.Verdict, rep.Integrity, len(rep.Signatures), rep.Checks)
			}
			// A second use seals the sealed document; the first seal stays whole.
			u = h.approve(t, got.Document)
			twice, err := h.Seal(context.Background(), clerk, u.ID, got.Document, signer.Placement{Page: 1, X: 20, Y: 20})
			if err != nil {
				t.Fatal(err)
			}
			rep, err = verify.Document(context.Background(), twice.Document, verify.Options{
				Trust: verify.NewTrust(h.unitCert, h.makerCert), Now: func() time.Time { return now }})
			if err != nil || rep.Verdict != verify.Valid || len(rep.Signatures) != 2 {
				t.Errorf("two seals: %s, %d signatures (%v)", rep.Verdict, len(rep.Signatures), err)
			}
		})
	}
}

func TestDefaultPlaceIsLowerRightOfTheLastPage(t *testing.T) {
	h := newHouse(t)
	h.makeSeal(t)
	doc := notice(t)
	u := h.approve(t, doc)
	got, err := h.Seal(context.Background(), clerk, u.ID, doc, signer.Placement{})
	if err != nil {
		t.Fatal(err)
	}
	p, err := ofd.Open(got.Document)
	if err != nil {
		t.Fatal(err)
	}
	st := p.Signatures()[0].Stamps
	pages := p.Pages()
	if len(st) != 1 || st[0].PageRef != pages[len(pages)-1].ID || st[0].Boundary != (ofd.Box{X: 142, Y: 215, W: 42, H: 42}) {
		t.Errorf("%+v", st)
	}
}

// What must not be sealed: nothing is signed, and nothing but what is said is
// recorded.
func TestSealRefuses(t *testing.T) {
	ctx := context.Background()
	for _, tc := range []struct {
		name string
		edit func(h *house, u *signer.Use, doc *[]byte, actor *ledger.Actor)
		want error
	}{
		{"another document than the approved one", func(_ *house, _ *signer.Use, doc *[]byte, _ *ledger.Actor) {
			*doc = append(bytes.Clone(*doc), 0)
		}, signer.ErrChanged},
		{"an approval that no longer verifies", func(h *house, u *signer.Use, _ *[]byte, _ *ledger.Actor) {
			delete(h.approved, u.ID+" "+u.Document)
		}, signer.ErrNotApproved},
		{"another approval than the recorded one", func(h *house, u *signer.Use, _ *[]byte, _ *ledger.Actor) {
			h.approved[u.ID+" "+u.Document] = "other"
		}, signer.ErrNotApproved},
		{"a suspended seal", func(h *house, _ *signer.Use, _ *[]byte, _ *ledger.Actor) {
			if _, err := h.Withdraw(ctx, admin, sealID, signer.SealSuspended, "遗失"); err != nil {
				h.reg.t.Error(err)
			}
		}, signer.ErrSealState},
		{"a seal out of its period", func(h *house, _ *signer.Use, _ *[]byte, _ *ledger.Actor) {
			h.now = now.AddDate(1, 0, 1)
		}, signer.ErrSealState},
		{"somebody of another unit", func(_ *house, _ *signer.Use, _ *[]byte, a *ledger.Actor) {
			a.Unit = "11410100MB7654321X"
		}, signer.ErrUnit},
		{"a use that nobody asked for", func(_ *house, u *signer.Use, _ *[]byte, _ *ledger.Actor) { u.ID = "none" }, signer.ErrNotFound},
		{"a key that is not the certificate's", func(h *house, _ *signer.Use, _ *[]byte, _ *ledger.Actor) {
			h.keys["unit"] = h.keys["maker"]
		}, seal.ErrLint},
	} {
		t.Run(tc.name, func(t *testing.T) {
			h := newHouse(t)
			h.makeSeal(t)
			doc, actor := notice(t), clerk
			u := h.approve(t, doc)
			tc.edit(h, &u, &doc, &actor)
			n := len(h.reg.events)
			got, err := h.Seal(ctx, actor, u.ID, doc, signer.Placement{})
			if !errors.Is(err, tc.want) || got.Document != nil {
				t.Errorf("%v", err)
			}
			if len(h.reg.events) != n {
				t.Errorf("recorded %v", h.reg.types(n))
			}
		})
	}
}

func TestSealNeedsApproval(t *testing.T) {
	h := newHouse(t)
	h.makeSeal(t)
	doc := notice(t)
	u, _, err := h.RequestUse(context.Background(), clerk, sealID, doc, "通知")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := h.Seal(context.Background(), clerk, u.ID, doc, signer.Placement{}); !errors.Is(err, signer.ErrNotApproved) {
		t.Errorf("requested only: %v", err)
	}
	if _, _, err := h.MarkApproved(context.Background(), clerk, u.ID); !errors.Is(err, signer.ErrNotApproved) {
		t.Errorf("no signature of the leader: %v", err)
	}
}

// One approval seals one document once.
func TestSealOnlyOnce(t *testing.T) {
	h := newHouse(t)
	h.makeSeal(t)
	doc := notice(t)
	u := h.approve(t, doc)
	done := make(chan error, 8)
	for range cap(done) {
		go func() {
			_, err := h.Seal(context.Background(), clerk, u.ID, doc, signer.Placement{})
			done <- err
		}()
	}
	sealed := 0
	for range cap(done) {
		if err := <-done; err == nil {
			sealed++
		} else if !errors.Is(err, signer.ErrNotApproved) {
			t.Error(err)
		}
	}
	if sealed != 1 {
		t.Errorf("sealed %d times", sealed)
	}
}

// Law 4: a signature without its record cannot exist.
func TestNoSignatureWithoutRecord(t *testing.T) {
	boom := errors.New("store down")
	t.Run("the record before fails: the key is never asked", func(t *testing.T) {
		h := newHouse(t)
		h.makeSeal(t)
		doc := notice(t)
		u := h.approve(t, doc)
		asked := &counting{Signer: h.keys["unit"]}
		h.keys["unit"] = asked
		h.reg.fail["signer.document.sealing"] = boom
		if got, err := h.Seal(context.Background(), clerk, u.ID, doc, signer.Placement{}); !errors.Is(err, boom) || got.Document != nil {
			t.Error(err)
		}
		if asked.n != 0 {
			t.Error("signed without a record")
		}
	})
	t.Run("the record after fails: no document, and the use can be reopened", func(t *testing.T) {
		h := newHouse(t)
		h.makeSeal(t)
		doc := notice(t)
		u := h.approve(t, doc)
		h.reg.fail["signer.document.sealed"] = boom
		if got, err := h.Seal(context.Background(), clerk, u.ID, doc, signer.Placement{}); !errors.Is(err, boom) || got.Document != nil {
			t.Error(err)
		}
		delete(h.reg.fail, "signer.document.sealed")
		if _, err := h.Seal(context.Background(), clerk, u.ID, doc, signer.Placement{}); !errors.Is(err, signer.ErrNotApproved) {
			t.Errorf("sealed again while open: %v", err)
		}
		if _, err := h.Reopen(context.Background(), admin, u.ID, "store was down"); err != nil {
			t.Fatal(err)
		}
		if _, err := h.Seal(context.Background(), clerk, u.ID, doc, signer.Placement{}); err != nil {
			t.Error(err)
		}
	})
	t.Run("signing fails: recorded, and back to approved", func(t *testing.T) {
		h := newHouse(t)
		h.makeSeal(t)
		doc := notice(t)
		u := h.approve(t, doc)
		n := len(h.reg.events)
		h.keys["unit"] = broken{h.keys["unit"]}
		if _, err := h.Seal(context.Background(), clerk, u.ID, doc, signer.Placement{}); err == nil || !strings.Contains(err.Error(), "token") {
			t.Error(err)
		}
		if want := []string{"signer.document.sealing", "signer.document.sealing_failed"}; !slices.Equal(h.reg.types(n), want) {
			t.Errorf("records %v", h.reg.types(n))
		}
		if got, _ := h.reg.Use(context.Background(), u.ID); got.State != signer.UseApproved {
			t.Errorf("state %s", got.State)
		}
	})
}

type counting struct {
	crypto.Signer
	n int
}

func (c *counting) Sign(r io.Reader, b []byte, o crypto.SignerOpts) ([]byte, error) {
	c.n++
	return c.Signer.Sign(r, b, o)
}

func TestRequestUseRefuses(t *testing.T) {
	h := newHouse(t)
	h.makeSeal(t)
	doc := notice(t)
	u := h.approve(t, doc)
	got, err := h.Seal(context.Background(), clerk, u.ID, doc, signer.Placement{})
	if err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		name  string
		seal  string
		doc   []byte
		actor ledger.Actor
		want  error
	}{
		{"no OFD", sealID, []byte("%PDF-1.7"), clerk, signer.ErrDocument},
		{"cut off", sealID, doc[:len(doc)/2], clerk, signer.ErrDocument},
		{"a seal on it is broken", sealID, tamper(t, got.Document), clerk, signer.ErrDocument},
		{"no such seal", "41010000000000", doc, clerk, signer.ErrNotFound},
		{"no unit", sealID, doc, ledger.Actor{Kind: "person", ID: "x"}, signer.ErrUnit},
	} {
		t.Run(tc.name, func(t *testing.T) {
			n := len(h.reg.events)
			if _, _, err := h.RequestUse(context.Background(), tc.actor, tc.seal, tc.doc, "t"); !errors.Is(err, tc.want) {
				t.Errorf("%v", err)
			}
			if len(h.reg.events) != n {
				t.Error("recorded")
			}
		})
	}
}

// tamper changes the seal's signature inside a stored (not deflated) value, or
// the last byte of the file's content area otherwise.
func tamper(t testing.TB, doc []byte) []byte {
	t.Helper()
	p, err := ofd.Open(doc)
	if err != nil {
		t.Fatal(err)
	}
	s := p.Signatures()[0]
	value, err := p.Read(s.ValuePath)
	if err != nil {
		t.Fatal(err)
	}
	value = bytes.Clone(value)
	value[len(value)-1] ^= 1
	return rezip(t, doc, strings.TrimPrefix(s.ValuePath, "/"), value)
}

func TestMakeSealRefuses(t *testing.T) {
	h := newHouse(t)
	maker := signer.Maker{KeyID: "maker", CertDER: h.makerCert}
	for _, tc := range []struct {
		name  string
		edit  func(*signer.SealSpec)
		maker signer.Maker
		want  error
	}{
		{"uploaded picture without filing number", func(s *signer.SealSpec) { s.Drawn = false }, maker, signer.ErrFiling},
		{"lint", func(s *signer.SealSpec) { s.ID = "1" }, maker, seal.ErrLint},
		{"maker certificate of another", func(*signer.SealSpec) {}, signer.Maker{KeyID: "maker", CertDER: h.unitCert}, seal.ErrLint},
	} {
		t.Run(tc.name, func(t *testing.T) {
			spec := h.spec(t)
			tc.edit(&spec)
			if _, _, err := h.MakeSeal(context.Background(), admin, spec, tc.maker); !errors.Is(err, tc.want) {
				t.Errorf("%v", err)
			}
		})
	}
	if _, _, err := h.MakeSeal(context.Background(), admin, h.spec(t), signer.Maker{KeyID: "unit", CertDER: h.unitCert}); err == nil {
		t.Error("a unit made its own seal")
	}
	if len(h.reg.events) != 0 || len(h.reg.seals) != 0 {
		t.Error("something was recorded")
	}
	h.makeSeal(t)
	if _, _, err := h.MakeSeal(context.Background(), admin, h.spec(t), maker); !errors.Is(err, signer.ErrExists) {
		t.Errorf("twice: %v", err)
	}
}

func TestWithdraw(t *testing.T) {
	h := newHouse(t)
	h.makeSeal(t)
	ctx := context.Background()
	if _, err := h.Withdraw(ctx, admin, sealID, signer.SealActive, ""); !errors.Is(err, signer.ErrSealState) {
		t.Errorf("loosened without a second signature: %v", err)
	}
	if _, err := h.Withdraw(ctx, admin, sealID, signer.SealCancelled, "机构撤并"); err != nil {
		t.Fatal(err)
	}
	if _, err := h.Withdraw(ctx, admin, sealID, signer.SealSuspended, ""); !errors.Is(err, signer.ErrSealState) {
		t.Errorf("a cancelled seal came back: %v", err)
	}
}

func TestNewNeedsItsParts(t *testing.T) {
	if _, err := signer.New(signer.Config{}); err == nil {
		t.Error("an empty configuration was accepted")
	}
}
