package sharing_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/yinxin-gov/yinxin/authz/identity"
	"github.com/yinxin-gov/yinxin/authz/ledger"
	"github.com/yinxin-gov/yinxin/authz/level"
	"github.com/yinxin-gov/yinxin/authz/sharing"
)

func TestNewRefusesIncompleteConfig(t *testing.T) {
	if _, err := sharing.New(sharing.Config{}); err == nil {
		t.Error("no error")
	}
}

func TestRegisterResource(t *testing.T) {
	for name, c := range map[string]struct {
		edit func(*sharing.Resource)
		want error
	}{
		"as it should be":                  {func(*sharing.Resource) {}, nil},
		"X14-16 no secrecy review":         {func(r *sharing.Resource) { r.SecrecyReview = " " }, sharing.ErrBasis},
		"X14-24b on application, no basis": {func(r *sharing.Resource) { r.Basis = "" }, sharing.ErrBasis},
		"X14 proactive needs no basis":     {func(r *sharing.Resource) { r.ShareType, r.Basis = sharing.ShareProactive, "" }, nil},
		"BJ17-16 not shared, no basis": {func(r *sharing.Resource) {
			r.Regime, r.ShareType, r.Basis = sharing.RegimeBeijing2017, sharing.ShareNotShared, ""
		}, sharing.ErrBasis},
		"BJ17-16 not shared with a basis":  {func(r *sharing.Resource) { r.Regime, r.ShareType = sharing.RegimeBeijing2017, sharing.ShareNotShared }, nil},
		"BJ17-16 a type of another regime": {func(r *sharing.Resource) { r.Regime = sharing.RegimeBeijing2017 }, sharing.ErrInvalid},
		"unknown regime":                   {func(r *sharing.Resource) { r.Regime = "mars-2030" }, sharing.ErrInvalid},
		"XA18-31 state secret as a tag":    {func(r *sharing.Resource) { r.Label.Tags = []level.Tag{"机密"} }, level.ErrStateSecret},
		"XA18-31 a mark in the name":       {func(r *sharing.Resource) { r.Name = "机密★十年 名单" }, level.ErrStateSecret},
		"XA18-31 a level as an item":       {func(r *sharing.Resource) { r.Items = []string{"绝密"} }, level.ErrStateSecret},
		"label outside the scale":          {func(r *sharing.Resource) { r.Label.Level = 5 }, level.ErrInvalid},
		"no label":                         {func(r *sharing.Resource) { r.Label = level.Label{} }, level.ErrInvalid},
		"no items":                         {func(r *sharing.Resource) { r.Items = nil }, sharing.ErrInvalid},
		"an item twice":                    {func(r *sharing.Resource) { r.Items = []string{"a", "a"} }, sharing.ErrInvalid},
		"path in the id":                   {func(r *sharing.Resource) { r.ID = "../x" }, sharing.ErrInvalid},
		"no name":                          {func(r *sharing.Resource) { r.Name = "" }, sharing.ErrInvalid},
		"wrong code of the provider":       {func(r *sharing.Resource) { r.Provider = "91350100M000100Y44" }, identity.ErrUSCC},
		"unknown provider":                 {func(r *sharing.Resource) { r.Provider = unit(t, 9) }, identity.ErrNotFound},
		"defect notice that is no digest":  {func(r *sharing.Resource) { r.DefectNotice = "yes" }, sharing.ErrInvalid},
	} {
		w := newWorld(t)
		r := w.resource()
		c.edit(&r)
		_, _, err := w.svc.RegisterResource(t.Context(), r, w.actor)
		if !errors.Is(err, c.want) {
			t.Errorf("%s: got %v, want %v", name, err, c.want)
		}
		if want := map[bool]int{true: 1}[c.want == nil]; len(w.cat.Events()) != want {
			t.Errorf("%s: %d events", name, len(w.cat.Events()))
		}
	}
}

