package agent

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/emmansun/gmsm/sm3"

	"github.com/yinxin-gov/yinxin/internal/api/wire"
)

func fingerprints(der []byte) (sha, sm string) {
	a, b := sha256.Sum256(der), sm3.Sum(der)
	return hex.EncodeToString(a[:]), hex.EncodeToString(b[:])
}

func colons(s string) string {
	var parts []string
	for i := 0; i < len(s); i += 2 {
		parts = append(parts, strings.ToUpper(s[i:i+2]))
	}
	return strings.Join(parts, ":")
}

// once makes the token good once, as the house does.
func (h *house) once() *int {
	n := new(int)
	h.bend = func(*wire.EnrolAnswer) { *n++ }
	return n
}

// Between the tracks the house goes away: the same token takes it up.
func TestEnrol_ResumesBetweenTheTracks(t *testing.T) {
	h := newHouse(t)
	spent := h.once()
	dir := filepath.Join(t.TempDir(), "civil-a")
	h.sign = func(http.ResponseWriter, *http.Request) bool { panic(http.ErrAbortHandler) }
	if _, err := Enrol(t.Context(), h.config(dir), token); !errors.Is(err, ErrServer) {
		t.Fatalf("%v", err)
	}
	for _, name := range append(allFiles(), nameLive) {
		if _, err := os.Stat(filepath.Join(dir, name)); err == nil {
			t.Errorf("half an enrolment left %s", name)
		}
	}
	raw, err := os.ReadFile(filepath.Join(dir, fileEnrolment))
	if err != nil || strings.Contains(string(raw), token) {
		t.Errorf("the token is on the disk, or nothing is: %v", err)
	}
	if info, err := os.Stat(filepath.Join(dir, fileEnrolment)); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	h.sign = nil
	a, err := Enrol(t.Context(), h.config(dir), token)
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	if *spent != 1 {
		t.Errorf("the token was sent %d times", *spent)
	}
	if !a.m.sign.PublicKey.Equal(h.enrolled) {
		t.Error("another signing key than the one that enrolled")
	}
	for _, name := range []string{fileEnrolment, ".reserve"} {
		if _, err := os.Stat(filepath.Join(dir, name)); err == nil {
			t.Errorf("%s is left", name)
		}
	}
}

// Killed after the second track: everything is on the disk but the set.
func TestEnrol_ResumesAfterBothTracks(t *testing.T) {
	h := newHouse(t)
	spent := h.once()
	dir := filepath.Join(t.TempDir(), "civil-a")
	// What stands in the way of the set appears while the house signs: a write
	// that fails, as on a full disk.
	block := filepath.Join(dir, dirHouse)
	h.sign = func(http.ResponseWriter, *http.Request) bool {
		h.must(os.WriteFile(block, nil, 0o600))
		return false
	}
	if _, err := Enrol(t.Context(), h.config(dir), token); !errors.Is(err, ErrFiles) {
		t.Fatalf("%v", err)
	}
	if _, err := liveSet(dir); err == nil {
		t.Error("a set is in force")
	}
	h.must(os.Remove(block))
	signed := 0
	h.sign = func(http.ResponseWriter, *http.Request) bool { signed++; return false }
	a, err := Enrol(t.Context(), h.config(dir), token)
	if err != nil {
		t.Fatal(err)
	}
	a.Close()
	if *spent != 1 || signed != 0 {
		t.Errorf("token sent %d times, one-time token %d times again", *spent, signed)
	}
}

