package demo

import (
	"bytes"
	"context"
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/yinxin-gov/yinxin/authz"
	"github.com/yinxin-gov/yinxin/authz/identity"
	"github.com/yinxin-gov/yinxin/authz/ledger"
	"github.com/yinxin-gov/yinxin/authz/level"
	"github.com/yinxin-gov/yinxin/authz/sharing"
	"github.com/yinxin-gov/yinxin/internal/app"
)

// The acceptance tests of decisions: each asks the running house over mTLS, as a
// system of a sample unit, and finds the answer on the exported ledger. They
// share the demo's house; what they register carries ids that begin with acc-.

// asking is one question with the reason code that must be in its answer; no
// code: permitted.
type asking struct {
	unit   string // whose system asks; "": unit A
	person string // the person for whom it asks; "": itself
	act    authz.Action
	res    string
	kind   string // of the resource; "": resource
	facts  map[string]any
	code   string
}

// given are the facts of a context: name and value in turn.
func given(pairs ...any) map[string]any {
	out := map[string]any{}
	for i := 0; i+1 < len(pairs); i += 2 {
		out[pairs[i].(string)] = pairs[i+1]
	}
	return out
}

// assist is a context with a purpose that unit A may state.
func assist(pairs ...any) map[string]any {
	return given(append([]any{"purpose", purposeAssist}, pairs...)...)
}

// decided is an answer and its record.
type decided struct {
	ID          string
	Allow       bool
	Codes       []string
	Clauses     []string // of all reasons
	Obligations []authz.Obligation
	Event       ledger.Event
}

func (d decided) obliged(kind string) string {
	for _, o := range d.Obligations {
		if o.Kind == kind {
			return o.Value
		}
	}
	return ""
}

// decides puts every question and compares answer and record with what is wanted.
func decides(t *testing.T, d *running, questions map[string]asking) map[string]decided {
	t.Helper()
	out, ids := map[string]decided{}, map[string]string{}
	for _, name := range slices.Sorted(maps.Keys(questions)) {
		q := questions[name]
		by := d.walk.agencies[or(q.unit, unitA)]
		subject := entity{"system", by.system.ID}
		if q.person != "" {
			subject = entity{"person", q.person}
		}
		raw, err := d.walk.agents[by.key].Evaluate(bg, question{subject, action{string(q.act)}, entity{or(q.kind, "resource"), q.res}, q.facts})
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		var got struct {
			Decision *bool `json:"decision"`
			Context  struct {
				ID          string             `json:"id"`
				Codes       []string           `json:"reason_codes"`
				Reasons     []authz.Reason     `json:"reasons"`
				Obligations []authz.Obligation `json:"obligations"`
			} `json:"context"`
		}
		if err := json.Unmarshal(raw, &got); err != nil || got.Decision == nil {
			t.Fatalf("%s: %v %s", name, err, raw)
		}
		if *got.Decision != (q.code == "") || q.code != "" && !slices.Contains(got.Context.Codes, q.code) {
			t.Errorf("%s: decision %t %v, want %q", name, *got.Decision, got.Context.Codes, q.code)
		}
		a := decided{ID: got.Context.ID, Allow: *got.Decision, Codes: got.Context.Codes, Obligations: got.Context.Obligations}
		for _, r := range got.Context.Reasons {
			a.Clauses = append(a.Clauses, r.Clauses...)
		}
		out[name] = a
		ids[got.Context.ID] = name
	}
	for id, ev := range recorded(t, d) {
		name, asked := ids[id]
		if !asked {
			continue
		}
		got := out[name]
		got.Event = ev
		if out[name] = got; (ev.Decision == "allow") != got.Allow || !slices.Equal(ev.Reasons, got.Codes) && len(ev.Reasons)+len(got.Codes) > 0 {
			t.Errorf("%s: the ledger says %s %v", name, ev.Decision, ev.Reasons)
		}
		delete(ids, id)
	}
	for _, name := range ids {
		t.Errorf("%s is not on the ledger", name)
	}
	return out
}

func or(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}

// recorded are the entries of the exported ledger, by id.
func recorded(t *testing.T, d *running) map[string]ledger.Event {
	t.Helper()
	var export bytes.Buffer
	ok(t, d.walk.house.ExportLedger(bg, &export))
	out := map[string]ledger.Event{}
	ok(t, ledger.Walk(&export, func(e ledger.Entry, _ ledger.Header) error {
		ev, err := ledger.Decode(e.Body)
		out[e.ID] = ev
		return err
	}))
	return out
}

