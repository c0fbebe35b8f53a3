package ca

import (
	"context"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/emmansun/gmsm/sm3"

	"github.com/yinxin-gov/yinxin/authz/ledger"
)

// Limits of a request.
const (
	maxHosts = 32
	maxText  = 64 // X.520 upper bound of CN and O, in characters
)

// Decision is what Decide did. Token is the enrolment token, here and never
// again: only its SM3 is kept. It is empty for a refusal.
type Decision struct {
	Request Request
	Token   string
	Receipt ledger.Receipt
}

// Submit takes an enrolment for the system of r. Id, state, submitter and time
// are set here; names have to be registered hosts of the system.
func (s *Service) Submit(ctx context.Context, actor ledger.Actor, r Request) (Request, ledger.Receipt, error) {
	if actor.ID == "" || r.Agency == "" || r.System == "" || r.CommonName == "" || r.Organization == "" {
		return Request{}, ledger.Receipt{}, fmt.Errorf("%w: submitter, agency, system, CN and O", ErrInvalid)
	}
	if len([]rune(r.CommonName)) > maxText || len([]rune(r.Organization)) > maxText {
		return Request{}, ledger.Receipt{}, fmt.Errorf("%w: CN and O have %d characters at most", ErrInvalid, maxText)
	}
	hosts := slices.Compact(slices.Sorted(slices.Values(r.Hosts)))
	if err := s.admitHosts(ctx, r.System, hosts); err != nil {
		return Request{}, ledger.Receipt{}, err
	}
	r = Request{
		ID: s.cfg.NewID(), Agency: r.Agency, System: r.System, CommonName: r.CommonName, Organization: r.Organization, Hosts: hosts,
		SubmittedBy: actor.ID, State: RequestSubmitted, CreatedAt: s.cfg.Now().UTC().Truncate(time.Microsecond),
	}
	ev := s.event("ca.request.submitted", actor, ledger.Object{Kind: "certificate_request", ID: r.ID}, map[string]string{"system": r.System})
	ev.Payload = RequestDigest(r)
	receipt, err := s.cfg.Registry.AddRequest(ctx, r, ev)
	if err != nil {
		return Request{}, ledger.Receipt{}, fmt.Errorf("ca: submit request: %w", err)
	}
	return r, receipt, nil
}

// admitHosts refuses what is no lower-case DNS name or is not registered.
func (s *Service) admitHosts(ctx context.Context, system string, hosts []string) error {
	if len(hosts) == 0 || len(hosts) > maxHosts {
		return fmt.Errorf("%w: 1 to %d hosts", ErrInvalid, maxHosts)
	}
	registered, err := s.cfg.Hosts.HostsOf(ctx, system)
	if err != nil {
		return fmt.Errorf("ca: read hosts of system: %w", err)
	}
	for _, h := range hosts {
		if len(h) > 253 || !s.dns.MatchString(h) || !slices.Contains(registered, h) {
			return fmt.Errorf("%w: %q", ErrHost, h)
		}
	}
	return nil
}

// Decide approves or refuses a submitted request. Whoever asked may not decide.
// An approval counts only when Approver has verified the same person's
// signature over RequestDigest; a refusal needs a reason.
func (s *Service) Decide(ctx context.Context, actor ledger.Actor, id string, approved bool, reason string) (Decision, error) {
	r, err := s.cfg.Registry.Request(ctx, id)
	if err != nil {
		return Decision{}, fmt.Errorf("ca: read request: %w", err)
	}
	switch {
	case r.State != RequestSubmitted:
		return Decision{}, ErrDecided
	case actor.ID == "":
		return Decision{}, fmt.Errorf("%w: who decides", ErrInvalid)
	case actor.ID == r.SubmittedBy:
		return Decision{}, ErrSelf
	case !approved && reason == "":
		return Decision{}, fmt.Errorf("%w: a refusal needs a reason", ErrInvalid)
	}
	r.DecidedBy, r.Reason, r.State = actor.ID, reason, RequestRefused
	token, kind := "", "ca.request.refused"
	if approved {
		if r.Approval, err = s.approved(ctx, actor, r.ID, RequestDigest(r), r.SubmittedBy); err != nil {
			return Decision{}, err
		}
		if token, err = s.newToken(); err != nil {
			return Decision{}, err
		}
		r.State, kind = RequestApproved, "ca.request.approved"
		r.TokenHash = tokenHash(token)
		r.TokenExpires = s.cfg.Now().UTC().Add(s.cfg.TokenValidity).Truncate(time.Microsecond)
	}
	ev := s.event(kind, actor, ledger.Object{Kind: "certificate_request", ID: r.ID}, map[string]string{"system": r.System, "approval": r.Approval})
	ev.Payload = RequestDigest(r)
	receipt, err := s.cfg.Registry.DecideRequest(ctx, r, ev)
	if err != nil {
		return Decision{}, fmt.Errorf("ca: decide request: %w", err)
	}
	return Decision{Request: r, Token: token, Receipt: receipt}, nil
}

