package agent

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"sync"
)

// Keeper is an enrolled system whose set may change under way, by its own
// renewals or by another process (a new `join`). Safe for concurrent use.
type Keeper struct {
	cfg     Config
	keepKey bool

	mu sync.Mutex
	a  *Agent
}

// Keep opens a folder for as long as the sidecar runs. keepKey: see Renew.
func Keep(cfg Config, keepKey bool) (*Keeper, error) {
	a, err := Open(cfg)
	if err != nil {
		return nil, err
	}
	cfg.System = a.System() // a folder stays one system's
	return &Keeper{cfg: cfg, keepKey: keepKey, a: a}, nil
}

func (k *Keeper) now() *Agent {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.a
}

// Refresh opens the set in force, if it is another one, and names it.
func (k *Keeper) Refresh() (set string, err error) {
	a := k.now()
	if set, err = liveSet(k.cfg.Dir); err != nil || set == a.set {
		return a.set, err
	}
	next, err := Open(k.cfg)
	if err != nil {
		return a.set, err
	}
	k.mu.Lock()
	k.a = next
	k.mu.Unlock()
	a.Close()
	return next.set, nil
}

// System is the id under which the folder is enrolled.
func (k *Keeper) System() string { return k.cfg.System }

// Held lists both tracks of the set in force.
func (k *Keeper) Held() []Held { return k.now().Held() }

// Renew puts the follower of one track in force.
func (k *Keeper) Renew(ctx context.Context, track Track) error {
	if err := k.now().Renew(ctx, track, k.keepKey); err != nil {
		return err
	}
	_, err := k.Refresh()
	return err
}

// Forward sends a request to the house with the certificate in force. Path,
// body and headers are the caller's to bound; the answer's body his to close.
func (k *Keeper) Forward(r *http.Request) (*http.Response, error) {
	a := k.now()
	to, err := url.Parse(a.base.JoinPath(r.URL.Path).String()) // JoinPath alone leaves the first slash out
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrConfig, err)
	}
	out := r.Clone(r.Context())
	out.URL, out.Host, out.RequestURI = to, "", ""
	resp, err := a.http.Do(out)
	if err != nil {
		return nil, unreachable(err)
	}
	return resp, nil
}

// Close drops idle connections.
func (k *Keeper) Close() { k.now().Close() }
