package ca

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"time"

	"github.com/emmansun/gmsm/sm3"
)

// RequestState of an enrolment.
type RequestState string

// Request states: submitted → reviewed → approved → issued; refused before the
// approval, withdrawn by the applicant until the certificates are issued; purged
// years after the last of them (ca/retention).
const (
	RequestSubmitted RequestState = "submitted"
	RequestReviewed  RequestState = "reviewed" // identity checked, evidence recorded (身份核验)
	RequestApproved  RequestState = "approved"
	RequestRefused   RequestState = "refused"
	RequestWithdrawn RequestState = "withdrawn"
	RequestIssued    RequestState = "issued"
	RequestPurged    RequestState = "purged" // its period is over, its evidence gone: it leads to no certificate any more
)

// Purpose of the certificates of a request.
type Purpose string

// Purposes. A test certificate (测试证书) needs no acceptance and no security
// review of the system, says what it is, and opens nothing in production.
const (
	PurposeProduction Purpose = "production"
	PurposeTest       Purpose = "test"
)

// Request asks for the certificates of one system: both tracks by one
// enrolment token. ca/ra takes and decides it.
type Request struct {
	ID           string       `json:"id"`
	Agency       string       `json:"agency"` // unified social credit code
	System       string       `json:"system"`
	CommonName   string       `json:"common_name"`
	Organization string       `json:"organization"`
	Hosts        []string     `json:"hosts"`
	Purpose      Purpose      `json:"purpose"`         // empty in a request from before there were purposes: production
	SubmittedBy  string       `json:"submitted_by"`    // person id
	Batch        string       `json:"batch,omitempty"` // import that brought it
	State        RequestState `json:"state"`
	ReviewedBy   string       `json:"reviewed_by,omitempty"` // who checked identity; empty: nobody yet, or from before that was recorded
	ReviewedAt   time.Time    `json:"reviewed_at,omitzero"`  // whole seconds
	Evidence     []Evidence   `json:"evidence,omitempty"`
	DecidedBy    string       `json:"decided_by,omitempty"`
	Approval     string       `json:"approval,omitempty"` // approval id
	Reason       string       `json:"reason,omitempty"`
	TokenHash    string       `json:"-"`                      // SM3 of the enrolment token, hex; the token itself is never kept
	TokenExpires time.Time    `json:"token_expires,omitzero"` // the approval's end: no token lives longer
	TokenUsed    time.Time    `json:"token_used,omitzero"`
	CreatedAt    time.Time    `json:"created_at"`
}

// Test reports whether its certificates are test certificates.
func (r Request) Test() bool { return r.Purpose == PurposeTest }

// Evidence is one document of the identity check (身份核验, 电子签名法 art. 20;
// GM/T 0034 ch. 12): what was shown, and how the officer made sure of it.
type Evidence struct {
	Kind   EvidenceKind   `json:"kind"`
	Number string         `json:"number,omitempty"` // of the document; never a personal number
	Digest string         `json:"digest,omitempty"` // SM3 of the scan, or salted hash of a personal number (京政发〔2017〕37号 art. 13), hex
	Salt   string         `json:"salt,omitempty"`   // of that hash, hex; empty: Digest is of a scan
	Method EvidenceMethod `json:"method"`
	Note   string         `json:"note,omitempty"`
}

// EvidenceKind says what was shown.
type EvidenceKind string

// Kinds of evidence.
const (
	EvidenceUSCC          EvidenceKind = "uscc_certificate" // 统一社会信用代码证书
	EvidenceAuthorisation EvidenceKind = "authorisation"    // 授权书
	EvidenceHandler       EvidenceKind = "handler_identity" // 经办人身份证件
	EvidenceOther         EvidenceKind = "other"
)

// EvidenceMethod says how it was checked.
type EvidenceMethod string

// Methods of checking.
const (
	MethodOriginal EvidenceMethod = "original" // 核对原件
	MethodCopy     EvidenceMethod = "copy"     // 核对加盖公章的复印件
	MethodRegister EvidenceMethod = "register" // 查询登记信息
	MethodCallBack EvidenceMethod = "callback" // 向单位回访
)

// maxHosts of one request.
const maxHosts = 32

