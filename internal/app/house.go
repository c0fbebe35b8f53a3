package app

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/yinxin-gov/yinxin/authz"
	"github.com/yinxin-gov/yinxin/authz/approval"
	"github.com/yinxin-gov/yinxin/authz/domain"
	"github.com/yinxin-gov/yinxin/authz/grading"
	"github.com/yinxin-gov/yinxin/authz/grant"
	"github.com/yinxin-gov/yinxin/authz/identity"
	"github.com/yinxin-gov/yinxin/authz/ledger"
	"github.com/yinxin-gov/yinxin/authz/reclass"
	"github.com/yinxin-gov/yinxin/authz/route"
	"github.com/yinxin-gov/yinxin/authz/sharing"
	"github.com/yinxin-gov/yinxin/ca"
	"github.com/yinxin-gov/yinxin/ca/anchor"
	"github.com/yinxin-gov/yinxin/ca/authority"
	"github.com/yinxin-gov/yinxin/ca/closing"
	"github.com/yinxin-gov/yinxin/ca/history"
	"github.com/yinxin-gov/yinxin/ca/kmc"
	"github.com/yinxin-gov/yinxin/ca/peer"
	"github.com/yinxin-gov/yinxin/ca/ra"
	"github.com/yinxin-gov/yinxin/ca/retention"
	"github.com/yinxin-gov/yinxin/ca/stale"
	"github.com/yinxin-gov/yinxin/ca/status"
	"github.com/yinxin-gov/yinxin/ca/stepca"
	"github.com/yinxin-gov/yinxin/internal/desk"
	"github.com/yinxin-gov/yinxin/internal/exchange"
	"github.com/yinxin-gov/yinxin/internal/keys"
	"github.com/yinxin-gov/yinxin/internal/notify"
	"github.com/yinxin-gov/yinxin/internal/signin"
	"github.com/yinxin-gov/yinxin/internal/store"
	"github.com/yinxin-gov/yinxin/internal/text"
	"github.com/yinxin-gov/yinxin/internal/token"
	"github.com/yinxin-gov/yinxin/signer"
	"github.com/yinxin-gov/yinxin/signer/life"
	"github.com/yinxin-gov/yinxin/signer/pdfview"
	"github.com/yinxin-gov/yinxin/signer/verify"
)

// Version is shown by status and the API.
const Version = "0.1.0"

// checkpointEvery is how old the newest signed head may get.
const checkpointEvery = 10 * time.Second

// House is every room, built and joined. Fields are ready after Open; Close
// ends it.
type House struct {
	cfg       Config
	custody   *custody
	store     *store.Store
	rooms     *store.Rooms
	anchors   anchors
	own       *ownCertificates
	stamps    stamps
	words     *text.Catalogue
	pages     *pdfview.Viewer
	draftsKey keys.Decrypter // of what the desk keeps

	Ledger       *ledger.Sequencer
	Identity     *identity.Service
	Approvals    *approval.Service
	Grants       *grant.Service   // of persons
	Reclass      *reclass.Service // labels that their provider changes
	Grading      *grading.Service
	Sharing      *sharing.Service
	Consents     *sharing.Consents
	Entries      *sharing.Entries      // the catalogue with its metadata
	Copies       *sharing.Copies       // who keeps what, until when
	Violations   *sharing.Violations   // breaches, and who is suspended for them
	Applications *sharing.Applications // for sharing: answered in time, objected to, sealed
	Clearances   *grading.Clearances
	RA           *ra.Service // takes and decides requests for certificates of systems
	CA           *ca.Service
	StepCA       *stepca.Authority
	CertStatus   *status.Service
	Closing      *closing.Service   // the end of the service, announced by two persons
	Retention    *retention.Service // of what belongs to certificates
	Idle         *stale.Watch       // systems that nobody uses
	Anchored     *anchor.Service    // of others, registered by two persons
	Succession   *authority.Service // of the house's own authorities
	History      *history.Service   // what became of certificates
	Peering      *peer.Service      // trust domains of others
	KMC          *kmc.Centre
	Recoveries   *kmc.Recoveries // of escrowed keys
	Notices      *notify.Service // to systems outside
	Signer       *signer.Service
	Life         *life.Service // of seals: making them and everything but their use
	PDP          *authz.PDP
	Domains      *domain.Service // rules of the agencies' own systems
	Exchange     *exchange.Service
	Signin       *signin.Service
	Desk         *desk.Service  // the people's side, for the console
	Tokens       *token.Service // access tokens of systems
	Routing      *route.Service // what paths of systems stand for

	gate gate // of certificates

	founder   *ca.Service // issues without approval to those of founds()
	founded   sync.Mutex  // held while a person is certified
	raOfficer bool        // guarded by founded: once true, always true

	server     *stepca.ServerCertificate
	trust      *verify.Trust // own authorities and the folder: see trustNow
	trusting   trusting
	peerBounds peerBounds // of peer domains, for decisions
	granted    granted    // to persons, for decisions
}

