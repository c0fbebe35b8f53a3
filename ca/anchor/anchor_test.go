package anchor_test

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509/pkix"
	"errors"
	"math/big"
	"slices"
	"testing"
	"time"

	"github.com/emmansun/gmsm/sm2"
	"github.com/emmansun/gmsm/smx509"
	"github.com/google/uuid"

	"github.com/yinxin-gov/yinxin/authz/ledger"
	"github.com/yinxin-gov/yinxin/ca/anchor"
	"github.com/yinxin-gov/yinxin/ca/catest"
)

const house = "11110102MB1234567M"

// world has two officers, a clerk, and answers that somebody signed.
type world struct {
	*anchor.Service
	reg     *catest.Anchors
	at      time.Time
	own     *sm2.PrivateKey          // of the house's own root
	answers map[string]anchor.Answer // by digest
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{reg: &catest.Anchors{}, at: time.Date(2026, 5, 1, 0, 0, 0, 0, time.UTC), answers: map[string]anchor.Answer{}}
	var err error
	if w.own, err = sm2.GenerateKey(rand.Reader); err != nil {
		t.Fatal(err)
	}
	w.Service, err = anchor.New(anchor.Config{
		Register: w.reg, Approver: w, Posts: w, House: house, Own: func(context.Context) ([][]byte, error) { return [][]byte{w.root(t, w.own, nil)}, nil }, Now: func() time.Time { return w.at },
		NewID: func() string { return uuid.Must(uuid.NewV7()).String() },
	})
	if err != nil {
		t.Fatal(err)
	}
	return w
}

func (w *world) Holds(_ context.Context, person, unit string, roles ...string) (bool, error) {
	return unit == house && (person == "admin" && slices.Contains(roles, "system_admin") || person == "officer" && slices.Contains(roles, "ra_officer")), nil
}

func (w *world) Answer(_ context.Context, a anchor.Anchor) (anchor.Answer, error) {
	got, ok := w.answers[a.Digest()]
	if !ok {
		return anchor.Answer{}, anchor.ErrNotApproved
	}
	return got, nil
}

func person(id string) ledger.Actor { return ledger.Actor{Kind: "person", ID: id, Unit: house} }

