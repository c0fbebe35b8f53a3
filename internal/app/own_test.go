package app

import (
	"bytes"
	"database/sql"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/emmansun/gmsm/smx509"

	"github.com/yinxin-gov/yinxin/authz/identity"
	"github.com/yinxin-gov/yinxin/ca"
	"github.com/yinxin-gov/yinxin/ca/authority"
	"github.com/yinxin-gov/yinxin/ca/profile"
	"github.com/yinxin-gov/yinxin/signer/seal"
	"github.com/yinxin-gov/yinxin/signer/verify"
)

// owned are the certificates in force, the files as they stand, and the rows.
func (w *town) owned() (inForce [][]byte, all []ca.Certificate) {
	w.t.Helper()
	for _, k := range ownKeys() {
		der := w.own.der(k.id)
		file, err := readDER(w.cfg.Dir, k.file)
		ok(w.t, err)
		if !bytes.Equal(file, der) {
			w.t.Errorf("%s: the file is another certificate than the one in force", k.id)
		}
		rows, err := w.rooms.CA.CertificatesOf(bg, k.id)
		ok(w.t, err)
		inForce, all = append(inForce, der), append(all, rows...)
	}
	return inForce, all
}

func (w *town) makerOf(sealID string) []byte {
	w.t.Helper()
	s, err := w.Life.Seal(bg, sealID)
	ok(w.t, err)
	parsed, err := seal.ParseSeal(s.DER)
	ok(w.t, err)
	return parsed.MakerCertDER
}

