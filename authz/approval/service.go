package approval

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/subtle"
	"errors"
	"fmt"
	"time"

	"github.com/emmansun/gmsm/sm2"
	"github.com/emmansun/gmsm/smx509"

	"github.com/yinxin-gov/yinxin/authz/identity"
	"github.com/yinxin-gov/yinxin/authz/ledger"
)

// maxSkew is how far an approval's own time may be from ours when it comes in:
// without a bound, who held a post last year could still approve, backdated.
const maxSkew = 5 * time.Minute

// Config of a Service. Every field but Votes, Former, Asked and Deputy is required.
type Config struct {
	Store  Store
	Votes  VoteStore // nil: nothing that needs several persons is answered
	People identity.PostReader
	// Trust says whether a certificate was good at that time: chain, period,
	// revocation.
	Trust func(certDER []byte, at time.Time) error
	// Former says whether a certificate was issued to that person, though the
	// register names another one by now: an approval outlives the certificate that
	// it was signed with. nil: only the registered one counts.
	Former func(ctx context.Context, person string, certDER []byte) (bool, error)
	// Asked refuses a subject that nobody asked about in these very words, unit and
	// requester included: a subject has one answer, and one that counts for nothing
	// must not stand in its place. nil: every subject may be answered.
	Asked func(ctx context.Context, s Subject) error
	// Deputy says whether a person who holds no fitting post answered in the place of
	// one who does, by a delegation that stood at that time. nil: nobody does.
	Deputy func(ctx context.Context, s Subject, person string, at time.Time) (bool, error)
	// CAUnit is the unit that runs the certificate authority. Certificates, trust
	// anchors and recoveries of keys are approved by its officers and by no other unit's.
	CAUnit identity.USCC
	Now    func() time.Time
	NewID  func() string // UUIDv7
}

// Service makes, keeps and checks approvals.
type Service struct{ cfg Config }

// New refuses an incomplete Config.
func New(c Config) (*Service, error) {
	if c.Store == nil || c.People == nil || c.Trust == nil || c.Now == nil || c.NewID == nil {
		return nil, errors.New("approval: Config lacks Store, People, Trust, Now or NewID")
	}
	if err := c.CAUnit.Validate(); err != nil {
		return nil, fmt.Errorf("approval: Config.CAUnit: %w", err)
	}
	return &Service{c}, nil
}

// approverRole is the table of who may approve what, always in the unit of the
// subject (西政办发〔2011〕8号 art. 24; 电子印章管理办法 art. 21).
func approverRole(k Kind) identity.Role {
	switch k {
	case KindSealUse, KindSeal, KindGrant, KindDelegation, KindAgreement, KindRelabel, KindRegrade, KindCitation, KindViolation, KindApplication, KindRoute, KindDomain:
		return identity.RoleUnitLeader
	case KindEmergency:
		return identity.RoleSecurityOfficer
	case KindCertificate, KindAnchor, KindClosing, KindPurge, KindAuthority, KindPeer:
		return identity.RoleRAOfficer
	case KindRecovery, KindJudicial:
		return identity.RoleKMCOfficer
	}
	return ""
}

// ofCA kinds are answered in the unit of the certificate authority only.
func ofCA(k Kind) bool {
	return k == KindEmergency || k == KindCertificate || k == KindAnchor || k == KindClosing || k == KindPurge || k == KindAuthority || k == KindPeer || k == KindRecovery || k == KindJudicial
}

