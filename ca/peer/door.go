package peer

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/emmansun/gmsm/smx509"

	"github.com/yinxin-gov/yinxin/authz/ledger"
	"github.com/yinxin-gov/yinxin/internal/text"
)

// Client finds the system behind a certificate that a TLS handshake proved
// possession of. The whole judgement is made here, at each request: the handshake
// let in whoever hangs on an anchor that was ever registered. A refusal is a
// *Refusal and on the ledger.
func (s *Service) Client(ctx context.Context, der []byte) (Caller, error) {
	c, err := smx509.ParseCertificate(der)
	if err != nil {
		return Caller{}, &Refusal{Cause: ErrCertificate}
	}
	caller, err := s.client(ctx, c)
	if why := new(Refusal); errors.As(err, &why) && why.Domain != "" { // of strangers there is no book
		if lerr := s.refuse(ctx, c, why); lerr != nil {
			return Caller{}, lerr
		}
	}
	return caller, err
}

func (s *Service) client(ctx context.Context, c *smx509.Certificate) (Caller, error) {
	if trackOf(c) == trackSM2 {
		return Caller{}, &Refusal{Subject: text.Name(c.Subject), Cause: ErrAlgorithm}
	}
	e, path, err := s.behind(ctx, c)
	if err != nil {
		return Caller{}, err
	}
	if !slices.Contains(c.ExtKeyUsage, smx509.ExtKeyUsageClientAuth) { // one that names no use is for none here
		return Caller{}, &Refusal{Domain: e.Domain, Subject: text.Name(c.Subject), Cause: ErrUsage}
	}
	if err := e.end(c, smx509.KeyUsageDigitalSignature); err != nil {
		return Caller{}, err
	}
	sys, err := e.holder(c)
	if err != nil {
		return Caller{}, err
	}
	if err := s.current(ctx, e, path, s.cfg.Now()); err != nil {
		return Caller{}, err
	}
	return Caller{Domain: e.Domain, System: sys.ID, Unit: sys.Unit, Serial: c.SerialNumber.Text(16)}, nil
}

// behind is the one domain whose anchor stands behind a certificate, with the path.
func (s *Service) behind(ctx context.Context, c *smx509.Certificate) (Entry, []*smx509.Certificate, error) {
	all, err := s.cfg.Register.Peers(ctx, InForce, Withdrawn, Replaced)
	if err != nil {
		return Entry{}, nil, err
	}
	now := s.cfg.Now()
	none := error(&Refusal{Subject: text.Name(c.Subject), Cause: ErrAnchor})
	var is *Entry
	var way []*smx509.Certificate
	for _, e := range all {
		if e.SettledAt.IsZero() { // withdrawn before anybody approved it
			continue
		}
		path, found, err := e.path(c, now, smx509.ExtKeyUsageClientAuth)
		switch {
		case !found:
		case !e.Counts(now):
			if is == nil && errors.Is(none, ErrAnchor) {
				none = &Refusal{Domain: e.Domain, Subject: text.Name(c.Subject), Cause: ErrWithdrawn}
			}
		case err != nil:
			none = err
		case is != nil: // cannot be registered so: see apart
			return Entry{}, nil, fmt.Errorf("peer: domains %s and %s stand behind one certificate", is.Domain, e.Domain)
		default:
			is, way = &e, path
		}
	}
	if is == nil {
		return Entry{}, nil, none
	}
	return *is, way, nil
}

// holder is the registered system of a certificate: by the host that it names, and
// the unit where it names one. The issuer alone identifies nobody.
func (e Entry) holder(c *smx509.Certificate) (System, error) {
	var out []System
	codes := unitsOf(c)
	for _, s := range e.Systems {
		other := slices.ContainsFunc(codes, func(code string) bool { return code != s.Unit })
		if !other && slices.ContainsFunc(c.DNSNames, func(host string) bool { return strings.ToLower(host) == s.Host }) {
			out = append(out, s)
		}
	}
	if len(out) != 1 {
		return System{}, &Refusal{Domain: e.Domain, Subject: text.Name(c.Subject), Detail: text.Plain(strings.Join(c.DNSNames, ",")), Cause: ErrUnknown}
	}
	return out[0], nil
}

// Signing is the registered SM2 signing certificate of a system, judged now.
func (s *Service) Signing(ctx context.Context, domain, system string) ([]byte, error) {
	return s.registered(ctx, domain, system, func(s System) []byte { return s.Sign }, signing)
}

// Encryption is the one that it is written to with, judged now.
func (s *Service) Encryption(ctx context.Context, domain, system string) ([]byte, error) {
	return s.registered(ctx, domain, system, func(s System) []byte { return s.Enc }, encrypting)
}

