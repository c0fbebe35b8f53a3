package status_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/yinxin-gov/yinxin/ca"
	"github.com/yinxin-gov/yinxin/ca/catest"
	"github.com/yinxin-gov/yinxin/ca/profile"
	"github.com/yinxin-gov/yinxin/ca/status"
	"github.com/yinxin-gov/yinxin/ca/status/statustest"
)

func TestNoSignatureWithoutItsRecord(t *testing.T) {
	boom := errors.New("disk full")
	for method, signs := range map[string]int{"Revoked": 0, "PublishedCRL": 0, "AddCRL": 0, "PublishCRL": 1} {
		reg := catest.New()
		h := statustest.New(t, reg)
		s := h.Service()
		a := h.Authorities[profile.ECDSAIssuing]
		before, events := len(a.Key.Signed()), len(reg.Events())
		reg.FailNext(method, boom)
		if err := s.Publish(bg, a.ID, false); !errors.Is(err, boom) {
			t.Errorf("%s: %v", method, err)
		}
		if n := len(a.Key.Signed()) - before; n != signs {
			t.Errorf("%s failed: %d signatures", method, n)
		}
		if n := len(reg.Events()) - events; n != signs {
			t.Errorf("%s failed: %d events", method, n)
		}
		if w := get(s, status.PathCRL+"/"+a.ID+".crl", nil); w.Code != http.StatusNotFound {
			t.Errorf("%s failed: a list is served, %d", method, w.Code)
		}
		// The number stays used: the next list is another.
		if err := s.Publish(bg, a.ID, false); err != nil {
			t.Fatal(err)
		}
		if got := fetch(t, h, s, profile.ECDSAIssuing, "").Number().Int64(); got != int64(1+signs) {
			t.Errorf("%s: next number %d", method, got)
		}
	}
}

// A list that was recorded and not yet published may still come out: the next
// delta has to take back what it says.
func TestADeltaHeedsWhatIsPendingBelowIt(t *testing.T) {
	reg := catest.New()
	h := statustest.New(t, reg)
	s, a := h.Service(), h.Authorities[profile.SM2Issuing]
	cert, _ := h.Issue(profile.SM2Sign, profile.SM2Issuing)
	if err := s.Publish(bg, a.ID, false); err != nil {
		t.Fatal(err)
	}
	h.Set(profile.SM2Issuing, cert.SerialNumber, ca.StateHold, 6)
	reg.FailNext("PublishCRL", errors.New("killed"))
	if err := s.Publish(bg, a.ID, true); err == nil {
		t.Fatal("published")
	}
	h.Set(profile.SM2Issuing, cert.SerialNumber, ca.StateGood, 0)
	names := map[string]string{cert.SerialNumber.String(): "a"}
	for _, want := range []string{"3/1 a:8", "4/1 a:8"} {
		if err := s.Publish(bg, a.ID, true); err != nil {
			t.Fatal(err)
		}
		if got := says(fetch(t, h, s, profile.SM2Issuing, "-delta"), names); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

func TestRunBuildsUntilItIsToldToStop(t *testing.T) {
	reg := catest.New()
	h := statustest.New(t, reg)
	var log bytes.Buffer
	s := h.Service(func(c *status.Config) { c.Log = slog.New(slog.NewTextHandler(&log, nil)) })
	reg.FailNext("Revoked", errors.New("database is away"))
	ctx, cancel := context.WithCancel(bg)
	done := make(chan error)
	go func() { done <- s.Run(ctx) }()
	for range 1000 {
		if _, err := reg.PublishedCRL(bg, s.Issuers()[3], "", true, 0); err == nil {
			break
		}
		time.Sleep(5 * time.Millisecond)
	}
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("ended with %v", err)
	}
	// One authority failed once, was told of, and did not stop the others.
	if !strings.Contains(log.String(), "database is away") {
		t.Errorf("log: %s", &log)
	}
	for n, id := range s.Issuers() {
		if _, err := reg.PublishedCRL(bg, id, "", false, 0); (err == nil) != (n > 0) {
			t.Errorf("authority %d: %v", n, err)
		}
	}
}

// lagging is a replica that has not heard of the newest list.
type lagging struct {
	status.Published
	stale status.CRL
}

func (l *lagging) PublishedCRL(ctx context.Context, issuer, shard string, delta bool, have int64) (status.CRL, error) {
	if l.stale.Number > 0 {
		return l.stale, nil
	}
	return l.Published.PublishedCRL(ctx, issuer, shard, delta, have)
}

func TestAnOvertakenListIsNotServedAgain(t *testing.T) {
	h := statustest.New(t, catest.New())
	replica := &lagging{Published: h.Store}
	s := h.Service(func(c *status.Config) { c.Published = replica })
	id := h.Authorities[profile.ECDSAIssuing].ID
	var first status.CRL
	for n := range 2 {
		if err := s.Publish(bg, id, false); err != nil {
			t.Fatal(err)
		}
		if n == 0 {
			first = must(h.Store.PublishedCRL(bg, id, "", false, 0))
		}
	}
	fetch(t, h, s, profile.ECDSAIssuing, "")
	replica.stale = first
	if got := fetch(t, h, s, profile.ECDSAIssuing, "").Number().Int64(); got != 2 {
		t.Errorf("list %d is served after 2", got)
	}
}

// A node whose clock runs ahead revokes in the future of this one.
func TestNothingIsRevokedLaterThanTheAnswerSaysIt(t *testing.T) {
	onTracks(t, func(t *testing.T, h *statustest.House, issuing, leaf profile.Name) {
		s, a := h.Service(), h.Authorities[issuing]
		cert, _ := h.Issue(leaf, issuing)
		ahead := h.Clock.Now().Add(time.Minute)
		if _, err := h.Store.SetState(bg, a.ID, ca.FormatSerial(cert.SerialNumber), ca.StateRevoked, 1, ahead, h.Event("test.certificate.moved")); err != nil {
			t.Fatal(err)
		}
		if err := s.Publish(bg, a.ID, false); err != nil {
			t.Fatal(err)
		}
		if e := fetch(t, h, s, issuing, "").Entries[0]; !e.At.Equal(h.Clock.Now()) {
			t.Errorf("list: revoked at %s", e.At)
		}
		d, _ := openResponse(t, s.Answer(bg, requestOf(nil, withSM3(a.Cert, cert.SerialNumber))), a.Cert)
		if at := d.Answers[0].Revoked.At; !at.Equal(h.Clock.Now()) {
			t.Errorf("answer: revoked at %s", at)
		}
	})
}
