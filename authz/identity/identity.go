// Package identity is the register of who exists: agencies (行政机关), persons,
// posts (岗位) with terms of office, and information systems.
//
// It refuses a unified social credit code (统一社会信用代码, GB 32100-2015)
// with a wrong check digit, a kind outside art. 2 of 西政办发〔2011〕8号, a
// post whose term ends before it begins, and the three administrators
// (三员分立, GB/T 22239 8.1.5) held by one person at the same time.
package identity

import (
	"context"
	"errors"
	"time"

	"github.com/yinxin-gov/yinxin/authz/ledger"
)

// USCC is an 18-character unified social credit code, upper case.
type USCC string

// Kind is the kind of an agency (西政办发〔2011〕8号 art. 2, 7).
type Kind string

// Kinds of agencies.
const (
	KindOrgan      Kind = "organ"      // 行政机关
	KindDispatched Kind = "dispatched" // 派出机关
	KindAuthorised Kind = "authorised" // 法律法规授权组织
	KindEntrusted  Kind = "entrusted"  // 受委托组织
	KindVertical   Kind = "vertical"   // 垂直管理机关
)

// Role is what a post lets its holder do (reference glossary).
type Role string

// Roles. A person may hold several, but see Incompatible.
const (
	RoleAgencySysadmin    Role = "agency_sysadmin"    // 机关系统管理员
	RoleClerk             Role = "clerk"              // 经办人
	RoleUnitLeader        Role = "unit_leader"        // 单位主管领导
	RoleRAOfficer         Role = "ra_officer"         // 注册审核员
	RoleSealAdministrator Role = "seal_administrator" // 印章管理员
	RoleSecurityOfficer   Role = "security_officer"   // 安全管理员
	RoleAuditor           Role = "auditor"            // 审计员
	RoleSystemAdmin       Role = "system_admin"       // 系统管理员
	RoleInformationOffice Role = "information_office" // 信息办
	RoleSecrecyBureau     Role = "secrecy_bureau"     // 保密局
	RoleRecordsOfficer    Role = "records_officer"    // 档案人员
	RoleKMCOfficer        Role = "kmc_officer"        // 密管员: one of those who together let a key be recovered
	// RoleSharingContact (共享责任人): who answers in a unit for shared information; the
	// title of the post is the responsible section (责任科室, 西政办发〔2014〕14号 art. 13).
	RoleSharingContact Role = "sharing_contact"
	// RoleFirstResponsible (第一责任人): the head of a unit (京政发〔2017〕37号 art. 32).
	RoleFirstResponsible Role = "first_responsible"
	// RoleSupervision (监察): of whatever unit, sees what the auditor sees and writes
	// nothing (京办发〔2005〕17号 sec. 3).
	RoleSupervision Role = "supervision"
)

// Agency is a government unit.
type Agency struct {
	USCC      USCC      `json:"uscc"`
	Name      string    `json:"name"`
	Kind      Kind      `json:"kind"`
	Parent    USCC      `json:"parent,omitempty"`
	District  string    `json:"district"` // 6-digit division code, GB/T 2260
	Duties    []string  `json:"duties"`   // purpose codes that its duties (职权) cover
	Sample    bool      `json:"sample"`   // 样例: made by the demo
	CreatedAt time.Time `json:"created_at"`
}

// Person is a member of an agency. It never holds an ID number.
type Person struct {
	ID        string    `json:"id"` // UUIDv7
	Name      string    `json:"name"`
	Agency    USCC      `json:"agency"`
	KeyID     string    `json:"key_id,omitempty"`      // signing key in custody
	CertDER   []byte    `json:"certificate,omitempty"` // SM2 signing certificate
	LeftAt    time.Time `json:"left_at,omitzero"`      // a leaver's grants and keys end that day
	CreatedAt time.Time `json:"created_at"`
}

// Post is a role held by a person in a unit for a term of office.
type Post struct {
	ID     string    `json:"id"`
	Person string    `json:"person"`
	Agency USCC      `json:"agency"`
	Role   Role      `json:"role"`
	Title  string    `json:"title"`
	From   time.Time `json:"from"`
	Until  time.Time `json:"until,omitzero"` // zero: open
}

// HeldAt reports whether the term covers t: From <= t < Until.
func (p Post) HeldAt(t time.Time) bool {
	return !t.Before(p.From) && (p.Until.IsZero() || t.Before(p.Until))
}

// System is an information system (业务系统) that may hold certificates, ask
// for decisions and keep copies.
type System struct {
	ID     string   `json:"id"` // short stable name: "civil-a"; [a-z0-9-]{1,63}
	Name   string   `json:"name"`
	Agency USCC     `json:"agency"`
	Hosts  []string `json:"hosts"` // DNS names it may have in certificates
	// Addresses of hosts, IP literals without port: where ACME challenges are
	// looked for. A host without one cannot use ACME.
	Addresses map[string]string `json:"addresses,omitempty"`
	Sample    bool              `json:"sample"`
	CreatedAt time.Time         `json:"created_at"`
}

// Outcomes that callers branch on.
var (
	ErrUSCC         = errors.New("identity: not a unified social credit code")
	ErrNotFound     = errors.New("identity: not found")
	ErrExists       = errors.New("identity: already registered")
	ErrInvalid      = errors.New("identity: invalid record")
	ErrIncompatible = errors.New("identity: roles may not be held by one person")
	ErrLeft         = errors.New("identity: the person has left")
	// ErrNoContact: the unit has named nobody for RoleSharingContact.
	ErrNoContact = errors.New("identity: the unit names no responsible section and person")
)

// Register is the store of this room. Each mutating method commits the row and
// its event in one transaction and returns once the event is durable. Methods
// return ErrNotFound or ErrExists where a caller branches on it.
type Register interface {
	AddAgency(ctx context.Context, a Agency, ev ledger.Event) (ledger.Receipt, error)
	AddPerson(ctx context.Context, p Person, ev ledger.Event) (ledger.Receipt, error)
	AddPost(ctx context.Context, p Post, ev ledger.Event) (ledger.Receipt, error)
	AddSystem(ctx context.Context, s System, ev ledger.Event) (ledger.Receipt, error)
	SetPersonKey(ctx context.Context, person, keyID string, certDER []byte, ev ledger.Event) (ledger.Receipt, error)
	// EndPost ends a term that covers until; ErrNotFound when it does not.
	EndPost(ctx context.Context, id string, until time.Time, ev ledger.Event) (ledger.Receipt, error)
	// Leave marks a person as gone and ends every term that is not over by then;
	// ErrLeft for one who has left. AddPost and SetPersonKey refuse a leaver with it.
	Leave(ctx context.Context, person string, at time.Time, ev ledger.Event) (ledger.Receipt, error)
	Reader
}

// Reader is the read side of a Register.
type Reader interface {
	Agency(ctx context.Context, id USCC) (Agency, error)
	Person(ctx context.Context, id string) (Person, error)
	System(ctx context.Context, id string) (System, error)
	PostsOf(ctx context.Context, person string) ([]Post, error)
	Agencies(ctx context.Context) ([]Agency, error)
	Systems(ctx context.Context) ([]System, error)
}
