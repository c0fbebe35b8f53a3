package archive

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509/pkix"
	"math/big"
	"testing"
	"time"

	"github.com/emmansun/gmsm/smx509"

	"github.com/yinxin-gov/yinxin/signer/cms/tsp"
)

// NIST SP 800-57 part 1, table 4: a token of a service with a key of 2048 bits
// protects until the end of 2030, whatever its certificate says; an archive may
// declare an earlier end, never a later one.
func TestTokenOfAWeakerKey(t *testing.T) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	c := &smx509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "tsa"}, NotBefore: time.Unix(0, 0), NotAfter: time.Date(2040, 1, 1, 0, 0, 0, 0, time.UTC)}
	der, err := smx509.CreateCertificate(rand.Reader, c, c, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	if c, err = smx509.ParseCertificate(der); err != nil {
		t.Fatal(err)
	}
	at := func(year int) time.Time { return time.Date(year, 1, 1, 0, 0, 0, 0, time.UTC) }
	for _, tc := range []struct {
		retired Retired
		until   time.Time
	}{
		{nil, at(2031).Add(-time.Second)}, {Retired{"rsa": at(2035)}, at(2031).Add(-time.Second)}, {Retired{"rsa": at(2029)}, at(2029)},
	} {
		if got := goodUntil(&tsp.Token{}, []*smx509.Certificate{c}, tc.retired); !got.Equal(tc.until) {
			t.Errorf("%v: %v", tc.retired, got)
		}
	}
}

// Each column of the list counts: when one digest falls, the other stands.
func TestEveryColumnOfTheListCounts(t *testing.T) {
	a := listed{"a", 1, "sm3", "sha"}
	for name, c := range map[string]struct {
		have   []listed
		reason string
	}{
		"size": {[]listed{{"a", 2, "sm3", "sha"}}, ReasonChanged}, "SM3": {[]listed{{"a", 1, "x", "sha"}}, ReasonChanged},
		"SHA-256": {[]listed{{"a", 1, "sm3", "x"}}, ReasonChanged}, "missing": {nil, ReasonMissing}, "extra": {[]listed{a, {"b", 1, "sm3", "sha"}}, ReasonExtra},
	} {
		if f := compare([]listed{a}, c.have); f == nil || f.reason != c.reason {
			t.Errorf("%s: %+v", name, f)
		}
	}
	if f := compare([]listed{a}, []listed{a}); f != nil {
		t.Errorf("%+v", f)
	}
}

func TestNumberOfARenewal(t *testing.T) {
	for name, want := range map[string]int{
		"renewals/0001/list.json": 1, "renewals/0012/revocation/a.crl": 12, "renewals/1/x": 0, "renewals/00001/x": 0, "renewals/+001/x": 0, "renewals/ 001/x": 0,
		"renewals/0001": 0, "renewals/000x/y": 0, "document/0001/x": 0, "renewals/0000/x": 0,
	} {
		if got := numberOf(name); got != want {
			t.Errorf("%s: %d", name, got)
		}
	}
}
