package status_test

import (
	"crypto"
	"crypto/rand"
	"errors"
	"net/http"
	"testing"
	"time"

	"github.com/emmansun/gmsm/sm2"
	"github.com/emmansun/gmsm/smx509"

	"github.com/yinxin-gov/yinxin/ca"
	"github.com/yinxin-gov/yinxin/ca/catest"
	"github.com/yinxin-gov/yinxin/ca/lint/crl"
	"github.com/yinxin-gov/yinxin/ca/profile"
	"github.com/yinxin-gov/yinxin/ca/status"
	"github.com/yinxin-gov/yinxin/ca/status/statustest"
)

// offline takes the keys of both roots out of the service.
func offline(c *status.Config) {
	for _, i := range []int{0, 2} {
		c.Authorities[i].Signer, c.Authorities[i].Offline = nil, true
	}
}

// sign is what a ceremony does with an ordered list.
func sign(t *testing.T, a *statustest.Authority, tbs []byte) []byte {
	t.Helper()
	var opts crypto.SignerOpts = crypto.SHA256
	if a.Cert.SignatureAlgorithm == smx509.SM2WithSM3 {
		opts = sm2.DefaultSM2SignerOpts
	}
	return must(crypto.SignMessage(a.Key.Signer, rand.Reader, tbs, opts))
}

// RFC 5280 5.2.3: numbers of ordered lists go up, a later published one overtakes
// an earlier order, and nothing but a signature of the recorded bytes counts.
func TestOfflineListsAreOrderedAndImported(t *testing.T) {
	for _, root := range []profile.Name{profile.SM2Root, profile.ECDSARoot} {
		h := statustest.New(t, catest.New())
		s, a := h.Service(offline), h.Authorities[root]
		first, err := s.Order(bg, a.ID)
		if err != nil {
			t.Fatal(err)
		}
		if first.Number != 1 || first.State != status.CRLPending || !first.NextUpdate.Equal(first.ThisUpdate.Add(190*24*time.Hour)) || len(a.Key.Signed()) != 2 {
			t.Errorf("%+v after %d signatures", first, len(a.Key.Signed()))
		}
		view := must(crl.ParseTBS(first.TBS))
		for _, e := range view.Extensions {
			if e.ID.String() == "2.5.29.46" {
				t.Error("it announces a delta that nobody makes")
			}
		}
		second := must(s.Order(bg, a.ID))
		if second.Number != 2 {
			t.Errorf("second order: %d", second.Number)
		}
		other := h.Authorities[profile.SM2Issuing]
		for name, signature := range map[string][]byte{"nothing": nil, "another list's": sign(t, a, first.TBS), "not DER": []byte("x")} {
			if _, err := s.Import(bg, a.ID, second.TBSSM3, signature); !errors.Is(err, status.ErrSignature) {
				t.Errorf("%s: %v", name, err)
			}
		}
		if _, err := s.Import(bg, a.ID, hexSM3([]byte("unknown")), sign(t, a, first.TBS)); !errors.Is(err, status.ErrNoList) {
			t.Errorf("a list that was not ordered: %v", err)
		}
		if _, err := s.Import(bg, other.ID, second.TBSSM3, sign(t, a, second.TBS)); !errors.Is(err, status.ErrOnline) {
			t.Errorf("an online authority: %v", err)
		}
		if _, err := s.Order(bg, "unknown"); !errors.Is(err, status.ErrUnknownIssuer) {
			t.Errorf("unknown authority: %v", err)
		}
		if w := get(s, status.PathCRL+"/"+a.ID+".crl", nil); w.Code != http.StatusNotFound {
			t.Errorf("a list before any was signed: %d", w.Code)
		}
		if c, err := s.Import(bg, a.ID, second.TBSSM3, sign(t, a, second.TBS)); err != nil || c.State != status.CRLPublished {
			t.Errorf("%+v, %v", c, err)
		}
		for _, old := range []status.CRL{first, second} {
			if _, err := s.Import(bg, a.ID, old.TBSSM3, sign(t, a, old.TBS)); !errors.Is(err, status.ErrOvertaken) {
				t.Errorf("list %d again: %v", old.Number, err)
			}
		}
		w := get(s, status.PathCRL+"/"+a.ID+".crl", nil)
		list := must(smx509.ParseRevocationList(w.Body.Bytes()))
		if err := list.CheckSignatureFrom(a.Cert); err != nil || list.Number.Int64() != 2 {
			t.Errorf("served: %v, %v", list.Number, err)
		}
		if ends := must(s.Endings(bg)); len(ends) == 0 || ends[len(ends)-1].Issuer != a.ID || !ends[len(ends)-1].At.Equal(list.NextUpdate) || !ends[0].At.IsZero() && len(ends) > 1 {
			t.Errorf("%+v", ends)
		}
		// The timer leaves it alone.
		h.Clock.Advance(30 * 24 * time.Hour)
		if err := s.BuildDue(bg); err != nil {
			t.Error(err)
		}
		if err := s.Publish(bg, a.ID, false); !errors.Is(err, status.ErrOffline) {
			t.Errorf("published without its key: %v", err)
		}
		if got := must(h.Store.CRLsSince(bg, a.ID, "", 1)); len(got) != 2 || got[0].State != status.CRLVoid {
			t.Errorf("%d lists, the first is %s", len(got), got[0].State)
		}
		under := profile.SM2Issuing
		if root == profile.ECDSARoot {
			under = profile.ECDSAIssuing
		}
		h.Set(root, h.Authorities[under].Cert.SerialNumber, ca.StateRevoked, ca.ReasonSuperseded)
		if third := must(s.Order(bg, a.ID)); third.Number != 3 || third.Entries != 1 {
			t.Errorf("%+v", third)
		}
		// One that ended within the validity of the last list stays on the next
		// one, and leaves later (RFC 5280 3.3).
		h.Clock.Advance(h.Authorities[under].Cert.NotAfter.Add(100 * 24 * time.Hour).Sub(h.Clock.Now()))
		if fourth := must(s.Order(bg, a.ID)); fourth.Entries != 1 {
			t.Errorf("100 days after its end: %d entries", fourth.Entries)
		}
		h.Clock.Advance(100 * 24 * time.Hour)
		if fifth := must(s.Order(bg, a.ID)); fifth.Entries != 0 {
			t.Errorf("200 days after its end: %d entries", fifth.Entries)
		}
		if len(s.Offline()) != 2 {
			t.Errorf("offline: %v", s.Offline())
		}
		if got := s.Answer(bg, requestOf(nil, withSM3(a.Cert, h.Authorities[under].Cert.SerialNumber))); statusOf(t, got) != 6 {
			t.Errorf("answered in the name of an offline authority: %x", got)
		}
	}
}
