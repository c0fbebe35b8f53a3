// Package app is the wiring of the house: it builds every room from one Config
// and hands each the small interfaces that it declared. It decides nothing.
//
// Open refuses to start on doubt (design law 8): a ledger head that does not
// verify, a missing or unreadable key, a half-done migration, a folder that
// others can read. `init`, `serve` and `demo` run this same code; only the
// Config differs.
package app

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"github.com/knadh/koanf/parsers/yaml"
	"github.com/knadh/koanf/providers/env/v2"
	"github.com/knadh/koanf/providers/file"
	"github.com/knadh/koanf/v2"
	yamlv3 "gopkg.in/yaml.v3"

	"github.com/yinxin-gov/yinxin/authz/identity"
	"github.com/yinxin-gov/yinxin/authz/ledger"
	"github.com/yinxin-gov/yinxin/ca/profile"
	"github.com/yinxin-gov/yinxin/ca/status"
	"github.com/yinxin-gov/yinxin/internal/keys"
)

// Names inside the data folder.
const (
	fileConfig  = "config.yaml"
	fileSecret  = "service.secret" // passphrase of the service's keys, mode 0600
	dirKeys     = "keys"
	dirBlobs    = "blobs"
	dirAnchors  = "anchors" // certificates, public
	fileStore   = "yinxin.db"
	envPrefix   = "YINXIN_"
	envPassword = "YINXIN_PASSPHRASE" // instead of fileSecret
)

// Outcomes that callers branch on.
var (
	// ErrNotInitialised: the folder holds no configuration.
	ErrNotInitialised = errors.New("app: the data folder is not initialised")
	// ErrBrokeOff: a founding ended halfway; nothing of it is in use.
	ErrBrokeOff = errors.New("app: the founding of a house broke off here")
	// ErrInitialised: the folder or the store is in use already; nothing was changed.
	ErrInitialised = errors.New("app: already initialised")
	// ErrAdministrators: not three persons for the three posts (三员分立).
	ErrAdministrators = errors.New("app: three administrators must be three persons")
	// ErrPassword: the database address holds a password, where others read it.
	ErrPassword = errors.New("app: the database address holds a password")
	// ErrConfig: a setting that cannot be.
	ErrConfig = errors.New("app: invalid configuration")
	// ErrFolder: the data folder cannot be made or written.
	ErrFolder = errors.New("app: data folder not usable")
)

// What Settings.Clock may say. With the kernel's word nothing is stamped or sealed
// while the clock is not kept by a time service; trusted is the operator's own
// statement, for machines whose kernel cannot know.
const (
	ClockKernel  = "kernel"
	ClockTrusted = "trusted"
)

// Settings are what an operator writes in config.yaml. Every name may be set
// by an environment variable: YINXIN_LISTEN for listen. Secrets are not
// settings: they live in files of mode 0600 or the environment.
type Settings struct {
	Name         string   `yaml:"name" koanf:"name"`                 // short name of the house: origin of the ledger
	Organization string   `yaml:"organization" koanf:"organization"` // unit that runs it
	USCC         string   `yaml:"uscc" koanf:"uscc"`                 // of that unit
	Division     string   `yaml:"division" koanf:"division"`         // 6-digit division code
	Duties       []string `yaml:"duties" koanf:"duties"`             // purpose codes of its duties (职权)
	DB           string   `yaml:"db" koanf:"db"`                     // "" = SQLite in the data folder; postgres://…
	Listen       string   `yaml:"listen" koanf:"listen"`             // host:port of HTTPS
	Public       string   `yaml:"public" koanf:"public"`             // host:port under which clients reach it
	Plain        string   `yaml:"plain" koanf:"plain"`               // host:port of plain HTTP for lists, OCSP and issuing certificates; "": on HTTPS only
	TLCP         string   `yaml:"tlcp,omitempty" koanf:"tlcp"`       // host:port of TLCP (遗留互通, legacy interop); "": none
	Names        []string `yaml:"names" koanf:"names"`               // DNS names and addresses in the server certificate
	Clock        string   `yaml:"clock" koanf:"clock"`               // who says that the clock is right: ClockKernel (also "") or ClockTrusted
	Sample       bool     `yaml:"sample" koanf:"sample"`             // demo data and keys

	// OfflineRoot: both root keys are in a ceremony room and not here.
	OfflineRoot bool `yaml:"offline_root,omitempty" koanf:"offline_root"`

	Keys KeySettings  `yaml:",inline" koanf:",squash"`
	Idle IdleSettings `yaml:",inline" koanf:",squash"`

	// RetentionYears is how long what belongs to a certificate is kept after its
	// end; 0: 5, never less (电子签名法 art. 24).
	RetentionYears int `yaml:"retention_years,omitempty" koanf:"retention_years"`

	Notices NoticeSettings `yaml:",inline" koanf:",squash"`

	ApprovalLife  int            `yaml:"approval_life,omitempty" koanf:"approval_life"` // days in which an approved use of a seal may follow; 0: the signer's seven
	ExcludedTypes []ExcludedType `yaml:"excluded_types,omitempty" koanf:"excluded_types"`
}

