// Package svg draws one page of an OFD document (GB/T 33190, chapters 7 to 13
// and 15) as one self-contained SVG in millimetres, for a page that shows it as
// an <img> and for a printable report.
//
// The picture holds no script, style sheet, event handler, foreign object or
// reference out of itself: images are data: URIs, glyphs of embedded fonts are
// outlines (a font of the document never reaches the reader's font engine), other
// text names families with fallbacks. Every string of the document is escaped or
// reduced to an allow-list.
//
// A picture in the document can never pose as a verified seal: annotations are
// framed and labelled as such, stamps of the signature list are not drawn at all
// unless the caller hands them over after verification, and then each carries a
// number whose verdict stands in a legend outside the page box, where no content
// can draw.
//
// It draws what it can and says what it could not (Warnings). It refuses a
// package with container faults, a page that does not read, and a page that
// exceeds the limits of objects, characters or output; single pictures and paths
// over their limit become placeholders. Deviations from the standard: text is not
// clipped to its Boundary, because fallback fonts are wider; patterns and mesh
// shadings are drawn in one colour; JBIG2 and TIFF are not decoded.
package svg

import (
	"errors"

	"github.com/yinxin-gov/yinxin/signer/ofd"
)

// Outcomes that callers branch on.
var (
	// ErrPage: there is no such page, or it does not read.
	ErrPage = errors.New("svg: page cannot be drawn")
	// ErrLimit: the page exceeds a limit as a whole.
	ErrLimit = errors.New("svg: page exceeds a limit")
)

// Limits of one page.
const (
	maxObjects    = 50_000
	maxChars      = 200_000
	maxOutput     = 16 << 20
	maxDepth      = 16       // composites, blocks and templates within one another
	maxWork       = 64 << 20 // bytes looked at, each time that they are
	maxXML        = 24 << 20 // bytes of XML files
	maxMedia      = 48 << 20 // bytes of pictures that are read
	maxPath       = 1 << 20  // bytes of one AbbreviatedData
	maxImage      = 8 << 20  // bytes of one picture
	maxImages     = 11 << 20
	maxPixels     = 40_000_000 // of one picture
	maxDecoded    = 16_000_000 // of one that is decoded here
	maxAllPixels  = 120_000_000
	maxFont       = 4 << 20
	maxFonts      = 16 << 20
	maxWarnings   = 100
	minEdge       = 1 // millimetres of a page
	maxEdge       = 20_000
	maxCoordinate = 1e6
)

// Options of one picture. Zero values: no stamps, English labels.
type Options struct {
	Stamps []Stamp // drawn over the page in this order
	Labels Labels
}

// Labels are the words that the picture itself shows, in the reader's language.
type Labels struct {
	Annotation string // on the frame of an annotation, default "annotation"
	Picture    string // in place of a picture that is not drawn, default "picture"
}

// Class is what the caller's verification found about a stamp's signature.
type Class string

// Classes. Anything else counts as Indeterminate.
const (
	Valid         Class = "valid"
	Indeterminate Class = "indeterminate"
	Invalid       Class = "invalid"
)

// Stamp is one stamp of a signature that the caller has judged, with the picture
// of the seal as it was signed.
type Stamp struct {
	Box     ofd.Box  // whole seal, page space
	Clip    *ofd.Box // visible part in seal space, nil: all of it
	Picture []byte   // PNG, JPEG, GIF, BMP or an OFD package; the bytes decide. nil: the page shows it already
	Class   Class
	Caption string // its line of the legend, e.g. name of the seal and verdict
}

// Result is a drawn page.
type Result struct {
	SVG      []byte
	Warnings []Warning // what was left out or replaced; at most 100
}

// Warning is one thing that was not drawn as the document says. Detail is a
// place: an object's id or a path.
type Warning struct {
	Code   string `json:"code"`
	Detail string `json:"detail,omitempty"`
}

// Codes of warnings; internal/text has their words under "preview.warning.".
const (
	WarnImage      = "image.unread"      // a picture is missing, damaged or of a kind not drawn
	WarnImageLimit = "image.size"        // a picture over the limits
	WarnFont       = "font.unread"       // an embedded font does not read: another one is used
	WarnObject     = "object.unknown"    // an object of unknown kind or without its measures
	WarnPath       = "path.malformed"    // path, positions or transformation that do not parse
	WarnColour     = "colour.reduced"    // a pattern or shading drawn in one colour
	WarnResource   = "resource.missing"  // a resource that is named but not there
	WarnCycle      = "nesting"           // a template or composite inside itself, or too deep
	WarnAnnotation = "annotation.unread" // annotations that do not read
	WarnFonts      = "font.missing"      // fonts that the document does not bring
	WarnStamp      = "stamp.differs"     // where the seal should be seen, something else is
	WarnOwn        = "stamp.own"         // the picture of a signature is its signer's choice
)

// WarningCodes lists every code, for the catalogue of texts.
func WarningCodes() []string {
	return []string{WarnImage, WarnImageLimit, WarnFont, WarnObject, WarnPath, WarnColour, WarnResource, WarnCycle, WarnAnnotation, WarnFonts, WarnStamp, WarnOwn}
}
