package sharing_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/yinxin-gov/yinxin/authz/identity"
	"github.com/yinxin-gov/yinxin/authz/sharing"
)

func ExampleTerms() {
	a := sharing.Agreement{
		ID: "agreement-1", Resource: "population", Provider: "91350100M000100Y43", Consumer: "9144030071526726XG", Office: "91110000802100433B",
		Purposes: []string{"social-relief"}, Fields: []string{"name", "address"},
		NotBefore: time.Date(2026, 7, 1, 0, 0, 0, 0, time.UTC), NotAfter: time.Date(2027, 7, 1, 0, 0, 0, 0, time.UTC),
	}
	b, err := sharing.Terms(a)
	fmt.Println(string(b), err)
	// Output:
	// yinxin/agreement/v1
	// {"confidentiality":"","consumer":"9144030071526726XG","defect_ack":"","fields":["address","name"],"id":"agreement-1","not_after":"2027-07-01T00:00:00.000Z","not_before":"2026-07-01T00:00:00.000Z","office":"91110000802100433B","onward":[],"provider":"91350100M000100Y43","purposes":["social-relief"],"resource":"population","sample":false} <nil>
}

// X14 art. 26 (1): remove, swap or forge any seal, and the agreement does not bind.
func TestX14_26c_VerifySeals(t *testing.T) {
	w := newWorld(t)
	good := w.sealed(w.terms())
	if err := sharing.InForce(good, start); err != nil {
		t.Fatal(err)
	}
	other, err := sharing.Draft(func() sharing.Agreement { a := w.terms(); a.ID = "agreement-2"; return a }())
	w.must(err)
	third := w.seal(good, good.Provider)
	third.Party = unit(t, 3)
	cases := map[string]func(*sharing.Agreement){
		"a party that is none": func(a *sharing.Agreement) { a.Seals[0] = third },
		"one seal twice":       func(a *sharing.Agreement) { a.Seals[1] = a.Seals[0] },
		"four seals":           func(a *sharing.Agreement) { a.Seals = append(a.Seals, a.Seals[0]) },
		"one key under two names": func(a *sharing.Agreement) {
			a.Seals[1].CertDER, a.Seals[1].Signature = a.Seals[0].CertDER, a.Seals[0].Signature
		},
		"one number under two":     func(a *sharing.Agreement) { a.Seals[1].SealID = a.Seals[0].SealID },
		"signature over others":    func(a *sharing.Agreement) { a.Seals[2] = w.seal(other, other.Office) },
		"a bit of the signature":   func(a *sharing.Agreement) { a.Seals[2].Signature[20] ^= 1 },
		"no certificate":           func(a *sharing.Agreement) { a.Seals[2].CertDER = nil },
		"another's certificate":    func(a *sharing.Agreement) { _, a.Seals[2].CertDER = certificate(t) },
		"no seal number":           func(a *sharing.Agreement) { a.Seals[2].SealID = "" },
		"digest of other terms":    func(a *sharing.Agreement) { a.Digest = other.Digest },
		"digest in capitals":       func(a *sharing.Agreement) { a.Digest = strings.ToUpper(a.Digest) },
		"purpose changed":          func(a *sharing.Agreement) { a.Purposes = []string{"tax"} },
		"purpose added":            func(a *sharing.Agreement) { a.Purposes = append(a.Purposes, "tax") },
		"field added":              func(a *sharing.Agreement) { a.Fields = append(a.Fields, "birth") },
		"consumer changed":         func(a *sharing.Agreement) { a.Consumer = unit(t, 3) },
		"resource changed":         func(a *sharing.Agreement) { a.Resource = "other" },
		"third party added":        func(a *sharing.Agreement) { a.Onward = []identity.USCC{unit(t, 3)} },
		"period longer":            func(a *sharing.Agreement) { a.NotAfter = a.NotAfter.AddDate(1, 0, 0) },
		"period earlier":           func(a *sharing.Agreement) { a.NotBefore = a.NotBefore.AddDate(-1, 0, 0) },
		"confidentiality dropped":  func(a *sharing.Agreement) { a.Confidentiality = "" },
		"defect acknowledged":      func(a *sharing.Agreement) { a.DefectAck = digest },
		"sample changed":           func(a *sharing.Agreement) { a.Sample = !a.Sample },
		"provider is the consumer": func(a *sharing.Agreement) { a.Consumer = a.Provider },
	}
	for i := range 3 {
		cases[fmt.Sprintf("seal %d removed", i)] = func(a *sharing.Agreement) { a.Seals = slices.Delete(a.Seals, i, i+1) }
	}
	for name, edit := range cases {
		a := good
		a.Seals, a.Fields, a.Purposes = slices.Clone(good.Seals), slices.Clone(good.Fields), slices.Clone(good.Purposes)
		for i := range a.Seals {
			a.Seals[i].Signature = slices.Clone(a.Seals[i].Signature)
		}
		edit(&a)
		if err := sharing.InForce(a, start); err == nil {
			t.Errorf("%s: in force", name)
		} else if !errors.Is(err, sharing.ErrUnsealed) && !errors.Is(err, sharing.ErrInvalid) {
			t.Errorf("%s: %v", name, err)
		}
		if _, _, err := w.svc.RegisterAgreement(t.Context(), a, w.actor); err == nil {
			t.Errorf("%s: registered", name)
		}
	}
}