// Config is Settings plus what comes in from outside.
type Config struct {
	Settings
	Dir  string           // data folder
	Now  func() time.Time // nil: time.Now
	Rand io.Reader        // nil: crypto/rand
	Log  *slog.Logger     // nil: discard
	Work keys.Work        // zero: production's; no setting leads here
}

// LoadSettings reads config.yaml of a data folder and the environment.
func LoadSettings(dir string) (Settings, error) {
	path := filepath.Join(dir, fileConfig)
	if _, err := os.Stat(path); err != nil {
		if errors.Is(err, os.ErrNotExist) {
			return Settings{}, fmt.Errorf("%w: %s", ErrNotInitialised, dir)
		}
		return Settings{}, fmt.Errorf("%w: %w", ErrFolder, err)
	}
	k := koanf.New(".")
	if err := k.Load(file.Provider(path), yaml.Parser()); err != nil {
		return Settings{}, fmt.Errorf("%w: %s: %w", ErrConfig, path, err)
	}
	if err := CheckDB(k.String("db")); err != nil {
		return Settings{}, err
	}
	known := map[string]bool{"name": true, "organization": true, "uscc": true, "division": true, "duties": true, "db": true, "listen": true, "public": true, "plain": true, "tlcp": true, "names": true, "clock": true, "sample": true, "offline_root": true, "approval_life": true, "key_pool": true, "recovery_officers": true, "recovery_judicial": true, "recovery_days": true, "idle_warn": true, "idle_hold": true, "retention_years": true, "notify_networks": true, "notify_enterprise": true}
	for key, value := range k.Raw() {
		if !known[key] && key != "excluded_types" { // a table has no place in a variable
			return Settings{}, fmt.Errorf("%w: %s: unknown setting %q", ErrConfig, path, key)
		}
		if name := unknownField(value); key == "excluded_types" && name != "" {
			return Settings{}, fmt.Errorf("%w: %s: excluded_types: unknown field %q", ErrConfig, path, name)
		}
	}
	err := k.Load(env.Provider(".", env.Opt{Prefix: envPrefix, TransformFunc: func(key, v string) (string, any) {
		key = strings.ToLower(strings.TrimPrefix(key, envPrefix))
		if !known[key] {
			return "", nil
		}
		if key == "names" || key == "duties" || key == "notify_networks" {
			return key, strings.Split(v, ",")
		}
		return key, v
	}}), nil)
	if err != nil {
		return Settings{}, fmt.Errorf("%w: environment: %w", ErrConfig, err)
	}
	var s Settings
	if err := k.Unmarshal("", &s); err != nil {
		return Settings{}, fmt.Errorf("%w: %s: %w", ErrConfig, path, err)
	}
	return s, s.validate()
}

