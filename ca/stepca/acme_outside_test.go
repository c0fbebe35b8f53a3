package stepca_test

import (
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/yinxin-gov/yinxin/ca"
	"github.com/yinxin-gov/yinxin/ca/stepca"
)

// freePorts are where the outside clients will listen for probes.
func freePorts(t *testing.T) (web, secure int) {
	t.Helper()
	var ports [2]int
	for i := range ports {
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer ln.Close()
		ports[i] = ln.Addr().(*net.TCPAddr).Port
	}
	return ports[0], ports[1]
}

// outside is an office whose agency runs a real client.
type outside struct {
	*office
	dir         string
	env         []string
	web, secure string // host:port where the client answers
}

func newOutside(t *testing.T, change ...func(*stepca.Config)) *outside {
	t.Helper()
	web, secure := freePorts(t)
	o := &outside{dir: t.TempDir()}
	o.office = newOffice(t, append(change, func(c *stepca.Config) { c.HTTPPort, c.TLSPort = web, secure })...)
	o.web, o.secure = "127.0.0.1:"+strconv.Itoa(web), "127.0.0.1:"+strconv.Itoa(secure)
	write(t, o.dir, "root.pem", pemOf("CERTIFICATE", o.cfg.Root.Raw))
	return o
}

// key is kid and HMAC as a person types them.
func (o *outside) key(t *testing.T) (kid, hmac string) {
	t.Helper()
	e := o.eab(t)
	return e.KID, base64.RawURLEncoding.EncodeToString(e.Key)
}

func (o *outside) run(t *testing.T, name string, args ...string) (string, error) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), name, args...)
	cmd.Dir = o.dir
	root := filepath.Join(o.dir, "root.pem")
	cmd.Env = append(append(os.Environ(), o.env...), "HOME="+o.dir, "STEPPATH="+filepath.Join(o.dir, ".step"),
		"LEGO_CA_CERTIFICATES="+root, "REQUESTS_CA_BUNDLE="+root, "NO_PROXY=*", "no_proxy=*")
	out, err := cmd.CombinedOutput()
	return string(out), err
}

func (o *outside) must(t *testing.T, name string, args ...string) {
	t.Helper()
	if out, err := o.run(t, name, args...); err != nil {
		t.Fatalf("%s: %v\n%s", strings.Join(args, " "), err, out)
	}
}

// refused wants the client to give up, for a reason that it shows, and soon.
func (o *outside) refused(t *testing.T, says, name string, args ...string) {
	t.Helper()
	start := time.Now()
	out, err := o.run(t, name, args...)
	if err == nil || !strings.Contains(out, says) {
		t.Errorf("%s: %v, want %q\n%s", strings.Join(args, " "), err, says, out)
	}
	if d := time.Since(start); d > 30*time.Second {
		t.Errorf("%s: refused after %s", strings.Join(args, " "), d)
	}
}

// certificate reads the first certificate of a file that a client wrote, and
// its state in the registry.
func (o *outside) certificate(t *testing.T, name string) ca.Certificate {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join(o.dir, name))
	if err != nil {
		t.Fatal(err)
	}
	b, _ := pem.Decode(raw)
	if b == nil {
		t.Fatalf("%s holds no PEM", name)
	}
	row := o.rows()[ca.FormatSerial(parse(t, b.Bytes).SerialNumber)]
	if row.System != system || row.Agency != uscc || row.Request == "" {
		t.Errorf("row %+v", row)
	}
	return row
}

