package peer_test

import (
	"crypto/rand"
	"crypto/rsa"
	"math/big"
	"slices"
	"testing"
	"time"

	"github.com/emmansun/gmsm/smx509"

	"github.com/yinxin-gov/yinxin/authz/ledger"
	"github.com/yinxin-gov/yinxin/ca/catest"
	"github.com/yinxin-gov/yinxin/ca/peer"
	"github.com/yinxin-gov/yinxin/ca/peer/peertest"
)

func TestEntryRefuses(t *testing.T) {
	w := newWorld(t)
	weak, err := rsa.GenerateKey(rand.Reader, 1024)
	want(t, err, nil)
	root := func(change func(*smx509.Certificate)) func(*peer.Entry) {
		return func(e *peer.Entry) { e.Anchors = [][]byte{peertest.Root(t, false, w.at, change).Cert.Raw} }
	}
	for name, c := range map[string]struct {
		actor ledger.Actor
		spoil func(*peer.Entry)
		want  error
	}{
		"a clerk":                  {actor: person("clerk"), want: peer.ErrForbidden},
		"a system":                 {actor: ledger.Actor{Kind: "system", ID: "admin"}, want: peer.ErrForbidden},
		"no short name":            {spoil: func(e *peer.Entry) { e.Domain = "城市" }, want: peer.ErrInvalid},
		"text that turns":          {spoil: func(e *peer.Entry) { e.Name = "样例\u202e" }, want: peer.ErrInvalid},
		"no reason":                {spoil: func(e *peer.Entry) { e.Reason = "" }, want: peer.ErrInvalid},
		"operator's check digit":   {spoil: func(e *peer.Entry) { e.Operator = e.Operator[:17] + "0" }, want: peer.ErrInvalid},
		"no kind":                  {spoil: func(e *peer.Entry) { e.Kind = "province" }, want: peer.ErrInvalid},
		"no level":                 {spoil: func(e *peer.Entry) { e.Level = 0 }, want: peer.ErrInvalid},
		"level 5":                  {spoil: func(e *peer.Entry) { e.Level = 5 }, want: peer.ErrInvalid},
		"lists that last for ever": {spoil: func(e *peer.Entry) { e.Stale = 90 * 24 * time.Hour }, want: peer.ErrInvalid},
		"lists that last no time":  {spoil: func(e *peer.Entry) { e.Stale = 0 }, want: peer.ErrInvalid},
		"period over":              {spoil: func(e *peer.Entry) { e.Until = w.at }, want: peer.ErrInvalid},
		"period without end":       {spoil: func(e *peer.Entry) { e.Until = w.at.AddDate(20, 0, 0) }, want: peer.ErrInvalid},
		"no names":                 {spoil: func(e *peer.Entry) { e.Hosts, e.Units = nil, nil }, want: peer.ErrInvalid},
		"everybody below cn":       {spoil: func(e *peer.Entry) { e.Hosts = []string{"cn"} }, want: peer.ErrInvalid},
		"wildcard":                 {spoil: func(e *peer.Entry) { e.Hosts = []string{"*.city.example"} }, want: peer.ErrInvalid},
		"a name twice":             {spoil: func(e *peer.Entry) { e.Hosts = []string{"city.example", "city.example"} }, want: peer.ErrInvalid},
		"no action":                {spoil: func(e *peer.Entry) { e.Actions = nil }, want: peer.ErrInvalid},
		"unknown action":           {spoil: func(e *peer.Entry) { e.Actions = []string{"own"} }, want: peer.ErrInvalid},
		"no purpose":               {spoil: func(e *peer.Entry) { e.Purposes = nil }, want: peer.ErrInvalid},
		"list by file":             {spoil: func(e *peer.Entry) { e.Lists = []string{"file:///etc/passwd"} }, want: peer.ErrInvalid},
		"list with a user":         {spoil: func(e *peer.Entry) { e.Lists = []string{"http://a:b@city.example/"} }, want: peer.ErrInvalid},
		"no system":                {spoil: func(e *peer.Entry) { e.Systems = nil }, want: peer.ErrInvalid},
		"host beyond its names":    {spoil: func(e *peer.Entry) { e.Systems[0].Host = "a.other.example" }, want: peer.ErrInvalid},
		"unit beyond its names":    {spoil: func(e *peer.Entry) { e.Systems[0].Unit = otherUnit }, want: peer.ErrInvalid},
		"half a pair":              {spoil: func(e *peer.Entry) { e.Systems[0].Enc = nil }, want: peer.ErrInvalid},
		"pair the wrong way round": {spoil: func(e *peer.Entry) { s := &e.Systems[0]; s.Sign, s.Enc = s.Enc, s.Sign }, want: peer.ErrInvalid},
		"pair of another issuer": {spoil: func(e *peer.Entry) {
			e.Systems[0].Sign = peertest.Root(t, true, w.at, nil).Leaf(t, peertest.Key(t, true).Public(), "", cityUnit, nil).Raw
		}, want: peer.ErrInvalid},
		"pair of another unit": {spoil: func(e *peer.Entry) {
			e.Systems[0].Sign = w.gmIssuing.Leaf(t, peertest.Key(t, true).Public(), "", otherUnit, nil).Raw
		}, want: peer.ErrInvalid},
		"one host for two":         {spoil: func(e *peer.Entry) { s := e.Systems[0]; s.ID = "second"; e.Systems = append(e.Systems, s) }, want: peer.ErrInvalid},
		"replaces nothing":         {spoil: func(e *peer.Entry) { e.Replaces = "none" }, want: peer.ErrExists},
		"the house's system":       {spoil: func(e *peer.Entry) { e.Systems[0].ID = "civil-a" }, want: peer.ErrTaken},
		"no anchor":                {spoil: func(e *peer.Entry) { e.Anchors = nil }, want: peer.ErrAuthority},
		"not a certificate":        {spoil: func(e *peer.Entry) { e.Anchors = [][]byte{[]byte("x")} }, want: peer.ErrAuthority},
		"something follows":        {spoil: func(e *peer.Entry) { e.Anchors[0] = append(slices.Clone(e.Anchors[0]), 0) }, want: peer.ErrAuthority},
		"an anchor below another":  {spoil: func(e *peer.Entry) { e.Anchors = [][]byte{w.issuing.Cert.Raw} }, want: peer.ErrAuthority},
		"an end certificate":       {spoil: func(e *peer.Entry) { e.Issuing = [][]byte{w.sign.Raw} }, want: peer.ErrAuthority},
		"anchor may not certify":   {spoil: root(func(c *smx509.Certificate) { c.KeyUsage = smx509.KeyUsageCRLSign }), want: peer.ErrAuthority},
		"anchor over":              {spoil: root(func(c *smx509.Certificate) { c.NotAfter = w.at.AddDate(0, 0, -1) }), want: peer.ErrAuthority},
		"the house's own root":     {spoil: func(e *peer.Entry) { e.Anchors = [][]byte{w.own.Cert.Raw} }, want: peer.ErrAuthority},
		"the house's key, issuing": {spoil: func(e *peer.Entry) { e.Issuing = append(e.Issuing, w.own.Cert.Raw) }, want: peer.ErrAuthority},
		"signature spoilt":         {spoil: func(e *peer.Entry) { b := slices.Clone(e.Anchors[0]); b[len(b)-1] ^= 1; e.Anchors = [][]byte{b} }, want: peer.ErrAuthority},
		"a short RSA key":          {spoil: func(e *peer.Entry) { e.Anchors = [][]byte{rsaRoot(t, w.at, weak)} }, want: peer.ErrAuthority},
	} {
		t.Run(name, func(t *testing.T) {
			e, actor := w.entry(), c.actor
			if actor.ID == "" {
				actor = person("admin")
			}
			if c.spoil != nil {
				c.spoil(&e)
			}
			_, _, err := w.Propose(t.Context(), actor, e)
			want(t, err, c.want)
		})
	}
	if n := len(w.reg.Events()); n != 0 {
		t.Errorf("%d events", n)
	}
}

