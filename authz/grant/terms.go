package grant

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/emmansun/gmsm/sm3"

	"github.com/yinxin-gov/yinxin/authz/approval"
	"github.com/yinxin-gov/yinxin/authz/identity"
	"github.com/yinxin-gov/yinxin/authz/level"
)

// Bounds of a grant.
const (
	MaxPeriod    = 366 * 24 * time.Hour // of a grant or a delegation: a need is looked at again every year
	MaxEmergency = 8 * time.Hour
	maxText      = 500
	maxList      = 32
)

var (
	idForm      = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$`)
	purposeForm = regexp.MustCompile(`^[a-z0-9][a-z0-9._-]{0,63}$`)
)

// Acts are those that a grant can name: all that use the content of information.
func Acts() []level.Act {
	return []level.Act{level.Read, level.Copy, level.Derive, level.Merge, level.Relabel, level.Forward, level.Store, level.Publish}
}

// Roles are the posts in which a person may open content.
func Roles() []identity.Role {
	return []identity.Role{identity.RoleClerk, identity.RoleUnitLeader, identity.RoleRecordsOfficer}
}

// administrators are the three who run, guard and watch the house, and open nothing.
func administrators() []identity.Role {
	return []identity.Role{identity.RoleSystemAdmin, identity.RoleSecurityOfficer, identity.RoleAuditor}
}

const (
	timeForm         = "2006-01-02T15:04:05.000Z"
	grantDomain      = "yinxin/grant/v1\n"
	suspensionDomain = "yinxin/grant-suspension/v1\n"
	reviewDomain     = "yinxin/grant-review/v1\n"
)

// grantTerms declares its fields in the order of their names, as RFC 8785 sorts.
type grantTerms struct {
	Actions   []level.Act     `json:"actions"`
	Emergency bool            `json:"emergency"`
	From      string          `json:"from"`
	ID        string          `json:"id"`
	Level     level.Level     `json:"level"`
	Need      string          `json:"need"`
	Person    string          `json:"person"`
	Providers []identity.USCC `json:"providers"`
	Purposes  []string        `json:"purposes"`
	Replaces  string          `json:"replaces"`
	Resources []string        `json:"resources"`
	Role      identity.Role   `json:"role"`
	Systems   []string        `json:"systems"`
	Unit      identity.USCC   `json:"unit"`
	Until     string          `json:"until"`
}

// Terms returns the bytes whose SM3 is signed: the line "yinxin/grant/v1" and one
// JSON object, names sorted, lists sorted and never null, times in UTC.
func (g Grant) Terms() ([]byte, error) {
	if err := g.validate(); err != nil {
		return nil, err
	}
	return encode(grantDomain, grantTerms{
		Actions: list(g.Actions), Emergency: g.Emergency, From: g.From.UTC().Format(timeForm), ID: g.ID, Level: g.Level, Need: g.Need, Person: g.Person,
		Providers: list(g.Providers), Purposes: list(g.Purposes), Replaces: g.Replaces, Resources: list(g.Resources), Role: g.Role,
		Systems: list(g.Systems), Unit: g.Unit, Until: g.Until.UTC().Format(timeForm),
	})
}

// list is in order, and empty rather than null.
func list[T ~string](in []T) []T {
	out := append([]T{}, in...)
	slices.Sort(out)
	return out
}

func encode(domain string, v any) ([]byte, error) {
	b := bytes.NewBufferString(domain)
	enc := json.NewEncoder(b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, fmt.Errorf("grant: encoding: %w", err)
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}

func digest(raw []byte, err error) (string, error) {
	if err != nil {
		return "", err
	}
	sum := sm3.Sum(raw)
	return hex.EncodeToString(sum[:]), nil
}

func (g Grant) validate() error {
	bad := func(what string) error { return fmt.Errorf("%w: %s", ErrInvalid, what) }
	switch {
	case !idForm.MatchString(g.ID) || !idForm.MatchString(g.Person) || g.Replaces != "" && !idForm.MatchString(g.Replaces):
		return bad("id of grant or person")
	case g.Unit.Validate() != nil:
		return bad("unit")
	case !plain(g.Need):
		return bad("the need (工作需要) must be said, in plain text")
	case !slices.Contains(Roles(), g.Role):
		return fmt.Errorf("%w: %s opens no content", ErrAdministrator, g.Role)
	case !unique(g.Actions, func(a level.Act) bool { return slices.Contains(Acts(), a) }) || len(g.Actions) == 0:
		return bad("actions")
	case !unique(g.Purposes, purposeForm.MatchString) || len(g.Purposes) == 0:
		return bad("purposes")
	case !unique(g.Resources, idForm.MatchString) || !unique(g.Systems, idForm.MatchString):
		return bad("resources or systems")
	case !unique(g.Providers, func(u identity.USCC) bool { return u.Validate() == nil }):
		return bad("providers")
	case g.Level < level.LevelMin || g.Level > level.LevelMax:
		return bad("level")
	}
	longest := MaxPeriod
	if g.Emergency {
		longest = MaxEmergency
		if !slices.Equal(g.Actions, []level.Act{level.Read}) {
			return bad("an emergency is for reading only")
		}
	}
	return period(g.From, g.Until, longest)
}

// period has two ends in whole milliseconds and is not too long.
func period(from, until time.Time, longest time.Duration) error {
	exact := func(t time.Time) bool { return !t.IsZero() && t.Equal(t.Truncate(time.Millisecond)) }
	if !exact(from) || !exact(until) || !until.After(from) || until.Sub(from) > longest {
		return fmt.Errorf("%w: period", ErrInvalid)
	}
	return nil
}

func unique[T comparable](list []T, good func(T) bool) bool {
	for i, v := range list {
		if !good(v) || slices.Contains(list[:i], v) {
			return false
		}
	}
	return len(list) <= maxList
}

// plain text says something, within bounds, without control characters.
func plain(s string) bool {
	return strings.TrimSpace(s) != "" && len(s) <= maxText && utf8.ValidString(s) && !strings.ContainsFunc(s, func(r rune) bool {
		return r < 0x20 || r >= 0x7f && r < 0xa0 || r == 0x2028 || r == 0x2029
	})
}

// Subject is what the leader signs; in an emergency the security officer of house.
func (g Grant) Subject(house identity.USCC) approval.Subject {
	s := approval.Subject{Kind: approval.KindGrant, ID: g.ID, Digest: g.Digest, Unit: g.Unit, Requester: g.Requester}
	if g.Emergency {
		s.Kind, s.Unit = approval.KindEmergency, house
	}
	return s
}

// stopTerms and reviewTerms are what the further questions about a grant say.
type stopTerms struct {
	At     string `json:"at"`
	By     string `json:"by"`
	Grant  string `json:"grant_sm3"`
	Reason string `json:"reason"`
}

type reviewTerms struct {
	Approval string `json:"approval"`
	Due      string `json:"due"`
	Grant    string `json:"grant_sm3"`
}

// SuspensionSubject is what the leader answers about a suspension: yes ends the
// grant, no lifts the stop.
func (g Grant) SuspensionSubject() (approval.Subject, error) {
	sum, err := digest(encode(suspensionDomain, stopTerms{g.Suspension.At.UTC().Format(timeForm), g.Suspension.By, g.Digest, g.Suspension.Reason}))
	return approval.Subject{
		Kind: approval.KindGrant, ID: fmt.Sprintf("%s/suspension-%d", g.ID, g.Suspensions), Digest: sum, Unit: g.Unit, Requester: g.Suspension.By,
	}, err
}

// ReviewSubject is what the leader answers about an emergency: whether it was
// justified.
func (g Grant) ReviewSubject() (approval.Subject, error) {
	sum, err := digest(encode(reviewDomain, reviewTerms{g.Approval, g.Review.Due.UTC().Format(timeForm), g.Digest}))
	return approval.Subject{Kind: approval.KindGrant, ID: g.ID + "/review", Digest: sum, Unit: g.Unit, Requester: g.Requester}, err
}
