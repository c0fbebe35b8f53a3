package app

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/emmansun/gmsm/smx509"

	"github.com/yinxin-gov/yinxin/ca"
	"github.com/yinxin-gov/yinxin/ca/ceremony"
	"github.com/yinxin-gov/yinxin/ca/status"
	"github.com/yinxin-gov/yinxin/internal/keys"
	"github.com/yinxin-gov/yinxin/internal/keys/keystest"
	"github.com/yinxin-gov/yinxin/internal/notify"
	kept "github.com/yinxin-gov/yinxin/signer/revocation"
)

// session is a room with five custodians, of whom three have to come.
func session(tb testing.TB) (Session, []Custodian) {
	tb.Helper()
	base := tb.TempDir()
	var all []Custodian
	for _, name := range []string{"样例一", "样例二", "样例三", "样例四", "样例五"} {
		dir := filepath.Join(base, name)
		ok(tb, os.Mkdir(dir, 0o700))
		all = append(all, Custodian{Name: name, File: filepath.Join(dir, "share.pem"), Passphrase: func() ([]byte, error) { return []byte("passphrase of " + name), nil }})
	}
	return Session{Dir: filepath.Join(base, "room"), Work: keystest.Work(), Place: "样例机房", Operator: "样例操作员", Witnesses: []string{"样例见证人甲", "样例见证人乙"}}, all
}

func encoded(tb testing.TB, o ceremony.Outcome, err error) []byte {
	tb.Helper()
	ok(tb, err)
	raw, err := o.Encode()
	ok(tb, err)
	return raw
}

// begun is a house that waits for its ceremony.
func begun(tb testing.TB, db string) (Config, Session, []Custodian, []byte) {
	tb.Helper()
	cfg, ln := config(tb, db)
	ok(tb, ln.Close())
	s, all := session(tb)
	made, err := MakeRoots(bg, s, cfg.Organization, cfg.site().CPS, 3, all)
	roots := encoded(tb, made, err)
	order, err := Begin(bg, cfg, roots)
	ok(tb, err)
	cfg.Settings, err = LoadSettings(cfg.Dir)
	ok(tb, err)
	return cfg, s, all, order
}

// A house founded with offline roots holds no root key, has lists of both roots,
// and gets later ones from ceremonies; every number is checked, and a ceremony
// counts once.
func TestOfflineRootFromCeremonyToNextList(t *testing.T) {
	cfg, s, all, order := begun(t, "")
	_, err := Open(bg, cfg)
	wantErr(t, err, ErrAwaiting)
	out, err := SignOrder(bg, s, order, SM3Hex(order), all[1:4])
	signed := encoded(t, out, err)
	_, err = Complete(bg, cfg, signed, three)
	ok(t, err)
	if _, err := Complete(bg, cfg, signed, three); !errors.Is(err, ErrInitialised) {
		t.Errorf("completed twice: %v", err)
	}
	verifyLinks(t, cfg.Dir)
	now := time.Now()
	cfg.Now = func() time.Time { return now }
	h, err := Open(bg, cfg)
	ok(t, err)
	for _, id := range []string{keySM2Root, keyECDSARoot} {
		if _, err := h.custody.dir.Record(bg, id); !errors.Is(err, keys.ErrNotFound) || h.custody.signer(id) != nil {
			t.Errorf("key %s is in the house: %v", id, err)
		}
	}
	root, issuing := h.anchors.sm2Root, h.anchors.sm2Issuing
	if len(issuing.OCSPServer) != 0 || len(issuing.CRLDistributionPoints) != 1 {
		t.Errorf("issuing authority names OCSP %v and lists %v", issuing.OCSPServer, issuing.CRLDistributionPoints)
	}
	der, err := kept.Request(issuing.Raw, root.Raw)
	ok(t, err)
	if a := h.CertStatus.Answer(bg, der); !bytes.Equal(a, []byte{0x30, 0x03, 0x0a, 0x01, 0x06}) { // unauthorized
		t.Errorf("answer in the name of an offline root: %x", a)
	}
	ok(t, h.CertStatus.BuildDue(bg))
	wantErr(t, h.CertStatus.Publish(bg, ca.IssuerID(root), false), status.ErrOffline)
	if list := rootList(t, h, root); list.Number.Int64() != 1 || len(list.RevokedCertificateEntries) != 0 || !list.NextUpdate.After(now.AddDate(0, 6, 0)) {
		t.Errorf("first list: %+v", list)
	}
	ends, err := dates{h}.Endings(bg, now, now, now.AddDate(0, 7, 0)) // nobody but a ceremony renews these
	ok(t, err)
	if lists := slices.DeleteFunc(ends, func(e notify.Ending) bool { return e.Kind != notify.ListEnding }); len(lists) != 2 || lists[0].At.Sub(lists[0].From) < 180*24*time.Hour {
		t.Errorf("%+v", lists)
	}
	// The SM2 issuing authority falls; its root's next list says so.
	err = h.CA.Revoke(bg, h.service(), ca.IssuerID(root), ca.FormatSerial(issuing.SerialNumber), ca.ReasonSuperseded)
	ok(t, err)
	ok(t, h.Close())
	now = now.Add(time.Hour)
	next, err := OrderLists(bg, cfg)
	ok(t, err)
	acts, sum, err := ReviewOrder(Session{Dir: s.Dir, Now: cfg.Now, Work: s.Work}, next)
	ok(t, err)
	if len(acts) != 2 || acts[0].Subject != "CRL #2, 1" || sum != SM3Hex(next) {
		t.Errorf("review: %+v", acts)
	}
	s.Now = cfg.Now
	out, err = SignOrder(bg, s, next, sum, all[2:])
	second := encoded(t, out, err)
	n, err := ImportCeremony(bg, cfg, second)
	if ok(t, err); n != 2 {
		t.Errorf("%d lists", n)
	}
	if _, err := ImportCeremony(bg, cfg, second); !errors.Is(err, ceremony.ErrRecord) {
		t.Errorf("imported twice: %v", err)
	}
	h, err = Open(bg, cfg)
	ok(t, err)
	defer func() { ok(t, h.Close()) }()
	if list := rootList(t, h, root); list.Number.Int64() != 2 || len(list.RevokedCertificateEntries) != 1 {
		t.Errorf("second list: number %s, %d entries", list.Number, len(list.RevokedCertificateEntries))
	}
}

