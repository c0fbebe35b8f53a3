package app

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/yinxin-gov/yinxin/authz/identity"
	"github.com/yinxin-gov/yinxin/authz/ledger"
	"github.com/yinxin-gov/yinxin/ca"
	"github.com/yinxin-gov/yinxin/ca/history"
	"github.com/yinxin-gov/yinxin/internal/api"
	"github.com/yinxin-gov/yinxin/internal/console"
)

// What became of a pair that was held, resumed and revoked: officers and auditors
// see it of every unit, a unit its own, a system itself; exports are recorded.
func (w *town) historiesInTheHouse(officer console.Person, sign, enc ca.Certificate) {
	w.t.Helper()
	other := w.units[0]
	leader := console.Person{ID: other.leader.ID, Unit: string(other.unit)}
	clerk := console.Person{ID: other.clerk.ID, Unit: string(other.unit)}
	list, err := w.Desk.History(bg, officer, console.HistoryForm{System: "civil-x"})
	ok(w.t, err)
	if len(list.Rows) != 2 || len(list.Units) < 2 || list.Next != "" {
		w.t.Fatalf("%+v", list)
	}
	for _, r := range list.Rows {
		var types []string
		for _, a := range r.Acts {
			types = append(types, a.Type)
		}
		// One of the pair was named in each act; both halves tell of it.
		if r.State != ca.StateRevoked || r.Why != "keyCompromise" || len(r.Holds) != 1 || r.Holders[0] != "样例ra_officer" || r.Half == "" ||
			!slices.Contains(types, "ca.certificate.held") || !slices.Contains(types, "ca.certificate.resumed") || !slices.Contains(types, "ca.certificate.revoked") {
			w.t.Errorf("%s: %+v %v", r.Kind, r, types)
		}
		if !slices.IsSortedFunc(r.Acts, func(a, b history.Act) int { return int(a.Seq) - int(b.Seq) }) {
			w.t.Error("acts are not in order of the chain")
		}
	}
	for _, p := range []console.Person{leader, clerk} {
		if _, err := w.Desk.History(bg, p, console.HistoryForm{System: "civil-x"}); !errors.Is(err, ca.ErrNotFound) && !errors.Is(err, console.ErrForbidden) {
			w.t.Errorf("another unit reads it: %v", err)
		}
		if _, err := w.Desk.Statistics(bg, p, ""); !errors.Is(err, console.ErrForbidden) {
			w.t.Errorf("figures: %v", err)
		}
	}
	if _, err := w.Desk.Expiring(bg, clerk, console.ExpiringForm{}); !errors.Is(err, console.ErrForbidden) {
		w.t.Errorf("a clerk: %v", err)
	}
	own, err := w.Desk.History(bg, leader, console.HistoryForm{Unit: w.cfg.USCC})
	ok(w.t, err)
	if len(own.Rows) == 0 || slices.ContainsFunc(own.Rows, func(r console.HistoryLine) bool { return r.Agency != string(other.unit) }) {
		w.t.Errorf("a leader sees %d certificates, or another unit's", len(own.Rows))
	}
	if _, err := w.Desk.History(bg, officer, console.HistoryForm{Unit: "=cmd()"}); !errors.Is(err, identity.ErrNotFound) {
		w.t.Errorf("a unit that nobody knows: %v", err)
	}
	w.systemReadsItself(sign, enc)
	w.monthAddsUp(officer)
	w.exports(officer, leader)
}

func (w *town) systemReadsItself(sign, enc ca.Certificate) {
	w.t.Helper()
	h, self := historian{w.History}, ledger.Actor{Kind: "system", ID: "civil-x", Unit: w.cfg.USCC}
	page, err := h.CertificatesOf(bg, self, "civil-x", "", 1)
	ok(w.t, err)
	next, err := h.CertificatesOf(bg, self, "civil-x", page.Next, 1)
	ok(w.t, err)
	serials := []string{page.Certificates[0].Serial, next.Certificates[0].Serial}
	if next.Next != "" || !slices.Contains(serials, sign.Serial) || !slices.Contains(serials, enc.Serial) || page.Certificates[0].Reason != "keyCompromise" || page.Certificates[0].Holds[0].LiftedAt == nil {
		w.t.Errorf("%+v %+v", page, next)
	}
	raw, err := json.Marshal(page)
	ok(w.t, err)
	if bytes.Contains(raw, []byte("设备丢失")) || bytes.Contains(raw, []byte("样例ra_officer")) {
		w.t.Errorf("texts and names of persons leave: %s", raw)
	}
	if _, err := h.CertificatesOf(bg, ledger.Actor{Kind: "system", ID: "civil-y"}, "civil-x", "", 1); !errors.Is(err, api.ErrCertificate) {
		w.t.Errorf("another system: %v", err)
	}
	if _, err := h.Expiring(bg, ledger.Actor{Kind: "system", ID: "civil-y"}, "civil-x", 30, false, ""); !errors.Is(err, api.ErrCertificate) {
		w.t.Errorf("another system: %v", err)
	}
	if _, err := h.CertificatesOf(bg, self, "civil-x", "x", 1); !errors.Is(err, history.ErrQuery) {
		w.t.Errorf("a bad place: %v", err)
	}
}

