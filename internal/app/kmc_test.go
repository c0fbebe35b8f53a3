package app

import (
	"bytes"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/emmansun/gmsm/sm2"
	"github.com/emmansun/gmsm/smx509"

	"github.com/yinxin-gov/yinxin/authz/approval"
	"github.com/yinxin-gov/yinxin/authz/grading"
	"github.com/yinxin-gov/yinxin/authz/identity"
	"github.com/yinxin-gov/yinxin/authz/ledger"
	"github.com/yinxin-gov/yinxin/authz/level"
	"github.com/yinxin-gov/yinxin/ca"
	"github.com/yinxin-gov/yinxin/ca/kmc"
	"github.com/yinxin-gov/yinxin/ca/profile"
	"github.com/yinxin-gov/yinxin/ca/ra"
	"github.com/yinxin-gov/yinxin/internal/agent"
	"github.com/yinxin-gov/yinxin/internal/api/wire"
	"github.com/yinxin-gov/yinxin/internal/workday"
)

// keyTown is a served town with the system civil-a, its administrator, and four
// key management officers.
type keyTown struct {
	*town
	unit     identity.USCC
	admin    identity.Person
	officers []identity.Person
	auditor  identity.Person
	reviewer identity.Person // a second registration officer
}

func newKeyTown(t *testing.T) *keyTown {
	t.Helper()
	w := &keyTown{town: newTown(t, 0)}
	w.at = time.Now().Add(2 * time.Second).UTC().Truncate(time.Second) // step-ca takes no token that is older than itself
	ln, err := net.Listen("tcp", w.cfg.Listen)
	ok(t, err)
	serving(t, w.House, ln)
	w.unit, err = identity.SampleUSCC("110100", 10)
	ok(t, err)
	_, _, err = w.Identity.RegisterAgency(bg, identity.Agency{USCC: w.unit, Name: "样例民政局", Kind: identity.KindOrgan, District: "110100", Duties: []string{"relief"}}, w.service())
	ok(t, err)
	own := identity.USCC(w.cfg.USCC)
	w.admin, w.auditor = w.certified(w.unit, identity.RoleAgencySysadmin), w.certified(own, identity.RoleAuditor)
	w.reviewer = w.certified(own, identity.RoleRAOfficer)
	for range 4 {
		w.officers = append(w.officers, w.certified(own, identity.RoleKMCOfficer))
	}
	_, _, err = w.Identity.RegisterSystem(bg, identity.System{ID: "civil-a", Name: "样例业务系统", Agency: w.unit, Hosts: []string{"civil-a.gov.internal"}}, w.service())
	ok(t, err)
	for kind, by := range map[grading.ClearanceKind]identity.Person{grading.ClearanceAcceptance: w.officer, grading.ClearanceReview: w.person(own, identity.RoleInformationOffice)} {
		_, _, err = w.Clearances.Record(bg, w.actor(by), grading.Clearance{
			System: "civil-a", Kind: kind, Number: "样例记录", Passed: true, On: workday.Of(w.at.AddDate(0, -2, 0)), By: "样例", Report: strings.Repeat("ab", 32),
		})
		ok(t, err)
	}
	_, _, err = w.Grading.Register(bg, grading.Record{
		System: "civil-a", Version: 1, Grade: level.Grade{S: 2, A: 2}, Reason: "样例定级", State: grading.StateCertified, BuildingUnit: w.unit,
		Filing: "11010026002-00001", DecidedOn: w.at.AddDate(0, -2, 0), AssessedOn: w.at.AddDate(0, -1, 0), ValidUntil: w.at.AddDate(1, 0, 0), Sample: true,
	}, w.actor(w.person(w.unit, identity.RoleUnitLeader)))
	ok(t, err)
	return w
}

