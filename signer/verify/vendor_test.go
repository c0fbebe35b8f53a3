package verify

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/asn1"
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/emmansun/gmsm/sm2"
	"github.com/emmansun/gmsm/sm3"
)

// der writes one element.
func der(id byte, parts ...[]byte) []byte {
	var body []byte
	for _, p := range parts {
		body = append(body, p...)
	}
	head := []byte{id, byte(len(body))}
	switch n := len(body); {
	case n >= 1<<16:
		head = []byte{id, 0x83, byte(n >> 16), byte(n >> 8), byte(n)}
	case n >= 1<<8:
		head = []byte{id, 0x82, byte(n >> 8), byte(n)}
	case n >= 0x80:
		head = []byte{id, 0x81, byte(n)}
	}
	return append(head, body...)
}

func derInt(n byte) []byte      { return der(0x02, []byte{n}) }
func derOctets(b []byte) []byte { return der(0x04, b) }
func derBits(b []byte) []byte   { return der(0x03, []byte{0}, b) }
func derIA5(s string) []byte    { return der(0x16, []byte(s)) }

func derOID(ids ...int) []byte {
	out, err := asn1.Marshal(asn1.ObjectIdentifier(ids))
	if err != nil {
		panic(err)
	}
	return out
}

func derGeneralized(t time.Time) []byte {
	return der(0x18, []byte(t.UTC().Format("20060102150405Z")))
}
func derUTC(t time.Time) []byte { return der(0x17, []byte(t.UTC().Format("060102150405Z"))) }

// vendor writes seals and signatures as others do; every part can be replaced.
type vendor struct {
	w             *world
	v1            bool
	version       byte
	sealType      byte
	signer, maker []byte // certificates
	sign          func(who holder, msg []byte) []byte
	alg           []byte
	listType      []byte
	list          []byte
	date          func(time.Time) []byte
	timeInfo      []byte
	picType       string
	picture       []byte
	sealStamp     []byte
	stampSeal     func(value []byte) []byte // token over the maker's value
	value         func([]byte) []byte
	property      string
}

func newVendor(w *world) *vendor {
	return &vendor{
		w: w, version: 4, sealType: 1, signer: w.signer.cert.Raw, maker: w.maker.cert.Raw,
		sign: func(who holder, msg []byte) []byte {
			sig, err := who.key.SignWithSM2(rand.Reader, nil, msg)
			w.must(err)
			return sig
		},
		alg: derOID(1, 2, 156, 10197, 1, 501), listType: derInt(1), list: derOctets(w.signer.cert.Raw),
		date: derGeneralized, timeInfo: derGeneralized(signed), picType: "PNG", picture: []byte("picture"),
		value: derBits, property: "/Doc_0/Signs/Sign_0/Signature.xml",
	}
}

// asV1 is the layout of GM/T 0031-2014.
func (v *vendor) asV1() *vendor {
	v.v1, v.version, v.listType, v.date = true, 1, nil, derUTC
	v.timeInfo = derBits([]byte("2026-03-11 08:00:00"))
	return v
}

// build returns the seal and a signature over SM3 of Signature.xml.
func (v *vendor) build(sigXML []byte) (sealDER, value []byte) {
	info := der(0x30,
		der(0x30, derIA5("ES"), derInt(v.version), derIA5("vendor")), derIA5("41010012345678"),
		der(0x30, derInt(v.sealType), der(0x0c, []byte("样例章")), v.listType, der(0x30, v.list), v.date(start), v.date(start), v.date(start.AddDate(1, 0, 0))),
		der(0x30, derIA5(v.picType), derOctets(v.picture), derInt(40), derInt(40)))
	maker, signer := derOctets(v.maker), derOctets(v.signer)
	sum := sm3.Sum(sigXML)
	hash := derBits(sum[:])
	if v.v1 {
		e := der(0x30, info, der(0x30, maker, v.alg, v.value(v.sign(v.w.maker, der(0x30, info, maker, v.alg)))))
		tbs := der(0x30, derInt(v.version), e, v.timeInfo, hash, derIA5(v.property), signer, v.alg)
		return e, der(0x30, tbs, v.value(v.sign(v.w.signer, tbs)))
	}
	sealed := v.sign(v.w.maker, info)
	if v.stampSeal != nil {
		v.sealStamp = der(0xa0, derBits(v.stampSeal(sealed)))
	}
	e := der(0x30, info, maker, v.alg, v.value(sealed), v.sealStamp)
	tbs := der(0x30, derInt(v.version), e, v.timeInfo, hash, derIA5(v.property))
	return e, der(0x30, tbs, signer, v.alg, v.value(v.sign(v.w.signer, tbs)))
}

