package verify

import (
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/emmansun/gmsm/sm3"
)

// trustFolder is a folder with the root of a world and one statement about it.
func trustFolder(t *testing.T, w *world, name, text string) string {
	t.Helper()
	dir := t.TempDir()
	w.must(os.WriteFile(filepath.Join(dir, "root.cer"), w.root.cert.Raw, 0o600))
	w.must(os.WriteFile(filepath.Join(dir, "signer.cer"), w.signer.cert.Raw, 0o600))
	w.must(os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600))
	return dir
}

func fingerprint(der []byte) string {
	sum := sm3.Sum(der)
	return hex.EncodeToString(sum[:])
}

// A licence counts whole days in China, first and last included.
func TestAccreditation_DaysOfALicence(t *testing.T) {
	w := newWorld(t)
	entry := "- {certificate: %s, service: 样例认证中心, licence: 样例-001, url: 'https://ca.example.cn/', valid_from: %s, valid_until: %s}\n"
	id := fingerprint(w.root.cert.Raw)
	text := fmt.Sprintf(entry, id, "2020-01-01", "2024-12-31") + fmt.Sprintf(entry, id, "2025-01-01", "2029-12-31")
	json := strings.NewReplacer("%s", id).Replace(`[{"certificate":"%s","service":"s","licence":"l","url":"https://a/","valid_from":"2025-01-01","valid_until":"2029-12-31"}]`)
	if _, err := ReadTrust(trustFolder(t, w, "accreditation.json", json)); err != nil {
		t.Error(err)
	}
	got, err := ReadTrust(trustFolder(t, w, "accreditation.yaml", text))
	w.must(err)
	list := got.Licences(w.root.cert.Raw)
	if len(list) != 2 || len(got.Licences(w.signer.cert.Raw)) != 0 || len(got.Anchors()) != 2 {
		t.Fatalf("%+v", list)
	}
	for at, want := range map[string]bool{
		"2024-12-31T15:59:59Z": false, "2024-12-31T16:00:00Z": true, "2029-12-31T15:59:59Z": true, "2029-12-31T16:00:00Z": false,
	} {
		when, err := time.Parse(time.RFC3339, at)
		w.must(err)
		if list[1].At(when) != want {
			t.Errorf("%s: %t", at, !want)
		}
	}
	if internal, err := ReadTrust(trustFolder(t, w, "accreditation.yaml", "- {certificate: "+id+", internal: true}")); err != nil || internal.Licences(w.root.cert.Raw)[0].At(signed) {
		t.Errorf("internal: %v", err)
	}
}

// What nobody can rely on is refused, and the message says where.
func TestAccreditation_Refusals(t *testing.T) {
	w := newWorld(t)
	root, leaf := fingerprint(w.root.cert.Raw), fingerprint(w.signer.cert.Raw)
	good := "service: s, licence: l, url: 'https://a/', valid_from: 2025-01-01, valid_until: 2029-12-31"
	for name, tc := range map[string]struct{ text, want string }{
		"unknown field":    {"- {certificate: " + root + ", " + good + ", rank: first}", "rank"},
		"no anchor":        {"- {certificate: " + strings.Repeat("0", 64) + ", " + good + "}", "no anchor"},
		"no certificate":   {"- {" + good + "}", "no anchor"},
		"a signer":         {"- {certificate: " + leaf + ", " + good + "}", "not the certificate of an authority"},
		"no such day":      {"- {certificate: " + root + ", " + strings.Replace(good, "2029-12-31", "2029-02-30", 1) + "}", "valid_until"},
		"backwards":        {"- {certificate: " + root + ", " + strings.Replace(good, "2029", "2019", 1) + "}", "ends before"},
		"no date":          {"- {certificate: " + root + ", service: s, licence: l, url: 'https://a/'}", "valid_from"},
		"no licence":       {"- {certificate: " + root + ", " + strings.Replace(good, "licence: l", "licence: ''", 1) + "}", "licence"},
		"script as url":    {"- {certificate: " + root + ", " + strings.Replace(good, "https://a/", "javascript:alert(1)", 1) + "}", "web address"},
		"internal licence": {"- {certificate: " + root + ", internal: true, " + good + "}", "internal"},
		"overlap":          {strings.Repeat("- {certificate: "+root+", "+good+"}\n", 2), "entry 2"},
		"two lists":        {"- {certificate: " + root + ", " + good + "}\n---\n[]", "more than one"},
		"no list":          {"certificate: " + root, "accreditation"},
		"too large":        {strings.Repeat("#", maxAccreditation+1), "too large"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := ReadTrust(trustFolder(t, w, "accreditation.yaml", tc.text))
			if !errors.Is(err, ErrAccreditation) || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("%v, want %q", err, tc.want)
			}
		})
	}
	dir := trustFolder(t, w, "accreditation.yaml", "[]")
	w.must(os.WriteFile(filepath.Join(dir, "accreditation.json"), []byte("[]"), 0o600))
	if _, err := ReadTrust(dir); !errors.Is(err, ErrAccreditation) {
		t.Errorf("two files: %v", err)
	}
}

