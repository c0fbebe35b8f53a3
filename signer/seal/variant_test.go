package seal

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/asn1"
	"errors"
	"math/big"
	"slices"
	"testing"
	"time"

	"github.com/emmansun/gmsm/sm2"
	"github.com/emmansun/gmsm/sm3"
	"github.com/emmansun/gmsm/smx509"
)

// vendor builds structures as vendors do: every part can be replaced.
type vendor struct {
	key        *sm2.PrivateKey
	cert       []byte
	version    int
	listType   []byte // nil: V1, no certListType
	list       []byte
	date       func(time.Time) []byte
	timeInfo   []byte
	extensions []byte // behind the picture
	tbsExt     []byte
	signs      func([]byte) []byte // what the value covers
	value      func([]byte) []byte // how the value is written
}

var moment = time.Date(2024, 3, 28, 7, 49, 36, 0, time.UTC)

func newVendor(t *testing.T) *vendor {
	t.Helper()
	key, err := sm2.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := &smx509.Certificate{SerialNumber: big.NewInt(1), NotBefore: moment, NotAfter: moment.AddDate(1, 0, 0)}
	cert, err := smx509.CreateCertificate(rand.Reader, c, c, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return &vendor{
		key: key, cert: cert, version: 4, listType: derInt(1), list: wrap(idOctetString, cert),
		date: derTime, timeInfo: derTime(moment),
		signs: func(b []byte) []byte { return b },
		value: func(b []byte) []byte { return wrap(idBitString, []byte{0}, b) },
	}
}

func (v *vendor) sign(t *testing.T, b []byte) []byte {
	t.Helper()
	sig, err := v.key.SignWithSM2(rand.Reader, nil, v.signs(b))
	if err != nil {
		t.Fatal(err)
	}
	return v.value(sig)
}

func (v *vendor) info() []byte {
	return wrap(idSequence,
		wrap(idSequence, wrap(idIA5, []byte("ES")), derInt(v.version), wrap(idIA5, []byte("vendor"))),
		wrap(idIA5, []byte("41010012345678")),
		wrap(idSequence, derInt(1), wrap(idUTF8, []byte("测试章")), v.listType, wrap(idSequence, v.list),
			v.date(moment), v.date(moment), v.date(moment.AddDate(1, 0, 0))),
		wrap(idSequence, wrap(idIA5, []byte("png")), wrap(idOctetString, []byte("picture")), derInt(40), derInt(40)),
		v.extensions)
}

func (v *vendor) v4(t *testing.T) []byte {
	t.Helper()
	info := v.info()
	e := wrap(idSequence, info, wrap(idOctetString, v.cert), algorithm(), v.sign(t, info))
	tbs := wrap(idSequence, derInt(v.version), e, v.timeInfo, wrap(idBitString, []byte{0}, make([]byte, 32)), wrap(idIA5, []byte(" ")), v.tbsExt)
	return wrap(idSequence, tbs, wrap(idOctetString, v.cert), algorithm(), v.sign(t, tbs))
}

func (v *vendor) v1(t *testing.T) []byte {
	t.Helper()
	info, cert := v.info(), wrap(idOctetString, v.cert)
	e := wrap(idSequence, info, wrap(idSequence, cert, algorithm(), v.sign(t, wrap(idSequence, info, cert, algorithm()))))
	tbs := wrap(idSequence, derInt(v.version), e, v.timeInfo, wrap(idBitString, []byte{0}, make([]byte, 32)), wrap(idIA5, []byte("/a")), cert, algorithm())
	return wrap(idSequence, tbs, v.sign(t, tbs))
}

func utc(t time.Time) []byte { return wrap(idUTCTime, []byte(t.UTC().Format("060102150405Z"))) }

// Reference §2.6 and §4: what vendors write is read, verified and reported.
func TestVendorVariants(t *testing.T) {
	extension := wrap(idSequence, wrap(idSequence, derOf(asn1.ObjectIdentifier{1, 2, 3}), wrap(idBoolean, []byte{0}), wrap(idOctetString, []byte("x"))))
	for _, tc := range []struct {
		name   string
		edit   func(*vendor)
		v1     bool
		layout string
		warns  []string
	}{
		{"as the standard has it", func(*vendor) {}, false, LayoutV4, nil},
		{"untagged extDatas, critical FALSE written", func(v *vendor) { v.extensions = extension }, false, LayoutV4, nil},
		{"extDatas tagged [0]", func(v *vendor) {
			v.extensions, v.tbsExt = wrap(idContext0, extension), wrap(idContext0, extension)
		}, false, LayoutV4, nil},
		{"UTCTime", func(v *vendor) { v.date, v.timeInfo = utc, utc(moment) }, false, LayoutV4, []string{WarnTime}},
		{"64 bytes r‖s", func(v *vendor) {
			v.value = func(sig []byte) []byte {
				var rs struct{ R, S *big.Int }
				if _, err := asn1.Unmarshal(sig, &rs); err != nil {
					t.Fatal(err)
				}
				return wrap(idBitString, []byte{0}, rs.R.FillBytes(make([]byte, 32)), rs.S.FillBytes(make([]byte, 32)))
			}
		}, false, LayoutV4, []string{WarnRawSignature}},
		{"unused bits", func(v *vendor) {
			v.value = func(b []byte) []byte { return wrap(idBitString, []byte{3}, b) }
		}, false, LayoutV4, []string{WarnUnusedBits}},
		{"certListType 2", func(v *vendor) {
			sum := sm3.Sum(v.cert)
			v.listType, v.list = derInt(2), wrap(idSequence, wrap(0x13, []byte("SM3")), wrap(idOctetString, sum[:]))
		}, false, LayoutV4, nil},
		{"BER length, DER signed", func(v *vendor) {
			v.extensions = append([]byte{0x30, 0x81, byte(len(extension) - 2)}, extension[2:]...)
			v.signs = func(b []byte) []byte {
				der, err := reencode(b)
				if err != nil {
					t.Fatal(err)
				}
				return der
			}
		}, false, LayoutV4, []string{WarnNotDER}},
		{"V5", func(v *vendor) { v.version = 5 }, false, LayoutV5, nil},
		{"V1", func(v *vendor) {
			v.version, v.listType, v.date = 1, nil, utc
			v.timeInfo = wrap(idBitString, []byte{0}, utc(moment))
		}, true, LayoutV1, nil},
		{"V1 layout with header version 4 and text time", func(v *vendor) {
			v.listType, v.date = nil, utc
			v.timeInfo = wrap(idBitString, []byte{0}, []byte("2024-03-28 15:49:36"))
		}, true, LayoutV1, []string{WarnVersion, WarnTime}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			v := newVendor(t)
			tc.edit(v)
			der := v.v4
			if tc.v1 {
				der = v.v1
			}
			s, err := ParseSignature(der(t))
			if err != nil {
				t.Fatal(err)
			}
			if err := errors.Join(s.Verify(), s.Seal.VerifyMaker()); err != nil {
				t.Error(err)
			}
			if s.Layout != tc.layout || s.Seal.Layout != tc.layout || !s.Time.Equal(moment) || !s.Seal.Lists(v.cert) {
				t.Errorf("%s %s %v", s.Layout, s.Seal.Layout, s.Time)
			}
			got := append(slices.Clone(s.Warnings), s.Seal.Warnings...)
			for _, w := range tc.warns {
				if !slices.Contains(got, w) {
					t.Errorf("%v lack %s", got, w)
				}
			}
			if len(tc.warns) == 0 && len(got) > 0 {
				t.Errorf("warnings %v", got)
			}
		})
	}
}