// document puts what the vendor makes on a notice; change edits Signature.xml
// before it is signed.
func (v *vendor) document(change func(string) string) []byte {
	e, _ := v.build(nil)
	files := unzip(v.w.tb, reseal(v.w, v.w.put(v.w.notice(), false), e))
	return v.w.replaceValue(files, change, func(xml []byte) []byte {
		// The seal in the file is the one that is signed: build both once.
		e, value := v.build(xml)
		for i := range files {
			if strings.HasSuffix(files[i].name, ".esl") {
				files[i].body = e
			}
		}
		return value
	})
}

// replaceValue edits Signature.xml and puts another signed value in.
func (w *world) replaceValue(files []zfile, change func(string) string, value func(sigXML []byte) []byte) []byte {
	w.tb.Helper()
	var xml []byte
	for i := range files {
		if strings.HasSuffix(files[i].name, "/Signature.xml") {
			if change != nil {
				files[i].body = []byte(change(string(files[i].body)))
			}
			xml = files[i].body
		}
	}
	made := value(xml)
	for i := range files {
		if strings.HasSuffix(files[i].name, "Value.dat") {
			files[i].body = made
		}
	}
	return rezip(w.tb, files)
}

// Every seal format and every reader variant of reference §2 and §4, made with
// keys of our own: what is judged, and which remark it leaves.
func TestVendorDocuments(t *testing.T) {
	w := newWorld(t)
	cutSeal := func(s string) string {
		i, j := strings.Index(s, "<ofd:Seal>"), strings.Index(s, "</ofd:SignedInfo>")
		return s[:i] + s[j:]
	}
	sum := sm3.Sum(w.signer.cert.Raw)
	zsum := func() []byte {
		h, err := sm2.NewHash(&w.signer.key.PublicKey)
		w.must(err)
		h.Write(w.signer.cert.Raw)
		return h.Sum(nil)
	}
	raw64 := func(sig []byte) []byte {
		var rs struct{ R, S *big.Int }
		_, err := asn1.Unmarshal(sig, &rs)
		w.must(err)
		return derBits(append(rs.R.FillBytes(make([]byte, 32)), rs.S.FillBytes(make([]byte, 32))...))
	}
	digestEntry := func(d []byte) []byte { return der(0x30, der(0x13, []byte("SM3")), derOctets(d)) }
	pretty := func(s string) string {
		s = strings.ReplaceAll(s, `CheckMethod="SM3"`, `CheckMethod="1.2.156.10197.1.401"`)
		return strings.NewReplacer("><", ">\n    <", "CheckValue>", "CheckValue>\n").Replace(strings.ReplaceAll(s, "</ofd:CheckValue>", "\n</ofd:CheckValue>"))
	}

	for name, c := range map[string]struct {
		data    []byte
		verdict Verdict
		state   Integrity
		check   string // with the reason, for what is not valid
		reason  string
		warning string // that must stand
	}{
		"V4":                              {newVendor(w).document(nil), Valid, Intact, "", "", ""},
		"V1, GM/T 0031-2014":              {newVendor(w).asV1().document(nil), Valid, Intact, "", "", "ses.time.form"},
		"V1 with UTCTime":                 {with(newVendor(w).asV1(), func(v *vendor) { v.timeInfo = derBits(derUTC(signed)) }), Valid, Intact, "", "", ""},
		"V1 layout with header 4":         {with(newVendor(w).asV1(), func(v *vendor) { v.version = 4 }), Valid, Intact, "", "", "ses.version.mismatch"},
		"V1 with octet strings and dates": {with(newVendor(w).asV1(), func(v *vendor) { v.date, v.timeInfo = derGeneralized, derOctets(derUTC(signed)) }), Valid, Intact, "", "", "ses.time.form"},
		"V5, GM/T 0031-2025":              {with(newVendor(w), func(v *vendor) { v.version = 5 }), Valid, Intact, "", "", ""},
		"V5 with a dummy time-stamp": {with(newVendor(w), func(v *vendor) {
			v.version, v.sealStamp = 5, der(0xa0, derBits([]byte{1, 2, 3}))
		}), Indeterminate, Intact, CheckSealToken, ReasonTokenBad, ""},
		"certListType 2":         {with(newVendor(w), func(v *vendor) { v.listType, v.list = derInt(2), digestEntry(sum[:]) }), Valid, Intact, "", "", ""},
		"certListType 2, Z‖cert": {with(newVendor(w), func(v *vendor) { v.listType, v.list = derInt(2), digestEntry(zsum()) }), Valid, Intact, "", "", ""},
		"certListType 2, another": {with(newVendor(w), func(v *vendor) {
			v.listType, v.list = derInt(2), digestEntry(make([]byte, 32))
		}), Invalid, Intact, CheckCertList, ReasonNotListed, ""},
		"64 bytes r‖s":         {with(newVendor(w), func(v *vendor) { v.value = raw64 }), Valid, Intact, "", "", "ses.signature.raw_rs"},
		"non-zero unused bits": {with(newVendor(w), func(v *vendor) { v.value = func(b []byte) []byte { return der(0x03, []byte{3}, b) } }), Valid, Intact, "", "", "ses.bitstring.unused_bits"},
		"nested OFD picture, type 15": {with(newVendor(w), func(v *vendor) {
			v.picType, v.picture, v.sealType = "ofd", w.notice(), 15
		}), Valid, Intact, "", "", ""},
		"blank propertyInfo":       {with(newVendor(w), func(v *vendor) { v.property = " " }), Valid, Intact, "", "", WarnProperty},
		"RSA in V1":                {rsaV1(w), Indeterminate, Intact, CheckValue, ReasonAlgorithm, ""},
		"no Seal.esl":              {drop(t, newVendor(w).document(cutSeal), "Doc_0/Signs/Sign_0/Seal.esl"), Valid, Intact, "", "", ""},
		"…401, pretty-printed":     {newVendor(w).document(pretty), Valid, Intact, "", "", ""},
		"…401.2, keyed":            {newVendor(w).document(func(s string) string { return strings.Replace(s, `"SM3"`, `"1.2.156.10197.1.401.2"`, 1) }), Indeterminate, Partial, CheckReferences, ReasonDigest, ""},
		"empty References":         {newVendor(w).document(cutReferences), Invalid, Partial, CheckReferences, ReasonNoReferences, ""},
		"vendor bytes before":      {append([]byte("KGVENDOR01\r\n"), newVendor(w).document(nil)...), Valid, Intact, "", "", "zip.prefix"},
		"// in references":         {newVendor(w).document(func(s string) string { return strings.ReplaceAll(s, `FileRef="/Doc_0`, `FileRef="//Doc_0`) }), Valid, Intact, "", "", ""},
		"relative SignedValue":     {newVendor(w).document(func(s string) string { return strings.ReplaceAll(s, ">/Doc_0/Signs/Sign_0/", ">") }), Valid, Intact, "", "", ""},
		"relative BaseLoc of list": {edit(t, newVendor(w).document(nil), "Doc_0/Signs/Signatures.xml", replace(`BaseLoc="/Doc_0/Signs/`, `BaseLoc="`)), Valid, Intact, "", "", ""},
		"two MaxSignId":            {edit(t, newVendor(w).document(nil), "Doc_0/Signs/Signatures.xml", replace("</ofd:MaxSignId>", "</ofd:MaxSignId><ofd:MaxSignId>9</ofd:MaxSignId>")), Valid, Intact, "", "", ""},
		"Type missing":             {edit(t, newVendor(w).document(nil), "Doc_0/Signs/Signatures.xml", replace(` Type="Seal"`, "")), Valid, Intact, "", "", ""},
		"seal under Type Sign":     {edit(t, newVendor(w).document(nil), "Doc_0/Signs/Signatures.xml", replace(`Type="Seal"`, `Type="Sign"`)), Valid, Intact, "", "", WarnType},
		"SignValue.dat": {rename(t, newVendor(w).document(func(s string) string { return strings.ReplaceAll(s, "SignedValue.dat", "SignValue.dat") }),
			"Doc_0/Signs/Sign_0/SignedValue.dat", "Doc_0/Signs/Sign_0/SignValue.dat"), Valid, Intact, "", "", ""},
		"other namespace": {newVendor(w).document(func(s string) string { return strings.ReplaceAll(s, "www.ofdspec.org/2016", "www.ofdspec.org") }), Valid, Intact, "", "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			rep := w.judge(c.data)
			if rep.Verdict != c.verdict || rep.Integrity != c.state {
				t.Fatalf("got %s %s, want %s %s\n%s", rep.Verdict, rep.Integrity, c.verdict, c.state, dump(rep))
			}
			if c.check != "" && find(rep.Signatures[0], c.check).Reason != c.reason {
				t.Errorf("%+v", find(rep.Signatures[0], c.check))
			}
			if c.warning != "" && !warned(rep, c.warning) {
				t.Errorf("no warning %s: %v", c.warning, rep.Warnings)
			}
		})
	}
}

