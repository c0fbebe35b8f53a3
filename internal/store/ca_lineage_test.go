package store_test

import (
	"os"
	"strings"
	"testing"
	"time"

	"github.com/yinxin-gov/yinxin/ca"
	"github.com/yinxin-gov/yinxin/ca/history"
	"github.com/yinxin-gov/yinxin/internal/store"
)

// A registry from before lineages were recorded: what its rows say for certain is
// taken over, of the rest nothing is claimed.
func TestLineageOfAnOlderHouse(t *testing.T) {
	onEngines(t, func(t *testing.T, s *store.Store) {
		reg := s.Rooms(nil).CA
		at := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
		made := func(kind ca.Kind, serial, pair string) {
			t.Helper()
			at = at.Add(time.Hour)
			row := ca.Certificate{Issuer: "i-1", Serial: serial, Kind: kind, Pair: pair, Agency: "u", System: "old", Subject: "CN=x", TBSSM3: "00", TBS: []byte{1}, DER: []byte{1},
				State: ca.StatePending, NotBefore: at, NotAfter: at.AddDate(1, 0, 0), CreatedAt: at}
			_, err := reg.Reserve(bg, []ca.Certificate{row}, nil, event("certificate", serial))
			ok(t, err)
			_, err = reg.Activate(bg, []ca.Certificate{row}, event("certificate", serial))
			ok(t, err)
		}
		for _, k := range []struct{ sign, enc, pair string }{{"a1", "a2", "p-1"}, {"b1", "b2", "p-2"}} {
			made(ca.KindSM2Sign, k.sign, k.pair)
			made(ca.KindSM2Enc, k.enc, k.pair)
		}
		made(ca.KindECDSA, "c1", "")
		made(ca.KindECDSA, "d1", "")
		delivery := "INSERT INTO ca_delivery (basis, claimed_until_us, csr_sm3, issuer, sign_serial, enc_serial, renews, created_at) VALUES "
		ok(t, s.Exec(bg, delivery+"('token:ff', 0, '', 'i-1', 'a1', 'a2', '', '2026-03-01 00:00:00+00:00'), ('renewal:i-1:a1', 0, '', 'i-1', 'b1', 'b2', 'a1', '2026-03-01 00:00:00+00:00')"))
		ok(t, s.Exec(bg, "INSERT INTO acme_key (id, system, agency, request, state, account) VALUES ('k', 'old', 'u', 'r', 'bound', 'acc')"))
		ok(t, s.Exec(bg, "INSERT INTO acme_account (id, thumbprint, jwk, contact, status, location, key_id, system, agency, request) VALUES ('acc', 't', 'x', '', 'valid', '', 'k', 'old', 'u', 'r')"))
		ok(t, s.Exec(bg, "INSERT INTO acme_order (id, account, status, hosts, authorizations, certificate, claimed_until_us) VALUES ('o-1', 'acc', 'valid', '[]', '[]', 'c1', 0)"))
		ok(t, s.Exec(bg, "DELETE FROM ca_lineage"))

		raw, err := os.ReadFile("migrations/0220_lineage.up.sql")
		ok(t, err)
		types := strings.NewReplacer("{{.Time}}", map[string]string{"sqlite": "TIMESTAMP", "pg": "TIMESTAMPTZ"}[s.Dialect()])
		for range 2 { // harmless to repeat
			for _, step := range strings.Split(types.Replace(string(raw)), "--bun:split") {
				ok(t, s.Exec(bg, step))
			}
		}
		all, err := reg.Trail(bg, history.Query{System: "old", Limit: 100})
		ok(t, err)
		want := map[string]ca.Origin{
			"a1": {Way: ca.WayToken}, "a2": {Way: ca.WayToken}, "b1": {Way: ca.WayRenewal, Previous: "i-1:a1"}, "b2": {Way: ca.WayRenewal, Previous: "i-1:a2"},
			"c1": {Way: ca.WayACME, Ref: "o-1"}, "d1": {},
		}
		if len(all) != len(want) {
			t.Fatalf("%d certificates", len(all))
		}
		for _, r := range all {
			if w := want[r.Serial]; r.Origin.Way != w.Way || r.Origin.Ref != w.Ref || r.Origin.Previous != w.Previous {
				t.Errorf("%s: %+v, want %+v", r.Serial, r.Origin, w)
			}
		}
		// A renewal goes on from an older one, and ends its being listed.
		at = at.Add(time.Hour)
		next := ca.Certificate{Issuer: "i-1", Serial: "e1", Kind: ca.KindSM2Sign, Agency: "u", System: "old", Subject: "CN=x", TBSSM3: "00", TBS: []byte{1}, DER: []byte{1},
			State: ca.StatePending, NotBefore: at, NotAfter: at.AddDate(1, 0, 1), CreatedAt: at, Origin: ca.Origin{Way: ca.WayRekey, Previous: "i-1:b1"}}
		_, err = reg.Reserve(bg, []ca.Certificate{next}, nil, event("certificate", "e1"))
		ok(t, err)
		_, err = reg.Activate(bg, []ca.Certificate{next}, event("certificate", "e1"))
		ok(t, err)
		ends, err := reg.Ending(bg, history.Soon{Now: at, Until: at.AddDate(2, 0, 0), Superseded: true, Limit: 100})
		ok(t, err)
		for _, e := range ends {
			if e.Superseded != (e.Serial == "a1" || e.Serial == "a2" || e.Serial == "b1") {
				t.Errorf("%s: superseded %v", e.Serial, e.Superseded)
			}
		}
	})
}