// The certificates of the house's own keys follow the authorities and their own
// age, with the same key; what was made before stands.
func TestOwnCertificatesFollow(t *testing.T) {
	w := newTown(t, 1)
	own := identity.USCC(w.cfg.USCC)
	admin := w.certified(own, identity.RoleSystemAdmin)
	sealed := w.units[0].seal
	before := w.sealed(w.units[0], notice(t, "更替之前"))
	same := func(before, after [][]byte, followed bool) {
		t.Helper()
		for i := range before {
			was, err := smx509.ParseCertificate(before[i])
			ok(t, err)
			is, err := smx509.ParseCertificate(after[i])
			ok(t, err)
			if !bytes.Equal(was.RawSubjectPublicKeyInfo, is.RawSubjectPublicKeyInfo) || !bytes.Equal(was.RawSubject, is.RawSubject) {
				t.Errorf("%s is followed by %s with another key or name", was.Subject, is.Subject)
			}
			if bytes.Equal(before[i], after[i]) == followed {
				t.Errorf("%s: followed %v, want %v", is.Subject, !followed, followed)
			}
			ok(t, trust{w.rooms.CA, w.sm2()}.good(before[i], w.at))
			ok(t, trust{w.rooms.CA, w.sm2()}.good(after[i], w.at))
		}
	}
	first, rows := w.owned()
	ok(t, w.own.keep(bg))
	if again, all := w.owned(); len(all) != len(rows) {
		t.Fatalf("%d certificates, %d before", len(all), len(rows))
	} else {
		same(first, again, false)
	}

	// Another authority issues: all three follow at once, and no further time.
	w.nextGeneration(admin, true)
	ok(t, w.own.keep(bg))
	second, rows := w.owned()
	same(first, second, true)
	for _, der := range second {
		_, by, err := certificateOf(bg, w.sm2(), der)
		ok(t, err)
		if set := w.Succession.Known(); by.ID() != set.Issuing(profile.SM2)[0].ID() {
			t.Error("a follower of the retired authority")
		}
	}
	w.at = w.at.Add(2 * quiet)
	ok(t, w.own.keep(bg))
	if _, all := w.owned(); len(all) != len(rows) || len(rows) != 6 {
		t.Errorf("%d certificates, %d before", len(all), len(rows))
	}
	// What a newcomer pins and what everybody is told is of now, without a restart.
	tls, sm2 := w.Roots()
	told := w.Anchors(bg)
	set := w.Succession.Known()
	if tls != set.Roots(profile.ECDSA)[0].TLS || sm2 != set.Roots(profile.SM2)[0].Certificate || tls.Equal(w.anchors.ecdsaRoot) || told.SM2RootSM3 != SM3Hex(sm2.Raw) ||
		told.ECDSARoot != string(ca.PEM(tls.Raw)) || told.LedgerKey != string(ca.PEM(second[0])) {
		t.Errorf("told %+v", told)
	}
	dir := t.TempDir()
	ok(t, w.CopyAnchors(dir))
	if der, err := os.ReadFile(filepath.Join(dir, fileLedgerCert)); err != nil || string(der) != told.LedgerKey {
		t.Errorf("copy: %v", err)
	}

	// A seal from before stands with the maker's certificate of its time; one that is
	// made now has the new one.
	fresh := w.newSeal(w.units[0], 90)
	if !bytes.Equal(w.makerOf(sealed), first[2]) || !bytes.Equal(w.makerOf(fresh), second[2]) {
		t.Error("a seal is made with another certificate than that of its time")
	}
	later := w.units[0]
	later.seal = fresh
	for _, doc := range [][]byte{before, w.sealed(w.units[0], notice(t, "旧章")), w.sealed(later, notice(t, "新章"))} {
		rep, err := w.Verify(bg, doc)
		ok(t, err)
		if rep.Verdict != verify.Valid {
			t.Errorf("%s: %+v", rep.Verdict, rep.Checks)
		}
	}

	// A node that was down, or lost the files, takes what the registry says.
	ok(t, w.House.Close())
	for _, k := range ownKeys() {
		ok(t, os.Remove(filepath.Join(w.cfg.Dir, dirAnchors, k.file)))
	}
	again, err := Open(bg, w.cfg)
	ok(t, err)
	w.House = again
	now, _ := w.owned()
	same(second, now, false)

	// A certificate that was withdrawn is used no more, and its key gets no other.
	row, err := w.own.newest(bg, ownKeys()[2])
	ok(t, err)
	ok(t, w.CA.Revoke(bg, w.service(), row.Issuer, row.Serial, ca.ReasonKeyCompromise))
	_, err = w.own.inForce(bg, keyMaker)
	wantErr(t, err, ca.ErrState)
	w.nextGeneration(admin, false)
	wantErr(t, w.own.keep(bg), ca.ErrRevoked)
	rowsNow, err := w.rooms.CA.CertificatesOf(bg, keyMaker)
	ok(t, err)
	third, _ := w.owned()
	if !bytes.Equal(third[2], second[2]) || len(rowsNow) != 2 {
		t.Error("a withdrawn key was certified again")
	}
	same(second[:2], third[:2], true)

	// Two thirds of a life later they follow again, once.
	crt, err := smx509.ParseCertificate(third[0])
	ok(t, err)
	late := crt.NotBefore.Add(crt.NotAfter.Sub(crt.NotBefore) * 2 / 3)
	w.at = late.Add(-time.Second)
	wantErr(t, w.own.keep(bg), ca.ErrRevoked)
	if _, all := w.owned(); len(all) != 8 {
		t.Errorf("%d certificates before two thirds", len(all))
	}
	w.at = late.Add(quiet)
	wantErr(t, w.own.keep(bg), ca.ErrRevoked)
	last, rows := w.owned()
	if same(third[:2], last[:2], true); len(rows) != 10 {
		t.Errorf("%d certificates", len(rows))
	}

	// What others wrote into the store is not in force.
	row, err = w.own.newest(bg, ownKeys()[0])
	ok(t, err)
	forged := bytes.Clone(row.DER)
	forged[len(forged)-1] ^= 1
	db, err := sql.Open("sqlite", filepath.Join(w.cfg.Dir, fileStore))
	ok(t, err)
	_, err = db.ExecContext(bg, `UPDATE ca_certificate SET der = ? WHERE serial = ?`, forged, row.Serial)
	ok(t, errors.Join(err, db.Close()))
	if _, err := w.own.newest(bg, ownKeys()[0]); err == nil {
		t.Error("a certificate without its issuer's signature is in force")
	}

	// Near the end of the authority no row of ever shorter ones is made.
	o := &ownCertificates{house: w.House}
	end := w.at.Add(time.Hour)
	if o.due(ca.Certificate{Issuer: "i", NotBefore: w.at.Add(-time.Hour), NotAfter: end}, "i", end) {
		t.Error("a follower that ends with the one before is due")
	}
	if g, err := w.Succession.Generations(bg); err != nil || g[len(g)-1].State != authority.Current {
		t.Errorf("%v", err)
	}
}
