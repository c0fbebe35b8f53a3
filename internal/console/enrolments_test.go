package console

import (
	"bytes"
	"context"
	"mime/multipart"
	"net/http"
	"strings"
	"testing"

	"github.com/yinxin-gov/yinxin/authz/identity"
	"github.com/yinxin-gov/yinxin/ca"
	"github.com/yinxin-gov/yinxin/ca/ra"
	"github.com/yinxin-gov/yinxin/signer"
)

func enrolmentLine() EnrolmentLine {
	r := ca.Request{
		ID: "r-1", Agency: "11110102MB1234567M", System: "civil-a", CommonName: "民政业务系统", Organization: "样例区民政局", Hosts: []string{"a.gov.internal"}, Purpose: ca.PurposeProduction,
		SubmittedBy: "p-9", State: ca.RequestReviewed, ReviewedBy: "p-8", ReviewedAt: at, CreatedAt: at,
		Evidence: []ca.Evidence{{Kind: ca.EvidenceUSCC, Number: "11110102MB1234567M", Method: ca.MethodRegister}, {Kind: ca.EvidenceHandler, Salt: "ab", Digest: "cd", Method: ca.MethodOriginal}},
	}
	return EnrolmentLine{Request: r, Unit: "样例区民政局", Applicant: "样例管理员", Checker: "样例核验人", Digest: ca.RequestDigest(r), MayApprove: true}
}

func (d *deskOf) Enrolments(context.Context, Person) (EnrolmentList, error) {
	l := enrolmentLine()
	l.State, l.Mine, l.MayDraw = ca.RequestApproved, true, true
	refused := enrolmentLine()
	refused.ID, refused.State, refused.Reason = "r-2", ca.RequestRefused, "名称与登记不符"
	return EnrolmentList{Systems: []identity.System{{ID: "civil-a", Name: "民政业务系统", Hosts: []string{"a.gov.internal"}}, {ID: "civil-b", Name: "无主机"}}, Requests: []EnrolmentLine{l, refused}}, nil
}

func (d *deskOf) AskEnrolment(_ context.Context, _ Person, f EnrolmentForm) error {
	return d.act("ask %s %s %v %s", f.System, f.CommonName, f.Hosts, f.Purpose)
}

func (d *deskOf) WithdrawEnrolment(_ context.Context, _ Person, id, reason string) error {
	return d.act("withdraw %s %s", id, reason)
}

func (d *deskOf) DrawToken(_ context.Context, _ Person, id string) (DrawnToken, error) {
	return DrawnToken{System: "civil-a", Token: "token-shown-once", Expires: at}, d.act("draw %s", id)
}

func (d *deskOf) PlanEnrolments(_ context.Context, _ Person, file []byte) (ra.Plan, error) {
	row := ra.Row{Line: 2, Request: enrolmentLine().Request}
	p := ra.Plan{New: 1, Lines: []ra.PlannedLine{{Row: row, Outcome: ra.OutcomeNew}}}
	if bytes.Contains(file, []byte("bad")) {
		p.Bad = []ra.Problem{{Line: 3, Column: "hosts", Code: "host", Value: "evil\u202e.example"}, {Code: "encoding"}}
	}
	return p, d.act("plan %d", len(file))
}

func (d *deskOf) ImportEnrolments(_ context.Context, _ Person, file []byte) (ra.Imported, error) {
	return ra.Imported{Requests: []ca.Request{{}}}, d.act("import %s", file)
}

func (d *deskOf) EnrolmentQueue(context.Context, Person) ([]EnrolmentLine, error) {
	waits := enrolmentLine()
	waits.ID, waits.State, waits.ReviewedBy, waits.Evidence, waits.MayApprove, waits.MayCheck = "r-2", ca.RequestSubmitted, "", nil, false, true
	waits.Standings = standingsOf()
	return []EnrolmentLine{enrolmentLine(), waits}, nil
}

func (d *deskOf) CheckEnrolment(_ context.Context, _ Person, id string, shown []ra.Shown) error {
	return d.act("check %s %+v", id, shown)
}

func (d *deskOf) ApproveEnrolment(_ context.Context, _ Person, id string, a Answer) error {
	return d.act("approve %s %v %s", id, a.Yes, a.PIN)
}

func (d *deskOf) RefuseEnrolment(_ context.Context, _ Person, id, reason string) error {
	return d.act("refuse %s %s", id, reason)
}

