package exchange_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/yinxin-gov/yinxin/authz"
	"github.com/yinxin-gov/yinxin/authz/ledger"
	"github.com/yinxin-gov/yinxin/internal/exchange"
)

// 西政办发〔2014〕14号 art. 5: each line of the platform's log has a decision of this
// house that permits exactly that, and each decision one line.
func TestX14_05_ReceiptRestsOnADecision(t *testing.T) {
	w := newWorld(t)
	ask := func(q authz.Request) string {
		t.Helper()
		d, err := w.Decide(t.Context(), q)
		must(t, err)
		return d.ID
	}
	carried := authz.Request{
		SubjectType: authz.SubjectSystem, SubjectID: sys(2), Action: authz.ActionCopy, Resource: "population", Purpose: "relief", Carriers: []string{sys(4)},
	}
	w.decide = func(*world, authz.Request) []string { return nil }
	id := ask(carried)
	other := carried
	other.Carriers = nil
	foreign := ask(other)
	own := ask(authz.Request{SubjectType: authz.SubjectSystem, SubjectID: sys(4), Action: authz.ActionPublish, Resource: "population", Purpose: "relief"})
	w.decide = func(*world, authz.Request) []string { return []string{"E05_not_shared"} }
	refused := ask(carried)
	platform := ledger.Actor{Kind: authz.SubjectSystem, ID: sys(4)}
	good := exchange.Confirmation{
		Decision: id, Action: authz.ActionCopy, Resource: "population", Target: sys(2), Purpose: "relief", Document: strings.Repeat("ab", 32), Log: "20260701-1", At: w.now,
	}
	for name, c := range map[string]struct {
		spoil func(*exchange.Confirmation)
		actor ledger.Actor
		want  error
	}{
		"no decision":         {spoil: func(c *exchange.Confirmation) { c.Decision = "none" }, want: exchange.ErrUndecided},
		"a refusal":           {spoil: func(c *exchange.Confirmation) { c.Decision = refused }, want: exchange.ErrUndecided},
		"given to others":     {spoil: func(c *exchange.Confirmation) { c.Decision = foreign }, want: exchange.ErrUndecided},
		"another platform":    {actor: ledger.Actor{Kind: authz.SubjectSystem, ID: sys(3)}, want: exchange.ErrUndecided},
		"a person":            {actor: ledger.Actor{Kind: "person", ID: sys(4)}, want: exchange.ErrSender},
		"another action":      {spoil: func(c *exchange.Confirmation) { c.Action = authz.ActionForward }, want: exchange.ErrUndecided},
		"another resource":    {spoil: func(c *exchange.Confirmation) { c.Resource = "else" }, want: exchange.ErrUndecided},
		"another target":      {spoil: func(c *exchange.Confirmation) { c.Target = sys(3) }, want: exchange.ErrUndecided},
		"another purpose":     {spoil: func(c *exchange.Confirmation) { c.Purpose = "else" }, want: exchange.ErrUndecided},
		"before the decision": {spoil: func(c *exchange.Confirmation) { c.At = w.now.Add(-time.Hour) }, want: exchange.ErrUndecided},
		"in the future":       {spoil: func(c *exchange.Confirmation) { c.At = w.now.Add(time.Hour) }, want: exchange.ErrUndecided},
		"no digest":           {spoil: func(c *exchange.Confirmation) { c.Document = strings.Repeat("xy", 32) }, want: exchange.ErrConfirm},
		"digest in capitals":  {spoil: func(c *exchange.Confirmation) { c.Document = strings.Repeat("AB", 32) }, want: exchange.ErrConfirm},
		"no line of the log":  {spoil: func(c *exchange.Confirmation) { c.Log = "" }, want: exchange.ErrConfirm},
		"a line that turns":   {spoil: func(c *exchange.Confirmation) { c.Log = "1\u202e" }, want: exchange.ErrConfirm},
		"no time":             {spoil: func(c *exchange.Confirmation) { c.At = time.Time{} }, want: exchange.ErrConfirm},
	} {
		bad, actor := good, c.actor
		if c.spoil != nil {
			c.spoil(&bad)
		}
		if actor.ID == "" {
			actor = platform
		}
		if _, _, err := w.svc.Confirm(t.Context(), actor, bad); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
	if len(w.said) != 0 {
		t.Fatalf("%d confirmations", len(w.said))
	}
	_, rcpt, err := w.svc.Confirm(t.Context(), platform, good)
	must(t, err)
	if rcpt.Promise != ledger.Integrated {
		t.Errorf("%+v", rcpt)
	}
	_, _, err = w.svc.Confirm(t.Context(), platform, good) // the answer was lost
	must(t, err)
	again := good
	again.Log = "20260701-2"
	if _, _, err = w.svc.Confirm(t.Context(), platform, again); !errors.Is(err, exchange.ErrConfirmed) {
		t.Errorf("a second fetch on one decision: %v", err)
	}
	public := good
	public.Decision, public.Action, public.Target = own, authz.ActionPublish, ""
	_, _, err = w.svc.Confirm(t.Context(), platform, public)
	must(t, err)
	late := good
	w.now = w.now.Add(25 * time.Hour)
	late.At, late.Decision = w.now, foreign
	if _, _, err = w.svc.Confirm(t.Context(), ledger.Actor{Kind: authz.SubjectSystem, ID: sys(2)}, late); !errors.Is(err, exchange.ErrUndecided) {
		t.Errorf("a day late: %v", err)
	}
}
