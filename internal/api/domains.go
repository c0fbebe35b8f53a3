package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/yinxin-gov/yinxin/authz/domain"
	"github.com/yinxin-gov/yinxin/authz/ledger"
	"github.com/yinxin-gov/yinxin/authz/sandbox"
	"github.com/yinxin-gov/yinxin/internal/api/wire"
)

// DomainKeeper takes the application domains of a calling system. It shows a system
// its own only; a leader's approval is signed at the desk, never here.
type DomainKeeper interface {
	ProposeDomain(ctx context.Context, actor ledger.Actor, bundle []byte) (wire.DomainVersion, error)
	RestoreDomain(ctx context.Context, actor ledger.Actor, id string) (wire.DomainVersion, error)
	WithdrawDomain(ctx context.Context, actor ledger.Actor, id, reason string) (wire.DomainVersion, error)
	DomainsOf(ctx context.Context, actor ledger.Actor) ([]wire.DomainVersion, error)
	DomainBundle(ctx context.Context, actor ledger.Actor, id string) ([]byte, error)
}

// domainRoutes are those of application domains.
func (h *handlers) domainRoutes(a huma.API, at func(id, method, path, summary string, maxBody int64) huma.Operation) {
	k, one := h.cfg.Domains, wire.PathDomains+"/{id}"
	propose := at("domain-propose", "POST", wire.PathDomains, "Propose a version of an application domain of the calling system", domain.MaxBundle)
	propose.DefaultStatus = http.StatusCreated
	propose.BodyReadTimeout = longBody
	propose.Middlewares = append(propose.Middlewares, h.limitLarge())
	huma.Register(a, propose, called(h, propose.OperationID, func(ctx context.Context, actor ledger.Actor, in *body[json.RawMessage]) (wire.DomainVersion, error) {
		return k.ProposeDomain(ctx, actor, in.Body)
	}))
	huma.Register(a, at("domains", "GET", wire.PathDomains, "Versions of the application domains of the calling system, newest first", 0), called(h, "", func(ctx context.Context, actor ledger.Actor, _ *struct{}) ([]wire.DomainVersion, error) {
		return k.DomainsOf(ctx, actor)
	}))
	huma.Register(a, at("domain-bundle", "GET", one+"/bundle", "The bundle of a version, as it is signed", 0), called(h, "", func(ctx context.Context, actor ledger.Actor, in *idPath) (json.RawMessage, error) {
		return k.DomainBundle(ctx, actor, in.ID)
	}))
	restore := at("domain-restore", "POST", one+"/restoration", "Propose an earlier version again", 0)
	restore.DefaultStatus = http.StatusCreated
	huma.Register(a, restore, called(h, restore.OperationID, func(ctx context.Context, actor ledger.Actor, in *idPath) (wire.DomainVersion, error) {
		return k.RestoreDomain(ctx, actor, in.ID)
	}))
	huma.Register(a, at("domain-withdraw", "POST", one+"/withdrawal", "End a version, or a proposal, at once", maxJSON), called(h, "domain-withdraw", func(ctx context.Context, actor ledger.Actor, in *withdrawInput) (wire.DomainVersion, error) {
		return k.WithdrawDomain(ctx, actor, in.ID, in.Body.Reason)
	}))
}

// codeRules: what the gate or the tests of a bundle found.
const codeRules = "domain.refused"

// domainFindings are what the gate and the tests of a bundle said, each with its file
// and line: they are about what the caller sent.
func domainFindings(err error) (out []wire.FieldError) {
	var gate *sandbox.GateError
	if errors.As(err, &gate) {
		for _, f := range gate.Findings[:min(len(gate.Findings), maxFields)] {
			out = append(out, wire.FieldError{Location: cut(fmt.Sprintf("%s:%d", f.File, f.Line)), Message: cut(strings.TrimSpace(f.Rule + " " + f.Detail))})
		}
	}
	var failed *domain.FailedError
	if errors.As(err, &failed) {
		for _, f := range failed.Failed[:min(len(failed.Failed), maxFields)] {
			out = append(out, wire.FieldError{Location: cut(f.Name), Message: cut(f.Detail)})
		}
	}
	return out
}
