package desk

import (
	"context"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/yinxin-gov/yinxin/authz/ledger"
	"github.com/yinxin-gov/yinxin/ca"
	"github.com/yinxin-gov/yinxin/ca/history"
	"github.com/yinxin-gov/yinxin/internal/console"
)

// exportPage is how many certificates stand in memory while a sheet is written.
const exportPage = 100

// Export implements console.Histories. The act is on the ledger before a byte
// leaves: who, what, of whom.
func (d *Service) Export(ctx context.Context, p console.Person, f console.ExportForm) (console.Export, error) {
	out := console.Export{Name: f.What + ".csv", Type: "text/csv; charset=utf-8"}
	object, details := ledger.Object{Kind: "certificates", ID: "all"}, map[string]string{"list": f.What, "format": f.Format}
	switch f.What {
	case console.PageHistory:
		q, err := d.exported(ctx, p, f.HistoryForm)
		if err != nil {
			return console.Export{}, err
		}
		if object = (ledger.Object{Kind: "system", ID: q.System}); q.System == "" {
			object = ledger.Object{Kind: "agency", ID: q.Agency}
		}
		out.Write = func(ctx context.Context, w io.Writer) error { return d.historySheet(ctx, w, q) }
	case console.PageExpiring:
		q, err := d.ends(ctx, p, console.ExpiringForm{Days: f.Days, Superseded: f.Superseded})
		if err != nil {
			return console.Export{}, err
		}
		if q.Days < 1 || q.Days > history.MaxDays {
			return console.Export{}, history.ErrQuery
		}
		if q.Agency != "" {
			object = ledger.Object{Kind: "agency", ID: q.Agency}
		}
		details["days"], details["superseded"] = strconv.Itoa(q.Days), strconv.FormatBool(q.Superseded)
		out.Write = func(ctx context.Context, w io.Writer) error { return d.expiringSheet(ctx, w, q) }
	case console.PageStatistics:
		s, err := d.Statistics(ctx, p, f.Month)
		if err != nil {
			return console.Export{}, err
		}
		details["month"] = s.Month.String()
		out.Name = f.What + "-" + s.Month.String() + ".csv"
		out.Write = func(_ context.Context, w io.Writer) error { return d.statisticsSheet(w, s) }
		if f.Format == "json" {
			out.Name, out.Type = f.What+"-"+s.Month.String()+".json", "application/json"
			out.Write = func(_ context.Context, w io.Writer) error { return s.JSON(w) }
		}
	default:
		return console.Export{}, console.ErrForm
	}
	if f.Format != "csv" && (f.Format != "json" || f.What != console.PageStatistics) {
		return console.Export{}, console.ErrForm
	}
	_, err := d.cfg.Ledger.Append(ctx, ledger.Event{
		ID: d.cfg.NewID(), Type: "console.certificates.exported", Class: ledger.ClassAccess, Time: d.now(), Actor: d.actor(p),
		Object: object, Action: "export", Outcome: ledger.Success, Details: details,
	})
	if err != nil {
		return console.Export{}, fmt.Errorf("desk: record an export: %w", err)
	}
	return out, nil
}

func (d *Service) exported(ctx context.Context, p console.Person, f console.HistoryForm) (history.Query, error) {
	unit, err := d.scope(ctx, p)
	if err != nil {
		return history.Query{}, err
	}
	var list console.HistoryList
	if err := d.choices(ctx, &list, unit); err != nil {
		return history.Query{}, err
	}
	q, err := question(console.HistoryForm{System: f.System, Unit: f.Unit}, unit, list)
	if err == nil && q.System == "" && q.Agency == "" {
		err = console.ErrForm
	}
	q.Limit = exportPage
	return q, err
}

// heads are the columns of a sheet, in both languages.
func (d *Service) heads(keys ...string) []string {
	out := make([]string, len(keys))
	for i, k := range keys {
		t := d.cfg.Words.Get(k)
		out[i] = t.Zh + " " + t.En
	}
	return out
}

func wall(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.In(time.FixedZone("UTC+8", 8*3600)).Format("2006-01-02 15:04:05")
}

func (d *Service) historySheet(ctx context.Context, w io.Writer, q history.Query) error {
	sheet, err := history.NewSheet(w, d.heads(
		"history.sheet.issuer", "desk.systems.serial", "history.sheet.kind", "history.page.unit", "history.sheet.system", "history.sheet.person", "desk.systems.subject",
		"history.sheet.not_before", "history.sheet.not_after", "history.sheet.state", "history.sheet.reason", "history.sheet.at",
		"history.page.way", "history.sheet.ref", "history.page.follows", "history.page.followed", "history.page.half", "history.page.request",
		"history.sheet.applicant", "history.sheet.checker", "history.sheet.decider", "history.sheet.evidence",
		"history.sheet.holds", "history.page.escrow", "history.sheet.recoveries", "history.sheet.entries")...)
	if err != nil {
		return err
	}
	for {
		page, err := d.cfg.History.Of(ctx, q)
		if err != nil {
			return err
		}
		n := naming{d: d, names: map[string]string{}}
		for _, e := range page.Entries {
			l, err := n.line(ctx, e)
			if err != nil {
				return err
			}
			if err := sheet.Row(d.cells(l)...); err != nil {
				return err
			}
		}
		if q.After = page.Next; q.After == (history.Cursor{}) {
			return nil
		}
	}
}

