package agent

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/yinxin-gov/yinxin/internal/api/wire"
)

// Entries is a page of the catalogue in order of id; after is Next of the page before.
func (a *Agent) Entries(ctx context.Context, text, provider, after string) (out wire.Entries, err error) {
	target := a.base.JoinPath(wire.PathCatalogue)
	target.RawQuery = url.Values{"q": {text}, "provider": {provider}, "after": {after}, "limit": {"1000"}}.Encode()
	return out, call(ctx, a.http, http.MethodGet, target.String(), nil, &out)
}

// Entry is one entry with its changes.
func (a *Agent) Entry(ctx context.Context, id string) (out wire.Entry, err error) {
	return out, call(ctx, a.http, http.MethodGet, a.base.JoinPath(wire.PathCatalogue, url.PathEscape(id)).String(), nil, &out)
}

// Import hands in entries of this system's unit, as CSV or JSON. A file that is refused
// for faults in its lines is an outcome with Wrong, not an error.
func (a *Agent) Import(ctx context.Context, mediaType string, file []byte, why string, dry bool) (out wire.Imported, err error) {
	target := a.base.JoinPath(wire.PathCatalogue, "import")
	target.RawQuery = url.Values{"why": {why}, "dry_run": {strconv.FormatBool(dry)}}.Encode()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, target.String(), bytes.NewReader(file))
	if err != nil {
		return out, fmt.Errorf("agent: %w", err)
	}
	req.Header.Set("Content-Type", mediaType)
	raw, err := do(a.http, req, maxAnswer)
	var refused *ProblemError
	if errors.As(err, &refused) && refused.Import != nil && len(refused.Import.Wrong) > 0 {
		return *refused.Import, nil
	}
	if err != nil {
		return out, err
	}
	if err := json.Unmarshal(raw, &out); err != nil {
		return out, fmt.Errorf("%w: answer: %w", ErrServer, err)
	}
	return out, nil
}

// Withhold states that a resource is kept out of the catalogue.
func (a *Agent) Withhold(ctx context.Context, w wire.WithheldRequest) (out wire.Withheld, err error) {
	return out, call(ctx, a.http, http.MethodPost, a.base.JoinPath(wire.PathCatalogue, "withheld").String(), w, &out)
}

// Copies is a page of the copies of a resource, for its provider; without one, of
// those that this system keeps or kept.
func (a *Agent) Copies(ctx context.Context, resource, after string) (out wire.Copies, err error) {
	target := a.base.JoinPath(wire.PathHoldings)
	if resource != "" {
		target = a.base.JoinPath(wire.PathCatalogue, url.PathEscape(resource), "copies")
	}
	target.RawQuery = url.Values{"after": {after}, "limit": {"500"}}.Encode()
	return out, call(ctx, a.http, http.MethodGet, target.String(), nil, &out)
}

// Lineage is what a copy was made of and what was made of it.
func (a *Agent) Lineage(ctx context.Context, id string) (out wire.Lineage, err error) {
	return out, call(ctx, a.http, http.MethodGet, a.base.JoinPath(wire.PathHoldings, url.PathEscape(id), "lineage").String(), nil, &out)
}

// Destroyed signs and hands in the statement that this system destroyed a copy of
// its own (西政办发〔2014〕14号 art. 23).
func (a *Agent) Destroyed(ctx context.Context, c wire.Copy, method string, at time.Time) (out wire.Copy, err error) {
	at = at.UTC().Truncate(time.Millisecond)
	sig, err := a.m.sign.SignWithSM2(rand.Reader, nil, wire.DestructionPayload(c.ID, c.Payload, a.cfg.System, method, at))
	if err != nil {
		return out, fmt.Errorf("agent: sign statement: %w", err)
	}
	in := wire.DestructionRequest{Method: method, At: at, Signature: sig}
	return out, call(ctx, a.http, http.MethodPost, a.base.JoinPath(wire.PathHoldings, url.PathEscape(c.ID), "destruction").String(), in, &out)
}

// Recall asks for the destruction of a copy of what this system's unit provides.
func (a *Agent) Recall(ctx context.Context, id string, in wire.RecallRequest) (out wire.Task, err error) {
	return out, call(ctx, a.http, http.MethodPost, a.base.JoinPath(wire.PathHoldings, url.PathEscape(id), "recall").String(), in, &out)
}
