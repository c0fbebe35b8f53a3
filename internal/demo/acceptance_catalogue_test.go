package demo

import (
	"encoding/json"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/yinxin-gov/yinxin/authz"
	"github.com/yinxin-gov/yinxin/authz/level"
	"github.com/yinxin-gov/yinxin/authz/reclass"
	"github.com/yinxin-gov/yinxin/authz/sharing"
	"github.com/yinxin-gov/yinxin/internal/api/wire"
	"github.com/yinxin-gov/yinxin/internal/workday"
	"github.com/yinxin-gov/yinxin/signer"
)

const catalogueHead = "信息资源代码,信息资源名称,提供方代码,信息资源分类,信息资源摘要,信息资源格式,信息项,适用规则,共享类型,开放属性,更新周期,发布日期,联系人,安全标识,保密审查,依据,保密部门批准,备案\n"

// line is an entry on application of 2014, with changes by column.
func line(d *running, number int, change map[string]string) string {
	cells := map[string]string{
		"信息资源代码": fmt.Sprintf("acc307/%06d", number), "信息资源名称": fmt.Sprintf("样例目录 %d", number), "提供方代码": string(uscc(d, provider)), "信息资源分类": "民政/救助",
		"信息资源摘要": "样例", "信息资源格式": "数据库", "信息项": "name|address", "适用规则": "xicheng-2014", "共享类型": "on_application", "开放属性": "closed", "更新周期": "monthly",
		"发布日期": "2026-01-05", "联系人": "样例信息科", "安全标识": "L2/S2A2", "保密审查": "样例保审〔2026〕7号", "依据": "样例依据", "保密部门批准": "样例密批 1 号", "备案": "样例备案 1 号",
	}
	for k, v := range change {
		cells[k] = v
	}
	var out []string
	for _, name := range strings.Split(strings.TrimSpace(catalogueHead), ",") {
		out = append(out, cells[name])
	}
	return strings.Join(out, ",") + "\n"
}

// imports sends a file as the provider's system.
func imports(t *testing.T, d *running, dry bool, lines ...string) (string, wire.Imported) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "catalogue.csv")
	ok(t, os.WriteFile(file, []byte(catalogueHead+strings.Join(lines, "")), 0o600))
	status, body := curl(t, d, "civil-affairs", "-H", "Content-Type: text/csv", "--data-binary", "@"+file,
		d.Manifest.URL+wire.PathCatalogue+"/import?why="+url.QueryEscape("样例导入")+fmt.Sprintf("&dry_run=%t", dry))
	var out wire.Imported
	if status == "200" {
		ok(t, json.Unmarshal([]byte(body), &out))
	}
	return status, out
}

