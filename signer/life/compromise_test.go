package life_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/yinxin-gov/yinxin/authz/ledger"
	"github.com/yinxin-gov/yinxin/signer"
	"github.com/yinxin-gov/yinxin/signer/life"
	"github.com/yinxin-gov/yinxin/signer/signertest"
)

// outside is what the house knows and does beyond its seals.
type outside struct {
	received map[string][]life.Reliance // by sealed document
	revoked  map[string]time.Time       // by SM3 of the certificate
	revoke   error
	notified []string // units
	notify   error
}

func (o *outside) ReliedOn(_ context.Context, documents []string) (out []life.Reliance, err error) {
	for _, d := range documents {
		out = append(out, o.received[d]...)
	}
	return out, nil
}

func (o *outside) Revoke(_ context.Context, _ ledger.Actor, certDER []byte, since time.Time) error {
	if o.revoke == nil {
		o.revoked[signer.Digest(certDER)] = since
	}
	return o.revoke
}

func (o *outside) Notify(_ context.Context, n life.Notice) error {
	if o.notify == nil {
		o.notified = append(o.notified, n.Unit)
	}
	return o.notify
}

// compromised is a house that keeps reports, with documents sealed on three
// hours; the last two were sent to two units.
func compromised(t *testing.T) (*signertest.House, *outside, []signer.Use) {
	t.Helper()
	o := &outside{received: map[string][]life.Reliance{}, revoked: map[string]time.Time{}}
	h := signertest.NewHouse(t, func(_ *signer.Config, c *life.Config) {
		c.Reports, c.Uses = c.Register.(life.Reports), c.Register.(life.Uses)
		c.Revoker, c.Reliers, c.Notifier = o, o, o
	})
	h.To(t, signer.SealActive)
	var uses []signer.Use
	for hour := range 3 {
		h.Set(signertest.Start().Add(time.Duration(hour) * time.Hour))
		doc := signertest.Notice(t)
		got, err := h.Seal(ctx, signertest.Clerk, h.Approve(t, doc).ID, doc, signer.Placement{X: float64(10 + hour), Y: 10, Page: 1})
		if err != nil {
			t.Fatal(err)
		}
		uses = append(uses, got.Use)
		for _, unit := range []string{"unit-a", "unit-b"}[:hour] {
			o.received[got.Use.Sealed] = append(o.received[got.Use.Sealed], life.Reliance{Unit: unit, System: "sys-" + unit, Document: got.Use.Sealed})
		}
	}
	return h, o, uses
}

func report(since time.Time) life.Report {
	return life.Report{Seal: id, Since: since, Reason: "签名密钥疑似泄露"}
}

// 电子签名法 art. 15: stop, revoke, list, tell.
func TestReportCompromise(t *testing.T) {
	h, o, uses := compromised(t)
	since := signertest.Start().Add(30 * time.Minute)
	c, receipt, err := h.Life.ReportCompromise(ctx, signertest.Leader, report(since))
	if err != nil || receipt.EntryID == "" || !c.Done {
		t.Fatalf("%+v, %v", c, err)
	}
	if e, _ := h.Life.Seal(ctx, id); e.State != signer.SealSuspended || !e.CompromisedAt.Equal(since) {
		t.Errorf("the seal is %s", e.State)
	}
	if !slices.Equal(c.Uses, []string{uses[2].ID, uses[1].ID}) {
		t.Errorf("documents since %v: %v", since, c.Uses)
	}
	if got := o.revoked[signer.Digest(h.UnitCert)]; !got.Equal(since) || c.Certificates[0].Revocation != life.Revoked {
		t.Errorf("revoked since %v, %+v", got, c.Certificates)
	}
	if got, err := h.Life.CompromisedSince(ctx, h.UnitCert); err != nil || !got.Equal(since) {
		t.Errorf("since %v, %v", got, err)
	}
	notices, err := h.Life.Notices(ctx, life.NoticeQuery{})
	if err != nil || len(notices) != 2 || !slices.Equal(o.notified, []string{"unit-b", "unit-a"}) && !slices.Equal(o.notified, []string{"unit-a", "unit-b"}) {
		t.Fatalf("%+v, told %v, %v", notices, o.notified, err)
	}
	for _, n := range notices {
		if want := map[string]int{"unit-a": 2, "unit-b": 1}[n.Unit]; len(n.Documents) != want || n.State != life.NoticeDelivered || !slices.Equal(n.Systems, []string{"sys-" + n.Unit}) {
			t.Errorf("%+v", n)
		}
	}
	// It is never used again, whoever signs.
	if err := third(h.Life.AskResume(ctx, signertest.Keeper, id, "找回")); !errors.Is(err, life.ErrCompromised) {
		t.Errorf("%v", err)
	}
	if _, _, err := h.RequestUse(ctx, signertest.Clerk, signer.UseRequest{Seal: id, Document: signertest.Notice(t)}); !errors.Is(err, signer.ErrSealState) {
		t.Errorf("%v", err)
	}
	a := signertest.Application(t)
	a.ID = "41010012345679"
	spec := h.Spec(t)
	spec.ID = a.ID
	h.Walk(t, a, spec, signer.SealApproved)
	if err := third(h.Life.Make(ctx, signertest.Admin, spec, h.Maker())); !errors.Is(err, life.ErrCompromised) {
		t.Errorf("a second seal of the key: %v", err)
	}
}

