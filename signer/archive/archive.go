// Package archive writes, verifies and renews archive packages (归档包): one file
// that holds a document with everything that is needed to judge it offline, with
// only trust anchors, long after certificates and authorities have ended
// (电子签名法 art. 5, 6, 8; 档案法实施条例 art. 39, 40; DA/T 70-2018 四性检测).
//
// A package is a zip whose entries are all stored, not compressed:
//
//	说明文件-README.txt   what this is and how to verify it with standard tools
//	document/NAME         the original, byte for byte; beside a detached signature
//	                      (.p7s) the file that it signs
//	rendition/NNNN.svg    pages as pictures (OFD, when small enough)
//	signatures/NNNN/      per signature: value.der, seal.esl, signer.cer, maker.cer
//	timestamps/           tokens of the document's own signatures
//	certificates/         every certificate of every chain
//	revocation/           CRLs and OCSP responses as captured
//	report.json, .txt     the verification report of the day of archiving
//	metadata.json         文号, 题名, 责任者, 保管期限, sender, recipient, times
//	ledger/               entries about this document with inclusion proofs
//	manifest.json         every file above: size, SM3 and SHA-256
//	manifest.p7s          GB/T 35275 signature of the archiving unit over it
//	manifest.tsr          time-stamp token over manifest.p7s
//	renewals/NNNN/        list.json over all files so far, list.tsr over it, and
//	                      fresh status data for the service of the token before
//
// A renewal re-hashes everything with both digests and is stamped anew, before the
// newest token's certificate or algorithm ends. That is the way of RFC 4998 5.3 in
// files of our own; it is not an evidence record of that standard.
//
// Verification trusts nothing but the anchors: it checks the container, every
// digest, the signature, the chain of tokens without gaps, and judges the document
// again at the archived time with the captured status data. It refuses containers
// that two readers could read in two ways. It claims no legal effect.
package archive

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// Outcomes that callers branch on; a verdict is not an error.
var (
	// ErrNotPackage: no archive package at all.
	ErrNotPackage = errors.New("archive: not an archive package")
	// ErrLimit: larger than a limit.
	ErrLimit = errors.New("archive: package exceeds a limit")
	// ErrMetadata: metadata that may not be archived.
	ErrMetadata = errors.New("archive: metadata not acceptable")
	// ErrSecret: marked as a state secret, which commercial cryptography may not
	// protect (密码法 art. 6 to 8).
	ErrSecret = errors.New("archive: state secrets are not archived here")
	// ErrDocument: a document that is not archived: not readable, or invalid.
	ErrDocument = errors.New("archive: document cannot be archived")
	// ErrSigner: a certificate or key that may not sign a package.
	ErrSigner = errors.New("archive: archiving certificate not usable")
	// ErrStamp: no usable token came from the time-stamp service.
	ErrStamp = errors.New("archive: no usable time-stamp")
	// ErrInvalid: a package that does not verify is not renewed.
	ErrInvalid = errors.New("archive: package does not verify")
)

// Names inside a package.
const (
	fileReadme    = "说明文件-README.txt"
	dirDocument   = "document/"
	dirRendition  = "rendition/"
	dirSignatures = "signatures/"
	dirStamps     = "timestamps/"
	dirCerts      = "certificates/"
	dirStatus     = "revocation/"
	dirLedger     = "ledger/"
	dirRenewals   = "renewals/"
	fileReport    = "report.json"
	fileReadable  = "report.txt"
	fileMetadata  = "metadata.json"
	fileSlice     = "ledger/slice.jsonl"
	fileLedgerCrt = "ledger/ledger.cer"
	fileManifest  = "manifest.json"
	fileSignature = "manifest.p7s"
	fileStamp     = "manifest.tsr"
)

// Stamper asks a time-stamp service for a token over a value.
type Stamper interface {
	Stamp(ctx context.Context, value []byte) (token []byte, err error)
}

const (
	manifestKind  = "yinxin-archive"
	renewalKind   = "yinxin-archive-renewal"
	formatVersion = 1
)

// listed is a file in a manifest. Two digests: one stands when the other falls.
type listed struct {
	Path   string `json:"path"`
	Size   int64  `json:"size"`
	SM3    string `json:"sm3"`
	SHA256 string `json:"sha256"`
}

// manifest is what the archiving unit signs, and what each renewal is about.
type manifest struct {
	Kind    string `json:"kind"`
	Version int    `json:"version"`
	Created string `json:"created"` // RFC 3339, UTC: a claim
	// Document and Stamped stand in the first one: which file is the original, and
	// that a token over manifest.p7s belongs to the package.
	Document string   `json:"document,omitempty"`
	Content  string   `json:"content,omitempty"` // what the original signs, when that is a detached signature
	Stamped  bool     `json:"timestamp,omitempty"`
	Number   int      `json:"number,omitempty"` // of a renewal, from 1
	Files    []listed `json:"files"`
}

func (m *manifest) marshal() ([]byte, error) {
	b, err := marshal(m)
	if err != nil {
		return nil, fmt.Errorf("archive: encode manifest: %w", err)
	}
	return b, nil
}

// parseManifest accepts exactly what marshal writes: a second reading of the same
// bytes would be a second package.
func parseManifest(b []byte, kind string) (*manifest, error) {
	var m manifest
	if err := json.Unmarshal(b, &m); err != nil {
		return nil, fmt.Errorf("archive: manifest: %w", err)
	}
	again, err := m.marshal()
	if err != nil {
		return nil, err
	}
	if !bytes.Equal(again, b) || m.Kind != kind || m.Version != formatVersion {
		return nil, errors.New("archive: manifest is not in its one form")
	}
	for i := 1; i < len(m.Files); i++ {
		if m.Files[i-1].Path >= m.Files[i].Path {
			return nil, errors.New("archive: manifest is not in order")
		}
	}
	return &m, nil
}

// marshal is the form of every JSON file of a package: indented, for those who
// read it without a program.
func marshal(v any) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(v); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

// maxName bounds one path; file systems take 255 bytes a part.
const maxName = 255

// cleanName reports whether a path is one that every system reads alike: relative,
// NFC, no empty, "." or ".." part, nothing hidden or unprintable, no character
// that Windows refuses.
func cleanName(name string) bool {
	if name == "" || len(name) > maxName || !utf8.ValidString(name) || !norm.NFC.IsNormalString(name) || path.Clean(name) != name ||
		strings.HasPrefix(name, "/") || strings.HasPrefix(name, "../") || name == ".." || name == "." {
		return false
	}
	for part := range strings.SplitSeq(name, "/") {
		if strings.HasSuffix(part, ".") || strings.HasSuffix(part, " ") {
			return false
		}
	}
	return !strings.ContainsFunc(name, func(r rune) bool { return !unicode.IsPrint(r) || strings.ContainsRune(`\:*?"<>|`, r) })
}

// foldName is the key under which some file system takes two names for one.
func foldName(name string) string { return norm.NFC.String(strings.ToLower(norm.NFKC.String(name))) }
