package desk

import (
	"context"
	"crypto"
	"errors"
	"log/slog"
	"time"

	"github.com/emmansun/gmsm/smx509"

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
	"github.com/yinxin-gov/yinxin/internal/console"
	"github.com/yinxin-gov/yinxin/internal/exchange"
	"github.com/yinxin-gov/yinxin/internal/notify"
	"github.com/yinxin-gov/yinxin/internal/text"
	"github.com/yinxin-gov/yinxin/signer"
	"github.com/yinxin-gov/yinxin/signer/cite"
	"github.com/yinxin-gov/yinxin/signer/life"
	"github.com/yinxin-gov/yinxin/signer/seal"
	"github.com/yinxin-gov/yinxin/signer/verify"
)

// ErrNoKey: the person has not come yet, and has no key.
var ErrNoKey = errors.New("desk: the person has no key yet")

// Beginnings of the ids of orders for certificates, which are those of the keys
// in custody.
const (
	PrefixPerson = "person-"
	PrefixSeal   = "seal-"
)

// People reads who exists.
type People interface {
	identity.Reader
	Persons(ctx context.Context, unit identity.USCC) ([]identity.Person, error)
	Holders(ctx context.Context, unit identity.USCC, role identity.Role) ([]identity.Person, error)
	Uncertified(ctx context.Context) ([]identity.Person, error)
}

// Posts says who holds one of these posts in a unit now.
type Posts interface {
	Holds(ctx context.Context, person string, unit identity.USCC, roles ...identity.Role) (bool, error)
}

// Approvals reads signed answers.
type Approvals interface {
	ApprovalOf(ctx context.Context, kind approval.Kind, id string) (approval.Approval, error)
}

// Counts reads how often a seal was used: see signer.Register.
type Counts interface {
	Taken(ctx context.Context, seal string, all, window time.Time) (signer.Taken, error)
}

// Recorder takes what the desk itself does onto the ledger.
type Recorder interface {
	Append(ctx context.Context, ev ledger.Event) (ledger.Receipt, error)
}

// Answers are signed with a person's own key, opened by the PIN for this one act.
type Answers interface {
	Approve(ctx context.Context, s approval.Subject, person, pin string, approved bool, reason string) (approval.Approval, ledger.Receipt, error)
	// UseSubject and SealSubject are what the leader of a seal's unit signs.
	UseSubject(ctx context.Context, u signer.Use) (approval.Subject, error)
	SealSubject(e signer.Seal) approval.Subject
	// RecoverySubject is what the officers of the house sign next.
	RecoverySubject(r kmc.Recovery) approval.Subject
	// AnchorSubject is what a registration officer signs for a trust anchor.
	AnchorSubject(a anchor.Anchor) approval.Subject
	// GenerationSubject is what one signs for the next authorities of the house.
	GenerationSubject(g authority.Generation) approval.Subject
	// ClosingSubject is what a registration officer signs about the end of the service.
	ClosingSubject(a closing.Act) approval.Subject
	// PeerSubject is what one signs for a peer domain.
	PeerSubject(e peer.Entry) approval.Subject
	// RetentionSubject is what a registration officer signs about a purge.
	RetentionSubject(a retention.Act) approval.Subject
	// RequestSubject is what a registration officer signs for a system.
	RequestSubject(r ca.Request) approval.Subject
	// ViolationSubject is what a second person signs before use is resumed.
	ViolationSubject(v sharing.Violation) approval.Subject
	// ApplicationSubject is what the leader of a unit signs about an application.
	ApplicationSubject(a sharing.Application) (approval.Subject, error)
	// RouteSubject is what the leader of a system's unit signs.
	RouteSubject(r route.Route) approval.Subject
	// DomainSubject is what the leader of the owning unit signs.
	DomainSubject(v domain.Version) approval.Subject
	// ConsentSubject is what the leader of a provider signs.
	ConsentSubject(c sharing.Consent) approval.Subject
	// GrantSubject is what the leader of a unit signs, in an emergency a security officer.
	GrantSubject(g grant.Grant) approval.Subject
}

// Agreements are sealed by their parties, and ended by one.
type Agreements interface {
	// TermsSubject is what the leader of a party signs before its seal goes on the terms.
	TermsSubject(a sharing.Agreement, ask sharing.SealAsk) approval.Subject
	SealApplication(ctx context.Context, id string, unit identity.USCC) error
	AgreementsOf(ctx context.Context, unit identity.USCC) ([]sharing.Agreement, error)
	EndAgreement(ctx context.Context, actor ledger.Actor, id, reason string) error
}

// Documents are judged by the house's own anchors and registers.
type Documents interface {
	Verify(ctx context.Context, document []byte) (verify.Report, error)
	Cite(ctx context.Context, consent, note string) (cite.Citation, error)
}

// Persons are certified by an officer's approval.
type Persons interface {
	// Order is what the officer signs; ErrNoKey before the person's first visit.
	Order(ctx context.Context, person string) (approval.Subject, error)
	Certify(ctx context.Context, person string) error
	// Key is the SM3 of the public key of an order; ErrNoKey when there is none.
	Key(ctx context.Context, order string) (string, error)
}

