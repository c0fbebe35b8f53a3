package app

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/emmansun/gmsm/sm2"
	"github.com/emmansun/gmsm/smx509"
	"github.com/golang-jwt/jwt/v5"
	"github.com/google/uuid"

	"github.com/yinxin-gov/yinxin/authz"
	"github.com/yinxin-gov/yinxin/authz/grading"
	"github.com/yinxin-gov/yinxin/authz/identity"
	"github.com/yinxin-gov/yinxin/authz/ledger"
	"github.com/yinxin-gov/yinxin/authz/level"
	"github.com/yinxin-gov/yinxin/authz/sharing"
	"github.com/yinxin-gov/yinxin/ca"
	"github.com/yinxin-gov/yinxin/ca/peer"
	"github.com/yinxin-gov/yinxin/ca/peer/peertest"
	"github.com/yinxin-gov/yinxin/internal/api/wire"
	"github.com/yinxin-gov/yinxin/internal/console"
	"github.com/yinxin-gov/yinxin/internal/exchange"
	"github.com/yinxin-gov/yinxin/signer/cms"
	"github.com/yinxin-gov/yinxin/signer/verify"
)

// border is a served house, and beside it the authorities of a city's platform and
// of a vertical system, which know nothing of the house.
type border struct {
	*town
	clock                    atomic.Int64 // nanoseconds
	admin                    identity.Person
	cityUnit, taxUnit        identity.USCC
	root, issuing, gm, other *peertest.Authority
	key                      crypto.Signer
	sign, enc                *sm2.PrivateKey
	signCert                 *smx509.Certificate
	entry                    peer.Entry
}

const (
	cityHost   = "exchange.city.example"
	citySystem = "city-exchange"
	taxHost    = "a.tax.example"
	duty       = "relief"
)

func newBorder(t *testing.T) *border {
	t.Helper()
	cfg, ln := config(t, "")
	w := &border{town: &town{t: t, at: time.Now().UTC().Truncate(time.Second)}}
	w.clock.Store(w.at.UnixNano())
	cfg.Now = func() time.Time { return time.Unix(0, w.clock.Load()).UTC() }
	h, _, err := Found(bg, cfg, three)
	ok(t, err)
	w.House = h
	own := identity.USCC(h.cfg.USCC)
	w.officer = w.person(own, identity.RoleRAOfficer)
	_, err = h.CertifyPerson(bg, h.service(), w.officer.ID)
	ok(t, err)
	w.keeper, w.admin = w.person(own, identity.RoleSealAdministrator), w.certified(own, identity.RoleSystemAdmin)
	for n, into := range map[int]*identity.USCC{40: &w.cityUnit, 41: &w.taxUnit} {
		*into, err = identity.SampleUSCC("110000", n)
		ok(t, err)
	}
	w.root, w.gm, w.other = peertest.Root(t, false, w.at, nil), peertest.Root(t, true, w.at, nil), peertest.Root(t, false, w.at, nil)
	w.issuing = w.root.Below(t, nil)
	w.key, w.sign, w.enc = peertest.Key(t, false), peertest.Key(t, true).(*sm2.PrivateKey), peertest.Key(t, true).(*sm2.PrivateKey)
	w.signCert = w.gm.Leaf(t, w.sign.Public(), "", string(w.cityUnit), nil)
	encCert := w.gm.Leaf(t, w.enc.Public(), "", string(w.cityUnit), func(c *smx509.Certificate) { c.KeyUsage = smx509.KeyUsageKeyEncipherment })
	w.entry = peer.Entry{
		Domain: "city", Name: "样例市共享交换平台", Operator: string(w.cityUnit), Kind: peer.KindCity, Anchors: [][]byte{w.root.Cert.Raw, w.gm.Cert.Raw}, Issuing: [][]byte{w.issuing.Cert.Raw},
		Hosts: []string{"city.example"}, Units: []string{string(w.cityUnit)}, Level: 1, Actions: []string{"copy", "forward"}, Purposes: []string{duty}, Stale: 24 * time.Hour,
		Systems: []peer.System{{ID: citySystem, Name: "样例交换平台", Host: cityHost, Unit: string(w.cityUnit), UnitName: "样例市经信局", Sign: w.signCert.Raw, Enc: encCert.Raw}},
		From:    w.at.Add(-time.Hour), Until: w.at.AddDate(1, 0, 0), Reason: "市区两级数据传输",
	}
	serving(t, h, ln)
	return w
}

