package pdf

import "image"

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