// hostForm is a lower-case host name without wildcard.
const hostForm = `^([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)*[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$`

// HostRule refuses host names that a system may not have in certificates. The
// room that takes requests and the one that issues hold it both: a host may be
// taken off the register in between.
type HostRule struct {
	hosts Hosts
	dns   *regexp.Regexp
}

// NewHostRule asks hosts for what is registered.
func NewHostRule(hosts Hosts) HostRule { return HostRule{hosts, regexp.MustCompile(hostForm)} }

// ValidHosts checks the form alone: 1 to 32 lower-case host names.
func ValidHosts(names []string) bool {
	dns := regexp.MustCompile(hostForm)
	return len(names) > 0 && len(names) <= maxHosts && !slices.ContainsFunc(names, func(n string) bool { return len(n) > 253 || !dns.MatchString(n) })
}

// Admit refuses what is no lower-case DNS name or is not registered.
func (h HostRule) Admit(ctx context.Context, system string, names []string) error {
	if len(names) == 0 || len(names) > maxHosts {
		return fmt.Errorf("%w: 1 to %d hosts", ErrInvalid, maxHosts)
	}
	registered, err := h.hosts.HostsOf(ctx, system)
	if err != nil {
		return fmt.Errorf("ca: read hosts of system: %w", err)
	}
	for _, n := range names {
		if len(n) > 253 || !h.dns.MatchString(n) || !slices.Contains(registered, n) {
			return fmt.Errorf("%w: %q", ErrHost, n)
		}
	}
	return nil
}

// Authorize looks at a token without using it up, or records that nobody knows
// it. EnrolSM2 alone claims it, so that one caller passes; the one-time token of
// the ECDSA track is minted from DualResult.Request.
func (s *Service) Authorize(ctx context.Context, token string) (Request, error) {
	r, err := s.authorize(ctx, token)
	if errors.Is(err, ErrToken) {
		err = s.stranger(ctx, err)
	}
	return r, err
}

func (s *Service) authorize(ctx context.Context, token string) (Request, error) {
	if len(token) != TokenLength {
		return Request{}, ErrToken
	}
	r, err := s.cfg.Registry.RequestByToken(ctx, TokenHash(token), s.cfg.Now().UTC())
	if err != nil {
		return Request{}, fmt.Errorf("ca: look up token: %w", err)
	}
	return r, nil
}

// TokenLength of an enrolment token: 32 bytes, base64url without padding.
const TokenLength = 43

// TokenHash is what the registry keeps of a token; 256 random bits need no salt.
func TokenHash(token string) string {
	sum := sm3.Sum([]byte(token))
	return hex.EncodeToString(sum[:])
}

// RequestDigest is what the RA officer signs: SM3 over the parts that decide
// what will be issued, to whom, and on what evidence. A request from before
// evidence was recorded keeps the digest that was signed then.
func RequestDigest(r Request) string {
	first := struct {
		ID, Agency, System, CommonName, Organization string
		Hosts                                        []string
		SubmittedBy                                  string
	}{r.ID, r.Agency, r.System, r.CommonName, r.Organization, slices.Sorted(slices.Values(r.Hosts)), r.SubmittedBy}
	if r.ReviewedBy == "" {
		return digest("yinxin ca request v1", first)
	}
	return digest("yinxin ca request v2", struct {
		Request    any
		Purpose    Purpose
		ReviewedBy string
		ReviewedAt int64
		Evidence   []Evidence
	}{first, r.Purpose, r.ReviewedBy, r.ReviewedAt.Unix(), r.Evidence})
}

// OpenKey is equal for two requests that ask for the same: a system has one that
// waits for its decision, no second one.
func OpenKey(r Request) string {
	return digest("yinxin ca request open v1", struct {
		System string
		Test   bool
		Hosts  []string
	}{r.System, r.Test(), slices.Sorted(slices.Values(r.Hosts))})
}

// digest is SM3 over a domain line and the JSON of a struct of plain values,
// which is one text for one value.
func digest(domain string, v any) string {
	body, err := json.Marshal(v)
	if err != nil {
		panic("ca: a struct of strings always encodes: " + err.Error())
	}
	sum := sm3.Sum(append([]byte(domain+"\n"), body...))
	return hex.EncodeToString(sum[:])
}