// token is an enrolment token of the system, approved and drawn.
func (w *keyTown) token() string {
	w.t.Helper()
	req, _, err := w.RA.Submit(bg, w.actor(w.admin), ca.Request{Agency: string(w.unit), System: "civil-a", CommonName: "样例业务系统", Organization: "样例民政局", Hosts: []string{"civil-a.gov.internal"}})
	ok(w.t, err)
	req, _, err = w.RA.Review(bg, w.actor(w.reviewer), req.ID, []ra.Shown{
		{Kind: ca.EvidenceUSCC, Number: string(w.unit), Method: ca.MethodRegister}, {Kind: ca.EvidenceAuthorisation, Number: "样例授权书", Method: ca.MethodOriginal, Note: "样例"},
	})
	ok(w.t, err)
	w.sign(w.RequestSubject(req), w.officer, true)
	_, _, err = w.RA.Approve(bg, w.actor(w.officer), req.ID)
	ok(w.t, err)
	dec, err := w.RA.Draw(bg, w.actor(w.admin), req.ID)
	ok(w.t, err)
	return dec.Token
}

// enrolled is the system's folder after an enrolment.
func (w *keyTown) enrolled(name string) (dir string, sign, enc ca.Certificate) {
	w.t.Helper()
	tlsRoot, sm2Root := w.Roots()
	dir = filepath.Join(w.t.TempDir(), name)
	a, err := agent.Enrol(bg, agent.Config{URL: "https://" + w.cfg.Public, Dir: dir, TLSRoot: tlsRoot, SM2Root: sm2Root}, w.token())
	ok(w.t, err)
	a.Close()
	for file, into := range map[string]*ca.Certificate{agent.FileSignCert: &sign, agent.FileEncCert: &enc} {
		raw, err := os.ReadFile(filepath.Join(dir, file))
		ok(w.t, err)
		block, _ := pem.Decode(raw)
		crt, err := smx509.ParseCertificate(block.Bytes)
		ok(w.t, err)
		*into, err = w.rooms.CA.Certificate(bg, ca.IssuerID(w.anchors.sm2Issuing), ca.FormatSerial(crt.SerialNumber))
		ok(w.t, err)
	}
	return dir, sign, enc
}

// key reads an SM2 key of a system's folder.
func (w *keyTown) key(dir, file string) *sm2.PrivateKey {
	w.t.Helper()
	raw, err := os.ReadFile(filepath.Join(dir, file))
	ok(w.t, err)
	block, _ := pem.Decode(raw)
	key, err := smx509.ParsePKCS8PrivateKey(block.Bytes)
	ok(w.t, err)
	return key.(*sm2.PrivateKey)
}

// at the console: a person comes back with number and PIN.
func (w *keyTown) sits(p identity.Person) *counter {
	w.t.Helper()
	c := &counter{t: w.t, web: browser(w.House), base: "https://" + w.cfg.Public, pin: townPIN}
	code, page, head := c.do(http.MethodPost, "/console/back", "application/x-www-form-urlencoded", strings.NewReader("person="+p.ID+"&pin="+townPIN))
	if code != http.StatusSeeOther {
		w.t.Fatalf("%s is not let in: %d %s", p.Name, code, alert(page))
	}
	c.cookie = (&http.Response{Header: head}).Cookies()[0]
	return c
}

// calls the API as the system whose folder it is.
func (w *keyTown) calls(dir, method, path string, out any) int {
	w.t.Helper()
	pair, err := tls.LoadX509KeyPair(filepath.Join(dir, agent.FileTLSCert), filepath.Join(dir, agent.FileTLSKey))
	ok(w.t, err)
	roots := x509.NewCertPool()
	root, _ := w.Roots()
	roots.AddCert(root)
	c := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots, Certificates: []tls.Certificate{pair}}, DisableKeepAlives: true}}
	req, err := http.NewRequest(method, "https://"+w.cfg.Public+path, nil)
	ok(w.t, err)
	r, err := c.Do(req)
	ok(w.t, err)
	if raw := body(w.t, r); r.StatusCode == http.StatusOK {
		ok(w.t, json.Unmarshal([]byte(raw), out))
	}
	return r.StatusCode
}

