package grading

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/emmansun/gmsm/sm3"

	"github.com/yinxin-gov/yinxin/authz/identity"
	"github.com/yinxin-gov/yinxin/authz/ledger"
	"github.com/yinxin-gov/yinxin/authz/level"
)

// Subject is what the leader of the building unit is asked to sign before a
// signed step: the id names the revision, so that an approval is good for one
// step only.
type Subject struct {
	Kind   string        `json:"kind"`
	ID     string        `json:"id"`
	Digest string        `json:"digest_sm3"`
	Unit   identity.USCC `json:"unit"`
}

// Ask returns the subjects to be approved before Take will carry out a; none
// when the step needs no signature. Nothing is written.
func (p *Procedure) Ask(ctx context.Context, a Act) ([]Subject, error) {
	d, err := p.cfg.Dossiers.Dossier(ctx, a.Object)
	if err != nil {
		return nil, err
	}
	t, err := transition(d, a)
	if err != nil {
		return nil, err
	}
	if _, err := apply(d, a, t, p.rules, p.today()); err != nil {
		return nil, err
	}
	return subjects(d, a, t)
}

func subjects(d Dossier, a Act, t Transition) ([]Subject, error) {
	raw, err := json.Marshal(struct {
		Domain   string `json:"domain"`
		Revision int    `json:"revision"`
		Act      Act    `json:"act"`
	}{"yinxin/grading/act/v1", d.Revision, a})
	if err != nil {
		return nil, fmt.Errorf("grading: encoding the act: %w", err)
	}
	sum := sm3.Sum(raw)
	var out []Subject
	for n := range t.Signed {
		out = append(out, Subject{
			Kind: approvalKind, ID: fmt.Sprintf("%s/%d/%s/%d", d.Object.ID, d.Revision, a.Event, n+1),
			Digest: hex.EncodeToString(sum[:]), Unit: d.Object.BuildingUnit,
		})
	}
	return out, nil
}

// Take carries out one step: it checks actor, order, evidence, guard, signed
// approvals and what is held, and writes dossier, history, record and event in
// one transaction. Nothing is written when any of it fails.
func (p *Procedure) Take(ctx context.Context, a Act, actor ledger.Actor) (Dossier, ledger.Receipt, error) {
	none := ledger.Receipt{}
	d, err := p.cfg.Dossiers.Dossier(ctx, a.Object)
	if err != nil {
		return Dossier{}, none, err
	}
	t, err := transition(d, a)
	if err != nil {
		return Dossier{}, none, err
	}
	if err := p.mayAct(d.Object, actor, t.Role, t.Deciding); err != nil {
		return Dossier{}, none, err
	}
	o, err := apply(d, a, t, p.rules, p.today())
	if err != nil {
		return Dossier{}, none, err
	}
	if err := p.free(ctx, d, o.next, a); err != nil {
		return Dossier{}, none, err
	}
	approvals, who, err := p.approved(ctx, d, a, t, actor)
	if err != nil {
		return Dossier{}, none, err
	}
	if t.Signed > 0 && o.next.Work != nil {
		o.next.Work.Approver = who[0]
	}
	typ := "grading.object.changed"
	ev := p.event(typ, a.Object, actor, map[string]string{
		"step": string(a.Event), "from": string(d.State), "to": string(o.next.State), "on": a.On.String(),
		"revision": fmt.Sprint(o.next.Revision), "approvals": strings.Join(approvals, ","), "late": strings.Join(o.late, ","),
	})
	ev.Before, ev.After = gradeName(d.grade()), gradeName(o.next.grade())
	step := Step{
		Object: a.Object, Revision: o.next.Revision, From: d.State, To: o.next.State, Act: a, Actor: actor,
		Approvals: approvals, Late: o.late, At: ev.Time, Event: ev.ID,
	}
	rc, err := p.put(ctx, o, &step, nil, ev)
	return o.next, rc, err
}

func gradeName(g level.Grade) string {
	if !g.Valid() {
		return ""
	}
	return g.String()
}

