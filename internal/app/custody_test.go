package app

import (
	"crypto"
	"sync"
	"testing"

	"github.com/emmansun/gmsm/sm2"

	"github.com/yinxin-gov/yinxin/authz/identity"
	"github.com/yinxin-gov/yinxin/internal/keys"
	"github.com/yinxin-gov/yinxin/signer"
)

// TestSealKeysInCustody: a seal's key is unlocked once, whoever asks at the same
// time; it is no way to any other key; Close ends it for those who still hold it.
func TestSealKeysInCustody(t *testing.T) {
	cfg, ln := config(t, "")
	ok(t, ln.Close())
	h, _, err := Found(bg, cfg, three)
	ok(t, err)
	order := SealOrder{ID: "11010000000001", Unit: identity.USCC(cfg.USCC), Name: "样章"}
	_, err = h.PrepareSeal(bg, order)
	ok(t, err)

	got := make([]crypto.Signer, 8)
	var all sync.WaitGroup
	for i := range got {
		all.Go(func() {
			k, err := h.custody.Signer(bg, sealKey(order.ID))
			if err == nil {
				_, err = k.Sign(nil, []byte("message"), sm2.DefaultSM2SignerOpts)
			}
			if err != nil {
				t.Error(err)
			}
			got[i] = k
		})
	}
	all.Wait()
	for _, k := range got[1:] {
		if k != got[0] {
			t.Fatal("the key was opened more than once")
		}
	}
	for _, id := range []string{keySM2Root, keyLedger, keyExchange, keyKMC, personKey("x"), ""} {
		if _, err := h.custody.Signer(bg, id); err == nil {
			t.Errorf("the signer room got the key %q", id)
		}
	}
	_, err = h.custody.Signer(bg, sealKey("11010000000099"))
	wantErr(t, err, keys.ErrNotFound)

	ok(t, h.Close())
	_, err = got[0].Sign(nil, []byte("message"), sm2.DefaultSM2SignerOpts)
	wantErr(t, err, keys.ErrClosed)
	_, err = h.custody.Signer(bg, sealKey(order.ID))
	wantErr(t, err, keys.ErrClosed)
}

// TestSealNumbers: a number is 14 digits and belongs to one unit for good.
func TestSealNumbers(t *testing.T) {
	cfg, ln := config(t, "")
	ok(t, ln.Close())
	h, _, err := Found(bg, cfg, three)
	ok(t, err)
	defer func() { ok(t, h.Close()) }()
	for _, id := range []string{"", "maker", "1101000000000", "../../etc/passwd", "1101000000000x"} {
		_, err := h.PrepareSeal(bg, SealOrder{ID: id, Unit: identity.USCC(cfg.USCC)})
		wantErr(t, err, ErrConfig)
	}
	order := SealOrder{ID: "11010000000001", Unit: identity.USCC(cfg.USCC), Name: "样章"}
	first, err := h.PrepareSeal(bg, order)
	ok(t, err)
	again, err := h.PrepareSeal(bg, order)
	ok(t, err)
	if first != again {
		t.Errorf("asked twice: %+v, %+v", first, again)
	}
	other, err := identity.SampleUSCC("110100", 2)
	ok(t, err)
	_, _, err = h.Identity.RegisterAgency(bg, identity.Agency{USCC: other, Name: "样例乙", Kind: identity.KindOrgan, District: "110100", Sample: true}, h.service())
	ok(t, err)
	order.Unit = other
	_, err = h.PrepareSeal(bg, order)
	wantErr(t, err, signer.ErrExists)
}
