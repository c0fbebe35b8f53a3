// Package approval makes and checks signed approvals (审批). An approval is a
// signature by a person who, on that day, held the post that may approve, over
// the exact digest of what is approved; it never is a mere flag.
//
// It refuses an approver who asked for the thing himself (separation of duty),
// who holds no fitting post at that time, whose key is not in his certificate,
// and a signature over anything else (西政办发〔2011〕8号 art. 24,
// GB/T 22239 8.1.7.3).
package approval

import (
	"context"
	"errors"
	"time"

	"github.com/yinxin-gov/yinxin/authz/identity"
	"github.com/yinxin-gov/yinxin/authz/ledger"
)

// Kind is what is approved; it is part of what is signed.
type Kind string

// Kinds of approvals.
const (
	KindSealUse     Kind = "seal_use"        // 用印审批
	KindSeal        Kind = "seal"            // 制章审批, and whatever loosens a seal later: resuming, another authorisation
	KindCertificate Kind = "certificate"     // 证书注册审核
	KindGrant       Kind = "grant"           // 权限审定 (X11 art. 24), and what belongs to a grant later
	KindEmergency   Kind = "emergency_grant" // 紧急授权: the second person, for hours
	KindDelegation  Kind = "delegation"      // 授权委托: a leader names who signs grants meanwhile
	KindAgreement   Kind = "agreement"       // 共享协议
	KindRelabel     Kind = "relabel"         // the provider's act that lowers a label
	KindRegrade     Kind = "regrade"         // 等级变更
	KindRoute       Kind = "route"           // 网关路由: what a path of a system's interface stands for
	KindCitation    Kind = "citation"        // 引用同意: the provider's consent to be quoted (BJ17 art. 19)
	KindAnchor      Kind = "trust_anchor"    // 信任锚: an authority of others that the house takes on
	KindClosing     Kind = "ca_closing"      // 停止服务: the end of the certification service, and what belongs to it (电子签名法 art. 23)
	KindPurge       Kind = "retention_purge" // 到期销毁: what is kept of certificates long over (art. 24)
	KindAuthority   Kind = "ca_generation"   // 更替认证机构: another generation of the house's own authorities
	KindViolation   Kind = "violation"       // 违规整改: use is resumed after a breach (BJ17 art. 33)
	KindApplication Kind = "application"     // 共享申请: an application, its answer, or the outcome of an objection (X14 art. 26)
	KindPeer        Kind = "peer_domain"     // 对等域: a trust domain of others that works with the house
	KindDomain      Kind = "app_domain"      // 应用域: the rules of an agency's own system

	// These take a Quorum: several persons answer, each once.
	KindRecovery Kind = "key_recovery"          // 用户密钥恢复 (GM/T 0034 12.4)
	KindJudicial Kind = "judicial_key_recovery" // 司法密钥恢复 (GM/T 0034 12.5)
)

// Subject is what an approver is asked to sign.
type Subject struct {
	Kind      Kind          `json:"kind"`
	ID        string        `json:"id"`
	Digest    string        `json:"digest_sm3"` // SM3 of the thing itself, lower-case hex
	Unit      identity.USCC `json:"unit"`       // the approver must hold the post in this unit
	Requester string        `json:"requester"`  // person id; may not be the approver
}

// Approval is a signed answer.
type Approval struct {
	ID        string        `json:"id"`
	Subject   Subject       `json:"subject"`
	Approved  bool          `json:"approved"` // false: refused, Reason is required
	Reason    string        `json:"reason,omitempty"`
	Approver  string        `json:"approver"` // person id
	Role      identity.Role `json:"role"`     // the post used
	At        time.Time     `json:"at"`
	CertDER   []byte        `json:"certificate"`
	Signature []byte        `json:"signature"` // SM2 (DER r,s) over Payload
}

// Outcomes that callers branch on.
var (
	ErrNotFound   = errors.New("approval: not found")
	ErrNotAllowed = errors.New("approval: the person may not approve this")
	ErrSelf       = errors.New("approval: requester and approver are one person")
	ErrSignature  = errors.New("approval: signature does not fit")
	ErrDecided    = errors.New("approval: already decided")
	ErrReason     = errors.New("approval: a refusal needs a reason")
	ErrRefused    = errors.New("approval: the approver refused")
	ErrInvalid    = errors.New("approval: invalid subject or time")
	ErrQuorum     = errors.New("approval: not enough persons approved yet")
)

// Store is the store of this room; see identity.Register for the promises.
type Store interface {
	// AddApproval returns ErrDecided when the subject already has one.
	AddApproval(ctx context.Context, a Approval, ev ledger.Event) (ledger.Receipt, error)
	// ApprovalOf returns the approval of a subject, or ErrNotFound.
	ApprovalOf(ctx context.Context, kind Kind, subjectID string) (Approval, error)
}