func (w *world) root(t *testing.T, key crypto.Signer, change func(*smx509.Certificate)) []byte {
	t.Helper()
	c := &smx509.Certificate{
		SerialNumber: big.NewInt(7), Subject: pkix.Name{CommonName: "样例电子认证服务根"}, NotBefore: w.at.AddDate(-1, 0, 0), NotAfter: w.at.AddDate(10, 0, 0),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: smx509.KeyUsageCertSign | smx509.KeyUsageCRLSign,
	}
	if change != nil {
		change(c)
	}
	der, err := smx509.CreateCertificate(rand.Reader, c, c, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

func (w *world) entry(t *testing.T) anchor.Anchor {
	t.Helper()
	key, err := sm2.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return anchor.Anchor{
		DER: w.root(t, key, nil), Service: "样例电子认证服务", Licence: "样例〔2026〕1号", URL: "https://ca.example/licence",
		From: w.at.AddDate(0, -1, 0), Until: w.at.AddDate(1, 0, 0), Reason: "市级平台使用该机构的证书",
	}
}

func (w *world) inForce(t *testing.T) int {
	t.Helper()
	all, err := w.InForce(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return len(slices.DeleteFunc(all, func(a anchor.Anchor) bool { return !a.Counts(w.at) }))
}

func want(t *testing.T, got, want error) {
	t.Helper()
	if !errors.Is(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

// 商用密码管理条例 art. 24: an anchor counts from the second person's yes to the
// end of its licence, or until it is withdrawn, which one person does at once.
func TestAnchorCountsOnlyBetweenApprovalAndEnd(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	a, _, err := w.Propose(ctx, person("admin"), w.entry(t))
	want(t, err, nil)
	if w.inForce(t) != 0 {
		t.Error("it counts before anybody approved")
	}
	_, _, err = w.Settle(ctx, person("officer"), a.ID)
	want(t, err, anchor.ErrNotApproved)
	w.answers[a.Digest()] = anchor.Answer{ID: "a-1", Yes: true}
	a, _, err = w.Settle(ctx, person("officer"), a.ID)
	want(t, err, nil)
	if a.State != anchor.InForce || a.Approval != "a-1" || w.inForce(t) != 1 {
		t.Errorf("%+v", a)
	}
	_, _, err = w.Settle(ctx, person("officer"), a.ID)
	want(t, err, anchor.ErrState)
	start := w.at
	for _, c := range []struct {
		at time.Time
		n  int
	}{{a.From.Add(-time.Millisecond), 0}, {a.From, 1}, {a.Until.Add(-time.Millisecond), 1}, {a.Until, 0}} {
		if w.at = c.at; w.inForce(t) != c.n {
			t.Errorf("%s: counts otherwise", c.at)
		}
	}
	w.at = start
	_, _, err = w.Withdraw(ctx, person("clerk"), a.ID, "样例")
	want(t, err, anchor.ErrForbidden)
	_, _, err = w.Withdraw(ctx, person("officer"), a.ID, "")
	want(t, err, anchor.ErrInvalid)
	_, _, err = w.Withdraw(ctx, person("officer"), a.ID, "该机构被吊销许可")
	want(t, err, nil)
	_, _, err = w.Withdraw(ctx, person("officer"), a.ID, "再次")
	want(t, err, anchor.ErrState)
	var told []string
	for _, ev := range w.reg.Events() {
		told = append(told, ev.Type)
		if ev.Details["sha256"] != a.SHA256() || ev.Details["sm3"] != a.SM3() || ev.Payload != a.Digest() {
			t.Errorf("%+v", ev)
		}
	}
	if !slices.Equal(told, []string{"ca.anchor.proposed", "ca.anchor.approved", "ca.anchor.withdrawn"}) || w.inForce(t) != 0 {
		t.Errorf("%v", told)
	}
}

func TestAnchorRefusedOrOverBeforeTheAnswer(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	a, _, err := w.Propose(ctx, person("officer"), w.entry(t))
	want(t, err, nil)
	w.answers[a.Digest()] = anchor.Answer{ID: "a-1"}
	got, _, err := w.Settle(ctx, person("officer"), a.ID)
	want(t, err, nil)
	if got.State != anchor.Refused || w.inForce(t) != 0 {
		t.Errorf("%+v", got)
	}
	b, _, err := w.Propose(ctx, person("officer"), w.entry(t))
	want(t, err, nil)
	w.answers[b.Digest()] = anchor.Answer{ID: "a-2", Yes: true}
	w.at = b.Until
	_, _, err = w.Settle(ctx, person("officer"), b.ID)
	want(t, err, anchor.ErrInvalid)
}

func TestAnchorRefuses(t *testing.T) {
	w := newWorld(t)
	p256, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	want(t, err, nil)
	weak, err := rsa.GenerateKey(rand.Reader, 1024)
	want(t, err, nil)
	spoil := func(change func(*smx509.Certificate)) func(*anchor.Anchor) {
		return func(a *anchor.Anchor) { a.DER = w.root(t, p256, change) }
	}
	for name, c := range map[string]struct {
		actor ledger.Actor
		spoil func(*anchor.Anchor)
		want  error
	}{
		"a clerk":             {actor: person("clerk"), want: anchor.ErrForbidden},
		"a system":            {actor: ledger.Actor{Kind: "system", ID: "admin"}, want: anchor.ErrForbidden},
		"no reason":           {spoil: func(a *anchor.Anchor) { a.Reason = "" }, want: anchor.ErrInvalid},
		"no licence":          {spoil: func(a *anchor.Anchor) { a.Licence = "" }, want: anchor.ErrInvalid},
		"text that turns":     {spoil: func(a *anchor.Anchor) { a.Service = "样例\u202e" }, want: anchor.ErrInvalid},
		"no address":          {spoil: func(a *anchor.Anchor) { a.URL = "javascript:alert(1)" }, want: anchor.ErrInvalid},
		"licence over":        {spoil: func(a *anchor.Anchor) { a.Until = w.at }, want: anchor.ErrInvalid},
		"licence without end": {spoil: func(a *anchor.Anchor) { a.Until = w.at.AddDate(40, 0, 0) }, want: anchor.ErrInvalid},
		"licence backwards":   {spoil: func(a *anchor.Anchor) { a.From = a.Until }, want: anchor.ErrInvalid},
		"not a certificate":   {spoil: func(a *anchor.Anchor) { a.DER = []byte("x") }, want: anchor.ErrCertificate},
		"something follows":   {spoil: func(a *anchor.Anchor) { a.DER = append(slices.Clone(a.DER), 0) }, want: anchor.ErrCertificate},
		"the house's own key": {spoil: func(a *anchor.Anchor) {
			a.DER = w.root(t, w.own, func(c *smx509.Certificate) { c.Subject.CommonName = "另名" })
		}, want: anchor.ErrCertificate},
		"no authority":     {spoil: spoil(func(c *smx509.Certificate) { c.IsCA, c.KeyUsage = false, smx509.KeyUsageDigitalSignature }), want: anchor.ErrCertificate},
		"may not certify":  {spoil: spoil(func(c *smx509.Certificate) { c.KeyUsage = smx509.KeyUsageCRLSign }), want: anchor.ErrCertificate},
		"over":             {spoil: spoil(func(c *smx509.Certificate) { c.NotAfter = w.at.AddDate(0, 0, -1) }), want: anchor.ErrCertificate},
		"not yet":          {spoil: spoil(func(c *smx509.Certificate) { c.NotBefore = w.at.AddDate(0, 0, 1) }), want: anchor.ErrCertificate},
		"a short RSA key":  {spoil: func(a *anchor.Anchor) { a.DER = w.root(t, weak, nil) }, want: anchor.ErrCertificate},
		"signature spoilt": {spoil: func(a *anchor.Anchor) { a.DER = slices.Clone(a.DER); a.DER[len(a.DER)-1] ^= 1 }, want: anchor.ErrCertificate},
	} {
		t.Run(name, func(t *testing.T) {
			a, actor := w.entry(t), c.actor
			if actor.ID == "" {
				actor = person("admin")
			}
			if c.spoil != nil {
				c.spoil(&a)
			}
			_, _, err := w.Propose(t.Context(), actor, a)
			want(t, err, c.want)
		})
	}
	if n := len(w.reg.Events()); n != 0 {
		t.Errorf("%d events", n)
	}
}

// Every proposed field is part of what is signed.
func TestAnchorDigestCoversEveryField(t *testing.T) {
	w := newWorld(t)
	a := w.entry(t)
	a.ID, a.AskedBy, a.AskedAt = "x", "admin", w.at
	seen := map[string]bool{a.Digest(): true}
	for name, change := range map[string]func(*anchor.Anchor){
		"id": func(a *anchor.Anchor) { a.ID = "y" }, "certificate": func(a *anchor.Anchor) { a.DER = []byte("y") }, "service": func(a *anchor.Anchor) { a.Service = "y" },
		"licence": func(a *anchor.Anchor) { a.Licence = "y" }, "url": func(a *anchor.Anchor) { a.URL = "y" }, "from": func(a *anchor.Anchor) { a.From = w.at },
		"until": func(a *anchor.Anchor) { a.Until = w.at }, "reason": func(a *anchor.Anchor) { a.Reason = "y" }, "by": func(a *anchor.Anchor) { a.AskedBy = "y" }, "at": func(a *anchor.Anchor) { a.AskedAt = w.at.AddDate(1, 0, 0) },
	} {
		b := a
		if change(&b); seen[b.Digest()] {
			t.Errorf("%s is not signed", name)
		}
		seen[b.Digest()] = true
	}
}

func TestFakeConforms(t *testing.T) {
	catest.RunAnchors(t, func(*testing.T) anchor.Register { return &catest.Anchors{} })
}
