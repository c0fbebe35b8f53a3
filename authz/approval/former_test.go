package approval_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"strings"
	"testing"

	"github.com/emmansun/gmsm/sm2"

	"github.com/yinxin-gov/yinxin/authz/approval"
	"github.com/yinxin-gov/yinxin/authz/ledger"
)

// An approval outlives the certificate that it was signed with: a consent of last
// year stands after its leader has a new one. Nothing new is signed with the old.
func TestVerified_AfterTheCertificateWasRenewed(t *testing.T) {
	w := newWorld(t)
	kept, err := w.decide(w.subject(approval.KindCitation, "s"), "leader", true, "")
	w.must(err)
	former := map[string][]byte{"leader": kept.CertDER}
	var down error
	w.with(func(c *approval.Config) {
		c.Former = func(_ context.Context, person string, der []byte) (bool, error) {
			return bytes.Equal(former[person], der), down
		}
	})
	oldKey := w.keys["leader"]
	key, der := certificate(t, "leader, renewed")
	w.keys["leader"] = key
	_, err = w.people.SetPersonKey(t.Context(), "leader", "key-2", der, admin)
	w.must(err)
	if _, err := w.svc.Verified(t.Context(), approval.KindCitation, "s", digest); err != nil {
		t.Errorf("the former certificate: %v", err)
	}
	fresh := kept
	fresh.Subject.ID = "s2"
	msg, err := approval.Payload(fresh.Subject, true, "", "leader", fresh.At)
	w.must(err)
	fresh.Signature, err = oldKey.Sign(rand.Reader, msg, sm2.DefaultSM2SignerOpts)
	w.must(err)
	if _, _, err := w.svc.Submit(t.Context(), fresh, ledger.Actor{Kind: "person", ID: "leader"}); !errors.Is(err, approval.ErrSignature) || !strings.Contains(err.Error(), "registered") {
		t.Errorf("a new approval with the former certificate: %v", err)
	}
	former["leader2"], former["leader"] = kept.CertDER, nil
	if _, err := w.svc.Verified(t.Context(), approval.KindCitation, "s", digest); !errors.Is(err, approval.ErrSignature) {
		t.Errorf("another person's former certificate: %v", err)
	}
	if down = errors.New("registry is down"); !errors.Is(w.verified("s"), down) {
		t.Errorf("a registry that is down: %v", w.verified("s"))
	}
}

func (w *world) verified(id string) error {
	_, err := w.svc.Verified(context.Background(), approval.KindCitation, id, digest)
	return err
}
