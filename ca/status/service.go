package status

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/emmansun/gmsm/sm2"
	"github.com/emmansun/gmsm/smx509"

	"github.com/yinxin-gov/yinxin/authz/ledger"
	"github.com/yinxin-gov/yinxin/ca"
	"github.com/yinxin-gov/yinxin/ca/lint/crl"
	"github.com/yinxin-gov/yinxin/ca/profile"
)

// Config of a Service. Fields without another word are required.
type Config struct {
	Authorities []Authority
	Registry    Registry
	Lists       Lists
	Published   Published
	// Changes lets Run keep rows that it knows to be unchanged; nil: each answer
	// reads its row.
	Changes Changes
	// Site says which addresses certificates name. CRL ends in "{issuer}.crl";
	// Shards is how many partitions are published beside the complete list.
	Site  profile.Site
	Actor ledger.Actor // who publishes lists: the house
	Now   func() time.Time
	Rand  io.Reader
	NewID func() string // ids of ledger events, UUIDv7
	Log   *slog.Logger  // failures of the timer, of answers; nil: nowhere

	FullEvery    time.Duration // 0: 12 hours
	FullValidity time.Duration // thisUpdate to nextUpdate; 0: three times FullEvery
	// OfflineValidity is that of the lists of an offline authority; 0: 190 days, for
	// a ceremony every half year.
	OfflineValidity time.Duration
	DeltaEvery      time.Duration // 0: 30 minutes
	DeltaValidity   time.Duration // 0: three times DeltaEvery
	// ExpiredMargin is how long an expired certificate stays listed, at least
	// FullValidity: it has to appear on a full list after its end (RFC 5280
	// 3.3). 0: FullValidity and a day.
	ExpiredMargin time.Duration

	// Final is how long the lists of an authority speak once its service has ended,
	// and zero before: to the end of the last certificate, for the key may go
	// (RFC 5280 5.1.2.5). Such a list keeps expired certificates, is complete, and
	// names no delta. nil: no service ends.
	Final func(ctx context.Context, issuerID string) (time.Time, error)

	OCSPValidity time.Duration // of an answer; 0: one hour
	// MaxAge lets HTTP caches answer in our place for so long, at most until
	// nextUpdate. 0: caches ask again each time, so that a revocation is seen
	// at once; an unchanged answer then costs a 304 and no signature.
	MaxAge time.Duration
	// Delegate makes a responder for an authority, with its key; it is called when
	// somebody asks for an answer. nil: authorities sign themselves, but for those
	// with a Responder.
	Delegate func(ctx context.Context, issuerID string) (*smx509.Certificate, crypto.Signer, error)
	// CacheSize bounds the signed answers kept, which serve again while the row
	// is unchanged. 0: 4096; negative: none.
	CacheSize int
}

// Authority is one issuer that the service speaks for.
type Authority struct {
	Certificate *smx509.Certificate
	Signer      crypto.Signer // its key, from custody; signs messages. nil when Offline
	Offline     bool          // the key is in a ceremony room: see Service.Order
	// Responder signs OCSP answers in place of the authority (profiles sm2-ocsp
	// and ecdsa-ocsp), with ResponderKey, until Config.Delegate makes the next.
	// Both nil: the authority signs itself.
	Responder    *smx509.Certificate
	ResponderKey crypto.Signer
}

// Service builds lists and answers OCSP. It is safe for concurrent use.
type Service struct {
	cfg     Config
	adding  sync.Mutex                // held while an authority is added
	issuers atomic.Pointer[[]*issuer] // never nil after New; only ever grows
	linter  *crl.Linter
	cache   *answers
	rows    *rows
	served  *listCache
}

// issuer is an Authority, checked.
type issuer struct {
	Authority
	id     string
	shards []string // "" is the complete list
	hashes []issuerHash
	lists  signing
	answer atomic.Pointer[signing] // who signs OCSP; nil: nobody

	renewing sync.Mutex
	renewed  time.Time // guarded by renewing: last try
}