func TestRegisterAgreement(t *testing.T) {
	for name, c := range map[string]struct {
		terms    func(*sharing.Agreement)
		resource func(*sharing.Resource)
		world    func(*world)
		want     error
	}{
		"as it should be":            {},
		"unknown resource":           {terms: func(a *sharing.Agreement) { a.Resource = "x" }, want: sharing.ErrNotFound},
		"not the provider":           {terms: func(a *sharing.Agreement) { a.Provider = unit(t, 3) }, want: sharing.ErrInvalid},
		"X14-23a field outside":      {terms: func(a *sharing.Agreement) { a.Fields = []string{"income"} }, want: sharing.ErrInvalid},
		"X14-23a with onward":        {terms: func(a *sharing.Agreement) { a.Onward = []identity.USCC{unit(t, 3)} }},
		"unknown third party":        {terms: func(a *sharing.Agreement) { a.Onward = []identity.USCC{unit(t, 9)} }, want: identity.ErrNotFound},
		"acknowledges another":       {terms: func(a *sharing.Agreement) { a.DefectAck = digest }, want: sharing.ErrInvalid},
		"over already":               {terms: func(a *sharing.Agreement) { a.NotBefore, a.NotAfter = start.AddDate(-1, 0, 0), start }, want: sharing.ErrInvalid},
		"seal not trusted":           {world: func(w *world) { w.trust = func(sharing.PartySeal) error { return errors.New("suspended") } }, want: sharing.ErrUnsealed},
		"seal from the future":       {world: func(w *world) { w.now = start.Add(-time.Hour) }, want: sharing.ErrUnsealed},
		"BJ17-18 no third party":     {terms: func(a *sharing.Agreement) { a.Onward = []identity.USCC{unit(t, 3)} }, resource: func(r *sharing.Resource) { r.Regime, r.ShareType = sharing.RegimeBeijing2017, sharing.ShareConditional }, want: sharing.ErrInvalid},
		"BJ17-16 not shared":         {resource: func(r *sharing.Resource) { r.Regime, r.ShareType = sharing.RegimeBeijing2017, sharing.ShareNotShared }, want: sharing.ErrInvalid},
		"no actor":                   {world: func(w *world) { w.actor = ledger.Actor{} }, want: sharing.ErrInvalid},
		"defect notice acknowledged": {terms: func(a *sharing.Agreement) { a.DefectAck = digest }, resource: func(r *sharing.Resource) { r.DefectNotice = digest }},
	} {
		w := newWorld(t)
		r, a := w.resource(), w.terms()
		if c.resource != nil {
			c.resource(&r)
		}
		if c.terms != nil {
			c.terms(&a)
		}
		_, _, err := w.svc.RegisterResource(t.Context(), r, w.actor)
		w.must(err)
		a = w.sealed(a)
		if c.world != nil {
			c.world(w)
		}
		_, _, err = w.svc.RegisterAgreement(t.Context(), a, w.actor)
		if !errors.Is(err, c.want) {
			t.Errorf("%s: got %v, want %v", name, err, c.want)
		}
	}
}

