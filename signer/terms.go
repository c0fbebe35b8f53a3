package signer

import (
	"context"
	"crypto"
	"encoding/hex"
	"fmt"
	"time"

	"github.com/yinxin-gov/yinxin/authz/ledger"
)

// TypeTerms is the type of a use that is no document: the seal's key signs terms,
// such as an agreement between units (共享协议). No request for a document has it.
const TypeTerms = "terms"

// TermsRequest asks for the signature of a seal's key on terms.
type TermsRequest struct {
	Seal   string // esID
	Digest string // SM3 of the terms, lower-case hex
	Title  string // names them to the Approver
}

// TermsSigner signs the terms; it returns what was signed, for the record. It is
// called once, between the two records.
type TermsSigner func(key crypto.Signer, e Seal, at time.Time) (signed []byte, err error)

// RequestTerms records a request for the use of a seal on terms. It is admitted
// like one for a document, approved by MarkApproved, and counted by SignTerms.
func (s *Service) RequestTerms(ctx context.Context, actor ledger.Actor, req TermsRequest) (Use, ledger.Receipt, error) {
	fail := func(err error) (Use, ledger.Receipt, error) { return Use{}, ledger.Receipt{}, err }
	if sum, err := hex.DecodeString(req.Digest); err != nil || len(sum) != 32 || hex.EncodeToString(sum) != req.Digest || req.Title == "" {
		return fail(fmt.Errorf("%w: terms need a digest and a title", ErrInvalid))
	}
	now := s.now()
	e, err := s.usable(ctx, actor, req.Seal, now, 1)
	if err != nil {
		return fail(err)
	}
	u := Use{
		ID: s.cfg.NewID(), Seal: e.ID, Document: req.Digest, Title: req.Title, Type: TypeTerms, Requester: actor.ID, State: UseRequested, CreatedAt: now,
	}
	receipt, err := s.cfg.Register.AddUse(ctx, u, s.event("signer.use.requested", now, actor, useObject(u.ID), u.Document, filled("seal", e.ID, "type", u.Type)))
	if err != nil {
		return fail(fmt.Errorf("signer: record the request: %w", err))
	}
	return u, receipt, nil
}

// SignTerms has the key of a seal sign approved terms. Authorisation and quota,
// records and the lists of a compromised key are those of every use of the seal.
func (s *Service) SignTerms(ctx context.Context, actor ledger.Actor, useID string, sign TermsSigner) (Use, error) {
	u, err := s.use(ctx, useID, UseApproved)
	if err != nil {
		return Use{}, err
	}
	if u.Type != TypeTerms {
		return Use{}, fmt.Errorf("%w: use %s is for a document", ErrInvalid, useID)
	}
	now := s.now()
	if _, err := s.stands(ctx, actor, u, now); err != nil {
		return Use{}, err
	}
	e, key, err := s.open(ctx, actor, u.Seal, now)
	if err != nil {
		return Use{}, err
	}
	done, err := s.record(ctx, actor, u, now, func() ([]byte, error) { return sign(key, e, now) })
	if err != nil {
		return Use{}, err
	}
	return done.Use, nil
}
