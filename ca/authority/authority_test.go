package authority_test

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/emmansun/gmsm/sm2"
	"github.com/emmansun/gmsm/smx509"
	"github.com/google/uuid"

	"github.com/yinxin-gov/yinxin/authz/ledger"
	"github.com/yinxin-gov/yinxin/ca"
	"github.com/yinxin-gov/yinxin/ca/authority"
	"github.com/yinxin-gov/yinxin/ca/catest"
	"github.com/yinxin-gov/yinxin/ca/profile"
)

const house = "11110102MB1234567M"

// keyring is custody in memory; a key that is away is on another node.
type keyring struct {
	mu   sync.Mutex
	keys map[string]crypto.Signer // guarded by mu
	away bool                     // guarded by mu
}

func (k *keyring) Make(_ context.Context, id string, alg profile.Algorithm) (_ *ecdsa.PublicKey, err error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.keys[id] == nil {
		if alg == profile.SM2 {
			k.keys[id], err = sm2.GenerateKey(rand.Reader)
		} else {
			k.keys[id], err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		}
		if err != nil {
			return nil, err
		}
	}
	return k.keys[id].Public().(*ecdsa.PublicKey), nil
}

func (k *keyring) Signer(_ context.Context, id string) (crypto.Signer, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.keys[id] == nil || k.away {
		return nil, errors.New("no such key here")
	}
	return k.keys[id], nil
}

// world is a house with its two nodes over one register.
type world struct {
	*authority.Service
	t       *testing.T
	other   *authority.Service // another node
	keys    *keyring           // of the first node
	away    *keyring           // of the other
	reg     *catest.Generations
	certs   *catest.Registry
	at      time.Time
	four    ca.Authorities
	answers map[string]authority.Answer // by digest
}

func newWorld(t *testing.T, offline bool) *world {
	t.Helper()
	w := &world{t: t, keys: &keyring{keys: map[string]crypto.Signer{}}, reg: &catest.Generations{}, certs: catest.New(), at: time.Date(2026, 6, 1, 8, 0, 0, 0, time.UTC), answers: map[string]authority.Answer{}}
	key := func(id string, alg profile.Algorithm) crypto.Signer {
		_, err := w.keys.Make(t.Context(), id, alg)
		ok(t, err)
		return w.keys.keys[id]
	}
	site := profile.Site{CPS: "http://ca.gov.internal/cps", CRL: "http://ca.gov.internal/crl/{issuer}.crl", OCSP: "http://ca.gov.internal/ocsp", Issuers: "http://ca.gov.internal/issuers/{issuer}.cer"}
	newID := func() string { return uuid.Must(uuid.NewV7()).String() }
	now := func() time.Time { return w.at }
	var err error
	w.four, err = ca.Bootstrap(t.Context(), ca.BootstrapConfig{
		Organization: "样例区", Agency: house, Site: site, Registry: w.certs, Actor: ledger.Actor{Kind: "service", ID: "init"}, Now: now, Rand: rand.Reader, NewID: newID,
		SM2Root: key("sm2-root", profile.SM2), SM2Issuing: key("sm2-issuing", profile.SM2), ECDSARoot: key("ecdsa-root", profile.ECDSA), ECDSAIssuing: key("ecdsa-issuing", profile.ECDSA),
	})
	ok(t, err)
	founding := authority.Generation{AskedAt: w.at}
	for _, m := range []struct {
		track         profile.Algorithm
		root, issuing []byte
	}{{profile.SM2, w.four.SM2Root, w.four.SM2Issuing}, {profile.ECDSA, w.four.ECDSARoot, w.four.ECDSAIssuing}} {
		rootKey := string(m.track) + "-root"
		if offline {
			rootKey = ""
		}
		r, i := parse(t, m.root), parse(t, m.issuing)
		founding.Members = append(founding.Members,
			authority.Member{Track: m.track, Kind: authority.Root, Key: rootKey, By: rootKey, Issuer: ca.IssuerID(r), Serial: ca.FormatSerial(r.SerialNumber), DER: m.root},
			authority.Member{Track: m.track, Kind: authority.Issuing, Key: string(m.track) + "-issuing", By: rootKey, Issuer: ca.IssuerID(r), Serial: ca.FormatSerial(i.SerialNumber), DER: m.issuing})
	}
	cfg := authority.Config{
		Register: w.reg, Registry: w.certs, Keys: w.keys, Approver: w, Posts: w, Founding: founding, House: house, Organization: "样例区",
		Site: site, Now: now, Rand: rand.Reader, NewID: newID,
	}
	w.Service, err = authority.New(cfg)
	ok(t, err)
	w.away = &keyring{keys: map[string]crypto.Signer{"sm2-issuing": w.keys.keys["sm2-issuing"]}}
	cfg.Keys = w.away
	w.other, err = authority.New(cfg)
	ok(t, err)
	return w
}