var requestForm = regexp.MustCompile(`id="r-([0-9a-f-]{36})"`)

// TestKeysAreRecoveredInTheHouse walks both recoveries through the real rooms:
// console, posts, signatures with PINs, store, ledger, API.
func TestKeysAreRecoveredInTheHouse(t *testing.T) {
	w := newKeyTown(t)
	lostDir, _, lost := w.enrolled("lost")
	newDir, sign, _ := w.enrolled("new")
	lostKey := w.key(lostDir, agent.FileEncKey)
	var kept string
	t.Run("gateway", func(t *testing.T) { w.gatewayAsks(t, lostDir, newDir) })
	t.Run("bad input", func(t *testing.T) {
		w.badQuestions(t, lostDir)
		w.badPaths(t, lostDir)
	})
	t.Run("tokens", func(t *testing.T) { kept = w.tokensOfASystem(t, lostDir, newDir) })
	t.Run("owner", func(t *testing.T) { w.ownerRecovers(lost, sign, newDir, lostKey) })
	t.Run("judicial", func(t *testing.T) { w.courtRecovers(lost, lostKey) })
	t.Run("refused", func(t *testing.T) { w.officerRefuses(lost, sign) })
	t.Run("ended tokens", func(t *testing.T) { w.tokensEnd(t, lostDir, kept) })
}

func (w *keyTown) ownerRecovers(lost, sign ca.Certificate, newDir string, lostKey *sm2.PrivateKey) {
	const page = "/console/recovery"
	t, admin, ra := w.t, w.sits(w.admin), w.sits(w.officer)
	form := []string{"key", lost.Issuer + ":" + lost.Serial, "receiver", sign.Serial, "reason", "服务器损坏"}
	admin.post(page, http.StatusSeeOther, form...)
	admin.post(page, http.StatusConflict, form...)                                                 // the form again
	admin.post(page, http.StatusConflict, "key", form[1], "receiver", lost.Serial, "reason", "x")  // no signing certificate
	ra.post(page, http.StatusConflict, "key", form[1], "receiver", sign.Serial, "reason", "x")     // not his unit's
	admin.post(page, http.StatusBadRequest, "key", form[1], "receiver", sign.Serial, "reason", "") // no reason
	id := requestForm.FindStringSubmatch(admin.get(page, http.StatusOK))[1]
	if shown := admin.get(page, http.StatusOK); strings.Contains(shown, `name="pin"`) {
		t.Error("who asked is asked for an answer")
	}
	first := w.sits(w.officers[0])
	if shown := first.get(page, http.StatusOK); strings.Contains(shown, `name="pin"`) {
		t.Error("an officer is asked before the registration officer's check")
	}
	r, err := w.Recoveries.Recovery(bg, id)
	ok(t, err)
	_, _, err = w.Approve(bg, recoveryApprovers{unit: identity.USCC(w.cfg.USCC)}.vote(r), w.officers[0].ID, townPIN, true, "")
	wantErr(t, err, approval.ErrInvalid)
	var key wire.RecoveredKey
	if code := w.calls(newDir, http.MethodPost, wire.PathRecoveries+"/"+id+"/delivery", &key); code != http.StatusConflict {
		t.Errorf("delivered before anybody signed: %d", code)
	}
	program := built(t)
	if back, waiting := recovers(t, program, newDir); len(back) != 0 || len(waiting) != 1 || waiting[0] != id {
		t.Errorf("before anybody signed: %+v, %v", back, waiting)
	}
	ra.answers(page, page+"/"+id+"/answer", http.StatusSeeOther, true)
	first.answers(page, page+"/"+id+"/answer", http.StatusSeeOther, true)
	first.post(page+"/"+id+"/answer", http.StatusConflict, "digest", r.Digest(), "pin", townPIN, "answer", "yes") // one person twice
	if r, err := w.Recoveries.Recovery(bg, id); err != nil || r.State != kmc.Checked {
		t.Fatalf("%s, %v", r.State, err)
	}
	w.sits(w.officers[1]).answers(page, page+"/"+id+"/answer", http.StatusSeeOther, true)
	var list []wire.Recovery
	if code := w.calls(newDir, http.MethodGet, wire.PathRecoveries, &list); code != http.StatusOK || len(list) != 1 || list[0].State != "approved" || list[0].Receiver != sign.Serial {
		t.Fatalf("%d %+v", code, list)
	}
	// The command of the system's administrator: it comes back with the key, once.
	back, waiting := recovers(t, program, newDir)
	if len(back) != 1 || len(waiting) != 0 || back[0].ID != id || back[0].Serial != lost.Serial || !w.key(newDir, filepath.Join("old", lost.Serial+".key")).Equal(lostKey) {
		t.Errorf("the lost key is not back: %+v, %v", back, waiting)
	}
	if back, waiting := recovers(t, program, newDir); len(back)+len(waiting) != 0 {
		t.Errorf("twice: %+v, %v", back, waiting)
	}
	if code := w.calls(newDir, http.MethodPost, wire.PathRecoveries+"/"+id+"/delivery", &key); code != http.StatusConflict {
		t.Errorf("delivered twice: %d", code)
	}
	want := []string{"kmc.recovery.asked", "approval.subject.decided", "kmc.recovery.checked", "approval.subject.decided", "approval.subject.decided", "kmc.recovery.approved", "kmc.recovery.delivered"}
	if n := w.noticed(id); n != 3 {
		t.Errorf("%d notices", n)
	}
	if types := w.story(id); strings.Join(types, " ") != strings.Join(want, " ") {
		t.Errorf("on the ledger: %v", types)
	}
}

