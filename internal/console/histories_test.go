package console

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/yinxin-gov/yinxin/ca"
	"github.com/yinxin-gov/yinxin/ca/history"
	"github.com/yinxin-gov/yinxin/ca/kmc"
)

func (d *deskOf) recordOf() history.Record {
	return history.Record{Issued: true, Followed: []string{"ab:03"}, Certificate: ca.Certificate{
		Issuer: "ab", Serial: "01", Kind: ca.KindSM2Enc, Agency: "11110102MB1234567M", System: "civil-a", Subject: "CN=\u202ecivil-a", State: ca.StateRevoked, Reason: 4,
		NotBefore: at, NotAfter: at.AddDate(0, 0, 20), RevokedAt: at, CreatedAt: at, Origin: ca.Origin{Way: ca.WayACME, Ref: "o-1", Previous: "ab:00"},
	}}
}

func (d *deskOf) History(_ context.Context, _ Person, f HistoryForm) (HistoryList, error) {
	if f.After == "bad" {
		return HistoryList{}, history.ErrQuery
	}
	e := history.Entry{
		Record: d.recordOf(), Half: "02", Escrowed: at, Request: &ca.Request{ID: "r-1", Evidence: []ca.Evidence{{Kind: ca.EvidenceAuthorisation, Method: ca.MethodOriginal, Digest: "cd"}}},
		Holds: []ca.Suspension{{State: ca.SuspensionLifted, HeldAt: at, Reason: "设备\u202e丢失", AnsweredAt: at}}, Recoveries: []history.Recovered{{ID: "k-1", Kind: kmc.ForOwner, State: kmc.Delivered, AskedAt: at}},
		Acts: []history.Act{{Seq: 7, Type: "ca.certificate.issued", At: at, By: "p-1", Outcome: "success"}},
	}
	return HistoryList{HistoryForm: f, Systems: []Named{{ID: "civil-a", Name: "民政"}}, Units: []Named{{ID: "11110102MB1234567M", Name: "样例区民政局"}}, Next: "1.ab.01",
		Rows: []HistoryLine{{Entry: e, Applicant: "甲", Checker: "乙", Decider: "丙", By: []string{"丙"}, Holders: []string{"乙"}, Why: "superseded"}}}, d.err
}

func (d *deskOf) Expiring(_ context.Context, _ Person, f ExpiringForm) (ExpiringList, error) {
	return ExpiringList{ExpiringForm: f, Next: "1.ab.01", Rows: []ExpiringLine{{Ending: history.Ending{Record: d.recordOf(), Superseded: f.Superseded}, Unit: "样例区民政局", Whose: "civil-a", Left: 20}}}, d.err
}

func (d *deskOf) Statistics(_ context.Context, _ Person, month string) (Statistics, error) {
	f := history.Figures{Requests: 3, Issued: []history.Issued{{Kind: ca.KindECDSA, Way: ca.WayX5C, Count: 2}, {Kind: ca.KindCA, Count: 1}}, Revoked: []history.Revoked{{Reason: 1, Count: 1}}, Late: 1, First: 2, Waited: 90 * time.Minute}
	c := history.Coverage{Registered: 3, Connected: 2, Both: 1, Missing: []history.System{{ID: "civil-b", Name: "低保"}}}
	m, err := history.ParseMonth(month)
	if month == "" {
		m, err = history.MonthOf(at), nil
	}
	return Statistics{Report: history.Report{Month: m, At: at, Total: f, Coverage: c, Units: []history.Unit{{Agency: "u-1", Figures: f, Coverage: c}}}, Names: map[string]string{"u-1": "样例区民政局"}, Before: m.Before().String()}, err
}