func (s Settings) validate() error {
	switch {
	case s.Name == "" || strings.ContainsAny(s.Name, " +\n\t"):
		return fmt.Errorf("%w: name %q must be one word", ErrConfig, s.Name)
	case s.Organization == "":
		return fmt.Errorf("%w: organization is empty", ErrConfig)
	case len(s.Names) == 0:
		return fmt.Errorf("%w: names is empty: the server certificate needs one", ErrConfig)
	case s.Clock != "" && s.Clock != ClockKernel && s.Clock != ClockTrusted:
		return fmt.Errorf("%w: clock %q is neither %s nor %s", ErrConfig, s.Clock, ClockKernel, ClockTrusted)
	case s.ApprovalLife < 0 || s.ApprovalLife > maxApprovalLife:
		return fmt.Errorf("%w: approval_life %d is not 1 to %d days", ErrConfig, s.ApprovalLife, maxApprovalLife)
	case !divisionForm.MatchString(s.Division):
		return fmt.Errorf("%w: division %q is not 6 digits", ErrConfig, s.Division)
	}
	for name, addr := range map[string]string{"listen": s.Listen, "public": s.Public} {
		if _, port, err := net.SplitHostPort(addr); err != nil || port == "" {
			return fmt.Errorf("%w: %s %q must be host:port", ErrConfig, name, addr)
		}
	}
	for name, addr := range map[string]string{"plain": s.Plain, "tlcp": s.TLCP} {
		if _, port, err := net.SplitHostPort(addr); addr != "" && (err != nil || port == "") {
			return fmt.Errorf("%w: %s %q must be host:port", ErrConfig, name, addr)
		}
	}
	if err := identity.USCC(s.USCC).Validate(); err != nil {
		return fmt.Errorf("%w: %w", ErrConfig, err)
	}
	if err := errors.Join(s.Keys.validate(), s.Idle.validate(), s.Notices.validate(), validYears(s.RetentionYears)); err != nil {
		return err
	}
	return s.checkExclusions()
}

// divisionForm is GB/T 2260: province, city, county.
var divisionForm = regexp.MustCompile(`^[0-9]{6}$`)

// CheckDB refuses a database address with a password in it: config.yaml and
// command lines are no place for one.
func CheckDB(address string) error {
	u, err := url.Parse(address)
	if err != nil {
		return fmt.Errorf("%w: db is not an address", ErrConfig) // the parser's words would repeat it
	}
	if _, has := u.User.Password(); has || u.Query().Has("password") {
		return ErrPassword
	}
	return nil
}

// save writes config.yaml; it holds no secret.
func (s Settings) save(dir string) error {
	if err := CheckDB(s.DB); err != nil {
		return err
	}
	raw, err := yamlv3.Marshal(s)
	if err != nil {
		return fmt.Errorf("app: encode settings: %w", err)
	}
	head := "# 印信 / Yinxin. Settings; secrets do not belong here. See docs/zh/operate.md\n"
	return writeAtomic(filepath.Join(dir, fileConfig), append([]byte(head), raw...), 0o600)
}

// withDefaults fills what the zero value stands for.
func (c Config) withDefaults() Config {
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Rand == nil {
		c.Rand = rand.Reader
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	return c
}

// StatusURL is where relying parties ask about certificates: plain HTTP where
// there is such a listener (what is served is signed itself; RFC 5280 8), under
// the public name.
func (s Settings) StatusURL() string {
	host, _, herr := net.SplitHostPort(s.Public)
	_, port, perr := net.SplitHostPort(s.Plain)
	if herr != nil || perr != nil {
		return "https://" + s.Public
	}
	return "http://" + net.JoinHostPort(host, port)
}

// site is what every certificate says about the house.
func (c Config) site() profile.Site {
	base := c.StatusURL()
	return profile.Site{CPS: base + "/pki/cps", CRL: base + status.PathCRL + "/{issuer}.crl", Issuers: base + "/pki/issuers/{issuer}.cer", OCSP: base + status.PathOCSP}
}

// origin names the ledger in its checkpoints.
func (c Config) origin() string { return c.Name + ledger.OriginSuffix }

// Store is the URL of the database.
func (c Config) Store() string {
	if c.DB != "" {
		return c.DB
	}
	return "sqlite:" + filepath.Join(c.Dir, fileStore)
}
