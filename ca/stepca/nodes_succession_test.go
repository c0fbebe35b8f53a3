//go:build unix

package stepca_test

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"errors"
	"maps"
	"sync"
	"testing"
	"time"

	"github.com/emmansun/gmsm/sm2"
	"github.com/emmansun/gmsm/smx509"
	"github.com/google/uuid"

	"github.com/yinxin-gov/yinxin/authz/ledger"
	"github.com/yinxin-gov/yinxin/ca"
	"github.com/yinxin-gov/yinxin/ca/authority"
	"github.com/yinxin-gov/yinxin/ca/profile"
	"github.com/yinxin-gov/yinxin/ca/stepca"
)

// ring is the custody of one node.
type ring struct {
	mu   sync.Mutex
	keys map[string]crypto.Signer // guarded by mu
}

func (r *ring) Make(_ context.Context, id string, alg profile.Algorithm) (_ *ecdsa.PublicKey, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.keys[id] == nil {
		if alg == profile.SM2 {
			r.keys[id], err = sm2.GenerateKey(rand.Reader)
		} else {
			r.keys[id], err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		}
		if err != nil {
			return nil, err
		}
	}
	return r.keys[id].Public().(*ecdsa.PublicKey), nil
}

func (r *ring) Signer(_ context.Context, id string) (crypto.Signer, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.keys[id] == nil {
		return nil, errors.New("no such key on this node")
	}
	return r.keys[id], nil
}

func (r *ring) copied() *ring {
	r.mu.Lock()
	defer r.mu.Unlock()
	return &ring{keys: maps.Clone(r.keys)}
}

// yes stands for the second person, who has every post and approves.
type yes struct{}

func (yes) Answer(context.Context, authority.Generation) (authority.Answer, error) {
	return authority.Answer{ID: "a-1", Yes: true}, nil
}
func (yes) Holds(context.Context, string, string, ...string) (bool, error) { return true, nil }

// noPairs: nothing here has an encryption key.
type noPairs struct{}

func (noPairs) NewPair(context.Context, string, *ecdsa.PublicKey) (ca.EncryptionKey, error) {
	return ca.EncryptionKey{}, errors.New("not asked for here")
}

// keeper is a node that issues on both tracks.
type keeper struct {
	authorities *authority.Service
	tls         *stepca.Authority
	sm2         *ca.Service
	registry    ca.Registry
}