// built is the program.
func built(t *testing.T) string {
	t.Helper()
	bin := filepath.Join(t.TempDir(), "yinxin")
	if out, err := exec.Command("go", "build", "-o", bin, "../../cmd/yinxin").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return bin
}

// recovers runs `agent recover` on a system's folder, which remembers its house.
func recovers(t *testing.T, program, dir string) (back []agent.Recovered, waiting []string) {
	t.Helper()
	var told bytes.Buffer
	cmd := exec.Command(program, "agent", "recover", "--json", "--dir", dir)
	cmd.Stderr = &told
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v: %s", err, &told)
	}
	var got struct {
		Recovered []agent.Recovered
		Waiting   []string
	}
	ok(t, json.Unmarshal(out, &got))
	return got.Recovered, got.Waiting
}

// noticed counts what leaves the house about a request.
func (w *keyTown) noticed(id string) (n int) {
	w.t.Helper()
	fresh, err := w.rooms.Notify.Unspread(bg, 100)
	ok(w.t, err)
	spread, err := w.rooms.Notify.Recent(bg, "", 100)
	ok(w.t, err)
	for _, x := range append(fresh, spread...) {
		if x.Object.ID == id {
			n++
		}
	}
	return n
}

// story is what the ledger tells of a request, in order.
func (w *keyTown) story(id string) (types []string) {
	w.t.Helper()
	entries, err := w.store.Ledger().Entries(bg, 0, 0, w.Ledger.Head().Size)
	ok(w.t, err)
	for _, e := range entries {
		if ev, err := ledger.Decode(e.Body); err == nil && ev.Object.ID == id {
			types = append(types, ev.Type)
		}
	}
	return types
}

