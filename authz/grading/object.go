package grading

import (
	"fmt"
	"regexp"
	"slices"

	"github.com/yinxin-gov/yinxin/authz/identity"
	"github.com/yinxin-gov/yinxin/authz/level"
	"github.com/yinxin-gov/yinxin/internal/workday"
)

// Kind is what can be graded (定级对象, GB/T 22240-2020 ch. 5). A single server
// or terminal is no object.
type Kind string

// Kinds of graded objects. The provider's and the customer's side of a cloud
// are two objects.
const (
	KindSystem  Kind = "information_system"     // 信息系统
	KindNetwork Kind = "network_infrastructure" // 通信网络设施
	KindData    Kind = "data_resource"          // 数据资源
	KindCloud   Kind = "cloud_platform"         // 云计算平台
)

// Phase is how far the building of an object is; it runs beside the grading
// (市政办发〔2018〕69号 art. 13, 17).
type Phase string

// Phases.
const (
	PhasePlanned   Phase = "planned"
	PhaseAccepted  Phase = "accepted"  // 竣工验收合格
	PhaseOperating Phase = "operating" // 投入使用
)

// Networks of an object (所处网络).
const (
	NetworkPrivate  = "private"  // 业务专网
	NetworkExtranet = "extranet" // 政务外网
	NetworkInternet = "internet"
	NetworkOther    = "other"
)

// SecrecyNone is the declaration that an object neither holds nor carries state
// secrets. Those fall under another regime (分级保护) and are refused (R18).
const SecrecyNone = "none"

// Object is one graded object with what forms one and two ask about it.
type Object struct {
	ID           string        `json:"id"` // the id of the system, where it is one: [a-z0-9-]{1,63}
	Name         string        `json:"name"`
	Kind         Kind          `json:"kind"`
	Owner        identity.USCC `json:"owner_unit"`    // 运营者
	BuildingUnit identity.USCC `json:"building_unit"` // 建设单位: determines the level (X11 art. 23)
	Secrecy      string        `json:"secrecy"`       // declared: SecrecyNone or refused

	Parent         string   `json:"subsystem_of,omitempty"`
	CarriedBy      []string `json:"carried_by,omitempty"` // objects that host or carry it (R13)
	Interconnected []string `json:"interconnection,omitempty"`

	Business    string   `json:"business_type"`
	Description string   `json:"description"`
	Scope       string   `json:"service_scope"`
	Audience    string   `json:"service_object"`   // internal, public, both
	Coverage    string   `json:"network_coverage"` // LAN, MAN, WAN
	Network     string   `json:"network_kind"`
	Opinion     string   `json:"network_opinion_sm3,omitempty"` // of the managing body on a new 业务专网 (XA18 art. 9)
	Products    []string `json:"key_products,omitempty"`
	Outsourced  []string `json:"outsourced_services,omitempty"`
	Sector      string   `json:"sector,omitempty"` // "", public_security, state_security

	Phase          Phase        `json:"phase"`
	OperationSince workday.Date `json:"operation_since,omitzero"` // set at registration for what runs already
	Cloud          string       `json:"cloud_migration"`          // planned, migrated, none
	Sample         bool         `json:"sample"`
}

var objectID = regexp.MustCompile(`^[a-z0-9-]{1,63}$`)

const maxList = 100

// Validate checks an object by itself. level.ErrStateSecret comes before all
// else: nothing about a secret object is looked at further.
func (o Object) Validate() error {
	if o.Secrecy != SecrecyNone {
		return fmt.Errorf("%w: graded object declared %.40q (R18)", level.ErrStateSecret, o.Secrecy)
	}
	if !objectID.MatchString(o.ID) || !words(o.Name) {
		return fmt.Errorf("%w: object without id or name", ErrInvalid)
	}
	for _, u := range []identity.USCC{o.Owner, o.BuildingUnit} {
		if err := u.Validate(); err != nil {
			return fmt.Errorf("%w: unit of %s: %w", ErrInvalid, o.ID, err)
		}
	}
	for _, f := range []struct {
		name, value string
		of          []string
	}{
		{"kind", string(o.Kind), []string{string(KindSystem), string(KindNetwork), string(KindData), string(KindCloud)}},
		{"service_object", o.Audience, []string{"internal", "public", "both"}},
		{"network_coverage", o.Coverage, []string{"LAN", "MAN", "WAN"}},
		{"network_kind", o.Network, []string{NetworkPrivate, NetworkExtranet, NetworkInternet, NetworkOther}},
		{"sector", o.Sector, []string{"", "public_security", "state_security"}},
		{"cloud_migration", o.Cloud, []string{"planned", "migrated", "none"}},
	} {
		if !slices.Contains(f.of, f.value) {
			return fmt.Errorf("%w: %s of %s is %.40q", ErrInvalid, f.name, o.ID, f.value)
		}
	}
	for _, text := range []string{o.Business, o.Description, o.Scope} {
		if !words(text) {
			return fmt.Errorf("%w: business, description and scope of %s", ErrInvalid, o.ID)
		}
	}
	if o.Opinion != "" {
		if err := digestForm("network_opinion_sm3", o.Opinion); err != nil {
			return err
		}
	}
	// What is planned does not run; what runs has a day since when.
	if (o.Phase == PhaseOperating) != (o.OperationSince != 0) || o.Phase != PhasePlanned && o.Phase != PhaseAccepted && o.Phase != PhaseOperating {
		return fmt.Errorf("%w: phase %.40q of %s and operation since %q", ErrInvalid, o.Phase, o.ID, o.OperationSince)
	}
	return o.relations()
}

func (o Object) relations() error {
	for _, list := range [][]string{o.CarriedBy, o.Interconnected, o.Products, o.Outsourced} {
		if len(list) > maxList {
			return fmt.Errorf("%w: more than %d entries in a list of %s", ErrInvalid, maxList, o.ID)
		}
	}
	if slices.Contains(o.CarriedBy, o.ID) || o.Parent == o.ID {
		return fmt.Errorf("%w: %s cannot carry or contain itself", ErrInvalid, o.ID)
	}
	hosts := slices.Clone(o.CarriedBy)
	slices.Sort(hosts)
	if len(slices.Compact(hosts)) != len(o.CarriedBy) {
		return fmt.Errorf("%w: %s names a host twice", ErrInvalid, o.ID)
	}
	return nil
}

// CloudDuty says what 京政发〔2017〕37号 art. 25 wants of an object (R16):
// "exempt" at level 4 and above and for public and state security, else its
// own status, where "none" has still to be planned.
func (o Object) CloudDuty(lv uint8) string {
	if lv >= 4 || o.Sector != "" {
		return "exempt"
	}
	return o.Cloud
}

// Flags are facts of an object that somebody has to look at.
func (o Object) Flags(lv uint8) []string {
	var out []string
	if o.Network == NetworkPrivate && o.Opinion == "" {
		out = append(out, "XA18-09_private_network") // no opinion of the managing body
	}
	if o.CloudDuty(lv) == "none" {
		out = append(out, "BJ17-25_cloud_migration")
	}
	return out
}
