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

var (
	_ approval.Store     = (*Approvals)(nil)
	_ approval.VoteStore = (*Approvals)(nil)
)

// approvalRow and voteRow are two tables of one shape: the first has one row a
// subject, the second one a subject, digest and person.
type approvalRow struct {
	bun.BaseModel `bun:"table:approval"`
	answerColumns
}

type voteRow struct {
	bun.BaseModel `bun:"table:approval_vote"`
	answerColumns
}

type answerColumns struct {
	Kind      string       `bun:"subject_kind"`
	Subject   string       `bun:"subject_id"`
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

func toAnswer(a approval.Approval) answerColumns {
	return answerColumns{
		Kind: string(a.Subject.Kind), Subject: a.Subject.ID, ID: a.ID, Digest: a.Subject.Digest, Unit: string(a.Subject.Unit),
		Requester: a.Subject.Requester, Approved: a.Approved, Reason: a.Reason, Approver: a.Approver, Role: string(a.Role),
		At: at(a.At), CertDER: a.CertDER, Signature: a.Signature,
	}
}

func (r answerColumns) approval() approval.Approval {
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
		return insert(ctx, tx, &approvalRow{answerColumns: toAnswer(a)}, approval.ErrDecided, approval.ErrNotFound, string(a.Subject.Kind), a.Subject.ID)
	})
}

// ApprovalOf implements approval.Store.
func (p *Approvals) ApprovalOf(ctx context.Context, kind approval.Kind, subjectID string) (approval.Approval, error) {
	r, err := one[approvalRow](ctx, p.s.r, "subject_kind = ? AND subject_id = ?", string(kind), subjectID)
	return r.approval(), found(err, approval.ErrNotFound, "approval of "+string(kind), subjectID)
}

// AddVote implements approval.VoteStore: the key over (kind, subject, digest,
// person) decides which of two answers of one person stands.
func (p *Approvals) AddVote(ctx context.Context, a approval.Approval, ev ledger.Event) (ledger.Receipt, error) {
	return p.commit(ctx, ev, func(ctx context.Context, tx bun.Tx) error {
		return insert(ctx, tx, &voteRow{answerColumns: toAnswer(a)}, approval.ErrDecided, approval.ErrNotFound, string(a.Subject.Kind), a.Subject.ID)
	})
}

// VotesOf implements approval.VoteStore.
func (p *Approvals) VotesOf(ctx context.Context, kind approval.Kind, subjectID string) ([]approval.Approval, error) {
	return list(ctx, p.s.r, func(r voteRow) approval.Approval { return r.approval() }, "decided_at, id", "subject_kind = ? AND subject_id = ?", string(kind), subjectID)
}
