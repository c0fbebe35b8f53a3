package verify

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/base64"
	"math/big"
	"slices"
	"strings"
	"testing"

	"github.com/emmansun/gmsm/sm2"
	"github.com/emmansun/gmsm/sm3"
	"github.com/emmansun/gmsm/smx509"
	"golang.org/x/text/encoding/simplifiedchinese"
)

// message writes GB/T 35275 messages as vendors do; zero values: form (b), by
// the world's signer, attributes in an order that DER does not allow.
type message struct {
	w        *world
	plain    bool // form (a)
	content  func(sigXML []byte) []byte
	cert     []byte
	noCert   bool
	raw64    bool
	inner    []byte // OID
	alg      []byte // OID
	tamper   bool   // an attribute is changed after signing
	asSeal   bool   // the record stays Type="Seal"
	detached bool   // form (a) without its content
	brings   []byte // a certificate beside the signer's; nil: the root
}

func (m message) value(sigXML []byte) []byte {
	w, sum := m.w, sm3.Sum(sigXML)
	if m.inner == nil {
		m.inner = derOID(1, 2, 156, 10197, 6, 1, 4, 2, 1)
	}
	if m.alg == nil {
		m.alg = derOID(1, 2, 156, 10197, 1, 301, 1)
	}
	if m.cert == nil {
		m.cert = w.signer.cert.Raw
	}
	digestAlg := der(0x30, derOID(1, 2, 156, 10197, 1, 401), []byte{5, 0})
	inner := m.inner
	var attrs, toSign []byte
	if m.plain {
		toSign = sum[:]
		if m.content != nil {
			toSign = m.content(sigXML)
		}
		if !m.detached {
			inner = append(slices.Clone(inner), der(0xa0, derOctets(toSign))...)
		}
	} else {
		list := [][]byte{
			der(0x30, derOID(1, 2, 840, 113549, 1, 9, 5), der(0x31, derUTC(signed))),
			der(0x30, derOID(1, 2, 840, 113549, 1, 9, 4), der(0x31, derOctets(sum[:]))),
			der(0x30, derOID(1, 2, 840, 113549, 1, 9, 3), der(0x31, m.inner)),
		}
		if bytes.Compare(list[0], list[1]) < 0 && bytes.Compare(list[1], list[2]) < 0 {
			w.tb.Fatal("the attributes are sorted: the test shows nothing")
		}
		attrs = bytes.Join(list, nil)
		toSign = der(0x31, attrs)
	}
	sig, err := w.signer.key.SignWithSM2(rand.Reader, nil, toSign)
	w.must(err)
	if m.raw64 {
		var rs struct{ R, S *big.Int }
		_, err := asn1.Unmarshal(sig, &rs)
		w.must(err)
		sig = append(rs.R.FillBytes(make([]byte, 32)), rs.S.FillBytes(make([]byte, 32))...)
	}
	if attrs != nil {
		if m.tamper {
			attrs = bytes.Replace(attrs, []byte("260311"), []byte("260312"), 1)
		}
		attrs = der(0xa0, attrs)
	}
	issuer, serial := issuerOf(w, m.cert)
	var certs []byte
	if !m.noCert {
		if m.brings == nil {
			m.brings = w.root.cert.Raw
		}
		certs = der(0xa0, m.brings, m.cert)
	}
	info := der(0x30, derInt(1), der(0x30, issuer, serial), digestAlg, attrs, der(0x30, m.alg, []byte{5, 0}), derOctets(sig))
	return der(0x30, derOID(1, 2, 156, 10197, 6, 1, 4, 2, 2), der(0xa0,
		der(0x30, derInt(1), der(0x31, digestAlg), der(0x30, inner), certs, der(0x31, info))))
}

// issuerOf takes issuer and serial number out of a certificate, as stored.
func issuerOf(w *world, cert []byte) (issuer, serial []byte) {
	var raw struct {
		TBS struct {
			Version asn1.RawValue
			Serial  asn1.RawValue
			Alg     asn1.RawValue
			Issuer  asn1.RawValue
			Rest    []asn1.RawValue `asn1:"optional"`
		}
	}
	_, err := asn1.Unmarshal(cert, &raw)
	w.must(err)
	return raw.TBS.Issuer.FullBytes, raw.TBS.Serial.FullBytes
}

