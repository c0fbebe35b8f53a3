package desk

import (
	"context"
	"encoding/hex"
	"slices"

	"github.com/emmansun/gmsm/sm3"

	"github.com/yinxin-gov/yinxin/authz/approval"
	"github.com/yinxin-gov/yinxin/ca/peer"
	"github.com/yinxin-gov/yinxin/internal/console"
)

// Peered implements console.Peers, for those who look after the register and for
// the house's auditors.
func (d *Service) Peered(ctx context.Context, p console.Person) (out console.PeerList, err error) {
	var officer bool
	if out.MayWrite, officer, err = d.stewardship(ctx, p); err != nil {
		return out, err
	}
	all, err := d.cfg.Peers.All(ctx)
	if err != nil {
		return out, err
	}
	for _, e := range slices.Backward(all) {
		l := console.PeerLine{Entry: e, Sum: e.Digest(), AnchorSums: sums(e.Anchors), IssuingSums: sums(e.Issuing), InForce: e.Counts(d.cfg.Now())}
		if l.By, err = d.name(ctx, e.AskedBy); err != nil {
			return out, err
		}
		if l.Ender, err = d.name(ctx, e.EndedBy); err != nil {
			return out, err
		}
		if l.InForce {
			if l.Lists, err = d.cfg.Peers.Freshness(ctx, e); err != nil {
				return out, err
			}
		}
		l.MayAnswer = officer && e.State == peer.Proposed && e.AskedBy != p.ID
		l.MayEnd = out.MayWrite && (e.State == peer.Proposed || e.State == peer.InForce)
		out.Entries = append(out.Entries, l)
	}
	return out, nil
}

func sums(ders [][]byte) []string {
	out := make([]string, len(ders))
	for i, der := range ders {
		sum := sm3.Sum(der)
		out[i] = hex.EncodeToString(sum[:])
	}
	return out
}

// ProposePeer implements console.Peers. The room asks for the post.
func (d *Service) ProposePeer(ctx context.Context, p console.Person, e peer.Entry) error {
	_, _, err := d.cfg.Peers.Propose(ctx, d.actor(p), e)
	return err
}

// WithdrawPeer implements console.Peers. The room asks for the post.
func (d *Service) WithdrawPeer(ctx context.Context, p console.Person, id, reason string) error {
	_, _, err := d.cfg.Peers.Withdraw(ctx, d.actor(p), id, reason)
	return err
}

// ImportPeerList implements console.Peers. The room asks for the post.
func (d *Service) ImportPeerList(ctx context.Context, p console.Person, domain string, list console.Paper) error {
	_, err := d.cfg.Peers.Import(ctx, d.actor(p), domain, list.Bytes, list.Name)
	return err
}

// AnswerPeer implements console.Peers.
func (d *Service) AnswerPeer(ctx context.Context, p console.Person, id string, a console.Answer) error {
	return d.officerAnswers(ctx, p, a, func() (approval.Subject, bool, error) {
		entry, err := d.cfg.Peers.Entry(ctx, id)
		return d.cfg.Answers.PeerSubject(entry), entry.State == peer.Proposed, err
	}, func(ctx context.Context) error {
		_, _, err := d.cfg.Peers.Settle(ctx, d.actor(p), id)
		return err
	})
}