func (w *world) Holds(_ context.Context, person, unit string, roles ...string) (bool, error) {
	return unit == house && (person == "admin" && slices.Contains(roles, "system_admin") || person == "officer" && slices.Contains(roles, "ra_officer")), nil
}

func (w *world) Answer(_ context.Context, g authority.Generation) (authority.Answer, error) {
	got, ok := w.answers[g.Digest()]
	if !ok {
		return authority.Answer{}, authority.ErrNotApproved
	}
	return got, nil
}

var (
	admin   = ledger.Actor{Kind: "person", ID: "admin", Unit: house}
	service = ledger.Actor{Kind: "service", ID: "yinxin"}
)

func (w *world) approve(g authority.Generation) {
	w.t.Helper()
	w.answers[g.Digest()] = authority.Answer{ID: "a-1", Yes: true}
	_, _, err := w.Settle(w.t.Context(), ledger.Actor{Kind: "person", ID: "officer", Unit: house}, g.Number)
	ok(w.t, err)
}

// succeed takes the house to its next generation.
func (w *world) succeed(newRoots bool) authority.Generation {
	w.t.Helper()
	g, _, err := w.Prepare(w.t.Context(), admin, authority.Order{NewRoots: newRoots, Reason: "样例"})
	ok(w.t, err)
	w.approve(g)
	if done, err := w.Switch(w.t.Context(), service); !done || err != nil {
		w.t.Fatal(done, err)
	}
	return g
}

// leaf issues a certificate under the authority that is current.
func (w *world) leaf(track profile.Algorithm) (*smx509.Certificate, ca.Issuer) {
	w.t.Helper()
	by, err := w.Track(track).Current(w.t.Context())
	ok(w.t, err)
	name, public := profile.SM2Ledger, w.keys.keys["sm2-issuing"].Public()
	if track == profile.ECDSA {
		name, public = profile.ECDSATSA, w.keys.keys["ecdsa-issuing"].Public()
	}
	p, err := profile.Get(name)
	ok(w.t, err)
	serial, err := ca.NewSerial(rand.Reader)
	ok(w.t, err)
	d, err := ca.NewDraft(p, profile.Site{CPS: "http://a/", CRL: "http://a/{issuer}.crl", Issuers: "http://a/{issuer}.cer"}, profile.Fields{Serial: serial, Public: public.(*ecdsa.PublicKey), Issuer: by.Certificate, Now: w.at, Subject: profile.Subject{CommonName: "样例", Organization: "样例区"}})
	ok(w.t, err)
	der, err := d.Sign(rand.Reader, by.Signer)
	ok(w.t, err)
	return parse(w.t, der), by
}

