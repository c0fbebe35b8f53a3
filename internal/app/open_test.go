package app

import (
	"bytes"
	"database/sql"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/yinxin-gov/yinxin/authz/ledger"
	"github.com/yinxin-gov/yinxin/internal/keys"
	"github.com/yinxin-gov/yinxin/internal/store"
	"github.com/yinxin-gov/yinxin/signer"
)

// TestOpenRefuses: design law 8, each doubt in a copy of one good house. Nothing
// of the folder may change by the attempt, but SQLite's own files beside the
// database.
func TestOpenRefuses(t *testing.T) {
	good, ln := config(t, "")
	ok(t, ln.Close())
	_, err := Init(bg, good, three)
	ok(t, err)
	edit := func(query string, args ...any) func(testing.TB, string) {
		return func(tb testing.TB, dir string) {
			db, err := sql.Open("sqlite", filepath.Join(dir, fileStore))
			ok(tb, err)
			res, err := db.Exec(query, args...)
			ok(tb, err)
			if n, err := res.RowsAffected(); err != nil || n != 1 {
				tb.Fatalf("%d rows changed, %v", n, err)
			}
			ok(tb, db.Close())
		}
	}
	remove := func(name string) func(testing.TB, string) {
		return func(tb testing.TB, dir string) { ok(tb, os.RemoveAll(filepath.Join(dir, name))) }
	}
	chmod := func(name string, mode os.FileMode) func(testing.TB, string) {
		return func(tb testing.TB, dir string) { ok(tb, os.Chmod(filepath.Join(dir, name), mode)) }
	}
	seq := func(n uint64) *uint64 { return &n }
	for name, tc := range map[string]struct {
		spoil func(testing.TB, string)
		want  error
		seq   *uint64 // of a CorruptError
	}{
		"another passphrase": {spoil: func(tb testing.TB, dir string) {
			ok(tb, os.Remove(filepath.Join(dir, fileSecret)))
			ok(tb, keys.CreateSecretFile(filepath.Join(dir, fileSecret), good.withDefaults().Rand))
		}, want: keys.ErrPassphrase},
		"no passphrase":              {spoil: remove(fileSecret), want: keys.ErrNotFound},
		"passphrase open to others":  {spoil: chmod(fileSecret, 0o644), want: keys.ErrMode},
		"folder open to others":      {spoil: chmod(".", 0o755), want: ErrFolder},
		"key folder open to others":  {spoil: chmod(dirKeys, 0o755), want: keys.ErrMode},
		"key open to others":         {spoil: chmod("keys/ledger/key.pem", 0o640), want: keys.ErrMode},
		"no root key":                {spoil: remove("keys/sm2-root"), want: keys.ErrNotFound},
		"no key-encryption key":      {spoil: remove(fileKEK), want: fs.ErrNotExist},
		"a key in place of another":  {spoil: swapKeys, want: keys.ErrRecord},
		"no anchor":                  {spoil: remove("anchors/sm2-issuing.crt"), want: fs.ErrNotExist},
		"another anchor":             {spoil: swapAnchors},
		"no store":                   {spoil: remove(fileStore), want: store.ErrEmpty},
		"a newer schema":             {spoil: edit(`INSERT INTO bun_migrations (name, group_id, migrated_at) VALUES ('9999', 9, CURRENT_TIMESTAMP)`), want: store.ErrSchema},
		"a migration broke off":      {spoil: edit(`INSERT INTO bun_migration_locks (table_name) VALUES ('bun_migrations')`), want: store.ErrLocked},
		"ledger: a body in the past": {spoil: edit(`UPDATE ledger_entry SET body = CAST(replace(CAST(body AS TEXT), 'success', 'failure') AS BLOB) WHERE seq = 3`), seq: seq(3)},
		"ledger: a leaf edited":      {spoil: edit(`UPDATE ledger_entry SET leaf = zeroblob(32) WHERE seq = 3`), seq: seq(3)},
		"ledger: the head set back":  {spoil: edit(`UPDATE ledger_head SET size = size - 1`)},
		"ledger: no checkpoint":      {spoil: edit(`UPDATE ledger_head SET checkpoint = NULL`)},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := good
			cfg.Dir = filepath.Join(t.TempDir(), "data")
			copyFolder(t, good.Dir, cfg.Dir)
			tc.spoil(t, cfg.Dir)
			h, err := Open(bg, cfg)
			if err == nil {
				ok(t, h.Close())
				t.Fatal("the house opened")
			}
			t.Log(err)
			if tc.want != nil {
				wantErr(t, err, tc.want)
			}
			var corrupt *ledger.CorruptError
			if strings.HasPrefix(name, "ledger") && !errors.As(err, &corrupt) {
				t.Fatalf("not told as a corrupt ledger: %v", err)
			}
			if tc.seq != nil && (corrupt.Seq == nil || *corrupt.Seq != *tc.seq) {
				t.Errorf("names entry %v, want %d", corrupt.Seq, *tc.seq)
			}
		})
	}
}