func TestInForce_Period(t *testing.T) {
	w := newWorld(t)
	a := w.sealed(w.terms())
	ended := a
	ended.Terminated = start.AddDate(0, 1, 0)
	for name, c := range map[string]struct {
		a    sharing.Agreement
		at   time.Time
		want error
	}{
		"first moment":           {a, a.NotBefore, nil},
		"moment before":          {a, a.NotBefore.Add(-1), sharing.ErrNotInForce},
		"last moment":            {a, a.NotAfter.Add(-1), nil},
		"end is exclusive":       {a, a.NotAfter, sharing.ErrNotInForce},
		"before the termination": {ended, ended.Terminated.Add(-1), nil},
		"terminated":             {ended, ended.Terminated, sharing.ErrNotInForce},
		"long after":             {a, a.NotAfter.AddDate(10, 0, 0), sharing.ErrNotInForce},
	} {
		if err := sharing.InForce(c.a, c.at); !errors.Is(err, c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestAddSeal_Refusals(t *testing.T) {
	w := newWorld(t)
	a, err := sharing.Draft(w.terms())
	w.must(err)
	if _, err := sharing.SealTerms(a, w.keys[unit(t, 3)], w.certs[unit(t, 3)], unit(t, 3), "s", start); !errors.Is(err, sharing.ErrInvalid) {
		t.Errorf("seal of no party: %v", err)
	}
	if _, err := sharing.SealTerms(w.terms(), w.keys[a.Provider], w.certs[a.Provider], a.Provider, "s", start); !errors.Is(err, sharing.ErrUnsealed) {
		t.Errorf("seal on no draft: %v", err)
	}
	if _, err := sharing.SealTerms(a, w.keys[a.Provider], w.certs[a.Consumer], a.Provider, "s", start); !errors.Is(err, sharing.ErrUnsealed) {
		t.Errorf("key and certificate of two: %v", err)
	}
	once, err := sharing.AddSeal(a, w.seal(a, a.Provider))
	w.must(err)
	if _, err := sharing.AddSeal(once, w.seal(a, a.Provider)); !errors.Is(err, sharing.ErrUnsealed) {
		t.Errorf("one party twice: %v", err)
	}
	if len(a.Seals) != 0 || len(once.Seals) != 1 {
		t.Error("AddSeal changed its argument")
	}
	again, err := sharing.Draft(once)
	w.must(err)
	if len(again.Seals) != 0 {
		t.Error("a new draft keeps old seals")
	}
}

// The order of lists is no part of the terms; everything else is.
func TestTerms_OrderDoesNotMatter(t *testing.T) {
	w := newWorld(t)
	rng := rand.New(rand.NewPCG(5, 6))
	a := w.terms()
	a.Fields = []string{"name", "address", "birth"}
	a.Purposes = []string{"p1", "p2", "p3"}
	first, err := sharing.Draft(a)
	w.must(err)
	for range 20 {
		rng.Shuffle(3, func(i, j int) { a.Fields[i], a.Fields[j] = a.Fields[j], a.Fields[i] })
		rng.Shuffle(3, func(i, j int) { a.Purposes[i], a.Purposes[j] = a.Purposes[j], a.Purposes[i] })
		b, err := sharing.Draft(a)
		w.must(err)
		if b.Digest != first.Digest {
			t.Fatalf("%v %v: another digest", a.Fields, a.Purposes)
		}
	}
	a.Fields, a.Purposes = a.Purposes, a.Fields
	if b, err := sharing.Draft(a); err != nil || b.Digest == first.Digest {
		t.Errorf("fields and purposes swapped: same digest, %v", err)
	}
}
