package pdf

import "image"

// Rect is a rectangle in millimetres from the upper left corner of a page as it
// is shown, or of a seal.
type Rect struct{ X, Y, W, H float64 }

// Place is a rectangle on a page; pages count from 1.
type Place struct {
	Page int
	Rect
}

// Raster is a page as an engine draws it.
type Raster struct {
	Image   *image.RGBA
	Missing []string // fonts that the file does not bring; others stand in
}

// Hit is one place of a text: the page counts from 1, the box is in default user
// space.
type Hit struct {
	Page int
	Box  Box
}
