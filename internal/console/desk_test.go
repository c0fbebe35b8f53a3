package console

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"image"
	"image/png"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/yinxin-gov/yinxin/ca/anchor"
	"github.com/yinxin-gov/yinxin/ca/kmc"
	"github.com/yinxin-gov/yinxin/internal/signin"
	"github.com/yinxin-gov/yinxin/signer"
	"github.com/yinxin-gov/yinxin/signer/life"
	"github.com/yinxin-gov/yinxin/signer/ofd"
	"github.com/yinxin-gov/yinxin/signer/verify"
)

// pages of everybody, for tests that look at all of them.
var allPages = []string{PageUses, PageSeals, PageCompromise, PageCertificates, PageRequests, PageEnrolments, PageSystems, PageClearances, PageACME, PagePeople, PageRecovery, PageAnchors, PageConsents, PageArchive}

// deskOf answers the pages of the desk with one of everything; err is what each
// act answers, acted what was asked for.
type deskOf struct {
	h     *house
	err   error
	doc   []byte
	acted []string
	cited []string
}

func (d *deskOf) act(format string, a ...any) error {
	d.acted = append(d.acted, fmt.Sprintf(format, a...))
	return d.err
}

func (d *deskOf) line() UseLine {
	return UseLine{Use: signer.Use{
		ID: "u-1", Seal: "11010000000001", Document: signer.Digest(d.doc), Title: "关于样例的通知", Type: "通知", Purpose: "印发", State: signer.UseRequested, CreatedAt: at,
	}, SealName: "样例区民政局（样章）", Requester: "样例经办人"}
}

func (d *deskOf) Uses(context.Context, Person) (UseList, error) {
	l := d.line()
	done := l
	done.State, done.ID = signer.UseSealed, "u-2"
	return UseList{Mine: []UseLine{done}, Waiting: []UseLine{l}, Seals: []signer.Seal{d.sealOf()}, MayAsk: true, Consents: []ConsentLine{d.consentOf()}}, nil
}

func (d *deskOf) Submit(_ context.Context, _ Person, f UseForm) (string, error) {
	d.cited = f.Consents
	files := ""
	for _, p := range f.Papers {
		files += fmt.Sprintf(" %s %d", p.Name, len(p.Bytes))
	}
	return "u-1", d.act("submit %s %s %+v%s", f.Seal, f.Title, f.Place, files)
}

func (d *deskOf) Decide(_ context.Context, _ Person, id string, a Answer) error {
	return d.act("decide %s %v %s %s", id, a.Yes, a.Reason, a.PIN)
}

func (d *deskOf) Use(_ context.Context, _ Person, id string, from int) (UseView, error) {
	switch id {
	case "u-1":
		return UseView{UseLine: d.line(), Paper: &Paper{Name: "通知.ofd", Bytes: d.doc}, Size: len(d.doc), MayDecide: true, Spots: []ofd.Place{{Page: 2, X: 1.25, Y: 3}, {Page: 1}, {Page: 1}, {Page: 1}, {Page: 1}}}, nil
	case "u-2":
		l := d.line()
		l.ID, l.State, l.Sealed = id, signer.UseSealed, strings.Repeat("cd", 32)
		return UseView{UseLine: l, Sealed: &verify.Report{Verdict: verify.Valid}, MayFetch: true, Answer: &Answered{By: "样例领导", At: at, Yes: true}}, nil
	}
	if id != "u-3" {
		return UseView{}, signer.ErrNotFound
	}
	v := UseView{UseLine: d.line(), Total: 3, From: from, Done: 1, Digest: strings.Repeat("ef", 32), Place: signer.Placement{X: 12.5, Y: 30, Page: 2}, MayDecide: true, MaySeal: true, MayFetch: true}
	v.ID = id
	for i := from; i < min(from+2, 3); i++ {
		it := signer.Item{Use: d.line().Use, Size: 7}
		it.ID, it.Title, it.State = fmt.Sprintf("u-3-%d", i), fmt.Sprintf("通知%d\u202e.ofd", i), signer.UseListed
		v.Items = append(v.Items, UseItem{Item: it, Paper: &Paper{Name: it.Title, Bytes: d.doc}})
	}
	return v, nil
}

func (d *deskOf) Paper(context.Context, Person, string) (Paper, error) {
	return Paper{Name: "..\\..\\a\u202eb/c:\"d.ofd", Bytes: d.doc}, d.act("paper")
}
func (d *deskOf) Fetch(context.Context, Person, string) (Paper, error) {
	return Paper{Name: "通知（盖章）.ofd", Bytes: d.doc}, d.act("fetch")
}
func (d *deskOf) PutSeal(_ context.Context, _ Person, id string) error { return d.act("seal %s", id) }