func (w *border) by(p identity.Person) console.Person {
	return console.Person{ID: p.ID, Unit: w.cfg.USCC}
}

// pass moves the clock of the house; that of TLS stays.
func (w *border) pass(d time.Duration) {
	w.at = w.at.Add(d)
	w.clock.Store(w.at.UnixNano())
}

// agree takes a domain on: proposed on the page by one, signed there by another.
func (w *border) agree(e peer.Entry) peer.Entry {
	w.t.Helper()
	ok(w.t, w.Desk.ProposePeer(bg, w.by(w.admin), e))
	list, err := w.Desk.Peered(bg, w.by(w.officer))
	ok(w.t, err)
	l := list.Entries[0]
	ok(w.t, w.Desk.AnswerPeer(bg, w.by(w.officer), l.ID, console.Answer{Digest: l.Sum, PIN: townPIN, Yes: true}))
	return l.Entry
}

func (w *border) listed(domain string, authorities []*peertest.Authority, gone ...*smx509.Certificate) {
	w.t.Helper()
	for _, a := range authorities {
		ok(w.t, w.Desk.ImportPeerList(bg, w.by(w.officer), domain, console.Paper{Name: "list.crl", Bytes: a.List(w.t, w.at, nil, gone...)}))
	}
}

// caller is an HTTP client with a certificate of its own.
func (w *border) caller(crt *smx509.Certificate, key crypto.Signer) *http.Client {
	pool := x509.NewCertPool()
	root, _ := w.Roots()
	pool.AddCert(root)
	pair := tls.Certificate{Certificate: [][]byte{crt.Raw, w.issuing.Cert.Raw}, PrivateKey: key}
	c := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{
		RootCAs: pool, MinVersion: tls.VersionTLS12,
		GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &pair, nil }, // also one that the house does not name
	}}}
	w.t.Cleanup(c.CloseIdleConnections)
	return c
}

// call asks the API and returns status, problem code and body.
func (w *border) call(c *http.Client, method, path string, in any) (int, string, []byte) {
	w.t.Helper()
	raw, err := json.Marshal(in)
	ok(w.t, err)
	if in == nil {
		raw = nil
	}
	req, err := http.NewRequest(method, "https://"+w.cfg.Public+path, bytes.NewReader(raw))
	ok(w.t, err)
	req.Header.Set("Content-Type", "application/json")
	r, err := c.Do(req)
	if err != nil {
		return 0, "tls", nil
	}
	out := []byte(body(w.t, r))
	var p wire.Problem
	_ = json.Unmarshal(out, &p) // empty for what is no problem
	return r.StatusCode, p.Code, out
}

// refusals are the callers of a domain that the ledger says were refused, newest last.
func (w *border) refusals() (causes []string) {
	w.t.Helper()
	for _, ev := range w.events() {
		if ev.Type == "ca.peer.refused_caller" {
			causes = append(causes, ev.Details["cause"])
		}
	}
	return causes
}

func (w *border) events() (out []ledger.Event) {
	w.t.Helper()
	all, err := w.store.Ledger().Entries(bg, 0, 0, w.Ledger.Head().Size)
	ok(w.t, err)
	for _, e := range all {
		ev, err := ledger.Decode(e.Body)
		ok(w.t, err)
		out = append(out, ev)
	}
	return out
}