// The five minutes of the one-time token are over: the house gives another, for
// the same pair.
func TestEnrol_ResumesWithAFreshOneTimeToken(t *testing.T) {
	h := newHouse(t)
	dir := filepath.Join(t.TempDir(), "civil-a")
	h.sign = func(http.ResponseWriter, *http.Request) bool { panic(http.ErrAbortHandler) }
	if _, err := Enrol(t.Context(), h.config(dir), token); !errors.Is(err, ErrServer) {
		t.Fatalf("%v", err)
	}
	var shown []string
	h.sign = func(w http.ResponseWriter, r *http.Request) bool {
		raw, err := io.ReadAll(r.Body)
		h.must(err)
		r.Body = io.NopCloser(bytes.NewReader(raw))
		var in map[string]string
		h.must(json.Unmarshal(raw, &in))
		if shown = append(shown, in["ott"]); in["ott"] == "ott-1" {
			h.refuse(w, http.StatusUnauthorized, "ott")
			return true
		}
		return false
	}
	a, err := Enrol(t.Context(), h.config(dir), token)
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	if !slices.Equal(shown, []string{"ott-1", "ott-2"}) || !a.m.sign.PublicKey.Equal(h.enrolled) {
		t.Errorf("%q", shown)
	}
}

// The hour is over too: it says that a new token is needed, and a new token works.
func TestEnrol_TooLateToResume(t *testing.T) {
	h := newHouse(t)
	dir := filepath.Join(t.TempDir(), "civil-a")
	h.sign = func(http.ResponseWriter, *http.Request) bool { panic(http.ErrAbortHandler) }
	if _, err := Enrol(t.Context(), h.config(dir), token+"-old"); !errors.Is(err, ErrRefused) {
		t.Fatalf("%v", err)
	}
	if _, err := Enrol(t.Context(), h.config(dir), token); !errors.Is(err, ErrServer) {
		t.Fatalf("%v", err)
	}
	h.sign = func(w http.ResponseWriter, _ *http.Request) bool {
		h.refuse(w, http.StatusUnauthorized, "ott")
		return true
	}
	h.enrolment.csr = nil // the house forgets what was asked with
	if _, err := Enrol(t.Context(), h.config(dir), token); !errors.Is(err, ErrHalf) {
		t.Fatalf("%v", err)
	}
	h.sign, h.enrolment = nil, nil
	p, err := readPending(dir, fileEnrolment)
	h.must(err)
	p.Token = "another" // as if the officer had approved anew
	h.must(p.save(dir, fileEnrolment))
	a, err := Enrol(t.Context(), h.config(dir), token)
	if err != nil {
		t.Fatal(err)
	}
	a.Close()
}

// A page in place of the answer, or none: what was sent may have been taken.
func TestEnrol_TheAnswerIsLost(t *testing.T) {
	for name, lose := range map[string]func(w http.ResponseWriter) bool{
		"cut off":  func(http.ResponseWriter) bool { panic(http.ErrAbortHandler) },
		"not JSON": func(w http.ResponseWriter) bool { _, _ = w.Write([]byte("<html>")); return true },
		"busy": func(w http.ResponseWriter) bool {
			w.WriteHeader(http.StatusServiceUnavailable)
			return true
		},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHouse(t)
			dir := filepath.Join(t.TempDir(), "civil-a")
			var sent []byte
			h.problem = lose
			if _, err := Enrol(t.Context(), h.config(dir), token); err == nil {
				t.Fatal("enrolled by nothing")
			}
			p, err := readPending(dir, fileEnrolment)
			if sent = p.CSR; err != nil || len(sent) == 0 {
				t.Fatalf("the request is not on the disk: %v", err)
			}
			// Another refusal on the way is not the end either.
			h.problem = func(w http.ResponseWriter) bool { h.refuse(w, http.StatusForbidden, "system.stopped"); return true }
			if _, err := Enrol(t.Context(), h.config(dir), token); !errors.Is(err, ErrRefused) {
				t.Fatal(err)
			}
			h.problem = nil
			a, err := Enrol(t.Context(), h.config(dir), token)
			if err != nil {
				t.Fatal(err)
			}
			a.Close()
			if !bytes.Equal(h.enrolment.csr, sent) {
				t.Error("another request was sent")
			}
		})
	}
}

