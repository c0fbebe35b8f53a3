package wire

import (
	"encoding/hex"
	"fmt"
	"time"

	"github.com/emmansun/gmsm/sm3"

	"github.com/yinxin-gov/yinxin/authz/ledger"
)

// Paths by which an enrolled system keeps its own certificates; they want its
// mTLS certificate.
const (
	PathRenewals    = "/api/v1/renewals"
	PathRevocations = "/api/v1/revocations"
	PathPairs       = "/api/v1/pairs" // + "/{serial}": a pair that was renewed or ordered by ACME, once more
)

// RenewRequest asks for the follower of an SM2 pair that is good now. The key of
// the CSR may be the old signing key or a new one (rekey); the encryption key is
// always a new one. The same request again gets the same answer, so that a lost
// one costs nothing: keep the key of the CSR before asking.
type RenewRequest struct {
	Serial    string `json:"serial" pattern:"^[1-9a-f][0-9a-f]{0,39}$" doc:"of the signing certificate that is renewed, hex"`
	SM2CSR    []byte `json:"sm2_csr" maxLength:"16384" doc:"PKCS#10 request of the next SM2 signing key, DER; names as approved, or none"`
	Signature []byte `json:"signature" minLength:"8" maxLength:"256" doc:"by the key of that certificate over RenewalMessage: SM2 with SM3, default user id, DER"`
	Response  bool   `json:"gmt0092,omitempty" doc:"also answer in the form of GM/T 0092-2020"`
}

// RenewalMessage is what the old key signs: yinxin/sm2-renewal/v1, the serial
// and the SM3 of the CSR, a line each.
func RenewalMessage(serial string, csr []byte) []byte {
	sum := sm3.Sum(csr)
	return fmt.Appendf(nil, "yinxin/sm2-renewal/v1\n%s\n%s\n", serial, hex.EncodeToString(sum[:]))
}

// Pair is an SM2 pair as its owner gets it. The old one stays good until its own
// end; its encryption key is kept to read what was encrypted to it.
type Pair struct {
	System       string         `json:"system"`
	SignCert     []byte         `json:"sign_certificate"`
	EncCert      []byte         `json:"encryption_certificate"`
	EnvelopedKey []byte         `json:"enveloped_key" doc:"GB/T 35276 enveloped key pair, opened by the key of the CSR"`
	Chain        [][]byte       `json:"chain" doc:"issuing and root certificate of the SM2 track, DER"`
	Response     []byte         `json:"gmt0092,omitempty" doc:"all of it as a response of GM/T 0092-2020, DER"`
	Renews       string         `json:"renews,omitempty" doc:"serial of the signing certificate that it follows"`
	Receipt      ledger.Receipt `json:"receipt,omitzero" doc:"absent when the answer is repeated"`
}

// RevokeRequest ends a certificate of the calling system, at once and for good;
// half of a pair takes the other half with it.
type RevokeRequest struct {
	Serial string    `json:"serial" pattern:"^[1-9a-f][0-9a-f]{0,39}$" doc:"hex"`
	Reason string    `json:"reason" enum:"unspecified,keyCompromise,affiliationChanged,superseded,cessationOfOperation" doc:"name of RFC 5280 5.3.1"`
	Since  time.Time `json:"since,omitzero" doc:"keyCompromise: from when on the key was not the holder's alone (电子签名法 art. 15)"`
}
