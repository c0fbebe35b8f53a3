package demo

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/yinxin-gov/yinxin/authz"
	"github.com/yinxin-gov/yinxin/authz/grading"
	"github.com/yinxin-gov/yinxin/authz/ledger"
	"github.com/yinxin-gov/yinxin/authz/level"
	"github.com/yinxin-gov/yinxin/internal/agent"
	"github.com/yinxin-gov/yinxin/internal/api/wire"
	"github.com/yinxin-gov/yinxin/internal/app"
)

// question is an AuthZEN access evaluation request.
type question struct {
	Subject  entity         `json:"subject"`
	Action   action         `json:"action"`
	Resource entity         `json:"resource"`
	Context  map[string]any `json:"context,omitempty"`
}

type entity struct {
	Type string `json:"type"`
	ID   string `json:"id"`
}

type action struct {
	Name string `json:"name"`
}

// answer is the part of the AuthZEN answer that the walk shows.
type answer struct {
	Decision bool `json:"decision"`
	Context  struct {
		ID      string         `json:"id"`
		Reasons []authz.Reason `json:"reasons"`
		Ledger  struct {
			Seq uint64 `json:"seq"`
		} `json:"ledger"`
	} `json:"context"`
}

// attempt is one thing that must be refused, with the code that must be among
// the reasons.
type attempt struct {
	key  string // text
	code string
	ask  func(ctx context.Context) ([]authz.Reason, ledger.Receipt, error)
}

// refusals are the eight ways to lower a level that the house refuses.
func (w *walk) refusals(ctx context.Context) error {
	w.tell.head("demo.chapter.refusals")
	low := label(2, 2, 2)
	if err := w.holdStatistics(ctx); err != nil {
		return err
	}
	holding := entity{"holding", w.transfer.Holding}
	sysA, sysOffice := w.agencies[unitA].system.ID, w.agencies[office].system.ID
	for _, a := range []attempt{
		{"demo.refusal.grade", "E12_target_system", w.sendToB},
		{"demo.refusal.relabel", "E10_label_lowered", w.evaluate(authz.ActionRelabel, holding, map[string]any{"purpose": purposeAssist, "target_label": low})},
		{"demo.refusal.derive", "E10_label_lowered", w.evaluate(authz.ActionDerive, holding, map[string]any{"purpose": purposeAssist, "target_system": sysA, "target_label": low})},
		{"demo.refusal.merge", "E10_label_lowered", w.evaluate(authz.ActionMerge, holding, map[string]any{"purpose": purposeAssist, "target_system": sysA, "target_label": low, "sources": []string{w.transfer.Holding, w.statistics}})},
		{"demo.refusal.forward", "E11_third_party", w.evaluate(authz.ActionForward, holding, map[string]any{"purpose": purposeAssist, "target_system": sysOffice})},
		{"demo.refusal.purpose", "E06_agreement.purpose", w.evaluate(authz.ActionRead, holding, map[string]any{"purpose": purposeOther})},
		{"demo.refusal.expired", "E06_agreement.expired", w.afterTheEnd},
		{"demo.refusal.regrade", "E14_regrade_below_holdings", w.regradeA},
	} {
		reasons, rc, err := a.ask(ctx)
		if err != nil {
			return fmt.Errorf("%s: %w", a.key, err)
		}
		if !hasCode(reasons, a.code) {
			return fmt.Errorf("%s: refused without %s: %v", a.key, a.code, codes(reasons))
		}
		w.tell.refused(rc, a.key, reasons)
	}
	return nil
}

var errAllowed = errors.New("it was allowed")

// evaluate asks the decision point as system A, over mTLS.
func (w *walk) evaluate(act authz.Action, res entity, facts map[string]any) func(context.Context) ([]authz.Reason, ledger.Receipt, error) {
	return func(ctx context.Context) ([]authz.Reason, ledger.Receipt, error) {
		raw, err := w.agents[unitA].Evaluate(ctx, question{Subject: entity{"system", w.agencies[unitA].system.ID}, Action: action{string(act)}, Resource: res, Context: facts})
		if err != nil {
			return nil, ledger.Receipt{}, err
		}
		var ans answer
		if err := json.Unmarshal(raw, &ans); err != nil {
			return nil, ledger.Receipt{}, err
		}
		if ans.Decision {
			return nil, ledger.Receipt{}, errAllowed
		}
		return ans.Context.Reasons, ledger.Receipt{EntryID: ans.Context.ID, Seq: ans.Context.Ledger.Seq, Promise: ledger.Integrated}, nil
	}
}