func rootList(tb testing.TB, h *House, root *smx509.Certificate) *smx509.RevocationList {
	tb.Helper()
	row, err := h.rooms.CA.PublishedCRL(bg, ca.IssuerID(root), "", false, 0)
	ok(tb, err)
	list, err := smx509.ParseRevocationList(row.DER)
	ok(tb, err)
	ok(tb, list.CheckSignatureFrom(root))
	return list
}

// verifyLinks has OpenSSL verify each link of both chains, SM2 with its
// distinguishing id.
func verifyLinks(t *testing.T, dir string) {
	t.Helper()
	tool, err := exec.LookPath("openssl")
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("openssl is missing")
		}
		t.Log("openssl is missing: chains not verified by it")
		return
	}
	at := func(name string) string { return filepath.Join(dir, dirAnchors, name) }
	for _, args := range [][]string{
		{"-vfyopt", "distid:1234567812345678", "-CAfile", at(fileSM2Root), at(fileSM2Issuing)},
		{"-partial_chain", "-vfyopt", "distid:1234567812345678", "-trusted", at(fileSM2Issuing), at(fileLedgerCert)},
		{"-x509_strict", "-CAfile", at(fileECDSARoot), at(fileECDSAIssuing)},
	} {
		if said, err := exec.Command(tool, append([]string{"verify"}, args...)...).CombinedOutput(); err != nil {
			t.Errorf("openssl verify %s: %v\n%s", strings.Join(args, " "), err, said)
		}
	}
}

