package ca

import (
	"context"
	"crypto/ecdsa"
	"errors"
	"fmt"
	"time"

	"github.com/emmansun/gmsm/smx509"

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
	Chain    [][]byte       // who issued it, root, and what leads to an earlier root
	Renews   string         // serial of the signing certificate that it follows
	Again    bool           // was made for an earlier call
	Receipt  ledger.Receipt // empty when a pair is given again
}

// dual puts the answer together.
func dual(r Request, pair string, halves []half, envelope []byte, receipt ledger.Receipt, renews string) DualResult {
	return DualResult{
		Request: r, Pair: pair, Issuer: halves[0].row.Issuer, Serial: halves[0].row.Serial, SignCert: halves[0].row.DER, EncCert: halves[1].row.DER,
		Envelope: envelope, Chain: halves[0].by.Chain(), Renews: renews, Receipt: receipt,
	}
}

// Companion makes what the holder of a token gets with its pair. The request is
// approved and was admitted just now. Its event is recorded in the transaction
// that makes the pair good: nothing that it made counts before EnrolSM2 returns.
// An error refuses the enrolment, and costs no token. A pair that is given again
// comes without.
type Companion func(ctx context.Context, r Request) (ledger.Event, error)

// enrolAgain is how long the answer of an enrolment is given again.
const enrolAgain = time.Hour

// EnrolSM2 turns a token and the CSR of a signing key into a pair.
//
// Everything that can be refused is refused before the token is claimed: CSR,
// names, the gate, lint, what comes beside. The claim is one transaction with the
// record of what will be signed, and decides races, so that one of many callers
// with one token passes. From then on the token is gone, also when the store or
// the key fails: fail closed, the officer approves again. A caller that goes
// away stops nothing from then on: for an hour the same token with the same CSR
// gets the same pair, as long as it is good and the gate is open. Another CSR is
// ErrToken. Every refusal is recorded: with the system where the token is one of
// ours, used or not, else once a minute.
func (s *Service) EnrolSM2(ctx context.Context, token string, csrDER []byte, beside ...Companion) (DualResult, error) {
	if s.cfg.Deliveries == nil {
		return DualResult{}, fmt.Errorf("%w: where pairs are kept", ErrInvalid)
	}
	r, err := s.authorize(ctx, token)
	var got DualResult
	switch {
	case err == nil:
		actor := ledger.Actor{Kind: "system", ID: r.System, Unit: r.Agency}
		got, err = s.fulfil(ctx, commission{basis: tokenBasis(token), csr: csrDER, request: r, way: WayToken, actor: actor, token: token, beside: beside})
	case errors.Is(err, ErrToken) && len(token) == TokenLength:
		got, r, err = s.enrolled(ctx, token, csrDER, err)
	}
	if errors.Is(err, ErrRenewed) {
		err = ErrToken
	}
	switch {
	case err == nil:
		return got, nil
	case r.ID != "":
		actor := ledger.Actor{Kind: "system", ID: r.System, Unit: r.Agency}
		return DualResult{}, s.refused(ctx, "ca.enrolment.refused", actor, ledger.Object{Kind: "certificate_request", ID: r.ID}, err)
	case errors.Is(err, ErrToken):
		return DualResult{}, s.stranger(ctx, err)
	}
	return DualResult{}, err
}

// basisToken begins the basis of a pair that was enrolled by a token.
const basisToken = "token:"

func tokenBasis(token string) string { return basisToken + TokenHash(token) }

// enrolled is the answer of a token that was claimed, and the request that it was
// made for; unknown is what to say of one that was not.
func (s *Service) enrolled(ctx context.Context, token string, csrDER []byte, unknown error) (DualResult, Request, error) {
	now := s.cfg.Now()
	d, err := s.cfg.Deliveries.Delivery(ctx, tokenBasis(token), now)
	if errors.Is(err, ErrNotFound) {
		return DualResult{}, Request{}, unknown
	}
	if err != nil {
		return DualResult{}, Request{}, fmt.Errorf("ca: read enrolled pair: %w", err)
	}
	sign, err := s.Status(ctx, d.Issuer, d.Sign)
	if err != nil {
		return DualResult{}, Request{}, err
	}
	r, err := s.cfg.Registry.Request(ctx, sign.Request)
	if err != nil {
		return DualResult{}, Request{}, fmt.Errorf("ca: read request: %w", err)
	}
	if d.CSRSM3 != csrDigest(csrDER) || !now.Before(d.CreatedAt.Add(enrolAgain)) {
		return DualResult{}, r, unknown
	}
	got, err := s.again(ctx, d)
	if err == nil {
		err = s.stillGood(ctx, d, got)
	}
	return got, r, err
}

// stillGood refuses a pair that is not good any more, and one whose system may
// not have it now.
func (s *Service) stillGood(ctx context.Context, d Delivery, got DualResult) error {
	for _, der := range [][]byte{got.SignCert, got.EncCert} {
		cert, err := smx509.ParseCertificate(der)
		if err != nil {
			return fmt.Errorf("ca: read certificate: %w", err)
		}
		if _, err := s.inForce(ctx, d.Issuer, FormatSerial(cert.SerialNumber), der); err != nil {
			return err
		}
	}
	_, err := s.admit(ctx, got.Request)
	return err
}

// admit asks the gate, whether the service ends, and whether a host was taken off
// the register since the approval. It returns the latest end of a certificate;
// zero: its profile's.
func (s *Service) admit(ctx context.Context, r Request) (until time.Time, err error) {
	if s.cfg.Gate != nil {
		if until, err = s.cfg.Gate.MayIssue(ctx, r.System, r.Purpose); err != nil {
			return time.Time{}, fmt.Errorf("ca: system may not have certificates: %w", err)
		}
	}
	f := profile.Fields{NotAfter: until, Now: s.cfg.Now()}
	if err := Within(ctx, s.cfg.Horizon, KindSM2Sign, &f); err != nil {
		return time.Time{}, err
	}
	return f.NotAfter, s.hosts.Admit(ctx, r.System, r.Hosts)
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
	by, err := s.current(ctx)
	if err != nil {
		return nil, EncryptionKey{}, err
	}
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
		h, err := s.draft(ctx, by, want.name, want.kind, fields, r.Hosts)
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
