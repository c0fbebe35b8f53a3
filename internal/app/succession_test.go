package app

import (
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/emmansun/gmsm/smx509"
	"github.com/go-chi/chi/v5"

	"github.com/yinxin-gov/yinxin/authz/approval"
	"github.com/yinxin-gov/yinxin/authz/identity"
	"github.com/yinxin-gov/yinxin/ca"
	"github.com/yinxin-gov/yinxin/ca/authority"
	"github.com/yinxin-gov/yinxin/ca/profile"
	"github.com/yinxin-gov/yinxin/internal/console"
	kept "github.com/yinxin-gov/yinxin/signer/revocation"
	"github.com/yinxin-gov/yinxin/signer/verify"
)

// judge is openssl from outside. Under CI it has to be there.
func judge(t *testing.T, args ...string) {
	t.Helper()
	if _, err := exec.LookPath("openssl"); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal(err)
		}
		t.Skip(err)
	}
	if out, err := exec.CommandContext(t.Context(), "openssl", args...).CombinedOutput(); err != nil {
		t.Errorf("openssl %s: %v\n%s", strings.Join(args, " "), err, out)
	}
}

func certFile(t *testing.T, ders ...[]byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "c.pem")
	ok(t, os.WriteFile(path, ca.PEM(ders...), 0o600))
	return path
}

// succession walks the house to its next generation through the desk.
func (w *town) nextGeneration(admin identity.Person, newRoots bool) {
	w.t.Helper()
	own := string(w.cfg.USCC)
	person := func(p identity.Person) console.Person { return console.Person{ID: p.ID, Unit: own} }
	order := authority.Order{Reason: "样例", NewRoots: newRoots, SwitchAt: w.at.Add(time.Hour)}
	ok(w.t, w.Desk.PrepareSuccession(bg, person(admin), order, nil))
	wantErr(w.t, w.Desk.PrepareSuccession(bg, person(w.officer), order, nil), authority.ErrBusy)
	list, err := w.Desk.Succession(bg, person(w.officer))
	ok(w.t, err)
	line := list.Generations[0]
	if !line.MayAnswer || !line.MayEnd || list.MayWrite || line.By != admin.Name || len(line.Certificates) != len(line.Members) || line.Certificates[0].SM3 == "" {
		w.t.Errorf("%+v", line)
	}
	answer := console.Answer{Digest: line.Sum, PIN: townPIN, Yes: true}
	wantErr(w.t, w.Desk.AnswerSuccession(bg, person(admin), line.Number, answer), console.ErrForbidden)
	changed := answer
	changed.Digest = SM3Hex([]byte("another"))
	wantErr(w.t, w.Desk.AnswerSuccession(bg, person(w.officer), line.Number, changed), approval.ErrInvalid)
	ok(w.t, w.Desk.AnswerSuccession(bg, person(w.officer), line.Number, answer))
	wantErr(w.t, w.Desk.AnswerSuccession(bg, person(w.officer), line.Number, answer), console.ErrAnswered)
	ok(w.t, w.succeed(bg))
	if g, err := w.Succession.Generation(bg, line.Number); err != nil || g.State != authority.Approved {
		w.t.Fatalf("before its moment: %s, %v", g.State, err)
	}
	w.at = order.SwitchAt
	ok(w.t, w.succeed(bg))
	if g, err := w.Succession.Generation(bg, line.Number); err != nil || g.State != authority.Current {
		w.t.Fatalf("at its moment: %s, %v", g.State, err)
	}
}

// revoked asks the status service as a relying party does, and looks into the list.
func (w *town) revoked(certDER []byte) (answered, listed bool) {
	w.t.Helper()
	crt, by, err := certificateOf(bg, w.sm2(), certDER)
	ok(w.t, err)
	req, err := kept.Request(certDER, by.Certificate.Raw)
	ok(w.t, err)
	said := kept.New(w.cfg.Now)
	said.AddIssuers(by.Chain()...)
	ok(w.t, said.Add(w.CertStatus.Answer(bg, req)))
	gone, known, err := said.RevokedBy(bg, certDER, w.at)
	ok(w.t, err)
	if !known {
		w.t.Errorf("no answer about %s", crt.Subject)
	}
	w.at = w.at.Add(13 * time.Hour) // the next full lists
	ok(w.t, w.CertStatus.BuildDue(bg))
	list, err := w.rooms.CA.PublishedCRL(bg, by.ID(), "", false, 0)
	ok(w.t, err)
	parsed, err := smx509.ParseRevocationList(list.DER)
	ok(w.t, err)
	ok(w.t, parsed.CheckSignatureFrom(by.Certificate))
	for _, e := range parsed.RevokedCertificateEntries {
		listed = listed || e.SerialNumber.Cmp(crt.SerialNumber) == 0
	}
	return !gone.IsZero(), listed
}

// tls is the chain of a server certificate that the house makes now.
func (w *town) tls() [][]byte {
	w.t.Helper()
	s, err := w.StepCA.ServerCertificate(bg, []string{"localhost"})
	ok(w.t, err)
	c, err := s.GetCertificate(nil)
	ok(w.t, err)
	return c.Certificate
}