func (d *deskOf) sealOf() signer.Seal {
	return signer.Seal{
		ID: "11010000000001", Unit: "11110100MB00000015", Name: "样例区民政局（样章）", State: signer.SealActive, ValidFrom: at, ValidUntil: at.AddDate(1, 0, 0), Drawn: true,
		Life: signer.Life{
			Kind: life.KindStatutory, Purpose: "发文", Picture: strings.Repeat("ab", 32), Filing: signer.FilingSample, FiledOn: at, CustodyClass: "software-file",
			Authorisation: signer.Authorisation{Users: []signer.User{{Person: "p-2"}}, Total: 100, Quota: 5, Per: signer.PerDay},
			Ask:           &signer.Ask{ID: "x/4", Kind: signer.AskAuthorise, Requester: "p-3", Reason: "增加次数", Authorisation: &signer.Authorisation{Quota: 9, Per: signer.PerMonth}, Digest: strings.Repeat("ef", 32), At: at},
		},
	}
}

func (d *deskOf) Seals(context.Context, Person) (SealList, error) {
	return SealList{
		Seals: []SealLine{{d.sealOf(), signer.Taken{All: 7, Window: 2}}}, Staff: []Named{{"p-2", "样例经办人"}}, MayApply: true, MayImport: true,
		Kinds: []string{life.KindStatutory, life.KindSpecial}, Division: "110100",
	}, nil
}

func (d *deskOf) Seal(_ context.Context, _ Person, id string) (SealView, error) {
	if id != "11010000000001" {
		return SealView{}, signer.ErrNotFound
	}
	var img bytes.Buffer
	if err := png.Encode(&img, image.NewGray(image.Rect(0, 0, 4, 4))); err != nil {
		return SealView{}, err
	}
	v := SealView{
		SealLine: SealLine{d.sealOf(), signer.Taken{}}, Image: img.Bytes(), Users: []Named{{"p-2", "样例经办人"}}, Staff: []Named{{"p-2", "样例经办人"}},
		Waits: "desk.seal.waits.leader", MayAnswer: true, Asker: "样例印章管理员",
		Foreign: &Foreign{Maker: "CN=制章系统", Signer: "CN=x", Issuer: "CN=认证服务\u202e", CertFrom: "2026-01-01T00:00:00Z", CertUntil: "2027-01-01T00:00:00Z", Layout: "v4", SM3: strings.Repeat("cd", 32)},
		Steps:   []StepLine{{Step: life.Step{Act: life.ActApply, To: signer.SealApplied, At: at, Reason: "发文"}, By: "样例经办人"}},
	}
	for _, r := range life.Rules() {
		switch r.Act {
		case life.ActMake, life.ActFile, life.ActActivate, life.ActSuspend, life.ActCancel, life.ActCompromise, life.ActAsk:
			v.Acts = append(v.Acts, r)
		}
	}
	return v, nil
}

func (d *deskOf) ImportKeys(context.Context, Person) (ImportList, error) {
	return ImportList{
		Keys:  []SealKey{{ID: "seal-x", Unit: "11110100MB00000015", UnitName: "样例区民政局", Class: "software-file", SPKISM3: strings.Repeat("ab", 32)}},
		Units: []Named{{"11110100MB00000015", "样例区民政局"}},
	}, nil
}

func (d *deskOf) MakeImportKey(_ context.Context, _ Person, unit string) error {
	return d.act("key %s", unit)
}

func (d *deskOf) RequestOf(_ context.Context, _ Person, key string) (Paper, error) {
	return Paper{Name: key + ".csr", Bytes: []byte("request")}, d.act("request %s", key)
}
func (d *deskOf) ImportSeal(_ context.Context, _ Person, f ImportForm) (string, error) {
	return "11010000000001", d.act("import %s %s %s %s %d %d", f.KeyID, f.Kind, f.Purpose, f.Filing, len(f.Seal), len(f.Certificates))
}

func (d *deskOf) Apply(_ context.Context, _ Person, f SealForm) error {
	return d.act("apply %s %d %+v", f.ID, len(f.Picture), f.Authorisation)
}
func (d *deskOf) Act(_ context.Context, _ Person, id string, a life.Act, f ActForm) error {
	return d.act("%s %s %s %v", a, id, f.Reason, f.Since.UTC())
}
func (d *deskOf) AnswerSeal(_ context.Context, _ Person, id string, a Answer) error {
	return d.act("answer %s %v", id, a.Yes)
}

