package api

import (
	"context"
	"net/http"
	"strings"
	"testing"

	"github.com/yinxin-gov/yinxin/authz/domain"
	"github.com/yinxin-gov/yinxin/authz/ledger"
	"github.com/yinxin-gov/yinxin/authz/sandbox"
	"github.com/yinxin-gov/yinxin/internal/api/wire"
)

func (h *house) ProposeDomain(_ context.Context, a ledger.Actor, bundle []byte) (wire.DomainVersion, error) {
	h.calls++
	return wire.DomainVersion{ID: "v-1", System: a.ID, Name: string(bundle), State: "proposed"}, h.err
}

func (h *house) RestoreDomain(_ context.Context, a ledger.Actor, id string) (wire.DomainVersion, error) {
	h.calls++
	return wire.DomainVersion{ID: "v-2", Restores: id, System: a.ID, State: "proposed"}, h.err
}

func (h *house) WithdrawDomain(_ context.Context, _ ledger.Actor, id, reason string) (wire.DomainVersion, error) {
	h.calls++
	return wire.DomainVersion{ID: id, Reason: reason, State: "withdrawn"}, h.err
}

func (h *house) DomainsOf(_ context.Context, a ledger.Actor) ([]wire.DomainVersion, error) {
	h.calls++
	return []wire.DomainVersion{{ID: "v-1", System: a.ID}}, h.err
}

func (h *house) DomainBundle(context.Context, ledger.Actor, string) ([]byte, error) {
	h.calls++
	return []byte(`{"domain":"a"}`), h.err
}

// Every outcome of the room has its code; what the gate and the tests found is told
// with file and line, and nothing else is.
func TestDomainProblems(t *testing.T) {
	h := newHouse(t)
	for code, err := range map[string]error{
		"domain.unknown": domain.ErrNotFound, "domain.waits": domain.ErrExists, "domain.state": domain.ErrState, "domain.reserved": domain.ErrReserved,
		"domain.taken": domain.ErrTaken, "domain.forbidden": domain.ErrForbidden, "domain.invalid": domain.ErrInvalid, "domain.size": sandbox.ErrSize,
		"domain.limits": sandbox.ErrMemory, "domain.platform": sandbox.ErrPlatform, "internal": sandbox.ErrCrashed,
		"domain.refused": &sandbox.GateError{Findings: []sandbox.Finding{{File: "a.rego", Line: 7, Rule: "authz.gate.data"}}},
	} {
		h.err = err
		a := h.do("POST", wire.PathDomains, true, strings.NewReader(`{}`))
		if a.p.Code != code || (a.status >= http.StatusInternalServerError) != (code == "internal" || code == "domain.platform") {
			t.Errorf("%v: %d %s", err, a.status, a.raw)
		}
		if told := strings.Contains(a.raw, "a.rego:7"); told != (code == "domain.refused") {
			t.Errorf("%s", a.raw)
		}
	}
	h.err = &domain.FailedError{Failed: []sandbox.Tested{{Name: "alice reads", Detail: "allow is false, not true"}}}
	if a := h.do("POST", wire.PathDomains, true, strings.NewReader(`{}`)); a.p.Code != "domain.refused" || len(a.p.Fields) != 1 || a.p.Fields[0].Location != "alice reads" {
		t.Errorf("%s", a.raw)
	}
}