// Workshop makes seals.
type Workshop interface {
	// Draw makes a picture (样章); the same order gives the same bytes.
	Draw(ctx context.Context, unit identity.USCC, inscription string) (seal.Picture, error)
	// Order is what the officer signs; it makes the seal's key.
	Order(ctx context.Context, e signer.Seal) (approval.Subject, error)
	Make(ctx context.Context, actor ledger.Actor, e signer.Seal, img seal.Picture) error
}

// Roots takes new roots from the ceremony that made them.
type Roots interface {
	NewRoots(ctx context.Context, outcome []byte) ([]*smx509.Certificate, error)
}

// PINs open persons' keys: package signin.
type PINs interface {
	ChangePIN(ctx context.Context, cookie, old, pin string) error
}

// Links are for the first visit of a person, and shown once; Appoint gives a
// further post to somebody who has been here.
type Links interface {
	Appoint(ctx context.Context, actor ledger.Actor, post identity.Post) error
	Invite(ctx context.Context, actor ledger.Actor, p identity.Person, post identity.Post) (console.Hired, error)
	Again(ctx context.Context, actor ledger.Actor, p identity.Person, role identity.Role) (console.Hired, error)
}

// Leavers end posts, and everything of a person who has left.
type Leavers interface {
	EndPost(ctx context.Context, actor ledger.Actor, person, post string) error
	Leave(ctx context.Context, actor ledger.Actor, person string) error
}

// Blobs keep the drafts. What comes here is encrypted; names are the desk's own.
type Blobs interface {
	exchange.Blobs
	// Move gives a blob another name, whole or not at all, and dates it anew.
	Move(ctx context.Context, from, to string) error
	// List names the blobs of a folder with their dates.
	List(ctx context.Context, folder string) (map[string]time.Time, error)
}

// Config of the room. Every field is required.
type Config struct {
	Unit     string // the one that runs the house
	Division string // where seals are numbered

	People    People
	Posts     Posts
	Approvals Approvals
	Counts    Counts
	Ledger    Recorder
	Signer    *signer.Service
	Life      *life.Service
	Answers   Answers
	Documents Documents
	Persons   Persons
	Workshop  Workshop
	Imports   Imports
	Catalogue Catalogue
	Consents  *sharing.Consents
	Domains   *domain.Service
	Grants    *grant.Service
	Reclass   *reclass.Service
	Archiver  Archiver
	Sealed    Sealed
	Links     Links
	Leavers   Leavers
	PINs      PINs
	Notices   *notify.Service

	Authority    Authority
	Suspensions  Suspensions
	Recoveries   *kmc.Recoveries
	Anchors      *anchor.Service
	Succession   *authority.Service
	Roots        Roots
	Closing      *closing.Service
	Peers        *peer.Service
	Retention    *retention.Service
	Routes       *route.Service
	Requests     *ra.Service
	Clearances   *grading.Clearances
	Entries      *sharing.Entries
	Copies       *sharing.Copies
	Violations   *sharing.Violations
	Applications *sharing.Applications
	Agreements   Agreements
	Tokens       Tokens
	AccountKeys  AccountKeys
	Texts        Texts
	Certificates Certificates
	History      *history.Service

	Blobs Blobs
	Key   crypto.Decrypter // opens drafts, and does nothing else
	Certs [][]byte         // of the key, newest first: an older draft is addressed to an older one

	Words *text.Catalogue
	Log   *slog.Logger
	Now   func() time.Time
	NewID func() string // UUIDv7
}

// New checks the configuration.
func New(cfg Config) (*Service, error) {
	for _, missing := range []bool{
		cfg.Unit == "", cfg.People == nil, cfg.Posts == nil, cfg.Approvals == nil, cfg.Counts == nil, cfg.Ledger == nil, cfg.Signer == nil, cfg.Life == nil,
		cfg.Answers == nil, cfg.Documents == nil, cfg.Persons == nil, cfg.Workshop == nil, cfg.Imports == nil, cfg.Catalogue == nil, cfg.Consents == nil, cfg.Domains == nil, cfg.Grants == nil, cfg.Reclass == nil,
		cfg.Archiver == nil, cfg.Sealed == nil, cfg.Links == nil, cfg.Leavers == nil, cfg.PINs == nil, cfg.Notices == nil, cfg.Authority == nil, cfg.Suspensions == nil,
		cfg.Recoveries == nil, cfg.Anchors == nil, cfg.Succession == nil, cfg.Roots == nil, cfg.Closing == nil, cfg.Peers == nil, cfg.Retention == nil, cfg.Routes == nil, cfg.Requests == nil, cfg.Clearances == nil, cfg.Entries == nil, cfg.Copies == nil, cfg.Violations == nil, cfg.Applications == nil, cfg.Agreements == nil, cfg.Tokens == nil, cfg.AccountKeys == nil, cfg.Texts == nil,
		cfg.Certificates == nil, cfg.History == nil, cfg.Blobs == nil, cfg.Key == nil,
		len(cfg.Certs) == 0, cfg.Words == nil, cfg.Log == nil, cfg.Now == nil, cfg.NewID == nil,
	} {
		if missing {
			return nil, errors.New("desk: every field of the configuration is required")
		}
	}
	return &Service{cfg: cfg, drafts: drafts{cfg.Blobs, cfg.Key, cfg.Certs}}, nil
}