func (w *keyTown) courtRecovers(lost ca.Certificate, lostKey *sm2.PrivateKey) {
	const page = "/console/recovery"
	t := w.t
	investigator, err := sm2.GenerateKey(rand.Reader)
	ok(t, err)
	issued, err := w.CA.IssueSM2(bg, w.service(), ca.IssueSpec{
		ID: "investigator", Kind: ca.KindService, Profile: profile.SM2Exchange, Public: &investigator.PublicKey, Agency: w.cfg.USCC, System: "investigator",
		Subject: profile.Subject{CommonName: "样例调查员", Organization: "样例区人民检察院"},
	})
	ok(t, err)
	stranger, err := smx509.CreateCertificate(rand.Reader, &smx509.Certificate{SerialNumber: lostKey.D, Subject: pkix.Name{CommonName: "x"}, NotBefore: w.at.Add(-time.Hour), NotAfter: w.at.Add(time.Hour)}, &smx509.Certificate{Subject: pkix.Name{CommonName: "x"}}, &investigator.PublicKey, investigator)
	ok(t, err)
	entering := w.sits(w.officers[3])
	form := func(der []byte) []string {
		return []string{"key", lost.Issuer + ":" + lost.Serial, "document", "样检调〔2026〕1号", "authority", "样例区人民检察院", "reason", "调取证据", "receiver", string(ca.PEM(der))}
	}
	entering.send(page+"/judicial", http.StatusConflict, "scan", "a.pdf", []byte("scan"), form(stranger)...)
	w.sits(w.admin).send(page+"/judicial", http.StatusForbidden, "scan", "a.pdf", []byte("scan"), form(issued.Certificate.DER)...)
	entering.send(page+"/judicial", http.StatusSeeOther, "scan", "a.pdf", []byte("scan"), form(issued.Certificate.DER)...)
	id := requestForm.FindStringSubmatch(entering.get(page, http.StatusOK))[1]
	for i, o := range w.officers[:3] {
		if r, err := w.Recoveries.Recovery(bg, id); err != nil || r.State != kmc.Asked || r.Need != 3 {
			t.Fatalf("after %d answers: %s, %v", i, r.State, err)
		}
		w.sits(o).answers(page, page+"/"+id+"/answer", http.StatusSeeOther, true)
	}
	if shown := w.sits(w.admin).get(page, http.StatusOK); strings.Contains(shown, id) || strings.Contains(shown, "样检调") {
		t.Error("the owner is told")
	}
	if w.noticed(id) != 0 {
		t.Error("a channel tells the owner")
	}
	if shown := w.sits(w.auditor).get(page, http.StatusOK); !strings.Contains(shown, id) || strings.Contains(shown, `name="pin"`) {
		t.Error("the auditor does not see it, or may answer")
	}
	w.sits(w.officers[0]).post(page+"/"+id+"/envelope", http.StatusNotFound)
	code, envelope, head := entering.do(http.MethodPost, page+"/"+id+"/envelope", "application/x-www-form-urlencoded", strings.NewReader(""))
	if code != http.StatusOK || !strings.HasPrefix(head.Get("Content-Disposition"), "attachment") {
		t.Fatalf("the envelope: %d", code)
	}
	if got, err := sm2.ParseEnvelopedPrivateKey(investigator, []byte(envelope)); err != nil || !got.Equal(lostKey) {
		t.Errorf("the envelope: %v", err)
	}
	entering.post(page+"/"+id+"/envelope", http.StatusConflict)
}

func (w *keyTown) officerRefuses(lost, sign ca.Certificate) {
	const page = "/console/recovery"
	admin := w.sits(w.admin)
	admin.post(page, http.StatusSeeOther, "key", lost.Issuer+":"+lost.Serial, "receiver", sign.Serial, "reason", "再来一次")
	id := requestForm.FindStringSubmatch(admin.get(page, http.StatusOK))[1]
	w.sits(w.officer).answers(page, page+"/"+id+"/answer", http.StatusSeeOther, true)
	w.sits(w.officers[0]).answers(page, page+"/"+id+"/answer", http.StatusSeeOther, false)
	if r, err := w.Recoveries.Recovery(bg, id); err != nil || r.State != kmc.Refused || r.Refusal == "" {
		w.t.Errorf("%s, %v", r.State, err)
	}
	w.sits(w.officers[1]).post(page+"/"+id+"/answer", http.StatusConflict, "digest", strings.Repeat("0", 64), "pin", townPIN, "answer", "yes")
}