// swapKeys puts the exchange's key where the ledger's is, record and all.
func swapKeys(tb testing.TB, dir string) {
	b, err := os.ReadFile(filepath.Join(dir, "keys/exchange/key.pem"))
	ok(tb, err)
	ok(tb, os.WriteFile(filepath.Join(dir, "keys/ledger/key.pem"), b, 0o600))
}

func swapAnchors(tb testing.TB, dir string) {
	b, err := os.ReadFile(filepath.Join(dir, "anchors/sm2-root.crt"))
	ok(tb, err)
	ok(tb, os.WriteFile(filepath.Join(dir, "anchors/sm2-issuing.crt"), b, 0o600))
}

func copyFolder(tb testing.TB, from, to string) {
	tb.Helper()
	ok(tb, os.CopyFS(to, os.DirFS(from)))
	ok(tb, filepath.WalkDir(from, func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(from, p)
		if err != nil {
			return err
		}
		fi, err := d.Info()
		if err != nil {
			return err
		}
		return os.Chmod(filepath.Join(to, rel), fi.Mode().Perm())
	}))
}

func TestLoadSettings(t *testing.T) {
	const good = "name: yangli\norganization: 样例区政务信息办公室\nuscc: 11110100999900011P\ndivision: \"110100\"\nlisten: :8443\npublic: localhost:8443\nnames: [localhost]\n"
	for name, tc := range map[string]struct {
		file string
		env  map[string]string
		want error
		in   string // in the error
	}{
		"good":                    {file: good},
		"a variable wins":         {file: good, env: map[string]string{"YINXIN_LISTEN": "127.0.0.1:1"}},
		"unknown setting":         {file: good + "lsten: :1\n", want: ErrConfig, in: "lsten"},
		"not YAML":                {file: good + "\t:\n", want: ErrConfig},
		"wrong check digit":       {file: strings.Replace(good, "11P", "11Q", 1), want: ErrConfig},
		"password in the file":    {file: good + "db: postgres://u:hush@h/x\n", want: ErrPassword},
		"password in the query":   {file: good + "db: postgres://u@h/x?password=hush\n", want: ErrPassword},
		"a bad variable":          {file: good, env: map[string]string{"YINXIN_LISTEN": "8443"}, want: ErrConfig},
		"a clock of nobody":       {file: good + "clock: mine\n", want: ErrConfig, in: "clock"},
		"days for an approval":    {file: good + "approval_life: 14\n" + excluded("land_transfer", "")},
		"a variable of days":      {file: good, env: map[string]string{"YINXIN_APPROVAL_LIFE": "30"}},
		"days below none":         {file: good + "approval_life: -1\n", want: ErrConfig, in: "approval_life"},
		"days without end":        {file: good, env: map[string]string{"YINXIN_APPROVAL_LIFE": "91"}, want: ErrConfig, in: "approval_life"},
		"days of standing idle":   {file: good + "idle_warn: 30\nidle_hold: 60\n"},
		"held with the warning":   {file: good + "idle_warn: 30\nidle_hold: 30\n", want: ErrConfig, in: "idle_hold"},
		"held before the warning": {file: good + "idle_hold: 89\n", want: ErrConfig, in: "idle_hold"},
		"warned before use":       {file: good, env: map[string]string{"YINXIN_IDLE_WARN": "-1"}, want: ErrConfig, in: "idle_warn"},
		"days in words":           {file: good + "approval_life: a week\n", want: ErrConfig},
		"a code of the law":       {file: good + excluded("marriage", ""), want: ErrConfig, in: "marriage"},
		"a code twice":            {file: good + excluded("land_transfer", "") + entry("land_transfer", ""), want: ErrConfig, in: "entry 2"},
		"no code":                 {file: good + excluded("''", ""), want: ErrConfig, in: "code"},
		"a code in capitals":      {file: good + excluded("Land", ""), want: ErrConfig, in: "code"},
		"no clause":               {file: good + strings.Replace(excluded("land_transfer", ""), "样例条例 art. 8", "' '", 1), want: ErrConfig, in: "clause"},
		"no English":              {file: good + strings.Replace(excluded("land_transfer", ""), "en: ", "# ", 1), want: ErrConfig, in: "en is"},
		"an empty word":           {file: good + excluded("land_transfer", "words: ['']"), want: ErrConfig, in: "words"},
		"an unknown field":        {file: good + excluded("land_transfer", "word: [x]"), want: ErrConfig, in: "\"word\""},
		"types that are no list":  {file: good + "excluded_types: land\n", want: ErrConfig, in: "excluded_types"},
		"types in a variable":     {file: good, env: map[string]string{"YINXIN_EXCLUDED_TYPES": "land"}},
		"a sample that is a word": {file: good + "sample: perhaps\n", want: ErrConfig},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			ok(t, os.WriteFile(filepath.Join(dir, fileConfig), []byte(tc.file), 0o600))
			for k, v := range tc.env {
				t.Setenv(k, v)
			}
			s, err := LoadSettings(dir)
			if !errors.Is(err, tc.want) {
				t.Fatalf("got error %v, want %v", err, tc.want)
			}
			if err != nil && (!strings.Contains(err.Error(), tc.in) || strings.Contains(err.Error(), "hush")) {
				t.Errorf("error %q", err)
			}
			if v := tc.env["YINXIN_LISTEN"]; err == nil && v != "" && s.Listen != v {
				t.Errorf("listen is %q", s.Listen)
			}
		})
	}
	_, err := LoadSettings(t.TempDir())
	wantErr(t, err, ErrNotInitialised)
}

