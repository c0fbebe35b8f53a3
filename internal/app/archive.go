package app

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"github.com/emmansun/gmsm/smx509"

	"github.com/yinxin-gov/yinxin/authz/ledger"
	"github.com/yinxin-gov/yinxin/ca"
	"github.com/yinxin-gov/yinxin/ca/profile"
	"github.com/yinxin-gov/yinxin/ca/status"
	"github.com/yinxin-gov/yinxin/signer"
	"github.com/yinxin-gov/yinxin/signer/archive"
	kept "github.com/yinxin-gov/yinxin/signer/revocation"
)

// ArchiveOrder asks for the package of a document that this house sealed.
type ArchiveOrder struct {
	Name     string // of the file
	Document []byte // the sealed document
	Metadata archive.Metadata
	Stamper  signer.Stamper    // nil: the time-stamp service of the house
	Extra    map[string][]byte // further files, such as a detailed report
}

// Archived is an archive package with what it verifies to and the entry of its
// record.
type Archived struct {
	Package []byte
	Report  archive.Report
	Receipt ledger.Receipt
}

// Archive makes the archive package of a sealed document: with the chain and the
// status of every certificate as this house answers it now, and the ledger's entries
// about the document with their proofs. The manifest is signed with the key of the
// exchange service, after it was recorded that it will be (design §2 law 4). Only
// the unit that owns the seal and the house itself may ask; a document that no
// seal of this house made is signer.ErrNotSealed. The package stands in memory:
// no copy of the document is left on a disk.
func (h *House) Archive(ctx context.Context, actor ledger.Actor, o ArchiveOrder) (Archived, error) {
	fail := func(err error) (Archived, error) { return Archived{}, err }
	use, err := h.rooms.Seals.SealedAs(ctx, signer.Digest(o.Document))
	if errors.Is(err, signer.ErrNotFound) {
		err = fmt.Errorf("%w: %w", signer.ErrNotSealed, err)
	}
	if err != nil {
		return fail(err)
	}
	owner, err := h.rooms.Seals.Seal(ctx, use.Seal)
	if err != nil {
		return fail(fmt.Errorf("app: seal %s: %w", use.Seal, err))
	}
	if actor.Unit == "" || actor.Unit != owner.Unit && actor.Unit != h.cfg.USCC {
		return fail(signer.ErrUnit)
	}
	captured, err := h.capture(ctx, owner.CertDER)
	if err != nil {
		return fail(err)
	}
	evidence, err := h.cutLedger(ctx, use.Sealed)
	if err != nil {
		return fail(err)
	}
	trusted, err := h.trustNow(ctx)
	if err != nil {
		return fail(err)
	}
	above, err := h.sm2Chain(ctx)
	if err != nil {
		return fail(err)
	}
	own, err := h.own.inForce(ctx, keyExchange)
	if err != nil {
		return fail(err)
	}
	cfg := archive.Config{
		Trust: trusted, Status: captured, Chain: above,
		Key: h.custody.signer(keyExchange), CertDER: own, Words: h.words, Now: h.cfg.Now,
	}
	if cfg.Stamper = o.Stamper; cfg.Stamper == nil {
		cfg.Stamper = h.stamps.sm2
	}
	draft, err := archive.Prepare(ctx, cfg, archive.Job{
		Name: o.Name, Document: bytes.NewReader(o.Document), Size: int64(len(o.Document)), Metadata: o.Metadata, Ledger: evidence, Extra: o.Extra,
	})
	if err != nil {
		return fail(err)
	}
	record := func(ctx context.Context, kind, outcome string, more map[string]string) (ledger.Receipt, error) {
		details := map[string]string{"manifest_sm3": draft.ManifestSM3, "retention": string(o.Metadata.Retention)}
		for k, v := range more {
			details[k] = v
		}
		return h.Ledger.Append(ctx, ledger.Event{
			ID: newID(), Type: kind, Class: ledger.ClassSeal, Time: h.now(), Actor: actor, Object: ledger.Object{Kind: "seal_use", ID: use.ID},
			Action: "archive", Outcome: outcome, Payload: use.Sealed, Details: details,
		})
	}
	if _, err := record(ctx, "signer.document.archiving", ledger.Success, nil); err != nil {
		return fail(fmt.Errorf("app: record before archiving: %w", err))
	}
	out := Archived{}
	out.Package, out.Report, err = draft.Bytes(ctx)
	if err != nil {
		// The record must not stay open because the caller went away.
		_, recordErr := record(context.WithoutCancel(ctx), "signer.document.archiving_failed", ledger.Failure, nil)
		return fail(errors.Join(err, recordErr))
	}
	rep := out.Report
	out.Receipt, err = record(context.WithoutCancel(ctx), "signer.document.archived", ledger.Success, map[string]string{"archived_at": rep.ArchivedAt, "renew_by": rep.RenewBy})
	if err != nil {
		return fail(fmt.Errorf("app: record the archive package: %w", err))
	}
	return out, nil
}

