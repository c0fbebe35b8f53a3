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
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/knadh/koanf/parsers/yaml"
	"github.com/knadh/koanf/providers/env/v2"
	"github.com/knadh/koanf/providers/file"
	"github.com/knadh/koanf/v2"
	yamlv3 "gopkg.in/yaml.v3"
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
	// ErrInitialised: the folder or the store is in use already; nothing was changed.
	ErrInitialised = errors.New("app: already initialised")
	// ErrConfig: a setting that cannot be.
	ErrConfig = errors.New("app: invalid configuration")
	// ErrFolder: the data folder cannot be made or written.
	ErrFolder = errors.New("app: data folder not usable")
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
	Names        []string `yaml:"names" koanf:"names"`               // DNS names and addresses in the server certificate
	Sample       bool     `yaml:"sample" koanf:"sample"`             // demo data and keys
}

// Config is Settings plus what comes in from outside.
type Config struct {
	Settings
	Dir  string           // data folder
	Now  func() time.Time // nil: time.Now
	Rand io.Reader        // nil: crypto/rand
	Log  *slog.Logger     // nil: discard
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
	known := map[string]bool{"name": true, "organization": true, "uscc": true, "division": true, "duties": true, "db": true, "listen": true, "public": true, "names": true, "sample": true}
	for key := range k.Raw() {
		if !known[key] {
			return Settings{}, fmt.Errorf("%w: %s: unknown setting %q", ErrConfig, path, key)
		}
	}
	err := k.Load(env.Provider(".", env.Opt{Prefix: envPrefix, TransformFunc: func(key, v string) (string, any) {
		key = strings.ToLower(strings.TrimPrefix(key, envPrefix))
		if !known[key] {
			return "", nil
		}
		if key == "names" || key == "duties" {
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
	case s.Listen == "" || s.Public == "":
		return fmt.Errorf("%w: listen and public must be host:port", ErrConfig)
	case len(s.Names) == 0:
		return fmt.Errorf("%w: names is empty: the server certificate needs one", ErrConfig)
	}
	return nil
}

// save writes config.yaml; it holds no secret.
func (s Settings) save(dir string) error {
	raw, err := yamlv3.Marshal(s)
	if err != nil {
		return fmt.Errorf("app: encode settings: %w", err)
	}
	head := "# 印信 / Yinxin. Settings; secrets do not belong here. See docs/zh/operate.md\n"
	return os.WriteFile(filepath.Join(dir, fileConfig), append([]byte(head), raw...), 0o600)
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

// store is the URL of the database.
func (c Config) store() string {
	if c.DB != "" {
		return c.DB
	}
	return "sqlite:" + filepath.Join(c.Dir, fileStore)
}
