// Package wire holds the shapes that travel: the JSON of the house's own API
// and the signed header of an envelope, for the server (internal/api,
// internal/exchange) and its clients (internal/agent). Binary values are base64;
// times are RFC 3339 in UTC; digests are SM3 in lower-case hex. A leaf: it
// imports only leaves.
package wire

import (
	"time"

	"github.com/yinxin-gov/yinxin/authz/ledger"
	"github.com/yinxin-gov/yinxin/authz/level"
)

// Paths of the API.
const (
	PathStatus    = "/api/v1/status"
	PathAnchors   = "/api/v1/anchors"
	PathEnrol     = "/api/v1/enrolments"
	PathACMEKeys  = "/api/v1/acme/keys"
	PathVerify    = "/api/v1/verifications"
	PathTransfers = "/api/v1/transfers"
	PathArchives  = "/api/v1/archives"
	PathHead      = "/api/v1/ledger/head"
)

// Status is what anybody may know.
type Status struct {
	Name       string    `json:"name"`
	Version    string    `json:"version"`
	Time       time.Time `json:"time"`
	LedgerSize uint64    `json:"ledger_size" doc:"entries in the ledger of this node"`
	Healthy    bool      `json:"healthy"`
	Sample     bool      `json:"sample" doc:"true: demo keys, not for production"`
	Closing    *Closing  `json:"closing,omitempty" doc:"the announced end of the certification service"`
}

// Anchors are the trust anchors of the house, PEM.
type Anchors struct {
	SM2Root       string `json:"sm2_root"`
	SM2Issuing    string `json:"sm2_issuing"`
	ECDSARoot     string `json:"ecdsa_root"`
	ECDSAIssuing  string `json:"ecdsa_issuing"`
	LedgerKey     string `json:"ledger_key" doc:"certificate of the checkpoint signer"`
	LedgerOrigin  string `json:"ledger_origin"`
	SM2RootSM3    string `json:"sm2_root_sm3"`
	ECDSARootSM3  string `json:"ecdsa_root_sm3"`
	AccessWarning string `json:"notice" doc:"what these certificates do not prove"`
}

// EnrolRequest turns one enrolment token into both tracks. The same request again
// gets the same pair for an hour, another one with the token is refused.
type EnrolRequest struct {
	Token    string `json:"token" minLength:"20" maxLength:"128" doc:"one-time enrolment token"`
	SM2CSR   []byte `json:"sm2_csr" maxLength:"16384" doc:"PKCS#10 request of the SM2 signing key, DER"`
	Response bool   `json:"gmt0092,omitempty" doc:"also answer in the form of GM/T 0092-2020"`
}

// EnrolAnswer holds the SM2 pair and what the ECDSA track needs next: POST
// {csr, ott} to SignURL.
type EnrolAnswer struct {
	System       string         `json:"system"`
	SignCert     []byte         `json:"sign_certificate"`
	EncCert      []byte         `json:"encryption_certificate"`
	EnvelopedKey []byte         `json:"enveloped_key" doc:"GB/T 35276 enveloped key pair, opened by the signing key"`
	Chain        [][]byte       `json:"chain" doc:"issuing and root certificate of the SM2 track, DER"`
	Response     []byte         `json:"gmt0092,omitempty" doc:"the pair as a response of GM/T 0092-2020, DER"`
	OneTimeToken string         `json:"one_time_token" doc:"for the ECDSA track, five minutes"`
	SignURL      string         `json:"sign_url"`
	Hosts        []string       `json:"hosts" doc:"names that the ECDSA certificate may carry"`
	Receipt      ledger.Receipt `json:"receipt"`
}

// ACMEKeyRequest asks for the external account key of an ACME client. The
// enrolment token is looked at and not spent: it still opens both tracks.
type ACMEKeyRequest struct {
	Token string `json:"token" minLength:"20" maxLength:"128" doc:"enrolment token"`
}

// ACMEKeyAnswer is told once; the house keeps neither secret in the clear.
type ACMEKeyAnswer struct {
	System       string    `json:"system"`
	Hosts        []string  `json:"hosts" doc:"names that may be ordered"`
	Directory    string    `json:"directory" doc:"RFC 8555 directory"`
	KID          string    `json:"kid" doc:"external account binding: key id"`
	HMAC         string    `json:"hmac" doc:"external account binding: key, base64url; binds one account"`
	TextURL      string    `json:"text_url" doc:"where TXT records for dns-01 are set (…/present, …/cleanup)"`
	TextPassword string    `json:"text_password" doc:"password there, kid is the user"`
	Expires      time.Time `json:"expires" doc:"until when an account must be bound"`
}

// SendRequest hands in a sealed document for another system.
type SendRequest struct {
	To       string   `json:"to_system" minLength:"1" maxLength:"63"`
	Resource string   `json:"resource" minLength:"1" maxLength:"128"`
	Purpose  string   `json:"purpose" maxLength:"128"`
	Fields   []string `json:"fields,omitempty" maxItems:"256"`
	Carriers []string `json:"carriers,omitempty" maxItems:"16"`
	Name     string   `json:"name" minLength:"1" maxLength:"255"`
	Document []byte   `json:"document"`
}

// Transfer is what sender and receiver see of a transfer.
type Transfer struct {
	ID         string         `json:"id"`
	From       string         `json:"from_system"`
	To         string         `json:"to_system"`
	Resource   string         `json:"resource"`
	Purpose    string         `json:"purpose"`
	Label      level.Label    `json:"label"`
	Name       string         `json:"name"`
	Document   string         `json:"document_sm3"`
	Decision   string         `json:"decision"`
	Agreement  string         `json:"agreement,omitempty"`
	Holding    string         `json:"holding,omitempty"`
	State      string         `json:"state"`
	SentAt     time.Time      `json:"sent_at"`
	FetchedAt  time.Time      `json:"fetched_at,omitzero"`
	ReceivedAt time.Time      `json:"received_at,omitzero"`
	Receipt    ledger.Receipt `json:"receipt,omitzero"`
}

// ReceiptRequest is the receiver's SM2 signature over
// "yinxin/receipt/v1\n<transfer id>\n<document SM3 hex>\n".
type ReceiptRequest struct {
	Signature []byte `json:"signature" minLength:"8" maxLength:"256"`
}

// Head is the newest state of the ledger.
type Head struct {
	Shard      uint32 `json:"shard"`
	Size       uint64 `json:"size"`
	Root       string `json:"root_sm3"`
	Checkpoint string `json:"checkpoint" doc:"signed note, C2SP form with SM3 and SM2"`
}