// now is the clock as events carry it.
func (h *House) now() time.Time { return h.cfg.Now().UTC().Truncate(time.Millisecond) }

// newID makes ids of rows and events: UUIDv7, ordered by time.
func newID() string { return uuid.Must(uuid.NewV7()).String() }

// service is the actor of acts that the house does for itself.
func (h *House) service() ledger.Actor { return h.cfg.actor() }

func (c Config) actor() ledger.Actor {
	return ledger.Actor{Kind: "service", ID: "yinxin", Unit: c.USCC}
}

// Open builds the house over a data folder that Init made, or says why it must
// not run.
func Open(ctx context.Context, cfg Config) (*House, error) {
	cfg = cfg.withDefaults()
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	if err := errors.Join(private(cfg.Dir), founded(cfg)); err != nil {
		return nil, err
	}
	cu, err := openCustody(cfg)
	if err != nil {
		return nil, err
	}
	if err := cu.open(ctx, cfg); err != nil {
		return nil, errors.Join(err, cu.Close())
	}
	return open(ctx, cfg, cu)
}

// open joins the rooms over an opened custody, which it owns from here on.
func open(ctx context.Context, cfg Config, cu *custody) (_ *House, err error) {
	h := &House{cfg: cfg, custody: cu}
	defer func() {
		if err != nil {
			err = errors.Join(err, h.Close())
		}
	}()
	if h.words, err = text.Load(); err != nil {
		return nil, err
	}
	if h.anchors, err = loadAuthorities(cfg.Dir); err != nil {
		return nil, err
	}
	if err = h.anchors.loadAccredited(); err != nil {
		return nil, err
	}
	if err = h.openBase(ctx); err != nil {
		return nil, err
	}
	if err = h.openSuccession(ctx); err != nil {
		return nil, err
	}
	own, err := h.authoritiesDER(ctx)
	if err != nil {
		return nil, err
	}
	if h.trust, err = h.anchors.trust(own); err != nil {
		return nil, err
	}
	if err = h.openPeople(); err != nil {
		return nil, err
	}
	if err = h.openCA(ctx); err != nil {
		return nil, err
	}
	if err = h.openStamps(ctx); err != nil {
		return nil, err
	}
	if err = h.openWork(ctx); err != nil {
		return nil, err
	}
	return h, nil
}

// Close ends the rooms in the order that loses nothing: no new work, then the
// ledger's last checkpoint, then the store, then the keys.
func (h *House) Close() error {
	var errs []error
	if h.Domains != nil {
		errs = append(errs, h.Domains.Close())
	}
	if h.pages != nil {
		errs = append(errs, h.pages.Close())
	}
	if h.draftsKey != nil {
		errs = append(errs, h.draftsKey.Close())
	}
	if h.StepCA != nil {
		errs = append(errs, h.StepCA.Close())
	}
	if h.Ledger != nil {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		errs = append(errs, h.Ledger.Close(ctx))
		cancel()
	}
	if h.store != nil {
		errs = append(errs, h.store.Close())
	}
	if h.custody != nil {
		errs = append(errs, h.custody.Close())
	}
	return errors.Join(errs...)
}
