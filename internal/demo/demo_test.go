package demo

import (
	"encoding/json"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"
)

// TestManifest: demo.json is what its type says, and everything that it names
// is there.
func TestManifest(t *testing.T) {
	d := demo(t)
	raw, err := os.ReadFile(filepath.Join(d.dir, fileManifest))
	ok(t, err)
	dec := json.NewDecoder(strings.NewReader(string(raw)))
	dec.DisallowUnknownFields()
	var m Manifest
	ok(t, dec.Decode(&m))
	if !reflect.DeepEqual(m, d.Manifest) {
		t.Error("the file is not the manifest that the demo returned")
	}
	if m.Schema != 1 || len(m.Agencies) != 4 || len(m.Systems) != 4 || len(m.Resources) != 3 || len(m.Agreements) != 4 || len(m.Seals) != 4 || len(m.Enrolments) != 1 {
		t.Errorf("counts: %+v", m)
	}
	for id, want := range map[string]string{"civil-affairs": "S3A3", "social-security": "S3A3", "street-service": "S2A2"} {
		if got := m.Systems[id].Grade; got != want {
			t.Errorf("%s has grade %s, want %s", id, got, want)
		}
	}
	var walkPaths func(v reflect.Value, name string)
	n := 0
	walkPaths = func(v reflect.Value, name string) {
		switch v.Kind() {
		case reflect.Struct:
			for i := range v.NumField() {
				walkPaths(v.Field(i), v.Type().Field(i).Tag.Get("json"))
			}
		case reflect.Map:
			for _, k := range v.MapKeys() {
				walkPaths(v.MapIndex(k), name)
			}
		case reflect.Slice:
			for i := range v.Len() {
				walkPaths(v.Index(i), name)
			}
		case reflect.String:
			if v.String() == "" {
				t.Errorf("%s is empty", name)
			}
			if p := v.String(); strings.HasPrefix(p, "out/") || strings.HasPrefix(p, "clients/") {
				n++
				fi, err := os.Stat(filepath.Join(d.dir, p))
				if err != nil {
					t.Errorf("%s: %v", name, err)
				} else if strings.HasSuffix(name, "_key") && fi.Mode().Perm() != 0o600 {
					t.Errorf("%s has mode %v", p, fi.Mode())
				}
			}
		}
	}
	walkPaths(reflect.ValueOf(m), "")
	if n < 40 {
		t.Errorf("only %d paths", n)
	}
}

// TestFolders: three parts, private keys for their owner only, no private key
// outside server and clients.
func TestFolders(t *testing.T) {
	d := demo(t)
	top, err := os.ReadDir(d.dir)
	ok(t, err)
	var names []string
	for _, e := range top {
		names = append(names, e.Name())
	}
	if got := strings.Join(names, " "); got != "clients demo.json out server" {
		t.Errorf("the folder holds %s", got)
	}
	ok(t, filepath.WalkDir(d.dir, func(p string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() || e.Type() == fs.ModeSymlink { // a system's links into its set
			return err
		}
		fi, err := e.Info()
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(d.dir, p)
		if err != nil {
			return err
		}
		public := strings.HasPrefix(rel, "out/") || strings.HasSuffix(rel, ".crt")
		if !public && fi.Mode().Perm() != 0o600 {
			t.Errorf("%s has mode %v", rel, fi.Mode())
		}
		raw, err := os.ReadFile(p)
		if err == nil && strings.HasPrefix(rel, "out/") && strings.Contains(string(raw), "PRIVATE KEY") {
			t.Errorf("%s holds a private key", rel)
		}
		return err
	}))
}

