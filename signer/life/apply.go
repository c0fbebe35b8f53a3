package life

import (
	"context"
	"encoding/hex"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/yinxin-gov/yinxin/authz/ledger"
	"github.com/yinxin-gov/yinxin/signer"
)

// Kinds of seals (GB/T 33481; reference/regulations §7).
const (
	KindStatutory  = "statutory" // 法定名称章
	KindInternal   = "internal"  // 内设机构章
	KindBranch     = "branch"    // 分支机构章
	KindSpecial    = "special"   // 业务专用章
	KindPersonal   = "personal"  // 个人名章
	maxText        = 300         // bytes of a name, purpose or reason
	maxNumber      = 64          // bytes of a seal or filing number
	maxPeriodYears = 10
)

// Application asks for a seal to be made (制章申请). What stands here is what the
// leader signs.
type Application struct {
	ID            string // esID, 14 digits
	Unit          string
	Name          string
	Kind          string
	Purpose       string
	Picture       string // SM3 of the picture, lower-case hex
	PictureFiling string // filing number of an uploaded picture
	Drawn         bool   // drawn by us: carries 样章
	ValidFrom     time.Time
	ValidUntil    time.Time
	Authorisation signer.Authorisation
}

var esID = regexp.MustCompile(`^[0-9]{14}$`)

// Apply records an application. The seal has its number from now on, whatever
// becomes of it: a number is never given twice.
func (s *Service) Apply(ctx context.Context, actor ledger.Actor, a Application) (signer.Seal, ledger.Receipt, error) {
	fail := func(err error) (signer.Seal, ledger.Receipt, error) { return signer.Seal{}, ledger.Receipt{}, err }
	if err := a.validate(s.now()); err != nil {
		return fail(err)
	}
	rule, err := ruleOf(ActApply, signer.Seal{ID: a.ID})
	if err != nil {
		return fail(err)
	}
	if err := s.may(ctx, rule, actor, a.Unit); err != nil {
		return fail(err)
	}
	now := s.now()
	a.Authorisation.Since = time.Time{}
	e := signer.Seal{
		ID: a.ID, Unit: a.Unit, Name: a.Name, ValidFrom: whole(a.ValidFrom), ValidUntil: whole(a.ValidUntil), Drawn: a.Drawn, CreatedAt: now,
		Life: signer.Life{
			Kind: a.Kind, Purpose: a.Purpose, Picture: a.Picture, PictureFiling: a.PictureFiling, Applicant: actor.ID, Authorisation: a.Authorisation,
		},
	}
	if e.Ask, err = ask(e, signer.Ask{Kind: signer.AskMake, Requester: actor.ID, Reason: a.Purpose, At: now}); err != nil {
		return fail(err)
	}
	return s.record(ctx, e, change{rule: rule, actor: actor, at: now, reason: a.Purpose, payload: e.Ask.Digest, details: map[string]string{"picture_sm3": a.Picture, "kind": a.Kind}})
}

// whole is how a seal writes times.
func whole(t time.Time) time.Time { return t.UTC().Truncate(time.Second) }

func (a Application) validate(now time.Time) error {
	bad := func(format string, args ...any) error {
		return fmt.Errorf("%w: "+format, append([]any{signer.ErrInvalid}, args...)...)
	}
	picture, err := hex.DecodeString(a.Picture)
	switch {
	case !esID.MatchString(a.ID):
		return bad("number %.40q is not 14 digits", a.ID)
	case a.Unit == "" || len(a.Unit) > maxNumber:
		return bad("owner missing")
	case !words(a.Name) || !words(a.Purpose):
		return bad("name and purpose need 1 to %d bytes of plain text", maxText)
	case !slices.Contains([]string{KindStatutory, KindInternal, KindBranch, KindSpecial, KindPersonal}, a.Kind):
		return bad("kind %.40q", a.Kind)
	case err != nil || len(picture) != 32 || hex.EncodeToString(picture) != a.Picture:
		return bad("the picture is named by its SM3 in lower-case hex")
	case !a.Drawn && !number(a.PictureFiling):
		return fmt.Errorf("%w: of an uploaded picture", ErrFiling)
	case !a.ValidFrom.Before(a.ValidUntil) || !now.Before(a.ValidUntil) || a.ValidUntil.After(a.ValidFrom.AddDate(maxPeriodYears, 0, 0)):
		return bad("a period that is over, empty or longer than %d years", maxPeriodYears)
	}
	return a.Authorisation.Validate()
}

// words is text for people: present, bounded, one line.
func words(s string) bool {
	return strings.TrimSpace(s) != "" && len(s) <= maxText && utf8.ValidString(s) &&
		!strings.ContainsFunc(s, func(r rune) bool { return r < 0x20 || r == 0x7f || r == 0x2028 || r == 0x2029 })
}

func number(s string) bool { return words(s) && len(s) <= maxNumber && s != signer.FilingSample }

// AskResume asks the leader to end a suspension (恢复使用).
func (s *Service) AskResume(ctx context.Context, actor ledger.Actor, sealID, reason string) (signer.Seal, ledger.Receipt, error) {
	return s.ask(ctx, actor, sealID, signer.Ask{Kind: signer.AskResume, Reason: reason})
}

// AskAuthorise asks the leader to let the seal be used by these persons, in this
// time and number (用印授权). Narrowing waits too; to stop at once, suspend.
func (s *Service) AskAuthorise(ctx context.Context, actor ledger.Actor, sealID string, a signer.Authorisation, reason string) (signer.Seal, ledger.Receipt, error) {
	if err := a.Validate(); err != nil {
		return signer.Seal{}, ledger.Receipt{}, err
	}
	a.Since = time.Time{}
	return s.ask(ctx, actor, sealID, signer.Ask{Kind: signer.AskAuthorise, Reason: reason, Authorisation: &a})
}

