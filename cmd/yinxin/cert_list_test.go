package main

import (
	"bytes"
	"context"
	"encoding/json"
	"encoding/pem"
	"strings"
	"testing"

	"github.com/yinxin-gov/yinxin/ca/catest"
	"github.com/yinxin-gov/yinxin/ca/lint"
	"github.com/yinxin-gov/yinxin/ca/lint/crl"
	"github.com/yinxin-gov/yinxin/ca/profile"
	"github.com/yinxin-gov/yinxin/ca/status/statustest"
)

func TestCertLintReadsListsOfBothTracks(t *testing.T) {
	h := statustest.New(t, catest.New())
	s := h.Service()
	for _, n := range []profile.Name{profile.SM2Root, profile.ECDSARoot} {
		a := h.Authorities[n]
		if err := s.Publish(context.Background(), a.ID, false); err != nil {
			t.Fatal(err)
		}
		list, err := h.Store.PublishedCRL(context.Background(), a.ID, "", false, 0)
		if err != nil {
			t.Fatal(err)
		}
		text := pem.EncodeToMemory(&pem.Block{Type: "X509 CRL", Bytes: list.DER})
		for form, data := range map[string][]byte{"DER": list.DER, "PEM": text} {
			code, out, errs := command(t, "", "cert", "lint", "--json", "--issuer", file(t, a.Cert.Raw), file(t, data))
			var report lintReport
			if err := json.Unmarshal([]byte(out), &report); err != nil || code != exitOK || report.Result != lint.Pass || len(report.Checks) <= len(crl.All()) {
				t.Errorf("%s %s: exit %d, %v\n%s%s", n, form, code, err, out, errs)
			}
		}
		// Under another issuer it is refused, and a profile makes no sense.
		other := file(t, h.Authorities[profile.SM2Issuing].Cert.Raw)
		if code, out, _ := command(t, "", "cert", "lint", "--issuer", other, file(t, text)); code != exitInvalid || !strings.Contains(out, "✗ crl.issuer") {
			t.Errorf("%s: exit %d\n%s", n, code, out)
		}
		if code, _, errs := command(t, "", "cert", "lint", "--profile", "sm2-root", file(t, text)); code != exitUsage || !strings.Contains(errs, "--profile") {
			t.Errorf("%s: exit %d\n%s", n, code, errs)
		}
		if code, out, _ := command(t, string(text), "cert", "lint", "-"); code != exitOK || !strings.Contains(out, "列表编号") {
			t.Errorf("%s, stdin: exit %d\n%s", n, code, out)
		}
		// A spoiled list is neither list nor certificate.
		cut := bytes.Clone(list.DER)
		if code, _, _ := command(t, "", "cert", "lint", file(t, cut[:len(cut)-3])); code != exitUsage {
			t.Errorf("%s, cut: exit %d", n, code)
		}
	}
}
