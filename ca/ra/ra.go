// Package ra is the registration authority (注册审核): it takes requests for the
// certificates of agency systems and decides them, before package ca issues.
//
// The way of a request is submitted → reviewed → approved → issued. The
// administrator of an agency (机关系统管理员) submits one for a system of the own
// agency, with host names out of those registered for it. An officer checks
// identity and records the evidence (身份核验, 电子签名法 art. 20; GM/T 0034
// ch. 12). A second officer approves with a signature over the whole, evidence
// included; who submitted and who checked can be neither of them the one who
// approves. The applicant then draws the enrolment token: it is made at that
// moment, shown once, and kept only as a hash; a new one ends the old one, and
// none outlives the approval.
//
// It refuses a host outside the register, a system of another agency, another name
// of the agency than the registered one (西政办发〔2011〕8号 art. 2), an approval
// without evidence or of a system that the Gate stops, a refusal without a
// reason, and a personal number in any text: of such a number only a salted hash
// is kept (京政发〔2017〕37号 art. 13).
package ra

import (
	"context"
	"errors"
	"io"
	"maps"
	"regexp"
	"time"

	"github.com/yinxin-gov/yinxin/authz/ledger"
	"github.com/yinxin-gov/yinxin/ca"
	"github.com/yinxin-gov/yinxin/ca/lint"
)

// Outcomes that callers branch on, beside those of package ca.
var (
	ErrApplicant = errors.New("ra: not an administrator of the system's agency")
	ErrOfficer   = errors.New("ra: not an officer who may check or refuse requests")
	ErrEvidence  = errors.New("ra: evidence of the identity check is missing or does not fit")
	ErrOpen      = errors.New("ra: the same request is open already")
	ErrEnded     = errors.New("ra: the approval has run out")
	ErrImport    = errors.New("ra: lines of the import do not fit")
)

// Requests is the store of this room. Each mutating method commits rows and
// event in one transaction; guarded updates decide races.
type Requests interface {
	// AddRequests adds submitted requests, all or nothing; ErrOpen when another
	// one with the same ca.OpenKey waits for its decision, ca.ErrExists for an id.
	AddRequests(ctx context.Context, rs []ca.Request, ev ledger.Event) (ledger.Receipt, error)
	// ReviewRequest moves submitted → reviewed and stores ReviewedBy, ReviewedAt
	// and Evidence; ca.ErrDecided when it is not submitted any more.
	ReviewRequest(ctx context.Context, r ca.Request, ev ledger.Event) (ledger.Receipt, error)
	// DecideRequest moves reviewed → approved, or submitted and reviewed → refused
	// (r.State), and stores DecidedBy, Approval, Reason and TokenExpires;
	// ca.ErrDecided when it stands elsewhere, ca.ErrSelf when who submitted or
	// checked it approves.
	DecideRequest(ctx context.Context, r ca.Request, ev ledger.Event) (ledger.Receipt, error)
	// WithdrawRequest moves what is not issued, refused or withdrawn → withdrawn,
	// stores Reason and ends the token; ca.ErrDecided as above.
	WithdrawRequest(ctx context.Context, r ca.Request, ev ledger.Event) (ledger.Receipt, error)
	// SetToken gives an approved request a token in place of the one before;
	// ca.ErrDecided when it is not approved or the approval has ended at now.
	SetToken(ctx context.Context, id, tokenHash string, now time.Time, ev ledger.Event) (ledger.Receipt, error)
	Request(ctx context.Context, id string) (ca.Request, error)
	// Requests lists newest first.
	Requests(ctx context.Context, q Query) ([]ca.Request, error)
}

// Query chooses requests. Empty fields choose all.
type Query struct {
	Agency      string
	SubmittedBy string
	States      []ca.RequestState
	Limit       int // 0: 200
}

// Systems is the register of systems: ca.ErrNotFound for one that is not there.
type Systems interface {
	ca.Hosts
	// AgencyOf returns code and registered name of the agency that has the system.
	AgencyOf(ctx context.Context, system string) (uscc, name string, err error)
}

// Staff says who holds which post today.
type Staff interface {
	// Administers: an administrator (机关系统管理员) of the agency.
	Administers(ctx context.Context, person, agency string) (bool, error)
	// Checks: one who may check identity and refuse, of the unit that runs the CA.
	Checks(ctx context.Context, person string) (bool, error)
}

// Config of a Service. Fields without another word are required.
type Config struct {
	Requests Requests
	Systems  Systems
	Staff    Staff
	Approver ca.Approver
	Gate     ca.Gate // nil: every system may have certificates
	Now      func() time.Time
	Rand     io.Reader
	NewID    func() string // UUIDv7
	// ApprovalLife is how long an approval can be turned into certificates; 0: 72 hours.
	ApprovalLife time.Duration
}

const defaultApprovalLife = 72 * time.Hour

// Service takes and decides requests. It is safe for concurrent use.
type Service struct {
	cfg      Config
	hosts    ca.HostRule
	personal *regexp.Regexp
}

// New refuses an incomplete Config.
func New(c Config) (*Service, error) {
	if c.Requests == nil || c.Systems == nil || c.Staff == nil || c.Approver == nil || c.Now == nil || c.Rand == nil || c.NewID == nil {
		return nil, errors.New("ra: needs requests, systems, staff, approver, clock, randomness and ids")
	}
	if c.ApprovalLife < 0 {
		return nil, errors.New("ra: the life of an approval is negative")
	}
	if c.ApprovalLife == 0 {
		c.ApprovalLife = defaultApprovalLife
	}
	return &Service{cfg: c, hosts: ca.NewHostRule(c.Systems), personal: lint.PersonalNumber()}, nil
}

// Request returns one request.
func (s *Service) Request(ctx context.Context, id string) (ca.Request, error) {
	return s.cfg.Requests.Request(ctx, id)
}

// Requests lists requests; who may see them is the caller's to ask.
func (s *Service) Requests(ctx context.Context, q Query) ([]ca.Request, error) {
	return s.cfg.Requests.Requests(ctx, q)
}

// ApprovalLife is how long an approval can be turned into certificates.
func (s *Service) ApprovalLife() time.Duration { return s.cfg.ApprovalLife }

func (s *Service) now() time.Time { return s.cfg.Now().UTC().Truncate(time.Microsecond) }

// event is about one request; its payload is what an officer signs or would sign.
func (s *Service) event(kind string, actor ledger.Actor, r ca.Request, details map[string]string) ledger.Event {
	if details == nil {
		details = map[string]string{}
	}
	details["system"] = r.System
	maps.DeleteFunc(details, func(_, v string) bool { return v == "" })
	return ledger.Event{
		ID: s.cfg.NewID(), Type: kind, Class: ledger.ClassCertificate, Time: s.cfg.Now().UTC().Truncate(time.Millisecond),
		Actor: actor, Object: ledger.Object{Kind: "certificate_request", ID: r.ID}, Outcome: ledger.Success,
		Details: details, Payload: ca.RequestDigest(r),
	}
}