// 电子签名法 art. 13 (3): the self-test stands only where a value holds, and a
// verifier that accepted a flipped value would make the signature invalid.
func TestSelfTest(t *testing.T) {
	w := newWorld(t)
	for name, data := range map[string][]byte{
		"V4": w.put(w.notice(), false), "V1": newVendor(w).asV1().document(nil),
		"35275": message{w: w}.document(nil), "35275 a": message{w: w, plain: true}.document(nil),
	} {
		opt := w.options(nil)
		opt.SelfTest = true
		rep, err := Document(t.Context(), data, opt)
		w.must(err)
		s := rep.Signatures[0]
		if rep.Verdict != Valid || result(s, CheckSelfTest) != Pass {
			t.Error(name, dump(rep))
		}
		if m := s.Material; m == nil || len(m.Value) == 0 || len(m.Signer) == 0 || string(m.Anchor(CheckChain)) != string(w.root.cert.Raw) {
			t.Errorf("%s: material %+v", name, m)
		}
		broken := edit(t, data, "Doc_0/Signs/Sign_0/SignedValue.dat", flip)
		if rep, err = Document(t.Context(), broken, opt); err != nil || result(rep.Signatures[0], CheckSelfTest) != Skipped {
			t.Error(name, err, dump(rep))
		}
	}
	if s := w.judge(w.put(w.notice(), false)).Signatures[0]; result(s, CheckSelfTest) != "" {
		t.Error("a self-test that nobody asked for")
	}
	held := pass(CheckValue, "", "")
	if o := checkSelfTest([]outcome{held}, func() outcome { return held }); o.Reason != ReasonSelfTest || o.effect != effInvalid {
		t.Errorf("a verifier that accepts everything: %+v", o)
	}
}

// FuzzAccreditation: any file is read or refused; what is read is complete.
func FuzzAccreditation(f *testing.F) {
	w := newWorld(f)
	id := fingerprint(w.root.cert.Raw)
	f.Add([]byte("- {certificate: " + id + ", internal: true}"))
	f.Add([]byte("- {certificate: " + id + ", service: s, licence: l, url: 'https://a/', valid_from: 2025-01-01, valid_until: 2029-12-31}"))
	f.Add([]byte(`[{"certificate":"` + id + `"}]`))
	f.Add([]byte("a: &a [*a]"))
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, raw []byte) {
		if err := os.WriteFile(filepath.Join(dir, "accreditation.yaml"), raw, 0o600); err != nil {
			t.Fatal(err)
		}
		trust := NewTrust(w.root.cert.Raw)
		if err := trust.readAccreditation(dir); err != nil {
			return
		}
		for _, l := range trust.Licences(w.root.cert.Raw) {
			if !l.Internal && (l.check() != nil || l.Licence == "") {
				t.Errorf("%+v", l)
			}
		}
	})
}