// ArchivePackage implements api.Archiver and what the desk asks for.
func (h *House) ArchivePackage(ctx context.Context, actor ledger.Actor, name string, document []byte, m archive.Metadata) ([]byte, error) {
	out, err := h.Archive(ctx, actor, ArchiveOrder{Name: name, Document: document, Metadata: m})
	return out.Package, err
}

// capture asks the house's own status service about the certificates that a package
// needs, and takes the newest published lists beside the answers.
func (h *House) capture(ctx context.Context, holder []byte) (*kept.Set, error) {
	set := kept.New(h.cfg.Now)
	authorities, err := h.Succession.Set(ctx)
	if err != nil {
		return nil, err
	}
	type link struct {
		der    []byte
		issuer *smx509.Certificate
	}
	var asked []link
	above := func(der []byte) error {
		_, by, err := certificateOf(ctx, h.sm2(), der)
		asked = append(asked, link{der, by.Certificate})
		return err
	}
	for _, der := range [][]byte{holder, h.own.der(keyExchange), h.own.der(keyLedger)} {
		if err := above(der); err != nil {
			return nil, err
		}
	}
	var published []*smx509.Certificate
	for _, a := range authorities.Issuing(profile.SM2) {
		published = append(published, a.Certificate)
		for _, r := range authorities.Roots(profile.SM2) {
			if r.ID() == a.Issuer {
				asked = append(asked, link{a.Certificate.Raw, r.Certificate})
			}
		}
	}
	for _, r := range authorities.Roots(profile.SM2) {
		published = append(published, r.Certificate)
	}
	// The seal, and its token, may carry an earlier certificate of who made them.
	var makers []ca.Certificate
	for _, id := range []string{keyMaker, keyStampSM2} {
		all, err := h.rooms.CA.CertificatesOf(ctx, id)
		if err != nil {
			return nil, fmt.Errorf("app: certificates of %s: %w", id, err)
		}
		makers = append(makers, all...)
	}
	for _, c := range makers {
		if c.DER != nil && (c.Kind == ca.KindMaker || c.Kind == ca.KindService) {
			if err := above(c.DER); err != nil {
				return nil, err
			}
		}
	}
	for _, q := range asked {
		req, err := kept.Request(q.der, q.issuer.Raw)
		if err != nil {
			return nil, err
		}
		if err := set.Add(h.CertStatus.Answer(ctx, req)); err != nil {
			return nil, fmt.Errorf("app: status of a certificate: %w", err)
		}
	}
	for _, a := range published {
		list, err := h.rooms.CA.PublishedCRL(ctx, ca.IssuerID(a), "", false, 0)
		if errors.Is(err, status.ErrNoList) {
			continue // the answers are there
		}
		if err != nil {
			return nil, fmt.Errorf("app: list of revocations: %w", err)
		}
		if err := set.Add(list.DER); err != nil {
			return nil, fmt.Errorf("app: list of revocations: %w", err)
		}
	}
	for _, a := range published {
		set.AddIssuers(a.Raw)
	}
	return set, nil
}

// sm2Chain is every authority of the SM2 track, now and before, DER.
func (h *House) sm2Chain(ctx context.Context) (out [][]byte, err error) {
	set, err := h.Succession.Set(ctx)
	if err != nil {
		return nil, err
	}
	for _, a := range append(set.Issuing(profile.SM2), set.Roots(profile.SM2)...) {
		out = append(out, a.Certificate.Raw)
	}
	return out, nil
}

// cutLedger signs a checkpoint over everything and takes the entries about a
// document.
func (h *House) cutLedger(ctx context.Context, sm3 string) (*archive.Evidence, error) {
	text, err := h.Ledger.Checkpoint(ctx)
	if err != nil {
		return nil, err
	}
	note, err := ledger.ParseNote(text)
	if err != nil {
		return nil, err
	}
	all := ledger.Stored(ctx, h.store.Ledger(), 0, note.Size)
	return archive.Ledger{CertDER: h.LedgerCertificate(), Open: func() (archive.Shard, error) { return archive.Shard{Entries: all, Note: text}, nil }}.Cut(sm3)
}
