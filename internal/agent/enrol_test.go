package agent

import (
	"encoding/json"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/emmansun/gmsm/smx509"

	"github.com/yinxin-gov/yinxin/internal/api/wire"
)

func enrolled(t *testing.T, h *house) (*Agent, string) {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "civil-a")
	a, err := Enrol(t.Context(), h.config(dir), token)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(a.Close)
	return a, dir
}

func names(t *testing.T, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, e := range entries {
		out = append(out, e.Name())
	}
	return out
}

func TestEnrol_SixFiles(t *testing.T) {
	h := newHouse(t)
	a, dir := enrolled(t, h)
	if a.System() != "civil-a" {
		t.Errorf("system %q", a.System())
	}
	for _, name := range allFiles() {
		info, err := os.Stat(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		want := os.FileMode(0o644)
		if strings.HasSuffix(name, ".key") {
			want = 0o600
		}
		if info.Mode().Perm() != want {
			t.Errorf("%s has mode %v, want %v", name, info.Mode().Perm(), want)
		}
		if to, err := os.Readlink(filepath.Join(dir, name)); err != nil || to != filepath.Join("live", name) {
			t.Errorf("%s leads to %q, %v", name, to, err)
		}
	}
	if got := names(t, dir); !slices.Equal(got, slices.Sorted(slices.Values(append(allFiles(), ".lock", "house", "live", "sets")))) {
		t.Errorf("the folder holds %v", got)
	}
	if got := names(t, filepath.Join(dir, "live")); !slices.Equal(got, slices.Sorted(slices.Values(allFiles()))) {
		t.Errorf("the set holds %v", got)
	}
	if info, err := os.Stat(dir); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("folder %v, %v", info.Mode(), err)
	}
	if _, err := Enrol(t.Context(), h.config(dir), token); !errors.Is(err, ErrEnrolled) {
		t.Errorf("a second time: %v", err)
	}
}

// Whatever goes wrong, no file is left behind and no error shows the token.
func TestEnrol_RefusedLeavesNothing(t *testing.T) {
	other := newHouse(t)
	for name, tc := range map[string]struct {
		set  func(h *house, cfg *Config)
		want error
	}{
		"token unknown": {func(h *house, _ *Config) {
			h.problem = func(w http.ResponseWriter) bool { h.refuse(w, http.StatusForbidden, "enrol.token"); return true }
		}, ErrRefused},
		"server of another house": {func(_ *house, c *Config) { c.TLSRoot = other.tlsRoot() }, ErrServer},
		"plain http":              {func(_ *house, c *Config) { c.URL = strings.Replace(c.URL, "https", "http", 1) }, ErrConfig},
		"no root":                 {func(_ *house, c *Config) { c.SM2Root = nil }, ErrConfig},
		"SM2 root of another house": {func(_ *house, c *Config) {
			c.SM2Root, _ = smx509.ParseCertificate(other.sm2Root.der)
		}, ErrEnvelope},
		"token of another system": {func(_ *house, c *Config) { c.System = "civil-b" }, ErrEnvelope},
		"certificate for another key": {func(h *house, _ *Config) {
			h.bend = func(a *wire.EnrolAnswer) { a.SignCert = a.EncCert }
		}, ErrEnvelope},
		"encryption key damaged": {func(h *house, _ *Config) {
			h.bend = func(a *wire.EnrolAnswer) { a.EnvelopedKey[len(a.EnvelopedKey)-3] ^= 1 }
		}, ErrEnvelope},
		"encryption key missing": {func(h *house, _ *Config) { h.bend = func(a *wire.EnrolAnswer) { a.EnvelopedKey = nil } }, ErrEnvelope},
		"endless chain": {func(h *house, _ *Config) {
			h.bend = func(a *wire.EnrolAnswer) { a.Chain = make([][]byte, 9) }
		}, ErrEnvelope},
		"one-time token to plain http": {func(h *house, _ *Config) {
			h.bend = func(a *wire.EnrolAnswer) { a.SignURL = strings.Replace(a.SignURL, "https", "http", 1) }
		}, ErrEnvelope},
		"ECDSA track refused": {func(h *house, _ *Config) {
			h.sign = func(w http.ResponseWriter, _ *http.Request) bool {
				h.refuse(w, http.StatusUnauthorized, "ott")
				return true
			}
		}, ErrRefused},
		"TLS certificate for another key": {func(h *house, _ *Config) {
			h.sign = func(w http.ResponseWriter, _ *http.Request) bool {
				h.answer(w, map[string]string{"crt": certPEM(h.ecdsa(&h.ecMid, "civil-a", false, nil).der), "ca": certPEM(h.ecMid.der)})
				return true
			}
		}, ErrEnvelope},
		"redirected": {func(h *house, _ *Config) {
			h.problem = func(w http.ResponseWriter) bool {
				w.Header().Set("Location", other.server.URL)
				w.WriteHeader(http.StatusTemporaryRedirect)
				return true
			}
		}, ErrRefused},
		"server away": {func(h *house, _ *Config) { h.server.Close() }, ErrServer},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHouse(t)
			dir := filepath.Join(t.TempDir(), "new")
			cfg := h.config(dir)
			tc.set(h, &cfg)
			a, err := Enrol(t.Context(), cfg, token)
			if a != nil || !errors.Is(err, tc.want) {
				t.Errorf("got %v, want %v", err, tc.want)
			}
			if err != nil && strings.Contains(err.Error(), token) {
				t.Errorf("the error shows the token: %v", err)
			}
			if left, _ := filepath.Glob(filepath.Join(dir, "*")); len(left) > 0 {
				t.Errorf("left behind: %v", left)
			}
			if _, err := os.Stat(dir); !errors.Is(err, os.ErrNotExist) {
				t.Errorf("the folder was left: %v", err)
			}
		})
	}
}