func TestLego(t *testing.T) {
	lego := tool(t, "lego")
	o := newOutside(t)
	server := []string{"--accept-tos", "--email", "a@b.cn", "--server", o.url + "/acme/acme/directory"}
	with := func(path string, args ...string) []string {
		return append(append(append([]string{}, server...), "--path", path), args...)
	}
	kid, hmac := o.key(t)
	bind := []string{"--eab", "--kid", kid, "--hmac", hmac}
	web := []string{"--http", "--http.port", o.web}
	o.refused(t, "External Account Binding", lego, with("none", append(web, "--domains", host, "run")...)...)
	o.refused(t, "unauthorized", lego, with("wrong", append(append([]string{"--eab", "--kid", kid, "--hmac", "d3Jvbmcgd3Jvbmcgd3Jvbmcgd3Jvbmcgd3Jvbmc"}, web...), "--domains", host, "run")...)...)
	o.must(t, lego, with("a", append(append(bind, web...), "--domains", host, "run")...)...)
	first := o.certificate(t, "a/certificates/"+host+".crt")
	o.refused(t, "unauthorized", lego, with("b", append(append(bind, web...), "--domains", host, "run")...)...)
	// lego wants the options on every call; with an account it does not use them.
	bound := append(append([]string{}, bind...), web...)
	o.refused(t, "rejectedIdentifier", lego, with("a", append(bound, "--domains", "evil.example", "run")...)...)

	o.must(t, lego, with("a", append(bound, "--domains", host, "renew", "--days", "3650", "--no-random-sleep")...)...)
	second := o.certificate(t, "a/certificates/"+host+".crt")
	if second.Serial == first.Serial {
		t.Error("not renewed")
	}
	o.must(t, lego, with("a", append(bound, "--domains", host, "revoke")...)...)
	if row := o.rows()[second.Serial]; row.State != ca.StateRevoked {
		t.Errorf("after revoke: %s", row.State)
	}

	kid, hmac = o.key(t)
	bind = []string{"--eab", "--kid", kid, "--hmac", hmac}
	o.must(t, lego, with("c", append(bind, "--tls", "--tls.port", o.secure, "--domains", host, "run")...)...)
	o.certificate(t, "c/certificates/"+host+".crt")
	// Nobody answers: the client hears it, and does not poll for minutes.
	o.register.set(func(r *register) { r.addrs[host] = "127.0.0.2" })
	o.refused(t, "connection", lego, with("c", append(bind, "--tls", "--tls.port", o.secure, "--domains", host, "renew", "--days", "3650", "--no-random-sleep")...)...)
	o.register.set(func(r *register) { delete(r.addrs, host) })
	o.refused(t, "no address is registered", lego, with("c", append(bind, "--http", "--http.port", o.web, "--domains", host, "renew", "--days", "3650", "--no-random-sleep")...)...)
}

func TestCertbot(t *testing.T) {
	certbot := tool(t, "certbot")
	o := newOutside(t)
	_, port, _ := net.SplitHostPort(o.web)
	with := func(dir, command string, args ...string) []string {
		return append([]string{command, "--server", o.url + "/acme/acme/directory", "-n",
			"--config-dir", dir, "--work-dir", dir + "w", "--logs-dir", dir + "l"}, args...)
	}
	alone := []string{"--standalone", "--agree-tos", "-m", "a@b.cn", "--http-01-address", "127.0.0.1", "--http-01-port", port}
	order := func(name string, more ...string) []string { return append(append(alone, "-d", name), more...) }
	kid, hmac := o.key(t)
	o.refused(t, "external account binding", certbot, with("none", "certonly", order(host)...)...)
	o.refused(t, "lacks sufficient authorization", certbot, with("wrong", "certonly", order(host, "--eab-kid", kid, "--eab-hmac-key", "d3Jvbmcgd3Jvbmcgd3Jvbmcgd3Jvbmcgd3Jvbmc")...)...)
	o.must(t, certbot, with("a", "certonly", order(host, "--eab-kid", kid, "--eab-hmac-key", hmac)...)...)
	first := o.certificate(t, "a/live/"+host+"/cert.pem")
	o.refused(t, "lacks sufficient authorization", certbot, with("b", "certonly", order(host, "--eab-kid", kid, "--eab-hmac-key", hmac)...)...)
	// certbot 2.1 of Debian 12 trips over its own error object here (Python 3.11)
	// and shows the reason in its log only.
	o.refused(t, "unexpected error", certbot, with("a", "certonly", order("evil.example")...)...)
	if raw, err := os.ReadFile(filepath.Join(o.dir, "al", "letsencrypt.log")); err != nil || !strings.Contains(string(raw), "acme:error:rejectedIdentifier") {
		t.Errorf("reason not in the log of certbot: %v", err)
	}
	o.must(t, certbot, with("a", "renew", "--force-renewal", "--no-random-sleep-on-renew")...)
	second := o.certificate(t, "a/live/"+host+"/cert.pem")
	if second.Serial == first.Serial {
		t.Error("not renewed")
	}
	o.must(t, certbot, with("a", "revoke", "--cert-name", host, "--no-delete-after-revoke", "--reason", "keycompromise")...)
	if row := o.rows()[second.Serial]; row.State != ca.StateRevoked || row.Reason != ca.ReasonKeyCompromise {
		t.Errorf("after revoke: %s, %d", row.State, row.Reason)
	}
}