func (w *town) monthAddsUp(officer console.Person) {
	w.t.Helper()
	was := w.at
	w.at = w.at.AddDate(0, 0, 1)
	defer func() { w.at = was }()
	s, err := w.Desk.Statistics(bg, officer, history.MonthOf(was).String())
	ok(w.t, err)
	sum := 0
	for _, u := range s.Units {
		sum += u.Figures.InForce
	}
	// civil-x had a pair, and has none any more (西政发〔2018〕69号 art. 22).
	if s.Total.InForce != sum || s.Total.AllRevoked() != 2 || s.Total.Held != 1 || s.Coverage.Registered != 1 || s.Coverage.Connected != 0 || s.Coverage.Missing[0].ID != "civil-x" {
		w.t.Errorf("%+v", s.Report)
	}
	if s.Total.InForce != s.Total.AllIssued()-s.Total.AllRevoked()-s.Total.Expired {
		w.t.Errorf("a house of this month does not add up: %+v", s.Total)
	}
	if _, err := w.Desk.Statistics(bg, officer, "2999-01"); !errors.Is(err, history.ErrQuery) {
		w.t.Errorf("a month to come: %v", err)
	}
}

func (w *town) exports(officer, leader console.Person) {
	w.t.Helper()
	for _, f := range []console.ExportForm{
		{What: console.PageHistory, Format: "csv", HistoryForm: console.HistoryForm{System: "civil-x"}},
		{What: console.PageExpiring, Format: "csv", Days: 400, Superseded: true},
		{What: console.PageStatistics, Format: "csv"},
		{What: console.PageStatistics, Format: "json"},
	} {
		size := w.Ledger.Head().Size
		out, err := w.Desk.Export(bg, officer, f)
		ok(w.t, err)
		entries, err := w.store.Ledger().Entries(bg, 0, size, size+1)
		ok(w.t, err)
		ev, err := ledger.Decode(entries[0].Body)
		ok(w.t, err)
		if ev.Type != "console.certificates.exported" || ev.Actor.ID != officer.ID || ev.Details["list"] != f.What || ev.Details["format"] != f.Format {
			w.t.Errorf("%+v", ev)
		}
		var file bytes.Buffer
		ok(w.t, out.Write(bg, &file))
		if f.Format == "json" {
			if !json.Valid(file.Bytes()) {
				w.t.Errorf("%s", file.Bytes())
			}
			continue
		}
		rows, err := csv.NewReader(strings.NewReader(strings.TrimPrefix(file.String(), "\ufeff"))).ReadAll()
		if err != nil || len(rows) < 3 || !strings.HasPrefix(file.String(), "\ufeff") || !strings.HasSuffix(out.Name, ".csv") {
			w.t.Errorf("%s: %d rows, %v", f.What, len(rows), err)
		}
		if f.What == console.PageHistory && (len(rows) != 3 || !strings.Contains(fmt.Sprint(rows[1]), "keyCompromise")) {
			w.t.Errorf("%v", rows)
		}
	}
	for _, f := range []console.ExportForm{
		{What: console.PageHistory, Format: "csv"}, {What: "ledger", Format: "csv"}, {What: console.PageHistory, Format: "json", HistoryForm: console.HistoryForm{System: "civil-x"}},
		{What: console.PageExpiring, Format: "csv", Days: 401},
	} {
		size := w.Ledger.Head().Size
		if _, err := w.Desk.Export(bg, officer, f); err == nil || w.Ledger.Head().Size != size {
			w.t.Errorf("%+v was exported, or recorded", f)
		}
	}
	if _, err := w.Desk.Export(bg, leader, console.ExportForm{What: console.PageHistory, Format: "csv", HistoryForm: console.HistoryForm{System: "civil-x"}}); !errors.Is(err, ca.ErrNotFound) {
		w.t.Errorf("a leader of another unit exports: %v", err)
	}
}