// New refuses an authority that does not fit its key, and a timer under which
// lists would end before the next one comes.
func New(cfg Config) (*Service, error) {
	switch {
	case cfg.Registry == nil, cfg.Lists == nil, cfg.Published == nil, cfg.Now == nil, cfg.Rand == nil, cfg.NewID == nil:
		return nil, errors.New("status: needs registry, lists, clock, randomness and ids")
	case cfg.Actor.Kind == "" || cfg.Actor.ID == "":
		return nil, errors.New("status: needs the actor of its events")
	case len(cfg.Authorities) == 0:
		return nil, errors.New("status: speaks for no authority")
	case !strings.HasSuffix(cfg.Site.CRL, "/{issuer}.crl"):
		return nil, errors.New("status: addresses of lists have to end in /{issuer}.crl")
	}
	if err := cfg.Site.Validate(); err != nil {
		return nil, err
	}
	if err := cfg.times(); err != nil {
		return nil, err
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.CacheSize == 0 {
		cfg.CacheSize = 4096
	}
	s := &Service{cfg: cfg, linter: crl.New(), cache: newAnswers(cfg.CacheSize), rows: newRows(), served: newListCache()}
	s.issuers.Store(&[]*issuer{})
	for _, a := range cfg.Authorities {
		if err := s.Add(a); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// ErrKnown: the service speaks for that authority already.
var ErrKnown = errors.New("status: authority is given twice")

// Add lets the service speak for one more authority from now on: one that a house
// made after it was founded.
func (s *Service) Add(a Authority) error {
	i, err := newIssuer(a, s.cfg.Site.Shards, s.cfg.Now())
	if err != nil {
		return err
	}
	s.adding.Lock()
	defer s.adding.Unlock()
	if s.issuer(i.id) != nil {
		return fmt.Errorf("%w: %q", ErrKnown, a.Certificate.Subject)
	}
	all := append(slices.Clone(*s.issuers.Load()), i)
	s.issuers.Store(&all)
	return nil
}

func (c *Config) times() error {
	for _, d := range []struct {
		is   *time.Duration
		zero func() time.Duration
	}{
		{&c.FullEvery, func() time.Duration { return 12 * time.Hour }},
		{&c.FullValidity, func() time.Duration { return 3 * c.FullEvery }},
		{&c.OfflineValidity, func() time.Duration { return 190 * 24 * time.Hour }},
		{&c.DeltaEvery, func() time.Duration { return 30 * time.Minute }},
		{&c.DeltaValidity, func() time.Duration { return 3 * c.DeltaEvery }},
		{&c.ExpiredMargin, func() time.Duration { return c.FullValidity + 24*time.Hour }},
		{&c.OCSPValidity, func() time.Duration { return time.Hour }},
	} {
		if *d.is == 0 {
			*d.is = d.zero()
		}
		// Lists and answers carry whole seconds.
		if *d.is < time.Second {
			return fmt.Errorf("status: a period of %s", *d.is)
		}
	}
	switch {
	case c.FullEvery > c.FullValidity || c.DeltaEvery > c.DeltaValidity:
		return errors.New("status: a list would end before the next one comes")
	case c.ExpiredMargin < c.FullValidity:
		return errors.New("status: an expired certificate has to stay listed for the validity of a full list")
	case c.MaxAge < 0:
		return errors.New("status: MaxAge is negative")
	}
	return nil
}

func newIssuer(a Authority, shards int, now time.Time) (*issuer, error) {
	if a.Certificate == nil || (a.Signer == nil) != a.Offline {
		return nil, errors.New("status: an authority without certificate or key, or an offline one with it")
	}
	name := a.Certificate.Subject.String()
	i := &issuer{Authority: a, id: ca.IssuerID(a.Certificate), shards: []string{""}}
	var err error
	if i.lists, err = newSigning(a.Certificate, a.Signer); err != nil {
		return nil, fmt.Errorf("status: authority %q: %w", name, err)
	}
	if !i.offline() {
		lists := i.lists
		i.answer.Store(&lists)
		for n := 1; shards > 1 && n <= shards; n++ {
			i.shards = append(i.shards, fmt.Sprintf("%dof%d", n, shards))
		}
	}
	if i.hashes, err = issuerHashes(a.Certificate); err != nil {
		return nil, fmt.Errorf("status: authority %q: %w", name, err)
	}
	if a.Responder == nil && a.ResponderKey == nil {
		return i, nil
	}
	return i, i.delegate(a.Responder, a.ResponderKey, now)
}

func (s *Service) issuer(id string) *issuer {
	for _, i := range *s.issuers.Load() {
		if i.id == id {
			return i
		}
	}
	return nil
}

// Issuers are the ids of all authorities, as in addresses.
func (s *Service) Issuers() []string {
	all := *s.issuers.Load()
	out := make([]string, len(all))
	for n, i := range all {
		out[n] = i.id
	}
	return out
}

// signing is a key with the way it signs messages.
type signing struct {
	cert  *smx509.Certificate
	key   crypto.Signer
	opts  crypto.SignerOpts
	sm2   bool
	embed []byte // DER for the answer's certs; nil: the receiver has it
}

// newSigning takes no key for an offline authority: it then only names the algorithm.
func newSigning(cert *smx509.Certificate, key crypto.Signer) (signing, error) {
	certified, ok := cert.PublicKey.(*ecdsa.PublicKey)
	if !ok {
		return signing{}, errors.New("the certificate is of no elliptic curve key")
	}
	if key != nil {
		if public, ok := key.Public().(*ecdsa.PublicKey); !ok || !public.Equal(certified) {
			return signing{}, errors.New("the signer does not hold the key of the certificate")
		}
	}
	s := signing{cert: cert, key: key, opts: crypto.SHA256}
	if s.sm2 = certified.Curve == sm2.P256(); s.sm2 {
		s.opts = sm2.DefaultSM2SignerOpts
	}
	return s, nil
}

func (g signing) sign(rand io.Reader, msg []byte) ([]byte, error) {
	return crypto.SignMessage(g.key, rand, msg, g.opts)
}

func (g signing) algorithm() smx509.SignatureAlgorithm {
	if g.sm2 {
		return smx509.SM2WithSM3
	}
	return smx509.ECDSAWithSHA256
}
