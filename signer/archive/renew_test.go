package archive_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/emmansun/gmsm/smx509"

	"github.com/yinxin-gov/yinxin/signer/archive"
	"github.com/yinxin-gov/yinxin/signer/revocation"
	"github.com/yinxin-gov/yinxin/signer/verify"
)

func years(n int) time.Time { return start.AddDate(n, 0, 0) }

// renew puts the next token on a package, at the time of the world.
func (w *world) renew(file string, by *service, change func(*archive.Renewing)) archive.Report {
	w.t.Helper()
	cfg := archive.Renewing{Trust: w.trust(), Status: w.list(nil), Stamper: by, Now: w.clock}
	if change != nil {
		change(&cfg)
	}
	rep, err := archive.Renew(bg, cfg, file)
	must(w.t, err)
	return rep
}

// X11-12, DA/T 97-2023: twenty years later every certificate of the day has ended,
// and the package with its renewals has the same result. What the service of one
// token was is kept by the next.
func TestX11_12_TwentyYearsLater(t *testing.T) {
	w := newWorld(t)
	file := w.pack(w.config(w.service(true, start, years(5))), w.job())
	for i, gm := range []bool{false, true, false, true} { // every other one of the other algorithm
		w.now = years(5*(i+1) - 1)
		rep := w.renew(file, w.service(gm, w.now.AddDate(-1, 0, 0), years(5*(i+2))), nil)
		if rep.Verdict != verify.Valid || rep.Renewals != i+1 || rep.ArchivedAt != filed.Format(time.RFC3339) || rep.RenewBy != years(5*(i+2)).Format(time.RFC3339) {
			t.Fatalf("renewal %d: %s %+v\n%s", i+1, rep.Verdict, rep.RenewBy, bad(rep))
		}
	}
	w.now = years(21)
	data := read(t, file)
	if rep := w.check(data, nil); rep.Verdict != verify.Valid || rep.Verified.Verdict != verify.Valid {
		t.Fatalf("%s\n%s", rep.Verdict, bad(rep))
	}
	// Only the renewals carry it: without the last one it had ended.
	list := entries(t, data)
	kept := list[:0]
	for _, e := range list {
		if filepath.Dir(e.name) != "renewals/0004" && filepath.Dir(filepath.Dir(e.name)) != "renewals/0004" {
			kept = append(kept, e)
		}
	}
	if rep := w.check(rezip(t, kept), nil); rep.Verdict != verify.Indeterminate || !rep.Is(archive.CheckProtection, verify.CannotTell, archive.ReasonOverdue) || rep.ArchivedAt != "" {
		t.Errorf("without the last renewal: %s\n%s", rep.Verdict, bad(rep))
	}
}

// A window that was missed is found, and a later renewal does not heal it.
func TestMissedRenewal(t *testing.T) {
	w := newWorld(t)
	file := w.pack(w.config(w.service(true, start, years(5))), w.job())
	w.now = years(6)
	if rep := w.check(read(t, file), nil); rep.Verdict != verify.Indeterminate || !rep.Is(archive.CheckProtection, verify.CannotTell, archive.ReasonOverdue) {
		t.Errorf("%s\n%s", rep.Verdict, bad(rep))
	}
	rep := w.renew(file, w.service(true, years(5), years(10)), nil)
	if rep.Verdict != verify.Indeterminate || !rep.Is(archive.CheckProtection, verify.CannotTell, archive.ReasonGap) {
		t.Errorf("%s\n%s", rep.Verdict, bad(rep))
	}
}

// An algorithm that an archive declares ended needs a token of another one before
// that day.
func TestRetiredAlgorithm(t *testing.T) {
	w := newWorld(t)
	sm := w.service(true, start, years(10))
	retired := archive.Retired{"sm2": years(3)}
	file := w.pack(w.config(sm), w.job())
	end := func() time.Time {
		t.Helper()
		data := read(t, file)
		at, err := archive.Until(bg, bytes.NewReader(data), int64(len(data)), archive.Options{Trust: w.trust(), Now: w.clock, Retired: retired})
		must(t, err)
		return at
	}
	if at := end(); !at.Equal(years(3)) || archive.Due(at, years(2)) || !archive.Due(at, years(3).AddDate(0, -3, 0)) {
		t.Errorf("ends %v", at)
	}
	w.now = years(2)
	// The anchor is an SM2 key, and so ends with the others: an ECDSA anchor is needed too.
	root := w.root
	w.root = w.issue(nil, false, func(c *smx509.Certificate) {
		c.IsCA, c.BasicConstraintsValid, c.KeyUsage, c.NotAfter = true, true, smx509.KeyUsageCertSign|smx509.KeyUsageCRLSign, years(60)
	})
	ec := w.service(false, start, years(10))
	both := verify.NewTrust(root.cert.Raw, w.root.cert.Raw)
	_, err := archive.Renew(bg, archive.Renewing{Trust: both, Stamper: ec, Now: w.clock, Retired: retired}, file)
	must(t, err)
	w.now = years(4)
	judge := func(r archive.Retired) archive.Report {
		return w.check(read(t, file), func(o *archive.Options) { o.Trust, o.Retired = both, r })
	}
	if rep := judge(retired); rep.Verdict != verify.Valid || rep.RenewBy != years(10).Format(time.RFC3339) {
		t.Errorf("%s %s\n%s", rep.Verdict, rep.RenewBy, bad(rep))
	}
	if rep := judge(archive.Retired{"sm3": years(1)}); !rep.Is(archive.CheckProtection, verify.CannotTell, archive.ReasonGap) {
		t.Errorf("%s\n%s", rep.Verdict, bad(rep))
	}
}