func newKeeper(t *testing.T, url string, keys *ring, founding authority.Generation) *keeper {
	t.Helper()
	rooms := openStore(t, url).Rooms(nil)
	n := &keeper{registry: rooms.CA}
	newID := func() string { return uuid.Must(uuid.NewV7()).String() }
	var err error
	n.authorities, err = authority.New(authority.Config{
		Register: rooms.Succession, Registry: rooms.CA, Keys: keys, Approver: yes{}, Posts: yes{}, Founding: founding, House: uscc, Organization: "样例区大数据局",
		Site: site, Now: time.Now, Rand: rand.Reader, NewID: newID,
	})
	if err != nil {
		t.Fatal(err)
	}
	people := &people{}
	n.tls, err = stepca.New(t.Context(), stepca.Config{
		Registry: rooms.CA, Issuers: n.authorities.Track(profile.ECDSA), Address: "localhost:443", Agency: uscc, Hosts: people, Gate: people, Recorder: people, Site: site,
	})
	if err != nil {
		t.Fatal(err)
	}
	n.sm2, err = ca.New(ca.Config{
		Registry: rooms.CA, SM2: n.authorities.Track(profile.SM2), Hosts: people, KMC: noPairs{}, Site: site, Now: time.Now, Rand: rand.Reader, NewID: newID, Founding: true,
	})
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// issue makes a certificate on each track and returns who issued them.
func (n *keeper) issue(ctx context.Context, keys *ring) (out [2]string, err error) {
	gm, err := keys.Make(ctx, "leaf-sm2", profile.SM2)
	if err != nil {
		return out, err
	}
	ec, err := keys.Make(ctx, "leaf-ecdsa", profile.ECDSA)
	if err != nil {
		return out, err
	}
	one, errSM2 := n.sm2.IssueSM2(ctx, ledger.Actor{Kind: "service", ID: "test"}, ca.IssueSpec{
		ID: "x", Kind: ca.KindService, Profile: profile.SM2TSA, Public: gm, Agency: uscc, System: "tsa", Subject: profile.Subject{CommonName: "样例", Organization: "样例区"},
	})
	two, errTLS := n.tls.IssueHouse(ctx, stepca.HouseOrder{Profile: profile.ECDSATSA, System: "tsa", CommonName: "样例", Public: ec})
	return [2]string{one.Certificate.Issuer, two.Issuer}, errors.Join(errSM2, errTLS)
}

// Two nodes on one PostgreSQL, and a third one that has not the next keys: from the
// change on, which both try to make, each issues from the next authorities, while
// the third one issues nothing and leaves nothing behind.
func TestNodesChangeAuthoritiesTogether(t *testing.T) {
	url, ctx := database(t), t.Context()
	keys := &ring{keys: map[string]crypto.Signer{}}
	signer := func(id string, alg profile.Algorithm) crypto.Signer {
		if _, err := keys.Make(ctx, id, alg); err != nil {
			t.Fatal(err)
		}
		return keys.keys[id]
	}
	four, err := ca.Bootstrap(ctx, ca.BootstrapConfig{
		Organization: "样例区大数据局", Agency: uscc, Site: site, Registry: openStore(t, url).Rooms(nil).CA, Actor: ledger.Actor{Kind: "service", ID: "init"},
		SM2Root: signer("sm2-root", profile.SM2), SM2Issuing: signer("sm2-issuing", profile.SM2), ECDSARoot: signer("ecdsa-root", profile.ECDSA), ECDSAIssuing: signer("ecdsa-issuing", profile.ECDSA),
		Now: time.Now, Rand: rand.Reader, NewID: func() string { return uuid.Must(uuid.NewV7()).String() },
	})
	if err != nil {
		t.Fatal(err)
	}
	founding := authority.Generation{AskedAt: time.Now()}
	for _, m := range []struct {
		track         profile.Algorithm
		root, issuing []byte
	}{{profile.SM2, four.SM2Root, four.SM2Issuing}, {profile.ECDSA, four.ECDSARoot, four.ECDSAIssuing}} {
		root, err := smx509.ParseCertificate(m.root)
		if err != nil {
			t.Fatal(err)
		}
		issuing, err := smx509.ParseCertificate(m.issuing)
		if err != nil {
			t.Fatal(err)
		}
		id, by := ca.IssuerID(root), string(m.track)+"-root"
		founding.Members = append(founding.Members,
			authority.Member{Track: m.track, Kind: authority.Root, Key: by, By: by, Issuer: id, Serial: ca.FormatSerial(root.SerialNumber), DER: m.root},
			authority.Member{Track: m.track, Kind: authority.Issuing, Key: string(m.track) + "-issuing", By: by, Issuer: id, Serial: ca.FormatSerial(issuing.SerialNumber), DER: m.issuing})
	}
	without := keys.copied()
	nodes := []*keeper{newKeeper(t, url, keys, founding), newKeeper(t, url, keys, founding), newKeeper(t, url, without, founding)}
	want := func(set *authority.Set) [2]string {
		return [2]string{set.Issuing(profile.SM2)[0].ID(), set.Issuing(profile.ECDSA)[0].ID()}
	}
	rings := []*ring{keys, keys, without}
	set, err := nodes[0].authorities.Set(ctx)
	if err != nil {
		t.Fatal(err)
	}
	first := want(set)
	for i, n := range nodes {
		if got, err := n.issue(ctx, rings[i]); err != nil || got != first {
			t.Fatalf("node %d before the change: %v, %v", i, got, err)
		}
	}

	for _, newRoots := range []bool{false, true} {
		g, _, err := nodes[0].authorities.Prepare(ctx, ledger.Actor{Kind: "person", ID: "admin", Unit: uscc}, authority.Order{NewRoots: newRoots, Reason: "样例"})
		if err != nil {
			t.Fatal(err)
		}
		if _, _, err := nodes[1].authorities.Settle(ctx, ledger.Actor{Kind: "person", ID: "officer", Unit: uscc}, g.Number); err != nil {
			t.Fatal(err)
		}
		var done [2]bool
		var errs [2]error
		var both sync.WaitGroup
		for i := range 2 {
			both.Go(func() {
				done[i], errs[i] = nodes[i].authorities.Switch(ctx, ledger.Actor{Kind: "service", ID: "yinxin"})
			})
		}
		both.Wait()
		for _, err := range errs {
			if err != nil && !errors.Is(err, authority.ErrState) {
				t.Error(err)
			}
		}
		if done[0] == done[1] {
			t.Errorf("the change was made by %v", done)
		}
		if set, err = nodes[0].authorities.Set(ctx); err != nil {
			t.Fatal(err)
		}
		next := want(set)
		if next[0] == first[0] || next[1] == first[1] {
			t.Fatal("no change")
		}
		for i, n := range nodes[:2] {
			if got, err := n.issue(ctx, rings[i]); err != nil || got != next {
				t.Errorf("node %d after the change: %v, %v", i, got, err)
			}
		}
		before, err := nodes[2].registry.CertificatesOf(ctx, "tsa")
		if err != nil {
			t.Fatal(err)
		}
		if got, err := nodes[2].issue(ctx, without); !errors.Is(err, ca.ErrNoIssuer) || got != [2]string{} {
			t.Errorf("a node without the key: %v, %v", got, err)
		}
		after, err := nodes[2].registry.CertificatesOf(ctx, "tsa")
		if err != nil || len(after) != len(before) {
			t.Errorf("it recorded %d certificates, %v", len(after)-len(before), err)
		}
		first = next
	}
}
