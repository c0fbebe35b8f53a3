package store

import (
	"context"

	"github.com/uptrace/bun"

	"github.com/yinxin-gov/yinxin/authz/approval"
	"github.com/yinxin-gov/yinxin/authz/identity"
	"github.com/yinxin-gov/yinxin/authz/ledger"
)

// Approvals keeps signed approvals, one a subject.
type Approvals struct{ acts }

var _ approval.Store = (*Approvals)(nil)

type approvalRow struct {
	bun.BaseModel `bun:"table:approval"`

	Kind      string       `bun:"subject_kind,pk"`
	Subject   string       `bun:"subject_id,pk"`
	ID        string       `bun:"id"`
	Digest    string       `bun:"digest"`
	Unit      string       `bun:"unit"`
	Requester string       `bun:"requester"`
	Approved  bool         `bun:"approved"`
	Reason    string       `bun:"reason"`
	Approver  string       `bun:"approver"`
	Role      string       `bun:"role"`
	At        bun.NullTime `bun:"decided_at"`
	CertDER   []byte       `bun:"cert_der"`
	Signature []byte       `bun:"signature"`
}

func (r approvalRow) approval() approval.Approval {
	return approval.Approval{
		ID: r.ID,
		Subject: approval.Subject{
			Kind: approval.Kind(r.Kind), ID: r.Subject, Digest: r.Digest, Unit: identity.USCC(r.Unit), Requester: r.Requester,
		},
		Approved: r.Approved, Reason: r.Reason, Approver: r.Approver, Role: identity.Role(r.Role), At: utc(r.At),
		CertDER: r.CertDER, Signature: r.Signature,
	}
}

// AddApproval implements approval.Store: the key over (kind, subject) decides
// which of two answers stands.
func (p *Approvals) AddApproval(ctx context.Context, a approval.Approval, ev ledger.Event) (ledger.Receipt, error) {
	return p.commit(ctx, ev, func(ctx context.Context, tx bun.Tx) error {
		return insert(ctx, tx, &approvalRow{
			Kind: string(a.Subject.Kind), Subject: a.Subject.ID, ID: a.ID, Digest: a.Subject.Digest, Unit: string(a.Subject.Unit),
			Requester: a.Subject.Requester, Approved: a.Approved, Reason: a.Reason, Approver: a.Approver, Role: string(a.Role),
			At: at(a.At), CertDER: a.CertDER, Signature: a.Signature,
		}, approval.ErrDecided, approval.ErrNotFound, string(a.Subject.Kind), a.Subject.ID)
	})
}

// ApprovalOf implements approval.Store.
func (p *Approvals) ApprovalOf(ctx context.Context, kind approval.Kind, subjectID string) (approval.Approval, error) {
	r, err := one[approvalRow](ctx, p.s.r, "subject_kind = ? AND subject_id = ?", string(kind), subjectID)
	return r.approval(), found(err, approval.ErrNotFound, "approval of "+string(kind), subjectID)
}
