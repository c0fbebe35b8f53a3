package console

import (
	"bytes"
	"context"
	"fmt"
	"image"
	"image/png"
	"strings"
	"time"

	"github.com/yinxin-gov/yinxin/authz/ledger"
	"github.com/yinxin-gov/yinxin/authz/route"
	"github.com/yinxin-gov/yinxin/ca/anchor"
	"github.com/yinxin-gov/yinxin/ca/authority"
	"github.com/yinxin-gov/yinxin/ca/closing"
	"github.com/yinxin-gov/yinxin/ca/kmc"
	"github.com/yinxin-gov/yinxin/ca/peer"
	"github.com/yinxin-gov/yinxin/ca/retention"
	"github.com/yinxin-gov/yinxin/internal/notify"
	"github.com/yinxin-gov/yinxin/signer"
	"github.com/yinxin-gov/yinxin/signer/life"
	"github.com/yinxin-gov/yinxin/signer/ofd"
	"github.com/yinxin-gov/yinxin/signer/verify"
)

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
func (d *deskOf) RevokeTokens(_ context.Context, _ Person, system, reason string) error {
	return d.act("tokens %s %s", system, reason)
}
func (d *deskOf) AskResume(_ context.Context, _ Person, id, why string) error {
	return d.act("resume? %s %s", id, why)
}
func (d *deskOf) AnswerResume(_ context.Context, _ Person, id string, a Answer) error {
	return d.act("resume %s %v %s", id, a.Yes, a.Reason)
}