func TestEnrolmentForms(t *testing.T) {
	h, d := newDesk(t)
	for _, c := range []struct{ path, form, want string }{
		{"/console/requests", "system=civil-a&common_name=a+b&host=x&host=y&purpose=test", "ask civil-a a b [x y] test"},
		{"/console/requests/r-1/withdraw", "reason=a%0d%0ab", "withdraw r-1 a b"},
		{"/console/enrolments/r-1/answer", "pin=p&answer=yes", "approve r-1 true p"},
		{"/console/enrolments/r-1/answer", "answer=yes", ""},
		{"/console/enrolments/r-1/refuse", "reason=x", "refuse r-1 x"},
		{"/console/enrolments/r-1/refuse", "reason=a%E2%80%AEb", ""},
		{"/console/enrolments/r-1/refuse?reason=x", "", "refuse r-1 "}, // nothing from the address
	} {
		d.acted = nil
		w := h.ask(http.MethodPost, c.path, formType, c.form)
		if got := strings.Join(d.acted, "; "); got != c.want || (w.Code == http.StatusSeeOther) != (c.want != "") {
			t.Errorf("%s %s: %d %q, want %q", c.path, c.form, w.Code, got, c.want)
		}
	}
	// The token stands on the answer and on no other page.
	if w := h.ask(http.MethodPost, "/console/requests/r-1/token", formType, ""); w.Code != http.StatusOK || !strings.Contains(w.Body.String(), "token-shown-once") {
		t.Errorf("token: %d", w.Code)
	}
	if strings.Contains(h.ask(http.MethodGet, "/console/requests", "", "").Body.String(), "token-shown-once") || strings.Contains(h.log.String(), "token-shown-once") {
		t.Error("the token is shown again, or logged")
	}
}

// parts is a form as a browser sends it; the file comes as a field without a name
// when the page brings it back.
func parts(t *testing.T, field, name string, data []byte, pairs ...string) (body, mediaType string) {
	t.Helper()
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	for i := 0; i+1 < len(pairs); i += 2 {
		if err := w.WriteField(pairs[i], pairs[i+1]); err != nil {
			t.Fatal(err)
		}
	}
	if name == "" && data != nil {
		if err := w.WriteField(field, string(data)); err != nil {
			t.Fatal(err)
		}
	} else if data != nil {
		part, err := w.CreateFormFile(field, name)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := part.Write(data); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String(), w.FormDataContentType()
}

func TestEnrolmentImportIsPlannedThenConfirmed(t *testing.T) {
	h, d := newDesk(t)
	send := func(name string, data []byte, pairs ...string) (int, string) {
		body, mediaType := parts(t, "file", name, data, pairs...)
		w := h.ask(http.MethodPost, "/console/requests/import", mediaType, body)
		return w.Code, w.Body.String()
	}
	code, page := send("a.csv", []byte("agency,<b>\n"))
	if code != http.StatusOK || !strings.Contains(page, `name="confirm"`) || !strings.Contains(page, "agency,&lt;b&gt;") || strings.Contains(page, "<b>") {
		t.Errorf("plan: %d", code)
	}
	code, page = send("a.csv", []byte("bad"))
	if code != http.StatusOK || strings.Contains(page, `name="confirm"`) || strings.Contains(page, "\u202e") || !strings.Contains(page, h.words.Get("ra.csv.host").Zh) {
		t.Errorf("a plan with problems: %d", code)
	}
	d.acted = nil
	if code, _ = send("", []byte("agency\r\nx"), "confirm", "yes"); code != http.StatusOK || strings.Join(d.acted, "") != "import agency\r\nx" {
		t.Errorf("confirmed: %d %q", code, d.acted)
	}
	d.acted = nil
	if code, _ = send("a.csv", bytes.Repeat([]byte("x"), ra.MaxImport+1)); code != http.StatusRequestEntityTooLarge || len(d.acted) != 0 {
		t.Errorf("too large: %d %v", code, d.acted)
	}
	if code, _ = send("", nil); code != http.StatusBadRequest || len(d.acted) != 0 {
		t.Errorf("no file: %d %v", code, d.acted)
	}
}

// The scan is read for its SM3; a handler's number goes on as what it is.
func TestEnrolmentEvidenceForm(t *testing.T) {
	h, d := newDesk(t)
	scan := []byte("scan")
	body, mediaType := parts(t, "scan", "授权书.pdf", scan, "uscc", " 11110102MB1234567M ", "uscc_method", "register", "letter", "授权 1号", "letter_method", "original", "handler", "11010119900307001X", "handler_method", "original", "note", "a\r\nb", "other", "批文 2号", "other_method", "copy", "other_note", "编办批文")
	w := h.ask(http.MethodPost, "/console/enrolments/r-2/check", mediaType, body)
	want := "check r-2 [{Kind:uscc_certificate Number:11110102MB1234567M Digest: Personal: Method:register Note:} {Kind:authorisation Number:授权 1号 Digest:" + signer.Digest(scan) +
		" Personal: Method:original Note:a b} {Kind:handler_identity Number: Digest: Personal:11010119900307001X Method:original Note:} {Kind:other Number:批文 2号 Digest: Personal: Method:copy Note:编办批文}]"
	if got := strings.Join(d.acted, "; "); w.Code != http.StatusSeeOther || got != want {
		t.Errorf("%d %s", w.Code, got)
	}
	if strings.Contains(h.log.String(), "11010119900307001X") {
		t.Error("the log holds a personal number")
	}
}
