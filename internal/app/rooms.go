package app

import (
	"context"
	"errors"
	"fmt"

	"github.com/yinxin-gov/yinxin/authz"
	"github.com/yinxin-gov/yinxin/authz/approval"
	"github.com/yinxin-gov/yinxin/authz/grading"
	"github.com/yinxin-gov/yinxin/authz/identity"
	"github.com/yinxin-gov/yinxin/authz/ledger"
	"github.com/yinxin-gov/yinxin/authz/sharing"
	"github.com/yinxin-gov/yinxin/ca"
	"github.com/yinxin-gov/yinxin/ca/stepca"
	"github.com/yinxin-gov/yinxin/internal/exchange"
	"github.com/yinxin-gov/yinxin/internal/signin"
	"github.com/yinxin-gov/yinxin/internal/store"
	"github.com/yinxin-gov/yinxin/signer"
	"github.com/yinxin-gov/yinxin/signer/pdfview"
)

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
