package store_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/yinxin-gov/yinxin/authz/identity"
	"github.com/yinxin-gov/yinxin/authz/ledger"
	"github.com/yinxin-gov/yinxin/authz/level"
	"github.com/yinxin-gov/yinxin/authz/sharing"
	"github.com/yinxin-gov/yinxin/internal/store"
	"github.com/yinxin-gov/yinxin/internal/workday"
)

func entries(t *testing.T, r *store.Rooms) *sharing.Entries {
	t.Helper()
	s, err := sharing.NewEntries(sharing.EntriesConfig{
		Store: r.Sharing, Directory: r.Identity, Now: func() time.Time { return kept(6) }, NewID: func() string { return uuid.Must(uuid.NewV7()).String() },
	})
	ok(t, err)
	return s
}

func entry(t testing.TB, n int) sharing.Entry {
	r := resource(t, "")
	code := fmt.Sprintf("307.01/%06d", n)
	r.ID, r.Provider, r.DefectNotice, r.UpdatedAt, r.Sample = sharing.EntryID(code), lawful(t), "", time.Time{}, false
	r.ItemTags = []sharing.ItemTag{{Item: "name", Tags: []level.Tag{level.TagPersonal}, Mask: sharing.MaskPartial}}
	return sharing.Entry{Resource: r, Metadata: sharing.Metadata{
		PIA:  "样例评估 1 号",
		Code: code, Category: "社会保障/社会救助", Summary: "=低保家庭的名单", Format: "数据库", ItemTypes: []string{"text", "number"}, Conditions: "按协议",
		Manner: "接口", Open: "closed", Cycle: "monthly", Published: workday.On(2026, 3, 1), Related: []string{"307.01/000009"}, System: "civil-v", Contact: "救助科 王芳",
	}}
}

func csvOf(t testing.TB, all ...sharing.Entry) []byte {
	t.Helper()
	var b bytes.Buffer
	ok(t, sharing.WriteCSV(&b, all))
	return b.Bytes()
}

// lawful is a unit whose code has its check digit: a catalogue takes no other.
func lawful(t testing.TB) identity.USCC {
	t.Helper()
	id, err := identity.SampleUSCC("110102", 7)
	ok(t, err)
	return id
}

// catalogued is a house with a lawful provider and its system civil-v.
func catalogued(t *testing.T, s *store.Store) *store.Rooms {
	t.Helper()
	r := house(t, s)
	_, err := r.Identity.AddAgency(bg, agency(lawful(t)), event("agency", "lawful"))
	ok(t, err)
	sys := system("civil-v")
	sys.Agency = lawful(t)
	_, err = r.Identity.AddSystem(bg, sys, event("system", "civil-v"))
	ok(t, err)
	return r
}

func importer(t testing.TB) ledger.Actor {
	return ledger.Actor{Kind: "system", ID: "civil-v", Unit: string(lawful(t))}
}