// graded puts a grading of a system on record.
func (w *border) graded(system string, unit identity.USCC, s uint8) {
	w.t.Helper()
	_, _, err := w.Grading.Register(bg, grading.Record{
		System: system, Version: 1, Grade: level.Grade{S: s, A: s}, Reason: "样例定级", State: grading.StateCertified, BuildingUnit: unit,
		Filing: fmt.Sprintf("11010026002-%05d", len(system)), DecidedOn: w.at.AddDate(0, -2, 0), AssessedOn: w.at.AddDate(0, -1, 0), ValidUntil: w.at.AddDate(1, 0, 0), Sample: true,
	}, w.actor(w.person(unit, identity.RoleUnitLeader)))
	ok(w.t, err)
}

// provider is a unit with a seal, a graded system and two resources.
func (w *border) provider() office {
	w.t.Helper()
	code, err := identity.SampleUSCC("110100", 30)
	ok(w.t, err)
	_, _, err = w.Identity.RegisterAgency(bg, identity.Agency{USCC: code, Name: "样例民政局", Kind: identity.KindOrgan, District: "110100", Duties: []string{duty}}, w.service())
	ok(w.t, err)
	o := office{unit: code, leader: w.certified(code, identity.RoleUnitLeader), clerk: w.certified(code, identity.RoleClerk)}
	o.seal = w.newSeal(o, 30)
	_, _, err = w.Identity.RegisterSystem(bg, identity.System{ID: "civil-p", Name: "样例民政系统", Agency: code}, w.service())
	ok(w.t, err)
	w.graded("civil-p", code, 3)
	for id, lv := range map[string]level.Level{"streets": 1, "families": 2} {
		_, _, err := w.Sharing.RegisterResource(bg, sharing.Resource{
			ID: id, Name: "样例" + id, Provider: code, Label: level.Label{Level: lv, RequiredS: uint8(lv), RequiredA: uint8(lv)}, ShareType: sharing.ShareUnconditional,
			Regime: sharing.RegimeBeijing2017, Items: []string{"x"}, SecrecyReview: "保审1",
		}, w.actor(o.clerk))
		ok(w.t, err)
	}
	return o
}

// TestX14_05_BJ05_1b_CityPlatformWorksAcrossTheBorder: the city's platform proves itself with
// its own certificate, asks before each fetch, receives under the bound that two
// persons signed, and confirms; and ends at once when one person says so.
func TestX14_05_BJ05_1b_CityPlatformWorksAcrossTheBorder(t *testing.T) {
	w := newBorder(t)
	o := w.provider()
	leaf := w.issuing.Leaf(t, w.key.Public(), cityHost, string(w.cityUnit), nil)
	platform := w.caller(leaf, w.key)
	if status, code, _ := w.call(platform, http.MethodGet, wire.PathTransfers, nil); status != 0 {
		t.Fatalf("before anybody agreed: %d %s", status, code)
	}
	w.entry = w.agree(w.entry)
	if status, code, _ := w.call(platform, http.MethodGet, wire.PathTransfers, nil); status != http.StatusForbidden || code != "peer.refused" {
		t.Errorf("without a list: %d %s", status, code)
	}
	w.listed("city", []*peertest.Authority{w.root, w.issuing, w.gm})
	if status, code, out := w.call(platform, http.MethodGet, wire.PathTransfers, nil); status != http.StatusOK {
		t.Fatalf("%d %s %s", status, code, out)
	}
	t.Run("only deny", func(t *testing.T) { w.bounded(platform) })
	t.Run("BJ05-1b receipts", func(t *testing.T) { w.receipts(platform) })
	t.Run("transfer", func(t *testing.T) { w.transfers(platform, o) })
	t.Run("signed by the platform", w.signed)
	t.Run("not ours", func(t *testing.T) { w.notOurs(platform, leaf) })

	// One person ends it: on the connection that is open, for decisions and documents.
	ok(t, w.Desk.WithdrawPeer(bg, w.by(w.admin), w.entry.ID, "市级平台停用"))
	if status, code, _ := w.call(platform, http.MethodGet, wire.PathTransfers, nil); status != http.StatusForbidden || code != "peer.refused" {
		t.Errorf("after it was withdrawn: %d %s", status, code)
	}
	if got := w.refusals(); len(got) != 2 || got[0] == got[1] || !strings.Contains(got[1], peer.ErrWithdrawn.Error()) {
		t.Errorf("%q", got)
	}
	d, err := w.PDP.Decide(bg, authz.Request{SubjectType: authz.SubjectSystem, SubjectID: "civil-p", Action: authz.ActionForward, Resource: "streets", Target: citySystem, Purpose: duty})
	ok(t, err)
	if d.Allow || d.Reasons[0].Code != level.CodePeerLevel {
		t.Errorf("forward to a domain that ended: %+v", d)
	}
}

