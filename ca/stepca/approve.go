package stepca

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/yinxin-gov/yinxin/ca"
	"github.com/yinxin-gov/yinxin/ca/profile"
)

// approved reads a request, and refuses it, as it was read, unless a second person approved it.
// The stored row counts, never what a caller brought.
func (a *Authority) approved(ctx context.Context, id string) (ca.Request, error) {
	r, err := a.registry.Request(ctx, id)
	if err != nil {
		return ca.Request{}, fmt.Errorf("stepca: read request: %w", err)
	}
	if err := decided(r); err != nil {
		return r, err
	}
	return r, nil
}

func decided(r ca.Request) error {
	switch {
	case r.State != ca.RequestApproved && r.State != ca.RequestIssued:
		return fmt.Errorf("%w: request is %s", ca.ErrNotApproved, r.State)
	case r.Approval == "" || r.DecidedBy == "":
		return fmt.Errorf("%w: request names no approval", ca.ErrNotApproved)
	case r.DecidedBy == r.SubmittedBy:
		return fmt.Errorf("%w: decided by who submitted it", ca.ErrNotApproved)
	}
	return nil
}

// admit asks the Gate and whether the service ends, then checks that each host was approved with the
// request and is still registered for the system, spelled the same. It returns
// the registered hosts, and the latest end of a certificate; zero: the profile's.
func (a *Authority) admit(ctx context.Context, r ca.Request, hosts []string) ([]string, time.Time, error) {
	until, err := a.gate.MayIssue(ctx, r.System, r.Purpose)
	if err != nil {
		return nil, time.Time{}, fmt.Errorf("%w: %w", ErrStopped, err)
	}
	f := profile.Fields{NotAfter: until, Now: a.now()}
	if err := ca.Within(ctx, a.issuer.horizon, ca.KindECDSA, &f); err != nil {
		return nil, time.Time{}, err
	}
	registered, err := a.hosts.HostsOf(ctx, r.System)
	if err != nil {
		return nil, time.Time{}, fmt.Errorf("stepca: read hosts of system: %w", err)
	}
	if len(hosts) == 0 {
		return nil, time.Time{}, fmt.Errorf("%w: no host named", ca.ErrHost)
	}
	for _, h := range hosts {
		if !slices.Contains(r.Hosts, h) || !slices.Contains(registered, h) {
			return nil, time.Time{}, fmt.Errorf("%w: %q", ca.ErrHost, h)
		}
	}
	return registered, f.NotAfter, nil
}
