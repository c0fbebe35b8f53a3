package seal_test

import (
	"archive/zip"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/yinxin-gov/yinxin/signer/ofd/ofdtest"
	"github.com/yinxin-gov/yinxin/signer/seal"
)

func read(t testing.TB, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(ofdtest.Corpus(t), name))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// signedValues returns every SignedValue.dat of a package by its entry name.
func signedValues(t testing.TB, name string) map[string][]byte {
	t.Helper()
	z, err := zip.OpenReader(filepath.Join(ofdtest.Corpus(t), name))
	if err != nil {
		t.Fatal(err)
	}
	defer z.Close()
	out := map[string][]byte{}
	for _, f := range z.File {
		if !strings.HasSuffix(f.Name, "SignedValue.dat") {
			continue
		}
		r, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		out[f.Name] = b
	}
	return out
}

func TestParseSealCorpus(t *testing.T) {
	for _, tc := range []struct {
		file, layout string
		version      int
		stamp        bool
	}{
		{"esl/user_v1.esl", seal.LayoutV1, 1, false},
		{"esl/user_v4.esl", seal.LayoutV4, 4, false},
		{"esl/user_v5.esl", seal.LayoutV5, 5, false},
		{"esl/user_v5_ts.esl", seal.LayoutV5, 5, true},
	} {
		t.Run(tc.file, func(t *testing.T) {
			s, err := seal.ParseSeal(read(t, tc.file))
			if err != nil {
				t.Fatal(err)
			}
			if s.Layout != tc.layout || s.Version != tc.version || (s.TimeStamp != nil) != tc.stamp {
				t.Errorf("layout %s version %d stamp %x", s.Layout, s.Version, s.TimeStamp)
			}
			if err := s.VerifyMaker(); err != nil {
				t.Error(err)
			}
			if !strings.EqualFold(s.Picture.Type, "png") || s.Picture.Width < 20 || len(s.Picture.Data) == 0 {
				t.Errorf("picture %s %d mm, %d bytes", s.Picture.Type, s.Picture.Width, len(s.Picture.Data))
			}
			if s.ValidFrom.IsZero() || !s.ValidUntil.After(s.ValidFrom) || s.Name == "" || s.ID == "" {
				t.Errorf("fields: %q %q %v %v", s.ID, s.Name, s.ValidFrom, s.ValidUntil)
			}
			if len(s.Certs) == 0 || !s.Lists(s.Certs[0]) || s.Lists(s.MakerCertDER[1:]) {
				t.Error("certificate list")
			}
			t.Logf("%s %q type %d %v..%v warnings %v", s.ID, s.Name, s.Type, s.ValidFrom, s.ValidUntil, s.Warnings)
		})
	}
}

func TestParseSignatureCorpus(t *testing.T) {
	for _, tc := range []struct {
		file, layout   string
		count          int
		signer, maker  bool
		unsupported    bool
		expectWarnings []string
	}{
		{file: "made/v1_continue.ofd", layout: seal.LayoutV1, count: 1, signer: true, maker: true, expectWarnings: []string{seal.WarnTime}},
		{file: "made/v1_whole.ofd", layout: seal.LayoutV1, count: 1, signer: true, maker: true},
		{file: "made/v4_continue.ofd", layout: seal.LayoutV4, count: 1, signer: true, maker: true},
		{file: "made/v4_whole.ofd", layout: seal.LayoutV4, count: 1, signer: true, maker: true},
		{file: "made/v5_continue.ofd", layout: seal.LayoutV5, count: 1, signer: true, maker: true},
		{file: "made/v5_whole.ofd", layout: seal.LayoutV5, count: 1, signer: true, maker: true},
		{file: "made/sign35275_continue.ofd", count: 1, unsupported: true},
		{file: "sealed/digitalsign_raw_rs.ofd", count: 1, unsupported: true},
		{file: "sealed/gen13_ride_v4.ofd", layout: seal.LayoutV4, count: 1, signer: true, maker: true},
		{file: "sealed/gen14_v4.ofd", layout: seal.LayoutV4, count: 1, signer: true, maker: true},
		{file: "sealed/ride_right_v4.ofd", layout: seal.LayoutV4, count: 1, signer: true, maker: true},
		{file: "sealed/sesv4_signdoc.ofd", layout: seal.LayoutV4, count: 1, signer: true, maker: true},
		{file: "sealed/two_seals_second_breaks_first.ofd", layout: seal.LayoutV4, count: 2, signer: true, maker: true},
		{file: "sealed/koal_test.ofd", layout: seal.LayoutV4, count: 1, signer: true, maker: true},
		{file: "negative/ofdrw_sv_flip.ofd", layout: seal.LayoutV4, count: 1, signer: false, maker: true},
		{file: "negative/ofdrw_sealpic_flip.ofd", layout: seal.LayoutV4, count: 1, signer: false, maker: false},
	} {
		t.Run(tc.file, func(t *testing.T) {
			values := signedValues(t, tc.file)
			if len(values) != tc.count {
				t.Fatalf("%d signed values, want %d", len(values), tc.count)
			}
			for name, der := range values {
				s, err := seal.ParseSignature(der)
				if tc.unsupported {
					if !errors.Is(err, seal.ErrUnsupported) {
						t.Errorf("%s: %v, want ErrUnsupported", name, err)
					}
					continue
				}
				if err != nil {
					t.Fatalf("%s: %v", name, err)
				}
				if s.Layout != tc.layout {
					t.Errorf("layout %s, want %s", s.Layout, tc.layout)
				}
				check := func(what string, err error, want bool) {
					if want && err != nil || !want && !errors.Is(err, seal.ErrSignature) {
						t.Errorf("%s %s: %v", name, what, err)
					}
				}
				check("signer", s.Verify(), tc.signer)
				check("maker", s.Seal.VerifyMaker(), tc.maker)
				if !s.Seal.Lists(s.CertDER) {
					t.Errorf("%s: signer not in the certificate list", name)
				}
				if len(s.DataHash) != 32 || s.Time.Year() < 2020 || s.Property == "" {
					t.Errorf("%s: hash %d bytes, time %v, property %q", name, len(s.DataHash), s.Time, s.Property)
				}
				for _, w := range tc.expectWarnings {
					if !slices.Contains(s.Warnings, w) {
						t.Errorf("%s: warnings %v lack %s", name, s.Warnings, w)
					}
				}
				t.Logf("%s %v %q %v %v", name, s.Time, s.Property, s.Warnings, s.Seal.Warnings)
			}
		})
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte{0x30, 0x80})
	f.Add([]byte{0x30, 0x84, 0xff, 0xff, 0xff, 0xff})
	if _, err := os.Stat(filepath.Join("..", "..", "..", "shared", "corpus", "ofd")); err == nil {
		f.Add(read(f, "esl/user_v1.esl"))
		f.Add(read(f, "esl/user_v4.esl"))
		for _, v := range signedValues(f, "sealed/koal_test.ofd") {
			f.Add(v)
		}
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if s, err := seal.ParseSeal(b); err == nil {
			_ = s.VerifyMaker()
		} else if !errors.Is(err, seal.ErrFormat) && !errors.Is(err, seal.ErrUnsupported) {
			t.Errorf("error without sentinel: %v", err)
		}
		if s, err := seal.ParseSignature(b); err == nil {
			_ = s.Verify()
		} else if !errors.Is(err, seal.ErrFormat) && !errors.Is(err, seal.ErrUnsupported) {
			t.Errorf("error without sentinel: %v", err)
		}
	})
}
