package app

import (
	"context"
	"errors"
	"fmt"
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

// openBase opens store and ledger.
func (h *House) openBase(ctx context.Context) (err error) {
	if h.store, err = store.Open(ctx, store.Config{URL: h.cfg.Store(), Now: h.cfg.Now, Rand: h.cfg.Rand}); err != nil {
		return fmt.Errorf("app: open store: %w", err)
	}
	head, err := h.store.Ledger().Head(ctx, 0)
	if err != nil {
		return fmt.Errorf("app: ledger: %w", err)
	}
	if head.Checkpoint == nil {
		// Founding ends with a signed checkpoint. Without one anybody who writes
		// to the store could have made a whole new history for us to sign.
		return fmt.Errorf("app: ledger: %w", &ledger.CorruptError{Code: ledger.CodeNoteForm, Detail: "no checkpoint"})
	}
	h.Ledger, err = ledger.New(ctx, ledger.Config{
		Store: h.store.Ledger(), Now: h.cfg.Now, Rand: h.cfg.Rand, Origin: h.cfg.origin(), Signer: h.custody.signer(keyLedger),
		CheckpointEvery: checkpointEvery,
	})
	if err != nil {
		return fmt.Errorf("app: ledger: %w", err)
	}
	h.rooms = h.store.Rooms(h.Ledger)
	return nil
}

// openPeople builds the rooms of persons, approvals, grading and sharing.
func (h *House) openPeople() (err error) {
	now := h.cfg.Now
	if h.Identity, err = identity.New(identity.Config{Register: h.rooms.Identity, Now: now, NewID: newID}); err != nil {
		return err
	}
	good := trust{h.rooms.CA, h.sm2()}.good
	h.Approvals, err = approval.New(approval.Config{
		Store: h.rooms.Approvals, Votes: h.rooms.Approvals, People: h.rooms.Identity, Trust: good, Former: issuedTo{h.rooms.CA, h.sm2()}.person, Asked: h.asked, Deputy: h.deputy, CAUnit: identity.USCC(h.cfg.USCC), Now: now, NewID: newID,
	})
	if err != nil {
		return err
	}
	if err = h.openGrants(); err != nil {
		return err
	}
	if err = h.openReclass(); err != nil {
		return err
	}
	h.Grading, err = grading.New(grading.Config{Registry: h.rooms.Grading, Directory: h.rooms.Identity, Now: now, NewID: newID})
	if err != nil {
		return err
	}
	h.Sharing, err = sharing.New(sharing.Config{
		Catalogue: h.rooms.Sharing, Directory: h.rooms.Identity, Trust: partySeal{h.rooms.Seals, good}.trust, Now: now, NewID: newID,
	})
	if err != nil {
		return err
	}
	h.Consents, err = sharing.NewConsents(sharing.ConsentsConfig{
		Store: h.rooms.Sharing, Catalogue: h.rooms.Sharing, Directory: h.rooms.Identity, Answers: answers{h.Approvals, h.rooms.Approvals}, Now: now, NewID: newID,
	})
	if err != nil {
		return err
	}
	h.Signin, err = signin.New(signin.Config{Store: h.rooms.Signin, People: h.rooms.Identity, Keyring: keyring{h}, Recorder: h.Ledger, Now: now, Rand: h.cfg.Rand, NewID: newID})
	return err
}

// openCA builds both trust tracks on one registry.
func (h *House) openCA(ctx context.Context) (err error) {
	if err = h.openAnchors(); err != nil {
		return err
	}
	if err = h.openClosing(); err != nil {
		return err
	}
	if err = h.openPeers(); err != nil {
		return err
	}
	if err = h.openCatalogue(ctx); err != nil {
		return err
	}
	if err = h.openRetention(); err != nil {
		return err
	}
	if err = h.openKMC(); err != nil {
		return err
	}
	if err = h.openRA(); err != nil {
		return err
	}
	wrapper, err := h.custody.wrappers(h.cfg)
	if err != nil {
		return err
	}
	cfg := ca.Config{
		Registry: h.rooms.CA, Approver: caApprover{h.Approvals}, Gate: h.gate, Horizon: h.Closing, Hosts: hosts{h.rooms.Facts},
		KMC: h.KMC, Suspensions: h.rooms.CA, Persons: h.rooms.CA, Deliveries: h.rooms.CA, Recorder: h.Ledger, SM2: h.sm2(),
		Site: h.cfg.site(), Now: h.cfg.Now, Rand: h.cfg.Rand, NewID: newID,
	}
	if h.CA, err = ca.New(cfg); err != nil {
		return err
	}
	cfg.Founding = true
	if h.founder, err = ca.New(cfg); err != nil {
		return err
	}
	h.StepCA, err = stepca.New(ctx, stepca.Config{
		Registry: h.rooms.CA, Issuers: h.ecdsa(),
		Address: h.cfg.Public, DNSNames: h.cfg.Names, Hosts: hosts{h.rooms.Facts}, Gate: h.gate, Horizon: h.Closing,
		Recorder: h.Ledger, Agency: h.cfg.USCC, ACME: h.rooms.ACME, Pairs: h.CA, Wrapper: wrapper, Resolver: register{h.rooms.Identity}, Site: h.cfg.site(), Now: h.cfg.Now, Rand: h.cfg.Rand, Log: h.cfg.Log,
	})
	if err != nil {
		return err
	}
	if err = h.openIdle(); err != nil {
		return err
	}
	if err = h.openHistory(); err != nil {
		return err
	}
	if h.CertStatus, err = h.openStatus(ctx); err != nil {
		return err
	}
	if err = h.succeed(ctx); err != nil {
		return err
	}
	if err = h.openOwn(ctx); err != nil {
		return err
	}
	return h.openNotices()
}

// openWork builds what does the main job.
func (h *House) openWork(ctx context.Context) (err error) {
	h.PDP, err = authz.New(ctx, authz.Config{
		Facts: authz.NewFacts(authz.FactsConfig{
			People: h.rooms.Index, Sharing: h.rooms.Index, Revision: h.rooms.Index, Peers: &h.peerBounds, Grants: &h.granted, Transits: h.rooms.Transfers,
			Copies: h.rooms.Index, Quotes: quotes{h.Consents},
			Grading: grading.Bound{Source: h.rooms.Index, Profile: grading.Notice2025()},
		}),
		Recorder: h.Ledger, Archive: h.store.Decisions(), Now: h.cfg.Now, NewID: newID,
	})
	if err != nil {
		return fmt.Errorf("app: decision point: %w", err)
	}
	if err = h.openRoutes(); err != nil {
		return err
	}
	if err = h.openDomains(); err != nil {
		return err
	}
	if err = h.openTokens(); err != nil {
		return err
	}
	h.pages = pdfview.New(pdfview.Config{Fonts: pdfview.SystemFonts()})
	if err = h.openLife(); err != nil {
		return err
	}
	if err = h.endSeals(ctx); err != nil {
		return err
	}
	h.Signer, err = signer.New(signer.Config{
		Register: h.rooms.Seals, Approver: useApprover{h.Approvals, h.rooms.Seals}, Consents: h.citations(), Batches: h.rooms.Seals,
		Keys: h.custody, Now: h.cfg.Now, NewID: newID,
		Stamper: h.stamps.sm2, Finder: h.pages, Ender: h.Life,
		ApprovalLife: h.cfg.approvalLife(), Excluded: h.cfg.exclusions(),
	})
	if err != nil {
		return err
	}
	if err = h.resumeApplications(ctx); err != nil {
		return err
	}
	if h.Desk, err = h.openDesk(ctx); err != nil {
		return err
	}
	if err = errors.Join(h.Desk.Sweep(ctx), h.endLeavers(ctx)); err != nil {
		return err
	}
	h.Exchange, err = exchange.New(exchange.Config{
		Store: h.rooms.Transfers, Decider: h.PDP, Seals: sealed{h.Verify}, Certificates: certificates{h.rooms.CA, h.Peering, h.cfg.Now},
		Systems: h.rooms.Identity, Catalogue: h.rooms.Sharing, Blobs: h.blobs(), Decisions: decided{h}, Confirmations: h.rooms.Transfers,
		Signer: h.custody.signer(keyExchange), Certificate: h.own.signing(keyExchange), Now: h.cfg.Now, NewID: newID,
	})
	return err
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
