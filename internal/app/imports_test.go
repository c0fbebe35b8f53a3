package app

import (
	"bytes"
	"crypto/rand"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"math/big"
	"mime/multipart"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/emmansun/gmsm/sm2"
	"github.com/emmansun/gmsm/smx509"

	"github.com/yinxin-gov/yinxin/ca"
	"github.com/yinxin-gov/yinxin/internal/text"
	"github.com/yinxin-gov/yinxin/signer"
	"github.com/yinxin-gov/yinxin/signer/report"
	"github.com/yinxin-gov/yinxin/signer/seal"
	"github.com/yinxin-gov/yinxin/signer/seal/picture"
	"github.com/yinxin-gov/yinxin/signer/verify"
)

// outsider stands for an accredited service with the seal-making system behind
// it: another house than ours, with a root of its own.
type outsider struct {
	t         *testing.T
	key       *sm2.PrivateKey
	root      *smx509.Certificate
	makerKey  *sm2.PrivateKey
	makerCert []byte
}

func newCertifier(t *testing.T) *outsider {
	t.Helper()
	c := &outsider{t: t}
	var err error
	c.key, err = sm2.GenerateKey(rand.Reader)
	ok(t, err)
	c.makerKey, err = sm2.GenerateKey(rand.Reader)
	ok(t, err)
	c.root, err = smx509.ParseCertificate(c.certify(pkix.Name{CommonName: "样例电子政务CA"}, c.key.Public(), true))
	ok(t, err)
	c.makerCert = c.certify(pkix.Name{CommonName: "样例印章制作系统"}, c.makerKey.Public(), false)
	return c
}

func (c *outsider) certify(subject pkix.Name, public any, authority bool) []byte {
	c.t.Helper()
	serial, err := rand.Int(rand.Reader, big.NewInt(1<<60))
	ok(c.t, err)
	now := time.Now()
	tpl := &smx509.Certificate{
		SerialNumber: serial, Subject: subject, NotBefore: now.AddDate(0, -2, 0), NotAfter: now.AddDate(1, 0, 0), BasicConstraintsValid: true, IsCA: authority,
		KeyUsage: smx509.KeyUsageDigitalSignature | smx509.KeyUsageContentCommitment,
	}
	parent := c.root
	if authority {
		tpl.KeyUsage, parent = smx509.KeyUsageCertSign|smx509.KeyUsageCRLSign, tpl
	}
	der, err := smx509.CreateCertificate(rand.Reader, tpl, parent, public, c.key)
	ok(c.t, err)
	return der
}

// unit certifies a unit's key, with its code where agencies have it.
func (c *outsider) unit(name, uscc string, public any) []byte {
	return c.certify(pkix.Name{CommonName: name, ExtraNames: []pkix.AttributeTypeAndValue{{Type: asn1.ObjectIdentifier{2, 5, 4, 97}, Value: uscc}}}, public, false)
}

func (c *outsider) seal(id string, cert []byte) []byte {
	c.t.Helper()
	img, err := picture.Draw(picture.Spec{Unit: "样例区政务信息办公室"})
	ok(c.t, err)
	now := time.Now()
	der, err := seal.Make(seal.Spec{
		ID: id, Vendor: "sample", Type: 1, Name: "样例区政务信息办公室", Certs: [][]byte{cert}, Created: now.AddDate(0, -1, 0), ValidFrom: now.AddDate(0, -1, 0), ValidUntil: now.AddDate(0, 6, 0),
		Picture: seal.Picture{Type: "PNG", Data: img, Width: 42, Height: 42},
	}, c.makerKey, c.makerCert)
	ok(c.t, err)
	return der
}

// install lists the service as an operator does: before the house is opened.
func (c *outsider) install(dir string) {
	c.t.Helper()
	to := filepath.Join(dir, dirAnchors, dirAccredited)
	ok(c.t, os.MkdirAll(to, 0o700))
	ok(c.t, os.WriteFile(filepath.Join(to, "service.crt"), ca.PEM(c.root.Raw), 0o600))
	list := fmt.Sprintf("- {certificate: %s, service: 样例电子认证服务, licence: 样例0001, url: 'https://ca.example/', valid_from: 2020-01-01, valid_until: 2099-12-31}\n", SM3Hex(c.root.Raw))
	ok(c.t, os.WriteFile(filepath.Join(to, fileAccreditation), []byte(list), 0o600))
}