// XA18-23: an import has as many rows as its source, by CSV and JSON; a dry run
// writes nothing, and the same file again changes nothing.
func TestCatalogueImport(t *testing.T) {
	onEngines(t, func(t *testing.T, s *store.Store) {
		r := catalogued(t, s)
		svc := entries(t, r)
		var all []sharing.Entry
		for n := range 450 {
			all = append(all, entry(t, n+1))
		}
		file := csvOf(t, all...)
		before := snapshot(t, s)
		dry, _, err := svc.Import(bg, importer(t), sharing.FormatCSV, file, "首次编目", true)
		if err != nil || dry.Added != 450 || len(dry.Wrong) != 0 || !dry.DryRun {
			t.Fatalf("dry run: %+v, %v", dry, err)
		}
		same(t, s, before)
		got, _, err := svc.Import(bg, importer(t), sharing.FormatCSV, file, "首次编目", false)
		if err != nil || got.Added != 450 || count(t, s, "catalogue_entry") != 450 || count(t, s, "catalogue_change") != 450 {
			t.Fatalf("import: %+v, %v", got, err)
		}
		again, _, err := svc.Import(bg, importer(t), sharing.FormatCSV, file, "重报", false)
		if err != nil || again.Unchanged != 450 || count(t, s, "catalogue_change") != 450 {
			t.Errorf("again: %+v, %v", again, err)
		}
		all[3].Summary, all[3].Label = "名单（新）", label(t, 3, 3, 2, all[3].Label.Tags...)
		raw, err := json.Marshal(all[3:5])
		ok(t, err)
		changed, _, err := svc.Import(bg, importer(t), sharing.FormatJSON, raw, "更新摘要", false)
		if err != nil || changed.Changed != 1 || changed.Unchanged != 1 {
			t.Errorf("changed: %+v, %v", changed, err)
		}
		e, history, err := svc.Entry(bg, all[3].ID)
		ok(t, err)
		if len(history) != 2 || history[0].Why != "更新摘要" || history[0].By != "civil-v" || history[1].Entry.Summary != "=低保家庭的名单" || history[0].Event == "" {
			t.Errorf("history %+v", history)
		}
		e.UpdatedAt = time.Time{}
		if !reflect.DeepEqual(e, all[3]) {
			t.Errorf("entry\n%+v\nwant\n%+v", e, all[3])
		}
		page, err := svc.Find(bg, sharing.EntryQuery{Text: "000004", Limit: 5})
		if err != nil || len(page) != 1 || page[0].Code != all[3].Code {
			t.Errorf("found %+v, %v", page, err)
		}
		if page, err = svc.Find(bg, sharing.EntryQuery{After: all[9].ID, Limit: 5, Provider: lawful(t)}); err != nil || len(page) != 5 || page[0].ID != all[10].ID {
			t.Errorf("page %v", err)
		}
		if got, err := r.Index.Resource(bg, all[3].ID); err != nil || got.Label.Level != 3 {
			t.Errorf("decisions know %+v, %v", got, err)
		}
	})
}