// document is a notice with the message as its only signature.
func (m message) document(change func(string) string) []byte {
	w := m.w
	data := w.put(w.notice(), false)
	if !m.asSeal {
		data = edit(w.tb, data, "Doc_0/Signs/Signatures.xml", replace(`Type="Seal"`, `Type="Sign"`))
	}
	return w.replaceValue(unzip(w.tb, data), change, m.value)
}

// gbkCert is a certificate as one real government authority issues them: GBK in
// the IA5String of an e-mail address.
func gbkCert(w *world) []byte {
	gbk := []byte{0xb4, 0xf3, 0xca, 0xfd, 0xbe, 0xdd, '@', 'x', '.', 'c', 'n'}
	c := &smx509.Certificate{
		SerialNumber: big.NewInt(99), NotBefore: start.AddDate(0, -1, 0), NotAfter: start.AddDate(1, 1, 0),
		KeyUsage: smx509.KeyUsageDigitalSignature,
		Subject: pkix.Name{ExtraNames: []pkix.AttributeTypeAndValue{
			{Type: asn1.ObjectIdentifier{2, 5, 4, 3}, Value: asn1.RawValue{Tag: asn1.TagPrintableString, Bytes: gbk[:6]}},
			{Type: asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 1}, Value: asn1.RawValue{Tag: asn1.TagIA5String, Bytes: gbk}},
		}},
	}
	raw, err := smx509.CreateCertificate(rand.Reader, c, w.root.cert, w.signer.key.Public(), w.root.key)
	w.must(err)
	if _, err := smx509.ParseCertificate(raw); err == nil {
		w.tb.Fatal("strict parsers read the certificate: the test shows nothing")
	}
	return raw
}

// gbkName is a certificate whose names are GBK in text of a type.
func gbkName(w *world, tag int) []byte {
	text := func(s string) asn1.RawValue {
		gbk, err := simplifiedchinese.GBK.NewEncoder().String(s)
		w.must(err)
		return asn1.RawValue{Tag: tag, Bytes: []byte(gbk)}
	}
	c := &smx509.Certificate{
		SerialNumber: big.NewInt(98), NotBefore: start, NotAfter: start.AddDate(1, 0, 0), KeyUsage: smx509.KeyUsageDigitalSignature,
		Subject: pkix.Name{ExtraNames: []pkix.AttributeTypeAndValue{
			{Type: asn1.ObjectIdentifier{2, 5, 4, 10}, Value: text("样例")}, {Type: asn1.ObjectIdentifier{2, 5, 4, 3}, Value: text("大数据")},
		}},
	}
	raw, err := smx509.CreateCertificate(rand.Reader, c, w.root.cert, w.signer.key.Public(), w.root.key)
	w.must(err)
	return raw
}