// dns-01 for names that no DNS knows: lego writes the record with its httpreq
// provider, certbot with a hook that calls curl.
func TestOutsideDNS01(t *testing.T) {
	lego, certbot, curl := tool(t, "lego"), tool(t, "certbot"), tool(t, "curl")
	o := newOutside(t)
	// lego asks some resolver before it goes on: this one knows nothing.
	resolver, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer resolver.Close()
	go func() {
		for buf := make([]byte, 1500); ; {
			n, from, err := resolver.ReadFrom(buf)
			if err != nil {
				return
			}
			buf[2] |= 0x80 // the question comes back as an answer without records
			if _, err := resolver.WriteTo(buf[:n], from); err != nil {
				return
			}
		}
	}()
	kid, hmac := o.key(t)
	o.env = []string{"HTTPREQ_ENDPOINT=" + o.url + "/acme/txt", "HTTPREQ_USERNAME=" + o.text[0], "HTTPREQ_PASSWORD=" + o.text[1], "HTTPREQ_POLLING_INTERVAL=1", "SSL_CERT_FILE=" + filepath.Join(o.dir, "root.pem")}
	o.must(t, lego, "--accept-tos", "--email", "a@b.cn", "--server", o.url+"/acme/acme/directory", "--path", "a", "--eab", "--kid", kid, "--hmac", hmac,
		"--dns", "httpreq", "--dns.disable-cp", "--dns.resolvers", resolver.LocalAddr().String(), "--domains", host, "run")
	o.certificate(t, "a/certificates/"+host+".crt")

	kid, hmac = o.key(t)
	hook := func(path string) string {
		return curl + ` -sS --fail --cacert root.pem --noproxy '*' -u "$TXT_USER" --data "{\"fqdn\":\"_acme-challenge.$CERTBOT_DOMAIN\",\"value\":\"$CERTBOT_VALIDATION\"}" ` + o.url + path
	}
	o.env = []string{"TXT_USER=" + o.text[0] + ":" + o.text[1]}
	o.must(t, certbot, "certonly", "--server", o.url+"/acme/acme/directory", "-n", "--config-dir", "b", "--work-dir", "bw", "--logs-dir", "bl", "--agree-tos", "-m", "a@b.cn",
		"--manual", "--preferred-challenges", "dns", "--manual-auth-hook", hook("/acme/txt/present"), "--manual-cleanup-hook", hook("/acme/txt/cleanup"),
		"-d", host, "--eab-kid", kid, "--eab-hmac-key", hmac)
	o.certificate(t, "b/live/"+host+"/cert.pem")
	if left, err := o.store.Texts(t.Context(), "_acme-challenge."+host, time.Now()); err != nil || len(left) != 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

// The step CLI v0.30.2 has no option for external account
// binding, so it can only show that nobody is let in without.
func TestStepCLIOverACME(t *testing.T) {
	step := tool(t, "step")
	o := newOutside(t)
	o.must(t, step, "ca", "bootstrap", "--ca-url", o.url, "--fingerprint", fmt.Sprintf("%x", sha256Sum(o.cfg.Root.Raw)), "--force")
	args := []string{"ca", "certificate", host, "svc.crt", "svc.key", "--provisioner", "acme", "--standalone", "--http-listen", o.web, "--force"}
	o.refused(t, "externalAccountBinding", step, args...)
}
