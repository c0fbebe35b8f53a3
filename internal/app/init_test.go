package app

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/yinxin-gov/yinxin/authz/identity"
	"github.com/yinxin-gov/yinxin/internal/store"
)

// TestSecondInit: a folder or a store in use is refused and stays as it is.
func TestSecondInit(t *testing.T) {
	for name, db := range engines {
		t.Run(name, func(t *testing.T) {
			cfg, ln := config(t, db(t))
			ok(t, ln.Close())
			_, err := Init(bg, cfg, three)
			ok(t, err)
			before := files(t, cfg.Dir)
			_, err = Init(bg, cfg, three)
			wantErr(t, err, ErrInitialised)
			if after := files(t, cfg.Dir); after != before {
				t.Errorf("the refused second init changed the folder:\n%s\n%s", before, after)
			}
			// Another folder, the same store.
			other := cfg
			other.Dir = filepath.Join(t.TempDir(), "other")
			if other.DB == "" {
				other.DB = cfg.Store()
			}
			_, err = Init(bg, other, three)
			wantErr(t, err, ErrInitialised)
			if _, err := os.Stat(other.Dir); !errors.Is(err, os.ErrNotExist) {
				t.Errorf("the refused init left its folder: %v", err)
			}
			h, err := Open(bg, cfg)
			ok(t, err)
			ok(t, h.Close())
		})
	}
}

// TestInitLeavesNothing: an init that fails leaves no folder, and an empty
// folder that was there stays, empty.
func TestInitLeavesNothing(t *testing.T) {
	for name, tc := range map[string]struct {
		spoil  func(*Config)
		admins []Administrator
		want   error
	}{
		"check digit of the credit code": {spoil: func(c *Config) { c.USCC = c.USCC[:17] + "0" }, want: identity.ErrUSCC},
		"division":                       {spoil: func(c *Config) { c.Division = "11" }, want: ErrConfig},
		"address without a port":         {spoil: func(c *Config) { c.Public = "localhost" }, want: ErrConfig},
		"no name in the certificate":     {spoil: func(c *Config) { c.Names = nil }, want: ErrConfig},
		"password in the address":        {spoil: func(c *Config) { c.DB = "postgres://u:hush@127.0.0.1:1/x" }, want: ErrPassword},
		"PostgreSQL down":                {spoil: func(c *Config) { c.DB = "postgres://u@127.0.0.1:1/x?connect_timeout=2" }},
		"unknown database":               {spoil: func(c *Config) { c.DB = "mysql://u@127.0.0.1/x" }, want: store.ErrURL},
		"two posts, one person":          {admins: []Administrator{{identity.RoleSystemAdmin, "甲"}, {identity.RoleSecurityOfficer, "乙"}, {identity.RoleAuditor, "甲"}}, want: ErrAdministrators},
		"no auditor":                     {admins: three[:2], want: ErrAdministrators},
		"a name that cannot be":          {spoil: func(c *Config) { c.Organization = "样例\x00区" }},
	} {
		t.Run(name, func(t *testing.T) {
			cfg, ln := config(t, "")
			ok(t, ln.Close())
			if tc.spoil != nil {
				tc.spoil(&cfg)
			}
			if tc.admins == nil {
				tc.admins = three
			}
			_, err := Init(bg, cfg, tc.admins)
			if err == nil || tc.want != nil && !errors.Is(err, tc.want) {
				t.Fatalf("got error %v, want %v", err, tc.want)
			}
			if _, err := os.Stat(cfg.Dir); !errors.Is(err, os.ErrNotExist) {
				t.Errorf("a folder is left: %v", err)
			}
			ok(t, os.Mkdir(cfg.Dir, 0o700))
			if _, err := Init(bg, cfg, tc.admins); err == nil {
				t.Fatal("done in a folder that exists")
			}
			left, err := os.ReadDir(cfg.Dir)
			ok(t, err)
			if len(left) > 0 {
				t.Errorf("%d files are left", len(left))
			}
		})
	}
}

// TestInitWhereNoFolderCanBe: root may write everywhere, so the parent is a file.
func TestInitWhereNoFolderCanBe(t *testing.T) {
	cfg, ln := config(t, "")
	ok(t, ln.Close())
	file := filepath.Join(t.TempDir(), "file")
	ok(t, os.WriteFile(file, nil, 0o600))
	for _, dir := range []string{file, filepath.Join(file, "data")} {
		cfg.Dir = dir
		_, err := Init(bg, cfg, three)
		wantErr(t, err, ErrFolder)
	}
}