func (d *deskOf) Reports(context.Context, Person) (ReportList, error) {
	n := NoticeLine{life.Notice{ID: "n-1", Unit: "11110100MB00000023", Systems: []string{"social"}, Documents: []string{strings.Repeat("12", 32)}, State: life.NoticePending, At: at}, "样例街道"}
	return ReportList{Inbox: []NoticeLine{n}, Reports: []ReportLine{{
		Compromise: life.Compromise{Since: at, Reason: "疑似泄露", At: at, Seals: []string{"11010000000001"}, Certificates: []life.Certificate{{SM3: strings.Repeat("34", 32), Revocation: life.Revoked}}, Uses: []string{"u-2"}},
		By:         "样例领导", Notices: []NoticeLine{n},
	}}}, nil
}
func (d *deskOf) Acknowledge(_ context.Context, _ Person, id string) error {
	return d.act("ack %s", id)
}

func (d *deskOf) Waiting(context.Context, Person) ([]Order, error) {
	return []Order{
		{ID: "person-p-2", Name: "样例经办人", Unit: "样例区民政局", Number: "p-2", Posts: []string{"经办人"}, Key: strings.Repeat("56", 32), Digest: strings.Repeat("78", 32)},
		{ID: "seal-11010000000001", Seal: true, Name: "样例区民政局（样章）", Unit: "样例区民政局", Number: "11010000000001", Key: strings.Repeat("9a", 32), Digest: strings.Repeat("bc", 32)},
	}, nil
}
func (d *deskOf) Certify(_ context.Context, _ Person, id string, a Answer) error {
	return d.act("certify %s %v", id, a.Yes)
}

func (d *deskOf) SystemCertificates(_ context.Context, _ Person, system string) (SystemList, error) {
	asked := Hold{ID: "h-1", System: "civil-a", Serial: "4a", By: "样例审核员", Reason: "丢失", At: at, Asked: true, AskedBy: "样例审核员", Why: "找回", Digest: strings.Repeat("de", 32), MayAnswer: true}
	out := SystemList{Systems: []Named{{"civil-a", "样例系统"}}, Asked: []Hold{asked}, Codes: []string{"unspecified", "keyCompromise"}}
	if system == "civil-a" {
		held := asked
		held.Asked, held.ID, held.Refusal = false, "h-2", "无记录"
		out.System = out.Systems[0]
		for _, state := range []string{"pending", "good", "hold", "revoked"} {
			out.Rows = append(out.Rows, SystemCertificate{Serial: "4a", Enc: "4b", Kind: "sm2-sign", Subject: "CN=a", State: state, NotBefore: at, NotAfter: at})
		}
		out.Rows[2].Hold, out.Rows[2].Kind, out.Rows[3].Reason = &held, "ecdsa", "superseded"
	}
	return out, nil
}
func (d *deskOf) Stop(_ context.Context, _ Person, f StopForm) error {
	return d.act("stop %s %s %v %s %s %s", f.System, f.Serial, f.Revoke, f.Reason, f.Code, f.Since.Format(time.RFC3339))
}
func (d *deskOf) AskResume(_ context.Context, _ Person, id, why string) error {
	return d.act("resume? %s %s", id, why)
}
func (d *deskOf) AnswerResume(_ context.Context, _ Person, id string, a Answer) error {
	return d.act("resume %s %v %s", id, a.Yes, a.Reason)
}

func (d *deskOf) Staff(context.Context, Person, string) (StaffList, error) {
	u := Named{"11110100MB00000015", "样例区民政局"}
	return StaffList{Units: []Named{u}, Unit: u, Roles: []string{"clerk", "unit_leader"}, People: []Member{{Named: Named{"p-2", "样例经办人"}, Terms: []Term{{ID: "post-1", Role: "经办人", Ends: true}}, Activated: true}, {Named: Named{"p-3", "样例离岗"}, Left: at}}}, nil
}
func (d *deskOf) EndPost(_ context.Context, _ Person, person, post string) error {
	return d.act("end %s %s", person, post)
}
func (d *deskOf) PersonLeft(_ context.Context, _ Person, person string) error {
	return d.act("left %s", person)
}
func (d *deskOf) Hire(_ context.Context, _ Person, f PostForm) (Hired, error) {
	return Hired{Name: f.Name, URL: "https://localhost/console/enter#once", Expires: at}, d.act("hire %s %s", f.Name, f.Role)
}

