package signer_test

import (
	"bytes"
	"context"
	"crypto"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/yinxin-gov/yinxin/authz/ledger"
	"github.com/yinxin-gov/yinxin/signer"
	"github.com/yinxin-gov/yinxin/signer/ofd"
	"github.com/yinxin-gov/yinxin/signer/seal"
)

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
			clear(h.Approvals.Uses)
		}, signer.ErrNotApproved},
		{"another approval than the recorded one", func(h *house, u *signer.Use, _ *[]byte, _ *ledger.Actor) {
			h.Approvals.Say(*u, "other")
		}, signer.ErrNotApproved},
		{"a suspended seal", func(h *house, _ *signer.Use, _ *[]byte, _ *ledger.Actor) {
			if _, _, err := h.Life.Suspend(ctx, admin, sealID, "遗失"); err != nil {
				t.Error(err)
			}
		}, signer.ErrSealState},
		{"a seal before its period", func(h *house, _ *signer.Use, _ *[]byte, _ *ledger.Actor) {
			h.Set(now.AddDate(0, 0, -2))
		}, signer.ErrSealState},
		{"the maker of the seal", func(_ *house, _ *signer.Use, _ *[]byte, a *ledger.Actor) { a.ID = admin.ID }, signer.ErrUser},
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
			n := len(h.reg.Events(0))
			got, err := h.Seal(ctx, actor, u.ID, doc, signer.Placement{})
			if !errors.Is(err, tc.want) || got.Document != nil {
				t.Errorf("%v", err)
			}
			if len(h.reg.Events(0)) != n {
				t.Errorf("recorded %v", h.reg.Events(n))
			}
		})
	}
}

func TestSealNeedsApproval(t *testing.T) {
	h := newHouse(t)
	h.makeSeal(t)
	doc := notice(t)
	u, _, err := h.RequestUse(context.Background(), clerk, signer.UseRequest{Seal: sealID, Document: doc, Title: "通知"})
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
		h.reg.Fail("signer.document.sealing", boom)
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
		h.reg.Fail("signer.document.sealed", boom)
		if got, err := h.Seal(context.Background(), clerk, u.ID, doc, signer.Placement{}); !errors.Is(err, boom) || got.Document != nil {
			t.Error(err)
		}
		h.reg.Fail("signer.document.sealed", nil)
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
		n := len(h.reg.Events(0))
		h.keys["unit"] = broken{h.keys["unit"]}
		if _, err := h.Seal(context.Background(), clerk, u.ID, doc, signer.Placement{}); err == nil || !strings.Contains(err.Error(), "token") {
			t.Error(err)
		}
		if want := []string{"signer.document.sealing", "signer.document.sealing_failed"}; !slices.Equal(h.reg.Events(n), want) {
			t.Errorf("records %v", h.reg.Events(n))
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
			n := len(h.reg.Events(0))
			if _, _, err := h.RequestUse(context.Background(), tc.actor, signer.UseRequest{Seal: tc.seal, Document: tc.doc, Title: "t"}); !errors.Is(err, tc.want) {
				t.Errorf("%v", err)
			}
			if len(h.reg.Events(0)) != n {
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

func TestNewNeedsItsParts(t *testing.T) {
	if _, err := signer.New(signer.Config{}); err == nil {
		t.Error("an empty configuration was accepted")
	}
}

// A document leaves only after its check ran and held.
func TestSignedDocumentIsChecked(t *testing.T) {
	h := newHouse(t)
	e := h.makeSeal(t)
	doc := notice(t)
	job := signer.Job{SealDER: e.DER, CertDER: e.CertDER, Time: now}
	p, err := signer.Prepare(doc, job, h.keys["unit"].Public())
	if err != nil {
		t.Fatal(err)
	}
	if out, err := p.Sign(context.Background(), liar{h.keys["maker"]}); !errors.Is(err, seal.ErrSignature) || out != nil {
		t.Errorf("a custody that signs with another key: %v", err)
	}
	done, cancel := context.WithCancel(context.Background())
	cancel()
	if out, err := p.Sign(done, h.keys["unit"]); !errors.Is(err, signer.ErrSelfCheck) || out != nil {
		t.Errorf("a check that could not run: %v", err)
	}
}

// liar signs with a key of its own, whatever is asked.
type liar struct{ crypto.Signer }