// Decide answers a subject: it checks everything that can be checked, signs
// with the approver's key, checks the signature, and stores. Of a it reads
// Subject, Approved, Reason and Approver; the rest is filled in. The actor must
// be the approver. The key is the approver's own, opened for this one act.
func (s *Service) Decide(ctx context.Context, a Approval, key crypto.Signer, actor ledger.Actor) (Approval, ledger.Receipt, error) {
	none := ledger.Receipt{}
	a.ID, a.Signature = "", nil
	a.At = s.cfg.Now().UTC().Truncate(time.Millisecond)
	a.Role = approverRole(a.Subject.Kind)
	person, err := s.authorise(ctx, a)
	if err != nil {
		return Approval{}, none, err
	}
	a.CertDER = person.CertDER
	pub, err := s.certKey(a)
	if err != nil {
		return Approval{}, none, err
	}
	if key == nil || !pub.Equal(key.Public()) {
		return Approval{}, none, fmt.Errorf("%w: the key is not the approver's", ErrSignature)
	}
	if err := s.answerable(ctx, a); err != nil {
		return Approval{}, none, err
	}
	msg, err := Payload(a.Subject, a.Approved, a.Reason, a.Approver, a.At)
	if err != nil {
		return Approval{}, none, err
	}
	if a.Signature, err = key.Sign(rand.Reader, msg, sm2.DefaultSM2SignerOpts); err != nil {
		return Approval{}, none, fmt.Errorf("signing the approval: %w", err)
	}
	return s.Submit(ctx, a, actor)
}

// Submit stores an approval that was signed elsewhere, by the person's own
// token: it verifies it in full, and refuses one whose time is not now.
func (s *Service) Submit(ctx context.Context, a Approval, actor ledger.Actor) (Approval, ledger.Receipt, error) {
	none := ledger.Receipt{}
	if actor.Kind != "person" || actor.ID != a.Approver {
		return Approval{}, none, fmt.Errorf("%w: somebody else acts", ErrNotAllowed)
	}
	now := s.cfg.Now().UTC()
	if d := now.Sub(a.At); d > maxSkew || d < -maxSkew {
		return Approval{}, none, fmt.Errorf("%w: signed at another time", ErrInvalid)
	}
	if err := s.verify(ctx, a, nil); err != nil {
		return Approval{}, none, err
	}
	if err := s.answerable(ctx, a); err != nil {
		return Approval{}, none, err
	}
	a.ID = s.cfg.NewID()
	ev := ledger.Event{
		ID: s.cfg.NewID(), Type: "approval.subject.decided", Class: class(a.Subject.Kind), Time: now.Truncate(time.Millisecond),
		Actor: actor, Object: ledger.Object{Kind: string(a.Subject.Kind), ID: a.Subject.ID}, Action: "approve",
		Outcome: ledger.Success, Payload: a.Subject.Digest,
		Details: map[string]string{"approval": a.ID, "unit": string(a.Subject.Unit), "requester": a.Subject.Requester, "answer": "approved"},
	}
	if !a.Approved {
		ev.Details["answer"] = "refused"
	}
	add := s.cfg.Store.AddApproval
	if takesQuorum(a.Subject.Kind) {
		add = s.cfg.Votes.AddVote
	}
	rc, err := add(ctx, a, ev)
	if err != nil {
		return Approval{}, none, err
	}
	return a, rc, nil
}

// Verify checks an approval or a refusal from its first claim to its last:
// roles, terms and separation at the time it was signed, the certificate that
// the register names for the approver, or named once, and the signature.
func (s *Service) Verify(ctx context.Context, a Approval) error {
	return s.verify(ctx, a, s.cfg.Former)
}

func (s *Service) verify(ctx context.Context, a Approval, former func(context.Context, string, []byte) (bool, error)) error {
	person, err := s.authorise(ctx, a)
	if err != nil {
		return err
	}
	if own := subtle.ConstantTimeCompare(person.CertDER, a.CertDER) == 1; !own {
		if former != nil {
			if own, err = former(ctx, a.Approver, a.CertDER); err != nil {
				return fmt.Errorf("looking for a former certificate: %w", err)
			}
		}
		if !own {
			return fmt.Errorf("%w: not the approver's registered certificate", ErrSignature)
		}
	}
	pub, err := s.certKey(a)
	if err != nil {
		return err
	}
	msg, err := Payload(a.Subject, a.Approved, a.Reason, a.Approver, a.At)
	if err != nil {
		return err
	}
	if !sm2.VerifyASN1WithSM2(pub, nil, msg, a.Signature) {
		return ErrSignature
	}
	return nil
}