// A house changes its issuing authorities, and then its roots: what was issued
// before stays recognised, is answered for and can be revoked; what is issued
// after hangs on the new ones; the holder of the old root verifies it.
func TestAuthoritiesSucceed(t *testing.T) {
	w := newTown(t, 0)
	own := identity.USCC(w.cfg.USCC)
	admin, clerk := w.certified(own, identity.RoleSystemAdmin), w.certified(own, identity.RoleClerk)
	good := trust{w.rooms.CA, w.sm2()}.good
	const distid = "distid:1234567812345678"
	oldSM2, oldTLS := w.anchors.sm2Root.Raw, w.anchors.ecdsaRoot.Raw
	firstTLS := w.tls()
	wantErr(t, w.Desk.PrepareSuccession(bg, console.Person{ID: clerk.ID, Unit: string(own)}, authority.Order{Reason: "样例"}, nil), console.ErrForbidden)

	people := []identity.Person{clerk}
	for n, newRoots := range []bool{false, true} {
		w.nextGeneration(admin, newRoots)
		_, before, err := certificateOf(bg, w.sm2(), people[n].CertDER)
		ok(t, err)
		next := w.certified(own, identity.RoleRecordsOfficer)
		people = append(people, next)
		_, after, err := certificateOf(bg, w.sm2(), next.CertDER)
		ok(t, err)
		if before.ID() == after.ID() {
			t.Fatal("issued from the retired authority")
		}
		for _, p := range people {
			ok(t, good(p.CertDER, w.at))
			yes, err := issuedTo{w.rooms.CA, w.sm2()}.person(bg, p.ID, p.CertDER)
			if ok(t, err); !yes {
				t.Errorf("%s is not known", p.Name)
			}
		}
		root := after.Above[0]
		at := strconv.FormatInt(w.at.Unix(), 10)
		judge(t, "verify", "-attime", at, "-partial_chain", "-vfyopt", distid, "-trusted", certFile(t, after.Certificate.Raw), certFile(t, next.CertDER))
		judge(t, "verify", "-attime", at, "-vfyopt", distid, "-CAfile", certFile(t, root), certFile(t, after.Certificate.Raw))
		if newRoots { // and from the root that everybody has pinned
			judge(t, "verify", "-attime", at, "-vfyopt", distid, "-CAfile", certFile(t, oldSM2), certFile(t, after.Above[1]))
		}
		chain := w.tls()
		judge(t, "verify", "-attime", at, "-CAfile", certFile(t, oldTLS), "-untrusted", certFile(t, chain[1:]...), certFile(t, chain[0]))
		if string(chain[1]) == string(firstTLS[1]) {
			t.Error("the server certificate hangs on the retired authority")
		}
	}
	set, err := w.Succession.Set(bg)
	ok(t, err)
	fresh := set.Roots(profile.ECDSA)[0].Certificate.Raw
	_, by, err := certificateOf(bg, w.ecdsa(), firstTLS[0])
	ok(t, err)
	for _, a := range set.All() { // the first authority below the newest root needs the second one's bridge in between
		if a.Kind == authority.Bridge && string(a.Certificate.RawSubject) == string(by.Certificate.RawSubject) {
			judge(t, "verify", "-attime", strconv.FormatInt(w.at.Unix(), 10), "-CAfile", certFile(t, fresh), "-untrusted", certFile(t, a.Certificate.Raw), certFile(t, firstTLS[0]))
		}
	}

	// A certificate of each generation is revoked now: both answers say so.
	for n, p := range people {
		crt, by, err := certificateOf(bg, w.sm2(), p.CertDER)
		ok(t, err)
		if answered, listed := w.revoked(p.CertDER); answered || listed {
			t.Fatalf("generation %d: revoked already", n+1)
		}
		ok(t, w.CA.Revoke(bg, w.service(), by.ID(), ca.FormatSerial(crt.SerialNumber), ca.ReasonSuperseded))
		if answered, listed := w.revoked(p.CertDER); !answered || !listed {
			t.Errorf("generation %d: OCSP %v, list %v", n+1, answered, listed)
		}
		if good(p.CertDER, w.at) == nil {
			t.Errorf("generation %d: trusted after it was revoked", n+1)
		}
	}

	// What others hold of it.
	dir := t.TempDir()
	ok(t, w.CopyAnchors(dir))
	folder, err := verify.ReadTrust(dir)
	ok(t, err)
	if n := len(folder.Anchors()); n < len(set.All()) {
		t.Errorf("%d of %d authorities in the copy", n, len(set.All()))
	}
	r := chi.NewRouter()
	w.mountStatus(r)
	get := func(path string) []byte {
		t.Helper()
		rec := httptest.NewRecorder()
		r.ServeHTTP(rec, httptest.NewRequest(http.MethodGet, path, nil))
		if rec.Code != http.StatusOK {
			t.Errorf("%s: %d", path, rec.Code)
		}
		return rec.Body.Bytes()
	}
	n := 0
	for rest := get("/pki/authorities.pem"); ; n++ {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			break
		}
	}
	if n != len(set.All()) {
		t.Errorf("%d of %d authorities are served", n, len(set.All()))
	}
	for _, a := range set.Issuing(profile.SM2) {
		if got := get("/pki/issuers/" + a.ID() + ".cer"); string(got) != string(a.Certificate.Raw) {
			t.Errorf("issuer %s: another certificate", a.Certificate.Subject)
		}
	}
	view, err := Succession(bg, w.cfg)
	ok(t, err)
	if len(view) != 3 || view[0].State != "retired" || view[2].State != "current" || len(view[2].Authorities) != 12 {
		t.Errorf("%+v", view)
	}
	// A house that starts again has the keys of every generation.
	ok(t, w.House.Close())
	again, err := Open(bg, w.cfg)
	ok(t, err)
	w.House = again
	w.certified(own, identity.RoleUnitLeader)
}
