package authority_test

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"errors"
	"testing"
	"time"

	"github.com/emmansun/gmsm/sm2"
	"github.com/emmansun/gmsm/smx509"

	"github.com/yinxin-gov/yinxin/ca"
	"github.com/yinxin-gov/yinxin/ca/authority"
	"github.com/yinxin-gov/yinxin/ca/ceremony"
	"github.com/yinxin-gov/yinxin/ca/profile"
)

// An offline root signs what was recorded; new roots are not made beside it.
func TestOfflineRootSignsTheNextGeneration(t *testing.T) {
	w := newWorld(t, true)
	ctx := t.Context()
	_, _, err := w.Prepare(ctx, admin, authority.Order{Reason: "样例", NewRoots: true})
	refused(t, err, authority.ErrOffline)
	g, _, err := w.Prepare(ctx, admin, authority.Order{Reason: "样例"})
	ok(t, err)
	if g.State != authority.Recorded || len(parse(t, w.four.SM2Issuing).OCSPServer) == 0 {
		t.Fatal(g.State)
	}
	ok(t, w.Resume(ctx, service)) // cannot be finished here
	_, members, err := w.Awaited(ctx)
	ok(t, err)
	if len(members) != 2 {
		t.Fatalf("%d awaited", len(members))
	}
	wrong := ceremonyRoom(w.keys.keys["sm2-issuing"], w.keys.keys["ecdsa-issuing"])
	if _, err := w.Import(ctx, service, wrong, "ab"); err == nil {
		t.Fatal("signatures of other keys were taken")
	}
	g, err = w.Import(ctx, service, ceremonyRoom(w.keys.keys["sm2-root"], w.keys.keys["ecdsa-root"]), "ab")
	ok(t, err)
	if g.State != authority.Prepared || len(parse(t, g.Members[0].DER).OCSPServer) != 0 {
		t.Errorf("%s", g.State)
	}
	w.approve(g)
	if done, err := w.Switch(ctx, service); !done || err != nil {
		t.Fatal(done, err)
	}
}

// ceremonyRoom signs with the one of these keys that a root is of, or with the
// first of the track where none is.
func ceremonyRoom(keys ...crypto.Signer) func(*smx509.Certificate, []byte) ([]byte, error) {
	return func(root *smx509.Certificate, tbs []byte) ([]byte, error) {
		var opts crypto.SignerOpts = crypto.SHA256
		track := keys[1]
		if root.SignatureAlgorithm == smx509.SM2WithSM3 {
			opts, track = sm2.DefaultSM2SignerOpts, keys[0]
		}
		for _, k := range keys {
			if k.Public().(*ecdsa.PublicKey).Equal(root.PublicKey) {
				track = k
			}
		}
		return crypto.SignMessage(track, rand.Reader, tbs, opts)
	}
}

// made are new roots as a ceremony leaves them.
func (w *world) made(organization string, sm2Key, ecdsaKey crypto.Signer) []*smx509.Certificate {
	w.t.Helper()
	roots, err := ceremony.MakeRoots(ceremony.RootSpec{Organization: organization, CPS: "http://ca.gov.internal/cps", SM2: sm2Key, ECDSA: ecdsaKey, Now: w.at, Rand: rand.Reader})
	ok(w.t, err)
	return []*smx509.Certificate{roots[0].Certificate, roots[1].Certificate}
}

