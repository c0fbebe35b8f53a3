package wire

import (
	"time"

	"github.com/yinxin-gov/yinxin/authz/ledger"
)

// PathRecoveries is where a system finds the encryption keys that were recovered
// for it (用户密钥恢复): it wants its mTLS certificate.
const PathRecoveries = "/api/v1/recoveries"

// Recovery is a request for a key of the calling system.
type Recovery struct {
	ID        string    `json:"id"`
	State     string    `json:"state" enum:"asked,checked,approved,delivered,refused,lapsed"`
	Pair      string    `json:"pair"`
	EncSerial string    `json:"encryption_serial" doc:"of the encryption certificate whose key it is, hex"`
	Receiver  string    `json:"receiver_serial" doc:"of the signing certificate whose key opens the envelope, hex"`
	AskedAt   time.Time `json:"asked_at"`
	LapsesAt  time.Time `json:"lapses_at"`
}

// RecoveredKey is the answer to POST PathRecoveries/{id}/delivery. It is given
// once: keep it before anything else is done with it.
type RecoveredKey struct {
	ID           string         `json:"id"`
	Pair         string         `json:"pair"`
	EncCert      []byte         `json:"encryption_certificate" doc:"DER"`
	EnvelopedKey []byte         `json:"enveloped_key" doc:"GB/T 35276 enveloped key pair, opened by the signing key that the request named"`
	Chain        [][]byte       `json:"chain" doc:"issuing and root certificate of the SM2 track, DER"`
	Receipt      ledger.Receipt `json:"receipt"`
}