// 市政办发〔2018〕69号 art. 23, 西政办发〔2014〕14号 art. 14-16, 24 (2): a file of the
// provider comes into the catalogue as a whole, and its counts are the source's; on
// application needs basis, approval of the secrecy bureau and filing; nothing comes
// in unreviewed; what is withheld has its written statement.
func TestXA18_23_X14_16_X14_24b_ImportOfTheCatalogue(t *testing.T) {
	d := demo(t)
	good := []string{line(d, 1, nil), line(d, 2, nil), line(d, 3, map[string]string{"共享类型": "proactive", "依据": "", "保密部门批准": "", "备案": ""})}
	for name, tc := range map[string]struct {
		change map[string]string
		field  string
	}{
		"no secrecy review": {map[string]string{"保密审查": " "}, "secrecy_review"}, "no basis": {map[string]string{"依据": ""}, "basis"},
		"no approval": {map[string]string{"保密部门批准": ""}, "approval"}, "no filing": {map[string]string{"备案": ""}, "filing"},
		"another provider": {map[string]string{"提供方代码": string(uscc(d, unitA))}, "provider"}, "no label": {map[string]string{"安全标识": ""}, "label"},
		"a state secret": {map[string]string{"安全标识": "L4/S5A5[机密]"}, "label"}, "a classified name": {map[string]string{"信息资源名称": "绝密★启用前 名单"}, "name"},
	} {
		status, got := imports(t, d, false, append(slices.Clone(good), line(d, 4, tc.change))...)
		if status != "200" || got.Done || !slices.ContainsFunc(got.Wrong, func(w wire.LineError) bool { return w.Line == 5 && w.Field == tc.field && w.Zh != "" && w.En != "" }) {
			t.Errorf("%s: %s %+v", name, status, got)
		}
	}
	if status, got := imports(t, d, true, good...); status != "200" || got.Done || got.Added != 3 {
		t.Errorf("dry: %s %+v", status, got)
	}
	decides(t, d, map[string]asking{"before the import": {act: authz.ActionRead, res: "acc307.000001", facts: assist(), code: "E01_unknown_resource"}})
	if status, got := imports(t, d, false, good...); status != "200" || !got.Done || got.Added != 3 || got.Entries != 3 {
		t.Errorf("%s %+v", status, got)
	}
	if status, got := imports(t, d, false, good...); status != "200" || !got.Done || got.Added != 0 || got.Unchanged != 3 {
		t.Errorf("again: %s %+v", status, got)
	}
	if status, got := imports(t, d, false, line(d, 1, map[string]string{"安全标识": "L1/S1A1"})); status != "200" || got.Done || len(got.Wrong) != 1 {
		t.Errorf("a lower label by import: %s %+v", status, got)
	}
	_, body := curl(t, d, "social-security", d.Manifest.URL+wire.PathCatalogue+"?q=acc307&limit=100")
	var list wire.Entries
	ok(t, json.Unmarshal([]byte(body), &list))
	if len(list.Entries) != 3 || list.Entries[0].Approval == "" || list.Entries[0].SecrecyReview == "" {
		t.Errorf("%+v", list)
	}
	decides(t, d, map[string]asking{
		"on application": {act: authz.ActionRead, res: "acc307.000001", facts: assist(), code: "E06_agreement.none"},
		"proactive":      {act: authz.ActionRead, res: "acc307.000003", facts: assist()},
	})

	statement := `{"name":"样例名单","reason":"样例：不宜登记","statement_sm3":"` + strings.Repeat("ab", 32) + `"}`
	post := func(body string) string {
		status, _ := curl(t, d, "civil-affairs", "-H", "Content-Type: application/json", "-d", body, d.Manifest.URL+wire.PathCatalogue+"/withheld")
		return status
	}
	if got := post(statement); got != "200" {
		t.Errorf("withheld: %s", got)
	}
	for _, bad := range []string{strings.Replace(statement, "样例：不宜登记", "", 1), strings.Replace(statement, "abab", "zzzz", 1)} {
		if got := post(bad); !strings.HasPrefix(got, "4") {
			t.Errorf("%s: %s", bad, got)
		}
	}
	if _, body := curl(t, d, "civil-affairs", d.Manifest.URL+wire.PathCatalogue+"/withheld"); strings.Count(body, "statement_sm3") != 1 {
		t.Errorf("withheld: %s", body)
	}
}

