package report

import (
	"context"

	"github.com/yinxin-gov/yinxin/signer/verify"
)

// Source knows what a document cannot show: who held the key, who acted, what
// was approved. It answers nil for a document or signature that it does not know.
// The SM3 is that of the whole document as it was judged; an answer is about
// exactly these bytes.
type Source interface {
	Evidence(ctx context.Context, document string, s verify.Signature) (*Evidence, error)
}

// Evidence is what a register says of one signature (电子签名法 art. 13 (1), (2),
// art. 34). Empty fields are not known.
type Evidence struct {
	Register  string  `json:"register"`        // who answers: the origin of its ledger
	Custody   Custody `json:"custody"`         // of the signing key, at signing
	Key       KeyUse  `json:"key"`             // whether others can sign with it
	Operator  string  `json:"operator"`        // person who put the seal on
	Use       string  `json:"use"`             // use of seal (用印申请)
	Approval  string  `json:"approval"`        // its approval (用印审批)
	Approved  string  `json:"approved_sm3"`    // the bytes that were approved
	Entry     string  `json:"ledger_entry"`    // of the activation, recorded before the signature
	Shard     uint32  `json:"ledger_shard"`    //
	Seq       uint64  `json:"ledger_sequence"` // valid when Entry is set
	SealState string  `json:"seal_state"`      // at signing
	Agreement string  `json:"agreement"`       // that states an agreed reliability (art. 13 para. 2)
}

// Custody is where a key is kept.
type Custody string

// Classes of custody.
const (
	CustodyUnknown  Custody = "unknown"
	CustodySoftware Custody = "software-file"
	CustodyVault    Custody = "vault-transit"
	CustodyHSM      Custody = "hsm"
	CustodyToken    Custody = "usbkey"
)

// Custodies lists every class.
func Custodies() []Custody {
	return []Custody{CustodyUnknown, CustodySoftware, CustodyVault, CustodyHSM, CustodyToken}
}

// hardware reports whether the key cannot leave its module. A key in software,
// behind a service too, can be copied by whoever runs the machine.
func (c Custody) hardware() bool { return c == CustodyHSM || c == CustodyToken }

// KeyUse says whether a signing key serves one seal or person alone.
type KeyUse string

// Answers; "" is not known.
const (
	KeyExclusive KeyUse = "exclusive" // one seal or person, never escrowed
	KeyShared    KeyUse = "shared"
)

// SealActive is the one state in which a seal may be used.
const SealActive = "active"
