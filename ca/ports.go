package ca

import (
	"context"
	"crypto/ecdsa"
	"time"
)

// Approver answers whether a second person approved exactly this. It verifies
// the signature of the RA officer (注册审核员) over (kind, id, digest) and
// returns the approval's id and who gave it, or an error wrapping
// ErrNotApproved. ApprovalKind is the kind of everything in this room.
type Approver interface {
	Approved(ctx context.Context, kind, id, digest string) (approvalID, approver string, err error)
}

// ApprovalKind is what Approver is asked for.
const ApprovalKind = "certificate"

// Gate says whether a system may have certificates of a purpose today: the
// grading registry refuses one that is ungraded, retired or stopped. until is
// the latest end of a certificate issued now; zero: that of its profile. An
// error refuses.
type Gate interface {
	MayIssue(ctx context.Context, system string, p Purpose) (until time.Time, err error)
}

// Hosts is the register of DNS names of each system.
type Hosts interface {
	HostsOf(ctx context.Context, system string) ([]string, error)
}

// EncryptionKey is what a key centre hands over: the private half only inside
// Envelope (GB/T 35276), which only the signing key of the same pair opens, and
// inside Escrow, wrapped.
type EncryptionKey struct {
	Public   *ecdsa.PublicKey
	Escrow   EscrowedKey
	Envelope []byte
}

// KeyCentre makes encryption keys: ca/kmc. It has no way to be given a key.
type KeyCentre interface {
	NewPair(ctx context.Context, pair string, signing *ecdsa.PublicKey) (EncryptionKey, error)
}
