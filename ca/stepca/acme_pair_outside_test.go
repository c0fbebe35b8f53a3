package stepca_test

import (
	"encoding/pem"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/yinxin-gov/yinxin/ca"
)

// sm2Request has openssl make a key and a request, as an administrator would.
func (o *outside) sm2Request(t *testing.T) {
	t.Helper()
	openssl := tool(t, "openssl")
	o.must(t, openssl, "genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:SM2", "-pkeyopt", "ec_param_enc:named_curve", "-out", "sm2.key")
	o.must(t, openssl, "req", "-new", "-key", "sm2.key", "-sm3", "-sigopt", "distid:1234567812345678", "-subj", "/CN="+host, "-addext", "subjectAltName=DNS:"+host, "-out", "sm2.csr")
}

// pairFile is the pair behind the first certificate of a file.
func (o *outside) pairFile(t *testing.T, name string) ca.Certificate {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join(o.dir, name))
	if err != nil {
		t.Fatal(err)
	}
	b, _ := pem.Decode(raw)
	if b == nil {
		t.Fatalf("%s holds no PEM", name)
	}
	return o.halves()[ca.FormatSerial(gmParse(t, b.Bytes).SerialNumber)]
}

// certbot takes an SM2 request that openssl made, and knows nothing of pairs.
func TestCertbotWithAnSM2Request(t *testing.T) {
	certbot := tool(t, "certbot")
	o := newOutside(t, withPairs(t))
	o.sm2Request(t)
	kid, hmac := o.key(t)
	_, port, _ := net.SplitHostPort(o.web)
	o.must(t, certbot, "certonly", "--server", o.url+"/acme/acme/directory", "-n", "--config-dir", "a", "--work-dir", "aw", "--logs-dir", "al",
		"--standalone", "--agree-tos", "-m", "a@b.cn", "--http-01-address", "127.0.0.1", "--http-01-port", port, "--eab-kid", kid, "--eab-hmac-key", hmac,
		"--csr", "sm2.csr", "--cert-path", "sm2.crt", "--chain-path", "chain.pem", "--fullchain-path", "full.pem")
	row := o.pairFile(t, "sm2.crt")
	if row.Kind != ca.KindSM2Sign || row.State != ca.StateGood || row.System != system {
		t.Errorf("row %+v", row)
	}
	// openssl judges the link, with the identifier that GM/T 0009 gives a signer.
	o.must(t, tool(t, "openssl"), "verify", "-vfyopt", "distid:1234567812345678", "-partial_chain", "-CAfile", "chain.pem", "sm2.crt")
}

// lego reads a request by Go's own library, which knows no SM2: it gives up
// before it asks.
func TestLegoReadsNoSM2Request(t *testing.T) {
	lego := tool(t, "lego")
	o := newOutside(t, withPairs(t))
	o.sm2Request(t)
	kid, hmac := o.key(t)
	out, err := o.run(t, lego, "--accept-tos", "--email", "a@b.cn", "--server", o.url+"/acme/acme/directory", "--path", "a", "--eab", "--kid", kid, "--hmac", hmac,
		"--http", "--http.port", o.web, "--csr", "sm2.csr", "run")
	if err == nil || !strings.Contains(out, "unsupported elliptic curve") {
		t.Errorf("%v\n%s", err, out)
	}
}
