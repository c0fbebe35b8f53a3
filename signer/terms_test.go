package signer_test

import (
	"crypto"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/yinxin-gov/yinxin/signer"
	"github.com/yinxin-gov/yinxin/signer/signertest"
)

// Terms are a use of the seal like every other (电子印章管理办法 art. 21): admitted,
// approved, counted against the quota, recorded before and after.
func TestSignTerms(t *testing.T) {
	h := limited(t, signer.Authorisation{Users: []signer.User{{Person: clerk.ID}}, Total: 1})
	digest, ctx := signer.Digest([]byte("terms")), t.Context()
	ask := func() signer.Use {
		t.Helper()
		u, _, err := h.RequestTerms(ctx, clerk, signer.TermsRequest{Seal: sealID, Digest: digest, Title: "agr-1"})
		if err != nil {
			t.Fatal(err)
		}
		return u
	}
	approve := func(u signer.Use) {
		t.Helper()
		h.Approvals.Say(u, "approval-"+u.ID)
		if _, _, err := h.MarkApproved(ctx, clerk, u.ID); err != nil {
			t.Fatal(err)
		}
	}
	signed := 0
	sign := func(key crypto.Signer, e signer.Seal, at time.Time) ([]byte, error) {
		if signed++; key == nil || e.ID != sealID || !at.Equal(h.Now()) {
			t.Errorf("%s at %s", e.ID, at)
		}
		return []byte("value"), nil
	}
	first, second := ask(), ask()
	if _, err := h.SignTerms(ctx, clerk, first.ID, sign); !errors.Is(err, signer.ErrNotApproved) {
		t.Errorf("not approved: %v", err)
	}
	approve(first)
	approve(second)
	away := errors.New("token pulled out")
	if _, err := h.SignTerms(ctx, clerk, first.ID, func(crypto.Signer, signer.Seal, time.Time) ([]byte, error) { return nil, away }); !errors.Is(err, away) {
		t.Errorf("a key that fails: %v", err)
	}
	u, err := h.SignTerms(ctx, clerk, first.ID, sign)
	if err != nil || u.State != signer.UseSealed || u.Sealed != signer.Digest([]byte("value")) || u.Document != digest {
		t.Errorf("%+v, %v", u, err)
	}
	if _, err := h.SignTerms(ctx, clerk, second.ID, sign); !errors.Is(err, signer.ErrQuota) || signed != 1 {
		t.Errorf("over the quota, %d signatures: %v", signed, err)
	}
	if _, _, err := h.RequestTerms(ctx, clerk, signer.TermsRequest{Seal: sealID, Digest: digest, Title: "agr-1"}); !errors.Is(err, signer.ErrQuota) {
		t.Errorf("asked over the quota: %v", err)
	}
}

func TestTermsAreNoDocument(t *testing.T) {
	h, ctx := newHouse(t), t.Context()
	h.makeSeal(t)
	if _, _, err := h.RequestUse(ctx, clerk, signer.UseRequest{Seal: sealID, Document: notice(t), Title: "通知", Type: signer.TypeTerms}); !errors.Is(err, signer.ErrInvalid) {
		t.Errorf("a document under the name of terms: %v", err)
	}
	u := h.approve(t, notice(t))
	if _, err := h.SignTerms(ctx, clerk, u.ID, nil); !errors.Is(err, signer.ErrInvalid) {
		t.Errorf("terms on the approval of a document: %v", err)
	}
	for name, r := range map[string]signer.TermsRequest{
		"no digest": {Seal: sealID, Title: "x"}, "upper case": {Seal: sealID, Title: "x", Digest: strings.Repeat("AB", 32)},
		"no title": {Seal: sealID, Digest: strings.Repeat("ab", 32)},
	} {
		if _, _, err := h.RequestTerms(ctx, clerk, r); !errors.Is(err, signer.ErrInvalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, _, err := h.RequestTerms(ctx, signertest.Admin, signer.TermsRequest{Seal: "no-such-seal", Title: "x", Digest: strings.Repeat("ab", 32)}); !errors.Is(err, signer.ErrNotFound) {
		t.Errorf("no seal: %v", err)
	}
}