func evaluation(subject, action, resource, target string, carriers ...string) map[string]any {
	return map[string]any{
		"subject": map[string]any{"type": "system", "id": subject}, "action": map[string]any{"name": action}, "resource": map[string]any{"type": "resource", "id": resource},
		"context": map[string]any{"purpose": duty, "target_system": target, "carriers": carriers},
	}
}

type evaluated struct {
	Decision bool `json:"decision"`
	Context  struct {
		ID      string `json:"id"`
		Reasons []struct {
			Code string `json:"code"`
		} `json:"reasons"`
	} `json:"context"`
}

func (w *border) evaluate(c *http.Client, q map[string]any) (out evaluated, code int) {
	w.t.Helper()
	status, _, raw := w.call(c, http.MethodPost, "/access/v1/evaluation", q)
	if status == http.StatusOK {
		ok(w.t, json.Unmarshal(raw, &out))
	}
	return out, status
}

// bounded: the core and the grades permit; the bound of the domain only denies.
func (w *border) bounded(platform *http.Client) {
	if out, status := w.evaluate(platform, evaluation(citySystem, "copy", "streets", citySystem)); status != http.StatusOK || out.Decision {
		w.t.Errorf("ungraded: %d %+v", status, out)
	}
	w.graded(citySystem, w.cityUnit, 3)
	for name, c := range map[string]struct {
		q    map[string]any
		want string
	}{
		"within":                         {evaluation(citySystem, "copy", "streets", citySystem), ""},
		"above the level, though graded": {evaluation(citySystem, "copy", "families", citySystem), level.CodePeerLevel},
		"an action that was not agreed":  {evaluation(citySystem, "derive", "streets", citySystem), "E26_peer_act"},
	} {
		out, status := w.evaluate(platform, c.q)
		got := ""
		if len(out.Context.Reasons) > 0 {
			got = out.Context.Reasons[0].Code
		}
		if status != http.StatusOK || out.Decision != (c.want == "") || got != c.want {
			w.t.Errorf("%s: %d %+v", name, status, out)
		}
	}
	if !slices.ContainsFunc(w.events(), func(ev ledger.Event) bool {
		return ev.Type == authz.EventDecision && ev.Decision == "deny" && ev.Actor.ID == citySystem && slices.Contains(ev.Reasons, level.CodePeerLevel)
	}) {
		w.t.Error("the refusal is not on the ledger")
	}
}

