package ra

import (
	"cmp"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/emmansun/gmsm/sm3"

	"github.com/yinxin-gov/yinxin/authz/ledger"
	"github.com/yinxin-gov/yinxin/ca"
)

// Outcome says what an import does with a line.
type Outcome string

// Outcomes of a line.
const (
	OutcomeNew   Outcome = "new"
	OutcomeThere Outcome = "there" // the same request is open already
	OutcomeBad   Outcome = "bad"
)

// PlannedLine is one line of a dry run.
type PlannedLine struct {
	Row
	Outcome  Outcome   `json:"outcome"`
	Problems []Problem `json:"problems,omitempty"`
}

// Plan is a dry run: what an import would do.
type Plan struct {
	Lines []PlannedLine `json:"lines"`
	Bad   []Problem     `json:"problems,omitempty"` // of the file, and of lines that do not read
	New   int           `json:"new"`
	There int           `json:"there"`
}

// Ready: nothing is wrong, and there is something to do.
func (p Plan) Ready() bool { return len(p.Bad) == 0 && p.New > 0 }

// Plan reads an import and asks the registers about every line. Nothing changes.
func (s *Service) Plan(ctx context.Context, actor ledger.Actor, data []byte) (Plan, error) {
	rows, bad := ParseCSV(data)
	p := Plan{Bad: bad}
	if len(rows) == 0 {
		return p, nil
	}
	open, err := s.open(ctx, rows)
	if err != nil {
		return Plan{}, err
	}
	for _, row := range rows {
		l := PlannedLine{Row: row, Outcome: OutcomeNew}
		_, err := s.fresh(ctx, actor, row.Request)
		problem, known := about(row, err)
		switch {
		case err != nil && !known:
			return Plan{}, fmt.Errorf("line %d: %w", row.Line, err)
		case err != nil:
			l.Outcome, l.Problems = OutcomeBad, []Problem{problem}
			p.Bad = append(p.Bad, problem)
		case open[ca.OpenKey(row.Request)]:
			l.Outcome = OutcomeThere
			p.There++
		default:
			p.New++
		}
		p.Lines = append(p.Lines, l)
	}
	slices.SortStableFunc(p.Bad, func(a, b Problem) int { return cmp.Compare(a.Line, b.Line) })
	return p, nil
}

// about turns the refusal of a request into the problem of its line.
func about(row Row, err error) (Problem, bool) {
	p := Problem{Line: row.Line}
	switch {
	case errors.Is(err, ca.ErrNotFound):
		p.Column, p.Code, p.Value = "system", codeSystem, row.Request.System
	case errors.Is(err, errOtherAgency):
		p.Column, p.Code, p.Value = "agency", codeAgency, row.Request.Agency
	case errors.Is(err, ErrApplicant):
		p.Column, p.Code, p.Value = "agency", codeApplicant, row.Request.Agency
	case errors.Is(err, errName):
		p.Column, p.Code, p.Value = "organization", codeName, row.Request.Organization
	case errors.Is(err, ca.ErrHost), errors.Is(err, ca.ErrInvalid):
		p.Column, p.Code = "hosts", codeHost
	default:
		return p, false
	}
	return p, true
}

// open finds which of the rows' requests wait for their decision.
func (s *Service) open(ctx context.Context, rows []Row) (map[string]bool, error) {
	out, asked := map[string]bool{}, map[string]bool{}
	for _, row := range rows {
		if asked[row.Request.Agency] {
			continue
		}
		asked[row.Request.Agency] = true
		waiting, err := s.cfg.Requests.Requests(ctx, Query{
			Agency: row.Request.Agency, States: []ca.RequestState{ca.RequestSubmitted, ca.RequestReviewed}, Limit: maxOpen,
		})
		if err != nil {
			return nil, fmt.Errorf("ra: open requests: %w", err)
		}
		for _, r := range waiting {
			out[ca.OpenKey(r)] = true
		}
	}
	return out, nil
}

// maxOpen bounds the open requests that are looked at; beyond it the store's own
// guard still refuses a second one.
const maxOpen = 20_000

// Imported is what an import did.
type Imported struct {
	Batch    string
	Requests []ca.Request
	There    int
	Receipt  ledger.Receipt
}

// idsTogether is how many ids stand in one detail of the event: MaxLines of them
// stay below what an event may hold.
const idsTogether = 40

// Import submits the requests of a file: all of them in one transaction, with
// one event that names each, over their digests in that order, or none. ErrImport when a line does not fit:
// Plan says which. Repeated, it adds nothing.
func (s *Service) Import(ctx context.Context, actor ledger.Actor, data []byte) (Imported, error) {
	p, err := s.Plan(ctx, actor, data)
	switch {
	case err != nil:
		return Imported{}, err
	case len(p.Bad) > 0:
		return Imported{}, fmt.Errorf("%w: %d of them", ErrImport, len(p.Bad))
	}
	out := Imported{Batch: s.cfg.NewID(), There: p.There}
	sum := sm3.New()
	for _, l := range p.Lines {
		if l.Outcome != OutcomeNew {
			continue
		}
		r, err := s.fresh(ctx, actor, l.Request)
		if err != nil {
			return Imported{}, fmt.Errorf("line %d: %w", l.Line, err)
		}
		r.Batch = out.Batch
		out.Requests = append(out.Requests, r)
		sum.Write([]byte(ca.RequestDigest(r)))
	}
	if len(out.Requests) == 0 {
		return out, nil
	}
	details := map[string]string{"requests": strconv.Itoa(len(out.Requests)), "there": strconv.Itoa(p.There)}
	for i := 0; i < len(out.Requests); i += idsTogether {
		var ids []string
		for _, r := range out.Requests[i:min(i+idsTogether, len(out.Requests))] {
			ids = append(ids, r.ID)
		}
		details[fmt.Sprintf("ids_%02d", i/idsTogether+1)] = strings.Join(ids, " ")
	}
	ev := ledger.Event{
		ID: s.cfg.NewID(), Type: "ca.requests.imported", Class: ledger.ClassCertificate, Time: s.cfg.Now().UTC().Truncate(time.Millisecond), Actor: actor,
		Object: ledger.Object{Kind: "certificate_request_batch", ID: out.Batch}, Outcome: ledger.Success, Payload: hex.EncodeToString(sum.Sum(nil)),
		Details: details,
	}
	if out.Receipt, err = s.cfg.Requests.AddRequests(ctx, out.Requests, ev); err != nil {
		return Imported{}, fmt.Errorf("ra: import requests: %w", err)
	}
	return out, nil
}