func (d *deskOf) Me(context.Context, Person) (Me, error) {
	return Me{
		Posts:       []OwnPost{{Role: "经办人", Title: "科员", Unit: "样例区民政局", From: at, Held: true}, {Role: "经办人", Title: "科员", Unit: "样例区民政局", From: at, Until: at}},
		Certificate: &OwnCertificate{Subject: "CN=样例", Issuer: "CN=样例 CA", Serial: "01", NotBefore: at, NotAfter: at, SM3: strings.Repeat("ab", 32)}, HasPIN: true,
	}, nil
}
func (d *deskOf) ChangePIN(_ context.Context, cookie, old, pin string) error {
	return d.act("pin %v %s %s", cookie == goodCookie, old, pin)
}

func (d *deskOf) Recovering(context.Context, Person) (RecoveryList, error) {
	owner := kmc.Recovery{
		ID: "r-1", Kind: kmc.ForOwner, System: "civil-a", Agency: "11110100MB00000015", EncryptionSerial: "4b1", PublicSM3: strings.Repeat("12", 32),
		Reason: "服务器损坏", Need: 2, AskedAt: at, LapsesAt: at.AddDate(0, 0, 7), State: kmc.Checked,
	}
	law := owner
	law.ID, law.Kind, law.State, law.Document, law.Authority, law.ScanSM3, law.Need = "r-2", kmc.ForLaw, kmc.Approved, "样检调〔2026〕1号", "样例区人民检察院", strings.Repeat("34", 32), 3
	done := law
	done.ID, done.State, done.DeliveredAt, done.EnvelopeSM3 = "r-3", kmc.Delivered, at, strings.Repeat("56", 32)
	return RecoveryList{
		Requests: []RecoveryLine{
			{Recovery: owner, By: "样例机关管理员", To: "civil-a · 5c2", Sum: strings.Repeat("78", 32), Signed: 1, MayAnswer: true},
			{Recovery: law, By: "样例注册审核员", To: "调查员 · 6d3", Sum: strings.Repeat("9a", 32), Signed: 3, MayTake: true}, {Recovery: done, Broken: true},
		},
		Keys:   []KeyLine{{System: "civil-a", Key: "aa:4b1", Encrypts: true, Serial: "4b1", NotBefore: "2026-01-01"}, {System: "civil-a", Serial: "5c2", NotBefore: "2026-06-01"}},
		MayAsk: true, MayAskLegal: true,
	}, nil
}

func (d *deskOf) AskRecovery(_ context.Context, _ Person, f RecoveryForm) error {
	return d.act("recover %s %s %v %s %s %s %s", f.Key, f.Receiver, f.Judicial, f.Document, f.Authority, f.ScanSM3, f.Reason)
}

func (d *deskOf) AnswerRecovery(_ context.Context, _ Person, id string, a Answer) error {
	return d.act("answer %s %v %s", id, a.Yes, a.Digest)
}

func (d *deskOf) TakeRecovered(_ context.Context, _ Person, id string) (Paper, error) {
	return Paper{Name: "key.der", Bytes: []byte{0x30, 0}}, d.act("take %s", id)
}

func (d *deskOf) Anchored(context.Context, Person) (AnchorList, error) {
	a := anchor.Anchor{ID: "t-1", DER: []byte("x"), Service: "样例\u202e机构", Licence: "样例0001", URL: "https://ca.example/", From: at, Until: at.AddDate(1, 0, 0), Reason: "样例", AskedAt: at, State: anchor.Proposed}
	gone := a
	gone.ID, gone.State, gone.Approval, gone.EndedBy, gone.EndReason, gone.EndedAt = "t-2", anchor.Withdrawn, "a-1", "p-1", "样例", at
	return AnchorList{MayWrite: true, Entries: []AnchorLine{{Anchor: a, Subject: "CN=样例", By: "样例", Sum: a.Digest(), MayAnswer: true, MayEnd: true}, {Anchor: gone, Ender: "样例"}}}, nil
}

func (d *deskOf) ProposeAnchor(_ context.Context, _ Person, a anchor.Anchor) error {
	return d.act("anchor %s %s %s %s %s %s %x", a.Service, a.Licence, a.URL, a.From.UTC().Format(time.RFC3339), a.Until.UTC().Format(time.RFC3339), a.Reason, a.DER)
}

func (d *deskOf) AnswerAnchor(_ context.Context, _ Person, id string, a Answer) error {
	return d.act("answer %s %v %s", id, a.Yes, a.Digest)
}

func (d *deskOf) WithdrawAnchor(_ context.Context, _ Person, id, reason string) error {
	return d.act("withdraw %s %s", id, reason)
}

