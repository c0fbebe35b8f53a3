package app

import (
	"encoding/pem"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/emmansun/gmsm/smx509"

	"github.com/yinxin-gov/yinxin/authz/identity"
	"github.com/yinxin-gov/yinxin/ca"
	"github.com/yinxin-gov/yinxin/ca/authority"
	"github.com/yinxin-gov/yinxin/ca/ceremony"
	"github.com/yinxin-gov/yinxin/ca/profile"
	"github.com/yinxin-gov/yinxin/internal/console"
	"github.com/yinxin-gov/yinxin/internal/keys"
)

// offlineTown is a house with offline roots and an officer, and its room.
func offlineTown(t *testing.T) (*town, Session, []Custodian) {
	t.Helper()
	cfg, s, all, order := begun(t, "")
	out, err := SignOrder(bg, s, order, SM3Hex(order), all[:3])
	_, err = Complete(bg, cfg, encoded(t, out, err), three)
	ok(t, err)
	w := &town{t: t, at: time.Now().UTC().Truncate(time.Second)}
	cfg.Now = func() time.Time { return w.at }
	w.House, err = Open(bg, cfg)
	ok(t, err)
	t.Cleanup(func() { ok(t, w.House.Close()) })
	w.officer = w.person(identity.USCC(cfg.USCC), identity.RoleRAOfficer)
	_, err = w.CertifyPerson(bg, w.service(), w.officer.ID)
	ok(t, err)
	s.Now = cfg.Now
	return w, s, all
}

// atRest stops the house for what is done while nobody serves it.
func (w *town) atRest(do func(cfg Config)) {
	w.t.Helper()
	ok(w.t, w.House.Close())
	do(w.cfg)
	h, err := Open(bg, w.cfg)
	ok(w.t, err)
	w.House = h
}

// listFile is the newest list of a root as a file, which that root signed.
func (w *town) listFile(root *smx509.Certificate, number int64) string {
	w.t.Helper()
	list := rootList(w.t, w.House, root)
	if list.Number.Int64() != number {
		w.t.Errorf("%s: list %s, want %d", root.Subject.CommonName, list.Number, number)
	}
	path := filepath.Join(w.t.TempDir(), "list.pem")
	ok(w.t, os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: "X509 CRL", Bytes: list.Raw}), 0o600))
	return path
}