func (s *Service) registered(ctx context.Context, domain, system string, half func(System) []byte, usage smx509.KeyUsage) ([]byte, error) {
	e, err := s.inForce(ctx, domain)
	if err != nil {
		return nil, err
	}
	sys, ok := e.system(system)
	if !ok || half(sys) == nil {
		return nil, &Refusal{Domain: domain, Subject: system, Cause: ErrUnknown}
	}
	now := s.cfg.Now()
	path, err := e.half(sys, half(sys), usage, now)
	if err != nil {
		return nil, err
	}
	return half(sys), s.current(ctx, e, path, now)
}

// Vouches judges a certificate of the SM2 track that signed something at a time:
// whether the domain stands behind it for the names in it. The path is the caller's
// to find; here it is found again, within the entry.
func (s *Service) Vouches(ctx context.Context, e Entry, der []byte, at time.Time) error {
	c, err := smx509.ParseCertificate(der)
	if err != nil {
		return &Refusal{Domain: e.Domain, Cause: ErrCertificate}
	}
	if trackOf(c) != trackSM2 {
		return &Refusal{Domain: e.Domain, Subject: text.Name(c.Subject), Cause: ErrAlgorithm}
	}
	path, _, err := e.path(c, at, smx509.ExtKeyUsageAny)
	if err != nil {
		return err
	}
	if err := e.end(c, signing); err != nil {
		return err
	}
	return s.current(ctx, e, path, at)
}

// RevokedAt is when a certificate of the SM2 track of some domain was revoked; known
// when a list that is fresh now speaks of it.
func (s *Service) RevokedAt(ctx context.Context, der []byte) (at time.Time, known bool, err error) {
	c, err := smx509.ParseCertificate(der)
	if err != nil || trackOf(c) != trackSM2 {
		return time.Time{}, false, nil
	}
	all, err := s.InForce(ctx)
	if err != nil {
		return time.Time{}, false, err
	}
	for _, e := range all {
		path, _, err := e.path(c, c.NotAfter, smx509.ExtKeyUsageAny)
		if err != nil {
			continue
		}
		l, err := s.list(ctx, e.Domain, path[1])
		if err != nil || l == nil {
			return time.Time{}, false, err
		}
		if x, gone := l.gone[c.SerialNumber.Text(16)]; gone {
			return x.RevocationTime, true, nil
		}
		now := s.cfg.Now()
		return time.Time{}, now.Before(l.next) && now.Sub(l.this) <= e.Stale, nil
	}
	return time.Time{}, false, nil
}

// Refusals of one certificate for one cause stand on the ledger once in this time,
// at each node: a caller that tries again and again writes no book.
const (
	refusalEvery = 10 * time.Minute
	maxRefusals  = 1024
)

type refusals struct {
	mu   sync.Mutex
	last map[string]time.Time // guarded by mu
}

// due says whether a refusal is to be recorded. A full memory is emptied: rather an
// entry twice than none.
func (r *refusals) due(key string, now time.Time) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if t, ok := r.last[key]; ok && now.Sub(t).Abs() < refusalEvery {
		return false
	}
	if r.last == nil || len(r.last) >= maxRefusals {
		r.last = map[string]time.Time{}
	}
	r.last[key] = now
	return true
}

func (s *Service) refuse(ctx context.Context, c *smx509.Certificate, why *Refusal) error {
	print := sum(c.Raw)
	if !s.refused.due(print+why.Cause.Error(), s.cfg.Now()) {
		return nil
	}
	_, err := s.cfg.Recorder.Append(ctx, ledger.Event{
		ID: s.cfg.NewID(), Type: "ca.peer.refused_caller", Class: ledger.ClassAccess, Time: s.now(), Actor: s.cfg.Actor,
		Object: ledger.Object{Kind: "peer_domain", ID: why.Domain}, Outcome: ledger.Failure, Decision: "deny", Payload: print,
		Details: map[string]string{"subject": text.Name(c.Subject), "issuer": text.Name(c.Issuer), "serial": c.SerialNumber.Text(16), "cause": why.Error()},
	})
	if err != nil {
		return fmt.Errorf("peer: record refusal: %w", err)
	}
	return nil
}

// Authorities are those that a TLS handshake lets in, DER: of every domain that was
// ever in force. Whoever comes by one that ended is refused at the request, with an
// entry on the ledger.
func (s *Service) Authorities(ctx context.Context) (out [][]byte, err error) {
	all, err := s.cfg.Register.Peers(ctx, InForce, Withdrawn, Replaced)
	if err != nil {
		return nil, err
	}
	for _, e := range all {
		if !e.SettledAt.IsZero() {
			out = append(append(out, e.Anchors...), e.Issuing...)
		}
	}
	return out, nil
}