// What a ceremony must not accept, and what it then leaves alone.
func TestCeremonyRefuses(t *testing.T) {
	cfg, s, all, order := begun(t, "")
	sum := SM3Hex(order)
	strangers, theirs := session(t)
	made, err := MakeRoots(bg, strangers, cfg.Organization, cfg.site().CPS, 2, theirs)
	foreign := encoded(t, made, err)
	wrong := all[0]
	wrong.Passphrase = func() ([]byte, error) { return []byte("not the passphrase"), nil }
	early := s
	early.Now = func() time.Time { return time.Now().Add(-48 * time.Hour) }
	late := s
	late.Now = func() time.Time { return time.Now().AddDate(1, 2, 0) }
	alone := s
	alone.Witnesses = []string{"样例见证人甲"}
	same := s
	same.Witnesses = []string{s.Operator, "样例见证人乙"}
	for name, c := range map[string]struct {
		s      Session
		order  []byte
		sum    string
		shares []Custodian
		want   error
	}{
		"two of three":               {s, order, sum, all[:2], keys.ErrShares},
		"one twice":                  {s, order, sum, []Custodian{all[0], all[1], all[0]}, ErrRoom},
		"a share of another root":    {s, order, sum, []Custodian{all[0], all[1], theirs[2]}, keys.ErrShares},
		"wrong passphrase":           {s, order, sum, []Custodian{wrong, all[1], all[2]}, keys.ErrPassphrase},
		"another order than shown":   {s, order, SM3Hex([]byte("x")), all[:3], ceremony.ErrOrder},
		"order of another house":     {strangers, order, sum, theirs[:3], ceremony.ErrOrder},
		"not an order":               {s, []byte("{}"), SM3Hex([]byte("{}")), all[:3], ceremony.ErrOrder},
		"clock before the order":     {early, order, sum, all[:3], ceremony.ErrOrder},
		"list is over":               {late, order, sum, all[:3], ceremony.ErrOrder},
		"one witness":                {alone, order, sum, all[:3], ceremony.ErrRecord},
		"operator as witness":        {same, order, sum, all[:3], ceremony.ErrRecord},
		"a folder that is no room":   {Session{Dir: filepath.Dir(all[0].File)}, order, sum, all[:3], ErrRoom},
		"a room that does not exist": {Session{Dir: filepath.Join(s.Dir, "no")}, order, sum, all[:3], ErrNotInitialised},
	} {
		t.Run(name, func(t *testing.T) {
			before := files(t, s.Dir)
			_, err := SignOrder(bg, c.s, c.order, c.sum, c.shares)
			wantErr(t, err, c.want)
			if files(t, s.Dir) != before {
				t.Error("the room changed")
			}
		})
	}
	_, err = Complete(bg, cfg, foreign, three)
	wantErr(t, err, ceremony.ErrRecord)
	out, err := SignOrder(bg, s, order, sum, all[:3])
	ok(t, err)
	for name, spoil := range map[string]func(*ceremony.Outcome){
		"record changed": func(o *ceremony.Outcome) {
			o.Record = bytes.Replace(o.Record, []byte("样例机房"), []byte("样例机库"), 1)
		},
		"one root's signature": func(o *ceremony.Outcome) { o.Proof = o.Proof[:1] },
		"signatures exchanged": func(o *ceremony.Outcome) {
			o.Signatures = append([]ceremony.Signature(nil), o.Signatures...)
			o.Signatures[0].Value, o.Signatures[2].Value = o.Signatures[2].Value, o.Signatures[0].Value
		},
		"a signature missing": func(o *ceremony.Outcome) { o.Signatures = o.Signatures[1:] },
	} {
		bad := out
		spoil(&bad)
		_, err := Complete(bg, cfg, encoded(t, bad, nil), three)
		if !errors.Is(err, ceremony.ErrRecord) {
			t.Errorf("%s: %v", name, err)
		}
	}
	_, err = Complete(bg, cfg, encoded(t, out, nil), three)
	ok(t, err)
}

// Making roots fails without leaving a room or a share.
func TestMakeRootsLeavesNothing(t *testing.T) {
	for name, c := range map[string]struct {
		spoil func(*Session, []Custodian) []Custodian
		need  int
		want  error
	}{
		"weak passphrase": {func(_ *Session, all []Custodian) []Custodian {
			all[4].Passphrase = func() ([]byte, error) { return []byte("short"), nil }
			return all
		}, 3, keys.ErrWeak},
		"two shares in one folder": {func(_ *Session, all []Custodian) []Custodian {
			all[1].File = filepath.Join(filepath.Dir(all[0].File), "other.pem")
			return all
		}, 3, ErrRoom},
		"a share in the room": {func(s *Session, all []Custodian) []Custodian {
			ok(t, os.Mkdir(s.Dir, 0o700))
			all[1].File = filepath.Join(s.Dir, "share.pem")
			return all
		}, 3, ErrRoom},
		"one is enough": {func(_ *Session, all []Custodian) []Custodian { return all }, 1, keys.ErrSplit},
		"no witnesses":  {func(s *Session, all []Custodian) []Custodian { s.Witnesses = nil; return all }, 3, ceremony.ErrRecord},
	} {
		t.Run(name, func(t *testing.T) {
			s, all := session(t)
			all = c.spoil(&s, all)
			_, err := MakeRoots(bg, s, "样例区", "http://ca.gov.internal/pki/cps", c.need, all)
			wantErr(t, err, c.want)
			for _, cust := range all {
				if _, err := os.Stat(cust.File); err == nil {
					t.Errorf("share %s is left", cust.File)
				}
			}
			if left, err := os.ReadDir(s.Dir); err == nil && len(left) > 0 {
				t.Errorf("%d files are left", len(left))
			}
		})
	}
}
