package app

import (
	"errors"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/emmansun/gmsm/smx509"

	"github.com/yinxin-gov/yinxin/authz/approval"
	"github.com/yinxin-gov/yinxin/authz/identity"
	"github.com/yinxin-gov/yinxin/ca/peer"
	"github.com/yinxin-gov/yinxin/ca/peer/peertest"
	"github.com/yinxin-gov/yinxin/internal/api/wire"
	"github.com/yinxin-gov/yinxin/internal/console"
)

// TestX11_07_VerticalSystemIsOneOfItsDomainOnly: a vertical system comes in with its
// own issuer's certificate; whatever is not exactly that is refused, and on the ledger.
func TestX11_07_VerticalSystemIsOneOfItsDomainOnly(t *testing.T) {
	w := newBorder(t)
	w.agree(w.entry)
	tax := w.entry
	tax.Domain, tax.Name, tax.Kind, tax.Operator, tax.Units, tax.Hosts = "tax", "样例税务系统域", peer.KindVertical, string(w.taxUnit), []string{string(w.taxUnit)}, []string{"tax.example"}
	tax.Anchors, tax.Issuing = [][]byte{w.other.Cert.Raw}, nil
	tax.Systems = []peer.System{{ID: "tax-a", Name: "样例税务系统", Host: taxHost, Unit: string(w.taxUnit), UnitName: "样例税务局"}}
	// Neither alone, nor by the one who proposed it, nor other words than were shown.
	wantErr(t, w.Desk.ProposePeer(bg, w.by(w.keeper), tax), peer.ErrForbidden)
	ours := tax
	ours.Anchors = [][]byte{w.anchors.ecdsaRoot.Raw}
	wantErr(t, w.Desk.ProposePeer(bg, w.by(w.admin), ours), peer.ErrAuthority)
	own := tax
	own.Domain, own.Systems = "own", []peer.System{tax.Systems[0]}
	ok(t, w.Desk.ProposePeer(bg, w.by(w.officer), own))
	list, err := w.Desk.Peered(bg, w.by(w.officer))
	ok(t, err)
	if list.Entries[0].MayAnswer {
		t.Error("who proposes may answer")
	}
	wantErr(t, w.Desk.AnswerPeer(bg, w.by(w.officer), list.Entries[0].ID, console.Answer{Digest: list.Entries[0].Sum, PIN: townPIN, Yes: true}), approval.ErrSelf)
	wantErr(t, w.Desk.AnswerPeer(bg, w.by(w.officer), list.Entries[0].ID, console.Answer{Digest: strings.Repeat("0", 64), PIN: townPIN, Yes: true}), approval.ErrInvalid)
	ok(t, w.Desk.WithdrawPeer(bg, w.by(w.officer), list.Entries[0].ID, "重提"))
	w.agree(tax)
	sys, err := w.rooms.Identity.System(bg, "tax-a")
	ok(t, err)
	agency, err := w.rooms.Identity.Agency(bg, sys.Agency)
	ok(t, err)
	if agency.Kind != identity.KindVertical || agency.USCC != w.taxUnit {
		t.Errorf("%+v", agency)
	}

	revoked := w.other.Leaf(t, w.key.Public(), taxHost, string(w.taxUnit), nil)
	short := w.other.Leaf(t, w.key.Public(), taxHost, string(w.taxUnit), func(c *smx509.Certificate) { c.NotAfter = w.at.Add(12 * time.Hour) })
	w.listed("tax", []*peertest.Authority{w.other}, revoked)
	w.listed("city", []*peertest.Authority{w.root, w.issuing, w.gm})
	good := w.caller(w.other.Leaf(t, w.key.Public(), taxHost, string(w.taxUnit), nil), w.key)
	brief := w.caller(short, w.key)
	for _, c := range []*http.Client{good, brief} {
		if status, code, out := w.call(c, http.MethodGet, wire.PathTransfers, nil); status != http.StatusOK {
			t.Fatalf("%d %s %s", status, code, out)
		}
	}
	refused := func(name string, c *http.Client, want error) {
		t.Helper()
		before := len(w.refusals())
		status, code, _ := w.call(c, http.MethodGet, wire.PathTransfers, nil)
		if status != http.StatusForbidden || code != "peer.refused" {
			t.Errorf("%s: %d %s", name, status, code)
		}
		if got := w.refusals(); len(got) != before+1 || !strings.Contains(got[len(got)-1], want.Error()) {
			t.Errorf("%s: on the ledger %q", name, got[before:])
		}
	}
	for name, c := range map[string]struct {
		crt  *smx509.Certificate
		want error
	}{
		"a name beyond its own":      {w.other.Leaf(t, w.key.Public(), "civil-p.gov.internal", string(w.taxUnit), nil), peer.ErrName},
		"a name of the other domain": {w.other.Leaf(t, w.key.Public(), cityHost, "", nil), peer.ErrName},
		"a unit of the other domain": {w.other.Leaf(t, w.key.Public(), taxHost, string(w.cityUnit), nil), peer.ErrName},
		"its name by another anchor": {w.issuing.Leaf(t, w.key.Public(), taxHost, string(w.taxUnit), nil), peer.ErrName},
		"an unknown system":          {w.other.Leaf(t, w.key.Public(), "b.tax.example", string(w.taxUnit), nil), peer.ErrUnknown},
		"revoked":                    {revoked, peer.ErrRevoked},
	} {
		refused(name, w.caller(c.crt, w.key), c.want)
	}
	stranger := peertest.Root(t, false, w.at, nil)
	if status, code, _ := w.call(w.caller(stranger.Leaf(t, w.key.Public(), taxHost, string(w.taxUnit), nil), w.key), http.MethodGet, wire.PathTransfers, nil); status != 0 {
		t.Errorf("an anchor that nobody registered: %d %s", status, code)
	}
	w.pass(13 * time.Hour)
	refused("its period is over", brief, peer.ErrPeriod)
	w.pass(12 * time.Hour)
	refused("the list is too old", good, peer.ErrStale)
	w.listed("tax", []*peertest.Authority{w.other})
	if status, _, _ := w.call(good, http.MethodGet, wire.PathTransfers, nil); status != http.StatusOK {
		t.Errorf("with a fresh list: %d", status)
	}
	// What is asked for is fetched from the network of others only.
	f, err := w.listFetcher()
	ok(t, err)
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	ok(t, err)
	defer ln.Close()
	inner := tax
	list, err = w.Desk.Peered(bg, w.by(w.officer))
	ok(t, err)
	inner.Replaces, inner.Lists = list.Entries[slices.IndexFunc(list.Entries, func(l console.PeerLine) bool { return l.Domain == "tax" && l.InForce })].ID, []string{"http://" + ln.Addr().String() + "/a.crl"}
	w.agree(inner)
	arrived := make(chan error, 1)
	go func() { _, err := ln.Accept(); arrived <- err }()
	f.Round(bg)
	ok(t, ln.Close())
	if err := <-arrived; !errors.Is(err, net.ErrClosed) {
		t.Errorf("the house dialled itself: %v", err)
	}
}
