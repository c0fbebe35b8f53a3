package store_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/yinxin-gov/yinxin/ca"
	"github.com/yinxin-gov/yinxin/ca/history"
	"github.com/yinxin-gov/yinxin/internal/store"
)

// registered fills a registry behind the store's back: so many certificates of
// 500 systems in 50 units over five years, of 90 days each, renewed in time; the
// newest of each line is in force at end.
func registered(tb testing.TB, s *store.Store, n int) (end time.Time) {
	tb.Helper()
	const systems = 500
	begin := time.Date(2021, 11, 1, 0, 0, 0, 0, time.UTC)
	rounds := n / systems
	step := 5 * 365 * 24 * time.Hour / time.Duration(rounds)
	life := max(90*24*time.Hour, step*5/4)
	for r := 0; r < rounds; r += 20 {
		var certs, lines []string
		for k := r; k < min(r+20, rounds); k++ {
			at := begin.Add(time.Duration(k) * step)
			for y := range systems {
				made := at.Add(time.Duration(y) * time.Minute)
				state, revoked := "'good', 0", "NULL"
				if (k+y)%20 == 0 {
					state, revoked = "'revoked', 4", stamp(made.Add(24*time.Hour))
				}
				certs = append(certs, fmt.Sprintf("('i', '%06x%04x', 'ecdsa', '', 'unit-%02d', 'sys-%03d', '', 'r-%03d', 'CN=x', '00', x'01', %s, %s, %s, %s, %s)",
					k, y, y%50, y, y, state, stamp(made), stamp(made.Add(life)), revoked, stamp(made)))
				previous := ""
				if k > 0 {
					previous = fmt.Sprintf("i:%06x%04x", k-1, y)
				}
				lines = append(lines, fmt.Sprintf("('i', '%06x%04x', 'line-%03d', 'renewal', '', '%s', '[]', %s)", k, y, y, previous, stamp(made)))
			}
		}
		columns := "issuer, serial, kind, pair, agency, system, person, request, subject, tbs_sm3, der, state, reason, not_before, not_after, revoked_at, created_at"
		rows := strings.Join(certs, ",")
		if strings.HasPrefix(s.Dialect(), "p") {
			rows = strings.ReplaceAll(rows, "x'01'", `'\x01'`)
		}
		ok(tb, s.Exec(bg, "INSERT INTO ca_certificate ("+columns+") VALUES "+rows))
		ok(tb, s.Exec(bg, "INSERT INTO ca_lineage (issuer, serial, line, way, ref, previous, names, created_at) VALUES "+strings.Join(lines, ",")))
	}
	var requests []string
	for y := range systems {
		requests = append(requests, fmt.Sprintf("('r-%03d', 'unit-%02d', 'sys-%03d', 'x', 'x', '[]', 'p', 'issued', 'q', 'a', '', %s)", y, y%50, y, stamp(begin)))
	}
	ok(tb, s.Exec(bg, "INSERT INTO ca_request (id, agency, system, common_name, organization, hosts, submitted_by, state, decided_by, approval, reason, created_at) VALUES "+strings.Join(requests, ",")))
	ok(tb, s.Exec(bg, "INSERT INTO ca_request_settled (request, state, settled_at) SELECT id, 'approved', created_at FROM ca_request"))
	if s.Dialect() == "pg" {
		ok(tb, s.Exec(bg, "VACUUM ANALYZE"))
	} // SQLite has no statistics in a house either
	return begin.Add(5 * 365 * 24 * time.Hour)
}

func stamp(t time.Time) string { return t.UTC().Format("'2006-01-02 15:04:05+00:00'") }

// questions are what the pages, the API and the notices ask.
func questions(s *store.Store, end time.Time) map[string]func() (int, error) {
	rooms := s.Rooms(nil)
	svc, err := history.New(history.Config{
		Trails: rooms.CA, Rooms: rooms.CA, Recoveries: rooms.KMC, Ledger: s.Ledger(), Ends: rooms.CA, Counts: rooms.CA, Now: func() time.Time { return end },
	})
	if err != nil {
		panic(err)
	}
	middle := history.Cursor{At: end.AddDate(-2, 0, 0), Issuer: "i", Serial: "000001"}
	trail := func(q history.Query) func() (int, error) {
		return func() (int, error) { l, err := rooms.CA.Trail(bg, q); return len(l), err }
	}
	return map[string]func() (int, error){
		"a system":             trail(history.Query{System: "sys-077", Limit: 21}),
		"a system, further on": trail(history.Query{System: "sys-077", Limit: 21, After: middle}),
		"a unit":               trail(history.Query{Agency: "unit-07", Limit: 21}),
		"a unit, further on":   trail(history.Query{Agency: "unit-07", Limit: 21, After: middle}),
		"the other half": func() (int, error) {
			r, err := rooms.CA.Half(bg, ca.Certificate{System: "sys-077", Pair: "p"})
			return len(r.Serial), err
		},
		"what ends in 30 days": func() (int, error) { p, err := svc.Ending(bg, history.ExpiringQuery{}); return len(p.Entries), err },
		"for notices":          func() (int, error) { l, err := svc.Expiring(bg, 30*24*time.Hour); return len(l), err },
		"a month long ago": func() (int, error) {
			r, err := svc.Monthly(bg, history.Month{Year: 2023, Month: 5})
			return r.Total.InForce, err
		},
		"this month": func() (int, error) { r, err := svc.Monthly(bg, history.MonthOf(end)); return r.Total.InForce, err },
	}
}

// Every question to the history finds its rows by an index: its cost hangs on
// what it shows, not on how many certificates there ever were.
func TestHistoryGoesByIndexes(t *testing.T) {
	onEngines(t, func(t *testing.T, s *store.Store) {
		end := registered(t, s, 20_000)
		var heard []string
		s.Overhear(func(q string) { heard = append(heard, q) })
		for what, ask := range questions(s, end) {
			heard = nil
			_, err := ask()
			ok(t, err)
			if len(heard) == 0 {
				t.Fatalf("%s: no statement was heard", what)
			}
			for _, q := range heard[:len(heard):len(heard)] {
				plan, err := s.Plan(bg, q)
				ok(t, err)
				for _, line := range plan {
					whole := strings.Contains(line, "Seq Scan on ca_") || strings.HasPrefix(line, "SCAN ")
					if whole && !strings.Contains(q, "identity_system") {
						t.Errorf("%s:\n%s\n%s", what, q, strings.Join(plan, "\n"))
						break
					}
				}
			}
		}
	})
}

// BenchmarkHistory asks at 200,000 certificates; milliseconds a question.
func BenchmarkHistory(b *testing.B) {
	for name, address := range engines {
		b.Run(name, func(b *testing.B) {
			s := open(b, migrated(b, address(b)))
			end := registered(b, s, 200_000)
			for what, ask := range questions(s, end) {
				b.Run(what, func(b *testing.B) {
					n := 0
					for b.Loop() {
						var err error
						n, err = ask()
						ok(b, err)
					}
					b.ReportMetric(float64(b.Elapsed().Microseconds())/1000/float64(b.N), "ms/question")
					b.ReportMetric(float64(n), "rows")
				})
			}
		})
	}
}
