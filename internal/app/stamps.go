package app

import (
	"context"
	"encoding/asn1"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"github.com/emmansun/gmsm/smx509"
	"github.com/go-chi/chi/v5"

	"github.com/yinxin-gov/yinxin/authz/ledger"
	"github.com/yinxin-gov/yinxin/ca"
	"github.com/yinxin-gov/yinxin/ca/profile"
	"github.com/yinxin-gov/yinxin/ca/stepca"
	"github.com/yinxin-gov/yinxin/internal/keys"
	"github.com/yinxin-gov/yinxin/signer/cms/tsp"
	"github.com/yinxin-gov/yinxin/signer/tsa"
)

// Paths of the time-stamp service (RFC 3161, 3.4).
const (
	pathStamp      = "/tsa" // the track fits the digest of the request
	pathStampSM2   = "/tsa/sm2"
	pathStampECDSA = "/tsa/ecdsa"
)

const (
	// stampAccuracy is what tokens say of their time. Half a second of it is
	// rounding; the rest is what the kernel may be wrong by, and timesyncd lets
	// that grow to 1.1 s between two of its looks at the time.
	stampAccuracy = 2 * time.Second
	clockLimit    = stampAccuracy - time.Second/2
	// stampSeats is how many callers of one path are answered at a time.
	stampSeats = 64
)

// stamps is the time-stamp service of the house: one key and certificate for
// each algorithm.
type stamps struct{ sm2, ecdsa *stampTrack }

// openStamps makes what a house of an earlier version lacks.
func (h *House) openStamps(ctx context.Context) (err error) {
	sm2Names := keys.Spec{ID: keyStampSM2, Algorithm: keys.SM2, Purpose: keys.PurposeSign, Owner: "signer/tsa"}
	if h.stamps.sm2, err = h.openTrack(ctx, sm2Names, fileStampSM2, h.sm2(), h.issueStampSM2); err != nil {
		return err
	}
	ecdsaNames := keys.Spec{ID: keyStampECDSA, Algorithm: keys.ECDSAP256, Purpose: keys.PurposeSign, Owner: "signer/tsa"}
	if h.stamps.ecdsa, err = h.openTrack(ctx, ecdsaNames, fileStampECDSA, h.ecdsa(), h.issueStampECDSA); err != nil {
		return err
	}
	if err := h.synchronised(); err != nil {
		h.cfg.Log.ErrorContext(ctx, "no time-stamps and no seals until the clock is synchronised, or config.yaml says clock: trusted", "error", err)
	}
	return nil
}

// synchronised asks whoever the operator named about the clock.
func (h *House) synchronised() error {
	if h.cfg.Clock == ClockTrusted {
		return nil
	}
	return tsa.Kernel(clockLimit)
}

// Issue implements tsa.Issuer: SM3 is answered with SM2, SHA-2 with ECDSA.
func (s stamps) Issue(ctx context.Context, r tsp.Request) ([]byte, error) {
	if r.Imprint.Digest.Hash == 0 {
		return s.sm2.Issue(ctx, r)
	}
	return s.ecdsa.Issue(ctx, r)
}

// mountStamps adds the service to a listener; what it answers is signed, so that
// plain HTTP does as well.
func (h *House) mountStamps(r chi.Router) {
	for path, by := range map[string]tsa.Issuer{pathStamp: h.stamps, pathStampSM2: h.stamps.sm2, pathStampECDSA: h.stamps.ecdsa} {
		r.Handle(path, tsa.NewDoor(by, stampSeats))
	}
}

// RecordTimeStamp puts a token on the ledger before anybody gets it. Tokens made
// at one time share one commit, and none waits for a checkpoint.
func (t *stampTrack) RecordTimeStamp(ctx context.Context, i tsa.Issued) error {
	_, err := t.house.Ledger.Record(ctx, ledger.Event{
		ID: newID(), Type: "signer.timestamp.issued", Class: ledger.ClassSeal, Time: t.house.now(),
		Actor:  ledger.Actor{Kind: "service", ID: t.spec.ID, Unit: t.house.cfg.USCC},
		Object: ledger.Object{Kind: "timestamp", ID: i.Serial}, Outcome: ledger.Success, Payload: hex.EncodeToString(i.Token),
		Details: map[string]string{"digest": i.Digest, "imprint": hex.EncodeToString(i.Imprint), "time": i.Time.UTC().Format(time.RFC3339)},
	})
	return err
}

// issueStampSM2 certifies the key of the SM2 track.
func (h *House) issueStampSM2(ctx context.Context, k keys.Signer) (ca.Certificate, error) {
	pub, err := ecPublic(k)
	if err != nil {
		return ca.Certificate{}, err
	}
	out, err := h.CA.IssueSM2(ctx, h.service(), ca.IssueSpec{
		ID: "service-" + keyStampSM2, Kind: ca.KindService, Profile: profile.SM2TSA, Public: pub, Agency: h.cfg.USCC, System: keyStampSM2,
		Subject: profile.Subject{CommonName: h.cfg.Organization + "时间戳服务", Organization: h.cfg.Organization, USCC: h.cfg.USCC},
	})
	return out.Certificate, err
}

// issueStampECDSA certifies the key of the ECDSA track.
func (h *House) issueStampECDSA(ctx context.Context, k keys.Signer) (ca.Certificate, error) {
	pub, err := ecPublic(k)
	if err != nil {
		return ca.Certificate{}, err
	}
	return h.StepCA.IssueHouse(ctx, stepca.HouseOrder{
		Profile: profile.ECDSATSA, System: keyStampECDSA, CommonName: h.cfg.Organization + "时间戳服务", Public: pub,
	})
}

// stampPolicy is the policy named in tokens: that of the house's certificates.
func (h *House) stampPolicy() (asn1.ObjectIdentifier, error) {
	oid, err := smx509.ParseOID(h.cfg.site().Policy())
	if err != nil {
		return nil, fmt.Errorf("app: policy: %w", err)
	}
	raw, err := oid.MarshalBinary()
	if err != nil {
		return nil, fmt.Errorf("app: policy: %w", err)
	}
	var out asn1.ObjectIdentifier
	if _, err := asn1.Unmarshal(append([]byte{asn1.TagOID, byte(len(raw))}, raw...), &out); err != nil {
		return nil, fmt.Errorf("app: policy: %w", err)
	}
	return out, nil
}

// errStampCertificate: the certificate of the service was withdrawn.
var errStampCertificate = errors.New("app: the certificate of the time-stamp service is revoked or held")