func (s *Service) ask(ctx context.Context, actor ledger.Actor, sealID string, q signer.Ask) (signer.Seal, ledger.Receipt, error) {
	fail := func(err error) (signer.Seal, ledger.Receipt, error) { return signer.Seal{}, ledger.Receipt{}, err }
	e, c, err := s.begin(ctx, ActAsk, actor, sealID)
	if err != nil {
		return fail(err)
	}
	switch {
	case !words(q.Reason):
		return fail(ErrReason)
	case e.Ask != nil:
		return fail(fmt.Errorf("%w: %s of %s", ErrAsked, e.Ask.Kind, e.Ask.At.Format(time.RFC3339)))
	case q.Kind == signer.AskResume && e.State != signer.SealSuspended:
		return fail(&signer.StateError{Seal: e.ID, From: e.State, To: signer.SealActive})
	case q.Kind == signer.AskResume && !e.CompromisedAt.IsZero():
		return fail(fmt.Errorf("%w: seal %s stays suspended", ErrCompromised, e.ID))
	case q.Authorisation != nil && lists(*q.Authorisation, e.Maker):
		return fail(fmt.Errorf("%w: the maker of a seal is never its user", ErrSeparation))
	}
	q.Requester, q.At = actor.ID, c.at
	if e.Ask, err = ask(e, q); err != nil {
		return fail(err)
	}
	c.reason, c.payload, c.details = q.Reason, e.Ask.Digest, map[string]string{"ask": string(q.Kind)}
	return s.record(ctx, e, c)
}

func lists(a signer.Authorisation, person string) bool {
	return slices.ContainsFunc(a.Users, func(u signer.User) bool { return u.Person == person })
}

// Settle records the leader's signed answer to the open question about a seal:
// an application becomes approved or refused, an imported seal is taken on, a
// suspension ends, an authorisation takes effect, or nothing changes but that
// the leader said no.
func (s *Service) Settle(ctx context.Context, actor ledger.Actor, sealID string) (signer.Seal, ledger.Receipt, error) {
	fail := func(err error) (signer.Seal, ledger.Receipt, error) { return signer.Seal{}, ledger.Receipt{}, err }
	e, err := s.Seal(ctx, sealID)
	if err != nil {
		return fail(err)
	}
	if e.Ask == nil {
		return fail(fmt.Errorf("%w: seal %s is %s", ErrNotAsked, e.ID, e.State))
	}
	yes, no := ActApprove, ActRefuse
	switch e.Ask.Kind {
	case signer.AskResume:
		yes, no = ActResume, ActDecline
	case signer.AskAuthorise:
		yes, no = ActAuthorise, ActDecline
	case signer.AskImport:
		yes = ActAdopt
	}
	answer, err := s.answer(ctx, e)
	if err != nil {
		return fail(err)
	}
	act := no
	if answer.Yes {
		act = yes
	}
	_, c, err := s.begin(ctx, act, actor, sealID)
	if err != nil {
		return fail(err)
	}
	c.ref, c.reason, c.payload = answer.ID, answer.Reason, e.Ask.Digest
	c.details = map[string]string{"ask": string(e.Ask.Kind), "approver": answer.Approver}
	switch act {
	case ActApprove:
		e.Approval, e.Approver, e.Authorisation.Since = answer.ID, answer.Approver, c.at
		return s.record(ctx, e, c) // the question stays: the maker verifies the answer again
	case ActAdopt:
		if err := s.adoptable(ctx, e, c.at); err != nil {
			return fail(err)
		}
		e.Approval, e.Approver, e.Authorisation.Since = answer.ID, answer.Approver, c.at
	case ActResume:
		if !e.CompromisedAt.IsZero() {
			return fail(fmt.Errorf("%w: seal %s stays suspended", ErrCompromised, e.ID))
		}
	case ActAuthorise:
		if lists(*e.Ask.Authorisation, e.Maker) {
			return fail(fmt.Errorf("%w: the maker of a seal is never its user", ErrSeparation))
		}
		e.Authorisation = *e.Ask.Authorisation
		e.Authorisation.Since = c.at
	}
	e.Ask = nil
	return s.record(ctx, e, c)
}

// answer is the leader's verified answer to the open question.
func (s *Service) answer(ctx context.Context, e signer.Seal) (Answer, error) {
	got, err := s.cfg.Approver.Answer(ctx, e.Unit, *e.Ask)
	if err != nil {
		return Answer{}, fmt.Errorf("life: the leader's answer about seal %s: %w", e.ID, err)
	}
	if got.ID == "" || got.Approver == "" {
		return Answer{}, fmt.Errorf("life: the leader's answer about seal %s: %w", e.ID, signer.ErrNotApproved)
	}
	if got.Approver == e.Ask.Requester || got.Approver == e.Maker {
		return Answer{}, fmt.Errorf("%w: who asks or makes does not answer", ErrSeparation)
	}
	return got, nil
}

// approved verifies again that the leader approved the application: the row says
// only that it was so once.
func (s *Service) approved(ctx context.Context, e signer.Seal) error {
	if e.Ask == nil || e.Ask.Kind != signer.AskMake {
		return fmt.Errorf("%w: seal %s", signer.ErrNotApproved, e.ID)
	}
	want, err := ask(e, *e.Ask)
	if err != nil {
		return err
	}
	if want.Digest != e.Ask.Digest {
		return fmt.Errorf("%w: the application of seal %s differs from the approved one", signer.ErrNotApproved, e.ID)
	}
	got, err := s.answer(ctx, e)
	if err != nil {
		return err
	}
	if !got.Yes || got.ID != e.Approval {
		return fmt.Errorf("%w: seal %s", signer.ErrNotApproved, e.ID)
	}
	return nil
}