// approved asks for the signed approval of digest. It must be the actor's own
// when the actor decides, and never the requester's.
func (s *Service) approved(ctx context.Context, actor ledger.Actor, id, digest, requester string) (string, error) {
	if s.cfg.Approver == nil {
		return "", fmt.Errorf("%w: no approver while the house is founded", ErrNotApproved)
	}
	approval, approver, err := s.cfg.Approver.Approved(ctx, ApprovalKind, id, digest)
	switch {
	case err != nil:
		return "", fmt.Errorf("%w: %w", ErrNotApproved, err)
	case approval == "" || approver == "":
		return "", fmt.Errorf("%w: approval names nobody", ErrNotApproved)
	case approver == requester:
		return "", ErrSelf
	case actor.ID != requester && approver != actor.ID:
		return "", fmt.Errorf("%w: the approval is another person's", ErrNotApproved)
	}
	return approval, nil
}

// Authorize looks at a token without using it up. The order of one enrolment
// for both tracks is: Authorize, check the P-256 request; EnrolSM2, which alone
// claims the token, so that one caller passes; then mint the one-time token of
// the ECDSA track from DualResult.Request.
func (s *Service) Authorize(ctx context.Context, token string) (Request, error) {
	if len(token) != tokenLength {
		return Request{}, ErrToken
	}
	r, err := s.cfg.Registry.RequestByToken(ctx, tokenHash(token), s.cfg.Now().UTC())
	if err != nil {
		return Request{}, fmt.Errorf("ca: look up token: %w", err)
	}
	return r, nil
}

const tokenLength = 43 // 32 bytes, base64url without padding

func (s *Service) newToken() (string, error) {
	raw := make([]byte, 32)
	if _, err := io.ReadFull(s.cfg.Rand, raw); err != nil {
		return "", fmt.Errorf("ca: draw enrolment token: %w", err)
	}
	return base64.RawURLEncoding.EncodeToString(raw), nil
}

// tokenHash is what the registry keeps; 256 random bits need no salt.
func tokenHash(token string) string {
	sum := sm3.Sum([]byte(token))
	return hex.EncodeToString(sum[:])
}

// RequestDigest is what the RA officer signs: SM3 over the parts that decide
// what will be issued, and to whom. Times are left out, stores round them.
func RequestDigest(r Request) string {
	return digest("yinxin ca request v1", struct {
		ID, Agency, System, CommonName, Organization string
		Hosts                                        []string
		SubmittedBy                                  string
	}{r.ID, r.Agency, r.System, r.CommonName, r.Organization, slices.Sorted(slices.Values(r.Hosts)), r.SubmittedBy})
}

// digest is SM3 over a domain line and the JSON of a flat struct, which is one
// text for one value.
func digest(domain string, v any) string {
	body, err := json.Marshal(v)
	if err != nil {
		panic("ca: a flat struct of strings always encodes: " + err.Error())
	}
	sum := sm3.Sum(append([]byte(domain+"\n"), body...))
	return hex.EncodeToString(sum[:])
}