func TestEnrol_FolderNotWritable(t *testing.T) {
	h := newHouse(t)
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Enrol(t.Context(), h.config(filepath.Join(file, "sub")), token); !errors.Is(err, ErrFiles) {
		t.Errorf("got %v", err)
	}
	if h.enrolled != nil {
		t.Error("the token was spent for nothing")
	}
}

func TestOpen_Refuses(t *testing.T) {
	for name, tc := range map[string]struct {
		spoil func(dir string) error
		want  error
	}{
		"TLS key others can read":  {func(d string) error { return os.Chmod(filepath.Join(d, "live", FileTLSKey), 0o644) }, ErrFiles},
		"sign key others can read": {func(d string) error { return os.Chmod(filepath.Join(d, "live", FileSignKey), 0o644) }, ErrFiles},
		"enc key a group can read": {func(d string) error { return os.Chmod(filepath.Join(d, "live", FileEncKey), 0o640) }, ErrFiles},
		"a key is missing":         {func(d string) error { return os.Remove(filepath.Join(d, "live", FileEncKey)) }, ErrFiles},
		"keys swapped": {func(d string) error {
			return os.Rename(filepath.Join(d, "live", FileEncKey), filepath.Join(d, "live", FileSignKey))
		}, ErrFiles},
		"certificate is no PEM":     {func(d string) error { return os.WriteFile(filepath.Join(d, "live", FileSignCert), []byte("x"), 0o644) }, ErrFiles},
		"TLS certificate is no PEM": {func(d string) error { return os.WriteFile(filepath.Join(d, "live", FileTLSCert), []byte("x"), 0o644) }, ErrFiles},
		"key of many megabytes":     {func(d string) error { return os.Truncate(filepath.Join(d, "live", FileSignKey), 64<<20) }, ErrFiles},
		"a folder for a key": {func(d string) error {
			return errors.Join(os.Remove(filepath.Join(d, "live", FileEncKey)), os.Mkdir(filepath.Join(d, "live", FileEncKey), 0o700))
		}, ErrFiles},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHouse(t)
			_, dir := enrolled(t, h)
			if err := tc.spoil(dir); err != nil {
				t.Fatal(err)
			}
			if a, err := Open(h.config(dir)); a != nil || !errors.Is(err, tc.want) {
				t.Errorf("got %v, want %v", err, tc.want)
			}
		})
	}
	t.Run("another system's folder", func(t *testing.T) {
		h := newHouse(t)
		_, dir := enrolled(t, h)
		cfg := h.config(dir)
		cfg.System = "civil-b"
		if _, err := Open(cfg); !errors.Is(err, ErrFiles) {
			t.Errorf("got %v", err)
		}
	})
}

// The code of a problem is the JSON field `code`; status and title are what was
// answered, whatever the body says.
func TestProblemError(t *testing.T) {
	h := newHouse(t)
	a, _ := enrolled(t, h)
	body := ""
	h.problem = func(w http.ResponseWriter) bool {
		w.WriteHeader(http.StatusForbidden)
		_, _ = w.Write([]byte(body))
		return true
	}
	good, err := json.Marshal(wire.Problem{Status: 200, Code: "decision.denied", Detail: "refused by the decision point", Reasons: []wire.Reason{{Code: "E12_target_system"}}})
	if err != nil {
		t.Fatal(err)
	}
	for b, want := range map[string]string{string(good): "decision.denied", "<html>": "http", "": "http", `{"code":5}`: "http"} {
		body = b
		_, err := a.Send(t.Context(), wire.SendRequest{})
		var p *ProblemError
		if !errors.As(err, &p) || !errors.Is(err, ErrRefused) || p.Code != want || p.Status != http.StatusForbidden || p.Title != "Forbidden" {
			t.Errorf("%q: %+v", b, err)
		}
		if want == "decision.denied" && (len(p.Reasons) != 1 || !strings.Contains(err.Error(), want)) {
			t.Errorf("%q: %+v", b, p)
		}
	}
	body = `{"code":"x","detail":"` + strings.Repeat("y", 1<<16) + `"}`
	if _, err := a.Inbox(t.Context()); len(err.Error()) > 1000 {
		t.Errorf("an error of %d bytes", len(err.Error()))
	}
}
