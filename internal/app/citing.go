package app

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/yinxin-gov/yinxin/authz"
	"github.com/yinxin-gov/yinxin/authz/approval"
	"github.com/yinxin-gov/yinxin/authz/identity"
	"github.com/yinxin-gov/yinxin/authz/sharing"
	"github.com/yinxin-gov/yinxin/signer"
	"github.com/yinxin-gov/yinxin/signer/cite"
	"github.com/yinxin-gov/yinxin/signer/verify"
)

// ConsentSubject is what the leader of a provider signs: the terms of a consent.
func (*House) ConsentSubject(c sharing.Consent) approval.Subject { return consentSubject(c) }

func consentSubject(c sharing.Consent) approval.Subject {
	return approval.Subject{Kind: approval.KindCitation, ID: c.ID, Digest: c.Digest, Unit: c.Provider, Requester: c.Requester}
}

// UseSubject is what the leader of a seal's unit signs: the document, or the
// manifest of a batch, with what it quotes.
func (h *House) UseSubject(ctx context.Context, u signer.Use) (approval.Subject, error) {
	return useApprover{h.Approvals, h.rooms.Seals}.subject(ctx, u)
}

// Cite is the citation that a consent is for, as it has to stand in the document.
func (h *House) Cite(ctx context.Context, consent, note string) (cite.Citation, error) {
	c, err := h.Consents.Consent(ctx, consent)
	if err != nil {
		return cite.Citation{}, err
	}
	return cite.Citation{
		Consent: c.ID, Consumer: string(c.Consumer), Note: note, Provider: string(c.Provider), ProviderName: c.ProviderName,
		Resource: c.Resource, Title: c.ResourceName,
	}, nil
}

// answers finds the signed answer of a provider's leader.
type answers struct {
	approvals *approval.Service
	store     approval.Store
}

func (a answers) Answer(ctx context.Context, c sharing.Consent) (string, bool, error) {
	want := consentSubject(c)
	unsigned := &sharing.ConsentError{Consent: c.ID, Code: sharing.ConsentUnsigned}
	got, err := a.approvals.Verified(ctx, want.Kind, want.ID, want.Digest)
	refused := errors.Is(err, approval.ErrRefused)
	if refused {
		got, err = a.store.ApprovalOf(ctx, want.Kind, want.ID)
	}
	switch {
	case errors.Is(err, approval.ErrNotFound):
		return "", false, fmt.Errorf("%w: %w", sharing.ErrNotFound, err)
	case errors.Is(err, approval.ErrSignature), errors.Is(err, approval.ErrNotAllowed), errors.Is(err, approval.ErrSelf),
		errors.Is(err, approval.ErrReason), errors.Is(err, approval.ErrInvalid):
		return "", false, fmt.Errorf("%w: %w", unsigned, err)
	case err != nil:
		return "", false, err
	case got.Subject != want: // a leader, but of another unit
		return "", false, unsigned
	}
	return got.ID, !refused, nil
}

// quotes answers the decision point from the register of consents.
type quotes struct{ consents *sharing.Consents }

func (q quotes) QuotesOf(ctx context.Context, resource string, consumer identity.USCC) ([]authz.Quotable, error) {
	given, err := q.consents.Given(ctx, resource, consumer)
	out := make([]authz.Quotable, len(given))
	for i, c := range given {
		out[i] = authz.QuotableOf(c)
	}
	return out, err
}

// sealRegister is what is known of seals and of what they stand on.
type sealRegister interface {
	Seal(ctx context.Context, id string) (signer.Seal, error)
	// SealedAs returns the use whose sealed document has this SM3.
	SealedAs(ctx context.Context, sealed string) (signer.Use, error)
}

// citations answers the signer and the verifier from the register of consents.
type citations struct {
	consents *sharing.Consents
	people   identity.Reader
	seals    sealRegister
}

func (h *House) citations() citations { return citations{h.Consents, h.rooms.Identity, h.rooms.Seals} }

