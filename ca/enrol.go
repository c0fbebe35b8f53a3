package ca

import (
	"context"
	"crypto/ecdsa"
	"fmt"
	"time"

	"github.com/yinxin-gov/yinxin/authz/ledger"
	"github.com/yinxin-gov/yinxin/ca/profile"
)

// DualResult is an enrolled pair (双证书). Envelope holds the private
// encryption key; only the signing key of the CSR opens it
// (sm2.ParseEnvelopedPrivateKey, GB/T 35276).
type DualResult struct {
	Request  Request
	Pair     string
	Issuer   string         // id of the issuing authority
	Serial   string         // of the signing certificate
	SignCert []byte         // DER
	EncCert  []byte         // DER
	Envelope []byte         // SM2EnvelopedKey, DER
	Chain    [][]byte       // issuing, root
	Renews   string         // serial of the signing certificate that it follows
	Receipt  ledger.Receipt // empty when a pair is given again
}

// dual puts the answer together.
func (s *Service) dual(r Request, pair string, halves []half, envelope []byte, receipt ledger.Receipt, renews string) DualResult {
	return DualResult{
		Request: r, Pair: pair, Issuer: halves[0].row.Issuer, Serial: halves[0].row.Serial, SignCert: halves[0].row.DER, EncCert: halves[1].row.DER,
		Envelope: envelope, Chain: s.Chain(), Renews: renews, Receipt: receipt,
	}
}

// EnrolSM2 turns a token and the CSR of a signing key into a pair.
//
// Everything that can be refused is refused before the token is claimed: CSR,
// names, the gate, lint. The claim decides races, so that one of many callers
// with one token passes. From then on the token is gone, also when the store or
// the key fails: fail closed, the officer approves again.
func (s *Service) EnrolSM2(ctx context.Context, token string, csrDER []byte) (DualResult, error) {
	return s.EnrolWith(ctx, token, csrDER, nil)
}

// EnrolWith is EnrolSM2 for a house that hands out something else beside the
// pair. prepare makes it, once nothing is left to refuse; when it fails the token
// is still good. Nil: there is nothing else.
func (s *Service) EnrolWith(ctx context.Context, token string, csrDER []byte, prepare func(context.Context, Request) error) (DualResult, error) {
	r, err := s.Authorize(ctx, token)
	if err != nil {
		return DualResult{}, err
	}
	csr, err := ParseCSR(csrDER)
	if err != nil {
		return DualResult{}, err
	}
	if err := fits(csr, r); err != nil {
		return DualResult{}, err
	}
	until, err := s.admit(ctx, r)
	if err != nil {
		return DualResult{}, err
	}
	pair := s.cfg.NewID()
	halves, key, err := s.draftPair(ctx, pair, r, csr.PublicKey.(*ecdsa.PublicKey), 0, until)
	if err != nil {
		return DualResult{}, err
	}
	if prepare != nil {
		if err := prepare(ctx, r); err != nil {
			return DualResult{}, err
		}
	}
	actor := ledger.Actor{Kind: "system", ID: r.System, Unit: r.Agency}
	claim := s.event("ca.token.claimed", actor, ledger.Object{Kind: "certificate_request", ID: r.ID}, nil)
	if r, _, err = s.cfg.Registry.ClaimToken(ctx, TokenHash(token), s.cfg.Now().UTC(), claim); err != nil {
		return DualResult{}, fmt.Errorf("ca: claim token: %w", err)
	}
	issued := s.pairEvent("ca.certificate.issued", actor, r, pair, halves)
	receipt, err := s.issue(ctx, halves, &key.Escrow, s.pairEvent("ca.pair.reserved", actor, r, pair, halves), s.activate(ctx, issued))
	if err != nil {
		return DualResult{}, err
	}
	return s.dual(r, pair, halves, key.Envelope, receipt, ""), nil
}

// admit asks the gate, and whether a host was taken off the register since the
// approval. It returns the latest end of a certificate; zero: its profile's.
func (s *Service) admit(ctx context.Context, r Request) (until time.Time, err error) {
	if s.cfg.Gate != nil {
		if until, err = s.cfg.Gate.MayIssue(ctx, r.System, r.Purpose); err != nil {
			return time.Time{}, fmt.Errorf("ca: system may not have certificates: %w", err)
		}
	}
	return until, s.hosts.Admit(ctx, r.System, r.Hosts)
}

// untilThen is the length of a certificate that begins as the profile says and
// ends at a time, or with the profile's own length.
func (s *Service) untilThen(end time.Time, r Request) (time.Duration, error) {
	name := profile.SM2Sign
	if r.Test() {
		name = profile.SM2SignTest
	}
	p, err := profile.Get(name)
	if err != nil {
		return 0, err
	}
	length := end.Sub(s.cfg.Now()) + profile.Backdate
	if length <= profile.Backdate {
		return 0, fmt.Errorf("%w: ends before it begins", ErrInvalid)
	}
	return min(length, p.Validity), nil
}

// draftPair drafts both certificates for one subject; the encryption key comes
// from the key centre. Neither lives beyond until, where that is set.
func (s *Service) draftPair(ctx context.Context, pair string, r Request, signing *ecdsa.PublicKey, validity time.Duration, until time.Time) ([]half, EncryptionKey, error) {
	key, err := s.cfg.KMC.NewPair(ctx, pair, signing)
	if err != nil {
		return nil, EncryptionKey{}, fmt.Errorf("ca: encryption key: %w", err)
	}
	subject := profile.Subject{CommonName: r.CommonName, Organization: r.Organization, USCC: r.Agency}
	halves := make([]half, 2)
	type want struct {
		name   profile.Name
		kind   Kind
		public *ecdsa.PublicKey
	}
	pairOf := [2]want{{profile.SM2Sign, KindSM2Sign, signing}, {profile.SM2Enc, KindSM2Enc, key.Public}}
	if r.Test() {
		pairOf = [2]want{{profile.SM2SignTest, KindSM2SignTest, signing}, {profile.SM2EncTest, KindSM2EncTest, key.Public}}
	}
	for i, want := range pairOf {
		fields := profile.Fields{Subject: subject, Public: want.public, Hosts: r.Hosts, Validity: validity, NotAfter: until}
		h, err := s.draft(want.name, want.kind, fields, r.Hosts)
		if err != nil {
			return nil, EncryptionKey{}, err
		}
		h.row.Pair, h.row.Agency, h.row.System, h.row.Request = pair, r.Agency, r.System, r.ID
		halves[i] = h
	}
	return halves, key, nil
}

func (s *Service) pairEvent(kind string, actor ledger.Actor, r Request, pair string, halves []half) ledger.Event {
	ev := s.event(kind, actor, certificateObject(halves[0].row), map[string]string{
		"pair": pair, "certificate_request": r.ID, "approval": r.Approval,
		"sign_serial": halves[0].row.Serial, "enc_serial": halves[1].row.Serial, "enc_tbs_sm3": halves[1].row.TBSSM3,
	})
	ev.Payload = halves[0].row.TBSSM3
	return ev
}
