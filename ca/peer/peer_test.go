package peer_test

import (
	"context"
	"crypto"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/emmansun/gmsm/smx509"
	"github.com/google/uuid"

	"github.com/yinxin-gov/yinxin/authz/ledger"
	"github.com/yinxin-gov/yinxin/ca/catest"
	"github.com/yinxin-gov/yinxin/ca/peer"
	"github.com/yinxin-gov/yinxin/ca/peer/peertest"
	"github.com/yinxin-gov/yinxin/internal/uscc"
)

// code is a valid unified social credit code of samples.
func code(body string) string { return body + string(uscc.Check(body)) }

var house, cityUnit, otherUnit = code("11110102MB1234567"), code("11110000MB7654321"), code("11310000MB1112223")

// world has two officers, answers that somebody signed, and the authorities of a
// domain on both tracks.
type world struct {
	*peer.Service
	cfg     peer.Config
	reg     *catest.Peers
	at      time.Time
	own     *peertest.Authority
	answers map[string]peer.Answer // by digest
	systems map[string]string      // unit by system
	refused []ledger.Event

	root, issuing, gmRoot, gmIssuing *peertest.Authority
	key                              crypto.Signer
	sign, enc                        *smx509.Certificate
}

func newWorld(t *testing.T) *world {
	t.Helper()
	at := time.Date(2026, 5, 1, 0, 0, 0, 0, time.UTC)
	w := &world{reg: &catest.Peers{}, at: at, answers: map[string]peer.Answer{}, systems: map[string]string{"civil-a": house}}
	w.own = peertest.Root(t, true, at, nil)
	w.root, w.gmRoot = peertest.Root(t, false, at, nil), peertest.Root(t, true, at, nil)
	w.issuing, w.gmIssuing = w.root.Below(t, nil), w.gmRoot.Below(t, nil)
	w.key = peertest.Key(t, false)
	w.sign = w.gmIssuing.Leaf(t, peertest.Key(t, true).Public(), "", cityUnit, nil)
	w.enc = w.gmIssuing.Leaf(t, peertest.Key(t, true).Public(), "", cityUnit, func(c *smx509.Certificate) { c.KeyUsage = smx509.KeyUsageKeyEncipherment })
	w.cfg = peer.Config{
		Register: w.reg, Approver: w, Posts: w, Systems: w, Recorder: w, House: house, Actor: ledger.Actor{Kind: "service", ID: "yinxin", Unit: house},
		Own: func(context.Context) ([][]byte, error) { return [][]byte{w.own.Cert.Raw}, nil }, Actions: []string{"copy", "forward", "read"}, Now: func() time.Time { return w.at },
		NewID: func() string { return uuid.Must(uuid.NewV7()).String() },
	}
	var err error
	if w.Service, err = peer.New(w.cfg); err != nil {
		t.Fatal(err)
	}
	return w
}

func (w *world) Holds(_ context.Context, person, unit string, roles ...string) (bool, error) {
	return unit == house && (person == "admin" && slices.Contains(roles, "system_admin") || person == "officer" && slices.Contains(roles, "ra_officer")), nil
}

func (w *world) Answer(_ context.Context, e peer.Entry) (peer.Answer, error) {
	got, ok := w.answers[e.Digest()]
	if !ok {
		return peer.Answer{}, peer.ErrNotApproved
	}
	return got, nil
}

func (w *world) Registered(_ context.Context, system string) (string, bool, error) {
	unit, ok := w.systems[system]
	return unit, ok, nil
}

func (w *world) Enter(_ context.Context, _ ledger.Actor, e peer.Entry, s peer.System) error {
	if d, err := w.reg.DomainOf(context.Background(), s.ID); err != nil || d != e.Domain {
		return errors.New("a system is registered before it is marked")
	}
	w.systems[s.ID] = s.Unit
	return nil
}

func (w *world) Append(_ context.Context, ev ledger.Event) (ledger.Receipt, error) {
	w.refused = append(w.refused, ev)
	return ledger.Receipt{}, nil
}

func person(id string) ledger.Actor { return ledger.Actor{Kind: "person", ID: id, Unit: house} }

const host = "exchange.city.example"