// All or nothing, with the line, the field and the reason of everything that is wrong.
func TestCatalogueImportRefuses(t *testing.T) {
	onEngines(t, func(t *testing.T, s *store.Store) {
		r := catalogued(t, s)
		svc := entries(t, r)
		good := entry(t, 1)
		_, _, err := svc.Import(bg, importer(t), sharing.FormatCSV, csvOf(t, good), "首次编目", false)
		ok(t, err)
		before := snapshot(t, s)
		for name, c := range map[string]struct {
			change func(*sharing.Entry)
			want   string
		}{
			"another's code":         {func(e *sharing.Entry) { e.Provider = consumer }, "provider:provider"},
			"a lower label":          {func(e *sharing.Entry) { e.Label.Level = 1 }, "label:lowered"},
			"a tag lost":             {func(e *sharing.Entry) { e.Label.Tags = nil }, "label:lowered"},
			"freer without a review": {func(e *sharing.Entry) { e.ShareType = sharing.ShareUnconditional }, "secrecy_review:loosened"},
			"no basis (BJ17 16)":     {func(e *sharing.Entry) { e.ShareType, e.Basis = sharing.ShareNotShared, "" }, "basis:basis"},
			"no approval (X14 24)": {func(e *sharing.Entry) {
				e.Regime, e.ShareType, e.Filing = sharing.RegimeXicheng2014, sharing.ShareOnApplication, "备-1"
			}, "approval:basis"},
			"another regime's word":      {func(e *sharing.Entry) { e.ShareType = sharing.ShareProactive }, "share_type:unknown"},
			"no secrecy review (X14 16)": {func(e *sharing.Entry) { e.SecrecyReview = " " }, "secrecy_review:missing"},
			"a state secret":             {func(e *sharing.Entry) { e.Summary = "机密★10年" }, "summary:state_secret"},
			"a cycle nobody knows":       {func(e *sharing.Entry) { e.Cycle = "sometimes" }, "cycle:unknown"},
			"a system of another":        {func(e *sharing.Entry) { e.System = "civil-z" }, "system:unknown"},
			"no such code":               {func(e *sharing.Entry) { e.Code = "307-1" }, "code:code"},
			"no contact (X14 13)":        {func(e *sharing.Entry) { e.Contact = "" }, "contact:missing"},
		} {
			bad := good
			bad.Label.Tags = slices.Clone(good.Label.Tags)
			c.change(&bad)
			got, _, err := svc.Import(bg, importer(t), sharing.FormatCSV, csvOf(t, entry(t, 2), bad), "更新", false)
			ok(t, err)
			if !slices.ContainsFunc(got.Wrong, func(w sharing.LineError) bool { return w.Line == 3 && w.Field+":"+w.Code == c.want }) {
				t.Errorf("%s: %+v", name, got.Wrong)
			}
		}
		twice, _, err := svc.Import(bg, importer(t), sharing.FormatCSV, csvOf(t, entry(t, 2), entry(t, 2)), "更新", false)
		if err != nil || len(twice.Wrong) != 1 || twice.Wrong[0].Code != sharing.LineTwice {
			t.Errorf("twice: %+v, %v", twice, err)
		}
		same(t, s, before)
		// What changed between the plan and the transaction is refused there, too.
		low := good
		low.Label.Level = 1
		_, err = r.Sharing.PutEntries(bg, []sharing.Entry{entry(t, 3), low}, sharing.Change{At: kept(6)}, event("catalogue", "x"))
		wantErr(t, err, sharing.ErrLowered)
		same(t, s, before)
		for name, raw := range map[string]string{
			"nothing": "", "a head only": "code,name\n", "a column nobody knows": "code,colour\nx,y\n", "a column twice": "code,信息资源代码\nx,y\n",
			"a short row": "code,name\nx\n", "not UTF-8": "code,name\n\xff,x\n",
		} {
			if _, _, err := svc.Import(bg, importer(t), sharing.FormatCSV, []byte(raw), "更新", false); !errors.Is(err, sharing.ErrFile) {
				t.Errorf("%s: %v", name, err)
			}
		}
		for name, raw := range map[string]string{"no list": "{}", "a field nobody knows": `[{"colour":"red"}]`, "something behind": "[{}] []", "empty": "[]"} {
			if _, _, err := svc.Import(bg, importer(t), sharing.FormatJSON, []byte(raw), "更新", false); !errors.Is(err, sharing.ErrFile) {
				t.Errorf("%s: %v", name, err)
			}
		}
		if _, _, err := svc.Import(bg, importer(t), sharing.FormatCSV, csvOf(t, good), "", false); !errors.Is(err, sharing.ErrInvalid) {
			t.Errorf("no reason: %v", err)
		}
		if _, _, err := svc.Import(bg, ledger.Actor{ID: "x", Unit: "11110102000000009X"}, sharing.FormatCSV, csvOf(t, good), "x", false); !errors.Is(err, identity.ErrNotFound) {
			t.Errorf("a stranger: %v", err)
		}
	})
}

// X14-16: what is kept out of the catalogue has its statement.
func TestWithheldNeedsItsStatement(t *testing.T) {
	onEngines(t, func(t *testing.T, s *store.Store) {
		svc := entries(t, catalogued(t, s))
		good := sharing.Withheld{Name: "信访台账", Reason: "涉及工作秘密", Statement: strings.Repeat("b", 64)}
		for name, w := range map[string]sharing.Withheld{
			"no reason": {Name: good.Name, Statement: good.Statement}, "no statement": {Name: good.Name, Reason: good.Reason},
			"a mark of a state secret": {Name: "绝密★", Reason: good.Reason, Statement: good.Statement},
		} {
			if _, _, err := svc.Withhold(bg, importer(t), w); !errors.Is(err, sharing.ErrInvalid) {
				t.Errorf("%s: %v", name, err)
			}
		}
		w, _, err := svc.Withhold(bg, importer(t), good)
		ok(t, err)
		if all, err := svc.WithheldBy(bg, ""); err != nil || len(all) != 1 || all[0].ID != w.ID || all[0].Provider != lawful(t) {
			t.Errorf("%+v, %v", all, err)
		}
	})
}
