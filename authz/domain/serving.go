package domain

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/yinxin-gov/yinxin/authz/ledger"
	"github.com/yinxin-gov/yinxin/authz/sandbox"
)

// Bounds of what runs.
const (
	fresh      = time.Second // how old the list of domains in force may be; own acts count at once
	maxRunning = 16          // children at a time; the one that was asked longest ago is ended
	maxIdle    = 10 * time.Minute
)

// serving is what is in force, and what runs for it.
type serving struct {
	mu      sync.Mutex // guards all; held for memory access and the reading of the list
	at      time.Time  // of the list
	byType  map[string]*Domain
	running map[string]*Domain // by id of the version; those of byType, and such as end
	closed  bool
}

// Domain is a version in force that answers questions.
type Domain struct {
	Version
	service *Service
	bundle  Bundle
	listed  entities

	broken error // the bundle is not what was signed: nobody is answered

	run   *sandbox.Runner // nil: not started yet; guarded by serving.mu
	asked time.Time       // guarded by serving.mu
}

func (v *serving) forget() {
	v.mu.Lock()
	v.at = time.Time{}
	v.mu.Unlock()
}

// Of is the domain that answers questions about a resource; nil when the house does:
// of its own kinds of resources, of what the catalogue lists, and of what nobody
// declared. resource is empty in a search for resources.
func (s *Service) Of(ctx context.Context, resourceType, resource string) (*Domain, error) {
	if slices.Contains(reserved(), resourceType) {
		return nil, nil
	}
	d, err := s.inForce(ctx, resourceType)
	if d == nil || err != nil {
		return nil, err
	}
	if resource != "" {
		known, err := s.cfg.Catalogue.Catalogued(ctx, []string{resource})
		if err != nil {
			return nil, err
		}
		if len(known) > 0 {
			return nil, nil
		}
	}
	return d, nil
}

func (s *Service) inForce(ctx context.Context, resourceType string) (*Domain, error) {
	v := &s.served
	v.mu.Lock()
	defer v.mu.Unlock()
	if age := s.cfg.Now().Sub(v.at); v.at.IsZero() || age > fresh || age < 0 {
		at := s.cfg.Now()
		all, err := s.cfg.Register.Versions(ctx, "", InForce)
		if err != nil {
			return nil, err
		}
		if err := s.take(ctx, all); err != nil {
			return nil, err
		}
		v.at = at
	}
	d := v.byType[resourceType]
	if d != nil && d.broken != nil {
		return nil, d.broken
	}
	return d, nil
}

// take makes the list what is served. The caller holds the lock.
func (s *Service) take(ctx context.Context, all []Version) error {
	v, next, known := &s.served, map[string]*Domain{}, map[string]*Domain{}
	for _, d := range v.byType {
		known[d.ID] = d
	}
	for _, version := range all {
		d := known[version.ID]
		if d == nil || d.broken != nil {
			b, _, err := s.Bundle(ctx, version)
			d = &Domain{Version: version, service: s, bundle: b}
			if err == nil {
				d.listed, err = b.entities()
			}
			switch {
			case errors.Is(err, ErrInvalid), errors.Is(err, ErrNotFound), errors.Is(err, ErrReserved): // its own affair
				d.broken = fmt.Errorf("domain %s: %w", version.Domain, err)
			case err != nil:
				return fmt.Errorf("domain %s: %w", version.Domain, err)
			}
		}
		delete(known, version.ID)
		for _, t := range version.Types {
			next[t] = d
		}
	}
	v.byType = next
	for _, d := range known { // no more in force
		v.end(d)
	}
	for _, d := range v.running {
		if s.cfg.Now().Sub(d.asked) > maxIdle {
			v.end(d)
		}
	}
	return nil
}

// end lets a child go; whoever asks it now is still answered.
func (v *serving) end(d *Domain) {
	delete(v.running, d.ID)
	if d.run != nil {
		go func(run *sandbox.Runner) { _ = run.Close() }(d.run) // it waits for an answer under way
		d.run = nil
	}
}

// runner is the child of a domain, made when it is first needed.
func (d *Domain) runner() (*sandbox.Runner, error) {
	v := &d.service.served
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.closed {
		return nil, sandbox.ErrClosed
	}
	d.asked = d.service.cfg.Now()
	if d.run != nil {
		return d.run, nil
	}
	src, err := d.bundle.source()
	if err != nil {
		return nil, err
	}
	if d.run, err = sandbox.New(d.service.cfg.Sandbox, src); err != nil {
		return nil, err
	}
	if v.running == nil {
		v.running = map[string]*Domain{}
	}
	v.running[d.ID] = d
	if len(v.running) > maxRunning {
		v.end(slices.MinFunc(slices.Collect(maps.Values(v.running)), func(a, b *Domain) int { return a.asked.Compare(b.asked) }))
	}
	return d.run, nil
}

// MayAsk says whether a system may ask this domain.
func (d *Domain) MayAsk(caller ledger.Actor) bool {
	return caller.Kind == "system" && (caller.ID == d.System || slices.Contains(d.bundle.Callers, caller.ID))
}

// Close ends every child.
func (s *Service) Close() error {
	v := &s.served
	v.mu.Lock()
	defer v.mu.Unlock()
	v.closed = true
	var errs []error
	for _, d := range v.running {
		errs = append(errs, d.run.Close())
	}
	v.running = nil
	return errors.Join(errs...)
}
