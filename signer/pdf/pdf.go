// Package pdf reads PDF files as far as seals and signatures need it, and adds
// one by incremental update (ISO 32000-1, 7.5.6 and 12.8; GM/T 0112-2021, 7).
//
// The reader follows the cross-reference chain exactly as it is written, tables
// and streams, hybrid and linearized files, object streams: it never repairs. A
// file that only opens after a repair is one that two readers can read in two
// ways, and a signature on it proves nothing. It does not read page content.
//
// It judges bytes only: which range a signature covers, whether its value lies
// exactly in the gap, what a later revision changed. Later signatures, document
// time-stamps and validation data (ISO 32000-2, 12.8.4.3) are no change; anything
// else is. The mathematics and the certificates belong to signer/verify.
//
// A signature field has one widget (12.7.4.5): further stamps of a seal, the slices
// of a ride seal among them, are stamp annotations of the same revision.
//
// It refuses encrypted files, more than a million objects, deep nesting, chains
// that turn in circles and streams that inflate beyond their limit, and it never
// panics on foreign bytes. It holds no more of the file in memory than a cache.
package pdf

import "errors"

// Outcomes that callers branch on.
var (
	// ErrFormat: the bytes are not such a file, or their structure is broken.
	ErrFormat = errors.New("pdf: malformed file")
	// ErrLimit: the file exceeds a limit of this reader.
	ErrLimit = errors.New("pdf: file exceeds a limit")
	// ErrEncrypted: nothing in an encrypted file can be judged or sealed here.
	ErrEncrypted = errors.New("pdf: encrypted file")
	// ErrUnsupported: well formed, but of a kind that is not handled here.
	ErrUnsupported = errors.New("pdf: unsupported feature")
	// ErrInfo: the document information cannot take an entry: an earlier signature
	// covers it, or the name is taken.
	ErrInfo = errors.New("pdf: document information refused")
	// ErrLocked: a certification of the author forbids further signatures.
	ErrLocked = errors.New("pdf: the document permits no further signature")
)

// Limits of one file. They are far above real documents and keep a hostile one
// cheap.
const (
	maxObjects  = 1 << 20  // object numbers
	maxSections = 4096     // cross-reference sections
	maxDepth    = 64       // nesting of arrays and dictionaries, of fields, of pages
	maxTokens   = 24 << 20 // values parsed in one file, its revisions included
	maxObject   = 1 << 20  // values of one object, and of all that are kept
	maxSigned   = 256      // signatures
	maxInflated = 48 << 20 // all object and cross-reference streams together
	maxString   = 64 << 20 // one string: the value of a signature is one
	maxFields   = 10_000   // form fields
	maxPages    = 200_000
)