func rsaRoot(t *testing.T, at time.Time, key *rsa.PrivateKey) []byte {
	t.Helper()
	c := &smx509.Certificate{SerialNumber: big.NewInt(7), NotBefore: at.AddDate(-1, 0, 0), NotAfter: at.AddDate(1, 0, 0), IsCA: true, BasicConstraintsValid: true, KeyUsage: smx509.KeyUsageCertSign}
	der, err := smx509.CreateCertificate(rand.Reader, c, c, key.Public(), key)
	want(t, err, nil)
	return der
}

// What was sound when it was proposed has to be so when it is answered.
func TestEntryIsJudgedAgainAtTheAnswer(t *testing.T) {
	w := newWorld(t)
	e, _, err := w.Propose(t.Context(), person("admin"), w.entry())
	want(t, err, nil)
	w.answers[e.Digest()] = peer.Answer{ID: "a-1", Yes: true}
	w.systems["city-exchange"] = house // registered meanwhile
	_, _, err = w.Settle(t.Context(), person("officer"), e.ID)
	want(t, err, peer.ErrTaken)
	delete(w.systems, "city-exchange")
	w.at = e.Until
	_, _, err = w.Settle(t.Context(), person("officer"), e.ID)
	want(t, err, peer.ErrInvalid)
	w.answers[e.Digest()] = peer.Answer{ID: "a-2"}
	got, _, err := w.Settle(t.Context(), person("officer"), e.ID)
	want(t, err, nil)
	if got.State != peer.Refused || w.systems["city-exchange"] != "" {
		t.Errorf("%+v", got)
	}
	_, _, err = w.Settle(t.Context(), person("officer"), e.ID)
	want(t, err, peer.ErrState)
}

