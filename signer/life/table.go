package life

import (
	"slices"

	"github.com/yinxin-gov/yinxin/signer"
)

// Act is something that is done to a seal.
type Act string

// Acts.
const (
	ActApply      Act = "apply"      // 制章申请
	ActApprove    Act = "approve"    // 制章审批: the leader's signed yes
	ActRefuse     Act = "refuse"     // the leader's signed no
	ActMake       Act = "make"       // 制章
	ActImport     Act = "import"     // 导入: a seal that an accredited service certified
	ActAdopt      Act = "adopt"      // 导入审批: the leader's signed yes to it
	ActFile       Act = "file"       // 备案
	ActActivate   Act = "activate"   // 启用
	ActSuspend    Act = "suspend"    // 停用
	ActResume     Act = "resume"     // 恢复
	ActCancel     Act = "cancel"     // 注销
	ActExpire     Act = "expire"     // the period is over
	ActCompromise Act = "compromise" // its key was reported (电子签名法 art. 15)
	ActAsk        Act = "ask"        // a question to the leader: resume, or another authorisation
	ActDecline    Act = "decline"    // the leader's signed no to it
	ActAuthorise  Act = "authorise"  // 用印授权, after the leader's signed yes
)

// Roles, as package identity names posts.
const (
	roleSealAdministrator = "seal_administrator"
	roleUnitLeader        = "unit_leader"
	roleClerk             = "clerk"
)

// Need is what an act needs besides a post.
type Need string

// Needs.
const (
	NeedNothing  Need = ""
	NeedApproval Need = "approval" // the leader's signature over the ask
	NeedReason   Need = "reason"
	NeedFiling   Need = "filing" // number and date
	NeedEnd      Need = "end"    // the period is over by the clock
)

// Rule is one line of the table.
type Rule struct {
	Act   Act                `json:"act"`
	From  []signer.SealState `json:"from"`
	To    signer.SealState   `json:"to,omitempty"` // empty: the state stays
	Owner []string           `json:"owner_roles"`  // posts in the owning unit that may do it
	Maker []string           `json:"maker_roles"`  // posts in the unit that makes seals
	House bool               `json:"house"`        // the house may do it by itself
	Needs Need               `json:"needs,omitempty"`
	Event string             `json:"event"`
}

// Rules is the one table of the life of a seal (reference/regulations §7, §12):
// what is not in it cannot be done. Recording what the leader has signed needs
// no post of its own: the signature is the act.
func Rules() []Rule {
	admin, leader := []string{roleSealAdministrator}, []string{roleUnitLeader, roleSealAdministrator}
	apply := []string{roleClerk, roleSealAdministrator}
	settle := []string{roleClerk, roleSealAdministrator, roleUnitLeader}
	const (
		applied, approved, made, filed = signer.SealApplied, signer.SealApproved, signer.SealMade, signer.SealFiled
		active, suspended              = signer.SealActive, signer.SealSuspended
	)
	states := func(s ...signer.SealState) []signer.SealState { return s }
	return []Rule{
		{ActApply, states(""), applied, apply, nil, false, NeedReason, "signer.seal.applied"},
		{ActApprove, states(applied), approved, settle, admin, true, NeedApproval, "signer.seal.approved"},
		{ActRefuse, states(applied), signer.SealRefused, settle, admin, true, NeedApproval, "signer.seal.refused"},
		{ActMake, states(approved), made, nil, admin, false, NeedApproval, "signer.seal.made"},
		{ActImport, states("", signer.SealRefused), applied, nil, admin, false, NeedNothing, "signer.seal.imported"},
		{ActAdopt, states(applied), made, settle, admin, true, NeedApproval, "signer.seal.adopted"},
		{ActFile, states(made), filed, nil, admin, false, NeedFiling, "signer.seal.filed"},
		{ActActivate, states(filed), active, admin, admin, false, NeedNothing, "signer.seal.activated"},
		{ActSuspend, states(active), suspended, leader, admin, true, NeedReason, "signer.seal.suspended"},
		{ActResume, states(suspended), active, settle, admin, true, NeedApproval, "signer.seal.resumed"},
		{ActCancel, states(applied, approved, made, filed, active, suspended), signer.SealCancelled, leader, admin, true, NeedReason, "signer.seal.cancelled"},
		{ActExpire, states(made, filed, active, suspended), signer.SealExpired, nil, nil, true, NeedEnd, "signer.seal.expired"},
		{ActCompromise, states(made, filed, active, suspended, signer.SealRefused, signer.SealCancelled, signer.SealExpired), "", leader, admin, true, NeedReason, "signer.key.compromised"},
		{ActAsk, states(filed, active, suspended), "", admin, admin, false, NeedReason, "signer.seal.asked"},
		{ActDecline, states(filed, active, suspended), "", settle, admin, true, NeedApproval, "signer.seal.declined"},
		{ActAuthorise, states(filed, active, suspended), "", settle, admin, true, NeedApproval, "signer.seal.authorised"},
	}
}

// RuleOf returns the line of an act.
func RuleOf(act Act) (Rule, bool) {
	rules := Rules()
	i := slices.IndexFunc(rules, func(r Rule) bool { return r.Act == act })
	if i < 0 {
		return Rule{}, false
	}
	return rules[i], true
}

// ruleOf is the line of an act that may be done to a seal as it stands.
func ruleOf(act Act, e signer.Seal) (Rule, error) {
	r, ok := RuleOf(act)
	if !ok || !slices.Contains(r.From, e.State) {
		to := r.To
		if to == "" {
			to = signer.SealState(act)
		}
		return Rule{}, &signer.StateError{Seal: e.ID, From: e.State, To: to}
	}
	return r, nil
}

// Moves reports whether a step is one of the table: what a store lets in.
func Moves(s Step) bool {
	r, ok := RuleOf(s.Act)
	return ok && slices.Contains(r.From, s.From) && (s.To == r.To || r.To == "" && s.To == s.From)
}
