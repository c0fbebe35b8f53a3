package ca

import (
	"context"
	"crypto/ecdsa"
	"encoding/hex"
	"fmt"
	"slices"
	"time"

	"github.com/emmansun/gmsm/sm3"
	"github.com/emmansun/gmsm/smx509"

	"github.com/yinxin-gov/yinxin/authz/ledger"
	"github.com/yinxin-gov/yinxin/ca/profile"
)

// IssueSpec asks for one SM2 certificate that is no system's pair: of a seal, a
// seal maker, a person, or a service of the house.
type IssueSpec struct {
	ID       string // names this issue for its approval: Approver gets (ApprovalKind, ID, SpecDigest)
	Kind     Kind   // KindSeal, KindMaker, KindPerson or KindService
	Profile  profile.Name
	Subject  profile.Subject
	Public   *ecdsa.PublicKey // of a key in custody; or
	CSR      []byte           // proof of a key elsewhere; exactly one of the two
	Agency   string
	Person   string        // KindPerson
	System   string        // KindService: which service
	Validity time.Duration // 0: the profile's
}

// Issued is the certificate and what stands above it.
type Issued struct {
	Certificate Certificate // row; DER in it
	Chain       [][]byte    // as DualResult.Chain
	Receipt     ledger.Receipt
}

// profilesOf says which profiles a kind may have.
func profilesOf(k Kind) []profile.Name {
	switch k {
	case KindSeal:
		return []profile.Name{profile.SM2Seal}
	case KindMaker:
		return []profile.Name{profile.SM2Maker}
	case KindPerson:
		return []profile.Name{profile.SM2Person}
	case KindService:
		return []profile.Name{profile.SM2Ledger, profile.SM2Exchange, profile.SM2OCSP, profile.SM2TSA, profile.SM2Keep}
	}
	return nil
}

// IssueSM2 issues one certificate. Seals, makers and persons need the approval
// of somebody other than the actor, over SpecDigest; services of the house do
// not, nor do persons and the seal maker while Config.Founding.
func (s *Service) IssueSM2(ctx context.Context, actor ledger.Actor, spec IssueSpec) (Issued, error) {
	if actor.ID == "" || spec.Agency == "" || !slices.Contains(profilesOf(spec.Kind), spec.Profile) {
		return Issued{}, fmt.Errorf("%w: actor, agency, or a profile that the kind does not have", ErrInvalid)
	}
	if spec.Kind == KindPerson && spec.Person == "" {
		return Issued{}, fmt.Errorf("%w: which person", ErrInvalid)
	}
	public, err := spec.public()
	if err != nil {
		return Issued{}, err
	}
	details := map[string]string{"kind": string(spec.Kind), "profile": string(spec.Profile), "spec": spec.ID}
	switch {
	case spec.Kind == KindService:
	case s.cfg.Founding && (spec.Kind == KindPerson || spec.Kind == KindMaker):
		details["founding"] = "true"
	default:
		sum, err := SpecDigest(spec)
		if err != nil {
			return Issued{}, err
		}
		if details["approval"], err = s.approved(ctx, actor, spec.ID, sum, actor.ID); err != nil {
			return Issued{}, err
		}
	}
	by, err := s.current(ctx)
	if err != nil {
		return Issued{}, err
	}
	h, err := s.draft(ctx, by, spec.Profile, spec.Kind, profile.Fields{Subject: spec.Subject, Public: public, Validity: spec.Validity}, nil)
	if err != nil {
		return Issued{}, err
	}
	h.row.Agency, h.row.Person, h.row.System = spec.Agency, spec.Person, spec.System
	details["serial"] = h.row.Serial
	if h.row.Origin.Way = WayHouse; spec.Kind != KindService {
		h.row.Origin.Way, h.row.Origin.Ref = WayOrder, spec.ID
	}
	reserved := s.event("ca.certificate.reserved", actor, certificateObject(h.row), details)
	issued := s.event("ca.certificate.issued", actor, certificateObject(h.row), details)
	reserved.Payload, issued.Payload = h.row.TBSSM3, h.row.TBSSM3
	one := []half{h}
	receipt, err := s.issue(one, s.plain(ctx, reserved, issued))
	if err != nil {
		return Issued{}, err
	}
	return Issued{Certificate: one[0].row, Chain: by.Chain(), Receipt: receipt}, nil
}

func (spec IssueSpec) public() (*ecdsa.PublicKey, error) {
	if (spec.Public == nil) == (spec.CSR == nil) {
		return nil, fmt.Errorf("%w: a public key or a CSR, one of the two", ErrInvalid)
	}
	if spec.Public != nil {
		return spec.Public, nil
	}
	csr, err := ParseCSR(spec.CSR)
	if err != nil {
		return nil, err
	}
	return csr.PublicKey.(*ecdsa.PublicKey), nil
}

// SpecDigest is what the approver of an issue signs.
func SpecDigest(spec IssueSpec) (string, error) {
	public, err := spec.public()
	if err != nil {
		return "", err
	}
	spki, err := smx509.MarshalPKIXPublicKey(public)
	if err != nil {
		return "", fmt.Errorf("%w: public key: %w", ErrInvalid, err)
	}
	key := sm3.Sum(spki)
	return digest("yinxin ca issue v1", struct {
		ID                     string
		Kind                   Kind
		Profile                profile.Name
		Subject                profile.Subject
		Key                    string
		Agency, Person, System string
		Seconds                int64
	}{spec.ID, spec.Kind, spec.Profile, spec.Subject, hex.EncodeToString(key[:]), spec.Agency, spec.Person, spec.System, int64(spec.Validity / time.Second)}), nil
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