// The same report again does nothing twice; one of an earlier moment widens it.
func TestReportAgain(t *testing.T) {
	h, o, uses := compromised(t)
	since := signertest.Start().Add(90 * time.Minute)
	first, _, err := h.Life.ReportCompromise(ctx, signertest.Keeper, report(since))
	if err != nil || len(first.Uses) != 1 {
		t.Fatalf("%+v, %v", first, err)
	}
	n := len(h.Register.Events(0))
	if again, _, err := h.Life.ReportCompromise(ctx, signertest.Keeper, report(since.Add(time.Minute))); err != nil || again.Revision != first.Revision || len(h.Register.Events(0)) != n {
		t.Errorf("a later moment: %+v, %v, events %v", again, err, h.Register.Events(n))
	}
	wider, _, err := h.Life.ReportCompromise(ctx, signertest.Leader, report(signertest.Start()))
	if err != nil || wider.ID != first.ID || len(wider.Uses) != len(uses) || !wider.Since.Equal(signertest.Start()) {
		t.Fatalf("%+v, %v", wider, err)
	}
	notices, _ := h.Life.Notices(ctx, life.NoticeQuery{Unit: "unit-a"})
	if len(notices) != 2 || len(notices[0].Documents)+len(notices[1].Documents) != 2 || len(o.notified) != 3 {
		t.Errorf("%+v, told %v", notices, o.notified)
	}
}

// What fails half-way has stopped the seals, and the same report finishes it.
func TestReportInterrupted(t *testing.T) {
	h, o, _ := compromised(t)
	boom := errors.New("authority is down")
	o.revoke, o.notify = boom, boom
	since := signertest.Start()
	c, _, err := h.Life.ReportCompromise(ctx, signertest.Leader, report(since))
	if !errors.Is(err, boom) || c.Done {
		t.Fatalf("%+v, %v", c, err)
	}
	h.Restart(t)
	if e, _ := h.Life.Seal(ctx, id); e.State != signer.SealSuspended {
		t.Fatalf("not stopped: %s", e.State)
	}
	o.revoke = nil
	if c, _, err = h.Life.ReportCompromise(ctx, signertest.Leader, report(since)); !errors.Is(err, boom) || !c.Done {
		t.Fatalf("%+v, %v", c, err)
	}
	pending, err := h.Life.Notices(ctx, life.NoticeQuery{States: []life.NoticeState{life.NoticePending}})
	if err != nil || len(pending) != 2 {
		t.Fatalf("%d pending, %v", len(pending), err)
	}
	o.notify = nil
	if err := h.Life.Deliver(ctx, ""); err != nil || len(o.notified) != 2 {
		t.Fatalf("told %v, %v", o.notified, err)
	}
	for name, a := range map[string]ledger.Actor{"another unit": signertest.Clerk, "nobody": {Kind: "person", ID: "x"}} {
		if _, err := h.Life.Acknowledge(ctx, a, pending[0].ID); !errors.Is(err, signer.ErrUnit) {
			t.Errorf("%s: %v", name, err)
		}
	}
	reader := ledger.Actor{Kind: "person", ID: "reader", Unit: pending[0].Unit}
	for range 2 {
		if n, err := h.Life.Acknowledge(ctx, reader, pending[0].ID); err != nil || n.State != life.NoticeAcknowledged || n.AcknowledgedBy != "reader" {
			t.Errorf("%+v, %v", n, err)
		}
	}
	if _, err := h.Life.Acknowledge(ctx, reader, ""); !errors.Is(err, signer.ErrNotFound) {
		t.Errorf("%v", err)
	}
}

func TestReportRefuses(t *testing.T) {
	h, o, _ := compromised(t)
	past := signertest.Start()
	for name, c := range map[string]struct {
		r    life.Report
		who  ledger.Actor
		want error
	}{
		"no reason":       {life.Report{Seal: id, Since: past}, signertest.Leader, life.ErrReason},
		"tomorrow":        {life.Report{Seal: id, Since: h.Now().AddDate(0, 0, 1), Reason: "x"}, signertest.Leader, signer.ErrInvalid},
		"no moment":       {life.Report{Seal: id, Reason: "x"}, signertest.Leader, signer.ErrInvalid},
		"seal and key":    {life.Report{Seal: id, KeyID: "unit", Since: past, Reason: "x"}, signertest.Leader, signer.ErrInvalid},
		"neither":         {life.Report{Since: past, Reason: "x"}, signertest.Leader, signer.ErrInvalid},
		"no such seal":    {life.Report{Seal: "0", Since: past, Reason: "x"}, signertest.Leader, signer.ErrNotFound},
		"no such key":     {life.Report{KeyID: "0", Since: past, Reason: "x"}, signertest.Leader, signer.ErrNotFound},
		"anybody":         {report(past), signertest.Stranger, life.ErrRole},
		"a plain clerk":   {report(past), signertest.Clerk, life.ErrRole},
		"a system by API": {report(past), ledger.Actor{Kind: "system", ID: "s", Unit: signertest.Unit}, life.ErrRole},
	} {
		if _, _, err := h.Life.ReportCompromise(ctx, c.who, c.r); !errors.Is(err, c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if e, _ := h.Life.Seal(ctx, id); e.State != signer.SealActive || len(o.revoked) != 0 {
		t.Errorf("a refused report stopped the seal: %s", e.State)
	}
	o.revoke = fmt.Errorf("of %w", life.ErrElsewhere)
	if c, _, err := h.Life.ReportCompromise(ctx, signertest.Admin, life.Report{KeyID: signertest.UnitKey, Since: past, Reason: "x"}); err != nil || c.Certificates[0].Revocation != life.RevokedElsewhere || !c.Done {
		t.Errorf("a certificate of another service: %+v, %v", c, err)
	}
}