// newDesk is a house whose person's posts open every page.
func newDesk(t *testing.T) (*house, *deskOf) {
	t.Helper()
	h := newHouse(t)
	doc, err := ofd.NewNotice(ofd.Notice{Title: "通知", Issuer: "样例区民政局", Body: []string{"特此通知。"}, Date: at})
	if err != nil {
		t.Fatal(err)
	}
	h.desk.doc = doc
	h.person.Pages = allPages
	h.report = verify.Report{Format: "ofd", Verdict: verify.Indeterminate, Integrity: verify.Unsigned, Signatures: []verify.Signature{}}
	return h, h.desk
}

func (h *house) ask(method, path, mediaType, in string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, path, strings.NewReader(in))
	if mediaType != "" {
		r.Header.Set("Content-Type", mediaType)
	}
	session(r)
	w := httptest.NewRecorder()
	h.router.ServeHTTP(w, r)
	return w
}

const formType = "application/x-www-form-urlencoded"

var deskPaths = []string{
	"/console/uses", "/console/uses/u-1", "/console/uses/u-2", "/console/uses/u-3", "/console/uses/u-3?from=2", "/console/seals", "/console/seals/11010000000001", "/console/seals/import", "/console/compromise",
	"/console/certificates", "/console/requests", "/console/enrolments", "/console/systems", "/console/systems?system=civil-a", "/console/people", "/console/recovery", "/console/anchors", "/console/clearances", "/console/acme", "/console/clearances?system=civil-a",
	"/console/consents", "/console/consents/c-1", "/console/archive", "/console/me",
}

func TestDeskPages(t *testing.T) {
	h, _ := newDesk(t)
	for _, path := range deskPaths {
		w := h.ask(http.MethodGet, path, "", "")
		page := w.Body.String()
		if w.Code != http.StatusOK || strings.Contains(page, "desk.") || strings.Contains(page, "console.title.") || strings.Contains(page, "ZgotmplZ") || strings.Contains(page, "style=") {
			t.Errorf("%s: %d, or a key or style of its own: %.3000s", path, w.Code, page)
		}
		if strings.Count(page, `aria-current="page"`) != 1 || strings.Count(page, "<h1") != 1 {
			t.Errorf("%s: not one heading and one place in the menu", path)
		}
	}
	first, second := h.ask(http.MethodGet, "/console/uses/u-3", "", "").Body.String(), h.ask(http.MethodGet, "/console/uses/u-3?from=2", "", "").Body.String()
	if strings.Count(first, "data:image/svg") != 2 || !strings.Contains(first, "?from=2") || !strings.Contains(first, "(12.5, 30) mm") || strings.Contains(first, "\u202e") {
		t.Error("the page of a batch does not show covers, the rest of the list, the place, or shows what a name hides")
	}
	if strings.Count(second, "data:image/svg") != 1 || strings.Contains(second, "?from=2") {
		t.Error("the end of the list")
	}
	if page := h.ask(http.MethodGet, "/console/uses/u-1", "", "").Body.String(); !strings.Contains(page, signer.Digest(h.desk.doc)) || !strings.Contains(page, "data:image/svg") || !strings.Contains(page, "2 (1.2, 3.0) mm") || !strings.Contains(page, "… 5") {
		t.Error("the answer page does not show what is answered")
	}
}

// A person sees the pages of the own posts, in the menu and at the address.
func TestDeskPagesAreOfPosts(t *testing.T) {
	h, d := newDesk(t)
	for _, have := range allPages {
		h.person.Pages = []string{have}
		page := h.ask(http.MethodGet, "/console/", "", "").Body.String()
		for _, p := range allPages {
			if got := strings.Contains(page, `href="/console/`+p+`"`); got != (p == have) {
				t.Errorf("with %s the menu shows %s: %v", have, p, got)
			}
			if got := h.ask(http.MethodGet, "/console/"+p, "", "").Code; (got == http.StatusOK) != (p == have) || p != have && got != http.StatusForbidden {
				t.Errorf("with %s, %s: %d", have, p, got)
			}
		}
	}
	h.person.Pages = nil
	for _, path := range []string{
		"/console/uses", "/console/uses/u-1/answer", "/console/uses/u-1/seal", "/console/seals", "/console/seals/1/answer", "/console/seals/1/acts/cancel",
		"/console/compromise/notices/1", "/console/certificates/1", "/console/systems/stop", "/console/systems/holds/1/ask", "/console/systems/holds/1/answer", "/console/people",
		"/console/consents/1/answer", "/console/consents/1/withdraw", "/console/archive",
	} {
		if w := h.ask(http.MethodPost, path, formType, "pin=x&answer=yes"); w.Code != http.StatusForbidden {
			t.Errorf("POST %s: %d", path, w.Code)
		}
		r := httptest.NewRequest(http.MethodPost, path, strings.NewReader(""))
		w := httptest.NewRecorder()
		if h.router.ServeHTTP(w, r); w.Code != http.StatusSeeOther || w.Header().Get("Location") != "/console/enter" {
			t.Errorf("POST %s without a session: %d", path, w.Code)
		}
	}
	if len(d.acted) > 0 {
		t.Errorf("acted: %v", d.acted)
	}
}