// GB/T 35275 under Type="Sign", GM/T 0099-2020 7.2.2: both forms and what
// vendors make of them.
func TestMessages(t *testing.T) {
	w := newWorld(t)
	text := func(xml []byte) []byte {
		sum := sm3.Sum(xml)
		return []byte(base64.StdEncoding.EncodeToString(sum[:]))
	}
	xmlItself := func(xml []byte) []byte { return xml }
	sealing := w.issue(&w.root, func(c *smx509.Certificate) { c.KeyUsage = smx509.KeyUsageKeyEncipherment })
	wrongKey := w.issue(&w.root, nil)
	gbk := gbkCert(w)
	for name, c := range map[string]struct {
		m       message
		verdict Verdict
		state   Integrity
		check   string
		reason  string
	}{
		"form b, attributes not sorted":   {message{}, Valid, Intact, "", ""},
		"form b, PKCS#7 inner type":       {message{inner: derOID(1, 2, 840, 113549, 1, 7, 1)}, Valid, Intact, "", ""},
		"form b, algorithm …501":          {message{alg: derOID(1, 2, 156, 10197, 1, 501)}, Valid, Intact, "", ""},
		"form a":                          {message{plain: true}, Valid, Intact, "", ""},
		"form a, base64 text":             {message{plain: true, content: text}, Valid, Intact, "", ""},
		"form a, raw 64-byte value":       {message{plain: true, raw64: true}, Valid, Intact, "", ""},
		"form a without its content":      {message{plain: true, detached: true}, Valid, Intact, "", ""},
		"detached over Signature.xml":     {message{plain: true, detached: true, content: xmlItself}, Valid, Intact, "", ""},
		"form a over another digest":      {message{plain: true, content: func([]byte) []byte { return make([]byte, 32) }}, Invalid, Altered, CheckDataHash, ReasonSigXMLHash},
		"form a over no digest":           {message{plain: true, content: func([]byte) []byte { return []byte("yes") }}, Invalid, Altered, CheckDataHash, ReasonSigXMLHash},
		"detached over something else":    {message{plain: true, detached: true, content: text}, Invalid, Altered, CheckValue, ReasonSignature},
		"attribute changed":               {message{tamper: true}, Invalid, Altered, CheckValue, ReasonSignature},
		"no certificate":                  {message{noCert: true}, Indeterminate, Intact, CheckCertForm, ReasonNoCert},
		"certificate of another key":      {message{cert: wrongKey.cert.Raw}, Invalid, Altered, CheckValue, ReasonSignature},
		"certificate not for signing":     {message{cert: w.withKey(sealing)}, Invalid, Intact, CheckUsage, ReasonCertUsage},
		"certificate with GBK in ASCII":   {message{cert: gbk}, Indeterminate, Intact, CheckCertForm, ReasonCertBad},
		"RSA":                             {message{alg: derOID(1, 2, 840, 113549, 1, 1, 1)}, Indeterminate, Intact, CheckFormat, ReasonAlgorithm},
		"a message in a record of a seal": {message{asSeal: true}, Indeterminate, Intact, CheckCMS, ReasonType},
	} {
		t.Run(name, func(t *testing.T) {
			c.m.w = w
			rep := w.judge(c.m.document(nil))
			if rep.Verdict != c.verdict || rep.Integrity != c.state {
				t.Fatalf("got %s %s, want %s %s\n%s", rep.Verdict, rep.Integrity, c.verdict, c.state, dump(rep))
			}
			if c.check != "" && find(rep.Signatures[0], c.check).Reason != c.reason {
				t.Errorf("%+v", find(rep.Signatures[0], c.check))
			}
			if s := rep.Signatures[0]; s.Kind != "sign" || s.Standard != "GB/T 35275-2017" {
				t.Errorf("kind %s, standard %s", s.Kind, s.Standard)
			}
			if c.m.cert != nil && strings.HasPrefix(name, "certificate with GBK") && rep.Signatures[0].Signer != "CN=大数据" {
				t.Errorf("signer %q", rep.Signatures[0].Signer)
			}
		})
	}
	// One changed byte of Signature.xml is seen in both forms.
	for _, m := range []message{{w: w}, {w: w, plain: true}} {
		changed := edit(t, m.document(nil), "Doc_0/Signs/Sign_0/Signature.xml", func(b []byte) []byte { return append(b, '\n') })
		if rep := w.judge(changed); rep.Verdict != Invalid || rep.Integrity != Altered || find(rep.Signatures[0], CheckDataHash).Reason != ReasonSigXMLHash {
			t.Error(dump(rep))
		}
	}
}