func (d *Service) cells(l console.HistoryLine) []string {
	var digests, entries []string
	if l.Request != nil {
		for _, e := range l.Request.Evidence {
			if e.Digest != "" && e.Salt == "" { // a salted one is of a person's number
				digests = append(digests, e.Digest)
			}
		}
	}
	for _, a := range l.Acts {
		entries = append(entries, fmt.Sprintf("%d/%d", a.Shard, a.Seq))
	}
	state := "unsigned"
	if l.Issued {
		state = string(l.State)
	}
	return []string{
		l.Issuer, l.Serial, string(l.Kind), l.Agency, l.System, l.Person, l.Subject, wall(l.NotBefore), wall(l.NotAfter), state, l.Why, wall(l.RevokedAt),
		string(l.Origin.Way), l.Origin.Ref, l.Origin.Previous, strings.Join(l.Followed, " "), l.Half, l.Certificate.Request,
		l.Applicant, l.Checker, l.Decider, strings.Join(digests, " "),
		strconv.Itoa(len(l.Holds)), wall(l.Escrowed), strconv.Itoa(len(l.Recoveries)), strings.Join(entries, " "),
	}
}

func (d *Service) expiringSheet(ctx context.Context, w io.Writer, q history.ExpiringQuery) error {
	sheet, err := history.NewSheet(w, d.heads("history.sheet.not_after", "history.expiring.left", "history.sheet.code", "history.page.unit", "history.sheet.kind",
		"history.expiring.whose", "desk.systems.subject", "history.sheet.issuer", "desk.systems.serial", "history.expiring.has")...)
	if err != nil {
		return err
	}
	q.Limit = exportPage
	n := naming{d: d, names: map[string]string{}}
	for {
		page, err := d.cfg.History.Ending(ctx, q)
		if err != nil {
			return err
		}
		for _, e := range page.Entries {
			l, err := n.ending(ctx, e)
			if err != nil {
				return err
			}
			err = sheet.Row(wall(l.NotAfter), strconv.Itoa(l.Left), l.Agency, l.Unit, string(l.Kind), l.Whose, l.Subject, l.Issuer, l.Serial, strconv.FormatBool(l.Superseded))
			if err != nil {
				return err
			}
		}
		if q.After = page.Next; q.After == (history.Cursor{}) {
			return nil
		}
	}
}

// statisticsSheet has a line for each number, so that a spreadsheet can turn it.
func (d *Service) statisticsSheet(w io.Writer, s console.Statistics) error {
	sheet, err := history.NewSheet(w, d.heads("history.stat.month", "history.sheet.code", "history.page.unit", "history.sheet.item", "history.sheet.detail", "history.sheet.count")...)
	if err != nil {
		return err
	}
	for _, u := range append([]history.Unit{{Figures: s.Total, Coverage: s.Coverage}}, s.Units...) {
		name := s.Name(u.Agency)
		if u.Agency == "" && name == "" {
			name = d.cfg.Words.Get("history.stat.total").Zh
		}
		for _, l := range statisticsLines(u) {
			item := l.item
			t := d.cfg.Words.Get("history.stat." + item)
			if err := sheet.Row(s.Month.String(), u.Agency, name, t.Zh+" "+t.En, l.detail, l.count); err != nil {
				return err
			}
		}
	}
	return nil
}

type statisticsLine struct{ item, detail, count string }

func statisticsLines(u history.Unit) (out []statisticsLine) {
	f, c := u.Figures, u.Coverage
	add := func(item, detail string, n int) {
		out = append(out, statisticsLine{item, detail, strconv.Itoa(n)})
	}
	add("requests", "", f.Requests)
	add("approved", "", f.Approved)
	add("refused", "", f.Refused)
	add("withdrawn", "", f.Withdrawn)
	for _, i := range f.Issued {
		add("issued", i.Track()+" "+string(i.Kind)+" "+string(i.Way), i.Count)
	}
	add("renewed", "", f.Renewed)
	for _, r := range f.Revoked {
		add("revoked", ca.ReasonName(r.Reason), r.Count)
	}
	add("late", "", f.Late)
	add("expired", "", f.Expired)
	add("held", "", f.Held)
	add("in_force", "", f.InForce)
	add("recoveries", "", f.Recoveries)
	if f.First > 0 {
		out = append(out, statisticsLine{"waited", strconv.Itoa(f.First), strconv.FormatFloat(f.Waited.Hours(), 'f', 2, 64)})
	}
	add("registered", "", c.Registered)
	add("connected", "", c.Connected)
	add("both", "", c.Both)
	for _, m := range c.Missing {
		add("missing", m.ID+" "+m.Name, 1)
	}
	return out
}