// 西政办发〔2014〕14号 art. 23: a copy that ends is destroyed, with the signed statement
// of its system; until then its unit gets nothing more of the resource, and the
// destroyed copy is used no more.
func TestX14_23b_CopiesAreDestroyedWithEvidence(t *testing.T) {
	d := demo(t)
	a := d.walk.agencies[unitA]
	r := offered(t, d, "acc-kept", nil)
	ok(t, agreed(t, d, r, nil))
	now := time.Now().UTC().Truncate(time.Millisecond)
	late := sharing.Holding{
		ID: "acc-late-copy", System: a.system.ID, Agency: a.unit.USCC, Resource: r.ID, Agreement: "agr-" + r.ID, Label: r.Label, Payload: strings.Repeat("12", 32),
		At: now.AddDate(0, 0, -2), Until: now.AddDate(0, 0, -1),
	}
	_, _, err := d.walk.house.Sharing.RegisterHolding(bg, late, actorOf(d, a))
	ok(t, err)
	decides(t, d, map[string]asking{
		"kept beyond its end":      {act: authz.ActionRead, res: late.ID, kind: "holding", facts: assist(), code: "E24_holding_ended"},
		"more of the resource":     {act: authz.ActionRead, res: r.ID, facts: assist(), code: "E27_overdue_copy"},
		"another resource is free": {act: authz.ActionRead, res: resNotice, facts: assist()},
	})
	m := d.Manifest
	by := func(system string, args ...string) string {
		folder := filepath.Join(d.dir, m.Systems[system].Dir)
		return d.bin + " catalogue " + strings.Join(args, " ") + " --json --url " + m.URL + " --root " + quote(filepath.Join(d.dir, m.Anchors.ECDSARoot)) + " --sm2-root " + quote(filepath.Join(d.dir, m.Anchors.SM2Root)) + " --dir " + quote(folder)
	}
	seen := func() (out wire.Copies) {
		t.Helper()
		ok(t, json.Unmarshal([]byte(sh(t, by("civil-affairs", "copies", r.ID))), &out))
		return out
	}
	if got := seen(); len(got.Copies) != 1 || !got.Copies[0].Overdue || got.Copies[0].Evidence != "" {
		t.Errorf("the provider sees %+v", got)
	}
	sh(t, by("street-service", "destroyed", late.ID, "--method", "样例覆写")+" && exit 1 || true")
	sh(t, by(a.system.ID, "destroyed", late.ID, "--method", "样例覆写"))
	if got := seen(); len(got.Copies) != 1 || got.Copies[0].Overdue || len(got.Copies[0].Evidence) != 64 || got.Copies[0].Ended.IsZero() {
		t.Errorf("the provider sees %+v", got)
	}
	decides(t, d, map[string]asking{
		"destroyed":             {act: authz.ActionRead, res: late.ID, kind: "holding", facts: assist(), code: "E24_holding_ended"},
		"the resource is again": {act: authz.ActionRead, res: r.ID, facts: assist()},
	})
}

// 西政办发〔2011〕8号 art. 30: a level that is raised reaches the systems that keep
// copies. One that carries it reports what it did; one that does not is told to
// remove its copy, which only the signed statement of destruction answers.
func TestX11_30_SystemsAnswerNotices(t *testing.T) {
	d := demo(t)
	a := d.walk.agencies[unitA]
	house, m := d.walk.house, d.Manifest
	by := func(system string, args ...string) string {
		folder := filepath.Join(d.dir, m.Systems[system].Dir)
		return d.bin + " catalogue " + strings.Join(args, " ") + " --json --url " + m.URL + " --root " + quote(filepath.Join(d.dir, m.Anchors.ECDSARoot)) + " --sm2-root " + quote(filepath.Join(d.dir, m.Anchors.SM2Root)) + " --dir " + quote(folder)
	}
	proof := filepath.Join(t.TempDir(), "proof.txt")
	ok(t, os.WriteFile(proof, []byte("样例办理记录"), 0o600))
	now := time.Now().UTC().Truncate(time.Millisecond)
	for id, to := range map[string]level.Label{"acc-raised": label(3, 2, 2), "acc-raised-high": label(4, 5, 5)} {
		r := offered(t, d, id, nil)
		ok(t, agreed(t, d, r, nil))
		kept := sharing.Holding{
			ID: id + "-copy", System: a.system.ID, Agency: a.unit.USCC, Resource: r.ID, Agreement: "agr-" + r.ID, Label: r.Label, Payload: strings.Repeat("56", 32), At: now,
		}
		_, _, err := house.Sharing.RegisterHolding(bg, kept, actorOf(d, a))
		ok(t, err)
		act, _, err := house.Reclass.Propose(bg, reclass.Act{Resource: r.ID, To: to, Ground: "样例依据", Due: now.AddDate(0, 0, 10)}, actorOf(d, d.walk.agencies[provider]))
		ok(t, err)
		notice := func() wire.Notice {
			t.Helper()
			var out wire.Notices
			ok(t, json.Unmarshal([]byte(sh(t, by(a.system.ID, "notices"))), &out))
			for _, n := range out.Notices {
				if n.ID == act.ID+"/"+kept.ID {
					return n
				}
			}
			t.Fatalf("%s: no notice in %+v", id, out)
			return wire.Notice{}
		}
		n := notice()
		follow := by(a.system.ID, "followed", n.ID, "--evidence", quote(proof), "--note", "已办理")
		if !n.Done.IsZero() || n.After.String() != to.String() {
			t.Errorf("%s: %+v", id, n)
		}
		sh(t, by("street-service", "followed", n.ID, "--evidence", quote(proof), "--note", "别处")+" && exit 1 || true")
		if to.RequiredS == 2 {
			if n.Kind != reclass.Relabel {
				t.Errorf("%s: %+v", id, n)
			}
			sh(t, follow)
			if got := notice(); got.Done.IsZero() || got.Evidence != signer.Digest([]byte("样例办理记录")) || got.By != a.system.ID {
				t.Errorf("%s: %+v", id, got)
			}
			continue
		}
		if n.Kind != reclass.Remove {
			t.Errorf("%s: %+v", id, n)
		}
		sh(t, follow+" && exit 1 || true")
		if got := notice(); !got.Done.IsZero() {
			t.Errorf("said to be gone: %+v", got)
		}
		var gone wire.Copy
		ok(t, json.Unmarshal([]byte(sh(t, by(a.system.ID, "destroyed", kept.ID, "--method", "样例覆写"))), &gone))
		if got := notice(); got.Done.IsZero() || got.Evidence != gone.Evidence || len(got.Evidence) != 64 || got.Note != "样例覆写" {
			t.Errorf("%s: %+v, statement %+v", id, got, gone)
		}
	}
}

