package identity

import (
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// Limits of a record; a register entry is small.
const (
	maxName   = 200
	maxDuties = 256
	maxHosts  = 16
)

var (
	divisionForm = regexp.MustCompile(`^[0-9]{6}$`)
	systemForm   = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$`)
	dutyForm     = regexp.MustCompile(`^[a-z0-9][a-z0-9._-]{0,63}$`)
	numberForm   = regexp.MustCompile(`^[0-9]+$`)
)

// ValidKind reports whether k is one of the kinds of 西政办发〔2011〕8号 art. 2.
func ValidKind(k Kind) bool {
	switch k {
	case KindOrgan, KindDispatched, KindAuthorised, KindEntrusted, KindVertical:
		return true
	}
	return false
}

// ValidRole reports whether r is a role of the house.
func ValidRole(r Role) bool {
	switch r {
	case RoleAgencySysadmin, RoleClerk, RoleUnitLeader, RoleRAOfficer, RoleSealAdministrator, RoleSecurityOfficer,
		RoleAuditor, RoleSystemAdmin, RoleInformationOffice, RoleSecrecyBureau, RoleRecordsOfficer, RoleKMCOfficer,
		RoleSharingContact, RoleFirstResponsible, RoleSupervision:
		return true
	}
	return false
}

// Incompatible reports whether one person may not hold a and b at the same
// time: the three administrators pairwise (三员分立, GB/T 22239 8.1.5), an
// administrator and a user of the business (西政办发〔2011〕8号 art. 24), the
// maker and the user of seals (电子印章管理办法), and the keeper of escrowed keys
// (密管员) from the administrators, from who registers certificates and from
// their users (GM/T 0034 10.1), and who supervises from everybody who acts. Requester and approver of one act are kept apart
// where the act is approved, not here.
func Incompatible(a, b Role) bool {
	if a == b {
		return false
	}
	admins := []Role{RoleSystemAdmin, RoleSecurityOfficer, RoleAuditor}
	if slices.Contains(admins, a) && slices.Contains(admins, b) {
		return true
	}
	if a == RoleSupervision || b == RoleSupervision {
		return true
	}
	for _, pair := range [][2]Role{{a, b}, {b, a}} {
		if pair[1] == RoleClerk && (slices.Contains(admins, pair[0]) || pair[0] == RoleSealAdministrator) {
			return true
		}
		if pair[1] == RoleKMCOfficer && (slices.Contains(admins, pair[0]) || pair[0] == RoleRAOfficer || pair[0] == RoleClerk || pair[0] == RoleAgencySysadmin) {
			return true
		}
	}
	return false
}

// ValidHost reports whether h may be a name in a certificate: a lower-case
// DNS name, no wildcard, no address, no trailing dot (RFC 1123 2.1).
func ValidHost(h string) bool {
	if len(h) == 0 || len(h) > 253 {
		return false
	}
	labels := strings.Split(h, ".")
	for _, l := range labels {
		if !systemForm.MatchString(l) {
			return false
		}
	}
	return !numberForm.MatchString(labels[len(labels)-1])
}

// Validate checks an agency record by itself.
func (a Agency) Validate() error {
	if err := a.USCC.Validate(); err != nil {
		return err
	}
	if !ValidKind(a.Kind) {
		return fmt.Errorf("%w: kind of agency %q", ErrInvalid, a.Kind)
	}
	if err := validName(a.Name); err != nil {
		return err
	}
	if !divisionForm.MatchString(a.District) {
		return fmt.Errorf("%w: division code %q", ErrInvalid, a.District)
	}
	if a.Parent != "" {
		if err := a.Parent.Validate(); err != nil {
			return fmt.Errorf("parent: %w", err)
		}
		if a.Parent == a.USCC {
			return fmt.Errorf("%w: an agency is not its own parent", ErrInvalid)
		}
	}
	if len(a.Duties) > maxDuties {
		return fmt.Errorf("%w: more than %d duties", ErrInvalid, maxDuties)
	}
	for i, d := range a.Duties {
		if !dutyForm.MatchString(d) || slices.Contains(a.Duties[:i], d) {
			return fmt.Errorf("%w: duty code %q", ErrInvalid, d)
		}
	}
	return nil
}

// Validate checks a system record by itself.
func (s System) Validate() error {
	if !systemForm.MatchString(s.ID) {
		return fmt.Errorf("%w: system id %q", ErrInvalid, s.ID)
	}
	if err := validName(s.Name); err != nil {
		return err
	}
	if err := s.Agency.Validate(); err != nil {
		return err
	}
	if len(s.Hosts) > maxHosts {
		return fmt.Errorf("%w: more than %d host names", ErrInvalid, maxHosts)
	}
	for i, h := range s.Hosts {
		if !ValidHost(h) || slices.Contains(s.Hosts[:i], h) {
			return fmt.Errorf("%w: host name %q", ErrInvalid, h)
		}
	}
	for h, a := range s.Addresses {
		if ip, err := netip.ParseAddr(a); err != nil || ip.Zone() != "" || !slices.Contains(s.Hosts, h) {
			return fmt.Errorf("%w: address %q of host %q", ErrInvalid, a, h)
		}
	}
	return nil
}

// Validate checks a person record by itself.
func (p Person) Validate() error {
	if p.ID == "" {
		return fmt.Errorf("%w: person without id", ErrInvalid)
	}
	if err := validName(p.Name); err != nil {
		return err
	}
	if idNumber.MatchString(p.Name) || idNumber.MatchString(p.ID) {
		return fmt.Errorf("%w: an identity number may not be kept", ErrInvalid)
	}
	return p.Agency.Validate()
}

// idNumber finds a citizen identity number (居民身份证号码, GB 11643): 京政发
// 〔2017〕37号 art. 13 names it a unique code; the house keeps none.
var idNumber = regexp.MustCompile(`[1-9][0-9]{16}[0-9Xx]`)

// Validate checks a post record by itself.
func (p Post) Validate() error {
	if p.ID == "" || p.Person == "" {
		return fmt.Errorf("%w: post without id or person", ErrInvalid)
	}
	if err := p.Agency.Validate(); err != nil {
		return err
	}
	if !ValidRole(p.Role) {
		return fmt.Errorf("%w: role %q", ErrInvalid, p.Role)
	}
	if utf8.RuneCountInString(p.Title) > maxName || !utf8.ValidString(p.Title) {
		return fmt.Errorf("%w: title of the post", ErrInvalid)
	}
	if p.From.IsZero() {
		return fmt.Errorf("%w: a term of office needs a beginning", ErrInvalid)
	}
	if !p.Until.IsZero() && !p.Until.After(p.From) {
		return fmt.Errorf("%w: the term of office ends before it begins", ErrInvalid)
	}
	return nil
}

// overlaps reports whether two terms share a moment.
func (p Post) overlaps(q Post) bool {
	before := func(end, start time.Time) bool { return !end.IsZero() && !end.After(start) }
	return !before(p.Until, q.From) && !before(q.Until, p.From)
}

func validName(s string) error {
	if strings.TrimSpace(s) == "" || utf8.RuneCountInString(s) > maxName || !utf8.ValidString(s) || strings.ContainsFunc(s, isControl) {
		return fmt.Errorf("%w: name %.40q", ErrInvalid, s)
	}
	return nil
}

func isControl(r rune) bool { return r < 0x20 || r == 0x7f }
