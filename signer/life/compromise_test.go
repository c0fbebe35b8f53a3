package life_test

import (
	"context"
	"crypto/rand"
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"
	"fmt"
	"net/http/httptest"
	"slices"
	"testing"
	"time"

	"github.com/emmansun/gmsm/smx509"

	"github.com/yinxin-gov/yinxin/authz/ledger"
	"github.com/yinxin-gov/yinxin/signer"
	"github.com/yinxin-gov/yinxin/signer/cms/signeddata"
	"github.com/yinxin-gov/yinxin/signer/life"
	"github.com/yinxin-gov/yinxin/signer/signertest"
	"github.com/yinxin-gov/yinxin/signer/tsa"
	"github.com/yinxin-gov/yinxin/signer/verify"
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
func compromised(t *testing.T, options ...signertest.Option) (*signertest.House, *outside, []signer.Use, [][]byte) {
	t.Helper()
	o := &outside{received: map[string][]life.Reliance{}, revoked: map[string]time.Time{}}
	var documents [][]byte
	h := signertest.NewHouse(t, append(options, func(_ *signer.Config, c *life.Config) {
		c.Reports, c.Uses = c.Register.(life.Reports), c.Register.(life.Uses)
		c.Revoker, c.Reliers, c.Notifier = o, o, o
	})...)
	h.To(t, signer.SealActive)
	var uses []signer.Use
	for hour := range 3 {
		h.Set(signertest.Start().Add(time.Duration(hour) * time.Hour))
		doc := signertest.Notice(t)
		got, err := h.Seal(ctx, signertest.Clerk, h.Approve(t, doc).ID, doc, signer.Placement{})
		if err != nil {
			t.Fatal(err)
		}
		uses, documents = append(uses, got.Use), append(documents, got.Document)
		for _, unit := range []string{"unit-a", "unit-b"}[:hour] {
			o.received[got.Use.Sealed] = append(o.received[got.Use.Sealed], life.Reliance{Unit: unit, System: "sys-" + unit, Document: got.Use.Sealed})
		}
	}
	return h, o, uses, documents
}

func report(since time.Time) life.Report {
	return life.Report{Seal: id, Since: since, Reason: "签名密钥疑似泄露"}
}

// 电子签名法 art. 15: stop, revoke, list, tell.
func TestReportCompromise(t *testing.T) {
	h, o, uses, _ := compromised(t)
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
	h, o, uses, _ := compromised(t)
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
	h, o, _, _ := compromised(t)
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
	o.notify = life.ErrOnItsWay // no failure, and not told yet
	if err := h.Life.Deliver(ctx, ""); err != nil {
		t.Error(err)
	}
	if pending, err = h.Life.Notices(ctx, life.NoticeQuery{States: []life.NoticeState{life.NoticePending}}); err != nil || len(pending) != 2 {
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
	h, o, _, _ := compromised(t)
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

// stamps is a time-stamp service whose clock is the house's.
func stamps(t *testing.T) (signertest.Option, []byte) {
	key := newKey(t)
	cert := certify(t, pkix.Name{CommonName: "时间戳"}, key, nil, nil, func(c *smx509.Certificate) {
		c.KeyUsage = smx509.KeyUsageDigitalSignature
		c.ExtraExtensions = []pkix.Extension{{Id: asn1.ObjectIdentifier{2, 5, 29, 37}, Critical: true, Value: []byte{0x30, 10, 6, 8, 0x2b, 6, 1, 5, 5, 7, 3, 8}}}
	})
	digest, err := signeddata.DigestFor(cert)
	if err != nil {
		t.Fatal(err)
	}
	return func(c *signer.Config, _ *life.Config) {
		s, err := tsa.New(tsa.Config{
			Key: key, CertDER: cert, Policy: asn1.ObjectIdentifier{1, 2, 3}, Now: c.Now, Synchronised: func() error { return nil }, Rand: rand.Reader, Recorder: unrecorded{},
		})
		if err != nil {
			t.Fatal(err)
		}
		srv := httptest.NewServer(s)
		t.Cleanup(srv.Close)
		c.Stamper = tsa.Client{URL: srv.URL, HTTP: srv.Client(), Digest: digest}
	}, cert
}

type unrecorded struct{}

func (unrecorded) RecordTimeStamp(context.Context, tsa.Issued) error { return nil }

// reports answers a verifier from the reports alone.
type reports struct{ house *signertest.House }

func (r reports) RevokedAt(ctx context.Context, certDER []byte) (time.Time, bool, error) {
	at, err := r.house.Life.CompromisedSince(ctx, certDER)
	return at, true, err
}

// Journey J7 of reference/regulations §12: what a time-stamp proves to be older
// than the loss of the key stands; what is later, or only says that it is older,
// does not.
func TestVerifyAfterCompromise(t *testing.T) {
	stamped, tsaCert := stamps(t)
	for name, c := range map[string]struct {
		options []signertest.Option
		want    []verify.Verdict // sealed at 10:00, 11:00, 12:00; lost at 11:30
	}{
		"with trusted times": {[]signertest.Option{stamped}, []verify.Verdict{verify.Valid, verify.Valid, verify.Invalid}},
		"claimed times only": {nil, []verify.Verdict{verify.Indeterminate, verify.Indeterminate, verify.Invalid}},
	} {
		t.Run(name, func(t *testing.T) {
			h, _, _, documents := compromised(t, c.options...)
			opt := verify.Options{Trust: verify.NewTrust(h.UnitCert, h.MakerCert, tsaCert), Now: h.Now, Revocation: reports{h}}
			for i, doc := range documents {
				if rep, err := verify.Document(ctx, doc, opt); err != nil || rep.Verdict != verify.Valid {
					t.Fatalf("before the report: document %d is %s, %v", i, rep.Verdict, err)
				}
			}
			if _, _, err := h.Life.ReportCompromise(ctx, signertest.Leader, report(signertest.Start().Add(90*time.Minute))); err != nil {
				t.Fatal(err)
			}
			for i, doc := range documents {
				rep, err := verify.Document(ctx, doc, opt)
				if err != nil || rep.Verdict != c.want[i] || rep.Integrity != verify.Intact {
					t.Errorf("document %d is %s, %s, want %s (%v)", i, rep.Verdict, rep.Integrity, c.want[i], err)
				}
			}
		})
	}
}
