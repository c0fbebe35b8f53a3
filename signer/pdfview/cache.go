package pdfview

import (
	"os"
	"path/filepath"
)

// UserCache is a folder of this person for Config.Cache, made when it is not
// there; "" when there is none that is private. It is for programs that a person
// starts often, never for a service: who may write there decides what runs.
func UserCache() string {
	base, err := os.UserCacheDir()
	if err != nil {
		return ""
	}
	dir := filepath.Join(base, "yinxin", "pdfium")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return ""
	}
	if info, err := os.Lstat(dir); err != nil || !info.IsDir() || info.Mode().Perm()&0o022 != 0 {
		return ""
	}
	return dir
}