func (w *world) entry() peer.Entry {
	return peer.Entry{
		Domain: "city", Name: "样例市共享交换平台", Operator: cityUnit, Kind: peer.KindCity, Anchors: [][]byte{w.root.Cert.Raw, w.gmRoot.Cert.Raw},
		Issuing: [][]byte{w.issuing.Cert.Raw, w.gmIssuing.Cert.Raw}, Hosts: []string{"city.example"}, Units: []string{cityUnit}, Level: 2,
		Actions: []string{"copy", "forward"}, Purposes: []string{"statistics"}, Lists: []string{"http://crl.city.example/a.crl"}, Stale: 24 * time.Hour,
		Systems: []peer.System{{ID: "city-exchange", Name: "样例交换平台", Host: host, Unit: cityUnit, UnitName: "样例市经信局", Sign: w.sign.Raw, Enc: w.enc.Raw}},
		From:    w.at.Add(-time.Hour), Until: w.at.AddDate(1, 0, 0), Reason: "市区两级数据传输",
	}
}

// agreed proposes an entry and lets a second person say yes.
func (w *world) agreed(t *testing.T, e peer.Entry) peer.Entry {
	t.Helper()
	e, _, err := w.Propose(t.Context(), person("admin"), e)
	want(t, err, nil)
	w.answers[e.Digest()] = peer.Answer{ID: "a-1", Yes: true}
	e, _, err = w.Settle(t.Context(), person("officer"), e.ID)
	want(t, err, nil)
	return e
}

// listed imports fresh lists of every authority.
func (w *world) listed(t *testing.T, gone ...*smx509.Certificate) {
	t.Helper()
	for _, a := range []*peertest.Authority{w.root, w.issuing, w.gmRoot, w.gmIssuing} {
		_, err := w.Import(t.Context(), person("officer"), "city", a.List(t, w.at, nil, gone...), "样例光盘")
		want(t, err, nil)
	}
}

func (w *world) leaf(t *testing.T, change func(*smx509.Certificate)) *smx509.Certificate {
	t.Helper()
	return w.issuing.Leaf(t, w.key.Public(), host, cityUnit, change)
}