// Add files a paper about an object and returns it with its warnings.
func (p *Procedure) Add(ctx context.Context, paper Paper, actor ledger.Actor) (Paper, ledger.Receipt, error) {
	none := ledger.Receipt{}
	if paper.ID == "" {
		paper.ID = p.cfg.NewID()
	}
	if err := paper.validate(p.today()); err != nil {
		return Paper{}, none, err
	}
	paper.Actor = actor
	d, err := p.cfg.Dossiers.Dossier(ctx, paper.Object)
	if err != nil {
		return Paper{}, none, err
	}
	if err := p.mayAct(d.Object, actor, identity.RoleSecurityOfficer, false); err != nil {
		return Paper{}, none, err
	}
	o, err := file(d, paper, p.rules)
	if err != nil {
		return Paper{}, none, err
	}
	ev := p.event("grading.paper.added", paper.Object, actor, map[string]string{
		"paper": string(paper.Kind), "paper_id": paper.ID, "on": paper.On.String(), "revision": fmt.Sprint(o.next.Revision),
		"warnings": strings.Join(paper.Warnings, ","), "valid_until": o.next.ValidUntil.String(),
	})
	ev.Payload = paper.Report
	rc, err := p.put(ctx, o, nil, &paper, ev)
	return paper, rc, err
}

func (p *Procedure) put(ctx context.Context, o outcome, s *Step, paper *Paper, ev ledger.Event) (ledger.Receipt, error) {
	due, err := deadlines(o.next, p.rules)
	if err != nil {
		return ledger.Receipt{}, fmt.Errorf("limits of %s: %w", o.next.Object.ID, err)
	}
	return p.cfg.Dossiers.Put(ctx, Entry{
		Dossier: o.next, Step: s, Paper: paper, Record: o.record, Unique: o.unique, Deadlines: due,
		Flags: o.next.Object.Flags(o.next.Level()),
	}, ev)
}

// approved asks for each signed approval. Nobody approves his own act, and two
// approvals are two persons.
func (p *Procedure) approved(ctx context.Context, d Dossier, a Act, t Transition, actor ledger.Actor) (ids, people []string, err error) {
	list, err := subjects(d, a, t)
	if err != nil {
		return nil, nil, err
	}
	for _, s := range list {
		id, who, err := p.cfg.Approver.Approved(ctx, s.Kind, s.ID, s.Digest)
		if err != nil {
			return nil, nil, fmt.Errorf("%w: %s: %w", ErrNotApproved, s.ID, err)
		}
		if id == "" || who == "" || who == actor.ID || slices.Contains(people, who) {
			return nil, nil, fmt.Errorf("%w: %s: approver %q must be another person", ErrNotApproved, s.ID, who)
		}
		ids, people = append(ids, id), append(people, who)
	}
	return ids, people, nil
}

// free asks what the system holds. A new grade must carry it, with the consents
// that R14 asks for, and pass the decision point when one is in force; the same
// again when a version comes into force. A retired system holds nothing and has
// no certificates.
func (p *Procedure) free(ctx context.Context, d, next Dossier, a Act) error {
	id := d.Object.ID
	comes := a.Event == EventCertify || a.Event == EventConfirm
	if a.Judgement == nil && !comes && a.Event != EventRetire {
		return nil
	}
	held, err := p.cfg.Holdings.HeldBy(ctx, id)
	if err != nil {
		return fmt.Errorf("holdings of %s: %w", id, err)
	}
	if a.Event == EventRetire {
		n, err := p.cfg.Certificates.LiveCertificates(ctx, id)
		if err != nil {
			return fmt.Errorf("certificates of %s: %w", id, err)
		}
		if len(held) > 0 || n > 0 {
			return fmt.Errorf("%w: %d holdings, %d certificates of %s", ErrInUse, len(held), n, id)
		}
		return nil
	}
	to := next.Work
	if comes {
		to = next.InForce
	}
	if err := mayBecome(d.grade(), to.Grade, held, to.Consents); err != nil {
		return err
	}
	return p.decided(ctx, d, to.Grade)
}

// decided asks the decision point about a system that has a grade already.
func (p *Procedure) decided(ctx context.Context, d Dossier, to level.Grade) error {
	if !d.grade().Valid() || d.grade() == to {
		return nil
	}
	switch _, err := p.cfg.Directory.System(ctx, d.Object.ID); {
	case errors.Is(err, identity.ErrNotFound): // a network or a platform asks for nothing itself
		return nil
	case err != nil:
		return fmt.Errorf("system %s: %w", d.Object.ID, err)
	}
	if err := p.cfg.Decider.MayRegrade(ctx, d.Object.ID, to); err != nil {
		return fmt.Errorf("re-grading %s from %s to %s: %w", d.Object.ID, d.grade(), to, err)
	}
	return nil
}
