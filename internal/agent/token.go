package agent

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/yinxin-gov/yinxin/internal/api/wire"
)

// TokenOrder is what an access token is drawn for; the zero value is one for the
// house itself.
type TokenOrder struct {
	Audience  string // id of a registered system; "": the house
	Scope     []string
	Algorithm string
	Life      time.Duration
}

// Token draws an access token (RFC 6749 4.4) that is bound to the certificate in
// force. A refusal is ErrRefused.
func (a *Agent) Token(ctx context.Context, o TokenOrder) (wire.AccessToken, error) {
	form := url.Values{"grant_type": {"client_credentials"}}
	if o.Audience != "" {
		form.Set("resource", wire.SystemAudience(o.Audience))
	}
	if len(o.Scope) > 0 {
		form.Set("scope", strings.Join(o.Scope, " "))
	}
	if o.Algorithm != "" {
		form.Set("signing_alg", o.Algorithm)
	}
	if o.Life > 0 {
		form.Set("lifetime", strconv.Itoa(int(o.Life.Seconds())))
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, a.base.JoinPath(wire.PathToken).String(), strings.NewReader(form.Encode()))
	if err != nil {
		return wire.AccessToken{}, fmt.Errorf("agent: %w", err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	var out wire.AccessToken
	raw, err := do(a.http, req, maxAnswer)
	if err == nil {
		err = json.Unmarshal(raw, &out)
	}
	var no *ProblemError
	switch {
	case errors.As(err, &no):
		return wire.AccessToken{}, err
	case err != nil:
		return wire.AccessToken{}, fmt.Errorf("%w: %w", ErrServer, err)
	case out.Token == "" || !strings.EqualFold(out.Type, "Bearer"):
		return wire.AccessToken{}, fmt.Errorf("%w: no token in the answer", ErrServer)
	}
	return out, nil
}