// several sends a form with several files.
func (c *counter) several(path string, want int, files map[string][]byte, pairs ...string) string {
	c.t.Helper()
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	for i := 0; i+1 < len(pairs); i += 2 {
		ok(c.t, w.WriteField(pairs[i], pairs[i+1]))
	}
	for field, data := range files {
		part, err := w.CreateFormFile(field, field)
		ok(c.t, err)
		_, err = part.Write(data)
		ok(c.t, err)
	}
	ok(c.t, w.Close())
	code, page, head := c.do(http.MethodPost, path, w.FormDataContentType(), &b)
	if code != want {
		c.t.Errorf("POST %s: %d, want %d: %s", path, code, want, alert(page))
	}
	if to := head.Get("Location"); to != "" {
		return to
	}
	return page
}

var importKeyForm = regexp.MustCompile(`/console/seals/import/keys/(seal-[0-9a-f-]+)/request`)

// importedSeal: a seal of an accredited service comes in by two persons, and what
// it seals verifies to the service's anchor. The folder of software keys stands
// for a connected custody.
func importedSeal(t *testing.T, o *bureau) {
	const page, id = "/console/seals/import", "41010000000077"
	unit := o.h.cfg.USCC
	if !strings.Contains(o.keeper.get(page, http.StatusOK), "没有等待印章的") {
		t.Error("a key of another seal is offered")
	}
	o.clerk.post(page+"/keys", http.StatusForbidden, "unit", unit)
	o.keeper.post(page+"/keys", http.StatusBadRequest, "unit", "11110102MB1234567M")
	o.keeper.post(page+"/keys", http.StatusSeeOther, "unit", unit)
	key := importKeyForm.FindStringSubmatch(o.keeper.get(page, http.StatusOK))[1]
	o.clerk.get(page+"/keys/"+key+"/request", http.StatusForbidden)
	o.keeper.get(page+"/keys/seal-"+testSeal+"/request", http.StatusBadRequest)
	block, _ := pem.Decode([]byte(o.keeper.get(page+"/keys/"+key+"/request", http.StatusOK)))
	csr, err := smx509.ParseCertificateRequest(block.Bytes)
	ok(t, err)
	ok(t, csr.CheckSignature())
	if got := text.Name(csr.Subject); !strings.HasSuffix(got, "organizationIdentifier="+unit) || o.recorded(t, "signer.seal.key_making") != 1 {
		t.Errorf("the request is for %s", got)
	}
	pub := csr.PublicKey
	cert := o.service.unit("样例区政务信息办公室", unit, pub)
	der := o.service.seal(id, cert)
	form := []string{"key", key, "kind", "statutory", "purpose", "对外行文", "picture_filing", "样备〔2026〕7号"}
	if !strings.Contains(o.keeper.get(page, http.StatusOK), key) {
		t.Error("the key is not offered")
	}
	o.clerk.get(page, http.StatusForbidden)
	o.clerk.several(page, http.StatusForbidden, map[string][]byte{"seal": der}, form...)

	// What does not fit is refused with its reason, and leaves nothing.
	broken := bytes.Clone(der)
	broken[len(broken)-1] ^= 1
	strange := newCertifier(t)
	other, err := sm2.GenerateKey(rand.Reader)
	ok(t, err)
	otherCert := o.service.unit("x", unit, other.Public())
	size := o.h.Ledger.Head().Size
	for name, tc := range map[string]struct {
		seal []byte
		say  string
	}{
		"no seal":            {[]byte("seal"), "印章文件读取不了"},
		"a changed seal":     {broken, "制章人签名核验不通过"},
		"another's key":      {o.service.seal(id, otherCert), "不是一对"},
		"another service":    {strange.seal(id, strange.unit("x", unit, pub)), "链不到任何经认定机构"},
		"another unit's":     {o.service.seal(id, o.service.unit("x", "11110102MB1234567M", pub)), "没有该单位的统一社会信用代码"},
		"a maker of ours":    {strangeMaker(t, o, id, cert), "链不到任何经认定机构"},
		"a certificate only": {cert, "印章文件读取不了"},
	} {
		if got := o.keeper.several(page, http.StatusUnprocessableEntity, map[string][]byte{"seal": tc.seal}, form...); !strings.Contains(got, tc.say) {
			t.Errorf("%s: %s", name, alert(got))
		}
	}
	o.keeper.several(page, http.StatusBadRequest, map[string][]byte{"seal": der}, append([]string{"key", "seal-" + testSeal}, form[2:]...)...)
	if got := o.h.Ledger.Head().Size; got != size {
		t.Errorf("refused imports left %d entries", got-size)
	}

	at := o.keeper.several(page, http.StatusSeeOther, map[string][]byte{"seal": der, "certificates": ca.PEM(cert)}, form...)
	if at != "/console/seals/"+id {
		t.Fatalf("leads to %s", at)
	}
	o.keeper.post(at+"/acts/file", http.StatusConflict, "filing", "样备〔2026〕7号", "on", "2026-01-05") // not before the leader
	shown := o.leader.get(at, http.StatusOK)
	for _, want := range []string{id, "CN=样例印章制作系统", "CN=样例电子政务CA", "organizationIdentifier=" + unit, "样例电子认证服务", "样例0001", signer.Digest(der), signer.Digest(cert), key, "data:image/png"} {
		if !strings.Contains(shown, want) {
			t.Errorf("the leader is not shown %s", want)
		}
	}
	o.keeper.post(at+"/answer", http.StatusForbidden, "digest", o.leader.digest(shown), "pin", o.keeper.pin, "answer", "yes")
	o.leader.answers(at, at+"/answer", http.StatusSeeOther, true)
	o.keeper.post(at+"/acts/file", http.StatusSeeOther, "filing", "样备〔2026〕7号", "on", "2026-01-05")
	o.keeper.post(at+"/acts/activate", http.StatusSeeOther)

	use := o.clerk.send("/console/uses", http.StatusSeeOther, "document", "外来章.ofd", notice(t, "外来章"), "seal", id, "title", "外来章")
	o.leader.answers(use, use+"/answer", http.StatusSeeOther, true)
	o.clerk.post(use+"/seal", http.StatusSeeOther)
	_, doc, _ := o.clerk.do(http.MethodGet, use+"/sealed", "", nil)
	rep, err := verify.Document(bg, []byte(doc), verify.Options{Trust: verify.NewTrust(o.service.root.Raw, o.h.anchors.sm2Root.Raw)}) // ours: of the time-stamp
	if err != nil || rep.Verdict != verify.Valid || rep.Signatures[0].SealID != id {
		t.Errorf("for a stranger with both roots: %s, %v", rep.Verdict, err)
	}
	full, judged, err := o.h.Report(bg, ReportRequest{Document: []byte(doc), Level: report.Detailed, Known: true})
	ok(t, err)
	said, err := json.Marshal(full)
	if err != nil || judged.Verdict != verify.Valid || !bytes.Contains(said, []byte("样例0001")) {
		t.Errorf("here: %s, %v\n%s", judged.Verdict, err, said)
	}
}

// strangeMaker is a seal with the accredited certificate, made by our own maker.
func strangeMaker(t *testing.T, o *bureau, id string, cert []byte) []byte {
	t.Helper()
	img, err := picture.Draw(picture.Spec{Unit: "样例"})
	ok(t, err)
	now := time.Now()
	der, err := seal.Make(seal.Spec{
		ID: id, Vendor: "sample", Type: 1, Name: "样例", Certs: [][]byte{cert}, Created: now, ValidFrom: now, ValidUntil: now.AddDate(0, 6, 0),
		Picture: seal.Picture{Type: "PNG", Data: img, Width: 42, Height: 42},
	}, o.h.custody.signer(keyMaker), o.h.own.der(keyMaker))
	ok(t, err)
	return der
}