func TestDeskForms(t *testing.T) {
	h, d := newDesk(t)
	for _, c := range []struct{ path, form, want string }{
		{"/console/uses/u-1/answer", "pin=p&answer=yes", "decide u-1 true  p"},
		{"/console/uses/u-1/answer", "pin=p&answer=no&reason=a%0d%0ab", "decide u-1 false a b p"},
		{"/console/uses/u-1/seal", "", "seal u-1"},
		{"/console/seals/11010000000001/answer", "pin=p&answer=no", "answer 11010000000001 false"},
		{"/console/seals/11010000000001/acts/suspend", "reason=x", "suspend 11010000000001 x 0001-01-01 00:00:00 +0000 UTC"},
		{"/console/seals/11010000000001/acts/compromise", "reason=x&since=2026-07-01T09:30", "compromise 11010000000001 x 2026-07-01 01:30:00 +0000 UTC"},
		{"/console/compromise/notices/n-1", "", "ack n-1"},
		{"/console/seals/import/keys", "unit=11110100MB00000015", "key 11110100MB00000015"},
		{"/console/certificates/person-p-2", "pin=p&answer=yes", "certify person-p-2 true"},
		{"/console/systems/stop", "act=hold&system=civil-a&serial=4a&reason=x", "stop civil-a 4a false x  0001-01-01T00:00:00Z"},
		{"/console/systems/stop", "act=revoke&system=civil-a&serial=4a&code=keyCompromise&since=2026-07-01T09:30", "stop civil-a 4a true  keyCompromise 2026-07-01T09:30:00+08:00"},
		{"/console/systems/holds/h-1/ask", "system=civil-a&why=y", "resume? h-1 y"},
		{"/console/systems/holds/h-1/answer", "pin=p&answer=no&reason=z", "resume h-1 false z"},
		{"/console/systems/stop", "act=hold&system=civil-a&serial=4a", ""},
		{"/console/systems/stop", "act=delete&system=civil-a&serial=4a&reason=x", ""},
		{"/console/systems/stop", "act=revoke&system=civil-a&serial=4a&since=then", ""},
		{"/console/systems/holds/h-1/ask", "system=civil-a", ""},
		{"/console/systems/holds/h-1/answer", "answer=yes", ""},
		{"/console/consents/c-1/answer", "pin=p&answer=yes&digest=x", "consent c-1 true"},
		{"/console/consents/c-1/withdraw", "reason=+a%0d%0ab", "withdraw c-1 a b"},
		{"/console/consents/c-1/withdraw", "reason=+", ""},
		{"/console/consents/c-1/withdraw", "reason=" + url.QueryEscape("a\u202eb"), ""},
		{"/console/consents/c-1/answer", "pin=p&answer=perhaps", ""},
		{"/console/uses/u-1/answer?pin=p&answer=yes", "", ""}, // nothing from the address: it is in logs
		{"/console/uses/u-1/answer", "answer=yes", ""},
		{"/console/uses/u-1/answer", "pin=p", ""},
		{"/console/uses/u-1/answer", "pin=%zz&answer=yes", ""},
		{"/console/seals/11010000000001/acts/suspend", "since=tomorrow", ""},
		{"/console/seals/11010000000001/acts/suspend", "reason=" + url.QueryEscape("a\u202eb"), ""},
		{"/console/seals/11010000000001/acts/ask", "wanted=authorise&quota=-1", ""},
		{"/console/people", "name=" + url.QueryEscape("a\u0007b"), ""},
		{"/console/uses/u-1/answer", "pin=" + strings.Repeat("p", maxDeskForm), ""},
	} {
		d.acted = nil
		w := h.ask(http.MethodPost, c.path, formType, c.form)
		got := strings.Join(d.acted, "; ")
		if got != c.want || (w.Code == http.StatusSeeOther) != (c.want != "") || c.want == "" && (w.Code < 400 || w.Code >= 500) {
			t.Errorf("%s %.60s: %d %q, want %q", c.path, c.form, w.Code, got, c.want)
		}
	}
	// The link of a person is shown once, on the page itself.
	if w := h.ask(http.MethodPost, "/console/people", formType, "name=a&role=clerk"); w.Code != http.StatusOK || !strings.Contains(w.Body.String(), "/console/enter#once") {
		t.Errorf("%d", w.Code)
	}
}