// The service of a token may be revoked once the next token covers it, and not
// before; the renewal keeps what was known that day.
func TestRevokedService(t *testing.T) {
	w := newWorld(t)
	first, second := w.service(true, start, years(5)), w.service(true, years(3), years(8))
	file := w.pack(w.config(first), w.job())
	before := read(t, file)
	w.now = years(4)
	w.renew(file, second, nil)
	w.now = years(6)
	with := func(data []byte, s *revocation.Set) archive.Report {
		return w.check(data, func(o *archive.Options) { o.Status = s })
	}
	gone := func(c *smx509.Certificate, at time.Time) *revocation.Set {
		return w.list(map[*smx509.Certificate]time.Time{c: at})
	}
	if rep := with(read(t, file), gone(first.h.cert, years(5))); rep.Verdict != verify.Valid {
		t.Errorf("after the renewal: %s\n%s", rep.Verdict, bad(rep))
	}
	if rep := with(read(t, file), gone(first.h.cert, years(2))); rep.Verdict != verify.Indeterminate || !rep.Is(archive.CheckProtection, verify.CannotTell, archive.ReasonRevokedLater) {
		t.Errorf("before the renewal: %s\n%s", rep.Verdict, bad(rep))
	}
	if rep := with(read(t, file), gone(first.h.cert, start)); rep.Verdict != verify.Invalid {
		t.Errorf("before the token: %s\n%s", rep.Verdict, bad(rep))
	}
	w.now = years(3)
	if rep := with(before, gone(first.h.cert, years(2))); rep.Verdict != verify.Indeterminate {
		t.Errorf("not renewed: %s\n%s", rep.Verdict, bad(rep))
	}
	// What a renewal kept speaks without any fresh data.
	w.now = years(4)
	other := filepath.Join(t.TempDir(), "b.zip")
	must(t, os.WriteFile(other, before, 0o600))
	rep := w.renew(other, second, func(r *archive.Renewing) { r.Status = gone(first.h.cert, years(2)) })
	if rep.Verdict != verify.Indeterminate {
		t.Errorf("renewed too late: %s", rep.Verdict)
	}
	if rep := w.check(read(t, other), nil); !rep.Is(archive.CheckProtection, verify.CannotTell, archive.ReasonRevokedLater) {
		t.Errorf("%s\n%s", rep.Verdict, bad(rep))
	}
}

// Renewing never makes a bad package better, and a failure leaves it as it was.
func TestRenewalsThatAreRefused(t *testing.T) {
	w := newWorld(t)
	file := w.pack(w.config(w.service(true, start, years(5))), w.job())
	good := read(t, file)
	must(t, os.WriteFile(file, change(t, good, "metadata.json", func(b []byte) []byte { return append(b, ' ') }), 0o600))
	if _, err := archive.Renew(bg, archive.Renewing{Trust: w.trust(), Stamper: w.service(true, start, years(5)), Now: w.clock}, file); !errors.Is(err, archive.ErrInvalid) {
		t.Errorf("tampered: %v", err)
	}
	must(t, os.WriteFile(file, good, 0o600))
	ended := w.service(true, years(-2), years(-1))
	if _, err := archive.Renew(bg, archive.Renewing{Trust: w.trust(), Stamper: ended, Now: w.clock}, file); !errors.Is(err, archive.ErrStamp) {
		t.Errorf("ended service: %v", err)
	}
	// A clock that stands before the last token gives no later one.
	w.now = filed.Add(-time.Minute)
	if _, err := archive.Renew(bg, archive.Renewing{Trust: w.trust(), Stamper: w.service(true, start, years(5)), Now: w.clock}, file); !errors.Is(err, archive.ErrInvalid) {
		t.Errorf("earlier: %v", err)
	}
	if !bytes.Equal(read(t, file), good) {
		t.Error("the package was changed")
	}
	if left, _ := filepath.Glob(filepath.Join(filepath.Dir(file), ".*")); len(left) > 0 {
		t.Errorf("left over: %v", left)
	}
}
