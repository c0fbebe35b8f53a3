// Package profile is the list of certificate profiles (证书模板) as data: what a
// certificate of each use looks like, and the template made from it.
//
// A profile fixes key usage, extended key usage, basic constraints, the form of
// the subject and the longest validity; nothing of it can be asked for in a
// request. It implements the key usages of GM/T 0015 for dual certificates
// (双证书), 电子签名法 art. 19 (policy and CPS in the certificate) and art. 21
// (what a certificate states), and the seal certificate form of the reference
// (CN = esID, O = unified social credit code + name). A profile that is no
// authority never carries keyCertSign; a test walks the table to prove it.
package profile

import (
	"errors"
	"fmt"
	"time"

	"github.com/emmansun/gmsm/smx509"
)

// Name is the id of a profile. It is written in events and in approvals: never
// rename one.
type Name string

// Profiles.
const (
	SM2Root      Name = "sm2-root"
	SM2Issuing   Name = "sm2-issuing"
	ECDSARoot    Name = "ecdsa-root"
	ECDSAIssuing Name = "ecdsa-issuing"
	SM2Cross     Name = "sm2-cross" // a root's key, certified by another root of the house
	ECDSACross   Name = "ecdsa-cross"
	SM2Sign      Name = "sm2-sign"     // 签名证书 of a pair
	SM2Enc       Name = "sm2-enc"      // 加密证书 of a pair
	ECDSALeaf    Name = "ecdsa-leaf"   // mTLS of an agency system
	ECDSAServer  Name = "ecdsa-server" // HTTPS of the house
	SM2Seal      Name = "sm2-seal"     // 签章人证书 of an electronic seal
	SM2Maker     Name = "sm2-maker"    // 制章人证书
	SM2Person    Name = "sm2-person"
	SM2Ledger    Name = "sm2-ledger"   // signs checkpoints of the ledger
	SM2Exchange  Name = "sm2-exchange" // signs transfers and receipts
	SM2OCSP      Name = "sm2-ocsp"     // signs OCSP responses for the authority above it
	ECDSAOCSP    Name = "ecdsa-ocsp"
	SM2TSA       Name = "sm2-tsa"  // signs time-stamps (时间戳)
	SM2Keep      Name = "sm2-keep" // what the house keeps encrypted for itself
	ECDSATSA     Name = "ecdsa-tsa"
	SM2Server    Name = "sm2-server"     // 签名证书 of the house as a TLCP server
	SM2ServerEnc Name = "sm2-server-enc" // 加密证书 of the same

	// Test certificates (测试证书) of a system.
	SM2SignTest   Name = "sm2-sign-test"
	SM2EncTest    Name = "sm2-enc-test"
	ECDSALeafTest Name = "ecdsa-leaf-test"
)

// Algorithm is the track: of the subject's key and of the issuer's.
type Algorithm string

// Algorithms.
const (
	SM2   Algorithm = "sm2"   // SM2 with SM3
	ECDSA Algorithm = "ecdsa" // P-256 with SHA-256
)

// USCCRule says where the unified social credit code (统一社会信用代码) of the
// owner stands in the subject.
type USCCRule uint8

// Places of the code.
const (
	USCCNone           USCCRule = iota
	USCCIdentifier              // organizationIdentifier, 2.5.4.97
	USCCInOrganization          // the first 18 characters of O, form of seal certificates
)

// Profile is one row of the table.
type Profile struct {
	Name        Name
	Algorithm   Algorithm
	CA          bool
	PathLen     int // of an authority; 0 means "issues leafs only"
	SelfSigned  bool
	Validity    time.Duration // the longest permitted, and the default
	KeyUsage    smx509.KeyUsage
	ExtKeyUsage []smx509.ExtKeyUsage // empty: no extension
	USCC        USCCRule
	Hosts       bool // SAN: DNS names, one at least; false: no SAN at all
	Test        bool // says so in its subject, under a policy of its own
	NoCheck     bool // id-pkix-ocsp-nocheck: nobody asks whether it is revoked, so it lives shortly
	Clause      string
}

// ErrUnknown: no profile of that name.
var ErrUnknown = errors.New("profile: unknown")

const (
	day  = 24 * time.Hour
	year = 365 * day
)