// TestKEKRotates: a new key-encryption key in the folder; the next start wraps
// what was escrowed anew, and the former key is not needed any more.
func TestKEKRotates(t *testing.T) {
	cfg, ln := config(t, "")
	ok(t, ln.Close())
	cfg.Keys.Pool = 3
	_, err := Init(bg, cfg, three)
	ok(t, err)
	key := func(h *House, pair string) ca.EscrowedKey {
		k, err := h.rooms.KMC.Escrowed(bg, pair)
		ok(t, err)
		return k
	}
	h, err := Open(bg, cfg)
	ok(t, err)
	made, err := h.KMC.NewPair(bg, "pair-1", &newSM2(t).PublicKey)
	ok(t, err)
	rows := make([]ca.Certificate, 1)
	rows[0] = ca.Certificate{Issuer: "aa", Serial: "1", Kind: ca.KindSM2Enc, Pair: "pair-1", Agency: cfg.USCC, NotBefore: h.now(), NotAfter: h.now(), CreatedAt: h.now()}
	ev := ledger.Event{ID: newID(), Type: "test.pair.reserved", Class: ledger.ClassCertificate, Time: h.now(), Actor: h.service(), Object: ledger.Object{Kind: "pair", ID: "pair-1"}, Outcome: ledger.Success}
	_, err = h.rooms.CA.Reserve(bg, rows, &made.Escrow, ev)
	ok(t, err)
	ok(t, h.KMC.Refill(bg))
	ok(t, h.Close())

	turned, err := RotateKEK(bg, cfg)
	ok(t, err)
	if turned.Former != made.Escrow.KEK || turned.Now == turned.Former {
		t.Errorf("%+v", turned)
	}
	former, err := filepath.Glob(filepath.Join(cfg.Dir, prefixFormer+"*.der"))
	ok(t, err)
	if info, err := os.Stat(former[0]); err != nil || len(former) != 1 || info.Mode().Perm() != 0o600 {
		t.Errorf("%v %v", former, err)
	}
	h, err = Open(bg, cfg)
	ok(t, err)
	if k := key(h, "pair-1"); k.KEK != turned.Former {
		t.Errorf("before it was wrapped anew: %s", k.KEK)
	}
	ok(t, h.KMC.Rewrap(bg))
	if k := key(h, "pair-1"); k.KEK != turned.Now || k.PublicSM3 != made.Escrow.PublicSM3 {
		t.Errorf("after: %+v", k)
	}
	ok(t, h.KMC.Refill(bg))
	ok(t, h.Close())
	ok(t, os.Remove(former[0]))
	h, err = Open(bg, cfg)
	ok(t, err)
	ok(t, h.KMC.Rewrap(bg))
	ok(t, h.Close())
}

func newSM2(t *testing.T) *sm2.PrivateKey {
	t.Helper()
	key, err := sm2.GenerateKey(rand.Reader)
	ok(t, err)
	return key
}

func TestKeySettings(t *testing.T) {
	for _, bad := range []KeySettings{{Pool: -1}, {Pool: maxKeyPool + 1}, {Officers: 1}, {Judicial: 2}, {Officers: 3, Judicial: 3}, {Days: maxRecoveryDays + 1}} {
		cfg, ln := config(t, "")
		ok(t, ln.Close())
		cfg.Keys = bad
		wantErr(t, cfg.validate(), ErrConfig)
	}
	cfg, ln := config(t, "")
	ok(t, ln.Close())
	cfg.Keys = KeySettings{Pool: 64, Officers: 3, Judicial: 5, Days: 3}
	ok(t, os.MkdirAll(cfg.Dir, 0o700))
	ok(t, cfg.save(cfg.Dir))
	got, err := LoadSettings(cfg.Dir)
	ok(t, err)
	if got.Keys != cfg.Keys {
		t.Errorf("read back %+v", got.Keys)
	}
	t.Setenv("YINXIN_KEY_POOL", "12")
	if got, err = LoadSettings(cfg.Dir); err != nil || got.Keys.Pool != 12 {
		t.Errorf("%+v, %v", got.Keys, err)
	}
}