func TestDraft_Refusals(t *testing.T) {
	w := newWorld(t)
	for name, edit := range map[string]func(*sharing.Agreement){
		"no id":               func(a *sharing.Agreement) { a.ID = "" },
		"no purposes":         func(a *sharing.Agreement) { a.Purposes = nil },
		"empty purpose":       func(a *sharing.Agreement) { a.Purposes = []string{""} },
		"no fields":           func(a *sharing.Agreement) { a.Fields = nil },
		"a field twice":       func(a *sharing.Agreement) { a.Fields = []string{"name", "name"} },
		"period inverted":     func(a *sharing.Agreement) { a.NotAfter = a.NotBefore },
		"no beginning":        func(a *sharing.Agreement) { a.NotBefore = time.Time{} },
		"two parties in one":  func(a *sharing.Agreement) { a.Office = a.Provider },
		"no office":           func(a *sharing.Agreement) { a.Office = "" },
		"consumer as third":   func(a *sharing.Agreement) { a.Onward = []identity.USCC{a.Consumer} },
		"text in no encoding": func(a *sharing.Agreement) { a.Purposes = []string{"\xff"} },
		"a line separator":    func(a *sharing.Agreement) { a.Purposes = []string{"a\u2028b"} },
		"ten thousand fields": func(a *sharing.Agreement) {
			a.Fields = nil
			for i := range 10_000 {
				a.Fields = append(a.Fields, fmt.Sprint(i))
			}
		},
	} {
		a := w.terms()
		edit(&a)
		if _, err := sharing.Draft(a); !errors.Is(err, sharing.ErrInvalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestTerminateAgreement(t *testing.T) {
	w := newWorld(t)
	_, a := w.registered()
	if _, err := w.svc.TerminateAgreement(t.Context(), a.ID, "数据不再需要", ledger.Actor{Kind: "person", ID: "x", Unit: string(unit(t, 3))}); !errors.Is(err, sharing.ErrInvalid) {
		t.Errorf("by no party: %v", err)
	}
	if _, err := w.svc.TerminateAgreement(t.Context(), a.ID, "", w.actor); !errors.Is(err, sharing.ErrInvalid) {
		t.Errorf("without a reason: %v", err)
	}
	if _, err := w.svc.TerminateAgreement(t.Context(), "none", "r", w.actor); !errors.Is(err, sharing.ErrNotFound) {
		t.Errorf("unknown: %v", err)
	}
	w.now = start.AddDate(0, 1, 0)
	_, err := w.svc.TerminateAgreement(t.Context(), a.ID, "数据不再需要", w.actor)
	w.must(err)
	got, err := w.cat.Agreement(t.Context(), a.ID)
	w.must(err)
	if err := sharing.InForce(got, w.now); !errors.Is(err, sharing.ErrNotInForce) {
		t.Errorf("after the end: %v", err)
	}
	if err := sharing.InForce(got, w.now.Add(-1)); err != nil {
		t.Errorf("before the end: %v", err)
	}
	if _, err := w.svc.TerminateAgreement(t.Context(), a.ID, "again", w.actor); !errors.Is(err, sharing.ErrNotInForce) {
		t.Errorf("twice: %v", err)
	}
	want := "sharing.resource.registered sharing.agreement.registered sharing.agreement.terminated"
	if got := strings.Join(w.cat.Types(), " "); got != want {
		t.Errorf("events %s", got)
	}
}

func (w *world) holding(id string, l level.Label, sources ...string) sharing.Holding {
	return sharing.Holding{ID: id, System: "sys-2", Agency: unit(w.t, 2), Resource: "population", Agreement: "agreement-1", Sources: sources, Label: l, Payload: digest}
}

func TestRegisterHolding_Refusals(t *testing.T) {
	ok := label(3, level.TagPersonal)
	for name, c := range map[string]struct {
		edit func(*sharing.Holding)
		want error
	}{
		"as it should be":           {func(*sharing.Holding) {}, nil},
		"higher than needed":        {func(h *sharing.Holding) { h.Label = label(4, level.TagPersonal, level.TagSensitive) }, nil},
		"X11-30 lower level":        {func(h *sharing.Holding) { h.Label.Level = 2 }, sharing.ErrLowered},
		"X11-30 lower S, higher A":  {func(h *sharing.Holding) { h.Label.RequiredS, h.Label.RequiredA = 2, 5 }, sharing.ErrLowered},
		"X11-30 a tag dropped":      {func(h *sharing.Holding) { h.Label.Tags = nil }, sharing.ErrLowered},
		"no label":                  {func(h *sharing.Holding) { h.Label = level.Label{} }, level.ErrInvalid},
		"unknown system":            {func(h *sharing.Holding) { h.System = "sys-9" }, identity.ErrNotFound},
		"a system of somebody else": {func(h *sharing.Holding) { h.System = "sys-3" }, sharing.ErrInvalid},
		"unknown resource":          {func(h *sharing.Holding) { h.Resource = "none" }, sharing.ErrNotFound},
		"unknown source":            {func(h *sharing.Holding) { h.Sources = []string{"none"} }, sharing.ErrNotFound},
		"its own source":            {func(h *sharing.Holding) { h.Sources = []string{h.ID} }, sharing.ErrInvalid},
		"unknown agreement":         {func(h *sharing.Holding) { h.Agreement = "none" }, sharing.ErrNotFound},
		"no digest":                 {func(h *sharing.Holding) { h.Payload = "" }, sharing.ErrInvalid},
		"ends before it begins":     {func(h *sharing.Holding) { h.Until = start.Add(-1) }, sharing.ErrInvalid},
	} {
		w := newWorld(t)
		w.registered()
		h := w.holding("h", ok)
		c.edit(&h)
		before := len(w.cat.Events())
		_, _, err := w.svc.RegisterHolding(t.Context(), h, w.actor)
		if !errors.Is(err, c.want) {
			t.Errorf("%s: got %v, want %v", name, err, c.want)
		}
		if c.want != nil && len(w.cat.Events()) != before {
			t.Errorf("%s: left an event", name)
		}
	}
}

// The law of no lowering, over random chains of derivation and merging: every
// holding on the register dominates everything it came from, however far back.
func TestX11_30_HoldingIsNeverBelowAnyAncestor(t *testing.T) {
	w := newWorld(t)
	w.registered()
	rng := rand.New(rand.NewPCG(7, 8))
	tags := []level.Tag{level.TagPersonal, level.TagSensitive, level.TagWorkSecret}
	ancestors := map[string]level.Label{} // the join of all that went in
	var ids []string
	refused := 0
	for i := range 400 {
		l := level.Label{Level: level.Level(2 + rng.IntN(3)), RequiredS: uint8(2 + rng.IntN(4)), RequiredA: uint8(2 + rng.IntN(4))}
		for _, tag := range tags {
			if rng.IntN(4) > 0 {
				l.Tags = append(l.Tags, tag)
			}
		}
		h := w.holding(fmt.Sprintf("h%d", i), l)
		least := w.resource().Label
		for range rng.IntN(3) {
			if len(ids) > 0 {
				id := ids[rng.IntN(len(ids))]
				h.Sources = append(h.Sources, id)
				least = level.Join(least, ancestors[id])
			}
		}
		_, _, err := w.svc.RegisterHolding(t.Context(), h, w.actor)
		switch {
		case err == nil:
			if !l.Dominates(least) {
				t.Fatalf("%s registered below %s", l, least)
			}
			ids = append(ids, h.ID)
			ancestors[h.ID] = level.Join(least, l)
		case errors.Is(err, sharing.ErrLowered):
			refused++
		default:
			t.Fatal(err)
		}
	}
	if refused == 0 || len(ids) < 20 {
		t.Errorf("%d refused, %d registered: the histories test nothing", refused, len(ids))
	}
}