// Every refusal has a text of its own and its code; a fault of the house has
// neither its cause on the page nor a code that says whose fault it was.
func TestDeskRefusals(t *testing.T) {
	h, d := newDesk(t)
	for _, r := range refusals {
		if !h.words.Has(r.key) || r.code < 400 {
			t.Errorf("%v: %s %d", r.err, r.key, r.code)
		}
		d.err = fmt.Errorf("%s: %w", inside, r.err)
		w := h.ask(http.MethodPost, "/console/uses/u-1/answer", formType, "pin=secret-of-a-person&answer=yes")
		if w.Code != r.code || !strings.Contains(w.Body.String(), h.words.Get(r.key).Zh) || strings.Contains(w.Body.String(), inside) || strings.Contains(w.Body.String(), "secret-of-a-person") {
			t.Errorf("%v: %d %s", r.err, w.Code, w.Body.String())
		}
	}
	d.err = errors.New(inside)
	if w := h.ask(http.MethodPost, "/console/uses/u-1/seal", "", ""); w.Code != http.StatusInternalServerError || strings.Contains(w.Body.String(), inside) {
		t.Errorf("%d", w.Code)
	}
	if strings.Contains(h.log.String(), "secret-of-a-person") {
		t.Error("the log holds a PIN")
	}
	if key, _ := refusal(&signin.LockedError{Until: time.Now()}); key != "desk.error.locked" {
		t.Errorf("%s", key)
	}
}

func TestDeskUpload(t *testing.T) {
	h, d := newDesk(t)
	doc := []byte("bytes of a document")
	body, mediaType := form("document", "通知.ofd", doc)
	whole := strings.Replace(body.String(), "--\r\n", "", 1)
	boundary := mediaType[strings.Index(mediaType, "=")+1:]
	field := func(name, value string) string {
		return "\r\nContent-Disposition: form-data; name=\"" + name + "\"\r\n\r\n" + value + "\r\n--" + boundary
	}
	in := whole + field("seal", "11010000000001") + field("title", " 关于  样例的通知 ") + field("place", "right") + field("page", "2") + field("keyword", "x") + "--\r\n"
	w := h.ask(http.MethodPost, "/console/uses", mediaType, in)
	want := "submit 11010000000001 关于 样例的通知 {Page:0 X:0 Y:0 Keyword: Ride:right} 通知.ofd 19"
	if got := strings.Join(d.acted, "; "); w.Code != http.StatusSeeOther || w.Header().Get("Location") != "/console/uses/u-1" || got != want {
		t.Errorf("%d %q", w.Code, got)
	}
	for name, c := range map[string]struct {
		in   string
		want int
	}{
		"no form":        {"", http.StatusBadRequest},
		"cut off":        {in[:len(in)/2], http.StatusBadRequest},
		"a large field":  {whole + field("title", strings.Repeat("x", maxField+1)) + "--\r\n", http.StatusRequestEntityTooLarge},
		"many fields":    {whole + strings.Repeat(field("title", "x"), maxParts) + "--\r\n", http.StatusBadRequest},
		"a bad page":     {whole + field("seal", "1") + field("title", "x") + field("page", "-1") + "--\r\n", http.StatusBadRequest},
		"no keyword":     {whole + field("seal", "1") + field("title", "x") + field("place", "keyword") + "--\r\n", http.StatusBadRequest},
		"a turned title": {whole + field("seal", "1") + field("title", "a\u202eb") + "--\r\n", http.StatusBadRequest},
	} {
		d.acted = nil
		if w := h.ask(http.MethodPost, "/console/uses", mediaType, c.in); w.Code != c.want || len(d.acted) > 0 {
			t.Errorf("%s: %d, want %d; %v", name, w.Code, c.want, d.acted)
		}
	}
	// Several files are a batch; too many, or too much of them together, are refused whole.
	file := func(name string, n int) string {
		return "\r\nContent-Disposition: form-data; name=\"document\"; filename=\"" + name + "\"\r\n\r\n" + strings.Repeat("x", n) + "\r\n--" + boundary
	}
	rest := field("seal", "1") + field("title", "x") + "--\r\n"
	for name, c := range map[string]struct {
		in   string
		want int
		acts string
	}{
		"two":              {whole + file("b.ofd", 3) + rest, http.StatusSeeOther, "submit 1 x {Page:0 X:0 Y:0 Keyword: Ride:} 通知.ofd 19 b.ofd 3"},
		"one is empty":     {whole + file("b.ofd", 0) + rest, http.StatusBadRequest, ""},
		"too many":         {whole + strings.Repeat(file("b.ofd", 1), signer.MaxBatch) + rest, http.StatusBadRequest, ""},
		"too much":         {whole + file("b.ofd", maxUpload/2) + file("c.ofd", maxUpload/2) + rest, http.StatusRequestEntityTooLarge, ""},
		"a point":          {whole + field("place", "point") + field("x", "10.5") + field("y", "0") + rest, http.StatusSeeOther, "submit 1 x {Page:0 X:10.5 Y:0 Keyword: Ride:} 通知.ofd 19"},
		"the corner":       {whole + field("place", "point") + field("x", "0") + field("y", "0") + rest, http.StatusBadRequest, ""},
		"no number":        {whole + field("place", "point") + field("x", "NaN") + field("y", "1") + rest, http.StatusBadRequest, ""},
		"beyond all pages": {whole + field("place", "point") + field("x", "1e9") + field("y", "1") + rest, http.StatusBadRequest, ""},
	} {
		d.acted = nil
		if w := h.ask(http.MethodPost, "/console/uses", mediaType, c.in); w.Code != c.want || strings.Join(d.acted, "; ") != c.acts {
			t.Errorf("%s: %d, want %d; %v", name, w.Code, c.want, d.acted)
		}
	}
	d.err = &PaperError{"b\u202e.ofd", signer.ErrDocument}
	if w := h.ask(http.MethodPost, "/console/uses", mediaType, whole+rest); w.Code != http.StatusUnprocessableEntity || !strings.Contains(w.Body.String(), "：b\uFFFD.ofd") {
		t.Errorf("the refused document is not named: %d", w.Code)
	}
	d.err = nil
	large, mediaType := form("picture", "a.png", make([]byte, maxSealPicture+1))
	if w := h.ask(http.MethodPost, "/console/seals", mediaType, large.String()); w.Code != http.StatusRequestEntityTooLarge {
		t.Errorf("a large picture: %d", w.Code)
	}
}