func want(t *testing.T, got, want error) {
	t.Helper()
	if !errors.Is(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

// 西政办发〔2014〕14号 art. 5: a domain counts from the second person's yes until it
// is withdrawn, which one person does at once.
func TestX14_05_DomainCountsBetweenApprovalAndEnd(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	leaf := w.leaf(t, nil)
	e, _, err := w.Propose(ctx, person("admin"), w.entry())
	want(t, err, nil)
	_, err = w.Client(ctx, leaf.Raw)
	want(t, err, peer.ErrAnchor)
	_, _, err = w.Settle(ctx, person("officer"), e.ID)
	want(t, err, peer.ErrNotApproved)
	w.answers[e.Digest()] = peer.Answer{ID: "a-1", Yes: true}
	e, _, err = w.Settle(ctx, person("officer"), e.ID)
	want(t, err, nil)
	if w.systems["city-exchange"] != cityUnit {
		t.Error("its system is not registered")
	}
	_, err = w.Client(ctx, leaf.Raw)
	want(t, err, peer.ErrNoList)
	w.listed(t)
	got, err := w.Client(ctx, leaf.Raw)
	want(t, err, nil)
	if got.System != "city-exchange" || got.Domain != "city" || got.Unit != cityUnit {
		t.Errorf("%+v", got)
	}
	for _, half := range []func(context.Context, string, string) ([]byte, error){w.Signing, w.Encryption} {
		_, err = half(ctx, "city", "city-exchange")
		want(t, err, nil)
	}
	b, err := w.Bound(ctx, "city-exchange")
	want(t, err, nil)
	if b == nil || b.Level != 2 {
		t.Errorf("%+v", b)
	}
	if b, err = w.Bound(ctx, "civil-a"); b != nil || err != nil {
		t.Errorf("a system of the house: %+v %v", b, err)
	}
	start := w.at
	w.at = e.Until
	_, err = w.Client(ctx, leaf.Raw)
	want(t, err, peer.ErrWithdrawn)
	w.at = start
	_, _, err = w.Withdraw(ctx, person("clerk"), e.ID, "样例")
	want(t, err, peer.ErrForbidden)
	_, _, err = w.Withdraw(ctx, person("officer"), e.ID, "")
	want(t, err, peer.ErrInvalid)
	_, _, err = w.Withdraw(ctx, person("officer"), e.ID, "对方平台停用")
	want(t, err, nil)
	w.at = w.at.Add(time.Hour)
	_, err = w.Client(ctx, leaf.Raw)
	want(t, err, peer.ErrWithdrawn)
	_, err = w.Encryption(ctx, "city", "city-exchange")
	want(t, err, peer.ErrWithdrawn)
	if b, err = w.Bound(ctx, "city-exchange"); err != nil || b == nil || b.Level != 0 || b.Actions != nil {
		t.Errorf("after its end: %+v, %v", b, err)
	}
	for _, ev := range w.refused {
		if ev.Type != "ca.peer.refused_caller" || ev.Outcome != ledger.Failure || ev.Payload == "" {
			t.Errorf("%+v", ev)
		}
	}
	if len(w.refused) != 3 { // no list, over, withdrawn an hour later; not what no domain stands behind
		t.Errorf("%d refusals on the ledger", len(w.refused))
	}
}

// Each certificate is refused for its own reason.
func TestX14_05_CertificatesRefused(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	w.agreed(t, w.entry())
	constrained := w.root.Below(t, func(c *smx509.Certificate) {
		c.PermittedDNSDomainsCritical, c.PermittedDNSDomains = true, []string{"other.example"}
	})
	excluded := w.root.Below(t, func(c *smx509.Certificate) {
		c.PermittedDNSDomainsCritical, c.ExcludedDNSDomains = true, []string{"exchange.city.example"}
	})
	loose := peertest.Root(t, false, w.at, nil)
	revoked := w.leaf(t, nil)
	w.listed(t, revoked)
	next := w.entry()
	list, err := w.InForce(ctx)
	want(t, err, nil)
	next.Replaces, next.Issuing = list[0].ID, append(next.Issuing, constrained.Cert.Raw, excluded.Cert.Raw)
	w.agreed(t, next)
	for name, c := range map[string]struct {
		crt  *smx509.Certificate
		want error
	}{
		"good":                        {w.leaf(t, nil), nil},
		"capital letters":             {w.leaf(t, func(c *smx509.Certificate) { c.DNSNames = []string{"Exchange.City.example"} }), nil},
		"revoked":                     {revoked, peer.ErrRevoked},
		"RFC 5280 4.2.1.10 permitted": {constrained.Leaf(t, w.key.Public(), host, cityUnit, nil), peer.ErrName},
		"RFC 5280 4.2.1.10 excluded":  {excluded.Leaf(t, w.key.Public(), host, cityUnit, nil), peer.ErrName},
		"another anchor":              {loose.Leaf(t, w.key.Public(), host, cityUnit, nil), peer.ErrAnchor},
		"name of another domain":      {w.leaf(t, func(c *smx509.Certificate) { c.DNSNames = append(c.DNSNames, "x.other.example") }), peer.ErrName},
		"suffix that is no label":     {w.leaf(t, func(c *smx509.Certificate) { c.DNSNames = []string{"evilcity.example"} }), peer.ErrName},
		"wildcard":                    {w.leaf(t, func(c *smx509.Certificate) { c.DNSNames = []string{"*.city.example"} }), peer.ErrName},
		"unit of another domain":      {w.issuing.Leaf(t, w.key.Public(), host, otherUnit, nil), peer.ErrName},
		"an address beside":           {w.leaf(t, func(c *smx509.Certificate) { c.EmailAddresses = []string{"a@other.example"} }), peer.ErrName},
		"no name":                     {w.issuing.Leaf(t, w.key.Public(), "", "", nil), peer.ErrName},
		"issuer alone":                {w.leaf(t, func(c *smx509.Certificate) { c.DNSNames = []string{"unknown.city.example"} }), peer.ErrUnknown},
		"unit alone":                  {w.issuing.Leaf(t, w.key.Public(), "", cityUnit, nil), peer.ErrUnknown},
		"for servers":                 {w.leaf(t, func(c *smx509.Certificate) { c.ExtKeyUsage = []smx509.ExtKeyUsage{smx509.ExtKeyUsageServerAuth} }), peer.ErrUsage},
		"for no use by name":          {w.leaf(t, func(c *smx509.Certificate) { c.ExtKeyUsage = nil }), peer.ErrUsage},
		"encipherment only":           {w.leaf(t, func(c *smx509.Certificate) { c.KeyUsage = smx509.KeyUsageKeyEncipherment }), peer.ErrUsage},
		"an authority": {w.leaf(t, func(c *smx509.Certificate) {
			c.IsCA, c.BasicConstraintsValid, c.KeyUsage = true, true, smx509.KeyUsageCertSign|smx509.KeyUsageDigitalSignature
		}), peer.ErrUsage},
		"over":                     {w.leaf(t, func(c *smx509.Certificate) { c.NotAfter = w.at.Add(-time.Hour) }), peer.ErrPeriod},
		"not yet":                  {w.leaf(t, func(c *smx509.Certificate) { c.NotBefore = w.at.Add(time.Hour) }), peer.ErrPeriod},
		"SM2 at the TLS door":      {w.sign, peer.ErrAlgorithm},
		"signed across the tracks": {w.gmIssuing.Leaf(t, w.key.Public(), host, cityUnit, func(c *smx509.Certificate) { c.ExtKeyUsage = []smx509.ExtKeyUsage{smx509.ExtKeyUsageClientAuth} }), peer.ErrAnchor},
		"the anchor itself":        {w.root.Cert, peer.ErrUsage},
	} {
		got, err := w.Client(ctx, c.crt.Raw)
		if !errors.Is(err, c.want) || (c.want == nil) != (got.System == "city-exchange") {
			t.Errorf("%s: %+v, %v, want %v", name, got, err, c.want)
		}
	}
	if _, err := w.Client(ctx, []byte("x")); !errors.Is(err, peer.ErrCertificate) {
		t.Errorf("no certificate: %v", err)
	}
	// A list counts until it is older than the entry says, not until its own end.
	good := w.leaf(t, nil)
	w.at = w.at.Add(24 * time.Hour)
	_, err = w.Client(ctx, good.Raw)
	want(t, err, nil)
	w.at = w.at.Add(time.Second)
	_, err = w.Client(ctx, good.Raw)
	want(t, err, peer.ErrStale)
	before := len(w.refused)
	for range 5 {
		_, _ = w.Client(ctx, good.Raw)
	}
	if len(w.refused) != before {
		t.Error("the same refusal stands on the ledger again at once")
	}
}

// The anchor of one domain vouches for that domain's names only, and cannot be
// registered for two.
func TestX11_07_NoMixingOfDomains(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	w.agreed(t, w.entry())
	w.listed(t)
	other := w.entry()
	other.Domain, other.Kind, other.Operator, other.Units, other.Hosts = "tax", peer.KindVertical, otherUnit, []string{otherUnit}, []string{"tax.example"}
	other.Systems = []peer.System{{ID: "tax-a", Name: "样例税务系统", Host: "a.tax.example", Unit: otherUnit, UnitName: "样例税务局"}}
	_, _, err := w.Propose(ctx, person("admin"), other)
	want(t, err, peer.ErrAuthority)
	root := peertest.Root(t, false, w.at, nil)
	other.Anchors, other.Issuing = [][]byte{root.Cert.Raw}, nil
	w.agreed(t, other)
	_, err = w.Import(ctx, person("admin"), "tax", root.List(t, w.at, nil), "样例")
	want(t, err, nil)
	got, err := w.Client(ctx, root.Leaf(t, w.key.Public(), "a.tax.example", otherUnit, nil).Raw)
	want(t, err, nil)
	if got.System != "tax-a" {
		t.Errorf("%+v", got)
	}
	_, err = w.Client(ctx, root.Leaf(t, w.key.Public(), host, cityUnit, nil).Raw)
	want(t, err, peer.ErrName)
	_, err = w.Client(ctx, w.issuing.Leaf(t, w.key.Public(), "a.tax.example", "", nil).Raw)
	want(t, err, peer.ErrName)
	stolen := other
	stolen.Domain, stolen.Anchors = "third", [][]byte{peertest.Root(t, false, w.at, nil).Cert.Raw}
	_, _, err = w.Propose(ctx, person("admin"), stolen)
	want(t, err, peer.ErrTaken)
	stolen.Systems[0].ID = "civil-a" // the house's own
	_, _, err = w.Propose(ctx, person("admin"), stolen)
	want(t, err, peer.ErrTaken)
}

// SM2 signatures of the domain are judged at the time of signing.
func TestX11_07_Vouches(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	e := w.agreed(t, w.entry())
	signed := w.at
	want(t, w.Vouches(ctx, e, w.sign.Raw, signed), peer.ErrNoList)
	w.at = w.at.Add(time.Hour)
	w.listed(t, w.sign)
	want(t, w.Vouches(ctx, e, w.sign.Raw, signed), nil)
	want(t, w.Vouches(ctx, e, w.sign.Raw, w.at), peer.ErrRevoked)
	want(t, w.Vouches(ctx, e, w.enc.Raw, signed), peer.ErrUsage)
	want(t, w.Vouches(ctx, e, w.gmIssuing.Leaf(t, peertest.Key(t, true).Public(), "", otherUnit, nil).Raw, signed), peer.ErrName)
	want(t, w.Vouches(ctx, e, w.leaf(t, nil).Raw, signed), peer.ErrAlgorithm)
	_, err := w.Signing(ctx, "city", "city-exchange")
	want(t, err, peer.ErrRevoked)
	_, err = w.Encryption(ctx, "city", "nobody")
	want(t, err, peer.ErrUnknown)
}