// A system that the next entry leaves out may do nothing any more.
func TestReplacedEntryBindsWhatItLeavesOut(t *testing.T) {
	w := newWorld(t)
	first := w.agreed(t, w.entry())
	next := w.entry()
	next.Replaces, next.Level = first.ID, 3
	next.Systems = []peer.System{{ID: "city-second", Name: "样例平台二", Host: "second.city.example", Unit: cityUnit, UnitName: "样例市经信局"}}
	w.agreed(t, next)
	if b, err := w.Bound(t.Context(), "city-exchange"); err != nil || b == nil || b.Level != 0 {
		t.Errorf("left out: %+v, %v", b, err)
	}
	if b, err := w.Bound(t.Context(), "city-second"); err != nil || b == nil || b.Level != 3 {
		t.Errorf("new: %+v, %v", b, err)
	}
	got, err := w.Entry(t.Context(), first.ID)
	if err != nil || got.State != peer.Replaced {
		t.Errorf("%+v, %v", got, err)
	}
}

// Every proposed field is part of what is signed.
func TestDigestCoversEveryField(t *testing.T) {
	w := newWorld(t)
	base := w.entry()
	base.ID, base.AskedBy, base.AskedAt = "x", "admin", w.at
	seen := map[string]string{base.Digest(): "nothing"}
	for name, change := range map[string]func(*peer.Entry){
		"id": func(e *peer.Entry) { e.ID = "y" }, "domain": func(e *peer.Entry) { e.Domain = "y" }, "name": func(e *peer.Entry) { e.Name = "y" }, "operator": func(e *peer.Entry) { e.Operator = "y" },
		"kind": func(e *peer.Entry) { e.Kind = "y" }, "anchors": func(e *peer.Entry) { e.Anchors = e.Anchors[:1] }, "issuing": func(e *peer.Entry) { e.Issuing = nil },
		"hosts": func(e *peer.Entry) { e.Hosts = []string{"y"} }, "units": func(e *peer.Entry) { e.Units = nil }, "level": func(e *peer.Entry) { e.Level = 4 }, "actions": func(e *peer.Entry) { e.Actions = nil },
		"purposes": func(e *peer.Entry) { e.Purposes = nil }, "lists": func(e *peer.Entry) { e.Lists = nil }, "stale": func(e *peer.Entry) { e.Stale++ }, "systems": func(e *peer.Entry) { e.Systems = nil },
		"host of a system": func(e *peer.Entry) { e.Systems = []peer.System{e.Systems[0]}; e.Systems[0].Host = "y" }, "pair of a system": func(e *peer.Entry) { e.Systems = []peer.System{e.Systems[0]}; e.Systems[0].Enc = nil },
		"from": func(e *peer.Entry) { e.From = w.at }, "until": func(e *peer.Entry) { e.Until = w.at }, "reason": func(e *peer.Entry) { e.Reason = "y" }, "replaces": func(e *peer.Entry) { e.Replaces = "y" },
		"by": func(e *peer.Entry) { e.AskedBy = "y" }, "at": func(e *peer.Entry) { e.AskedAt = w.at.AddDate(1, 0, 0) },
	} {
		e := base
		if change(&e); seen[e.Digest()] != "" {
			t.Errorf("%s is not signed", name)
		}
		seen[e.Digest()] = name
	}
}

func TestFakeConforms(t *testing.T) {
	catest.RunPeers(t, func(*testing.T) peer.Register { return &catest.Peers{} })
}