// 京政发〔2017〕37号 art. 33: misuse is recorded with notice and day by the provider or
// the information office; use is suspended at once, and resumed when a second
// person has signed that it is rectified.
func TestBJ17_33_MisuseSuspends(t *testing.T) {
	d := demo(t)
	w := d.walk
	p, a := w.agencies[provider], w.agencies[unitA]
	r := offered(t, d, "acc-misused", beijing(sharing.ShareUnconditional))
	free := offered(t, d, "acc-not-misused", beijing(sharing.ShareUnconditional))
	v := sharing.Violation{
		Ground: sharing.GroundMisuse, Unit: a.unit.USCC, Provider: p.unit.USCC, Resource: r.ID, Evidence: strings.Repeat("34", 32), Note: "样例：超范围使用，限期整改", Due: workday.Of(time.Now().AddDate(0, 0, 10)),
	}
	if _, _, err := w.house.Violations.Record(bg, actorOf(d, a), v); err == nil {
		t.Error("recorded by somebody else")
	}
	bare := v
	bare.Evidence = ""
	if _, _, err := w.house.Violations.Record(bg, actorOf(d, p), bare); err == nil {
		t.Error("recorded without evidence")
	}
	says := func(name, code string) {
		t.Helper()
		decides(t, d, map[string]asking{
			name:               {act: authz.ActionRead, res: r.ID, facts: assist(), code: code},
			name + ", another": {act: authz.ActionRead, res: free.ID, facts: assist()},
			name + ", unit B":  {unit: unitB, act: authz.ActionRead, res: r.ID, facts: assist()},
		})
	}
	says("before", "")
	v, _, err := w.house.Violations.Record(bg, actorOf(d, p), v)
	ok(t, err)
	says("suspended at once", "E28_suspended")
	v, _, err = w.house.Violations.Ask(bg, actorOf(d, p), v.ID, "样例：已停用并销毁")
	ok(t, err)
	says("rectified, says one", "E28_suspended")
	subject := w.house.ViolationSubject(v)
	if _, _, err := w.house.Approve(bg, subject, p.clerk.ID, p.clerk.pin, true, ""); err == nil {
		t.Error("who asked signed")
	}
	_, _, err = w.house.Approve(bg, subject, p.leader.ID, p.leader.pin, true, "")
	ok(t, err)
	v, _, err = w.house.Violations.Settle(bg, actorOf(d, p), v.ID)
	ok(t, err)
	if v.State != sharing.ViolationSettled || v.Approval == "" {
		t.Errorf("%+v", v)
	}
	says("settled by two", "")
}