// Verified returns the approval of a subject when it stands: it exists, is
// over this very digest, says yes, and verifies now as it did then. ErrRefused
// beside the verified refusal means the approver said no. Callers that act on an approval call this and
// never trust a stored flag.
func (s *Service) Verified(ctx context.Context, kind Kind, subjectID, digest string) (Approval, error) {
	a, err := s.cfg.Store.ApprovalOf(ctx, kind, subjectID)
	if err != nil {
		return Approval{}, err
	}
	if a.Subject.Kind != kind || a.Subject.ID != subjectID || a.Subject.Digest != digest {
		return Approval{}, fmt.Errorf("%w: the approval is over something else", ErrSignature)
	}
	if err := s.Verify(ctx, a); err != nil {
		return Approval{}, err
	}
	if !a.Approved {
		return a, ErrRefused
	}
	return a, nil
}

// authorise checks who approves what, before any cryptography.
func (s *Service) authorise(ctx context.Context, a Approval) (identity.Person, error) {
	none := identity.Person{}
	if err := a.Subject.validate(); err != nil {
		return none, err
	}
	if a.Approver == a.Subject.Requester {
		return none, ErrSelf
	}
	if !a.Approved && a.Reason == "" {
		return none, ErrReason
	}
	role := approverRole(a.Subject.Kind)
	if a.Role != role {
		return none, fmt.Errorf("%w: %s does not approve %s", ErrNotAllowed, a.Role, a.Subject.Kind)
	}
	if ofCA(a.Subject.Kind) && a.Subject.Unit != s.cfg.CAUnit {
		return none, fmt.Errorf("%w: another unit's officer", ErrNotAllowed)
	}
	holds, err := identity.HoldsPost(ctx, s.cfg.People, a.Approver, a.Subject.Unit, role, a.At)
	if err == nil && !holds && s.cfg.Deputy != nil {
		holds, err = s.cfg.Deputy(ctx, a.Subject, a.Approver, a.At)
	}
	if err != nil {
		return none, err
	}
	if !holds {
		return none, fmt.Errorf("%w: no post as %s of the unit at that time", ErrNotAllowed, role)
	}
	return s.cfg.People.Person(ctx, a.Approver)
}

// certKey returns the SM2 key of a trusted certificate.
func (s *Service) certKey(a Approval) (*ecdsa.PublicKey, error) {
	cert, err := smx509.ParseCertificate(a.CertDER)
	if err != nil {
		return nil, fmt.Errorf("%w: certificate does not parse", ErrSignature)
	}
	pub, ok := cert.PublicKey.(*ecdsa.PublicKey)
	if !ok || !sm2.IsSM2PublicKey(pub) {
		return nil, fmt.Errorf("%w: not an SM2 certificate", ErrSignature)
	}
	if err := s.cfg.Trust(a.CertDER, a.At); err != nil {
		return nil, fmt.Errorf("%w: certificate: %w", ErrSignature, err)
	}
	return pub, nil
}

// answerable: it was asked, and has no answer yet; of several persons, none of
// this one.
func (s *Service) answerable(ctx context.Context, a Approval) error {
	if s.cfg.Asked != nil {
		if err := s.cfg.Asked(ctx, a.Subject); err != nil {
			return err
		}
	}
	if takesQuorum(a.Subject.Kind) {
		return s.mayVote(ctx, a)
	}
	switch _, err := s.cfg.Store.ApprovalOf(ctx, a.Subject.Kind, a.Subject.ID); {
	case err == nil:
		return ErrDecided
	case errors.Is(err, ErrNotFound):
		return nil
	default:
		return fmt.Errorf("looking for an earlier approval: %w", err)
	}
}

// class keeps an approval on the ledger as long as what it approves.
func class(k Kind) ledger.Class {
	switch k {
	case KindCertificate, KindAnchor, KindClosing, KindPurge, KindAuthority, KindPeer, KindRecovery, KindJudicial:
		return ledger.ClassCertificate
	case KindSealUse, KindSeal:
		return ledger.ClassSeal
	}
	return ledger.ClassAdmin
}