func with(v *vendor, edit func(*vendor)) []byte {
	edit(v)
	return v.document(nil)
}

func rename(tb testing.TB, data []byte, from, to string) []byte {
	files := unzip(tb, data)
	for i := range files {
		if files[i].name == from {
			files[i].name = to
		}
	}
	return rezip(tb, files)
}

// rsaV1 is what GM/T 0031-2014 allows and this product does not verify: the
// signer uses RSA with SHA-256.
func rsaV1(w *world) []byte {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	w.must(err)
	c := &x509.Certificate{SerialNumber: big.NewInt(7), NotBefore: start.AddDate(0, -1, 0), NotAfter: start.AddDate(1, 1, 0), KeyUsage: x509.KeyUsageDigitalSignature}
	cert, err := x509.CreateCertificate(rand.Reader, c, c, key.Public(), key)
	w.must(err)
	v := newVendor(w).asV1()
	v.signer, v.list, v.alg = cert, derOctets(cert), derOID(1, 2, 840, 113549, 1, 1, 11)
	v.sign = func(_ holder, msg []byte) []byte {
		d := sha256.Sum256(msg)
		sig, err := rsa.SignPKCS1v15(rand.Reader, key, crypto.SHA256, d[:])
		w.must(err)
		return sig
	}
	return v.document(nil)
}

// Times without a zone are China's; those of a signature in five forms are read.
func TestFiveDateFormats(t *testing.T) {
	w := newWorld(t)
	for _, form := range []string{"2026-03-11 08:00:00", "2026-03-11T08:00:00.000+08:00", "20260311000000Z", "2026-03-11T00:00:00Z", "20260311080000"} {
		v := newVendor(w).asV1()
		v.timeInfo = derBits([]byte(form))
		if rep := w.judge(v.document(nil)); rep.Verdict != Valid || rep.Signatures[0].SignedAt != "2026-03-11T00:00:00Z" {
			t.Errorf("timeInfo %q: %s", form, dump(rep))
		}
		doc := message{w: w, plain: true}.document(func(s string) string {
			i, j := strings.Index(s, "<ofd:SignatureDateTime>")+len("<ofd:SignatureDateTime>"), strings.Index(s, "</ofd:SignatureDateTime>")
			return s[:i] + form + s[j:]
		})
		if rep := w.judge(doc); rep.Verdict != Valid || rep.Signatures[0].SignedAt != "2026-03-11T00:00:00Z" || !warned(rep, WarnTimeXML) {
			t.Errorf("SignatureDateTime %q: %s", form, dump(rep))
		}
	}
}