// The PIN is changed with the cookie of the session, and stands nowhere after.
func TestDeskPIN(t *testing.T) {
	h, d := newDesk(t)
	w := h.ask(http.MethodPost, "/console/me/pin", formType, "old=one-old-pin&pin=one-new-pin&pin2=one-new-pin")
	if got := strings.Join(d.acted, "; "); w.Code != http.StatusOK || got != "pin true one-old-pin one-new-pin" || strings.Contains(w.Body.String()+h.log.String(), "-pin\"") || strings.Contains(h.log.String(), "one-new") {
		t.Errorf("%d %q", w.Code, got)
	}
	d.acted = nil
	if w := h.ask(http.MethodPost, "/console/me/pin?old=a&pin=b&pin2=b", formType, "old=a&pin=b&pin2=c"); w.Code != http.StatusBadRequest || len(d.acted) > 0 {
		t.Errorf("two PINs: %d %v", w.Code, d.acted)
	}
	d.err = signin.ErrPIN
	if w := h.ask(http.MethodPost, "/console/me/pin", formType, "old=a&pin=b&pin2=b"); w.Code != http.StatusForbidden || strings.Contains(w.Body.String(), "PIN 已更换") {
		t.Errorf("a wrong PIN: %d", w.Code)
	}
}

// A document comes back as a file of bytes, under a name that is only a name.
func TestDeskDownload(t *testing.T) {
	h, d := newDesk(t)
	w := h.ask(http.MethodGet, "/console/uses/u-1/document", "", "")
	head := w.Header()
	if w.Body.String() != string(d.doc) || head.Get("Content-Type") != "application/octet-stream" || head.Get("Content-Disposition") != `attachment; filename=c__d.ofd` {
		t.Errorf("%v", head)
	}
	d.err = ErrNotKept
	if w := h.ask(http.MethodGet, "/console/uses/u-1/sealed", "", ""); w.Code != http.StatusGone || w.Header().Get("Content-Disposition") != "" {
		t.Errorf("%d %v", w.Code, w.Header())
	}
	for in, want := range map[string]string{"": "document", "..": "document", "/etc/passwd": "passwd", `C:\x.ofd`: "x.ofd", "a\u202eb.pdf": "a_b.pdf", "通知.ofd": "通知.ofd"} {
		if got := fileName(in); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}
