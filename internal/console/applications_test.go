package console

import (
	"context"
	"net/http"
	"strings"
	"testing"

	"github.com/yinxin-gov/yinxin/authz/sharing"
)

func (d *deskOf) Applications(context.Context, Person) (ApplicationList, error) {
	a := sharing.Application{ID: "a-1", Wanted: "名单\u202e", Consumer: "C", Purposes: []string{"relief"}, NotBefore: at, NotAfter: at, State: sharing.ApplicationForward}
	late, objected, agreed := a, a, a
	late.ID, late.Resource, late.Provider, late.ReceivedAt, late.State = "a-2", "r-1", "P", at, sharing.ApplicationReceived
	late.Due.Day, late.Due.Estimated = 20000, true
	objected.ID, objected.State, objected.Answer = "a-3", sharing.ApplicationObjected, sharing.ApplicationAnswer{By: "p", Reason: "不便", Clause: "X14-23", Approval: "ap"}
	objected.Objections = []sharing.Objection{{Body: "leading_office", Ground: "依法", At: at, Outcome: "维持", Approval: "ap"}, {Body: "leading_group", Ground: "再议", At: at}}
	objected.Receipts = []sharing.Acknowledgement{{Unit: "C", At: at}}
	agreed.ID, agreed.State, agreed.Follows, agreed.System, agreed.Confidentiality = "a-4", sharing.ApplicationAgreed, "agr-0", "civil", "保密"
	agreed.Seals, agreed.Fields = []sharing.PartySeal{{Party: "C", SealID: "s", At: at}}, []string{"name"}
	f := sharing.Feedback{ID: "f-1", Resource: "r-1", Text: "有误", At: at, Receipts: objected.Receipts}
	done := f
	done.ID, done.Answer, done.Answered = "f-2", "已更正", at
	return ApplicationList{
		Rows: []ApplicationLine{
			{Application: a, MayForward: true, MayAnswer: true, Sum: "ab"}, {Application: late, Overdue: true, MayReply: true, MayObject: true, Next: "task_group"},
			{Application: objected, MayOutcome: true, MayAcknowledge: true}, {Application: agreed, MayAskSeal: true, MaySignSeal: true, Terms: "cd"},
		},
		Agreements: []AgreementLine{{Agreement: sharing.Agreement{ID: "agr-1", Resource: "r-1"}, InForce: true, MayEnd: true}, {Agreement: sharing.Agreement{ID: "agr-2"}}},
		Feedback:   []FeedbackLine{{Feedback: f, Overdue: true, MayAnswer: true, MayAcknowledge: true}, {Feedback: done}},
		Seals:      []string{"11010200000001"}, MayApply: true,
	}, nil
}

func (d *deskOf) ApplyToShare(_ context.Context, _ Person, a sharing.Application) error {
	return d.act("apply %s %s %v %v %s %s %d", a.Resource, a.Wanted, a.Purposes, a.Fields, a.System, a.Follows, int(a.NotAfter.Sub(a.NotBefore).Hours()))
}

func (d *deskOf) Forward(_ context.Context, _ Person, id, resource string, fields []string) error {
	return d.act("forward %s %s %v", id, resource, fields)
}

func (d *deskOf) Reply(_ context.Context, _ Person, id string, a sharing.ApplicationAnswer) error {
	return d.act("reply %s %v %s %s", id, a.Agree, a.Reason, a.Clause)
}

func (d *deskOf) Object(_ context.Context, _ Person, id, ground string) error {
	return d.act("object %s %s", id, ground)
}

func (d *deskOf) Outcome(_ context.Context, _ Person, id string, upheld bool, outcome string) error {
	return d.act("outcome %s %v %s", id, upheld, outcome)
}

func (d *deskOf) AcknowledgeAnswer(_ context.Context, _ Person, id string) error {
	return d.act("acknowledge %s", id)
}

func (d *deskOf) AskTermsSeal(_ context.Context, _ Person, id, seal string) error {
	return d.act("seal %s %s", id, seal)
}