func (d *deskOf) Export(_ context.Context, _ Person, f ExportForm) (Export, error) {
	return Export{Name: f.What + ".csv", Type: "text/csv; charset=utf-8", Write: func(_ context.Context, w io.Writer) error {
		if _, err := io.WriteString(w, "\ufeffa,b\r\n"); err != nil {
			return err
		}
		if f.Days == 13 {
			return errors.New(inside)
		}
		return nil
	}}, d.act("export %s %s %s %d %v %s %s", f.What, f.System, f.Unit, f.Days, f.Superseded, f.Month, f.Format)
}

func TestPagesOfHistory(t *testing.T) {
	h, _ := newDesk(t)
	for path, wants := range map[string][]string{
		"/console/history?system=civil-a": {"ab:00", "ab:03", "0/7", "ca.certificate.issued", "ACME 订单", "被取代", "丢失", "SM3 cd", "after=1.ab.01", `value="civil-a" selected`, "用户密钥恢复"},
		"/console/expiring?days=60":       {`value="60"`, "样例区民政局", "civil-a", "<td>20</td>", "days=60&amp;after=1.ab.01"},
		"/console/statistics":             {"2026-07", "66.6 %", "1.5", "低保", "样例区民政局", "已有证书（X5C）", "密钥失控"},
	} {
		w := h.ask(http.MethodGet, path, "", "")
		for _, want := range wants {
			if !strings.Contains(w.Body.String(), want) {
				t.Errorf("%s (%d) does not say %q", path, w.Code, want)
			}
		}
		if strings.Contains(w.Body.String(), "\u202e") {
			t.Errorf("%s shows what hides", path)
		}
	}
	for path, code := range map[string]int{
		"/console/expiring?days=x": http.StatusBadRequest, "/console/expiring?days=0": http.StatusBadRequest, "/console/expiring?days=-3": http.StatusBadRequest,
		"/console/history?after=bad": http.StatusBadRequest, "/console/statistics?month=2026-99": http.StatusBadRequest,
	} {
		if w := h.ask(http.MethodGet, path, "", ""); w.Code != code || strings.Contains(w.Body.String(), "history.error") {
			t.Errorf("%s: %d", path, w.Code)
		}
	}
}

// An export is asked for by a form, comes as a file, and one that breaks off is
// none.
func TestExports(t *testing.T) {
	h, d := newDesk(t)
	form := func(v url.Values) (string, string) { return "application/x-www-form-urlencoded", v.Encode() }
	typ, body := form(url.Values{"system": {"civil-a"}, "days": {"60"}, "superseded": {"1"}, "month": {"2026-06"}, "format": {"csv"}})
	for _, page := range []string{PageHistory, PageExpiring, PageStatistics} {
		w := h.ask(http.MethodPost, "/console/"+page+"/export", typ, body)
		if w.Code != http.StatusOK || w.Body.String() != "\ufeffa,b\r\n" || w.Header().Get("Content-Type") != "text/csv; charset=utf-8" ||
			!strings.Contains(w.Header().Get("Content-Disposition"), "attachment") {
			t.Errorf("%s: %d %q %v", page, w.Code, w.Body.String(), w.Header())
		}
		if want := fmt.Sprintf("export %s civil-a  60 true 2026-06 csv", page); d.acted[len(d.acted)-1] != want {
			t.Errorf("asked for %q, want %q", d.acted[len(d.acted)-1], want)
		}
		if w := h.ask(http.MethodGet, "/console/"+page+"/export", "", ""); w.Code == http.StatusOK {
			t.Errorf("%s leaves by an address", page)
		}
	}
	d.err = ErrForbidden
	if w := h.ask(http.MethodPost, "/console/history/export", typ, body); w.Code != http.StatusForbidden {
		t.Errorf("refused: %d", w.Code)
	}
	d.err = nil
	defer func() {
		if recover() != http.ErrAbortHandler {
			t.Error("an export that broke off looks whole")
		}
	}()
	typ, body = form(url.Values{"days": {"13"}})
	h.ask(http.MethodPost, "/console/expiring/export", typ, body)
}
