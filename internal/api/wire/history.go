package wire

import "time"

// PathSystems is where a system reads about itself: + "/{id}/certificates" for
// the history of its certificates, and "/{id}/certificates/expiring".
const PathSystems = "/api/v1/systems"

// Certificates is a page of a system's certificates, newest first.
type Certificates struct {
	System       string        `json:"system"`
	Certificates []Certificate `json:"certificates"`
	Next         string        `json:"next,omitempty" doc:"place of the next page: give it as after"`
}

// Certificate is one of a system, with where it came from and what was done about
// it. Persons are ids; texts that they wrote stay in the house.
type Certificate struct {
	Issuer    string     `json:"issuer"`
	Serial    string     `json:"serial"`
	Kind      string     `json:"kind"`
	Half      string     `json:"half,omitempty" doc:"serial of the other half of the pair"`
	Subject   string     `json:"subject"`
	Names     []string   `json:"names,omitempty"`
	State     string     `json:"state" enum:"unsigned,good,hold,revoked"`
	Reason    string     `json:"reason,omitempty" doc:"of a revocation, by its name in RFC 5280"`
	NotBefore time.Time  `json:"not_before"`
	NotAfter  time.Time  `json:"not_after"`
	StoppedAt *time.Time `json:"stopped_at,omitempty" doc:"held or revoked"`
	Way       string     `json:"way,omitempty"`
	Ref       string     `json:"ref,omitempty"`
	Follows   string     `json:"follows,omitempty" doc:"issuer:serial"`
	Followed  []string   `json:"followed,omitempty"`

	Request *CertificateOrigin `json:"request,omitempty"`
	Holds   []CertificateHold  `json:"holds,omitempty"`
	Entries []CertificateEntry `json:"entries,omitempty" doc:"of the ledger, oldest first"`

	Superseded bool `json:"superseded,omitempty" doc:"a successor is in force; in the list of what ends"`
}

// CertificateOrigin is the request behind a certificate.
type CertificateOrigin struct {
	ID          string   `json:"id"`
	SubmittedBy string   `json:"submitted_by"`
	ReviewedBy  string   `json:"reviewed_by,omitempty"`
	DecidedBy   string   `json:"decided_by,omitempty"`
	Approval    string   `json:"approval,omitempty"`
	Evidence    []string `json:"evidence_sm3,omitempty" doc:"SM3 of scanned documents"`
}

// CertificateHold is a hold, lifted or not.
type CertificateHold struct {
	ID       string     `json:"id"`
	By       string     `json:"by"`
	At       time.Time  `json:"at"`
	LiftedAt *time.Time `json:"lifted_at,omitempty"`
}

// CertificateEntry is an entry of the ledger.
type CertificateEntry struct {
	Shard   uint32    `json:"shard"`
	Seq     uint64    `json:"seq"`
	ID      string    `json:"id"`
	Type    string    `json:"type"`
	At      time.Time `json:"at"`
	By      string    `json:"by"`
	Outcome string    `json:"outcome"`
}