// receipts: the platform asks for whom it carries, and each line of its log has a
// decision of its own.
func (w *border) receipts(platform *http.Client) {
	if _, status := w.evaluate(platform, evaluation("civil-p", "copy", "streets", "civil-p")); status != http.StatusForbidden {
		w.t.Errorf("asked about somebody whom it does not carry for: %d", status)
	}
	out, status := w.evaluate(platform, evaluation("civil-p", "copy", "streets", "civil-p", citySystem))
	if status != http.StatusOK || !out.Decision || out.Context.ID == "" {
		w.t.Fatalf("%d %+v", status, out)
	}
	receipt := wire.Confirmation{
		Decision: out.Context.ID, Action: "copy", Resource: "streets", Target: "civil-p", Purpose: duty, Document: exchange.SM3Hex([]byte("街道")), Log: "20260701-1", At: w.at,
	}
	bad := receipt
	bad.Resource = "families"
	if status, code, _ := w.call(platform, http.MethodPost, wire.PathReceipts, bad); status != http.StatusForbidden || code != "receipt.undecided" {
		w.t.Errorf("another resource: %d %s", status, code)
	}
	bad = receipt
	bad.Decision = newID()
	if status, code, _ := w.call(platform, http.MethodPost, wire.PathReceipts, bad); status != http.StatusForbidden || code != "receipt.undecided" {
		w.t.Errorf("no decision: %d %s", status, code)
	}
	for range 2 { // the second is the same once more
		if status, code, raw := w.call(platform, http.MethodPost, wire.PathReceipts, receipt); status != http.StatusOK {
			w.t.Fatalf("%d %s %s", status, code, raw)
		}
	}
	bad = receipt
	bad.Log = "20260701-2"
	if status, code, _ := w.call(platform, http.MethodPost, wire.PathReceipts, bad); status != http.StatusConflict || code != "receipt.confirmed" {
		w.t.Errorf("a second fetch on one decision: %d %s", status, code)
	}
	var told int
	for _, ev := range w.events() {
		if ev.Type == "exchange.platform.confirmed" {
			told++
			if ev.Details["decision"] != receipt.Decision || ev.Actor.ID != citySystem || ev.Payload != receipt.Document {
				w.t.Errorf("%+v", ev)
			}
		}
	}
	if told != 1 {
		w.t.Errorf("%d receipts on the ledger", told)
	}
}

// transfers: a sealed document goes to the platform, encrypted to the certificate that
// its domain issued, and its receipt is signed with the other one.
func (w *border) transfers(platform *http.Client, o office) {
	doc := w.sealed(o, paper(w.t, "街道名录"))
	sender := ledger.Actor{Kind: "system", ID: "civil-p", Unit: string(o.unit)}
	send := exchange.SendRequest{FromSystem: "civil-p", ToSystem: citySystem, Resource: "families", Purpose: duty, Name: "a.ofd", Document: doc}
	_, _, _, err := w.Exchange.Send(bg, sender, send)
	wantErr(w.t, err, exchange.ErrDenied)
	send.Resource = "streets"
	sent, _, _, err := w.Exchange.Send(bg, sender, send)
	ok(w.t, err)
	status, code, raw := w.call(platform, http.MethodGet, wire.PathTransfers+"/"+sent.ID+"/envelope", nil)
	if status != http.StatusOK {
		w.t.Fatalf("%d %s", status, code)
	}
	_, inner, _, err := cms.OpenEnvelope(raw)
	ok(w.t, err)
	got, err := cms.Decrypt(inner, w.entry.Systems[0].Enc, w.enc)
	ok(w.t, err)
	if !bytes.Equal(got, doc) {
		w.t.Error("another document came out")
	}
	stranger := peertest.Key(w.t, true).(*sm2.PrivateKey)
	for _, c := range []struct {
		key  *sm2.PrivateKey
		want int
	}{{stranger, http.StatusUnprocessableEntity}, {w.sign, http.StatusOK}} {
		sig, err := c.key.Sign(rand.Reader, wire.ReceiptPayload(sent.ID, sent.Document), sm2.DefaultSM2SignerOpts)
		ok(w.t, err)
		if status, code, raw = w.call(platform, http.MethodPost, wire.PathTransfers+"/"+sent.ID+"/receipt", wire.ReceiptRequest{Signature: sig}); status != c.want {
			w.t.Errorf("receipt: %d %s %s", status, code, raw)
		}
	}
}