func ok(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func refused(t testing.TB, got, want error) {
	t.Helper()
	if !errors.Is(got, want) {
		t.Fatalf("got %v, want %v", got, want)
	}
}

func parse(t testing.TB, der []byte) *smx509.Certificate {
	t.Helper()
	c, err := smx509.ParseCertificate(der)
	ok(t, err)
	return c
}

// verifies with one root and what was handed out with the certificate.
func verifies(leaf *smx509.Certificate, root []byte, above [][]byte) error {
	roots, mid := smx509.NewCertPool(), smx509.NewCertPool()
	r, err := smx509.ParseCertificate(root)
	if err != nil {
		return err
	}
	roots.AddCert(r)
	for _, der := range above {
		c, err := smx509.ParseCertificate(der)
		if err != nil {
			return err
		}
		mid.AddCert(c)
	}
	_, err = leaf.Verify(smx509.VerifyOptions{Roots: roots, Intermediates: mid, CurrentTime: leaf.NotBefore.Add(time.Hour), KeyUsages: []smx509.ExtKeyUsage{smx509.ExtKeyUsageAny}})
	return err
}

// A change takes a second person and its moment, and is one act; the authority
// before it answers for what it issued and issues nothing more.
func TestIssuingAuthoritiesSucceed(t *testing.T) {
	w := newWorld(t, false)
	ctx := t.Context()
	before, first := w.leaf(profile.SM2)
	_, _, err := w.Prepare(ctx, ledger.Actor{Kind: "person", ID: "clerk", Unit: house}, authority.Order{Reason: "样例"})
	refused(t, err, authority.ErrForbidden)
	for _, o := range []authority.Order{{}, {Reason: "a\u202eb"}, {Reason: "样例", SwitchAt: w.at.Add(-time.Hour)}, {Reason: "样例", SwitchAt: w.at.AddDate(2, 0, 0)}} {
		_, _, err = w.Prepare(ctx, admin, o)
		refused(t, err, authority.ErrInvalid)
	}
	at := w.at.Add(24 * time.Hour)
	g, _, err := w.Prepare(ctx, admin, authority.Order{Reason: "样例", SwitchAt: at})
	ok(t, err)
	if g.State != authority.Prepared || g.Number != 2 || len(g.Members) != 2 {
		t.Fatalf("%+v", g)
	}
	_, _, err = w.Prepare(ctx, admin, authority.Order{Reason: "样例"})
	refused(t, err, authority.ErrBusy)
	_, _, err = w.Settle(ctx, admin, 2)
	refused(t, err, authority.ErrNotApproved)
	moved := g
	moved.SwitchAt = at.Add(time.Hour)
	w.answers[moved.Digest()] = authority.Answer{ID: "a-0", Yes: true} // of another moment
	_, _, err = w.Settle(ctx, admin, 2)
	refused(t, err, authority.ErrNotApproved)
	set, err := w.Set(ctx)
	ok(t, err)
	if n := len(set.All()); n != 4 {
		t.Errorf("%d authorities count before anybody approved", n)
	}
	w.approve(g)
	if done, err := w.Switch(ctx, service); done || err != nil {
		t.Fatalf("before its moment: %v %v", done, err)
	}
	w.at = at
	// A node without the new key neither changes nor issues from the old one.
	if _, err := w.other.Switch(ctx, service); err == nil {
		t.Error("a node without the key made the change")
	}
	if done, err := w.Switch(ctx, service); !done || err != nil {
		t.Fatal(done, err)
	}
	_, err = w.other.Track(profile.SM2).Current(ctx)
	refused(t, err, ca.ErrNoIssuer)

	after, second := w.leaf(profile.SM2)
	if second.ID() == first.ID() || second.Certificate.Subject.CommonName != "样例区 SM2 签发 CA G2" {
		t.Errorf("%s", second.Certificate.Subject)
	}
	for _, leaf := range []*smx509.Certificate{before, after} {
		by, err := ca.IssuerNamed(ctx, w.Track(profile.SM2), leaf.RawIssuer, leaf.AuthorityKeyId)
		ok(t, err)
		ok(t, verifies(leaf, w.four.SM2Root, by.Chain()))
	}
	all, err := w.Track(profile.SM2).All(ctx)
	ok(t, err)
	if len(all) != 2 || all[0].ID() != second.ID() {
		t.Errorf("%d issuing authorities, %s first", len(all), all[0].Certificate.Subject)
	}
	gs, err := w.Generations(ctx)
	ok(t, err)
	if gs[0].State != authority.Retired || !gs[0].RetiredAt.Equal(at) || gs[1].State != authority.Current {
		t.Errorf("%+v", gs)
	}
}

// RFC 4210 4.4: the holder of either root verifies the certificates of both
// generations, on both tracks.
func TestNewRootsReachEitherSide(t *testing.T) {
	w := newWorld(t, false)
	ctx := t.Context()
	old := map[profile.Algorithm][]byte{profile.SM2: w.four.SM2Root, profile.ECDSA: w.four.ECDSARoot}
	leaves := map[profile.Algorithm][]*smx509.Certificate{}
	for track := range old {
		leaf, _ := w.leaf(track)
		leaves[track] = append(leaves[track], leaf)
	}
	w.at = w.at.Add(time.Hour)
	g := w.succeed(true)
	if len(g.Members) != 12 {
		t.Fatalf("%d certificates", len(g.Members))
	}
	set, err := w.Set(ctx)
	ok(t, err)
	for track, root := range old {
		leaf, _ := w.leaf(track)
		leaves[track] = append(leaves[track], leaf)
		fresh := set.Roots(track)[0]
		if fresh.Generation != 2 {
			t.Fatalf("%s: the first root is of generation %d", track, fresh.Generation)
		}
		for n, leaf := range leaves[track] {
			by, err := ca.IssuerNamed(ctx, w.Track(track), leaf.RawIssuer, leaf.AuthorityKeyId)
			ok(t, err)
			for name, root := range map[string][]byte{"old": root, "new": fresh.Certificate.Raw} {
				if err := verifies(leaf, root, by.Chain()); err != nil {
					t.Errorf("%s leaf %d under the %s root: %v", track, n+1, name, err)
				}
			}
			if err := verifies(leaf, fresh.Certificate.Raw, [][]byte{by.Certificate.Raw}); (err == nil) != (n == 1) {
				t.Errorf("%s leaf %d without bridge: %v", track, n+1, err)
			}
		}
		for _, a := range set.All() {
			switch {
			case a.Track != track:
			case a.Kind == authority.NewWithOld:
				ok(t, a.Certificate.CheckSignatureFrom(parse(t, root)))
				if a.ID() != fresh.ID() || a.Certificate.NotAfter.After(parse(t, root).NotAfter) {
					t.Errorf("%s", a.Certificate.Subject)
				}
			case a.Kind == authority.OldWithNew:
				ok(t, a.Certificate.CheckSignatureFrom(fresh.Certificate))
				if a.ID() != ca.IssuerID(parse(t, root)) || a.Certificate.NotAfter.After(parse(t, root).NotAfter) {
					t.Errorf("%s", a.Certificate.Subject)
				}
			}
			row, err := w.certs.Certificate(ctx, a.Issuer, a.Serial)
			ok(t, err)
			if row.State != ca.StateGood || row.Kind != ca.KindCA {
				t.Errorf("%+v", row)
			}
		}
	}
	for _, leaf := range leaves[profile.ECDSA] { // the standard library agrees
		if _, err := x509.ParseCertificate(leaf.Raw); err != nil {
			t.Error(err)
		}
	}
	w.at = w.at.Add(time.Hour)
	w.succeed(false) // below the new roots
	leaf, by := w.leaf(profile.SM2)
	ok(t, verifies(leaf, set.Roots(profile.SM2)[0].Certificate.Raw, by.Chain()))
}

// Design law 4: a process that ends between two steps leaves nothing that counts,
// and what it left is finished later without a second certificate.
func TestPreparationIsResumed(t *testing.T) {
	w := newWorld(t, false)
	ctx := t.Context()
	w.keys.away = true // the signer fails after everything was recorded
	_, _, err := w.Prepare(ctx, admin, authority.Order{Reason: "样例"})
	if err == nil {
		t.Fatal("signed without a key")
	}
	g, err := w.Generation(ctx, 2)
	ok(t, err)
	row, err := w.certs.Certificate(ctx, g.Members[0].Issuer, g.Members[0].Serial)
	ok(t, err)
	if g.State != authority.Recorded || row.State != ca.StatePending {
		t.Fatalf("%s, %s", g.State, row.State)
	}
	_, _, err = w.Settle(ctx, admin, 2)
	refused(t, err, authority.ErrState)
	w.keys.away = false
	ok(t, w.Resume(ctx, service))
	ok(t, w.Resume(ctx, service))
	g, err = w.Generation(ctx, 2)
	ok(t, err)
	if row, err = w.certs.Certificate(ctx, g.Members[0].Issuer, g.Members[0].Serial); err != nil || row.State != ca.StateGood || string(row.DER) != string(g.Members[0].DER) {
		t.Fatalf("%s, %v", row.State, err)
	}
	// Given up, its certificates are revoked, and the next change may begin.
	_, _, err = w.Withdraw(ctx, admin, 2, "")
	refused(t, err, authority.ErrInvalid)
	_, _, err = w.Withdraw(ctx, admin, 2, "样例")
	ok(t, err)
	if row, err = w.certs.Certificate(ctx, g.Members[0].Issuer, g.Members[0].Serial); err != nil || row.State != ca.StateRevoked {
		t.Fatalf("%s, %v", row.State, err)
	}
	next := w.succeed(false)
	if next.Number != 3 {
		t.Errorf("generation %d", next.Number)
	}
	_, _, err = w.Withdraw(ctx, admin, 3, "样例")
	refused(t, err, authority.ErrState)
}

// The timers of all nodes finish what is recorded, also while it is being signed:
// who prepares gets its generation, and no certificate is made twice.
func TestPreparationMeetsTheTimers(t *testing.T) {
	w := newWorld(t, false)
	ctx, end := context.WithCancel(t.Context())
	var timers sync.WaitGroup
	for range 3 {
		timers.Go(func() {
			for ctx.Err() == nil {
				if err := w.Resume(ctx, service); err != nil && ctx.Err() == nil {
					t.Error(err)
				}
			}
		})
	}
	for range 10 {
		g, _, err := w.Prepare(ctx, admin, authority.Order{Reason: "样例"})
		if err != nil || g.State != authority.Prepared {
			t.Fatalf("%+v, %v", g, err)
		}
		for _, m := range g.Members {
			if row, err := w.certs.Certificate(ctx, m.Issuer, m.Serial); err != nil || row.State != ca.StateGood || string(row.DER) != string(m.DER) {
				t.Errorf("%s is %s, %v", m.Serial, row.State, err)
			}
		}
		_, _, err = w.Withdraw(ctx, admin, g.Number, "样例")
		ok(t, err)
	}
	end()
	timers.Wait()
}

func TestFakeConforms(t *testing.T) {
	catest.RunGenerations(t, func(*testing.T) authority.Register { return &catest.Generations{} })
}
