package stepca

import (
	"context"
	"fmt"
	"net"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/smallstep/certificates/acme"

	"github.com/yinxin-gov/yinxin/authz/ledger"
	"github.com/yinxin-gov/yinxin/ca/acmestore"
)

const (
	acmeName       = "acme" // of the provisioner, hence /acme/acme/directory
	defaultKeyLife = 72 * time.Hour
	nonceLife      = time.Hour
	nonceSweep     = 10 * time.Minute
	// claimLife is how long one caller may issue on an order; it is longer than
	// callTime, so that nobody is overtaken while still at work.
	claimLife = time.Minute
)

// acmeServer is the ACME half of the authority (RFC 8555): the handlers of
// smallstep on our store, our validator and our certificate service.
//
// An account belongs to one system: external account binding is required, and
// a key for it comes from an approved request only (CreateEAB). An order is
// refused at once when a host was not approved with that request, is not
// registered any more, or the Gate stops the system; all three are asked again
// when the certificate is made.
type acmeServer struct {
	a       *Authority
	store   acmestore.Store
	pairs   PairIssuer // nil: SM2 requests are refused
	probe   *prober
	linker  acme.Linker
	wrapper Wrapper
	keyLife time.Duration
	hosts   []string // of the Host header: links and signed URLs name no other

	mu    sync.Mutex
	swept time.Time // when expired nonces were dropped
}

func newACMEServer(a *Authority, cfg Config) *acmeServer {
	s := &acmeServer{
		a: a, store: cfg.ACME, pairs: cfg.Pairs, wrapper: cfg.Wrapper, keyLife: cfg.KeyLife, hosts: []string{strings.ToLower(cfg.Address)},
		probe: newProber(a.life, cfg.Resolver, registerOfTexts{cfg.ACME, cfg.Now}, cfg.HTTPPort, cfg.TLSPort),
	}
	if host, port, err := net.SplitHostPort(cfg.Address); err == nil && port == "443" {
		s.hosts = append(s.hosts, strings.ToLower(host)) // clients leave the default port out
	}
	s.linker = linker{Linker: acme.NewLinker(cfg.Address, "/acme"), s: s}
	return s
}

func (s *acmeServer) newID() (string, error) {
	id, err := uuid.NewV7FromReader(s.a.rand)
	if err != nil {
		return "", fmt.Errorf("stepca: draw id: %w", err)
	}
	return id.String(), nil
}

// visit is what one request gathers on its way through smallstep's handlers,
// which write row by row what we commit as a whole.
type visit struct {
	id          string // of the request
	owner       acmestore.Account
	newcomer    acmestore.Account // waits for its key to be bound
	proofs      []acmestore.Authorization
	order       string // claimed by this request
	claim       time.Time
	certificate string // made by this request
	proved      bool   // the owner has signed it; smallstep's handlers say so in the context
	track       string // of it, when it is not ECDSA
}

type visitKey struct{}

// visitOf never fails: the middleware puts a visit into every request.
func visitOf(ctx context.Context) *visit {
	v, ok := ctx.Value(visitKey{}).(*visit)
	if !ok {
		return &visit{}
	}
	return v
}

// actor is the system behind the account of this request.
func (v *visit) actor() ledger.Actor {
	return ledger.Actor{Kind: "system", ID: v.owner.System, Unit: v.owner.Agency}
}

// mark names the track that a request turned out to be about.
func (v *visit) mark(ev ledger.Event) {
	if v.track != "" {
		ev.Details["track"] = v.track
	}
}

// event of an act within a request.
func (s *acmeServer) event(v *visit, kind string, actor ledger.Actor, object ledger.Object, request string) (ledger.Event, error) {
	ev, err := newEvent(s.a.rand, s.a.now(), kind, actor, object)
	if err != nil {
		return ev, err
	}
	ev.Request = v.id
	v.mark(ev)
	ev.Details["certificate_request"] = request
	return ev, nil
}
