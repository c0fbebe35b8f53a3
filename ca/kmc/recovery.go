package kmc

import (
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"time"
	"unicode/utf8"

	"github.com/emmansun/gmsm/sm3"

	"github.com/yinxin-gov/yinxin/authz/ledger"
	"github.com/yinxin-gov/yinxin/ca"
)

// Kind says for whom a key is recovered.
type Kind string

// Kinds of recoveries.
const (
	ForOwner Kind = "owner"    // 用户密钥恢复 (GM/T 0034 12.4)
	ForLaw   Kind = "judicial" // 司法密钥恢复 (GM/T 0034 12.5)
)

// State of a recovery. ForOwner: asked → checked → approved → delivered; ForLaw
// goes without the registration officer's check. Refused and lapsed are ends.
type State string

// States.
const (
	Asked     State = "asked"
	Checked   State = "checked" // by a registration officer
	Approved  State = "approved"
	Delivered State = "delivered"
	Refused   State = "refused"
	Lapsed    State = "lapsed"
)

// Open says whether something may still come of it.
func (s State) Open() bool { return s == Asked || s == Checked || s == Approved }

// Recovery asks for one escrowed key. What Digest covers is never changed: a
// request that is to be another one is asked anew, and nobody has signed it.
type Recovery struct {
	ID               string
	Kind             Kind
	Pair             string
	PublicSM3        string // of the key
	Agency, System   string // of the pair
	EncryptionIssuer string // names the encryption certificate of the pair,
	EncryptionSerial string // with the issuer
	Receiver         []byte // certificate (DER) whose key opens the envelope
	Document         string // ForLaw: number of the legal document
	Authority        string // ForLaw: who issued it
	ScanSM3          string // ForLaw: of the scanned document
	Reason           string
	Need             int    // officers who have to approve
	AskedBy          string // person
	AskedAt          time.Time
	LapsesAt         time.Time // and every approval with it

	State       State
	Check       string   // approval of the registration officer
	Approvals   []string // of the officers
	Refusal     string   // id of the answer that ended it
	SettledAt   time.Time
	DeliveredAt time.Time
	EnvelopeSM3 string
}

// Digest is what everybody who answers a request signs: all that was asked.
func (r Recovery) Digest() string {
	to := sm3.Sum(r.Receiver)
	raw, err := json.Marshal(struct {
		ID, Kind, Pair, PublicSM3, Agency, System, Issuer, Serial, Receiver, Document, Authority, Scan, Reason, AskedBy string
		Need                                                                                                            int
		AskedAt, LapsesAt                                                                                               int64
	}{
		r.ID, string(r.Kind), r.Pair, r.PublicSM3, r.Agency, r.System, r.EncryptionIssuer, r.EncryptionSerial, hex.EncodeToString(to[:]),
		r.Document, r.Authority, r.ScanSM3, r.Reason, r.AskedBy, r.Need, r.AskedAt.UnixMicro(), r.LapsesAt.UnixMicro(),
	})
	if err != nil { // strings and numbers only
		panic(err)
	}
	sum := sm3.Sum(append([]byte("yinxin kmc recovery v1\n"), raw...))
	return hex.EncodeToString(sum[:])
}

// Outcomes of recoveries that callers branch on.
var (
	ErrInvalid = errors.New("kmc: the request is not complete")
	ErrRole    = errors.New("kmc: not for this person")
	// ErrUnused: the pair was never handed out, so nothing was encrypted for it.
	ErrUnused    = errors.New("kmc: the pair was never handed out; its key is recovered for nobody")
	ErrReceiver  = errors.New("kmc: the certificate may not receive this key")
	ErrUnchecked = errors.New("kmc: nothing says that the receiver's certificate is not revoked")
	ErrRepeated  = errors.New("kmc: the same request is open already")
	ErrPending   = errors.New("kmc: not approved yet")
	ErrRefused   = errors.New("kmc: the request was refused")
	ErrLapsed    = errors.New("kmc: the request has lapsed; ask again")
	ErrDelivered = errors.New("kmc: delivered already; another delivery is a request of its own")
	ErrState     = errors.New("kmc: the request moved on meanwhile")
)

