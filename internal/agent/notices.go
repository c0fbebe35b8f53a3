package agent

import (
	"context"
	"net/http"
	"net/url"

	"github.com/yinxin-gov/yinxin/internal/api/wire"
)

// Notices is a page of what changes of level ask of this system; after is Next of the
// page before.
func (a *Agent) Notices(ctx context.Context, after string) (out wire.Notices, err error) {
	target := a.base.JoinPath(wire.PathNotices)
	target.RawQuery = url.Values{"after": {after}, "limit": {"500"}}.Encode()
	return out, call(ctx, a.http, http.MethodGet, target.String(), nil, &out)
}

// Followed reports what this system did about a copy.
func (a *Agent) Followed(ctx context.Context, act, holding string, in wire.FollowRequest) (out wire.Notice, err error) {
	return out, call(ctx, a.http, http.MethodPost, a.base.JoinPath(wire.PathNotices, url.PathEscape(act), url.PathEscape(holding)).String(), in, &out)
}