// check asks about a citation in a document, which had several names: each seal
// gives it another SM3. A consent that is for one of them is for the document.
func (s citations) check(ctx context.Context, c cite.Citation, names []string, at time.Time) error {
	consent, err := s.consents.Consent(ctx, c.Consent)
	if err != nil && !errors.Is(err, sharing.ErrNotFound) {
		return err
	}
	q := sharing.Quote{
		Consent: c.Consent, Resource: c.Resource, ResourceName: c.Title, Provider: identity.USCC(c.Provider), ProviderName: c.ProviderName,
		Consumer: identity.USCC(c.Consumer), At: at,
	}
	if slices.Contains(names, consent.Document) {
		q.Document = consent.Document
	}
	return s.consents.Check(ctx, q)
}

// Covered implements signer.Consents.
func (s citations) Covered(ctx context.Context, c cite.Citation, document string, now time.Time) error {
	before, err := s.documents(ctx, document)
	if err != nil {
		return err
	}
	err = s.check(ctx, c, append(before, document), now)
	if errors.Is(err, sharing.ErrConsent) {
		return fmt.Errorf("%w: %w", signer.ErrCitation, err)
	}
	return err
}

// Consented implements verify.Consents. It cannot say of a provider that is not
// on this register; nor of a file or a seal that it does not know, where the
// consent is for one document, or for another unit than the seals show.
func (s citations) Consented(ctx context.Context, q verify.Quote) (reason string, known bool, err error) {
	if _, err := s.people.Agency(ctx, identity.USCC(q.Provider)); err != nil {
		if errors.Is(err, identity.ErrNotFound) {
			err = nil
		}
		return "", false, err
	}
	c, err := s.consents.Consent(ctx, q.Consent)
	if errors.Is(err, sharing.ErrNotFound) {
		return verify.ConsentNone, true, nil
	}
	if err != nil {
		return "", false, err
	}
	chain, err := s.documents(ctx, q.File)
	if err != nil {
		return "", false, err
	}
	traced := len(chain) > 0
	if !traced { // of a file that nobody here sealed, everything else can still be wrong
		chain = []string{c.Document}
	}
	var no *sharing.ConsentError
	if err := s.check(ctx, q.Citation, chain, q.At); errors.As(err, &no) {
		return reasons()[no.Code], true, nil
	} else if err != nil {
		return "", false, err
	}
	own, strange, err := s.sealedBy(ctx, q.Seals, q.Consumer)
	switch {
	case err != nil:
		return "", false, err
	case !own && !strange:
		return verify.ConsentConsumer, true, nil
	}
	return "", own && (traced || c.Document == ""), nil
}

// maxSeals bounds how far back a document is traced; the verifier's own limits
// are of that order.
const maxSeals = 256

// documents are what the file was before each of its seals, newest first, as far
// as uses of seals know; none for a file that was not sealed here.
func (s citations) documents(ctx context.Context, file string) (out []string, err error) {
	for range maxSeals {
		u, err := s.seals.SealedAs(ctx, file)
		if errors.Is(err, signer.ErrNotFound) {
			break
		}
		if err != nil {
			return nil, err
		}
		file = u.Document
		out = append(out, file)
	}
	return out, nil
}

// sealedBy says whether the unit owns one of the seals, and whether one of them,
// or the only signature, is not on the register.
func (s citations) sealedBy(ctx context.Context, seals []string, unit string) (own, strange bool, err error) {
	strange = len(seals) == 0
	for _, id := range seals {
		e, err := s.seals.Seal(ctx, id)
		switch {
		case errors.Is(err, signer.ErrNotFound):
			strange = true
		case err != nil:
			return false, false, err
		default:
			own = own || e.Unit == unit
		}
	}
	return own, strange, nil
}

// reasons are the verifier's words for what the register says.
func reasons() map[string]string {
	return map[string]string{
		sharing.NoConsent: verify.ConsentNone, sharing.ConsentNo: verify.ConsentRefused, sharing.ConsentTaken: verify.ConsentWithdrawn,
		sharing.ConsentPeriod: verify.ConsentPeriod, sharing.ConsentOfResource: verify.ConsentResource, sharing.ConsentOfProvider: verify.ConsentProvider,
		sharing.ConsentOfConsumer: verify.ConsentConsumer, sharing.ConsentOfDocument: verify.ConsentDocument, sharing.ConsentUnsigned: verify.ConsentUnsigned,
	}
}
