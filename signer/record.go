package signer

import (
	"fmt"
	"time"
)

// SealState is where a seal stands in its life.
type SealState string

// Seal states (reference/regulations §7): applied → approved → made → filed →
// active ⇄ suspended, and the ends refused, cancelled and expired. The moves and
// who may make them are the table of signer/life.
const (
	SealApplied   SealState = "applied"
	SealApproved  SealState = "approved"
	SealRefused   SealState = "refused"
	SealMade      SealState = "made"
	SealFiled     SealState = "filed"
	SealActive    SealState = "active"
	SealSuspended SealState = "suspended"
	SealCancelled SealState = "cancelled"
	SealExpired   SealState = "expired"
)

// FilingSample is the filing of a seal that was drawn here: it is a 样章 and was
// filed with nobody (国令716 art. 9; design §2 law 7).
const FilingSample = "sample"

// Seal is a registered electronic seal. Until it is made it is an application:
// DER, CertDER and KeyID are empty and the period is the one asked for.
type Seal struct {
	ID         string    `json:"id"`   // esID: 6-digit division code + 8 digits
	Unit       string    `json:"unit"` // unified social credit code of the owner
	Name       string    `json:"name"`
	DER        []byte    `json:"der"`         // SESeal, GB/T 38540
	CertDER    []byte    `json:"certificate"` // signer certificate, an entry of the seal's list
	KeyID      string    `json:"key_id"`
	State      SealState `json:"state"`
	ValidFrom  time.Time `json:"valid_from"`
	ValidUntil time.Time `json:"valid_until"`
	Drawn      bool      `json:"drawn"` // picture drawn by us: carries 样章
	CreatedAt  time.Time `json:"created_at"`
	Life
}

// Life is what the register keeps of a seal beside the seal itself.
type Life struct {
	Revision      int64          `json:"revision"`                 // counts the changes; guards them
	Kind          string         `json:"kind,omitempty"`           // 法定名称章, 业务专用章 …: life.Kind
	Purpose       string         `json:"purpose,omitempty"`        // as applied for
	Picture       string         `json:"picture_sm3,omitempty"`    // of the picture that was approved
	PictureFiling string         `json:"picture_filing,omitempty"` // number under which an uploaded picture is filed
	Applicant     string         `json:"applicant,omitempty"`      // person id
	Approver      string         `json:"approver,omitempty"`       // person id of the leader
	Approval      string         `json:"approval,omitempty"`       // id of the approval of the application
	Maker         string         `json:"maker,omitempty"`          // person id; never a user of this seal
	Filing        string         `json:"filing,omitempty"`         // filing number (备案号), or FilingSample
	FiledOn       time.Time      `json:"filed_on,omitzero"`
	CustodyClass  string         `json:"custody_class,omitempty"` // of the key when the seal was made or imported
	Accreditation *Accreditation `json:"accreditation,omitempty"` // nil: made here, with the house's own certificate
	CompromisedAt time.Time      `json:"compromised_at,omitzero"` // the key is not trusted from then on (电子签名法 art. 15)
	Authorisation Authorisation  `json:"authorisation,omitzero"`
	Ask           *Ask           `json:"ask,omitempty"` // what waits for the leader's signature
}

// Accreditation names the accredited electronic-government certification service
// of an imported seal (商用密码管理条例 art. 24, 30; 电子签名法 art. 18).
type Accreditation struct {
	Service    string    `json:"service"`
	Licence    string    `json:"licence"`
	URL        string    `json:"url"`
	ValidFrom  time.Time `json:"valid_from"`
	ValidUntil time.Time `json:"valid_until"`
}

// AskKind is what a leader is asked to sign about a seal.
type AskKind string

// Kinds of asks. Suspending and cancelling need none; whatever loosens does
// (design §2 law 8).
const (
	AskMake      AskKind = "make"      // 制章申请
	AskResume    AskKind = "resume"    // 恢复使用
	AskAuthorise AskKind = "authorise" // 用印授权 changes
	AskImport    AskKind = "import"    // a seal of an accredited service is taken on (导入)
)

// Ask is one open question to the leader of the seal's unit. ID and Digest are
// what the approval is over.
type Ask struct {
	ID            string         `json:"id"` // seal and revision: never used twice
	Kind          AskKind        `json:"kind"`
	Requester     string         `json:"requester"` // person id
	Reason        string         `json:"reason"`
	Authorisation *Authorisation `json:"authorisation,omitempty"` // wanted, of AskAuthorise
	Digest        string         `json:"digest_sm3"`
	At            time.Time      `json:"at"`
}

// Awaits reports whether a leader's signature is missing. The question of an
// approved application stays with it until the seal is made.
func (s Seal) Awaits() bool { return s.Ask != nil && s.State != SealApproved }

// StateError names the state in which something stands and the one that it was
// asked to have. It is an ErrSealState.
type StateError struct {
	Seal string
	From SealState
	To   SealState
}

func (e *StateError) Error() string {
	return fmt.Sprintf("%v: seal %s is %s and cannot become %s", ErrSealState, e.Seal, e.From, e.To)
}

// Unwrap makes it an ErrSealState.
func (e *StateError) Unwrap() error { return ErrSealState }
