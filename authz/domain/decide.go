package domain

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/yinxin-gov/yinxin/authz/ledger"
	"github.com/yinxin-gov/yinxin/authz/sandbox"
)

// EventDecision and EventSearch are the types of the entries of questions.
const (
	EventDecision = "authz.domain.decided"
	EventSearch   = "authz.domain.searched"
)

// Codes of denials; their texts stand in the table of policies.
const (
	CodeDenied = "E93_domain_denied"
	CodeInput  = "E94_domain_input" // the question is none that the domain declared
	CodeError  = "E95_domain_error" // no answer: time, memory, a crash, or a value that is neither true nor false
)

// Reason is one ground of a denial.
type Reason struct{ Code, Detail string }

// Decision is the answer. Allow is true only when the policy said exactly true.
type Decision struct {
	ID      string
	Allow   bool
	Reasons []Reason
	Engine  string // digests: the evaluator, the bundle, and what was evaluated ("": nothing)
	Bundle  string
	Input   string
	At      time.Time
	Receipt ledger.Receipt
}

// weighed is a question with what came of it.
type weighed struct {
	input []byte
	allow bool
	why   *Reason // nil: permitted
	fails bool    // the domain failed
}

// Decide answers a question; the answer is on the ledger before it is returned. An
// error never comes with Allow.
func (d *Domain) Decide(ctx context.Context, q Question) (Decision, error) {
	s := d.service
	out := Decision{ID: s.cfg.NewID(), At: s.now(), Engine: s.engine, Bundle: d.Digest}
	w := d.weigh(ctx, q, out.At)
	out.conclude(w)
	if out.Input != "" {
		if err := s.cfg.Archive.Keep(ctx, map[string][]byte{out.Input: w.input}); err != nil {
			return out.refused(), fmt.Errorf("%w: %w", ErrRecord, err)
		}
	}
	rc, err := s.cfg.Recorder.Record(ctx, out.event(d.Version, q))
	if errors.Is(err, ledger.ErrInvalidEvent) { // text that no auditor could read: nothing of it is written
		out.conclude(weighed{why: &Reason{CodeInput, "text that may not be written"}})
		rc, err = s.cfg.Recorder.Record(ctx, out.event(d.Version, Question{Caller: q.Caller}))
	}
	if err != nil {
		return out.refused(), fmt.Errorf("%w: %w", ErrRecord, err)
	}
	out.Receipt = rc
	return out, nil
}

func (d *Domain) weigh(ctx context.Context, q Question, now time.Time) (w weighed) {
	in, err := d.bundle.input(q, now)
	var no misfit
	if errors.As(err, &no) {
		return weighed{why: &Reason{CodeInput, string(no)}}
	}
	if err != nil {
		return weighed{why: &Reason{CodeError, "input"}, fails: true}
	}
	w.input = in
	results, err := d.eval(ctx, in)
	if errors.Is(err, sandbox.ErrClosed) { // ended for another one while this waited
		results, err = d.eval(ctx, in)
	}
	if err != nil {
		w.why, w.fails = &Reason{CodeError, cause(err)}, true
		return w
	}
	return w.read(results)
}

func (d *Domain) eval(ctx context.Context, in []byte) (map[string]json.RawMessage, error) {
	run, err := d.runner()
	if err != nil {
		return nil, err
	}
	return run.Eval(ctx, in)
}

// read turns what the policy answered into permit or denial.
func (w weighed) read(results map[string]json.RawMessage) weighed {
	allow, why, ok := verdict(results)
	switch {
	case !ok:
		w.why, w.fails = &Reason{CodeError, "type"}, true
	case !allow:
		w.why = &Reason{CodeDenied, said(why)}
	default:
		w.allow = true
	}
	return w
}

// cause names a failure in one word: an evaluator's message may quote the question.
func cause(err error) string {
	for word, is := range map[string]error{"resting": sandbox.ErrResting, "busy": sandbox.ErrBusy} {
		if errors.Is(err, is) {
			return word
		}
	}
	for word, is := range map[string]error{
		"time": sandbox.ErrTime, "memory": sandbox.ErrMemory, "crash": sandbox.ErrCrashed, "size": sandbox.ErrSize, "platform": sandbox.ErrPlatform,
	} {
		if errors.Is(err, is) {
			return word
		}
	}
	return "evaluation"
}

func (d *Decision) conclude(w weighed) {
	d.Allow, d.Reasons, d.Input = w.allow && w.why == nil, nil, ""
	if w.why != nil {
		d.Reasons = []Reason{*w.why}
	}
	if w.input != nil {
		d.Input = sum(w.input)
	}
}

func (d Decision) refused() Decision {
	d.Allow, d.Reasons = false, append(d.Reasons, Reason{CodeError, "ledger"})
	return d
}

// maxDetail bounds a reason's detail in an entry.
const maxDetail = 2048

// event is the record: who asked what, the answer, and the digests that a replay
// needs. Properties stand in the archived input only.
func (d Decision) event(v Version, q Question) ledger.Event {
	ev := ledger.Event{
		ID: d.ID, Type: EventDecision, Class: ledger.ClassAccess, Time: d.At, Actor: q.Caller,
		Object: ledger.Object{Kind: "app_domain", ID: v.ID}, Action: q.Action, Outcome: ledger.Failure, Decision: "deny", Request: q.ID, Policy: v.Digest,
		Details: map[string]string{"domain": v.Domain, "engine": d.Engine},
	}
	for name, value := range map[string]string{
		"subject_type": q.SubjectType, "subject": q.Subject, "resource_type": q.ResourceType, "resource": q.Resource, "input_sm3": d.Input,
	} {
		if value != "" {
			ev.Details[name] = value
		}
	}
	if ev.Request == "" {
		ev.Request = d.ID
	}
	if d.Allow {
		ev.Outcome, ev.Decision = ledger.Success, "allow"
	}
	for _, r := range d.Reasons {
		ev.Reasons = append(ev.Reasons, r.Code)
		if r.Detail != "" {
			ev.Details["reason_details"] = strings.ToValidUTF8(r.Detail[:min(len(r.Detail), maxDetail)], "")
		}
	}
	return ev
}