func (d *deskOf) Staff(context.Context, Person, string) (StaffList, error) {
	u := Named{"11110100MB00000015", "样例区民政局"}
	return StaffList{Units: []Named{u}, Unit: u, Roles: []string{"clerk", "unit_leader"}, Lacks: []Lack{{Role: "共享责任人", Units: []Named{u}}}, People: []Member{{Named: Named{"p-2", "样例经办人"}, Terms: []Term{{ID: "post-1", Role: "经办人", Ends: true}}, Activated: true}, {Named: Named{"p-3", "样例离岗"}, Left: at}}}, nil
}
func (d *deskOf) EndPost(_ context.Context, _ Person, person, post string) error {
	return d.act("end %s %s", person, post)
}
func (d *deskOf) PersonLeft(_ context.Context, _ Person, person string) error {
	return d.act("left %s", person)
}
func (d *deskOf) Hire(_ context.Context, _ Person, f PostForm) (Hired, error) {
	if f.Role == "sharing_contact" {
		return Hired{Name: f.Name}, d.act("names %s", f.Name)
	}
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

func (d *deskOf) Peered(context.Context, Person) (PeerList, error) {
	e := peer.Entry{
		ID: "d-1", Domain: "city", Name: "样例\u202e平台", Operator: "11", Kind: peer.KindCity, Hosts: []string{"city.example"}, Level: 2, Actions: []string{"copy"}, Purposes: []string{"p"},
		Systems: []peer.System{{ID: "s", Host: "s.city.example", UnitName: "样例局", Sign: []byte("x")}}, Lists: []string{"http://city.example/a.crl"}, Stale: time.Hour,
		From: at, Until: at.AddDate(1, 0, 0), Reason: "样例", AskedAt: at, State: peer.Proposed,
	}
	in, gone := e, e
	in.ID, in.State, in.Approval, in.SettledAt, in.Replaces = "d-2", peer.InForce, "a-1", at, "d-0"
	gone.ID, gone.State, gone.EndedBy, gone.EndReason, gone.EndedAt = "d-3", peer.Withdrawn, "p-1", "样例", at
	return PeerList{MayWrite: true, Entries: []PeerLine{
		{Entry: e, AnchorSums: []string{"ab"}, IssuingSums: []string{"cd"}, By: "样例", Sum: e.Digest(), MayAnswer: true},
		{Entry: in, InForce: true, MayEnd: true, Lists: []peer.Freshness{{Subject: "CN=\u202e", Missing: true, Near: true}, {Subject: "CN=样例", Ends: at}}}, {Entry: gone, Ender: "样例"},
	}}, nil
}

func (d *deskOf) ProposePeer(_ context.Context, _ Person, e peer.Entry) error {
	return d.act("peer %s %s %s %d %v %s %s %s %d", e.Domain, e.Kind, e.Name, e.Level, e.Stale, e.From.UTC().Format(time.RFC3339), e.Until.UTC().Format(time.RFC3339), e.Systems, len(e.Anchors))
}

func (d *deskOf) AnswerPeer(_ context.Context, _ Person, id string, a Answer) error {
	return d.act("answer %s %v %s", id, a.Yes, a.Digest)
}

func (d *deskOf) WithdrawPeer(_ context.Context, _ Person, id, reason string) error {
	return d.act("withdraw %s %s", id, reason)
}

func (d *deskOf) ImportPeerList(_ context.Context, _ Person, domain string, list Paper) error {
	return d.act("list %s %s %s", domain, list.Name, list.Bytes)
}

func (d *deskOf) Routes(context.Context, Person) (RouteList, error) {
	r := route.Route{ID: "r-1", System: "civil-a", Prefix: "/births\u202e", Methods: []string{"GET"}, Type: "resource", Resource: "births", Action: "read", Purpose: "relief", Fields: []string{"name"}, Reason: "样例", AskedAt: at, State: route.Proposed}
	gone := r
	gone.ID, gone.Methods, gone.State, gone.Approval, gone.EndedBy, gone.EndReason, gone.EndedAt = "r-2", nil, route.Withdrawn, "a-1", "p-1", "样例", at
	return RouteList{MayWrite: true, Systems: []Named{{ID: "civil-a", Name: "样例系统"}}, Entries: []RouteLine{{Route: r, By: "样例", Sum: r.Digest(), MayAnswer: true, MayEnd: true}, {Route: gone, Ender: "样例"}}}, nil
}

func (d *deskOf) ProposeRoute(_ context.Context, _ Person, r route.Route) error {
	return d.act("route %s %s %v %s/%s %s %s %v %s", r.System, r.Prefix, r.Methods, r.Type, r.Resource, r.Action, r.Purpose, r.Fields, r.Reason)
}

func (d *deskOf) AnswerRoute(_ context.Context, _ Person, id string, a Answer) error {
	return d.act("answer %s %v %s", id, a.Yes, a.Digest)
}

func (d *deskOf) WithdrawRoute(_ context.Context, _ Person, id, reason string) error {
	return d.act("withdraw %s %s", id, reason)
}

func (d *deskOf) Anchored(context.Context, Person) (AnchorList, error) {
	a := anchor.Anchor{ID: "t-1", DER: []byte("x"), Service: "样例\u202e机构", Licence: "样例0001", URL: "https://ca.example/", From: at, Until: at.AddDate(1, 0, 0), Reason: "样例", AskedAt: at, State: anchor.Proposed}
	gone := a
	gone.ID, gone.State, gone.Approval, gone.EndedBy, gone.EndReason, gone.EndedAt = "t-2", anchor.Withdrawn, "a-1", "p-1", "样例", at
	return AnchorList{MayWrite: true, Entries: []AnchorLine{{Anchor: a, Subject: "CN=样例", By: "样例", Sum: a.Digest(), MayAnswer: true, MayEnd: true}, {Anchor: gone, Ender: "样例"}}}, nil
}

func (d *deskOf) Succession(context.Context, Person) (SuccessionList, error) {
	g := authority.Generation{Number: 2, SwitchAt: at, Reason: "样例", AskedBy: "p-1", AskedAt: at, State: authority.Prepared}
	first := authority.Generation{Number: 1, State: authority.Current, CurrentAt: at}
	return SuccessionList{MayWrite: true, Generations: []GenerationLine{
		{Generation: g, By: "样例\u202e", Sum: g.Digest(), MayAnswer: true, MayEnd: true, Certificates: []CertificateOfAuthority{{Kind: "bridge", Subject: "CA\u202e", Issuer: "根", From: at, Until: at, SM3: "ab"}}},
		{Generation: first, Sum: first.Digest()},
	}}, nil
}

func (d *deskOf) PrepareSuccession(_ context.Context, _ Person, o authority.Order, roots []byte) error {
	return d.act("prepare %v %s %s %s", o.NewRoots, o.SwitchAt.UTC().Format(time.RFC3339), o.Reason, roots)
}

func (d *deskOf) AnswerSuccession(_ context.Context, _ Person, number int, a Answer) error {
	return d.act("answer generation %d %v %s", number, a.Yes, a.Digest)
}

func (d *deskOf) WithdrawSuccession(_ context.Context, _ Person, number int, reason string) error {
	return d.act("withdraw generation %d %s", number, reason)
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

func (d *deskOf) Closing(context.Context, Person) (ClosingView, error) {
	a := closing.Act{ID: "e-1", Kind: closing.Announcement, Mode: closing.End, At: at.AddDate(0, 4, 0), Reason: "样例\u202e", Successor: "样例服务", AskedAt: at, State: closing.InForce, Approval: "a-1", SettledAt: at}
	asked := closing.Act{ID: "e-2", Kind: closing.HandOver, Of: "e-1", Taker: "样例服务", Records: "证书库", Protocol: "ab", Reported: at, Reason: "样例", AskedAt: at, State: closing.Proposed}
	return ClosingView{
		Phase: closing.Closing, Act: a, MayWrite: true, Mine: 2, Notices: map[closing.NoticeState]int{closing.NoticePending: 3},
		Acts: []ClosingLine{{Act: asked, By: "样例", Sum: asked.Digest(), MayAnswer: true, MayDrop: true}, {Act: a, By: "样例", Sum: a.Digest()}},
	}, nil
}

func (d *deskOf) ProposeClosing(_ context.Context, _ Person, a closing.Act) error {
	return d.act("closing %s %s %s %s %s %s %s", a.Kind, a.Mode, a.At.UTC().Format(time.RFC3339), a.Reason, a.Successor, a.Taker, a.Reported.UTC().Format(time.RFC3339))
}

func (d *deskOf) AnswerClosing(_ context.Context, _ Person, id string, a Answer) error {
	return d.act("answer %s %v %s", id, a.Yes, a.Digest)
}

func (d *deskOf) DropClosing(_ context.Context, _ Person, id string) error {
	return d.act("drop %s", id)
}

func (d *deskOf) SeenClosing(context.Context, Person) error { return d.act("seen") }

func (d *deskOf) Retention(context.Context, Person) (RetentionView, error) {
	i := retention.Item{Class: retention.Escrow, ID: "civil-a/p\u202e1", Agency: "11110102MB1234567M", System: "civil-a", Ends: at}
	a := retention.Act{ID: "r-1", Kind: retention.Purge, Items: []retention.Item{i}, Years: 5, Reason: "样例", AskedAt: at, State: retention.Proposed}
	return RetentionView{
		Years: 5, Due: []retention.Item{i}, MayWrite: true,
		Acts: []RetentionLine{{Act: a, By: "样例", Sum: a.Digest(), MayAnswer: true, MayDrop: true}},
		Kept: []HoldLine{{Hold: retention.Hold{ID: "h-1", System: "civil-a", Document: "样检1号", Reason: "样例", PlacedAt: at}, By: "样例", MayLift: true}},
	}, nil
}

func (d *deskOf) AskPurge(_ context.Context, _ Person, refs []retention.Ref, reason string) error {
	return d.act("purge %v %s", refs, reason)
}

func (d *deskOf) AnswerPurge(_ context.Context, _ Person, id string, a Answer) error {
	return d.act("answer %s %v %s", id, a.Yes, a.Digest)
}

func (d *deskOf) DropPurge(_ context.Context, _ Person, id string) error { return d.act("drop %s", id) }

func (d *deskOf) PlaceHold(_ context.Context, _ Person, h retention.Hold) error {
	return d.act("hold %s %s %s %s %s", h.Agency, h.System, h.Person, h.Document, h.Reason)
}

func (d *deskOf) LiftHold(_ context.Context, _ Person, id, reason string) error {
	return d.act("lift %s %s", id, reason)
}
func (d *deskOf) Notices(context.Context, Person) (NoticeList, error) {
	n := notify.Notice{ID: "n-1", Kind: notify.CertificateRevoked, Severity: notify.Warning, Unit: "u-1", System: "civil\u202e-a", Object: ledger.Object{Kind: "certificate", ID: "iss:01"}, At: at, Details: map[string]string{"days": "7"}}
	c := notify.Channel{ID: "c-1", Name: "样例\u202e接收", Kind: notify.Webhook, Address: "https://hook.example/in", Unit: "u-1", Kinds: notify.Kinds(), Severity: notify.Info, State: notify.Active, LastError: "notify: the receiver answered 503", FailedAt: at, SentAt: at}
	paused := notify.Standing{Channel: c}
	paused.ID, paused.State, paused.Kinds = "c-2", notify.Paused, nil
	letter := notify.Letter{Delivery: notify.Delivery{Notice: n, Channel: "c-1"}, Error: "notify: the receiver answered 422"}
	return NoticeList{Recent: []notify.Notice{n}, Channels: []notify.Standing{{Channel: c, Count: notify.Count{Queued: 2, Dead: 1}, Letters: []notify.Letter{letter}}, paused}, Sees: true, MayWrite: true}, nil
}

func (d *deskOf) AddChannel(_ context.Context, _ Person, c notify.Channel) (string, error) {
	secret := ""
	if c.Kind == notify.Webhook {
		secret = "whsec_eA=="
	}
	return secret, d.act("channel %s %s %s %s %v %s %d", c.Name, c.Kind, c.Address, c.Unit, c.Kinds, c.Severity, len(c.Roots))
}

func (d *deskOf) MoveChannel(_ context.Context, _ Person, id string, to notify.State) error {
	return d.act("move %s %s", id, to)
}

func (d *deskOf) TestChannel(_ context.Context, _ Person, id string) error {
	return d.act("test %s", id)
}

func (d *deskOf) RetryNotice(_ context.Context, _ Person, channel, notice string) error {
	return d.act("retry %s %s", channel, notice)
}
