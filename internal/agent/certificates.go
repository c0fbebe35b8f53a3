package agent

import (
	"context"
	"net/http"
	"net/url"
	"strconv"

	"github.com/yinxin-gov/yinxin/internal/api/wire"
)

// Certificates is a page of the history of this system's certificates, newest
// first; after is Next of the page before, or empty.
func (a *Agent) Certificates(ctx context.Context, system, after string) (out wire.Certificates, err error) {
	return out, a.listed(ctx, system, "certificates", url.Values{"after": {after}, "limit": {"100"}}, &out)
}

// Expiring is a page of what ends within a number of days, soonest first.
func (a *Agent) Expiring(ctx context.Context, system string, days int, superseded bool, after string) (out wire.Certificates, err error) {
	q := url.Values{"after": {after}, "days": {strconv.Itoa(days)}, "superseded": {strconv.FormatBool(superseded)}}
	return out, a.listed(ctx, system, "certificates/expiring", q, &out)
}

func (a *Agent) listed(ctx context.Context, system, list string, q url.Values, out *wire.Certificates) error {
	if system == "" {
		system = a.cfg.System
	}
	target := a.base.JoinPath(wire.PathSystems, url.PathEscape(system), list)
	target.RawQuery = q.Encode()
	return call(ctx, a.http, http.MethodGet, target.String(), nil, out)
}