// Query selects recoveries; zero fields select all.
type Query struct {
	Kind   Kind
	Agency string // of the pair
	System string
	Pair   string
	Open   bool
}

// Register is the store of recoveries. A change commits with its event.
type Register interface {
	// AddRecovery returns ErrRepeated when the id is taken.
	AddRecovery(ctx context.Context, r Recovery, ev ledger.Event) (ledger.Receipt, error)
	// MoveRecovery takes State and what goes with it from r, if it is in state from
	// now: ErrState otherwise.
	MoveRecovery(ctx context.Context, r Recovery, from State, ev ledger.Event) (ledger.Receipt, error)
	// Recovery returns ErrNotFound for an unknown id.
	Recovery(ctx context.Context, id string) (Recovery, error)
	// Recoveries returns those that fit, newest first.
	Recoveries(ctx context.Context, q Query) ([]Recovery, error)
}

// Certificates is the registry of certificates.
type Certificates interface {
	Certificate(ctx context.Context, issuer, serial string) (ca.Certificate, error)
	CertificatesOf(ctx context.Context, system string) ([]ca.Certificate, error)
}

// Posts says who holds one of these roles in a unit now.
type Posts interface {
	Holds(ctx context.Context, person, unit string, roles ...string) (bool, error)
}

// Answer is what those who were asked have signed so far, verified.
type Answer struct {
	Approvals []string // ids, of different persons
	Enough    bool
	Refusal   string // id; set: it has ended
}

// Approvers verifies the signatures over exactly this request, every time anew.
type Approvers interface {
	// Check is the registration officer's answer.
	Check(ctx context.Context, r Recovery) (Answer, error)
	// Vote is that of Recovery.Need key management officers, none of whom asked.
	Vote(ctx context.Context, r Recovery) (Answer, error)
}

// Receivers says whether a certificate of an investigator is known: of our own
// registry and good, or under a registered anchor and not revoked; ErrUnchecked
// when nobody says so.
type Receivers interface {
	Known(ctx context.Context, certDER []byte, at time.Time) error
}

// Recorder writes an event of which there is no row.
type Recorder interface {
	Append(ctx context.Context, ev ledger.Event) (ledger.Receipt, error)
}

// Bounds of what people write.
const (
	maxText   = 500
	maxNumber = 120
	maxCert   = 16 << 10
)

func (r Recovery) validate() error {
	for what, f := range map[string]struct {
		text string
		max  int
		must bool
	}{
		"reason": {r.Reason, maxText, true}, "document": {r.Document, maxNumber, r.Kind == ForLaw}, "authority": {r.Authority, maxNumber, r.Kind == ForLaw},
	} {
		if f.must != (f.text != "") || utf8.RuneCountInString(f.text) > f.max || !plain(f.text) {
			return fmt.Errorf("%w: %s", ErrInvalid, what)
		}
	}
	scan, err := hex.DecodeString(r.ScanSM3)
	switch {
	case r.Kind != ForOwner && r.Kind != ForLaw:
		return fmt.Errorf("%w: kind %q", ErrInvalid, r.Kind)
	case r.Kind == ForLaw && (err != nil || len(scan) != sm3.Size || hex.EncodeToString(scan) != r.ScanSM3):
		return fmt.Errorf("%w: the scan's SM3", ErrInvalid)
	case r.Kind == ForOwner && r.ScanSM3 != "":
		return fmt.Errorf("%w: a legal document in the owner's request", ErrInvalid)
	case len(r.Receiver) == 0 || len(r.Receiver) > maxCert:
		return fmt.Errorf("%w: certificate of the receiver", ErrInvalid)
	}
	return nil
}

// plain text has no control characters and is UTF-8: what is signed reads the
// same everywhere.
func plain(s string) bool {
	return utf8.ValidString(s) && !bytes.ContainsFunc([]byte(s), func(r rune) bool { return r < 0x20 || r == 0x7f || r == 0x2028 || r == 0x2029 })
}