// All returns the table. The slice is a copy and may be kept.
func All() []Profile {
	const (
		signing    = smx509.KeyUsageDigitalSignature | smx509.KeyUsageContentCommitment
		encrypting = smx509.KeyUsageKeyEncipherment | smx509.KeyUsageDataEncipherment | smx509.KeyUsageKeyAgreement
		certifying = smx509.KeyUsageCertSign | smx509.KeyUsageCRLSign
	)
	server, client, ocsp := smx509.ExtKeyUsageServerAuth, smx509.ExtKeyUsageClientAuth, []smx509.ExtKeyUsage{smx509.ExtKeyUsageOCSPSigning}
	stamping := []smx509.ExtKeyUsage{smx509.ExtKeyUsageTimeStamping}
	return []Profile{
		{Name: SM2Root, Algorithm: SM2, CA: true, PathLen: 1, SelfSigned: true, Validity: 20 * year, KeyUsage: certifying, Clause: "RFC 5280 4.2.1.9; GM/T 0034"},
		{Name: SM2Issuing, Algorithm: SM2, CA: true, Validity: 10 * year, KeyUsage: certifying, Clause: "RFC 5280 4.2.1.9; GM/T 0034"},
		{Name: ECDSARoot, Algorithm: ECDSA, CA: true, PathLen: 1, SelfSigned: true, Validity: 20 * year, KeyUsage: certifying, Clause: "RFC 5280 4.2.1.9"},
		{Name: ECDSAIssuing, Algorithm: ECDSA, CA: true, Validity: 10 * year, KeyUsage: certifying, Clause: "RFC 5280 4.2.1.9"},

		{Name: SM2Cross, Algorithm: SM2, CA: true, PathLen: 1, Validity: 20 * year, KeyUsage: certifying, Clause: "RFC 4210 4.4; RFC 5280 4.2.1.9"},
		{Name: ECDSACross, Algorithm: ECDSA, CA: true, PathLen: 1, Validity: 20 * year, KeyUsage: certifying, Clause: "RFC 4210 4.4; RFC 5280 4.2.1.9"},

		{Name: SM2Sign, Algorithm: SM2, Validity: year, KeyUsage: signing, USCC: USCCIdentifier, Hosts: true, Clause: "GM/T 0015; GM/T 0034"},
		{Name: SM2Enc, Algorithm: SM2, Validity: year, KeyUsage: encrypting, USCC: USCCIdentifier, Hosts: true, Clause: "GM/T 0015; GM/T 0034"},
		{Name: ECDSALeaf, Algorithm: ECDSA, Validity: 90 * day, KeyUsage: smx509.KeyUsageDigitalSignature, ExtKeyUsage: []smx509.ExtKeyUsage{client, server}, USCC: USCCIdentifier, Hosts: true, Clause: "RFC 5280 4.2.1.12"},
		{Name: ECDSAServer, Algorithm: ECDSA, Validity: 90 * day, KeyUsage: smx509.KeyUsageDigitalSignature, ExtKeyUsage: []smx509.ExtKeyUsage{server}, Hosts: true, Clause: "RFC 5280 4.2.1.12"},

		{Name: SM2Server, Algorithm: SM2, Validity: 30 * day, KeyUsage: signing, ExtKeyUsage: []smx509.ExtKeyUsage{server}, Hosts: true, Clause: "GB/T 38636 6.4.5.3; GM/T 0015"},
		{Name: SM2ServerEnc, Algorithm: SM2, Validity: 30 * day, KeyUsage: encrypting, Hosts: true, Clause: "GB/T 38636 6.4.5.3; GM/T 0015"},
		{Name: SM2SignTest, Test: true, Algorithm: SM2, Validity: 30 * day, KeyUsage: signing, USCC: USCCIdentifier, Hosts: true, Clause: "GM/T 0015; 市政办发〔2018〕69号 art. 17"},
		{Name: SM2EncTest, Test: true, Algorithm: SM2, Validity: 30 * day, KeyUsage: encrypting, USCC: USCCIdentifier, Hosts: true, Clause: "GM/T 0015; 市政办发〔2018〕69号 art. 17"},
		{Name: ECDSALeafTest, Test: true, Algorithm: ECDSA, Validity: 30 * day, KeyUsage: smx509.KeyUsageDigitalSignature, ExtKeyUsage: []smx509.ExtKeyUsage{client, server}, USCC: USCCIdentifier, Hosts: true, Clause: "RFC 5280 4.2.1.12; 市政办发〔2018〕69号 art. 17"},

		{Name: SM2Seal, Algorithm: SM2, Validity: year, KeyUsage: signing, USCC: USCCInOrganization, Clause: "GB/T 38540; GM/T 0015"},
		{Name: SM2Maker, Algorithm: SM2, Validity: 3 * year, KeyUsage: signing, USCC: USCCIdentifier, Clause: "GB/T 38540; GM/T 0015"},
		{Name: SM2Person, Algorithm: SM2, Validity: year, KeyUsage: signing, USCC: USCCIdentifier, Clause: "GM/T 0015; 电子签名法 art. 21"},
		{Name: SM2Ledger, Algorithm: SM2, Validity: 3 * year, KeyUsage: signing, Clause: "GM/T 0015"},
		{Name: SM2Exchange, Algorithm: SM2, Validity: 3 * year, KeyUsage: signing, Clause: "GM/T 0015"},
		{Name: SM2OCSP, Algorithm: SM2, Validity: 30 * day, KeyUsage: smx509.KeyUsageDigitalSignature, ExtKeyUsage: ocsp, NoCheck: true, Clause: "RFC 6960 4.2.2.2"},
		{Name: ECDSAOCSP, Algorithm: ECDSA, Validity: 30 * day, KeyUsage: smx509.KeyUsageDigitalSignature, ExtKeyUsage: ocsp, NoCheck: true, Clause: "RFC 6960 4.2.2.2"},
		{Name: SM2TSA, Algorithm: SM2, Validity: 5 * year, KeyUsage: signing, ExtKeyUsage: stamping, Clause: "RFC 3161 2.3; GM/T 0033"},
		{Name: SM2Keep, Algorithm: SM2, Validity: 5 * year, KeyUsage: encrypting, Clause: "GM/T 0015; GB/T 22239 8.1.4.8"},
		{Name: ECDSATSA, Algorithm: ECDSA, Validity: 5 * year, KeyUsage: signing, ExtKeyUsage: stamping, Clause: "RFC 3161 2.3"},
	}
}

// CriticalPurpose reports whether the extended key usage is critical: that of a
// time-stamp service is, and is its only one (RFC 3161, 2.3).
func (p Profile) CriticalPurpose() bool {
	return len(p.ExtKeyUsage) == 1 && p.ExtKeyUsage[0] == smx509.ExtKeyUsageTimeStamping
}

// Get returns one profile or ErrUnknown.
func Get(name Name) (Profile, error) {
	for _, p := range All() {
		if p.Name == name {
			return p, nil
		}
	}
	return Profile{}, fmt.Errorf("%w: %q", ErrUnknown, name)
}
