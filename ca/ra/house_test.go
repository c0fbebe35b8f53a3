package ra_test

import (
	"context"
	"crypto/rand"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/yinxin-gov/yinxin/authz/ledger"
	"github.com/yinxin-gov/yinxin/ca"
	"github.com/yinxin-gov/yinxin/ca/catest"
	"github.com/yinxin-gov/yinxin/ca/ra"
)

const (
	agency = "11110102MB1234567M"
	other  = "11110103MB12345674"
	host   = "civil-a.gov.internal"

	unitName = "样例区民政局"
)

var errGate = errors.New("refused for the test")

// house is a registration authority on a store that checks every invariant.
// Its fields stand for the other rooms.
type house struct {
	t      testing.TB
	reg    *catest.Registry
	svc    *ra.Service
	now    time.Time
	gated  error
	posts  map[string][]string // person → agencies that he administers
	office []string            // officers
	signed map[string]string   // request id + digest → person
	hosts  map[string][]string
}

func (h *house) HostsOf(_ context.Context, system string) ([]string, error) {
	return h.hosts[system], nil
}

func (h *house) AgencyOf(_ context.Context, system string) (uscc, name string, err error) {
	switch system {
	case "civil-a", "civil-b":
		return agency, unitName, nil
	case "works-a":
		return other, unitName, nil
	}
	return "", "", ca.ErrNotFound
}

func (h *house) Administers(_ context.Context, person, unit string) (bool, error) {
	return slices.Contains(h.posts[person], unit), nil
}

func (h *house) Checks(_ context.Context, person string) (bool, error) {
	return slices.Contains(h.office, person), nil
}

func (h *house) MayIssue(context.Context, string, ca.Purpose) (time.Time, error) {
	return time.Time{}, h.gated
}

func (h *house) Approved(_ context.Context, _, id, digest string) (string, string, error) {
	person, ok := h.signed[id+digest]
	if !ok {
		return "", "", errors.New("no signature over this digest")
	}
	return "approval-" + id, person, nil
}

func newHouse(t testing.TB) *house {
	t.Helper()
	h := &house{
		t: t, reg: catest.New(), now: time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC), signed: map[string]string{},
		posts:  map[string][]string{"p-admin": {agency}, "p-works": {other}, "p-both": {agency, other}},
		office: []string{"p-check", "p-ra", "p-admin"},
		hosts:  map[string][]string{"civil-a": {host, "b.gov.internal"}, "civil-b": {"c.gov.internal"}, "works-a": {"works.gov.internal"}},
	}
	var err error
	h.svc, err = ra.New(ra.Config{
		Requests: h.reg, Systems: h, Staff: h, Approver: h, Gate: h, Now: func() time.Time { return h.now }, Rand: rand.Reader,
		NewID: func() string { return uuid.Must(uuid.NewV7()).String() },
	})
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func actor(id string) ledger.Actor { return ledger.Actor{Kind: "person", ID: id, Unit: agency} }

func good() ca.Request {
	return ca.Request{Agency: agency, System: "civil-a", CommonName: host, Organization: unitName, Hosts: []string{host}}
}

func papers() []ra.Shown {
	return []ra.Shown{
		{Kind: ca.EvidenceUSCC, Number: agency, Method: ca.MethodRegister},
		{Kind: ca.EvidenceAuthorisation, Number: "授权〔2026〕1号", Method: ca.MethodOriginal, Note: "原件与复印件一致"},
		{Kind: ca.EvidenceHandler, Personal: "11010119900307001x", Method: ca.MethodOriginal},
	}
}

func (h *house) submit() ca.Request {
	h.t.Helper()
	r, _, err := h.svc.Submit(context.Background(), actor("p-admin"), good())
	h.ok(err)
	return r
}

func (h *house) review(r ca.Request) ca.Request {
	h.t.Helper()
	r, _, err := h.svc.Review(context.Background(), actor("p-check"), r.ID, papers())
	h.ok(err)
	return r
}

func (h *house) approve(r ca.Request) ca.Request {
	h.t.Helper()
	h.sign("p-ra", r)
	r, _, err := h.svc.Approve(context.Background(), actor("p-ra"), r.ID)
	h.ok(err)
	return r
}

func (h *house) sign(person string, r ca.Request) { h.signed[r.ID+ca.RequestDigest(r)] = person }

func (h *house) state(id string) ca.RequestState {
	h.t.Helper()
	r, err := h.reg.Request(context.Background(), id)
	h.ok(err)
	return r.State
}

func (h *house) ok(err error) {
	h.t.Helper()
	if err != nil {
		h.t.Fatal(err)
	}
}
