package pdfview

import (
	"fmt"
	"io/fs"
	"os"
	"strings"

	"github.com/tetratelabs/wazero"
)

// engineFonts is where the engine looks for fonts, in its own file system.
const engineFonts = "usr/share/fonts"

// SystemFonts is the folder of the system's fonts, "" where there is none.
func SystemFonts() string {
	const dir = "/" + engineFonts
	if info, err := os.Stat(dir); err != nil || !info.IsDir() {
		return ""
	}
	return dir
}

// files is the engine's file system: nothing, or the folder of fonts to be read.
// os.Root keeps links inside that folder.
func (v *Viewer) files() (files wazero.FSConfig, end func() error, err error) {
	files = wazero.NewFSConfig()
	if v.cfg.Fonts == "" {
		return files, func() error { return nil }, nil
	}
	root, err := os.OpenRoot(v.cfg.Fonts)
	if err != nil {
		return nil, nil, fmt.Errorf("pdfview: fonts: %w", err)
	}
	// The engine opens every path from its root, so the root is where it is mounted.
	return files.WithFSMount(fontTree{root.FS()}, "/"), root.Close, nil
}

// fontTree shows a folder as engineFonts, and as every folder above it: who lists
// a folder asks for the one above it too.
type fontTree struct{ fonts fs.FS }

func (t fontTree) Open(name string) (fs.File, error) {
	if name == "." || name == engineFonts || strings.HasPrefix(engineFonts, name+"/") {
		return t.fonts.Open(".")
	}
	if inside, ok := strings.CutPrefix(name, engineFonts+"/"); ok {
		return t.fonts.Open(inside)
	}
	return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
}