// replays evaluates recorded decisions again and wants them byte for byte.
func replays(t *testing.T, d *running, all map[string]decided) {
	t.Helper()
	s, err := app.LoadSettings(d.walk.path("server"))
	ok(t, err)
	for name, a := range all {
		again, err := app.Replay(bg, app.Config{Settings: s, Dir: d.walk.path("server")}, a.ID)
		if err != nil || !again.Same || again.Decision.Allow != a.Allow {
			t.Errorf("%s: replayed %+v, %v", name, again.Differs, err)
		}
	}
}

// offered is a catalogue entry of the provider, of level 2 and free of tags, with
// changes; under the rules of 2014 it is shared on application.
func offered(t *testing.T, d *running, id string, change func(*sharing.Resource)) sharing.Resource {
	t.Helper()
	r, err := registered(d, id, change)
	ok(t, err)
	return r
}

func registered(d *running, id string, change func(*sharing.Resource)) (sharing.Resource, error) {
	p := d.walk.agencies[provider]
	r := sharing.Resource{
		ID: id, Name: "样例" + id, Provider: p.unit.USCC, Label: label(2, 2, 2), ShareType: sharing.ShareOnApplication, Regime: sharing.RegimeXicheng2014,
		Items: []string{"name", "address", "income"}, SecrecyReview: "样例保审〔2026〕3号", Basis: "样例依据", Sample: true,
	}
	if change != nil {
		change(&r)
	}
	r, _, err := d.walk.house.Sharing.RegisterResource(bg, r, d.walk.house.PersonActor(p.clerk.ID, p.unit.USCC))
	return r, err
}

// beijing is the regime of 2017 with a sharing type of its own.
func beijing(s sharing.ShareType) func(*sharing.Resource) {
	return func(r *sharing.Resource) { r.Regime, r.ShareType = sharing.RegimeBeijing2017, s }
}

// agreed is an agreement of A on r for social assistance, with changes, sealed by
// those parties (nobody named: all three) and registered.
func agreed(t *testing.T, d *running, r sharing.Resource, change func(*sharing.Agreement), parties ...string) error {
	t.Helper()
	w := d.walk
	now := time.Now().UTC().Truncate(time.Second)
	a := sharing.Agreement{
		ID: "agr-" + r.ID, Resource: r.ID, Provider: r.Provider, Consumer: w.agencies[unitA].unit.USCC, Office: w.agencies[office].unit.USCC,
		Purposes: []string{purposeAssist}, Fields: []string{"name", "address"}, NotBefore: now.Add(-time.Hour), NotAfter: now.AddDate(1, 0, 0), Sample: true,
	}
	if change != nil {
		change(&a)
	}
	a, err := sharing.Draft(a)
	ok(t, err)
	if parties == nil {
		parties = []string{provider, unitA, office}
	}
	for _, key := range parties {
		unit := w.agencies[key]
		_, _, err := w.house.Approve(bg, app.AgreementSubject(a, unit.unit.USCC, unit.clerk.ID), unit.leader.ID, unit.leader.pin, true, "")
		ok(t, err)
		s, err := w.house.SealAgreement(bg, actorOf(d, unit), a, unit.sealID)
		ok(t, err)
		if a, err = sharing.AddSeal(a, s); err != nil {
			return err
		}
	}
	_, _, err = w.house.Sharing.RegisterAgreement(context.Background(), a, actorOf(d, w.agencies[unitA]))
	return err
}

func actorOf(d *running, a *agency) ledger.Actor {
	return d.walk.house.PersonActor(a.clerk.ID, a.unit.USCC)
}

func uscc(d *running, key string) identity.USCC { return d.walk.agencies[key].unit.USCC }

// tagged gives a label of level 3 with tags.
func tagged(tags ...level.Tag) func(*sharing.Resource) {
	return func(r *sharing.Resource) {
		r.Label = level.Label{Level: 3, RequiredS: 3, RequiredA: 3, Tags: slices.Sorted(slices.Values(tags))}
	}
}

func confidential(a *sharing.Agreement) { a.Confidentiality = "样例保密协议 " + a.ID }

// holds says whether one of the words is in a text.
func holds(s string, words ...string) bool {
	return slices.ContainsFunc(words, func(w string) bool { return strings.Contains(s, w) })
}