// signed: what the platform signs with its SM2 certificate is verified within its
// names, and the report says whose it is.
func (w *border) signed(t *testing.T) {
	chain := func(crt *smx509.Certificate, key *sm2.PrivateKey) verify.Check {
		t.Helper()
		msg, err := cms.SignContent([]byte("交换清单"), key, crt.Raw)
		ok(t, err)
		rep, err := w.Verify(bg, msg)
		ok(t, err)
		i := slices.IndexFunc(rep.Signatures[0].Checks, func(c verify.Check) bool { return c.ID == verify.CheckChain })
		return rep.Signatures[0].Checks[i]
	}
	if got := chain(w.signCert, w.sign); got.Result != verify.Pass || !strings.Contains(got.Detail, w.entry.Name) {
		t.Errorf("%+v", got)
	}
	foreign := w.gm.Leaf(t, w.sign.Public(), "", string(w.taxUnit), nil)
	if got := chain(foreign, w.sign); got.Result != verify.CannotTell || got.Reason != verify.ReasonDomain || !strings.Contains(got.Detail, w.entry.Name) {
		t.Errorf("a name of others: %+v", got)
	}
	now, err := w.trustNow(bg)
	ok(t, err)
	if len(now.Licences(w.gm.Cert.Raw)) != 0 || slices.ContainsFunc(now.Anchors(), func(der []byte) bool { return bytes.Equal(der, w.gm.Cert.Raw) }) {
		t.Error("a peer's anchor stands among those of the house")
	}
}

// notOurs: the authorities of the house take no certificate of a peer for one of their
// own, and give its systems none.
func (w *border) notOurs(platform *http.Client, leaf *smx509.Certificate) {
	csr, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{DNSNames: []string{cityHost}}, w.key)
	ok(w.t, err)
	tok := jwt.NewWithClaims(jwt.SigningMethodES256, jwt.MapClaims{
		"iss": "x5c", "aud": "https://" + w.cfg.Public + "/1.0/sign#x5c/x5c", "sub": cityHost, "sans": []string{cityHost}, "jti": uuid.NewString(),
		"iat": time.Now().Unix(), "nbf": time.Now().Add(-time.Minute).Unix(), "exp": time.Now().Add(4 * time.Minute).Unix(),
	})
	tok.Header["x5c"] = []string{base64.StdEncoding.EncodeToString(leaf.Raw), base64.StdEncoding.EncodeToString(w.issuing.Cert.Raw)}
	ott, err := tok.SignedString(w.key)
	ok(w.t, err)
	pem := "-----BEGIN CERTIFICATE REQUEST-----\n" + base64.StdEncoding.EncodeToString(csr) + "\n-----END CERTIFICATE REQUEST-----\n"
	before := w.Ledger.Head().Size
	for path, in := range map[string]any{
		"/renew": nil, "/1.0/renew": nil, "/rekey": map[string]string{"csr": pem}, "/1.0/rekey": map[string]string{"csr": pem},
		"/revoke": map[string]any{"serial": leaf.SerialNumber.String(), "passive": true}, "/1.0/revoke": map[string]any{"serial": leaf.SerialNumber.String(), "passive": true},
		"/1.0/sign": map[string]string{"csr": pem, "ott": ott}, "/acme/txt": map[string]string{"fqdn": cityHost, "value": "x"},
		wire.PathRenewals: map[string]any{"csr": []byte("x")}, wire.PathRevocations: map[string]any{"serial": "1"},
	} {
		if status, code, raw := w.call(platform, http.MethodPost, path, in); status < 400 || status >= 500 {
			w.t.Errorf("%s: %d %s %s", path, status, code, raw)
		}
	}
	for _, ev := range w.events()[before:] {
		if ev.Outcome == ledger.Success {
			w.t.Errorf("%+v", ev)
		}
	}
	_, err = w.gate.MayIssue(bg, citySystem, ca.PurposeTest)
	wantErr(w.t, err, ca.ErrNotApproved)
}