// Authorities between the signer and the anchor are taken from the message, and
// only an anchor of the caller's own ends the chain.
func TestMessageBringsItsChain(t *testing.T) {
	w := newWorld(t)
	authority := func(c *smx509.Certificate) {
		c.IsCA, c.BasicConstraintsValid, c.KeyUsage = true, true, smx509.KeyUsageCertSign
	}
	sub := w.issue(&w.root, authority)
	leaf := w.issue(&sub, nil)
	m := message{w: w, cert: leaf.cert.Raw, brings: sub.cert.Raw}
	w.signer, w.seal = leaf, w.makeSeal(w.maker, leaf)
	doc := m.document(nil)
	if rep := w.judge(doc); rep.Verdict != Valid {
		t.Error(dump(rep))
	}
	m.brings = w.root.cert.Raw // the link is missing
	if rep := w.judge(m.document(nil)); rep.Verdict != Indeterminate || find(rep.Signatures[0], CheckChain).Reason != ReasonUntrusted {
		t.Error(dump(rep))
	}
	// What the message brings is no anchor.
	if rep := judge(t, doc, NewTrust(newWorld(t).root.cert.Raw)); rep.Verdict == Valid {
		t.Error(dump(rep))
	}
}

// withKey is a certificate of the shape of h for the world's signer key.
func (w *world) withKey(h holder) []byte {
	raw, err := smx509.CreateCertificate(rand.Reader, h.cert, w.root.cert, w.signer.key.Public(), w.root.key)
	w.must(err)
	return raw
}

// A bare r‖s is a value that nobody is known to have made: never valid, whatever
// it says, and a changed file is still seen.
func TestBareValue(t *testing.T) {
	w := newWorld(t)
	doc := edit(t, w.put(w.notice(), false), "Doc_0/Signs/Signatures.xml", replace(`Type="Seal"`, `Type="Sign"`))
	doc = w.replaceValue(unzip(t, doc), nil, func(xml []byte) []byte {
		sig, err := w.signer.key.SignWithSM2(rand.Reader, nil, xml)
		w.must(err)
		return sig
	})
	rep := w.judge(doc)
	if rep.Verdict != Indeterminate || rep.Integrity != Intact || find(rep.Signatures[0], CheckCertForm).Reason != ReasonNoCert {
		t.Error(dump(rep))
	}
	rep = w.judge(edit(t, doc, "Doc_0/Document.xml", func(b []byte) []byte { return append(b, ' ') }))
	if rep.Verdict != Invalid || rep.Integrity != Altered {
		t.Error(dump(rep))
	}
}

// A second implementation that disagrees, or does not answer, is never silent
// and never outvoted.
func TestSecondOpinionIsHeard(t *testing.T) {
	w := newWorld(t)
	for name, data := range map[string][]byte{"seal": w.put(w.notice(), false), "message": message{w: w}.document(nil)} {
		for answer, want := range map[opinion]struct {
			reason  string
			verdict Verdict
		}{opinionTrue: {"", Valid}, opinionNo: {ReasonDisagree, Indeterminate}, opinionErr: {ReasonNoOpinion, Indeterminate}} {
			rep := w.judgeWith(data, answer)
			got := find(rep.Signatures[0], CheckSecond)
			if rep.Verdict != want.verdict || got.Reason != want.reason || rep.Integrity != Intact {
				t.Errorf("%s %d: %s", name, answer, dump(rep))
			}
			if answer == opinionTrue && got.Detail != map[string]string{"seal": "4/4", "message": "2/2"}[name] {
				t.Errorf("%s: %s", name, got.Detail)
			}
		}
	}
	// What the first refuses and the second accepts stays refused, and is named.
	flipped := edit(t, w.put(w.notice(), false), "Doc_0/Signs/Sign_0/SignedValue.dat", func(b []byte) []byte { b[len(b)-1] ^= 1; return b })
	if rep := w.judgeWith(flipped, opinionYes); rep.Verdict != Invalid || find(rep.Signatures[0], CheckSecond).Reason != ReasonDisagree {
		t.Error(dump(rep))
	}
}

// opinion is a second implementation that says the same to everything, or works.
type opinion int

const (
	opinionTrue opinion = iota
	opinionYes
	opinionNo
	opinionErr
)

func (o opinion) VerifySM2(pub *ecdsa.PublicKey, msg, sig []byte) (bool, error) {
	switch o {
	case opinionYes:
		return true, nil
	case opinionNo:
		return false, nil
	case opinionErr:
		return false, errCertificate
	}
	return sm2.VerifyASN1WithSM2(pub, nil, msg, sig), nil
}