func derOf(oid asn1.ObjectIdentifier) []byte {
	der, err := asn1.Marshal(oid)
	if err != nil {
		panic(err)
	}
	return der
}

func TestAlgorithmBytesAreTheOID(t *testing.T) {
	if !bytes.Equal(algorithm(), derOf(oidSM2WithSM3)) {
		t.Error("1.2.156.10197.1.501 is written wrong")
	}
}

// Other algorithms and keys are unsupported, never guessed.
func TestVerifyRefusesOtherKeysAndAlgorithms(t *testing.T) {
	s, err := ParseSignature(newVendor(t).v4(t))
	if err != nil {
		t.Fatal(err)
	}
	p256, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{SerialNumber: big.NewInt(1)}
	other, err := x509.CreateCertificate(rand.Reader, c, c, p256.Public(), p256)
	if err != nil {
		t.Fatal(err)
	}
	// Explicit parameters: the curve's OID replaced by an (empty) SEQUENCE.
	curve := derOf(oidSM2)
	explicit := bytes.Replace(s.CertDER, curve, append([]byte{idSequence, byte(len(curve) - 2)}, curve[2:]...), 1)
	key := derOf(oidECKey)
	notEC := bytes.Replace(s.CertDER, key, append(bytes.Clone(key[:len(key)-1]), 9), 1)
	for _, tc := range []struct {
		name string
		edit func(*Signature)
		want error
	}{
		{"P-256 key", func(s *Signature) { s.CertDER = other }, ErrUnsupported},
		{"explicit curve parameters", func(s *Signature) { s.CertDER = explicit }, ErrUnsupported},
		{"another key algorithm", func(s *Signature) { s.CertDER = notEC }, ErrUnsupported},
		{"RSA with SHA-256", func(s *Signature) { s.Algorithm = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 1, 11} }, ErrUnsupported},
		{"no certificate", func(s *Signature) { s.CertDER = nil }, ErrFormat},
		{"empty value", func(s *Signature) { s.Value = nil }, ErrSignature},
	} {
		t.Run(tc.name, func(t *testing.T) {
			changed := *s
			tc.edit(&changed)
			if err := changed.Verify(); !errors.Is(err, tc.want) {
				t.Errorf("%v", err)
			}
		})
	}
}

func TestParseRefuses(t *testing.T) {
	good := newVendor(t).v4(t)
	deep := []byte{idSequence, 0}
	for range 40 {
		deep = wrap(idSequence, deep)
	}
	v := newVendor(t)
	v.extensions = deep
	for name, der := range map[string][]byte{
		"empty":             nil,
		"cut off":           good[:len(good)-1],
		"trailing byte":     append(bytes.Clone(good), 0),
		"indefinite length": {0x30, 0x80, 0, 0},
		"huge length":       {0x30, 0x84, 0xff, 0xff, 0xff, 0xff},
		"three elements":    wrap(idSequence, deep, deep, deep),
		"too deep":          v.v4(t),
		"too large":         make([]byte, MaxSize+1),
	} {
		t.Run(name, func(t *testing.T) {
			if s, err := ParseSignature(der); !errors.Is(err, ErrFormat) || s != nil {
				t.Errorf("%v", err)
			}
			if s, err := ParseSeal(der); !errors.Is(err, ErrFormat) || s != nil {
				t.Errorf("%v", err)
			}
		})
	}
}
