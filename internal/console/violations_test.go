package console

import (
	"context"
	"net/http"
	"strings"
	"testing"

	"github.com/yinxin-gov/yinxin/authz/level"
	"github.com/yinxin-gov/yinxin/authz/sharing"
	"github.com/yinxin-gov/yinxin/internal/workday"
	"github.com/yinxin-gov/yinxin/signer"
)

func (d *deskOf) Violations(context.Context, Person) (ViolationList, error) {
	v := sharing.Violation{
		ID: "v-1", Ground: sharing.GroundMisuse, Unit: "A", Provider: "P", Evidence: strings.Repeat("a", 64), Note: "擅自扩大\u202e", Due: workday.On(2026, 3, 1),
		RecordedBy: "p-1", RecordedAt: at, State: sharing.ViolationRecorded,
	}
	asked, settled := v, v
	asked.ID, asked.State, asked.Outcome, asked.AskedAt = "v-2", sharing.ViolationAsked, "已整改", at
	settled.ID, settled.State, settled.SettledAt = "v-3", sharing.ViolationSettled, at
	return ViolationList{MayWrite: true, Rows: []ViolationLine{
		{Violation: v, UnitName: "样例单位", MayAsk: true, Overdue: true}, {Violation: asked, MayAnswer: true, Sum: "ab"}, {Violation: settled},
	}}, nil
}

func (d *deskOf) RecordViolation(_ context.Context, _ Person, v sharing.Violation) error {
	return d.act("violation %s %s %s %s %s %s %s", v.Ground, v.Unit, v.Provider, v.Resource, v.Note, v.Due, v.Evidence)
}

func (d *deskOf) AskViolation(_ context.Context, _ Person, id, outcome string) error {
	return d.act("rectified %s %s", id, outcome)
}

func (d *deskOf) AnswerViolation(_ context.Context, _ Person, id string, a Answer) error {
	return d.act("answer %s %s %v", id, a.Digest, a.Yes)
}

func (d *deskOf) Catalogue(_ context.Context, _ Person, find, _, id string) (CatalogueList, error) {
	e := sharing.Entry{Resource: sharing.Resource{ID: "r-1", Name: "低保\u202e名单", Label: level.Label{Level: 2, RequiredS: 2, RequiredA: 2}, Items: []string{"name"},
		ItemTags: []sharing.ItemTag{{Item: "name", Tags: []level.Tag{level.TagPersonal}, Mask: sharing.MaskPartial}}}}
	out := CatalogueList{Find: find, Entries: []sharing.Entry{e}, Next: "r-1", Withheld: []sharing.Withheld{{Name: "台账", At: at}}}
	if id != "" {
		out.Entry, out.Changes, out.Disputed, out.More = &e, []sharing.Change{{Revision: 1, At: at, Why: "首次"}}, true, true
		out.Copies = []CopyLine{{Copy: sharing.Copy{Holding: sharing.Holding{ID: "h-1"}, Due: at}, UnitName: "样例单位", Overdue: true}, {Copy: sharing.Copy{Holding: sharing.Holding{ID: "h-2", Ended: at}}}}
	}
	return out, nil
}

// A record of a breach needs its evidence, of which the SM3 is kept; an answer is to
// what the page showed.
func TestViolationForms(t *testing.T) {
	h, d := newDesk(t)
	evidence := []byte("evidence")
	good := []string{"unit", "A", "ground", "misuse", "provider", "P", "resource", "r-1", "note", "擅自 扩大", "due", "2026-06-01"}
	send := func(data []byte, pairs ...string) (int, string) {
		d.acted = nil
		body, mediaType := parts(t, "evidence", "a.pdf", data, pairs...)
		return h.ask(http.MethodPost, "/console/violations", mediaType, body).Code, strings.Join(d.acted, "; ")
	}
	if code, did := send(evidence, good...); code != http.StatusSeeOther || did != "violation misuse A P r-1 擅自 扩大 2026-06-01 "+signer.Digest(evidence) {
		t.Errorf("%d %s", code, did)
	}
	for name, c := range map[string]struct {
		data  []byte
		field string
		value string
	}{"no evidence": {nil, "note", "x"}, "no day": {evidence, "due", "tomorrow"}, "a hidden mark": {evidence, "note", "a\u202eb"}} {
		pairs := append([]string{}, good...)
		for i := 0; i < len(pairs); i += 2 {
			if pairs[i] == c.field {
				pairs[i+1] = c.value
			}
		}
		if code, did := send(c.data, pairs...); code != http.StatusBadRequest || did != "" {
			t.Errorf("%s: %d %s", name, code, did)
		}
	}
	for path, c := range map[string]struct{ form, want string }{
		"/console/violations/v-1/ask":    {"outcome=%E5%B7%B2%E6%95%B4%E6%94%B9", "rectified v-1 已整改"},
		"/console/violations/v-2/answer": {"digest=ab&pin=123456&answer=yes", "answer v-2 ab true"},
	} {
		d.acted = nil
		if code := h.ask(http.MethodPost, path, formType, c.form).Code; code != http.StatusSeeOther || strings.Join(d.acted, "; ") != c.want {
			t.Errorf("%s: %d %v", path, code, d.acted)
		}
	}
	page := h.ask(http.MethodGet, "/console/catalogue?find=%E4%BD%8E%E4%BF%9D&id=r-1", "", "").Body.String()
	if strings.Contains(page, "\u202e") || !strings.Contains(page, "h-1") || !strings.Contains(page, "有争议") || !strings.Contains(page, "after=r-1") {
		t.Errorf("%.2000s", page)
	}
}
