package agent

import (
	"context"
	"encoding/json"
	"net/http"

	"github.com/yinxin-gov/yinxin/internal/api/wire"
)

// ProposeDomain hands in a version of an application domain of this system.
func (a *Agent) ProposeDomain(ctx context.Context, bundle json.RawMessage) (v wire.DomainVersion, err error) {
	return v, call(ctx, a.http, http.MethodPost, a.base.JoinPath(wire.PathDomains).String(), bundle, &v)
}

// Domains lists the versions of this system's application domains, newest first.
func (a *Agent) Domains(ctx context.Context) (out []wire.DomainVersion, err error) {
	return out, call(ctx, a.http, http.MethodGet, a.base.JoinPath(wire.PathDomains).String(), nil, &out)
}

// DomainBundle is the bundle of a version, as it is signed.
func (a *Agent) DomainBundle(ctx context.Context, id string) (out json.RawMessage, err error) {
	return out, call(ctx, a.http, http.MethodGet, a.base.JoinPath(wire.PathDomains, id, "bundle").String(), nil, &out)
}

// RestoreDomain proposes an earlier version again.
func (a *Agent) RestoreDomain(ctx context.Context, id string) (v wire.DomainVersion, err error) {
	return v, call(ctx, a.http, http.MethodPost, a.base.JoinPath(wire.PathDomains, id, "restoration").String(), nil, &v)
}

// WithdrawDomain ends a version, or a proposal, at once.
func (a *Agent) WithdrawDomain(ctx context.Context, id, reason string) (v wire.DomainVersion, err error) {
	return v, call(ctx, a.http, http.MethodPost, a.base.JoinPath(wire.PathDomains, id, "withdrawal").String(), wire.RequestReason{Reason: reason}, &v)
}