// RFC 4210 4.4 with offline roots: new ones are brought, not made; what both
// pairs of roots sign is recorded first; and the holder of either root reaches
// both generations.
func TestOfflineRootsAreChangedForRootsOfACeremony(t *testing.T) {
	w := newWorld(t, true)
	ctx := t.Context()
	old := map[profile.Algorithm][]byte{profile.SM2: w.four.SM2Root, profile.ECDSA: w.four.ECDSARoot}
	leaves := map[profile.Algorithm][]*smx509.Certificate{}
	for track := range old {
		leaf, _ := w.leaf(track)
		leaves[track] = append(leaves[track], leaf)
	}
	newSM2, err := sm2.GenerateKey(rand.Reader)
	ok(t, err)
	newECDSA, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	ok(t, err)
	w.at = w.at.Add(time.Hour)
	good := w.made("样例区", newSM2, newECDSA)
	now := w.at
	w.at = now.AddDate(0, 0, 1)
	early := w.made("样例区", newSM2, newECDSA)
	w.at = now.AddDate(-10, 0, 0)
	short := w.made("样例区", newSM2, newECDSA)
	w.at = now
	forged := parse(t, bytes.Clone(good[1].Raw))
	forged.Signature[len(forged.Signature)-1] ^= 1
	for name, roots := range map[string][]*smx509.Certificate{
		"one only":                     good[:1],
		"tracks exchanged":             {good[1], good[0]},
		"another name":                 w.made("样例市", newSM2, newECDSA),
		"the root that is there":       {parse(t, w.four.SM2Root), good[1]},
		"the key of one that is there": w.made("样例区", w.keys.keys["sm2-root"], newECDSA),
		"a key of an authority below":  w.made("样例区", w.keys.keys["sm2-issuing"], newECDSA),
		"from tomorrow":                early,
		"ends before the old one":      short,
		"an authority that is no root": {parse(t, w.four.SM2Issuing), good[1]},
		"a spoilt signature":           {good[0], forged},
	} {
		if _, _, err := w.Prepare(ctx, admin, authority.Order{Reason: "样例", NewRoots: true, Roots: roots}); !errors.Is(err, authority.ErrInvalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
	_, _, err = w.Prepare(ctx, admin, authority.Order{Reason: "样例", Roots: good})
	refused(t, err, authority.ErrInvalid) // brought, and not asked for
	g, _, err := w.Prepare(ctx, admin, authority.Order{Reason: "样例", NewRoots: true, Roots: good})
	ok(t, err)
	if g.State != authority.Recorded || len(g.Members) != 12 {
		t.Fatalf("%s, %d certificates", g.State, len(g.Members))
	}
	for _, id := range []string{"sm2-root-g2", "ecdsa-root-g2"} {
		if w.keys.keys[id] != nil {
			t.Errorf("the house made a key %s for a root", id)
		}
	}
	_, members, err := w.Awaited(ctx)
	ok(t, err)
	if len(members) != 10 {
		t.Fatalf("%d awaited", len(members))
	}
	oldSM2, oldECDSA := w.keys.keys["sm2-root"], w.keys.keys["ecdsa-root"]
	for name, keys := range map[string][]crypto.Signer{"the old roots alone": {oldSM2, oldECDSA}, "the new roots alone": {newSM2, newECDSA}} {
		if _, err := w.Import(ctx, service, ceremonyRoom(keys...), "ab"); err == nil {
			t.Fatalf("%s were enough", name)
		}
	}
	g, err = w.Import(ctx, service, ceremonyRoom(oldSM2, oldECDSA, newSM2, newECDSA), "ab")
	ok(t, err)
	w.approve(g)
	if done, err := w.Switch(ctx, service); !done || err != nil {
		t.Fatal(done, err)
	}
	set, err := w.Set(ctx)
	ok(t, err)
	for track, root := range old {
		leaf, _ := w.leaf(track)
		fresh := set.Roots(track)[0].Certificate
		if fresh.Equal(parse(t, root)) {
			t.Fatalf("%s: the old root is still the first", track)
		}
		for n, leaf := range append(leaves[track], leaf) {
			by, err := ca.IssuerNamed(ctx, w.Track(track), leaf.RawIssuer, leaf.AuthorityKeyId)
			ok(t, err)
			for name, root := range map[string][]byte{"old": root, "new": fresh.Raw} {
				if err := verifies(leaf, root, by.Chain()); err != nil {
					t.Errorf("%s leaf %d under the %s root: %v", track, n+1, name, err)
				}
			}
		}
	}
	for _, a := range set.All() { // nobody answers OCSP in the name of an offline root
		if a.Generation == 2 && (len(a.Certificate.OCSPServer) != 0 || a.Kind == authority.Root && a.Key != "") {
			t.Errorf("%s: %v, key %q", a.Kind, a.Certificate.OCSPServer, a.Key)
		}
	}
	// Given up after they were signed, roots are not brought again.
	w.at = w.at.Add(time.Hour)
	next := w.made("样例区", w.third(t, profile.SM2), w.third(t, profile.ECDSA))
	g, _, err = w.Prepare(ctx, admin, authority.Order{Reason: "样例", NewRoots: true, Roots: next})
	ok(t, err)
	_, err = w.Import(ctx, service, ceremonyRoom(newSM2, newECDSA, w.third(t, profile.SM2), w.third(t, profile.ECDSA)), "ab")
	ok(t, err)
	_, _, err = w.Withdraw(ctx, admin, g.Number, "样例")
	ok(t, err)
	_, _, err = w.Prepare(ctx, admin, authority.Order{Reason: "样例", NewRoots: true, Roots: next})
	refused(t, err, authority.ErrInvalid)
}

// third is a key of a third pair of roots.
func (w *world) third(t *testing.T, alg profile.Algorithm) crypto.Signer {
	t.Helper()
	_, err := w.away.Make(t.Context(), "third-"+string(alg), alg)
	ok(t, err)
	return w.away.keys["third-"+string(alg)]
}

// A house whose roots are here takes none from elsewhere.
func TestOnlineHouseTakesNoRoots(t *testing.T) {
	w := newWorld(t, false)
	w.at = w.at.Add(time.Hour)
	roots := w.made("样例区", w.third(t, profile.SM2), w.third(t, profile.ECDSA))
	_, _, err := w.Prepare(t.Context(), admin, authority.Order{Reason: "样例", NewRoots: true, Roots: roots})
	refused(t, err, authority.ErrInvalid)
}
