package app

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/yinxin-gov/yinxin/ca"
	"github.com/yinxin-gov/yinxin/internal/keys"
	"github.com/yinxin-gov/yinxin/signer/cms/tsp"
	"github.com/yinxin-gov/yinxin/signer/tsa"
)

// lookAgain is how long a certificate counts as good without asking the
// registry: a revocation is seen within a second.
const lookAgain = time.Second

// quiet is how long the same trouble is not logged again, nor a failed renewal
// tried again.
const quiet = time.Minute

// stampTrack makes time-stamps of one algorithm. Its certificate renews itself
// with the same key once a third of its life is over, so that every token is
// good for two thirds of it.
type stampTrack struct {
	house   *House
	spec    keys.Spec
	file    string     // of the certificate, for whoever asks for tokens without one
	issuers ca.Issuers // who issued its certificate is carried in tokens
	issue   func(context.Context, keys.Signer) (ca.Certificate, error)
	key     keys.Signer

	mu      sync.Mutex
	service *tsa.Service   // guarded by mu
	cert    ca.Certificate // guarded by mu
	looked  time.Time      // guarded by mu: when the registry was asked
	renewed time.Time      // guarded by mu: last try
	logged  time.Time      // guarded by mu
}

// openTrack finds key and certificate, or makes what was never there. A key that
// is gone while its certificate is in force was lost or taken away: that is not
// healed by a new one.
func (h *House) openTrack(ctx context.Context, spec keys.Spec, file string, issuers ca.Issuers, issue func(context.Context, keys.Signer) (ca.Certificate, error)) (*stampTrack, error) {
	t := &stampTrack{house: h, spec: spec, file: file, issuers: issuers, issue: issue}
	last, err := t.newest(ctx)
	if err != nil {
		return nil, err
	}
	t.key, err = h.custody.openLater(ctx, spec)
	if errors.Is(err, keys.ErrNotFound) && (last.State != ca.StateGood || h.cfg.Now().After(last.NotAfter)) {
		if _, err = h.custody.dir.Create(ctx, spec); err != nil {
			return nil, fmt.Errorf("app: make key %s: %w", spec.ID, err)
		}
		last = ca.Certificate{}
		t.key, err = h.custody.openLater(ctx, spec)
	}
	if err != nil {
		return nil, fmt.Errorf("app: open key %s: %w", spec.ID, err)
	}
	if last.DER == nil || h.cfg.Now().After(last.NotAfter) {
		err := t.renew(ctx)
		if !errors.Is(err, ca.ErrClosing) || last.DER == nil { // a service that ends goes on with what it has
			return t, err
		}
	}
	return t, t.use(ctx, last)
}

// newest is the last certificate that was signed for the service; without one it
// is empty.
func (t *stampTrack) newest(ctx context.Context) (ca.Certificate, error) {
	all, err := t.house.rooms.CA.CertificatesOf(ctx, t.spec.ID)
	if err != nil {
		return ca.Certificate{}, fmt.Errorf("app: certificates of %s: %w", t.spec.ID, err)
	}
	var last ca.Certificate
	for _, c := range all {
		if c.Signed() && !c.NotBefore.Before(last.NotBefore) {
			last = c
		}
	}
	return last, nil
}

// renew certifies the key and answers with the new certificate from here on.
func (t *stampTrack) renew(ctx context.Context) error {
	row, err := t.issue(ctx, t.key)
	if err != nil {
		return fmt.Errorf("app: certificate of %s: %w", t.spec.ID, err)
	}
	if err := t.use(ctx, row); err != nil {
		return err
	}
	return saveCert(t.house.cfg.Dir, t.file, row.DER)
}

// use answers with a certificate. The new service starts from the newest time
// that the house gave out, as a time-stamp or in the ledger.
func (t *stampTrack) use(ctx context.Context, row ca.Certificate) error {
	h := t.house
	if now := h.cfg.Now(); now.Before(row.NotBefore) {
		return fmt.Errorf("%w: it stands before the certificate of %s, of %s", tsa.ErrClock, t.spec.ID, row.NotBefore.UTC().Format(time.RFC3339))
	}
	_, by, err := certificateOf(ctx, t.issuers, row.DER)
	if err != nil {
		return fmt.Errorf("app: certificate of %s: %w", t.spec.ID, err)
	}
	policy, err := h.stampPolicy()
	if err != nil {
		return err
	}
	last := time.UnixMilli(h.Ledger.Head().Time)
	if t.service != nil && t.service.Last().After(last) {
		last = t.service.Last()
	}
	s, err := tsa.New(tsa.Config{
		Key: t.key, CertDER: row.DER, Chain: [][]byte{by.Certificate.Raw}, Policy: policy, Accuracy: stampAccuracy,
		Now: h.cfg.Now, Synchronised: h.synchronised, Rand: h.cfg.Rand, Recorder: t, Last: last,
	})
	if err != nil {
		return fmt.Errorf("app: time-stamp service %s: %w", t.spec.ID, err)
	}
	t.service, t.cert, t.looked = s, row, time.Time{}
	return nil
}

// certificate is the one in force, DER.
func (t *stampTrack) certificate() []byte {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.cert.DER
}

// current is the service in force, or why there is none.
func (t *stampTrack) current(ctx context.Context) (*tsa.Service, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	now := t.house.cfg.Now()
	if d := now.Sub(t.looked); d >= 0 && d < lookAgain {
		return t.service, nil
	}
	row, err := t.house.rooms.CA.Certificate(ctx, t.cert.Issuer, t.cert.Serial)
	if err != nil {
		return nil, fmt.Errorf("app: certificate of %s: %w", t.spec.ID, err)
	}
	if row.State != ca.StateGood {
		return nil, fmt.Errorf("%w: %s is %s", errStampCertificate, t.spec.ID, row.State)
	}
	if now.After(row.NotBefore.Add(row.NotAfter.Sub(row.NotBefore)/3)) && now.Sub(t.renewed) > quiet {
		t.renewed = now
		if err := t.renew(ctx); err != nil {
			t.house.cfg.Log.ErrorContext(ctx, "renewing the certificate of the time-stamp service failed", "key", t.spec.ID, "serves_until", row.NotAfter, "error", err)
		}
	}
	t.looked = now
	return t.service, nil
}

// Issue implements tsa.Issuer.
func (t *stampTrack) Issue(ctx context.Context, r tsp.Request) ([]byte, error) {
	return t.ask(ctx, func(s *tsa.Service) ([]byte, error) { return s.Issue(ctx, r) })
}

// Stamp implements signer.Stamper: the seals of the house need no way through HTTP.
func (t *stampTrack) Stamp(ctx context.Context, value []byte) ([]byte, error) {
	return t.ask(ctx, func(s *tsa.Service) ([]byte, error) { return s.Stamp(ctx, value) })
}

func (t *stampTrack) ask(ctx context.Context, stamp func(*tsa.Service) ([]byte, error)) ([]byte, error) {
	s, err := t.current(ctx)
	if err != nil {
		return nil, t.log(ctx, err)
	}
	token, err := stamp(s)
	if err != nil && !errors.Is(err, tsa.ErrPolicy) {
		return nil, t.log(ctx, err)
	}
	return token, err
}

// log tells the operator why there is no token: callers learn the kind of
// trouble only. Strangers may call as often as they like.
func (t *stampTrack) log(ctx context.Context, err error) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if now := t.house.cfg.Now(); now.Sub(t.logged).Abs() > quiet {
		t.logged = now
		t.house.cfg.Log.ErrorContext(ctx, "no time-stamp", "key", t.spec.ID, "error", err)
	}
	return err
}