// Another token begins anew: what is under way may be of another system.
func TestEnrol_AnotherTokenDoesNotResume(t *testing.T) {
	h := newHouse(t)
	dir := filepath.Join(t.TempDir(), "civil-a")
	h.sign = func(http.ResponseWriter, *http.Request) bool { panic(http.ErrAbortHandler) }
	if _, err := Enrol(t.Context(), h.config(dir), token); !errors.Is(err, ErrServer) {
		t.Fatalf("%v", err)
	}
	h.sign = nil
	if _, err := Enrol(t.Context(), h.config(dir), token+"x"); !errors.Is(err, ErrRefused) {
		t.Errorf("an unknown token was taken for the known one: %v", err)
	}
}

// Files of somebody else are never touched, and the token is kept.
func TestEnrol_ForeignFiles(t *testing.T) {
	for name, want := range map[string]error{FileTLSKey: ErrEnrolled, nameLive: ErrEnrolled, dirSets: ErrFiles, "notes.txt": nil} {
		t.Run(name, func(t *testing.T) {
			h := newHouse(t)
			spent := h.once()
			dir := t.TempDir()
			foreign := filepath.Join(dir, name)
			if err := os.WriteFile(foreign, []byte("mine"), 0o600); err != nil {
				t.Fatal(err)
			}
			a, err := Enrol(t.Context(), h.config(dir), token)
			if !errors.Is(err, want) || want == nil && err != nil {
				t.Fatalf("%v, want %v", err, want)
			}
			if a != nil {
				a.Close()
			} else if *spent != 0 {
				t.Error("the token was spent")
			}
			if raw, err := os.ReadFile(foreign); err != nil || string(raw) != "mine" {
				t.Errorf("%q, %v", raw, err)
			}
		})
	}
}

// live must not lead out of the folder.
func TestOpen_LiveLeadsOut(t *testing.T) {
	h := newHouse(t)
	_, dir := enrolled(t, h)
	if err := os.CopyFS(filepath.Join(dir, "sets", "other"), os.DirFS(setPath(dir, "000001"))); err != nil {
		t.Fatal(err)
	}
	h.must(os.Chmod(filepath.Join(dir, "sets", "other", FileTLSKey), 0o600))
	h.must(os.Chmod(filepath.Join(dir, "sets", "other", FileSignKey), 0o600))
	h.must(os.Chmod(filepath.Join(dir, "sets", "other", FileEncKey), 0o600))
	for _, to := range []string{"sets/other", "/etc", "sets", "sets/../sets/000001", "sets/1", "../civil-a/sets/000001"} {
		if err := link(dir, nameLive, to); err != nil {
			t.Fatal(err)
		}
		if _, err := Open(h.config(dir)); !errors.Is(err, ErrFiles) {
			t.Errorf("%s: %v", to, err)
		}
	}
}

// The served files go to a group, the key readable by it; nothing else does.
func TestEnrol_ServedByGroup(t *testing.T) {
	h := newHouse(t)
	dir := filepath.Join(t.TempDir(), "civil-a")
	cfg := h.config(dir)
	cfg.Owner = &Owner{UID: -1, GID: os.Getgid()}
	a, err := Enrol(t.Context(), cfg, token)
	if err != nil {
		t.Fatal(err)
	}
	if err := a.Renew(t.Context(), TrackTLS, false); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]os.FileMode{FileTLSKey: 0o640, FileSignKey: 0o600, FileEncKey: 0o600, "sets": 0o711, ".": 0o711, "live/.": 0o711, "house": 0o711, "house/house.json": 0o600, "house/ecdsa-root.crt": 0o644} {
		if info, err := os.Stat(filepath.Join(dir, name)); err != nil || info.Mode().Perm() != want {
			t.Errorf("%s: %v, %v, want %v", name, info.Mode().Perm(), err, want)
		}
	}
	if _, err := Open(h.config(dir)); !errors.Is(err, ErrFiles) { // who does not know of it refuses it
		t.Errorf("%v", err)
	}
	kept, err := Load(dir)
	if err != nil || kept.Owner == nil || *kept.Owner != *cfg.Owner || kept.URL != cfg.URL || !kept.TLSRoot.Equal(cfg.TLSRoot) {
		t.Errorf("%+v, %v", kept, err)
	}
	b, err := Open(kept)
	if err != nil {
		t.Fatal(err)
	}
	b.Close()
}