// RFC 4210 4.4 for a house whose roots are in a ceremony room: new roots are made in
// a room of their own, both pairs sign what the house recorded, a second officer
// approves; OpenSSL gets from the old root to new certificates and from the new
// root to old ones, and later lists of all four come from both rooms.
func TestOfflineRootsChange(t *testing.T) {
	w, s, all := offlineTown(t)
	own := identity.USCC(w.cfg.USCC)
	admin, before := w.certified(own, identity.RoleSystemAdmin), w.certified(own, identity.RoleClerk)
	firstTLS := w.tls()
	at := func() string { return strconv.FormatInt(w.at.Unix(), 10) }
	const distid = "distid:1234567812345678"
	founded, err := w.Succession.Set(bg)
	ok(t, err)
	oldSM2, oldECDSA := founded.Roots(profile.SM2)[0].Certificate, founded.Roots(profile.ECDSA)[0].Certificate

	w.at = w.at.Add(time.Hour)
	next, theirs := session(t)
	next.Now = s.Now
	made, err := MakeRoots(bg, next, w.cfg.Organization, w.cfg.site().CPS, 2, theirs)
	roots := encoded(t, made, err)
	other, others := session(t)
	other.Now = s.Now
	made, err = MakeRoots(bg, other, "样例市", w.cfg.site().CPS, 2, others)
	foreign := encoded(t, made, err)

	person := console.Person{ID: admin.ID, Unit: string(own)}
	change := authority.Order{Reason: "样例", NewRoots: true}
	wantErr(t, w.Desk.PrepareSuccession(bg, person, change, nil), authority.ErrOffline)
	wantErr(t, w.Desk.PrepareSuccession(bg, person, change, foreign), ceremony.ErrRecord)
	wantErr(t, w.Desk.PrepareSuccession(bg, person, change, []byte("{}")), ceremony.ErrRecord)
	wantErr(t, w.Desk.PrepareSuccession(bg, console.Person{ID: before.ID, Unit: string(own)}, change, roots), console.ErrForbidden)
	wantErr(t, w.Desk.PrepareSuccession(bg, person, authority.Order{Reason: "样例"}, roots), authority.ErrInvalid)
	ok(t, w.Desk.PrepareSuccession(bg, person, change, roots))
	ok(t, w.succeed(bg))

	rooms := s
	rooms.Others = []string{next.Dir}
	both := append(append([]Custodian{}, all[1:4]...), theirs[3:]...)
	w.atRest(func(cfg Config) {
		order, err := OrderLists(bg, cfg)
		ok(t, err)
		sum := SM3Hex(order)
		for name, room := range map[string]Session{"the old room alone": s, "the new room alone": next, "a room of others": {Dir: s.Dir, Others: []string{other.Dir}, Now: s.Now, Work: s.Work}} {
			if _, _, err := ReviewOrder(room, order); err == nil {
				t.Errorf("%s would sign it", name)
			}
		}
		twice := s
		twice.Others = []string{s.Dir}
		_, _, err = ReviewOrder(twice, order)
		wantErr(t, err, ErrRoom)
		acts, _, err := ReviewOrder(rooms, order)
		ok(t, err)
		kinds := map[string]int{}
		for _, a := range acts {
			kinds[a.Kind]++
		}
		if kinds[ceremony.KindAuthority] != 6 || kinds[ceremony.KindCross] != 4 || kinds[ceremony.KindList] != 4 {
			t.Errorf("%v", kinds)
		}
		_, err = SignOrder(bg, rooms, order, sum, all[1:4])
		wantErr(t, err, keys.ErrShares) // nobody opened the new room
		_, err = SignOrder(bg, rooms, order, sum, both[1:])
		wantErr(t, err, keys.ErrShares) // too few for the old one
		out, err := SignOrder(bg, rooms, order, sum, both)
		signed := encoded(t, out, err)
		rec, _, err := out.Verify(mustRoots(t, out))
		ok(t, err)
		fresh, err := ceremony.ReadOutcome(roots)
		ok(t, err)
		if len(rec.Keys) != 4 || rec.Keys[2].SM3 != SM3Hex(fresh.Roots[0]) || rec.Keys[3].SM3 != SM3Hex(fresh.Roots[1]) || len(rec.Others) != 1 || rec.Others[0].Need != 2 {
			t.Errorf("the record does not name the new roots: %+v", rec.Keys)
		}
		_, err = ImportCeremony(bg, cfg, roots) // the new roots alone speak for nobody yet
		wantErr(t, err, ceremony.ErrRecord)
		got, err := ImportCeremony(bg, cfg, signed)
		if ok(t, err); got != (Imported{Lists: 4, Generation: 2}) {
			t.Errorf("%+v", got)
		}
		_, err = ImportCeremony(bg, cfg, signed)
		wantErr(t, err, ceremony.ErrRecord)
	})
	list, err := w.Desk.Succession(bg, console.Person{ID: w.officer.ID, Unit: string(own)})
	ok(t, err)
	line := list.Generations[0]
	if !line.MayAnswer || len(line.Certificates) != 12 || !list.Offline {
		t.Errorf("%+v", line)
	}
	ok(t, w.Desk.AnswerSuccession(bg, console.Person{ID: w.officer.ID, Unit: string(own)}, 2, console.Answer{Digest: line.Sum, PIN: townPIN, Yes: true}))
	ok(t, w.succeed(bg))
	if g, err := w.Succession.Generation(bg, 2); err != nil || g.State != authority.Current {
		t.Fatalf("%s, %v", g.State, err)
	}

	set, err := w.Succession.Set(bg)
	ok(t, err)
	newSM2, newECDSA := set.Roots(profile.SM2)[0].Certificate, set.Roots(profile.ECDSA)[0].Certificate
	// ECDSA: whole paths, of the leaf of each side from the root of the other.
	chain := w.tls()
	for name, c := range map[string]struct {
		root *smx509.Certificate
		leaf []byte
	}{"new leaf, old root": {oldECDSA, chain[0]}, "old leaf, new root": {newECDSA, firstTLS[0]}, "new leaf, new root": {newECDSA, chain[0]}} {
		t.Log(name)
		_, by, err := certificateOf(bg, w.ecdsa(), c.leaf)
		ok(t, err)
		judge(t, "verify", "-attime", at(), "-CAfile", certFile(t, c.root.Raw), "-untrusted", certFile(t, withoutRoots(t, by.Chain())...), certFile(t, c.leaf))
	}
	// SM2 link by link: OpenSSL gives the distinguishing id to the leaf alone.
	after := w.certified(own, identity.RoleRecordsOfficer)
	for _, p := range []identity.Person{before, after} {
		_, by, err := certificateOf(bg, w.sm2(), p.CertDER)
		ok(t, err)
		judge(t, "verify", "-attime", at(), "-partial_chain", "-vfyopt", distid, "-trusted", certFile(t, by.Certificate.Raw), certFile(t, p.CertDER))
	}
	for _, a := range set.All() {
		root, crl := oldSM2, int64(2)
		if a.Issuer == ca.IssuerID(newSM2) {
			root, crl = newSM2, 1
		}
		if a.Track == profile.SM2 && a.Kind != authority.Root {
			judge(t, "verify", "-attime", at(), "-partial_chain", "-vfyopt", distid, "-trusted", certFile(t, root.Raw), certFile(t, a.Certificate.Raw))
			w.listFile(root, crl)
		}
	}
	// The list that a certificate of the new root names is there from the first one on.
	judge(t, "verify", "-attime", at(), "-crl_check", "-CRLfile", w.listFile(newECDSA, 1), "-CAfile", certFile(t, newECDSA.Raw), certFile(t, chain[1]))
	w.listFile(oldECDSA, 2)

	// The next lists of all four, one of which tells of an authority that fell.
	ok(t, w.CA.Revoke(bg, w.service(), ca.IssuerID(oldECDSA), ca.FormatSerial(w.anchors.ecdsaIssuing.SerialNumber), ca.ReasonSuperseded))
	w.at = w.at.Add(time.Hour)
	w.atRest(func(cfg Config) {
		order, err := OrderLists(bg, cfg)
		ok(t, err)
		out, err := SignOrder(bg, rooms, order, SM3Hex(order), both)
		got, err := ImportCeremony(bg, cfg, encoded(t, out, err))
		if ok(t, err); got != (Imported{Lists: 4}) {
			t.Errorf("%+v", got)
		}
	})
	w.listFile(newSM2, 2)
	w.listFile(newECDSA, 2)
	w.listFile(oldSM2, 3)
	w.listFile(oldECDSA, 3)
	if list := rootList(t, w.House, oldECDSA); len(list.RevokedCertificateEntries) != 1 {
		t.Errorf("%d entries", len(list.RevokedCertificateEntries))
	}
	if ends, err := w.RootListEnds(bg); err != nil || len(ends) != 4 {
		t.Errorf("%d lists of roots are watched, %v", len(ends), err)
	}
}

// withoutRoots is a chain as a server sends it: OpenSSL takes the first issuer that
// it finds, and does not go back from a root that it does not trust.
func withoutRoots(t *testing.T, chain [][]byte) (out [][]byte) {
	t.Helper()
	for _, der := range chain {
		c, err := smx509.ParseCertificate(der)
		ok(t, err)
		if c.CheckSignatureFrom(c) != nil {
			out = append(out, der)
		}
	}
	return out
}

func mustRoots(t *testing.T, out ceremony.Outcome) []*smx509.Certificate {
	t.Helper()
	roots, err := out.RootCertificates()
	ok(t, err)
	return roots
}