// sendToB is the real transfer to a system of level 2.
func (w *walk) sendToB(ctx context.Context) ([]authz.Reason, ledger.Receipt, error) {
	_, err := w.agents[provider].Send(ctx, wire.SendRequest{To: w.agencies[unitB].system.ID, Resource: resNotice, Purpose: purposeAssist, Name: "notice-sealed.ofd", Document: w.sealed})
	var p *agent.ProblemError
	if !errors.As(err, &p) || p.Code != "decision.denied" {
		return nil, ledger.Receipt{}, errors.Join(errAllowed, err)
	}
	if p.Seq == nil {
		return nil, ledger.Receipt{}, errors.New("the refusal does not say where it is recorded")
	}
	reasons := make([]authz.Reason, len(p.Reasons))
	for i, r := range p.Reasons {
		reasons[i] = authz.Reason(r)
	}
	return reasons, ledger.Receipt{Seq: *p.Seq, Promise: ledger.Integrated}, nil
}

// afterTheEnd waits until the short-lived agreement is over and asks then.
func (w *walk) afterTheEnd(ctx context.Context) ([]authz.Reason, ledger.Receipt, error) {
	select {
	case <-time.After(w.shortLivedEnds.Sub(w.now())):
	case <-ctx.Done():
		return nil, ledger.Receipt{}, ctx.Err()
	}
	return w.evaluate(authz.ActionRead, entity{"resource", resArchive}, map[string]any{"purpose": purposeAssist})(ctx)
}

// regradeA is the building unit's own attempt to lower its system.
func (w *walk) regradeA(ctx context.Context) ([]authz.Reason, ledger.Receipt, error) {
	a := w.agencies[unitA]
	now := w.now().UTC()
	_, _, err := w.house.Regrade(ctx, grading.Record{
		System: a.system.ID, Grade: level.Grade{S: 2, A: 2}, Reason: "样例：申请降低等级", State: grading.StateCertified, BuildingUnit: a.unit.USCC,
		Filing: filing, DecidedOn: now.Add(-time.Minute), ValidUntil: now.AddDate(1, 0, 0), Sample: true,
	}, w.house.PersonActor(a.leader.ID, a.unit.USCC))
	var denied *app.DeniedError
	if !errors.As(err, &denied) {
		return nil, ledger.Receipt{}, errors.Join(errAllowed, err)
	}
	return denied.Decision.Reasons, denied.Decision.Receipt, nil
}

// holdStatistics gives A a lower copy of its own to merge with: B sends its
// statistics, sealed by B, through the same exchange.
func (w *walk) holdStatistics(ctx context.Context) error {
	sealed, err := w.useSeal(ctx, w.agencies[unitB], w.plain, w.title)
	if err != nil {
		return err
	}
	t, err := w.agents[unitB].Send(ctx, wire.SendRequest{To: w.agencies[unitA].system.ID, Resource: resStats, Purpose: purposeAssist, Name: "statistics.ofd", Document: sealed})
	if err != nil {
		return err
	}
	got, err := w.agents[unitA].Fetch(ctx, t.ID)
	if err != nil {
		return err
	}
	if t, err = w.agents[unitA].Confirm(ctx, got); err != nil {
		return err
	}
	w.statistics = t.Holding
	w.tell.done(t.Receipt, "demo.refusal.statistics", "label", t.Label.String())
	return nil
}

func hasCode(reasons []authz.Reason, code string) bool {
	for _, r := range reasons {
		if r.Code == code {
			return true
		}
	}
	return false
}

func codes(reasons []authz.Reason) string {
	var out []string
	for _, r := range reasons {
		out = append(out, r.Code)
	}
	return strings.Join(out, " ")
}
