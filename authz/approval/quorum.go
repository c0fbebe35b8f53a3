package approval

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/yinxin-gov/yinxin/authz/ledger"
)

// VoteStore keeps the answers of the kinds that take a quorum: one a person and
// digest, so that an answer to a subject that was changed since stands in nobody's
// way.
type VoteStore interface {
	// AddVote returns ErrDecided when the person answered this digest already.
	AddVote(ctx context.Context, a Approval, ev ledger.Event) (ledger.Receipt, error)
	// VotesOf returns every answer of a subject, whatever its digest, oldest first.
	VotesOf(ctx context.Context, kind Kind, subjectID string) ([]Approval, error)
}

// Quorum says which answers count together (m of n, 密钥分管, GM/T 0034 10.3).
type Quorum struct {
	Subject Subject
	Need    int       // how many different persons have to approve; at least two
	From    time.Time // an answer before the subject was asked counts for nothing
	Until   time.Time // nor does one at this time or later
}

// takesQuorum kinds are answered by several persons.
func takesQuorum(k Kind) bool { return k == KindRecovery || k == KindJudicial }

// Quorum returns the approvals of a subject once enough different persons gave
// one that stands: over these very words, within the time, by somebody who held
// the post when he signed. Whoever asked never counts, nor does one person twice.
// ErrQuorum beside those that are there while persons are missing; ErrRefused
// beside the one refusal that ends it. An answer that does not verify is an
// error and not an answer less: it might be a refusal that somebody broke.
func (s *Service) Quorum(ctx context.Context, q Quorum) ([]Approval, error) {
	if !takesQuorum(q.Subject.Kind) || s.cfg.Votes == nil || q.Need < 2 || q.From.IsZero() || !q.Until.After(q.From) {
		return nil, fmt.Errorf("%w: not a quorum", ErrInvalid)
	}
	all, err := s.cfg.Votes.VotesOf(ctx, q.Subject.Kind, q.Subject.ID)
	if err != nil {
		return nil, fmt.Errorf("reading the answers: %w", err)
	}
	var yes []Approval
	seen := map[string]bool{}
	for _, a := range all {
		if err := s.Verify(ctx, a); err != nil {
			return nil, fmt.Errorf("answer %s: %w", a.ID, err)
		}
		if a.Subject != q.Subject || a.At.Before(q.From) || !a.At.Before(q.Until) {
			continue
		}
		if !a.Approved {
			return []Approval{a}, ErrRefused
		}
		if !seen[a.Approver] {
			seen[a.Approver] = true
			yes = append(yes, a)
		}
	}
	if len(yes) < q.Need {
		return yes, fmt.Errorf("%w: %d of %d", ErrQuorum, len(yes), q.Need)
	}
	return yes, nil
}

// mayVote refuses a second answer of one person to one digest.
func (s *Service) mayVote(ctx context.Context, a Approval) error {
	if s.cfg.Votes == nil {
		return fmt.Errorf("%w: nobody keeps the answers of several persons", ErrInvalid)
	}
	all, err := s.cfg.Votes.VotesOf(ctx, a.Subject.Kind, a.Subject.ID)
	if err != nil && !errors.Is(err, ErrNotFound) {
		return fmt.Errorf("looking for an earlier answer: %w", err)
	}
	for _, old := range all {
		if old.Approver == a.Approver && old.Subject.Digest == a.Subject.Digest {
			return ErrDecided
		}
	}
	return nil
}