// excluded is a table of one kind of document, entry one more.
func excluded(code, more string) string { return "excluded_types:\n" + entry(code, more) }

func entry(code, more string) string {
	return "  - code: " + code + "\n    clause: 样例条例 art. 8\n    zh: 土地权属的文书\n    en: documents on titles to land\n    " + more + "\n"
}

// 电子签名法 art. 3 para. 3 (3): what the site adds is refused by code and by word.
func TestExcludedTypesOfTheSite(t *testing.T) {
	dir := t.TempDir()
	const head = "name: yangli\norganization: 样例区政务信息办公室\nuscc: 11110100999900011P\ndivision: \"110100\"\nlisten: :8443\npublic: localhost:8443\nnames: [localhost]\n"
	ok(t, os.WriteFile(filepath.Join(dir, fileConfig), []byte(head+"approval_life: 14\n"+excluded("land_transfer", "words: [土地权属]")), 0o600))
	s, err := LoadSettings(dir)
	ok(t, err)
	ok(t, s.save(dir))
	if s, err = LoadSettings(dir); err != nil || s.approvalLife() != 14*24*time.Hour {
		t.Errorf("%v %v", s.approvalLife(), err)
	}
	for name, want := range map[string]error{"land_transfer": signer.ErrExcluded, "土地权属证明": signer.ErrExcluded, "离婚协议": signer.ErrExcluded, "通知": nil} {
		if err := signer.CheckType(name, signer.Exclusions(s.exclusions()...)); !errors.Is(err, want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestSettingsRoundTrip: what save writes, LoadSettings reads.
func TestSettingsRoundTrip(t *testing.T) {
	cfg, ln := config(t, "")
	ok(t, ln.Close())
	dir := t.TempDir()
	ok(t, cfg.save(dir))
	got, err := LoadSettings(dir)
	ok(t, err)
	var a, b bytes.Buffer
	for _, s := range []struct {
		to *bytes.Buffer
		of Settings
	}{{&a, cfg.Settings}, {&b, got}} {
		ok(t, s.of.save(dir))
		raw, err := os.ReadFile(filepath.Join(dir, fileConfig))
		ok(t, err)
		s.to.Write(raw)
	}
	if a.String() != b.String() {
		t.Errorf("saved\n%s\nread\n%s", a.String(), b.String())
	}
}
