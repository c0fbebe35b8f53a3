package status_test

import (
	"context"
	"encoding/asn1"
	"errors"
	"testing"
	"time"

	"github.com/yinxin-gov/yinxin/ca"
	"github.com/yinxin-gov/yinxin/ca/catest"
	"github.com/yinxin-gov/yinxin/ca/lint/crl"
	"github.com/yinxin-gov/yinxin/ca/profile"
	"github.com/yinxin-gov/yinxin/ca/status"
	"github.com/yinxin-gov/yinxin/ca/status/statustest"
)

// 电子签名法 art. 23, RFC 5280 5.1.2.5: the lists of an ended service speak until the
// last certificate is over, so that it stands when the key has gone; they name no
// delta, and keep what expired.
func TestFinalLists(t *testing.T) {
	onTracks(t, func(t *testing.T, h *statustest.House, issuing, leaf profile.Name) {
		var end time.Time
		var broken error
		s := h.Service(func(c *status.Config) {
			c.Final = func(context.Context, string) (time.Time, error) { return end, broken }
		})
		gone, _ := h.Issue(leaf, issuing)
		under := issuing
		h.Set(under, gone.SerialNumber, ca.StateRevoked, ca.ReasonKeyCompromise)
		h.Clock.Advance(time.Second)
		build := func() {
			t.Helper()
			if err := s.BuildDue(bg); err != nil {
				t.Fatal(err)
			}
		}
		build()
		first := fetch(t, h, s, under, "")
		h.Clock.Advance(400 * 24 * time.Hour)
		build()
		if v := fetch(t, h, s, under, ""); len(v.Entries) != 0 || !namesDelta(v) {
			t.Fatalf("in service: %d entries long after the end of the certificate", len(v.Entries))
		}
		end = h.Clock.Now().Add(300 * 24 * time.Hour)
		h.Clock.Advance(time.Second)
		build()
		last := fetch(t, h, s, under, "")
		if !last.NextUpdate.Equal(end) || len(last.Entries) != 1 || namesDelta(last) || last.Number().Cmp(first.Number()) <= 0 {
			t.Errorf("final list until %s, want %s; %d entries", last.NextUpdate, end, len(last.Entries))
		}
		build()
		if again := fetch(t, h, s, under, ""); again.Number().Cmp(last.Number()) != 0 {
			t.Error("a final list is built again at once")
		}
		// A revocation still shows, in the next list; a delta is not built any more.
		h.Clock.Advance(13 * time.Hour)
		build()
		if next := fetch(t, h, s, under, ""); next.Number().Int64() != last.Number().Int64()+1 || !next.NextUpdate.Equal(end) {
			t.Errorf("next list %s until %s", next.Number(), next.NextUpdate)
		}
		broken = errors.New("disk")
		h.Clock.Advance(13 * time.Hour)
		if err := s.BuildDue(bg); !errors.Is(err, broken) {
			t.Errorf("unknown whether it has ended: %v", err)
		}
	})
}

func namesDelta(v *crl.View) bool { return v.Extension(asn1.ObjectIdentifier{2, 5, 29, 46}) != nil }

// RFC 6960 2.2: when no responder can be had any more the authority signs itself.
func TestTheAuthorityAnswersAfterItsLastResponder(t *testing.T) {
	h := statustest.New(t, catest.New())
	m := &maker{h: h}
	s := h.Service(func(c *status.Config) { c.Delegate = m.make })
	a := h.Authorities[profile.ECDSAIssuing]
	cert, _ := h.Issue(profile.ECDSALeaf, profile.ECDSAIssuing)
	ask := func() []byte {
		return s.Answer(bg, requestOf([]extension{nonce(16)}, withSM3(a.Cert, cert.SerialNumber)))
	}
	ask()
	openResponse(t, ask(), m.made[0])
	m.failing = ca.ErrClosing
	h.Clock.Advance(31 * 24 * time.Hour)
	if d, _ := openResponse(t, ask(), a.Cert); answerOf(d) != "good" {
		t.Errorf("answer %s", answerOf(d))
	}
}