// TestTranscript: every step has its mark and number; every refusal names code,
// clause, why and what would have to change, from the table of reasons.
func TestTranscript(t *testing.T) {
	d := demo(t)
	refused := 0
	all := lines(d.out)
	step := regexp.MustCompile(`^  [✓✗] (#\d{4}|     )  \S`)
	reason := regexp.MustCompile(`^ +(E\d\d_[a-z_.]+) \(([A-Za-z0-9, -]+)\) \S`)
	for i, l := range all {
		if strings.HasPrefix(l, "  ✓") || strings.HasPrefix(l, "  ✗") {
			if !step.MatchString(l) {
				t.Errorf("step %q", l)
			}
		}
		if m := reason.FindStringSubmatch(l); m != nil {
			refused++
			if !strings.Contains(all[i+1], " / ") || !strings.HasPrefix(strings.TrimSpace(all[i+2]), "→ ") || !strings.Contains(all[i+2], " / ") {
				t.Errorf("%s lacks why or remedy:\n%s\n%s", m[1], all[i+1], all[i+2])
			}
		}
	}
	if refused < 8 {
		t.Errorf("%d reasons are told", refused)
	}
	for _, want := range []string{
		"E12_target_system (X11-30, X14-30)", "E10_label_lowered (X11-30)", "E11_third_party", "E06_agreement.purpose", "E06_agreement.expired", "E14_regrade_below_holdings",
		"演示密钥，勿用于生产", d.Manifest.Console, d.Manifest.Anchors.SM2RootSM3, d.Manifest.Anchors.ECDSARootSM3, d.Manifest.Samples.TamperedFile,
	} {
		if !strings.Contains(d.out, want) {
			t.Errorf("the transcript lacks %q", want)
		}
	}
}

// TestNoSecretIsLogged: of everything that the demo logs, nothing opens a door.
func TestNoSecretIsLogged(t *testing.T) {
	d := demo(t)
	secret, err := os.ReadFile(filepath.Join(d.dir, "server", "service.secret"))
	ok(t, err)
	secrets := []string{strings.TrimSpace(string(secret)), d.Manifest.Enrolments[0].Token, strings.SplitN(d.Manifest.Console, "#", 2)[1]}
	for _, a := range d.walk.agencies {
		secrets = append(secrets, a.leader.pin, a.clerk.pin)
	}
	for _, s := range secrets {
		if len(s) < 8 || strings.Contains(d.log.String(), s) {
			t.Errorf("a secret of %d characters is in the log", len(s))
		}
		if strings.Contains(d.out, s) && s != secrets[2] {
			t.Errorf("a secret of %d characters is printed", len(s))
		}
	}
}

// TestCommandsWorkAsPrinted runs the three commands of the last chapter, `go
// run` replaced by the built program.
func TestCommandsWorkAsPrinted(t *testing.T) {
	needs(t, "curl")
	d := demo(t)
	all := lines(d.out)
	try := all[len(all)-3:]
	for i, want := range []string{`"decision":true`, "valid", "valid"} {
		line := strings.Replace(strings.TrimSpace(try[i]), "go run ./cmd/yinxin", d.bin, 1)
		if got := sh(t, line); !strings.Contains(got, want) {
			t.Errorf("%s\n%s", line, got)
		}
	}
	if !strings.HasPrefix(strings.TrimSpace(try[0]), "curl --cacert ") {
		t.Errorf("first command %q", try[0])
	}
}

// TestSamples: the program finds both tampered copies.
func TestSamples(t *testing.T) {
	d := demo(t)
	in := func(p string) string { return quote(filepath.Join(d.dir, p)) }
	m := d.Manifest
	got := sh(t, d.bin+" verify --json --trust "+in(m.Anchors.TrustDir)+" "+in(m.Samples.Tampered)+" || test $? = 1")
	if !strings.Contains(got, `"invalid"`) || !strings.Contains(got, strings.TrimPrefix(m.Samples.TamperedFile, "/")) {
		t.Errorf("tampered document:\n%s", got)
	}
	got = sh(t, d.bin+" ledger verify --json --key "+in(m.Ledger.Key)+" "+in(m.Samples.LedgerTampered)+" || test $? = 1")
	var rep struct {
		FirstBadSeq *uint64 `json:"first_bad_seq"`
	}
	ok(t, json.Unmarshal([]byte(got), &rep))
	if rep.FirstBadSeq == nil || *rep.FirstBadSeq != m.Samples.FirstBadSeq {
		t.Errorf("tampered ledger:\n%s", got)
	}
	for _, p := range []string{m.Samples.Sealed, m.Samples.Received} {
		sh(t, d.bin+" verify --trust "+in(m.Anchors.TrustDir)+" "+in(p))
	}
}

// TestQuote: a printed path is one word of a shell, whatever it holds.
func TestQuote(t *testing.T) {
	for _, p := range []string{"yinxin-data/out", "a b", "it's", "样例", "$HOME", "x;y", ""} {
		if got := sh(t, "printf %s "+quote(p)); got != p {
			t.Errorf("%q became %q", p, got)
		}
	}
}
