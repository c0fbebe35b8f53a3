// Package ofd reads and writes the OFD package of GB/T 33190: the zip
// container, the tree of XML files under OFD.xml, its list of signatures
// (chapter 18), and the changes that a new electronic seal makes to it.
//
// The reader is strict with the container and lenient with the vendors: a
// package whose zip directory can be read in two ways (two entries of one name,
// overlapping or hidden entries, headers that disagree) is opened, but carries
// Faults, and nothing may be trusted or sealed while it does. XML is matched by
// local name because real files use several namespaces; a DTD is refused, and
// size, depth and count have limits. An XML file that does not parse is a
// Problem and never an error of Open, so that it cannot hide a digest failure.
//
// The writer never re-encodes a file that it does not have to change: existing
// entries keep their compressed bytes, OFD.xml and Signatures.xml are edited in
// place, and everything else of a seal is new files.
//
// This room knows nothing of certificates, seals or trust: it returns paths,
// digests and bytes. A Package is not safe for concurrent use.
package ofd

import (
	"errors"
	"fmt"
)

// Outcomes that callers branch on.
var (
	// ErrNotPackage: no zip, a truncated zip, or a zip without OFD.xml.
	ErrNotPackage = errors.New("ofd: not an OFD package")
	// ErrLimit: a size, count or ratio limit is exceeded (a zip bomb or a document
	// larger than we accept).
	ErrLimit = errors.New("ofd: package exceeds a limit")
	// ErrDamaged: an entry does not inflate to its declared size and checksum.
	ErrDamaged = errors.New("ofd: entry damaged")
	// ErrNoEntry: the package has no such file.
	ErrNoEntry = errors.New("ofd: no such file in the package")
	// ErrXML: an XML file that is malformed, has a DTD or exceeds a limit.
	ErrXML = errors.New("ofd: xml refused")
	// ErrUnsound: the container has faults or the document tree does not read.
	ErrUnsound = errors.New("ofd: package is not sound")
	// ErrProtected: an existing signature covers a file that a new seal changes, or
	// the package has a signed list of all its files.
	ErrProtected = errors.New("ofd: an existing seal forbids further seals")
	// ErrOrphan: signature files remain that no list names; linking a new list
	// there could revive them.
	ErrOrphan = errors.New("ofd: unlisted signature files in the package")
	// ErrCustom: custom data under a name that stands already, without a name, or
	// where an existing signature covers the description of the document.
	ErrCustom = errors.New("ofd: custom data refused")
	// ErrStamp: a stamp on a missing page, outside its page, or without extent.
	ErrStamp = errors.New("ofd: stamp cannot be placed")
)

// Codes of faults, problems and notes; internal/text has their words.
const (
	FaultDuplicate = "zip.duplicate" // two names equal after case, slash and NFC folding
	FaultTraversal = "zip.traversal" // ".." in a name
	FaultAbsolute  = "zip.absolute"  // leading slash or drive letter
	FaultEncrypted = "zip.encrypted"
	FaultSymlink   = "zip.symlink" // or another special file
	FaultOverlap   = "zip.overlap" // two entries share bytes
	FaultHidden    = "zip.hidden"  // an entry that the directory does not list
	FaultHeader    = "zip.header"  // local header and directory disagree
	FaultMethod    = "zip.method"  // neither stored nor deflated
	FaultDirectory = "zip.directory"

	ProblemXML     = "ofd.xml"     // a structural file does not parse
	ProblemMissing = "ofd.missing" // a referenced file is not in the package
	ProblemEscape  = "ofd.escape"  // a reference leaves the package
	ProblemList    = "ofd.list"    // OFD.xml names a signature list that is not there
	ProblemLimit   = "ofd.limit"   // an XML file is larger than we read
	// ProblemAmbiguous: an element that must stand once stands twice, or a
	// reference is written in pieces: two readers follow it to two files.
	ProblemAmbiguous = "ofd.ambiguous"

	NotePrefix    = "zip.prefix"    // bytes before the first entry
	NoteTrailing  = "zip.trailing"  // bytes after the directory
	NoteBackslash = "zip.backslash" // entry name written with "\"
	NoteEncoding  = "zip.encoding"  // entry name is not UTF-8
	NoteCase      = "ofd.case"      // a reference matches only without case or with percent signs decoded
)

// Note is one observation about the package: a fault, a problem or a remark.
type Note struct {
	Code string `json:"code"`
	Path string `json:"path,omitempty"`
}

func (n Note) String() string {
	if n.Path == "" {
		return n.Code
	}
	return n.Code + " " + n.Path
}

// Limits bound what Open and the readers accept. Zero values mean the defaults.
type Limits struct {
	Entries   int   // files in the package, default 20,000
	EntrySize int64 // one inflated entry, default 512 MiB
	Total     int64 // all inflated entries, default 1 GiB
	Ratio     int64 // inflated : stored, for what exceeds 4 MiB, default 200
	XMLSize   int64 // one page, or another file that is read whole, default 32 MiB; other XML half of it
	XMLTotal  int64 // all XML files that are parsed, default 256 MiB
}

// ratioFloor is the inflated size below which the ratio says nothing: a blank
// page or picture compresses a thousandfold.
const ratioFloor = 4 << 20

func (l Limits) withDefaults() Limits {
	if l.Entries == 0 {
		l.Entries = 20_000
	}
	if l.EntrySize == 0 {
		l.EntrySize = 512 << 20
	}
	if l.Total == 0 {
		l.Total = 1 << 30
	}
	if l.Ratio == 0 {
		l.Ratio = 200
	}
	if l.XMLSize == 0 {
		l.XMLSize = 32 << 20
	}
	if l.XMLTotal == 0 {
		l.XMLTotal = 256 << 20
	}
	return l
}

func limitErr(what string) error { return fmt.Errorf("%w: %s", ErrLimit, what) }
