package app

import (
	"context"
	"crypto/rand"
	"crypto/x509/pkix"
	"errors"
	"math/big"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/emmansun/gmsm/sm2"
	"github.com/emmansun/gmsm/smx509"

	"github.com/yinxin-gov/yinxin/ca"
	"github.com/yinxin-gov/yinxin/ca/kmc"
	"github.com/yinxin-gov/yinxin/signer/verify"
)

// inquiry is an authority or a person of the investigators.
type inquiry struct {
	t    *testing.T
	key  *sm2.PrivateKey
	cert *smx509.Certificate
}

func (b *inquiry) signs(name string, authority bool, from, until time.Time) *inquiry {
	b.t.Helper()
	out := &inquiry{t: b.t, key: newSM2(b.t)}
	serial, err := ca.NewSerial(rand.Reader)
	ok(b.t, err)
	tpl := &smx509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: name}, NotBefore: from, NotAfter: until, BasicConstraintsValid: true, IsCA: authority,
		KeyUsage: smx509.KeyUsageDigitalSignature | smx509.KeyUsageKeyEncipherment,
	}
	if authority {
		tpl.KeyUsage = smx509.KeyUsageCertSign | smx509.KeyUsageCRLSign
	}
	parent, key := b.cert, b.key
	if parent == nil {
		parent, key = tpl, out.key
	}
	der, err := smx509.CreateCertificate(rand.Reader, tpl, parent, out.key.Public(), key)
	ok(b.t, err)
	out.cert, err = smx509.ParseCertificate(der)
	ok(b.t, err)
	return out
}

// list is current for a day.
func (b *inquiry) list(at time.Time, revoked ...*inquiry) []byte {
	b.t.Helper()
	l := &smx509.RevocationList{Number: big.NewInt(1), ThisUpdate: at, NextUpdate: at.AddDate(0, 0, 1)}
	for _, r := range revoked {
		l.RevokedCertificateEntries = append(l.RevokedCertificateEntries, smx509.RevocationListEntry{SerialNumber: r.cert.SerialNumber, RevocationTime: at.Add(-time.Hour), ReasonCode: 1})
	}
	der, err := smx509.CreateRevocationList(rand.Reader, l, b.cert, b.key)
	ok(b.t, err)
	return der
}

// GM/T 0034 12.5: the investigators' certificate hangs on a registered anchor,
// also through an authority between, and a current list says of each below the
// anchor that it is not revoked; else nothing goes out.
func TestInvestigatorsAreCheckedGMT0034_12_5(t *testing.T) {
	w := newTown(t, 0)
	now := w.cfg.Now()
	begin, end := now.AddDate(0, -1, 0), now.AddDate(1, 0, 0)
	none := &inquiry{t: t}
	root, other := none.signs("检察机关根", true, begin, end), none.signs("别处的根", true, begin, end)
	mid := root.signs("检察机关签发", true, begin, end)
	person, gone, late, strange := mid.signs("调查员", false, begin, end), mid.signs("离职者", false, begin, end), mid.signs("过期者", false, begin, now.Add(-time.Minute)), other.signs("陌生人", false, begin, end)
	direct := root.signs("直签者", false, begin, end)
	all := map[string][]byte{"mid.crt": ca.PEM(mid.cert.Raw), "root.crl": root.list(now), "mid.crl": mid.list(now, gone)}
	without := func(names ...string) map[string][]byte {
		out := map[string][]byte{}
		for n, b := range all {
			out[n] = b
		}
		for _, n := range names {
			delete(out, n)
		}
		return out
	}
	with := func(name string, b []byte) map[string][]byte {
		out := without()
		out[name] = b
		return out
	}
	unknown := errors.New("not known")
	for name, tc := range map[string]struct {
		of    *inquiry
		files map[string][]byte // nil: no folder
		want  error             // unknown: any but ErrUnchecked
	}{
		"through an authority between": {person, all, nil},
		"directly":                     {direct, all, nil},
		"directly, without the other authority's list":     {direct, without("mid.crl", "mid.crt"), nil},
		"the authority between is not given":               {person, without("mid.crt"), unknown},
		"no folder":                                        {direct, nil, kmc.ErrUnchecked},
		"an empty folder":                                  {direct, map[string][]byte{}, kmc.ErrUnchecked},
		"no list about the person":                         {person, without("mid.crl"), kmc.ErrUnchecked},
		"no list about the authority between":              {person, without("root.crl"), kmc.ErrUnchecked},
		"a list that has ended":                            {person, with("mid.crl", mid.list(now.AddDate(0, 0, -2))), kmc.ErrUnchecked},
		"a list of somebody else's with the same name":     {person, with("mid.crl", other.list(now)), kmc.ErrUnchecked},
		"a list that does not read":                        {person, with("mid.crl", []byte("x")), kmc.ErrUnchecked},
		"the person's certificate is revoked":              {gone, all, unknown},
		"the authority between is revoked":                 {person, with("root.crl", root.list(now, mid)), unknown},
		"out of its period":                                {late, all, unknown},
		"under no anchor, though its root is in the files": {strange, with("other.crt", ca.PEM(other.cert.Raw)), unknown},
		"the anchor itself":                                {root, all, unknown},
	} {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), dirStatus)
			if tc.files != nil {
				ok(t, os.Mkdir(dir, 0o700))
			}
			for n, b := range tc.files {
				ok(t, os.WriteFile(filepath.Join(dir, n), b, 0o600))
			}
			i := investigators{trust{w.rooms.CA, w.sm2()}, func(context.Context) (*verify.Trust, error) { return verify.NewTrust(root.cert.Raw), nil }, dir, w.cfg.Now}
			err := i.Known(bg, tc.of.cert.Raw, now)
			if tc.want == unknown {
				if err == nil || errors.Is(err, kmc.ErrUnchecked) {
					t.Errorf("%v", err)
				}
			} else if !errors.Is(err, tc.want) {
				t.Errorf("%v, want %v", err, tc.want)
			}
			i.anchors = func(context.Context) (*verify.Trust, error) { return nil, nil }
			if i.Known(bg, tc.of.cert.Raw, now) == nil {
				t.Error("known without an anchor")
			}
		})
	}
}