func (d *deskOf) AnswerApplication(_ context.Context, _ Person, id string, a Answer) error {
	return d.act("answer %s %s %v", id, a.Digest, a.Yes)
}

func (d *deskOf) SealTerms(_ context.Context, _ Person, id string, a Answer) error {
	return d.act("sealed %s %s %v", id, a.Digest, a.Yes)
}

func (d *deskOf) EndAgreement(_ context.Context, _ Person, id, reason string) error {
	return d.act("end %s %s", id, reason)
}

func (d *deskOf) GiveFeedback(_ context.Context, _ Person, resource, said string) error {
	return d.act("feedback %s %s", resource, said)
}

func (d *deskOf) AnswerFeedback(_ context.Context, _ Person, id, said string) error {
	return d.act("answered %s %s", id, said)
}

func (d *deskOf) AcknowledgeFeedback(_ context.Context, _ Person, id string) error {
	return d.act("heard %s", id)
}

// Each form of the page does one act; an incomplete one, or hidden characters, none.
func TestApplicationForms(t *testing.T) {
	h, d := newDesk(t)
	for _, c := range []struct{ path, form, want string }{
		{"", "resource=r-1&purposes=relief%2C+audit&fields=name+amount&from=2026-06-01&until=2026-06-30", "apply r-1  [relief audit] [name amount]   720"},
		{"", "resource=r-1&purposes=relief&from=2026-06-01", ""},
		{"", "resource=r-1%E2%80%AE&purposes=relief&from=2026-06-01&until=2026-06-30", ""},
		{"/a-1/forward", "resource=r-1&fields=name%EF%BC%8Camount", "forward a-1 r-1 [name amount]"},
		{"/a-1/forward", "fields=name", ""},
		{"/a-2/reply", "answer=yes", "reply a-2 true  "},
		{"/a-2/reply", "answer=no&reason=no&clause=X14-23", "reply a-2 false no X14-23"},
		{"/a-2/reply", "answer=no&clause=X14-23", ""},
		{"/a-2/reply", "answer=no&reason=no", ""},
		{"/a-2/reply", "reason=no", ""},
		{"/a-2/object", "ground=why", "object a-2 why"},
		{"/a-2/object", "", ""},
		{"/a-3/outcome", "answer=yes&outcome=share", "outcome a-3 true share"},
		{"/a-3/outcome", "outcome=share", ""},
		{"/a-3/outcome", "answer=no", ""},
		{"/a-3/acknowledge", "", "acknowledge a-3"},
		{"/a-4/seal", "seal=11010200000001", "seal a-4 11010200000001"},
		{"/a-4/seal", "", ""},
		{"/a-1/answer", "digest=ab&pin=123456&answer=yes", "answer a-1 ab true"},
		{"/a-4/sealed", "digest=cd&pin=123456&answer=no&reason=x", "sealed a-4 cd false"},
		{"/a-4/sealed", "digest=cd&answer=yes", ""},
		{"/agreements/agr-1/end", "reason=over", "end agr-1 over"},
		{"/agreements/agr-1/end", "", ""},
		{"/feedback", "resource=r-1&text=wrong", "feedback r-1 wrong"},
		{"/feedback", "resource=r-1", ""},
		{"/feedback/f-1/answer", "text=mended", "answered f-1 mended"},
		{"/feedback/f-1/acknowledge", "", "heard f-1"},
	} {
		d.acted = nil
		code := h.ask(http.MethodPost, pathApplications+c.path, formType, c.form).Code
		if did := strings.Join(d.acted, "; "); did != c.want || (code == http.StatusSeeOther) != (c.want != "") {
			t.Errorf("%s %s: %d %q", c.path, c.form, code, did)
		}
	}
	if page := h.ask(http.MethodGet, pathApplications, "", "").Body.String(); strings.Contains(page, "\u202e") || !strings.Contains(page, "a-4/sealed") {
		t.Errorf("%.2000s", page)
	}
}
